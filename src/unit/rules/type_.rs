//! `Type=`: what systemd waits for at start, and what the program really does. Guessed from the text; where the
//! running host shows it, that counts instead. `Type=forking` is in `forking`.

use super::process_state::{First, LastStart, Left, Since};
use super::runtime::{self, Runtime};
use super::{Severity, rules};
use crate::unit::command::Command;
use crate::unit::rules::View;
use crate::unit::value;

/// Short options that send these programs to the background; in others the same letter means something else.
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

/// Whether a command starts this program, directly or through `bundle exec`, an interpreter and similar.
fn runs(command: &Command, program: &str) -> bool {
    let is = |word: &str| word.rsplit('/').next() == Some(program);
    is(&command.program) || command.words().any(is)
}

/// The option that sends this program to the background, where it is known.
fn daemonizes<'a>(view: &View<'_>, command: &'a Command) -> Option<&'a str> {
    if command.has(&["--no-detach", "--foreground", "--nodaemon", "-F"]) {
        return None;
    }
    match view.runtime() {
        Runtime::Gunicorn => command.words().find(|w| matches!(*w, "-D" | "--daemon")),
        Runtime::Puma => command.words().find(|w| matches!(*w, "-d" | "--daemon")),
        Runtime::Nginx => (!command.words().any(|w| w.contains("daemon off"))).then_some("without `daemon off;`"),
        // With Type=notify it stays in the foreground; --daemon then names its process.
        _ if command.name() == "openvpn" => None,
        _ if command
            .option(&["--daemonize", "--daemon"])
            .is_some_and(|value| value::boolean(value) == Some(false)) =>
        {
            None
        }
        _ if command.name() == "apachectl" => command.words().find(|w| *w == "start"),
        // Laravel's workers stay in the foreground; their --daemon is an old option that keeps the framework loaded.
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

/// When a program that should have reported READY=1 ended.
fn too_early(kind: &str) -> &'static str {
    match kind {
        "notify" | "notify-reload" => " before READY=1",
        _ => "",
    }
}

/// Whether the command line is known to run a job and exit.
fn is_job(view: &View<'_>, command: &Command) -> bool {
    const JOBS: &str = "pg_dump pg_dumpall mysqldump rsync certbot borg restic tar find cp logrotate true";
    let steps = ["migrate", "db:migrate", "db:prepare", "collectstatic"];
    JOBS.split(' ').any(|job| job == command.name()) && !command.has(&["--daemon"])
        || command.words().any(|word| steps.contains(&word))
        || view.is_deploys()
}

const FOREGROUND: &str = "write Type=forking or, better, start it with the option that keeps it in the foreground";

rules! {
    /// Type=simple, exec or notify with a program that goes into the background
    ///
    /// systemd treats the process that it starts as the main one. If that process forks and exits, systemd kills what
    /// is left, including the daemon.
    ///
    /// In production: `systemctl start` exits 0, the unit is `inactive (dead)` with `Result=success`, and nothing
    /// listens. With `Type=notify` the start fails at once with `Result=protocol`. With `Restart=always` systemd starts
    /// and kills it in a loop.
    ///
    /// ```ini
    /// [Service]
    /// Type=exec
    /// # and start the program without its --daemon option; or, if it cannot stay in the foreground:
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
        match (view.last_start(), flag) {
            (LastStart::Runs, _) => {}
            (LastStart::Ended(Left::Daemon), _) if view.show("SubState") == Some("exited") => {
                let message = format!(
                    "Type={kind}, but the main process ended while other processes of the service are still running: \
                     the program goes into the background; write Type=forking"
                );
                found.at(entry, message).suggest("Service", "Type", "forking");
            }
            (LastStart::Ended(Left::Daemon), _) => {
                let message = format!(
                    "Type={kind}, but the main process ended successfully and left another behind, \
                     which systemd killed: the program goes into the background; {FOREGROUND}"
                );
                found.at(entry, message).suggest("Service", "Type", "forking");
            }
            (LastStart::Ended(Left::PerhapsDaemon), None) if !is_job(view, command) => {
                let message = format!(
                    "Type={kind}, but the main process ends successfully{}: the program goes into the background ({FOREGROUND}), \
                     or it is a job (write Type=oneshot)",
                    too_early(kind)
                );
                found.at(entry, message).suggest("Service", "Type", "forking");
            }
            (LastStart::Unknown, None) => {
                if let Some(flag) = runtime::detaches(command) {
                    let name = command.name();
                    let message = format!(
                        "Type={kind}, but {name} ends after it has started the rest ({flag}): systemd then stops the \
                         service; start it in the foreground, or write Type=oneshot with RemainAfterExit=yes"
                    );
                    found.at(start, message);
                }
            }
            (_, Some(flag)) => {
                let message = format!(
                    "Type={kind}, but {} goes into the background ({flag}): \
                     its main process exits, and systemd kills the rest",
                    command.name()
                );
                found.at(start, message).suggest("Service", "Type", "forking");
            }
            _ => {}
        }
    }

    /// Type=oneshot with a program that keeps running
    ///
    /// With `oneshot`, the start is complete when the program has exited. A server never exits.
    ///
    /// In production: `systemctl start` hangs, by default forever, because `TimeoutStartSec=` is infinite for oneshot;
    /// the unit is `activating (start)` with a MainPID. Units ordered after it never start.
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
        match view.last_start() {
            LastStart::Unready(First::Stays, Since::TimedOut) => {
                let doubt = if view.is_expected_to_stay() { "" } else { ", or a job that needs more time" };
                let message = format!(
                    "Type=oneshot, but the main process was still running when the start timed out: \
                     it is a daemon (write Type={better}){doubt}"
                );
                found.at(entry, message).suggest("Service", "Type", better);
            }
            LastStart::Unready(..) if view.is_expected_to_stay() || view.has_started_for(60) => {
                let message = format!(
                    "Type=oneshot, but the unit stays activating while its main process runs: \
                     it is a daemon (write Type={better}), or a job that hangs"
                );
                found.at(entry, message).suggest("Service", "Type", better);
            }
            LastStart::Unknown => {
                let server = matches!(view.runtime(), Runtime::Puma | Runtime::Gunicorn)
                    && !command.has(&["--check-config"])
                    || command.has(&["runserver", "daemon off;"]);
                if server || view.unit.sets("Service", "WatchdogSec") {
                    let message = format!(
                        "Type=oneshot, but {} keeps running: the start never completes",
                        command.name()
                    );
                    found.at(entry, message).suggest("Service", "Type", better);
                }
            }
            _ => {}
        }
    }

    /// Type=oneshot with a program that goes into the background
    ///
    /// With `oneshot`, the work is done when the program has exited. systemd then kills what is left, including the
    /// daemon. With `RemainAfterExit=yes` systemd leaves the daemon running but does not watch it.
    ///
    /// In production: `systemctl start` exits 0, the unit is `inactive (dead)` with `Result=success`, and nothing
    /// listens. With `RemainAfterExit=yes` it is `active (exited)` forever, even after the daemon has crashed
    /// (measured).
    ///
    /// ```ini
    /// [Service]
    /// Type=forking
    /// PIDFile=/run/acme/acme.pid
    /// # or, better: Type=exec, and the option that keeps the program in the foreground
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
        let message = match (view.last_start(), daemonizes(view, command)) {
            (LastStart::Ended(Left::Daemon), _) if view.processes() > 0 && remains => {
                "Type=oneshot with RemainAfterExit=yes, but a daemon that systemd does not watch is still \
                 running: a crash goes unnoticed; write Type=forking, without RemainAfterExit="
                    .to_owned()
            }
            (LastStart::Ended(Left::Daemon), _) if view.processes() > 0 => {
                "Type=oneshot, but a process that it left behind is still running, and systemd does not watch it: \
                 the program goes into the background; write Type=forking"
                    .to_owned()
            }
            // A job may leave a child that systemd cleans up; a service that should keep running is a daemon.
            (LastStart::Ended(_), _) if view.is_expected_to_stay() && !remains => {
                "Type=oneshot, but deploy.yml lists it as a service, and it has ended: the program goes into the background, and systemd killed the rest (write Type=forking or, better, Type=exec with the option that keeps it \
                 in the foreground); if it is a job, remove it from the services of deploy.yml"
                    .to_owned()
            }
            (LastStart::Unknown, Some(flag)) if view.runtime() != Runtime::Other => {
                format!(
                    "Type=oneshot, but {} goes into the background ({flag}): systemd kills it as soon as it has started",
                    command.name()
                )
            }
            _ => return,
        };
        let finding = found.at(entry, message);
        finding.suggest("Service", "Type", "forking");
        if remains {
            finding.suggest("Service", "RemainAfterExit", "no");
        }
    }

    /// A job declared as a long-running service
    ///
    /// With `Type=simple` or `exec`, the start is complete before the job has ended: waiting for the start does not
    /// wait for the job, and its exit status is lost. With `Type=notify` the start fails.
    ///
    /// In production: `systemctl start acme-migrate` exits 0 at once, and the deploy continues while the migration is
    /// still running, or has failed. The unit is then `inactive (dead)` with `Result=success`. With `Restart=always` the
    /// job runs again and again; with `Type=notify` the unit is `failed (protocol)` (measured).
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
        // A service that a socket or a timer starts may end when it has nothing to do.
        let comes_back = view.is_socket_activated() || view.is_timed();
        let job = is_job(view, command);
        let remains = view.unit.yes("Service", "RemainAfterExit") == Some(true);
        let ended = match view.last_start() {
            _ if comes_back || remains => None,
            LastStart::Ended(left @ (Left::Nothing | Left::PerhapsNothing)) => Some(left),
            LastStart::Ended(left) if job => Some(left),
            _ => None,
        };
        if let Some(left) = ended {
            let ran = view.ran().as_secs();
            if ran >= 60 && !job {
                let message = format!(
                    "the program ended successfully after {ran} s: if it is a job, write Type=oneshot; \
                     if it should keep running, write Restart=always"
                );
                found.at(entry, message);
                return;
            }
            let why = match left {
                Left::Nothing => format!(
                    "the program ended successfully after {ran} s and left nothing behind: \
                     it is a job; write Type=oneshot"
                ),
                _ => format!(
                    "the program ended successfully{}: it is a job (write Type=oneshot), \
                     or the program goes into the background ({FOREGROUND})",
                    too_early(kind)
                ),
            };
            let finding = found.at(entry, format!("Type={kind}, but {why}"));
            finding.severity(Severity::Error).suggest("Service", "Type", "oneshot");
            if matches!(view.unit.service("Restart"), "always" | "on-success") {
                finding.suggest("Service", "Restart", "no");
            }
        } else if matches!(kind, "notify" | "notify-reload") {
            // A program that reports its readiness is not a job, whatever its command line looks like.
        } else if job {
            found
                .at(
                    entry,
                    format!(
                        "{} runs a job and exits, but Type={kind} counts it as started immediately",
                        command.name()
                    ),
                )
                .suggest("Service", "Type", "oneshot");
        } else if remains {
            let message = format!(
                "RemainAfterExit=yes with Type={kind}: for a job, write Type=oneshot; \
                 a service that keeps running needs neither"
            );
            found.at(entry, message).suggest("Service", "Type", "oneshot");
        }
    }

    /// Type=simple reports success before the program runs
    ///
    /// With `simple` (the default), systemd reports success before it has even opened the program file. `exec` waits
    /// for execve, `notify` for a message from the program.
    ///
    /// In production: `systemctl restart` exits 0 even if the binary is missing, the user does not exist or the program
    /// dies at once (measured). Only the health check detects it.
    ///
    /// ```ini
    /// [Service]
    /// Type=exec
    /// ```
    ///
    /// See systemd.service(5), `Type=`.
    "type-simple" Info Service simple(view, found) {
        if view.kind() != "simple" || !view.stays() || view.reports_unawaited() {
            return;
        }
        let message = "Type=simple: systemctl reports success before the program starts; exec waits until the program has started, notify until it is ready";
        match view.unit.get("Service", "Type") {
            Some(entry) => found.at(entry, message),
            None => found.missing("Service", message),
        }
        .set("Service", "Type", "exec");
    }
}
