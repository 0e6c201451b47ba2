//! What runs here, on the laptop or in CI: the build and the hooks. Each is one command line for `sh -c`, as
//! written in deploy.yml; what shipit knows reaches it only as SHIPIT_* variables.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, PipeReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{self, Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::Run;
use crate::failure::{Exit, Failure, Next};
use crate::host::{Host, IDLE};
use crate::interrupt::{Interrupts, UserRequest};
use crate::remote::NOT_FOUND;
use crate::report::event::{Ended, Event, Phase, Report};
use crate::report::json;
use crate::{terminal, text};

/// A command that was interrupted has this long before it gets a SIGTERM: at a terminal Ctrl-C has reached it too,
/// and it may have something to clean up.
const GRACE: Duration = Duration::from_secs(1);

/// How often a command is looked after that neither says anything nor ends.
const TICK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 20_000_000,
};

/// Pieces of output that are taken in before anything else is looked at: 1 MiB, the most that a pipe holds (pipe(7)).
const PIECES: usize = 128;

/// The longest piece of a line that is kept until its end comes, in bytes.
const LONGEST: usize = 64 * 1024;

/// Runs a command line here; its output becomes log lines. `ended`: how the run ended, once it has. The connection to `host`
/// is kept open meanwhile.
/// Fails with [`Exit::Untouched`] when it cannot be started, does not leave with 0, or a person left it.
pub fn run(
    run: &mut Run<'_>,
    name: &'static str,
    line: &str,
    phase: Phase,
    ended: Option<&Ended>,
    host: Option<&mut dyn Host>,
) -> Result<(), Failure> {
    let began = Instant::now();
    run.report.event(&Event::step_started(phase, name));
    let result = carry_out(run, name, line, ended, host);
    let last = Event::step_ended(phase, name, result.is_ok(), began.elapsed());
    run.report.event(&last);
    result
}

/// How a command of deploy.yml ended here.
pub(super) enum CommandResult {
    Ended(ExitStatus),
    /// After it was asked to stop.
    Stopped,
    /// It was stopped because its time was up.
    Late,
}

/// Runs a command line here until then at most; its output becomes log lines.
pub(super) fn within(run: &mut Run<'_>, name: &'static str, line: &str, until: Instant) -> io::Result<CommandResult> {
    let _still = terminal::command();
    let (mut child, out) = start(run, line, None)?;
    listen(&mut child, out, name, Some(until), None, run.interrupts, run.report)
}

/// `exit status 3`; where the shell could not start a command of the line, which one and why.
pub(super) fn exit_text(run: &Run<'_>, line: &str, status: ExitStatus) -> String {
    match status.code() {
        Some(code @ (126 | 127)) => match not_found(run, line) {
            Some(why) => format!("exit status {code}: {why}"),
            None if code == 127 => "exit status 127: a command or an interpreter was not found".into(),
            None => "exit status 126: a command could not be executed".into(),
        },
        Some(code) => format!("exit status {code}"),
        None => "it was killed by a signal".into(),
    }
}

/// What a command line names that cannot be started in the directory of deploy.yml.
fn not_found(run: &Run<'_>, line: &str) -> Option<String> {
    let script = format!("{NOT_FOUND}\nnot_found \"$1\"");
    let mut command = process::Command::new("sh");
    command.args(["-c", &script, "sh", line]).current_dir(&run.config.dir);
    let out = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let why = text::shown(out.stdout.trim_ascii_end());
    (!why.is_empty()).then_some(why)
}

fn carry_out(
    run: &mut Run<'_>,
    name: &'static str,
    line: &str,
    ended: Option<&Ended>,
    host: Option<&mut dyn Host>,
) -> Result<(), Failure> {
    let ran = format!("command: {}", text::shown(line.as_bytes()));
    let failed = |why: String| {
        Failure::new(Exit::Untouched, format!("`{name}` failed"))
            .why(ran.clone())
            .why(why)
            .host("nothing live changed")
            .next(Next::again("").remark("after you correct the command"))
    };
    let file = ended.map(|ended| EventFile::new(run, ended)).transpose();
    let file = file.map_err(|e| failed(format!("its SHIPIT_EVENT could not be written: {e}")))?;
    let known = ended.map(|ended| (ended, file.as_ref()));
    // A hook may ask. A build takes long, and moves: one that asks for a password is left alone all the same.
    let _still = (name != "build").then(terminal::command);
    let (mut child, out) = start(run, line, known).map_err(|e| failed(format!("it could not be started: {e}")))?;
    let left = listen(&mut child, out, name, None, host, run.interrupts, run.report)
        .map_err(|e| failed(format!("cannot read its output: {e}")))?;
    match left {
        CommandResult::Ended(status) if status.success() => Ok(()),
        CommandResult::Ended(status) => Err(failed(exit_text(run, line, status))),
        CommandResult::Stopped | CommandResult::Late => {
            Err(Failure::new(Exit::Untouched, format!("`{name}` was interrupted"))
                .why(ran)
                .why("shipit received Ctrl-C or SIGTERM")
                .host("nothing live changed"))
        }
    }
}

/// Starts the command line. It stays in our process group, so that a Ctrl-C at the terminal reaches it too, and so
/// that it may ask there.
fn start(run: &Run<'_>, line: &str, known: Option<(&Ended, Option<&EventFile>)>) -> io::Result<(Child, PipeReader)> {
    let config = run.config;
    // One pipe for both streams keeps their order.
    let (out, into) = io::pipe()?;
    rustix::io::ioctl_fionbio(&out, true)?;
    let mut command = process::Command::new("sh");
    command
        .args(["-c", "--", line])
        .current_dir(&config.dir)
        .env("SHIPIT_APP", config.app.as_str())
        .env("SHIPIT_HOST", config.host.to_string())
        .env("SHIPIT_ROOT", config.root.as_str())
        .env("SHIPIT_COMMAND", run.command.word())
        .env("SHIPIT_RELEASE", run.release.as_deref().unwrap_or(""))
        .env("SHIPIT_PREVIOUS", run.previous.as_deref().unwrap_or(""))
        .env(
            "SHIPIT_ENVIRONMENT",
            config.environment.as_ref().map_or("", |e| e.as_str()),
        )
        .env("SHIPIT_RUN", run.id.as_deref().unwrap_or(""));
    let commit = run.commit.clone().unwrap_or_default();
    for (variable, value) in [
        ("SHIPIT_REVISION", &commit.revision),
        ("SHIPIT_BRANCH", &commit.branch),
        ("SHIPIT_AUTHOR", &commit.author),
    ] {
        command.env(variable, text::shown(value.as_bytes()));
    }
    for (name, value) in ended_env(known) {
        command.env(name, value);
    }
    if !asks() {
        command.process_group(0);
    }
    let child = command
        .stdin(Stdio::null())
        .stdout(into.try_clone()?)
        .stderr(into)
        .spawn()?;
    Ok((child, out))
}

/// How the run ended, for a hook after it; all empty before.
fn ended_env(known: Option<(&Ended, Option<&EventFile>)>) -> [(&'static str, OsString); 5] {
    let ended = known.map(|(ended, _)| ended);
    let cause = ended.and_then(|ended| ended.failure.as_ref()).map(|failure| {
        let why = failure.why.first().map(|why| format!(": {why}"));
        text::shown(format!("{}{}", failure.what, why.unwrap_or_default()).as_bytes())
    });
    let seconds = |took: Duration| format!("{:.1}", took.as_secs_f64());
    let gap = ended.and_then(|ended| ended.downtime.as_ref());
    let gap = gap.map(|downtime| format!("{:.2}", Duration::from_millis(downtime.longest_gap_ms).as_secs_f64()));
    let file = known
        .and_then(|(_, file)| file)
        .map(|file| file.0.clone().into_os_string());
    [
        ("SHIPIT_OUTCOME", ended.map_or("", |ended| ended.outcome.word()).into()),
        (
            "SHIPIT_SECONDS",
            ended.map(|ended| seconds(ended.took)).unwrap_or_default().into(),
        ),
        ("SHIPIT_DOWNTIME", gap.unwrap_or_default().into()),
        ("SHIPIT_CAUSE", cause.unwrap_or_default().into()),
        ("SHIPIT_EVENT", file.unwrap_or_default()),
    ]
}

/// A file of the user's alone with the last event of the run, as `--json` prints it. Dropping it removes it.
struct EventFile(PathBuf);

impl EventFile {
    fn new(run: &Run<'_>, ended: &Ended) -> io::Result<Self> {
        let mut tail = [0u8; 8];
        getrandom::fill(&mut tail).map_err(io::Error::other)?;
        let tail: String = tail.iter().map(|b| format!("{b:02x}")).collect();
        let path = std::env::temp_dir().join(format!("shipit-event-{tail}.json"));
        let line = json::line(&Event::Ended(Box::new(ended.clone())), &run.report.typed()).unwrap_or_default();
        let mut options = File::options();
        let file = options.write(true).create_new(true).mode(0o600).open(&path);
        file?.write_all(format!("{line}\n").as_bytes())?;
        Ok(Self(path))
    }
}

impl Drop for EventFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Whether it could ask through a terminal. In a process group of its own it would be stopped there.
fn asks() -> bool {
    File::open("/dev/tty").is_ok()
}

/// Signals all that the command line still runs, not only the shell.
fn signal_all(child: &Child, signal: Signal) {
    let pid = Pid::from_child(child);
    if !asks() {
        let _ = kill_process_group(pid, signal);
        return;
    }
    for descendant in descendants(child.id()) {
        let _ = kill_process(descendant, signal);
    }
    let _ = kill_process(pid, signal);
}

/// The processes below that one, as ps(1) lists them; none where there is no ps.
fn descendants(pid: u32) -> Vec<Pid> {
    let listed = process::Command::new("ps").args(["-A", "-o", "pid=,ppid="]).output();
    let text = listed
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    let pairs = text.lines().filter_map(|line| {
        let (child, of) = line.trim().split_once(' ')?;
        Some((child.parse().ok()?, of.trim().parse().ok()?))
    });
    let pairs: Vec<(i32, u32)> = pairs.collect();
    let (mut found, mut next) = (Vec::new(), vec![pid]);
    while let Some(parent) = next.pop() {
        let children = pairs.iter().filter(|(_, of)| *of == parent).map(|(child, _)| *child);
        let children: Vec<i32> = children.collect();
        next.extend(children.iter().map(|child| child.unsigned_abs()));
        found.extend(children.into_iter().filter_map(Pid::from_raw));
    }
    found
}

/// Tells what a command says until it has ended. What it started in the background may hold its output open longer,
/// and is not waited for. The first interrupt asks it to stop, the second kills it.
fn listen(
    child: &mut Child,
    mut out: PipeReader,
    name: &'static str,
    until: Option<Instant>,
    mut host: Option<&mut dyn Host>,
    interrupts: &Interrupts,
    report: &mut dyn Report,
) -> io::Result<CommandResult> {
    let mut attended = Instant::now();
    let known = interrupts.known();
    let mut asked: Option<Instant> = None;
    let mut warned = false;
    let mut late: Option<Instant> = None;
    let mut lines = Lines::default();
    let mut chunk = [0; 8192];
    loop {
        // First whether it has ended, then what it said: so nothing that it said is missed.
        let ended = child.try_wait()?;
        let mut open = true;
        for _ in 0..PIECES {
            match out.read(&mut chunk) {
                Ok(0) => {
                    open = false;
                    break;
                }
                Ok(n) => lines.take(&chunk[..n], |line| report.log(name, line)),
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        if let Some(status) = ended {
            lines.end(|line| report.log(name, line));
            // A Ctrl-C at the terminal reaches both of us: it may have died of it before we looked.
            let stopped = interrupts.since(known) != UserRequest::Nothing && !status.success();
            return Ok(if stopped {
                CommandResult::Stopped
            } else if late.is_some() {
                CommandResult::Late
            } else {
                CommandResult::Ended(status)
            });
        }
        if attended.elapsed() >= IDLE {
            attended = Instant::now();
            // One that was lost is opened again when it is needed.
            if host.as_mut().is_some_and(|host| host.idle().is_err()) {
                host = None;
            }
        }
        let mut fds = vec![PollFd::from_borrowed_fd(interrupts.wake(), PollFlags::IN)];
        if open {
            fds.push(PollFd::new(&out, PollFlags::IN));
        }
        match poll(&mut fds, Some(&TICK)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        match interrupts.since(known) {
            UserRequest::Nothing => {}
            UserRequest::Stop => asked = asked.or_else(|| Some(Instant::now())),
            UserRequest::Abort => {
                // It may have ended just now.
                signal_all(child, Signal::KILL);
                child.wait()?;
                return Ok(CommandResult::Stopped);
            }
        }
        if late.is_none() && until.is_some_and(|until| Instant::now() >= until) {
            late = Some(Instant::now());
            signal_all(child, Signal::TERM);
        }
        if late.is_some_and(|at| at.elapsed() >= GRACE) {
            signal_all(child, Signal::KILL);
        }
        if !warned && asked.is_some_and(|at| at.elapsed() >= GRACE) {
            warned = true;
            signal_all(child, Signal::TERM);
        }
    }
}

/// Bytes cut into lines; one that does not end is cut at [`LONGEST`].
#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    fn take(&mut self, mut bytes: &[u8], mut line: impl FnMut(Vec<u8>)) {
        while let Some(at) = bytes.iter().position(|b| *b == b'\n') {
            self.0.extend_from_slice(&bytes[..at]);
            line(std::mem::take(&mut self.0));
            bytes = &bytes[at + 1..];
        }
        self.0.extend_from_slice(bytes);
        if self.0.len() >= LONGEST {
            line(std::mem::take(&mut self.0));
        }
    }

    fn end(&mut self, mut line: impl FnMut(Vec<u8>)) {
        if !self.0.is_empty() {
            line(std::mem::take(&mut self.0));
        }
    }
}

/// Runs a hook if there is one; a failure becomes a warning (the act it follows has happened already).
pub fn hook_after(run: &mut Run<'_>, name: &'static str, line: Option<&str>, ended: &Ended) {
    let Some(line) = line else { return };
    if let Err(failure) = self::run(run, name, line, Phase::Settle, Some(ended), None) {
        let why = failure.why.last().cloned().unwrap_or_default();
        run.report.warn(format!("hook `{name}` failed: {why}"));
    }
}
