//! Which programs a service runs: how many, whether they are there, and what happens when they fail.

use super::{Cause, Severity, View, rules};
use crate::unit::command::Command;

rules! {
    /// More than one ExecStart=
    ///
    /// Only `Type=oneshot` may have several. A drop-in that sets `ExecStart=` adds one, unless it empties the list first.
    ///
    /// In production: systemd refuses the unit: `has more than one ExecStart= setting`.
    ///
    /// ```ini
    /// [Service]
    /// ExecStart=
    /// ExecStart=/opt/acme/current/server
    /// ```
    ///
    /// See systemd.service(5), `ExecStart=`.
    "exec-several" Error(Start) Service several(view, found) {
        let all = view.unit.commands("ExecStart");
        if view.kind() != "oneshot" && all.len() > 1 {
            let (_, last) = &all[all.len() - 1];
            let hint = if last.depth > 0 {
                "; empty the list first with a line ExecStart="
            } else {
                "; only Type=oneshot may have several"
            };
            found.at(
                *last,
                format!(
                    "{} commands in ExecStart=: systemd refuses the unit{hint}",
                    all.len()
                ),
            );
        }
    }

    /// No ExecStart=
    ///
    /// A service must have something to start (or, as a oneshot with `RemainAfterExit=yes`, something to stop).
    ///
    /// In production: systemd refuses the unit: `Service has no ExecStart=, ExecStop=, or SuccessAction=`.
    ///
    /// ```ini
    /// [Service]
    /// ExecStart=/opt/acme/current/server
    /// ```
    ///
    /// See systemd.service(5), `ExecStart=`.
    "exec-none" Error(Start) Service none(view, found) {
        let unit = view.unit;
        if unit.sets("Service", "ExecStart") || unit.is_masked() || unit.sets("Unit", "SuccessAction") {
            return;
        }
        let stop = unit.sets("Service", "ExecStop") && matches!(unit.service("Type"), "" | "oneshot");
        if !(stop && unit.yes("Service", "RemainAfterExit") == Some(true)) {
            found.missing("Service", "no ExecStart=: systemd refuses the unit");
        }
    }

    /// The program is not on the host
    ///
    /// systemd finds out when it starts it.
    ///
    /// In production: `203/EXEC`, and with `Type=simple` `systemctl start` says nothing.
    ///
    /// ```ini
    /// [Service]
    /// ExecStart=/opt/acme/current/server
    /// ```
    ///
    /// See systemd.exec(5), "Process exit codes".
    "exec-missing" Error(Named) Service missing(view, found) {
        for (command, entry) in view.unit.every_command() {
            if command.ignores_failure() {
                continue;
            }
            let Some(file) = view.file(&command.program) else {
                continue;
            };
            let trouble = if !file.exists {
                "is not on the host".into()
            } else if file.directory {
                "is a directory".into()
            } else if file.mode & 0o111 == 0 {
                format!("is not executable (mode {:04o})", file.mode)
            } else {
                continue;
            };
            let message = format!("{} {trouble}: the start fails with 203/EXEC", command.program);
            found.at(entry, message).cause(Cause::ProgramUnusable);
        }
    }

    /// A file that the program is told to run is not on the host
    ///
    /// An interpreter is there, and the script, module or archive that its command line names is not.
    ///
    /// In production: the interpreter ends with an exit code of its own (1, 2, 127), and only the journal says why.
    ///
    /// ```ini
    /// [Service]
    /// ExecStart=/usr/bin/node /opt/acme/current/server.js
    /// ```
    ///
    /// See systemd.service(5), "Command lines".
    "exec-script-missing" Error(Named) Service script_missing(view, found) {
        const SCRIPTS: [&str; 12] = [
            "py", "js", "mjs", "cjs", "ts", "rb", "ru", "jar", "php", "pl", "sh", "exs",
        ];
        for (command, entry) in view.unit.every_command() {
            if command.ignores_failure() {
                continue;
            }
            let is_script = |word: &&str| {
                let name = word.rsplit('/').next().unwrap_or(word);
                name.rsplit_once('.').is_some_and(|(_, end)| SCRIPTS.contains(&end))
            };
            let gone = |word: &&str| view.file(word).is_some_and(|file| !file.exists);
            if let Some(script) = command.words().filter(is_script).find(gone) {
                found.at(
                    entry,
                    format!("{script}, which {} is to run, is not on the host", command.name()),
                );
            }
        }
    }

    /// A directory that the unit needs is not on the host
    ///
    /// systemd enters `WorkingDirectory=` and mounts the paths of the sandbox before it starts the program. Those that it
    /// makes itself (`StateDirectory=` and its kin) are always there; a `-` in front lets one be missing.
    ///
    /// In production: `200/CHDIR` or `226/NAMESPACE`, in a restart loop, and the program has never run.
    ///
    /// ```ini
    /// [Service]
    /// StateDirectory=acme
    /// WorkingDirectory=/var/lib/acme
    /// ```
    ///
    /// See systemd.exec(5), `WorkingDirectory=`, `ReadWritePaths=`, "Process exit codes".
    "directory-missing" Error(Named) Service directory_missing(view, found) {
        const KEYS: [(&str, &str); 4] = [
            ("WorkingDirectory", "200/CHDIR"),
            ("ReadWritePaths", "226/NAMESPACE"),
            ("ReadOnlyPaths", "226/NAMESPACE"),
            ("InaccessiblePaths", "226/NAMESPACE"),
        ];
        if view.unit.sets("Service", ["RootDirectory", "RootImage"]) {
            return; // paths are not the host's
        }
        for (key, code) in KEYS {
            for (word, entry) in view.unit.words("Service", key) {
                let path = word.trim_start_matches('+');
                if path.starts_with('-') || is_made(view, path) {
                    continue;
                }
                match view.file(path) {
                    Some(file) if !file.exists => {
                        _ = found.at(entry, format!("{key}={path} is not on the host: the start fails with {code}"));
                    }
                    Some(file) if key == "WorkingDirectory" && !file.directory => {
                        _ = found.at(entry, format!("{key}={path} is no directory: the start fails with {code}"));
                    }
                    _ => {}
                }
            }
        }
    }

    /// A failure that nobody sees
    ///
    /// A `-` before the program makes systemd take every exit code for success; `|| true` in a shell does the same.
    ///
    /// In production: the migration, the build or the directory that did not come about is found out later, by a customer.
    ///
    /// ```ini
    /// [Service]
    /// ExecStartPre=/opt/acme/current/bin/check
    /// ```
    ///
    /// See systemd.service(5), `ExecStart=`, the table of prefixes.
    "exec-hides-failure" Warning Service hides_failure(view, found) {
        for (command, entry) in view.unit.commands(["ExecStartPre", "ExecStart"]) {
            let shell = command.shell_script().is_some_and(|s| {
                s.contains("|| true")
                    || s.contains("||true")
                    || s.contains("|| :")
                    || s.ends_with("; true")
            });
            if entry.key == "ExecStart" && command.ignores_failure() && view.stays() {
                let finding = found.at(entry, "`-` before ExecStart=: every crash counts as success, and Restart=on-failure never fires");
                if view.unit.service("Restart") == "always" || !view.is_app() {
                    finding.severity(Severity::Info);
                }
            } else if shell || command.ignores_failure() && entry.key == "ExecStartPre" {
                let finding = found.at(
                    entry,
                    format!(
                        "a failure of {} is hidden: the service starts without it",
                        command.name()
                    ),
                );
                if !shell && !is_work(&command) {
                    finding.severity(Severity::Info);
                }
            }
        }
    }

    /// Work that belongs to the deploy, done at every start
    ///
    /// `ExecStartPre=` runs before each start, also after a crash and at boot, counts against `TimeoutStartSec=`, and with
    /// the app's rights.
    ///
    /// In production: a crash at night runs the migration, or fetches packages from the net, before it is up again; a slow
    /// registry keeps the service down.
    ///
    /// ```ini
    /// # deploy.yml
    /// prepare: npm ci --omit=dev
    /// migrate: acme-migrate.service
    /// ```
    ///
    /// See systemd.service(5), `ExecStartPre=`.
    "exec-start-pre-work" Warning Service start_pre_work(view, found) {
        for (command, entry) in view.unit.commands("ExecStartPre") {
            if is_work(&command) {
                let message = format!("{} runs before every start, also after a crash: do it once, in the deploy", command.name());
                found.at(entry, message);
            }
        }
    }
}

/// Installing, building or migrating.
fn is_work(command: &Command) -> bool {
    const WORK: [&str; 12] = [
        "npm ci",
        "npm install",
        "npm run build",
        "yarn install",
        "pip install",
        "bundle install",
        "migrate",
        "db:prepare",
        "assets:precompile",
        "collectstatic",
        "composer install",
        "git pull",
    ];
    let line = std::iter::once(command.name())
        .chain(command.words())
        .collect::<Vec<_>>()
        .join(" ");
    WORK.iter().any(|work| line.contains(work))
}

/// Whether systemd makes a directory itself at every start: below `StateDirectory=` and its kin.
fn is_made(view: &View<'_>, path: &str) -> bool {
    const MADE: [(&str, &str); 4] = [
        ("RuntimeDirectory", "/run/"),
        ("StateDirectory", "/var/lib/"),
        ("CacheDirectory", "/var/cache/"),
        ("LogsDirectory", "/var/log/"),
    ];
    MADE.iter().any(|(key, base)| {
        let names = view.unit.words("Service", key).into_iter();
        let mut paths =
            names.map(|(name, _)| format!("{base}{}", name.split(':').next().unwrap_or(&name)));
        paths.any(|made| std::path::Path::new(path).starts_with(made))
    })
}
