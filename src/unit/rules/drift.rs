//! The running host against the text: what systemd loaded, what changed since, what a drop-in overrides.

use super::{Cause, Severity, View, rules};
use crate::unit::{command, compare};

/// Settings that a drop-in should not override silently.
const GUARDED: &str = "User DynamicUser NoNewPrivileges ProtectSystem ProtectHome PrivateTmp CapabilityBoundingSet Restart ExecStart \
     KillMode SystemCallFilter TimeoutStopSec";

rules! {
    /// The file changed, but systemd still uses the old version
    ///
    /// A changed file or a new drop-in takes effect only after the next `daemon-reload`.
    ///
    /// In production: `systemctl restart` prints a warning, exits 0, and starts the old unit (measured).
    ///
    /// ```ini
    /// # systemctl daemon-reload
    /// [Service]
    /// ```
    ///
    /// See systemctl(1), `daemon-reload`.
    "drift-reload" Error(Stale) Any reload(view, found) {
        if view.show("NeedDaemonReload") == Some("yes") {
            found.missing(
                "Unit",
                "changed on disk since systemd read it: run systemctl daemon-reload",
            ).cause(Cause::Stale);
        }
    }

    /// The unit on the host differs from the repository
    ///
    /// One of the two was changed.
    ///
    /// In production: what you test is not what runs, and the next install overwrites the change on the host.
    ///
    /// ```ini
    /// # shipit unit diff; shipit unit install
    /// [Service]
    /// ```
    ///
    /// See shipit's docs/units.md.
    "drift-repository" Warning Any repository(view, found) {
        let Some(repository) = view.host().and_then(|host| host.repository.as_ref()) else {
            return;
        };
        let keys = compare::differing(view.unit, repository);
        // A unit that is not on the host differs in everything: `drift-load` reports it.
        if !keys.is_empty() && !view.unit.files.is_empty() {
            found.missing(
                "Unit",
                format!("differs from the repository in {}", keys.join(", ")),
            ).cause(Cause::Differs);
        }
    }

    /// A drop-in overrides an important setting of the unit
    ///
    /// systemd reads drop-ins after the unit, so their values win. They are easily forgotten, and an install does not
    /// remove them.
    ///
    /// In production: the unit in the repository is hardened and restarts after a crash; the one on the host runs as
    /// root and does not restart.
    ///
    /// ```ini
    /// # systemctl cat acme.service shows all files; systemctl revert acme.service removes the drop-ins
    /// [Service]
    /// ```
    ///
    /// See systemd.unit(5), drop-ins; systemctl(1), `revert`.
    "drift-drop-in" Warning Service drop_in(view, found) {
        for key in GUARDED.split(' ') {
            let all = view.unit.written("Service", key);
            let own = all
                .iter()
                .rfind(|entry| entry.depth == 0 && !entry.value.is_empty());
            let over = all
                .iter()
                .rfind(|entry| entry.depth > 0 && !(key == "ExecStart" && entry.value.is_empty()));
            let (Some(own), Some(over)) = (own, over) else {
                continue;
            };
            if own.value != over.value && undoes(key, over.value) {
                found.at(
                    *over,
                    format!(
                        "{key}={} here overrides {key}={} in {}:{}",
                        over.value, own.value, own.file, own.line
                    ),
                );
            }
        }
    }

    /// systemd refuses the unit or cannot find it
    ///
    /// `LoadState` shows whether systemd could read the unit: `bad-setting`, `error`, `not-found` or `masked`.
    ///
    /// In production: the unit cannot be started. A masked unit is a symlink to /dev/null, created by `systemctl mask`.
    ///
    /// ```ini
    /// # systemctl unmask acme.service; journalctl -b -u init.scope; systemd-analyze verify FILE
    /// [Service]
    /// ```
    ///
    /// See systemctl(1), `mask`; systemd-analyze(1), `verify`.
    "drift-load" Error(Loaded) Any load(view, found) {
        let name = &view.unit.name;
        let (message, cause) = match view.show("LoadState") {
            Some("masked") => {
                (format!("masked: it cannot be started; run systemctl unmask {name}"), Cause::Masked)
            }
            Some("not-found") => (
                "unit not found: it is not installed, or was installed without a daemon-reload".into(),
                Cause::NotFound,
            ),
            Some(state @ ("bad-setting" | "error")) => {
                (format!("systemd refuses it ({state}): run systemd-analyze verify {name}"), Cause::Refused)
            }
            _ => return,
        };
        found.missing("Unit", message).cause(cause);
    }

    /// The unit does not start at boot
    ///
    /// `disabled` means that the unit has an `[Install]` section but is not enabled.
    ///
    /// In production: the host reboots, and the app does not start.
    ///
    /// ```ini
    /// # systemctl enable acme.service
    /// [Install]
    /// WantedBy=multi-user.target
    /// ```
    ///
    /// See systemctl(1), `enable`.
    "drift-disabled" Warning Any disabled(view, found) {
        let kind = view.unit.name.kind();
        let started = kind == "service"
            && (view.is_socket_activated() || view.is_timed() || view.is_deploys());
        if view.show("UnitFileState") == Some("disabled")
            && !started
            && kind != "socket"
            && !view.is_wanted()
        {
            let finding = found.missing(
                "Install",
                format!(
                    "not enabled: it does not start at the next boot; run systemctl enable {}",
                    view.unit.name
                ),
            );
            finding.cause(Cause::NotEnabled);
            // A distribution leaves many disabled for the administrator to choose.
            if view.is_of_the_distribution() && view.context.strategy.is_none() {
                finding.severity(Severity::Info);
            }
        }
    }

    /// The unit failed or keeps restarting
    ///
    /// `Result` shows how it ended, `NRestarts` how many times systemd restarted it automatically.
    ///
    /// In production: during a crash loop `is-active` prints "active" half the time; this rule always reports the
    /// loop.
    ///
    /// ```ini
    /// # journalctl -u acme.service -n 50; systemctl reset-failed acme.service
    /// [Service]
    /// ```
    ///
    /// See systemctl(1), `show`; systemd.exec(5), "Process exit codes".
    "drift-failed" Error(State) Any failed(view, found) {
        let name = &view.unit.name;
        let result = view.show("Result").unwrap_or("unknown");
        let status = exit_status(view, result);
        if view.show("ActiveState") == Some("failed") {
            // A crash loop that ran into the limit keeps the Result of its last crash.
            let restarts = view.show("NRestarts").filter(|count| *count != "0");
            let looped = !matches!(view.unit.service("Restart"), "" | "no");
            let reset = format!("fix the cause, then run systemctl reset-failed {name}");
            let journal = format!("see journalctl -u {name} -n 50");
            if let Some(count) = restarts.filter(|_| looped && !result.ends_with("limit-hit")) {
                let message = format!(
                    "failed ({result}{status}): systemd restarted it {count} times and gave up at the start limit; \
                     {reset}"
                );
                found.missing("Unit", message).cause(Cause::Failed);
                return;
            }
            let hint = match result {
                "start-limit-hit" => format!("systemd started it too often; {reset}"),
                "service-start-limit-hit" => {
                    format!("its service was started too often, so systemd closed the socket; {reset}")
                }
                "exit-code" => match status.strip_prefix(": ") {
                    Some(status) => format!("{status}; {journal}"),
                    None => format!("exit status{status}; {journal}"),
                },
                "timeout" => "it did not start or stop in time".into(),
                "signal" | "core-dump" => format!("{}; {journal}", signal(view)),
                "oom-kill" => "the kernel killed it because memory ran out".into(),
                "watchdog" => "it missed its watchdog deadline, and systemd killed it".into(),
                _ => journal,
            };
            found.missing("Unit", format!("failed ({result}): {hint}")).cause(Cause::Failed);
        }
        let count = view.show("NRestarts");
        if view.show("SubState") == Some("auto-restart") {
            let count = count.unwrap_or("?");
            let ended = format!("it ended ({result}{status}) and is waiting for its next restart");
            let message = format!("{ended}; restarts so far: {count}");
            found.missing("Unit", message).cause(Cause::Failed);
        } else if let Some(count) = count.and_then(|n| n.parse::<u32>().ok()).filter(|n| *n >= 3) {
            found
                .missing("Unit", format!("systemd restarted it {count} times automatically"))
                .severity(Severity::Warning)
                .cause(Cause::Failed);
        }
    }

    /// systemd-analyze verify prints a warning
    ///
    /// The systemd on that host reads the unit and prints warnings. In most cases it still exits 0.
    ///
    /// In production: systemd ignores a line, so a setting that you rely on has no effect.
    ///
    /// ```ini
    /// # systemd-analyze verify /etc/systemd/system/acme.service
    /// [Service]
    /// ```
    ///
    /// See systemd-analyze(1), `verify`.
    "drift-verify" Warning(Named) Any verify(view, found) {
        for line in view
            .host()
            .map_or(&[][..], |host| &host.verify)
            .iter()
            .filter(|line| line.contains(view.unit.name.as_str()))
        {
            let number = line.split(':').nth(1).and_then(|n| n.trim().parse().ok());
            let mut needed = view.unit.words("Unit", ["Requires", "BindsTo", "Requisite"]).into_iter();
            let refused = line.contains(&format!("{}/start:", view.unit.name));
            if let Some((word, entry)) = needed.find(|(word, _)| refused && line.contains(word.as_str())) {
                let message = format!("{}={word}: the unit cannot start without it ({line})", entry.key);
                found.at(entry, message).severity(Severity::Error).cause(Cause::RequiredUnitMissing);
                continue;
            }
            let file = view
                .unit
                .files
                .first()
                .map_or(view.unit.name.as_str(), |file| &file.path);
            found.place(
                file,
                number.unwrap_or(1),
                format!("systemd-analyze verify: {line}"),
            );
        }
    }
}

/// Whether a drop-in's value removes a protection instead of changing it.
fn undoes(key: &str, value: &str) -> bool {
    match key {
        "User" => matches!(value, "" | "root" | "0"),
        "Restart" => matches!(value, "" | "no"),
        "KillMode" => matches!(value, "none" | "process"),
        "TimeoutStopSec" => matches!(value, "0" | "infinity"),
        "ExecStart" => true,
        _ => matches!(value, "" | "no" | "false" | "off" | "0"),
    }
}

/// An exit status and its meaning: systemd's own for a process that it could not start (systemd.exec(5)), and those
/// of shells and the loader. Follows a `Result`; begins with a space or with `: `.
fn exit_status(view: &View<'_>, result: &str) -> String {
    let status = view.show("ExecMainStatus");
    let Some(status) = status.filter(|_| result == "exit-code") else {
        return String::new();
    };
    let meaning = match status {
        // systemd shows no status of commands around the main process, nor of the first process of a forking service.
        "0" => {
            return format!(": a command of {} failed, not the main process", around(view));
        }
        "126" => ": a shell could not execute a program",
        "127" => ": a shell could not find a program, or a shared library is missing",
        "200" => ", CHDIR: the working directory cannot be entered",
        "202" | "209" => ": its output or input cannot be set up",
        "203" if runnable(view) => {
            ", EXEC: the program exists but cannot be executed: it was built for another processor, its `#!` line is \
             wrong or names a missing interpreter, its file system is mounted noexec, or the app's user cannot access it"
        }
        "203" => ", EXEC: the program is missing or cannot be executed",
        "208" => ": its input cannot be set up",
        "216" => ", GROUP: the group is missing",
        "217" => ", USER: the user is missing",
        "218" => ", CAPABILITIES",
        "226" => ", NAMESPACE: a path of its sandbox is missing",
        "228" => ", SECCOMP",
        "233" => ", RUNTIME_DIRECTORY",
        "238" => ", STATE_DIRECTORY",
        "243" => ", CREDENTIALS: a credential cannot be read",
        _ => "",
    };
    format!(" {status}{meaning}")
}

/// What ended the main process: systemd shows the signal's number as the status.
fn signal(view: &View<'_>) -> String {
    let number = view.show("ExecMainStatus").unwrap_or("?");
    let meaning = match number {
        "0" | "?" => return format!("a signal ended a command of {}, not the main process", around(view)),
        "4" => "SIGILL: the program is built for another processor",
        "6" => "SIGABRT: it aborted after an error",
        "7" => "SIGBUS: a file that it maps was truncated, or the memory is faulty",
        "9" => "SIGKILL: the kernel, systemd or an administrator killed it",
        "11" => "SIGSEGV: it accessed memory that it may not use",
        "15" => "SIGTERM: something other than systemctl stop ended it",
        "31" => "SIGSYS: SystemCallFilter= or SystemCallArchitectures= forbids a system call that it makes",
        _ => return format!("signal {number} ended it"),
    };
    format!("{meaning} (signal {number})")
}

/// The settings whose commands are not the main process, as far as the unit has them.
fn around(view: &View<'_>) -> String {
    let forking = view.kind() == "forking";
    let around = |key: &&str| *key != "ExecStopPost" && (*key != "ExecStart" || forking);
    let set = command::KEYS.into_iter().filter(around);
    let set = set.filter(|key| view.unit.sets("Service", key));
    set.map(|key| format!("{key}=")).collect::<Vec<_>>().join(" or ")
}

/// Whether the program is known to be on the host and executable.
fn runnable(view: &View<'_>) -> bool {
    let file = view.start().and_then(|(command, _)| view.file(&command.program));
    file.is_some_and(|file| file.exists && !file.directory && file.mode & 0o111 != 0)
}
