//! Which programs a service runs: how many, whether they are there, and what happens when they fail.

use super::{Cause, Severity, View, rules};
use crate::unit::command::Command;

rules! {
    /// More than one ExecStart=
    ///
    /// Only `Type=oneshot` may have several. A drop-in that sets `ExecStart=` adds one, unless it empties the list
    /// first.
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
    /// In production: systemd refuses the unit: `Service has no ExecStart=, ExecStop=, or SuccessAction`.
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

    /// The program does not exist on the host or cannot be executed
    ///
    /// systemd notices only when it starts the program.
    ///
    /// In production: the start fails with `203/EXEC`; with `Type=simple`, `systemctl start` prints no error.
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
                "does not exist on the host".into()
            } else if file.directory {
                "is a directory".into()
            } else if file.mode & 0o111 == 0 {
                format!("is not executable (mode {:04o})", file.mode)
            } else {
                continue;
            };
            let message = format!("{} {trouble}: the start fails with 203/EXEC", command.program);
            found.at(entry, message).cause(Cause::ProgramUnusable(command.program.clone()));
        }
    }

    /// The file that the program should run does not exist on the host
    ///
    /// The interpreter exists, but the script, module or archive on its command line does not.
    ///
    /// In production: the interpreter exits with a status of its own (1, 2, 127), and only the journal shows why.
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
                    format!("{script}, which {} should run, does not exist on the host", command.name()),
                );
            }
        }
    }

    /// A directory that the unit needs does not exist on the host
    ///
    /// systemd enters `WorkingDirectory=` and mounts the paths of the sandbox before it starts the program. A program
    /// creates the database file that `Environment=` names, but not its directory. Directories that systemd creates itself
    /// (`StateDirectory=` and similar) always exist; a path that begins with `-` may be missing.
    ///
    /// In production: the start fails with `200/CHDIR` or `226/NAMESPACE`, or the program exits without its database, in a
    /// restart loop.
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
            return; // paths are inside that root
        }
        for (key, code) in KEYS {
            for (word, entry) in view.unit.words("Service", key) {
                let path = word.trim_start_matches('+');
                if path.starts_with('-') || is_made(view, path) {
                    continue;
                }
                match view.file(path) {
                    Some(file) if !file.exists => {
                        let message = format!("{key}={path} does not exist on the host: the start fails with {code}");
                        _ = found.at(entry, message).cause(Cause::DirectoryMissing(path.to_owned()));
                    }
                    Some(file) if key == "WorkingDirectory" && !file.directory => {
                        let message = format!("{key}={path} is not a directory: the start fails with {code}");
                        _ = found.at(entry, message);
                    }
                    _ => {}
                }
            }
        }
        for (name, dir, entry) in view.unit.database_directories() {
            if view.file(&dir).is_some_and(|file| !file.exists) && !is_made(view, &dir) {
                let message = format!("{name}= names a file in {dir}, which does not exist on the host: no program can create it");
                found.at(entry, message).cause(Cause::DirectoryMissing(dir));
            }
        }
    }

    /// A failure that is ignored
    ///
    /// With a `-` before the program, systemd counts every exit status as success; `|| true` in a shell does the same.
    ///
    /// In production: a migration, a build or the creation of a directory failed, and a customer is the first to notice.
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
                let finding = found.at(
                    entry,
                    "`-` in ExecStart=: every crash counts as success, so Restart=on-failure never restarts it",
                );
                if view.unit.service("Restart") == "always" || !view.is_app() {
                    finding.severity(Severity::Info);
                }
            } else if shell || command.ignores_failure() && entry.key == "ExecStartPre" {
                let finding = found.at(
                    entry,
                    format!(
                        "a failure of {} is ignored: the service starts anyway",
                        command.name()
                    ),
                );
                if !shell && !is_work(&command) {
                    finding.severity(Severity::Info);
                }
            }
        }
    }

    /// Work that belongs in the deploy, done at every start
    ///
    /// `ExecStartPre=` runs before each start, including after a crash and at boot. It has the app's permissions and
    /// counts towards `TimeoutStartSec=`.
    ///
    /// In production: after a crash at night the service first runs the migration or downloads packages; a slow
    /// registry keeps it down.
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
                let name = command.name();
                let message = format!("{name} runs before every start, even after a crash: run it once, in the deploy");
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

/// Whether systemd creates a directory itself at every start: below `StateDirectory=` and similar.
fn is_made(view: &View<'_>, path: &str) -> bool {
    const MADE: [(&str, &str); 4] = [
        ("RuntimeDirectory", "/run/"),
        ("StateDirectory", "/var/lib/"),
        ("CacheDirectory", "/var/cache/"),
        ("LogsDirectory", "/var/log/"),
    ];
    MADE.iter().any(|(key, base)| {
        let names = view.unit.words("Service", key).into_iter();
        let mut paths = names.map(|(name, _)| format!("{base}{}", name.split(':').next().unwrap_or(&name)));
        paths.any(|made| std::path::Path::new(path).starts_with(made))
    })
}
