//! Which programs a service runs: how many, whether they are there, and what happens when they fail.

use super::exec::commands;
use super::{Severity, rules};
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
    "exec-several" Error Service several(look, found) {
        let all = look.unit.commands("ExecStart");
        if look.kind() != "oneshot" && all.len() > 1 {
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
    "exec-none" Error Service none(look, found) {
        let unit = look.unit;
        if !unit.all("Service", "ExecStart").is_empty()
            || unit.is_masked()
            || unit.get("Unit", "SuccessAction").is_some()
        {
            return;
        }
        let stop = !unit.all("Service", "ExecStop").is_empty()
            && matches!(unit.service("Type"), "" | "oneshot");
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
    "exec-missing" Error Service missing(look, found) {
        for (command, entry) in commands(look).filter(|(command, _)| !command.ignores_failure()) {
            let Some(file) = look.file(&command.program) else {
                continue;
            };
            if !file.exists {
                found.at(
                    entry,
                    format!(
                        "{} is not on the host: the start fails with 203/EXEC",
                        command.program
                    ),
                );
            } else if file.directory {
                found.at(
                    entry,
                    format!("{} is a directory: the start fails with 203/EXEC", command.program),
                );
            } else if file.mode & 0o111 == 0 {
                found.at(
                    entry,
                    format!(
                        "{} is not executable (mode {:04o}): the start fails with 203/EXEC",
                        command.program, file.mode
                    ),
                );
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
    "exec-hides-failure" Warning Service hides_failure(look, found) {
        for (command, entry) in ["ExecStartPre", "ExecStart"]
            .iter()
            .flat_map(|key| look.unit.commands(key))
        {
            let shell = command.shell_script().is_some_and(|s| {
                s.contains("|| true")
                    || s.contains("||true")
                    || s.contains("|| :")
                    || s.ends_with("; true")
            });
            if entry.key == "ExecStart" && command.ignores_failure() && look.stays() {
                let finding = found.at(entry, "`-` before ExecStart=: every crash counts as success, and Restart=on-failure never fires");
                if look.unit.service("Restart") == "always" || !look.is_app() {
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
    "exec-start-pre-work" Warning Service start_pre_work(look, found) {
        for (command, entry) in look
            .unit
            .commands("ExecStartPre")
            .into_iter()
            .filter(|(command, _)| is_work(command))
        {
            found.at(
                entry,
                format!(
                    "{} runs before every start, also after a crash: do it once, in the deploy",
                    command.name()
                ),
            );
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
