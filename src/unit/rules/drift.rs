//! The running host against the text: what was loaded, what was changed since, what overrides what.

use super::{Cause, Severity, View, rules};
use crate::unit::compare;

/// The settings whose undoing by a drop-in deserves a word.
const GUARDED: [&str; 12] = [
    "User",
    "DynamicUser",
    "NoNewPrivileges",
    "ProtectSystem",
    "ProtectHome",
    "PrivateTmp",
    "CapabilityBoundingSet",
    "Restart",
    "ExecStart",
    "KillMode",
    "SystemCallFilter",
    "TimeoutStopSec",
];

rules! {
    /// The file was changed, and systemd still uses the old one
    ///
    /// systemd reads units when told to. A changed file or a new drop-in counts from the next `daemon-reload` on.
    ///
    /// In production: measured: `systemctl restart` warns, exits 0, and starts the old unit.
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
                "changed on disk since systemd read it: systemctl daemon-reload",
            ).cause(Cause::Stale);
        }
    }

    /// The host's unit is not the repository's
    ///
    /// Somebody changed one of the two.
    ///
    /// In production: what you test is not what runs; the next install takes the change on the host away.
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
        // One that the host does not have differs in everything: `drift-load` says it.
        if !keys.is_empty() && !view.unit.files.is_empty() {
            found.missing(
                "Unit",
                format!("differs from the repository in {}", keys.join(", ")),
            ).cause(Cause::Differs);
        }
    }

    /// A drop-in takes back what the unit says
    ///
    /// Drop-ins are read after the unit and win. They are easily forgotten, and survive every install.
    ///
    /// In production: the unit in the repository is hardened and restarts; the one that runs is root and does not.
    ///
    /// ```ini
    /// # systemctl cat acme.service shows all of it; systemctl revert acme.service takes drop-ins away
    /// [Service]
    /// ```
    ///
    /// See systemd.unit(5), drop-ins; systemctl(1), `revert`.
    "drift-drop-in" Warning Service drop_in(view, found) {
        for key in GUARDED {
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
                        "{key}={} here takes back {key}={} of {}:{}",
                        over.value, own.value, own.file, own.line
                    ),
                );
            }
        }
    }

    /// systemd refuses the unit, or does not have it
    ///
    /// `LoadState` says how reading went: `bad-setting`, `error`, `not-found`, `masked`.
    ///
    /// In production: it cannot be started. A masked unit is a link to /dev/null, made by `systemctl mask`.
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
                (format!("masked: it cannot be started; systemctl unmask {name}"), Cause::Masked)
            }
            Some("not-found") => (
                "systemd has no such unit: not installed, or no daemon-reload since".into(),
                Cause::NotFound,
            ),
            Some(state @ ("bad-setting" | "error")) => {
                (format!("systemd refuses it ({state}): systemd-analyze verify {name}"), Cause::Refused)
            }
            _ => return,
        };
        found.missing("Unit", message).cause(cause);
    }

    /// It will not start at the next boot
    ///
    /// `disabled`: it has an `[Install]` section that nobody made use of.
    ///
    /// In production: the host reboots, and the app is not there.
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
            && (view.is_socket_activated() || view.is_timed() || view.is_migration());
        if view.show("UnitFileState") == Some("disabled")
            && !started
            && kind != "socket"
            && !view.is_wanted()
        {
            let finding = found.missing(
                "Install",
                format!(
                    "not enabled: gone after the next boot; systemctl enable {}",
                    view.unit.name
                ),
            );
            finding.cause(Cause::NotEnabled);
            // A distribution leaves many for a person to choose.
            if view.is_of_the_distribution() && view.context.strategy.is_none() {
                finding.severity(Severity::Info);
            }
        }
    }

    /// It is failed, or dies and starts again
    ///
    /// `Result` says how it ended, `NRestarts` how often systemd started it again by itself.
    ///
    /// In production: `is-active` says active for half of the time of a crash loop; this says it all the time.
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
        if view.show("ActiveState") == Some("failed") {
            // A crash loop that ran into the limit keeps the Result of its last crash.
            let restarts = view.show("NRestarts").filter(|count| *count != "0");
            let looped = !matches!(view.unit.service("Restart"), "" | "no");
            if let Some(count) = restarts.filter(|_| looped && !result.ends_with("limit-hit")) {
                found.missing("Unit", format!("failed ({result}{}): systemd started it again {count} times and gave up at the start limit; find out why, then systemctl reset-failed {name}", exit_code(view, result))).cause(Cause::Failed);
                return;
            }
            let hint = match result {
                "start-limit-hit" => format!(
                    "it crashed too often; find out why, then systemctl reset-failed {name}"
                ),
                "service-start-limit-hit" => format!(
                    "its service crashed too often and took the socket with it; systemctl reset-failed {name}"
                ),
                "exit-code" => format!(
                    "its exit code{}; journalctl -u {name} -n 50",
                    exit_code(view, result)
                ),
                "timeout" => "it was not ready, or not gone, in time".into(),
                "oom-kill" => "the kernel killed it for memory".into(),
                "watchdog" => "it did not report in time and was killed".into(),
                _ => format!("journalctl -u {name} -n 50"),
            };
            found.missing("Unit", format!("failed ({result}): {hint}")).cause(Cause::Failed);
        }
        if view.show("SubState") == Some("auto-restart") {
            found.missing(
                "Unit",
                format!(
                    "it died ({result}{}) and waits for its next restart; there were {}",
                    exit_code(view, result),
                    view.show("NRestarts").unwrap_or("?")
                ),
            ).cause(Cause::Failed);
        } else if let Some(count) = view
            .show("NRestarts")
            .and_then(|n| n.parse::<u32>().ok())
            .filter(|n| *n >= 3)
        {
            found
                .missing(
                    "Unit",
                    format!("systemd has restarted it {count} times by itself"),
                )
                .severity(Severity::Warning)
                .cause(Cause::Failed);
        }
    }

    /// systemd-analyze verify has something to say
    ///
    /// The systemd of that host reads the unit and warns. It exits 0 for most of it.
    ///
    /// In production: an ignored line is a setting you believe in and do not have.
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
                let message = format!("{}={word}: it cannot be started without it ({line})", entry.key);
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
                format!("this host's systemd says: {line}"),
            );
        }
    }
}

/// Whether a drop-in's value takes a protection away rather than setting it otherwise.
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

/// An exit code in words: those that systemd gives a process that it could not make ready (systemd.exec(5)), and the
/// shell's and the loader's.
fn exit_code(view: &View<'_>, result: &str) -> String {
    let Some(code) = view
        .show("ExecMainStatus")
        .filter(|_| result == "exit-code")
    else {
        return String::new();
    };
    let meaning = match code {
        // The commands around the main process are none of it; nor is what a forking service begins with.
        "0" => {
            return format!(
                ": not the main process failed but a command of {}",
                around(view)
            );
        }
        "126" => ": a shell found a program that it may not run",
        "127" => ": a shell did not find a program, or the program a shared library",
        "200" => ", CHDIR: its working directory cannot be entered",
        "202" | "209" => ": its output or input cannot be set up",
        "203" if runnable(view) => {
            ", EXEC: the program is there, but cannot be run: it is for another processor, has no right `#!` line, names an interpreter that is not there, or the app's user may not reach or run it"
        }
        "203" => ", EXEC: the program is missing or cannot be run",
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
    format!(" {code}{meaning}")
}

/// The settings whose commands are not the main process, as far as the unit has them.
fn around(view: &View<'_>) -> String {
    let forking = view.kind() == "forking";
    let keys = [
        "ExecCondition",
        "ExecStartPre",
        "ExecStart",
        "ExecStartPost",
        "ExecReload",
        "ExecStop",
    ];
    let set = keys
        .into_iter()
        .filter(|key| (*key != "ExecStart" || forking) && view.unit.sets("Service", key));
    set.map(|key| format!("{key}="))
        .collect::<Vec<_>>()
        .join(" or ")
}

/// Whether the program is known to be on the host and executable.
fn runnable(view: &View<'_>) -> bool {
    let file = view
        .start()
        .and_then(|(command, _)| view.file(&command.program));
    file.is_some_and(|file| file.exists && !file.directory && file.mode & 0o111 != 0)
}
