//! The cells: what is declared, what the program does, how systemd shows it, the rule that names the cause, and the
//! line to write. 252 and 257 show the same unless a cell says otherwise.

/// How a unit is set, beside its `Type=`: each face shows the same mistake at another moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Face {
    /// `Restart=no`, a short `TimeoutStartSec=` where it runs out: as it stands in the end.
    Over,
    /// No `TimeoutStartSec=`: while systemd waits, after ten seconds.
    Waits,
    /// `Restart=always` (`on-failure` for oneshot), without a start limit: between two lives.
    Again,
    /// The same with a shorter pause: it is never for long as it is.
    Flaps,
    /// `Restart=always` with the default start limit: when systemd has given up.
    GaveUp,
}

impl Face {
    pub fn name(self) -> &'static str {
        match self {
            Face::Over => "over",
            Face::Waits => "waits",
            Face::Again => "again",
            Face::Flaps => "flaps",
            Face::GaveUp => "gaveup",
        }
    }
}

/// What is wrong: a rule, words of its message, and the line to write. `None`: the cell is right.
pub type Verdict = Option<(&'static str, &'static str, &'static str)>;

/// One cell.
pub struct Cell {
    /// Its name, of which the units are made: `cell-NAME-FACE.service`.
    pub name: &'static str,
    /// The lines of `[Service]` beside `ExecStart=`. `RUN` stands for the unit's directory in /run.
    pub lines: &'static str,
    /// What the program does: the words after `act`, or `tell` for those that report.
    pub does: &'static str,
    /// How it shows itself.
    pub shows: Vec<(Face, &'static str)>,
    pub verdict: Verdict,
    /// The shows and the verdict on systemd 252, where they differ.
    pub on_252: Option<(&'static str, Verdict)>,
}

const RUNS: &str = "active (running), MainPID set";
const ENDED: &str = "inactive (dead), Result=success, exited 0";
const ENDED_AGAIN: &str = "activating (auto-restart), Result=success, exited 0";
const GAVE_UP: &str = "failed, Result=start-limit-hit, exited 0";
const WAITS: &str = "activating (start), MainPID set";
const TIMED_OUT: &str = "failed, Result=timeout, killed by 15";
const TIMED_OUT_AGAIN: &str = "activating (auto-restart), Result=timeout, killed by 15";
const PROTOCOL: &str = "failed, Result=protocol, exited 0";
const PROTOCOL_AGAIN: &str = "activating (auto-restart), Result=protocol, exited 0";
// A forking service has no main process before its first one is gone.
const FORKING_WAITS: &str = "activating (start), MainPID=0, ControlPID set";
const FORKING_TIMED_OUT: &str = "failed, Result=timeout, no main process";
const FORKING_TIMED_OUT_AGAIN: &str = "activating (auto-restart), Result=timeout, no main process";
const FORKING_ENDED: &str = "inactive (dead), Result=success, no main process";
const FORKING_ENDED_AGAIN: &str = "activating (auto-restart), Result=success, no main process";
const FORKING_GAVE_UP: &str = "failed, Result=start-limit-hit, no main process";

const FORKS: Verdict = Some(("type-simple-forks", "goes into the background", "Type=forking"));
const ENDS: Verdict = Some(("type-simple-ends", "it is a job", "Type=oneshot"));
const UNUSED: Verdict = Some(("type-notify-unused", "does not wait", "Type=notify"));

fn cell(
    name: &'static str,
    lines: &'static str,
    does: &'static str,
    shows: &[(Face, &'static str)],
    verdict: Verdict,
) -> Cell {
    Cell {
        name,
        lines,
        does,
        shows: shows.to_vec(),
        verdict,
        on_252: None,
    }
}

/// The sixteen; `simple` and `exec` are two rows of the same.
pub fn cells() -> Vec<Cell> {
    use Face::{Again, GaveUp, Over, Waits};
    let ended = [(Over, ENDED), (Again, ENDED_AGAIN)];
    let forks = [(Over, ENDED), (Again, ENDED_AGAIN), (GaveUp, GAVE_UP)];
    let stays = [
        (Over, TIMED_OUT),
        (Waits, WAITS),
        (Again, TIMED_OUT_AGAIN),
        (GaveUp, TIMED_OUT),
    ];
    let forking_stays = [
        (Over, FORKING_TIMED_OUT),
        (Waits, FORKING_WAITS),
        (Again, FORKING_TIMED_OUT_AGAIN),
        (GaveUp, FORKING_TIMED_OUT),
    ];
    let forking_ends = [
        (Over, FORKING_ENDED),
        (Again, FORKING_ENDED_AGAIN),
        (GaveUp, FORKING_GAVE_UP),
    ];
    let protocol = [(Over, PROTOCOL), (Again, PROTOCOL_AGAIN), (GaveUp, PROTOCOL)];
    let runs = [(Over, RUNS)];
    let staying = |kind| Some(("type-forking-stays", "stays in the foreground", kind));
    let oneshot = |kind| Some(("type-oneshot-stays", "it is a daemon", kind));
    vec![
        cell("simple-stays", "Type=simple", "stays", &runs, None),
        cell("simple-daemonizes", "Type=simple", "daemonizes", &forks, FORKS),
        cell("simple-ends", "Type=simple", "ends", &ended, ENDS),
        cell("simple-notifies", "Type=simple", "notifies", &runs, UNUSED),
        cell("exec-stays", "Type=exec", "stays", &runs, None),
        cell("exec-daemonizes", "Type=exec", "daemonizes", &forks, FORKS),
        cell("exec-ends", "Type=exec", "ends", &ended, ENDS),
        cell("exec-notifies", "Type=exec", "notifies", &runs, UNUSED),
        cell(
            "forking-stays",
            "Type=forking\nPIDFile=RUN/pid",
            "stays",
            &forking_stays,
            staying("Type=exec"),
        ),
        cell(
            "forking-daemonizes",
            "Type=forking\nPIDFile=RUN/pid",
            "daemonizes RUN/pid",
            &runs,
            None,
        ),
        cell(
            "forking-ends",
            "Type=forking",
            "ends",
            &forking_ends,
            Some(("type-forking-ends", "it is a job", "Type=oneshot")),
        ),
        cell(
            "forking-notifies",
            "Type=forking\nPIDFile=RUN/pid",
            "notifies",
            &forking_stays,
            staying("Type=notify"),
        ),
        cell("oneshot-stays", "Type=oneshot", "stays", &stays, oneshot("Type=exec")),
        // systemd is content, so that it never starts again.
        cell(
            "oneshot-daemonizes",
            "Type=oneshot",
            "daemonizes",
            &[(Over, ENDED)],
            Some(("type-oneshot-forks", "goes into the background", "Type=forking")),
        ),
        cell("oneshot-ends", "Type=oneshot", "ends", &[(Over, ENDED)], None),
        cell(
            "oneshot-notifies",
            "Type=oneshot",
            "notifies",
            &stays,
            oneshot("Type=notify"),
        ),
        cell(
            "notify-stays",
            "Type=notify",
            "stays",
            &stays,
            Some(("type-notify-silent", "no READY=1", "Type=exec")),
        ),
        cell("notify-daemonizes", "Type=notify", "daemonizes", &protocol, FORKS),
        cell("notify-ends", "Type=notify", "ends", &protocol, ENDS),
        cell("notify-notifies", "Type=notify", "notifies", &runs, None),
    ]
}

/// Runs for a second, goes into the background, is killed, and is started again after another.
pub fn flapping() -> Cell {
    let shows = [(Face::Flaps, ENDED_AGAIN)];
    cell("exec-flaps", "Type=exec", "lingers", &shows, FORKS)
}

/// What goes wrong beside the sixteen, and what looks like it but is right.
pub fn extras() -> Vec<Cell> {
    use Face::{Over, Waits};
    let pidfile = |words| Some(("pidfile-not-written", words, "PIDFile="));
    let forking_gone = [
        (Over, FORKING_TIMED_OUT),
        (Waits, "activating (start), MainPID=0, ControlPID=0"),
    ];
    let child: Verdict = Some(("type-notify-access", "a child sends it", "NotifyAccess=all"));
    let old: Verdict = Some(("type-notify-reload", "needs systemd 253", "Type=notify"));
    let mut reload_ready = cell(
        "reload-notifies",
        "Type=notify-reload",
        "notifies",
        &[(Over, RUNS)],
        None,
    );
    reload_ready.on_252 = Some((RUNS, old));
    let mut reload_silent = cell(
        "reload-stays",
        "Type=notify-reload",
        "stays",
        &[(Over, TIMED_OUT)],
        Some(("type-notify-silent", "no READY=1", "Type=exec")),
    );
    reload_silent.on_252 = Some((RUNS, old));
    vec![
        cell(
            "pidfile-missing",
            "Type=forking\nPIDFile=RUN/other",
            "daemonizes RUN/pid",
            &forking_gone,
            pidfile("/other"),
        ),
        cell(
            "pidfile-wrong",
            "Type=forking\nPIDFile=RUN/pid\nExecStartPre=/bin/sh -c 'echo 1 >RUN/pid'",
            "daemonizes",
            &forking_gone,
            pidfile("does not name a process of this service"),
        ),
        cell(
            "pidfile-ends",
            "Type=forking\nPIDFile=RUN/pid",
            "ends",
            &[(Over, "failed, Result=protocol, no main process")],
            Some(("type-forking-ends", "it is a job", "Type=oneshot")),
        ),
        cell(
            "notify-child",
            "Type=notify",
            "child-notifies",
            &[(Waits, WAITS)],
            child,
        ),
        cell(
            "notify-child-all",
            "Type=notify\nNotifyAccess=all",
            "child-notifies",
            &[(Over, RUNS)],
            None,
        ),
        cell(
            "notify-access-none",
            "Type=notify\nNotifyAccess=none",
            "notifies",
            &[(Over, RUNS)],
            None,
        ),
        cell(
            "exec-access-notifies",
            "Type=exec\nNotifyAccess=main",
            "notifies",
            &[(Over, RUNS)],
            UNUSED,
        ),
        cell(
            "oneshot-remain-daemonizes",
            "Type=oneshot\nRemainAfterExit=yes",
            "daemonizes",
            &[(Over, "active (exited), exited 0")],
            Some(("type-oneshot-forks", "does not watch", "Type=forking")),
        ),
        cell(
            "oneshot-remain-ends",
            "Type=oneshot\nRemainAfterExit=yes",
            "ends",
            &[(Over, "active (exited), exited 0")],
            None,
        ),
        reload_ready,
        reload_silent,
    ]
}
