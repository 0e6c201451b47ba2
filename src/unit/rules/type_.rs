//! `Type=`: what systemd waits for at start, and what the program really does. From the text where it can be guessed,
//! from the running host where it shows: what is seen beats every guess. `Type=forking` is in `forking`.

use super::process_state::{First, Left, Life, Since};
use super::runtime::Runtime;
use super::{Severity, rules};
use crate::unit::command::Command;
use crate::unit::rules::View;

/// Short options that send a program to the background; in others the same letter means something else.
const DETACHING: [(&str, &str); 9] = [
    ("celery", "--detach"),
    ("haproxy", "-D"),
    ("memcached", "-d"),
    ("rackup", "-D"),
    ("rails", "-d"),
    ("sidekiq", "-d"),
    ("thin", "-d"),
    ("unicorn", "-D"),
    ("unicorn_rails", "-D"),
];

/// Whether a command starts this program, itself or through `bundle exec`, an interpreter and their kin.
fn runs(command: &Command, program: &str) -> bool {
    let is = |word: &str| word.rsplit('/').next() == Some(program);
    is(&command.program) || command.words().any(is)
}

/// The option that sends this program to the background, as far as it is known.
fn daemonizes<'a>(view: &View<'_>, command: &'a Command) -> Option<&'a str> {
    if command.has(&["--no-detach", "--foreground", "--nodaemon", "-F"]) {
        return None;
    }
    match view.runtime() {
        Runtime::Gunicorn => command.words().find(|w| matches!(*w, "-D" | "--daemon")),
        Runtime::Puma => command.words().find(|w| matches!(*w, "-d" | "--daemon")),
        Runtime::Nginx => {
            (!command.words().any(|w| w.contains("daemon off"))).then_some("without `daemon off;`")
        }
        _ if command.name() == "apachectl" => command.words().find(|w| *w == "start"),
        // Laravel's workers stay; their --daemon is an old word for keeping the framework loaded.
        _ if command.has(&["queue:work"]) => None,
        _ => command.words().find(|w| {
            matches!(
                *w,
                "--daemon" | "--daemonize" | "--background" | "--daemonize=yes" | "--fork"
            ) || DETACHING
                .iter()
                .any(|(program, option)| w == option && runs(command, program))
        }),
    }
}

/// What a program that reports did wrong beside ending.
fn too_early(kind: &str) -> &'static str {
    match kind {
        "notify" | "notify-reload" => " before READY=1",
        _ => "",
    }
}

/// Whether the command line is known to do one job and to end.
fn is_job(view: &View<'_>, command: &Command) -> bool {
    const JOBS: [&str; 12] = [
        "pg_dump",
        "pg_dumpall",
        "mysqldump",
        "rsync",
        "certbot",
        "borg",
        "restic",
        "tar",
        "find",
        "cp",
        "logrotate",
        "true",
    ];
    let steps = ["migrate", "db:migrate", "db:prepare", "collectstatic"];
    JOBS.contains(&command.name()) && !command.has(&["--daemon"])
        || command.words().any(|word| steps.contains(&word))
        || view.is_migration()
}

rules! {
    /// Type=simple, exec or notify with a program that goes to the background
    ///
    /// systemd takes the process it starts as the main one. A program that forks and exits ends it, and systemd then
    /// kills what is left, the daemon included.
    ///
    /// In production: `systemctl start` exits 0, the unit is `inactive (dead)` with `Result=success`, nothing listens. With
    /// `Type=notify` the start fails at once with `Result=protocol`. With `Restart=always` it is started and killed in a loop.
    ///
    /// ```ini
    /// [Service]
    /// Type=exec
    /// # and start the program without its --daemon option; or, if it has no other way:
    /// Type=forking
    /// PIDFile=/run/acme/acme.pid
    /// ```
    ///
    /// See systemd.service(5), `Type=`.
    "type-simple-forks" Error(Type) Service simple_forks(view, found) {
        let Some((command, start)) = view.start() else {
            return;
        };
        let kind = view.kind();
        if matches!(kind, "forking" | "oneshot" | "dbus") {
            return;
        }
        let entry = view.unit.get("Service", "Type").unwrap_or(start);
        let flag = daemonizes(view, command);
        match (view.life(), flag) {
            (Life::Runs, _) => {}
            (Life::Ended(Left::Daemon), _) if view.show("SubState") == Some("exited") => {
                found.at(entry, format!("Type={kind}, and the main process has ended while others of the service run on: it goes to the background; write Type=forking"))
                    .suggest("Service", "Type", "forking");
            }
            (Life::Ended(Left::Daemon), _) => {
                found.at(entry, format!("Type={kind}, and the main process ended with success and left another behind, which systemd killed: it goes to the background; write Type=forking, or better start it with the option that keeps it in the foreground"))
                    .suggest("Service", "Type", "forking");
            }
            (Life::Ended(Left::PerhapsDaemon), None) if !is_job(view, command) => {
                found.at(entry, format!("Type={kind}, and the main process ends with success{}: it goes to the background (write Type=forking, or better start it with the option that keeps it in the foreground), or it does one job (write Type=oneshot)", too_early(kind)))
                    .suggest("Service", "Type", "forking");
            }
            (_, Some(flag)) => {
                let message = format!(
                    "Type={kind}, but {} goes to the background ({flag}): systemd sees its main process exit and kills the rest",
                    command.name()
                );
                found.at(start, message).suggest("Service", "Type", "forking");
            }
            _ => {}
        }
    }

    /// Type=oneshot with a program that stays
    ///
    /// oneshot means: starting is done when the program has exited. A server never exits.
    ///
    /// In production: `systemctl start` hangs; the unit is `activating (start)` with a MainPID, by default for ever, because
    /// `TimeoutStartSec=` is infinite for oneshot. Units ordered after it never start.
    ///
    /// ```ini
    /// [Service]
    /// Type=exec
    /// ```
    ///
    /// See systemd.service(5), `Type=`.
    "type-oneshot-stays" Error(Type) Service oneshot_stays(view, found) {
        if view.unit.service("Type") != "oneshot" {
            return;
        }
        let Some((command, start)) = view.start() else {
            return;
        };
        let entry = view.unit.get("Service", "Type").unwrap_or(start);
        let better = view.kind_that_stays();
        match view.life() {
            Life::Unready(First::Stays, Since::TimedOut) => {
                let doubt = if view.is_expected_to_stay() { "" } else { ", or a job that needs more time" };
                found.at(entry, format!("Type=oneshot, and the main process was still running when the start timed out: it is a daemon (write Type={better}){doubt}"))
                    .suggest("Service", "Type", better);
            }
            Life::Unready(..) if view.is_expected_to_stay() || view.has_started_for(60) => {
                found.at(entry, format!("Type=oneshot, and it is activating all the time while its main process runs: it is a daemon (write Type={better}), or a job that hangs"))
                    .suggest("Service", "Type", better);
            }
            Life::Untold => {
                let server = matches!(view.runtime(), Runtime::Puma | Runtime::Gunicorn)
                    && !command.has(&["--check-config"])
                    || command.has(&["runserver", "daemon off;"]);
                if server || view.unit.sets("Service", "WatchdogSec") {
                    let message = format!(
                        "Type=oneshot, but {} stays: the start never ends",
                        command.name()
                    );
                    found.at(entry, message).suggest("Service", "Type", better);
                }
            }
            _ => {}
        }
    }

    /// Type=oneshot with a program that goes to the background
    ///
    /// oneshot means: when the program has exited, the work is done. systemd then kills what is left, the daemon included;
    /// with `RemainAfterExit=yes` it leaves it alone, and never looks at it again.
    ///
    /// In production: measured: `systemctl start` exits 0, the unit is `inactive (dead)` with `Result=success`, nothing listens.
    /// With `RemainAfterExit=yes` it is `active (exited)` for ever, also after the daemon has crashed.
    ///
    /// ```ini
    /// [Service]
    /// Type=forking
    /// PIDFile=/run/acme/acme.pid
    /// # or better Type=exec, and the option that keeps the program in the foreground
    /// ```
    ///
    /// See systemd.service(5), `Type=` and `RemainAfterExit=`.
    "type-oneshot-forks" Error(Ended) Service oneshot_forks(view, found) {
        if view.unit.service("Type") != "oneshot" {
            return;
        }
        let Some((command, start)) = view.start() else {
            return;
        };
        let entry = view.unit.get("Service", "Type").unwrap_or(start);
        let remains = view.unit.yes("Service", "RemainAfterExit") == Some(true);
        let message = match (view.life(), daemonizes(view, command)) {
            (Life::Ended(Left::Daemon), _) if view.processes() > 0 && remains => {
                "Type=oneshot with RemainAfterExit=yes, and a daemon runs on that systemd does not watch: a crash goes unseen; write Type=forking, without RemainAfterExit=".to_owned()
            }
            (Life::Ended(Left::Daemon), _) if view.processes() > 0 => {
                "Type=oneshot, and what it left behind runs on, unwatched: it goes to the background; write Type=forking".to_owned()
            }
            // A job may leave a child that systemd cleans up; who expects a service to stay means a daemon.
            (Life::Ended(_), _) if view.is_expected_to_stay() && !remains => {
                "Type=oneshot, listed as a service that stays, and it has ended: it goes to the background, and systemd killed what it left (write Type=forking, or better Type=exec and the option that keeps it in the foreground); if it is a job it is no service of deploy.yml".to_owned()
            }
            (Life::Untold, Some(flag)) if view.runtime() != Runtime::Other => {
                format!("Type=oneshot, but {} goes to the background ({flag}): systemd kills it as soon as it is up", command.name())
            }
            _ => return,
        };
        let finding = found.at(entry, message);
        finding.suggest("Service", "Type", "forking");
        if remains {
            finding.suggest("Service", "RemainAfterExit", "no");
        }
    }

    /// A job that ends, declared as a service that stays
    ///
    /// With `Type=simple` or `exec` the start is over before the job has ended; who waits for it waits for nothing, and its
    /// exit code is lost. With `Type=notify` the start fails.
    ///
    /// In production: `systemctl start acme-migrate` exits 0 at once; the deploy goes on while the migration still runs, or
    /// has failed. Measured: afterwards `inactive (dead)`, `Result=success`; with `Restart=always` it runs again and again; with
    /// `Type=notify` `failed (protocol)`.
    ///
    /// ```ini
    /// [Service]
    /// Type=oneshot
    /// TimeoutStartSec=10min
    /// ```
    ///
    /// See systemd.service(5), `Type=`.
    "type-simple-ends" Warning(Type) Service simple_ends(view, found) {
        let kind = view.kind();
        if matches!(kind, "forking" | "oneshot" | "dbus") {
            return;
        }
        let Some((command, start)) = view.start() else {
            return;
        };
        let entry = view.unit.get("Service", "Type").unwrap_or(start);
        // What a socket or a timer starts may end when it has nothing to do.
        let comes_back = view.is_socket_activated() || view.is_timed();
        let job = is_job(view, command);
        let remains = view.unit.yes("Service", "RemainAfterExit") == Some(true);
        let ended = match view.life() {
            _ if comes_back || remains => None,
            Life::Ended(left @ (Left::Nothing | Left::PerhapsNothing)) => Some(left),
            Life::Ended(left) if job => Some(left),
            _ => None,
        };
        if let Some(left) = ended {
            let ran = view.ran().as_secs();
            if ran >= 60 && !job {
                found.at(entry, format!("the program ended by itself, with success, after {ran} s: if that was its job write Type=oneshot; if it is to stay write Restart=always"));
                return;
            }
            let why = match left {
                Left::Nothing => format!("the program ended with success after {ran} s, leaving nothing behind: it does one job; write Type=oneshot"),
                _ => format!("the program ended with success{}: it does one job (write Type=oneshot), or it goes to the background (write Type=forking, or better start it with the option that keeps it in the foreground)", too_early(kind)),
            };
            let finding = found.at(entry, format!("Type={kind}, and {why}"));
            finding.severity(Severity::Error).suggest("Service", "Type", "oneshot");
            if matches!(view.unit.service("Restart"), "always" | "on-success") {
                finding.suggest("Service", "Restart", "no");
            }
        } else if matches!(kind, "notify" | "notify-reload") {
            // A program that reports its readiness is taken for no job, whatever its words are.
        } else if job {
            found
                .at(
                    entry,
                    format!(
                        "{} does a job and ends, but Type={kind} counts it as started at once",
                        command.name()
                    ),
                )
                .suggest("Service", "Type", "oneshot");
        } else if remains {
            found.at(entry, format!("RemainAfterExit=yes with Type={kind}: for a job that ends write Type=oneshot; a service that stays needs neither"))
                .suggest("Service", "Type", "oneshot");
        }
    }

    /// Type=simple: started means only forked
    ///
    /// With `simple` (the default) systemd reports success before the program file was even opened. `exec` waits for
    /// execve, `notify` for the program's own word.
    ///
    /// In production: measured: `systemctl restart` exits 0 when the binary is missing, the user does not exist or the
    /// program dies at once. Only the health check tells.
    ///
    /// ```ini
    /// [Service]
    /// Type=exec
    /// ```
    ///
    /// See systemd.service(5), `Type=`.
    "type-simple" Info Service simple(view, found) {
        if view.kind() != "simple" || !view.stays() || view.start().is_none() || view.reports_unawaited() {
            return;
        }
        let message = "Type=simple: systemctl reports success before the program was started; exec waits for that, notify for its readiness";
        match view.unit.get("Service", "Type") {
            Some(entry) => found.at(entry, message),
            None => found.missing("Service", message),
        }
        .set("Service", "Type", "exec");
    }
}
