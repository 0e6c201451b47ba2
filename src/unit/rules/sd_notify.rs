//! `Type=notify` and `dbus`: who tells systemd that the service is ready, and who is heard.

use super::process_state::{Life, Since};
use super::{Severity, View, rules};

/// What stays in front of the program, so that this is a child: a shell, npm, sudo.
fn wrapper(view: &View<'_>) -> Option<String> {
    const WRAPPERS: [&str; 6] = ["npm", "yarn", "pnpm", "npx", "sudo", "su"];
    let (command, _) = view.start()?;
    let script = command
        .shell_script()
        .is_some_and(|script| !script.contains("exec "));
    let stays = script || WRAPPERS.contains(&command.name());
    (stays && view.unit.service("NotifyAccess") != "all").then(|| command.name().to_owned())
}

/// Whether there is more than the main process, of a program that is known to report.
fn child_reports(view: &View<'_>) -> bool {
    view.reports() == Some(true)
        && view.processes() > 1
        && view.unit.service("NotifyAccess") != "all"
}

impl View<'_> {
    /// Whether a service that stays reports its readiness while its `Type=` does not wait for that.
    pub(super) fn reports_in_vain(&self) -> bool {
        matches!(self.kind(), "simple" | "exec")
            && self.stays()
            && matches!(self.life(), Life::Runs | Life::Untold)
            && (self.show("StatusText").is_some() || self.reports() == Some(true))
    }
}

rules! {
    /// Type=notify, and nobody says READY=1
    ///
    /// systemd waits for the program to report by sd_notify. Without the report it is never ready.
    ///
    /// In production: measured with puma without its sd_notify gem: `activating`, killed every 90 s while it serves normally
    /// in between.
    ///
    /// ```ini
    /// [Service]
    /// Type=exec
    /// # or keep notify, and send READY=1 to $NOTIFY_SOCKET when the port listens
    /// ```
    ///
    /// See systemd.service(5), `Type=`; sd_notify(3).
    "type-notify-silent" Error(Type) Service notify_silent(view, found) {
        if !matches!(view.kind(), "notify" | "notify-reload") || wrapper(view).is_some() {
            return;
        }
        let Some((command, start)) = view.start() else {
            return;
        };
        let kind = view.kind();
        let entry = view.unit.get("Service", "Type").unwrap_or(start);
        match view.life() {
            // `type-notify-access` has it.
            Life::Unready(..) if child_reports(view) => {}
            Life::Unready(_, since) => {
                let shown = match since {
                    Since::Waits => "the main process runs, and no READY=1 has come",
                    Since::TimedOut => "the start timed out while the main process ran: no READY=1 had come",
                };
                let why = match view.reports() {
                    Some(false) => "its file does not speak of NOTIFY_SOCKET at all",
                    Some(true) => "it knows how to report, so it is too slow for TimeoutStartSec=, or a child reports (NotifyAccess=all)",
                    None => "it does not report, or a child does and NotifyAccess= keeps it out",
                };
                let write = match view.reports() {
                    Some(true) => "",
                    _ => "; write Type=exec",
                };
                let finding = found.at(entry, format!("Type={kind}, and {shown}: {why}{write}"));
                if view.reports() != Some(true) {
                    finding.suggest("Service", "Type", "exec");
                }
            }
            Life::Untold if matches!(command.name(), "nginx" | "redis-cli" | "sleep") => {
                found
                    .at(
                        entry,
                        format!("Type={kind}, but {} sends no READY=1", command.name()),
                    )
                    .suggest("Service", "Type", "exec");
            }
            _ => {}
        }
    }

    /// READY=1 comes from a process that systemd does not listen to
    ///
    /// `NotifyAccess=main` (the default of notify, and what `none` is taken for there) takes reports from the main process
    /// alone. Behind a shell, npm or another wrapper the program is a child.
    ///
    /// In production: the report is dropped, the start times out after 90 s, the service is killed. systemd 252 says so in the
    /// journal (`reception only permitted for main PID`), 257 does not.
    ///
    /// ```ini
    /// [Service]
    /// ExecStart=/usr/bin/node /opt/acme/current/server.js
    /// # or, when a wrapper must stay:
    /// NotifyAccess=all
    /// ```
    ///
    /// See systemd.service(5), `NotifyAccess=`.
    "type-notify-access" Error(Type) Service notify_access(view, found) {
        let kind = view.kind();
        if !matches!(kind, "notify" | "notify-reload") || view.unit.service("NotifyAccess") == "all" {
            return;
        }
        let Some((_, entry)) = view.start() else {
            return;
        };
        let life = view.life();
        if let Some(name) = wrapper(view).filter(|_| life != Life::Runs) {
            found.at(entry, format!("{name} stays in front of the program, so its READY=1 comes from a child and is dropped"))
                .suggest("Service", "NotifyAccess", "all");
        } else if matches!(life, Life::Unready(..)) && child_reports(view) {
            let entry = view.unit.get("Service", "NotifyAccess").or_else(|| view.unit.get("Service", "Type")).unwrap_or(entry);
            found.at(entry, format!("Type={kind}, {} processes run, the program knows how to report, and no READY=1 has come: a child sends it, and only the main process is heard; write NotifyAccess=all", view.processes()))
                .suggest("Service", "NotifyAccess", "all");
        }
    }

    /// The program reports its readiness, and nobody waits for it
    ///
    /// It sends READY=1 when it can serve. `Type=simple` and `exec` do not give it `$NOTIFY_SOCKET`, unless `NotifyAccess=` is set,
    /// and count it as started long before.
    ///
    /// In production: `systemctl restart` returns, and what is started after it, before the port listens. It looks fine:
    /// `active (running)`.
    ///
    /// ```ini
    /// [Service]
    /// Type=notify
    /// ```
    ///
    /// See systemd.service(5), `Type=`; sd_notify(3).
    "type-notify-unused" Info Service notify_unused(view, found) {
        if !view.reports_in_vain() {
            return;
        }
        let Some((command, start)) = view.start() else {
            return;
        };
        let entry = view.unit.get("Service", "Type").unwrap_or(start);
        let sign = match view.show("StatusText") {
            Some(_) => "reports to systemd (StatusText= is set)".to_owned(),
            None => format!("knows how to report its readiness ({} speaks of NOTIFY_SOCKET)", command.name()),
        };
        found
            .at(entry, format!("the program {sign}, but with Type={} nobody waits for it; write Type=notify", view.kind()))
            .suggest("Service", "Type", "notify");
    }

    /// Type=notify-reload on a systemd that does not know it
    ///
    /// It came with systemd 253. Older ones warn in the journal, ignore the line and take `Type=simple`.
    ///
    /// In production: measured on 252: start exits 0 whatever the program does, readiness and reload are not waited for.
    ///
    /// ```ini
    /// [Service]
    /// Type=notify
    /// ExecReload=/bin/kill -HUP $MAINPID
    /// ```
    ///
    /// See systemd.service(5), `Type=`.
    "type-notify-reload" Error(Type) Service notify_reload(view, found) {
        let Some(entry) = view
            .unit
            .get("Service", "Type")
            .filter(|entry| entry.value == "notify-reload")
        else {
            return;
        };
        match view.host().and_then(|host| host.systemd) {
            Some(version) if version < 253 => {
                found.at(entry, format!("Type=notify-reload needs systemd 253; this host has {version} and takes Type=simple")).suggest("Service", "Type", "notify");
            }
            Some(_) => {}
            None => {
                found.at(entry, "Type=notify-reload needs systemd 253; older hosts silently take Type=simple").severity(Severity::Info);
            }
        }
    }

    /// Type=dbus without BusName=
    ///
    /// systemd counts such a service as started when its name appears on the bus. Without a name it refuses the unit.
    ///
    /// In production: `Unit has a bad unit file setting`; it cannot be started.
    ///
    /// ```ini
    /// [Service]
    /// Type=exec
    /// ```
    ///
    /// See systemd.service(5), `BusName=`.
    "type-dbus-name" Error(Type) Service dbus_name(view, found) {
        if let Some(entry) = view
            .unit
            .get("Service", "Type")
            .filter(|entry| entry.value == "dbus")
            && view.unit.service("BusName").is_empty()
        {
            found
                .at(
                    entry,
                    "Type=dbus without BusName=: systemd refuses the unit",
                )
                .suggest("Service", "Type", "exec");
        }
    }
}
