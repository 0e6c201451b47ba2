//! `Type=notify` and `Type=dbus`: whether the report that systemd waits for is sent, and accepted.

use super::process_state::{LastStart, Since};
use super::{Severity, View, rules};

/// A wrapper that stays the parent of the program: a shell, npm, sudo.
fn wrapper(view: &View<'_>) -> Option<String> {
    const WRAPPERS: [&str; 6] = ["npm", "yarn", "pnpm", "npx", "sudo", "su"];
    let (command, _) = view.start()?;
    let script = command.shell_script().is_some_and(|script| !script.contains("exec "));
    let stays = script || WRAPPERS.contains(&command.name());
    (stays && view.unit.service("NotifyAccess") != "all").then(|| command.name().to_owned())
}

/// Whether there is more than the main process, of a program that is known to report.
fn child_reports(view: &View<'_>) -> bool {
    view.reports() == Some(true) && view.processes() > 1 && view.unit.service("NotifyAccess") != "all"
}

impl View<'_> {
    /// Whether a service that stays reports its readiness while its `Type=` does not wait for that.
    pub(super) fn reports_unawaited(&self) -> bool {
        matches!(self.kind(), "simple" | "exec")
            && self.stays()
            && matches!(self.last_start(), LastStart::Runs | LastStart::Unknown)
            && (self.show("StatusText").is_some() || self.reports() == Some(true))
    }
}

rules! {
    /// Type=notify, but the program never sends READY=1
    ///
    /// systemd waits for the program to report its readiness with sd_notify. Without the report, the service never
    /// becomes ready.
    ///
    /// In production: puma without its sd_notify gem stays `activating` and is killed every 90 s, although it serves
    /// normally in between (measured).
    ///
    /// ```ini
    /// [Service]
    /// Type=exec
    /// # or keep notify, and send READY=1 to $NOTIFY_SOCKET once the port listens
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
        match view.last_start() {
            // `type-notify-access` reports it.
            LastStart::Unready(..) if child_reports(view) => {}
            LastStart::Unready(_, since) => {
                let state = match since {
                    Since::Waits => "has arrived while the main process is running",
                    Since::TimedOut => "had arrived when the start timed out, with the main process running",
                };
                let why = match view.reports() {
                    Some(true) => {
                        "the program can report, so either it is too slow for TimeoutStartSec= or a child process sends the report (NotifyAccess=all)"
                    }
                    Some(false) => "its file does not mention NOTIFY_SOCKET; use Type=exec",
                    None => "it does not report, or a child process does and NotifyAccess= excludes it; use Type=exec",
                };
                let finding = found.at(entry, format!("Type={kind}, but no READY=1 {state}: {why}"));
                if view.reports() != Some(true) {
                    finding.suggest("Service", "Type", "exec");
                }
            }
            LastStart::Unknown if matches!(command.name(), "nginx" | "redis-cli" | "sleep") => {
                found
                    .at(entry, format!("Type={kind}, but {} sends no READY=1", command.name()))
                    .suggest("Service", "Type", "exec");
            }
            _ => {}
        }
    }

    /// READY=1 comes from a process whose reports systemd ignores
    ///
    /// `NotifyAccess=main` accepts reports only from the main process. It is the default with `Type=notify`, where
    /// `none` means the same. Behind a shell, npm or another wrapper, the program is a child process.
    ///
    /// In production: systemd drops the report, the start times out after 90 s, and the service is killed. systemd 252
    /// logs this in the journal (`reception only permitted for main PID`); 257 does not.
    ///
    /// ```ini
    /// [Service]
    /// ExecStart=/usr/bin/node /opt/acme/current/server.js
    /// # or, if the wrapper must stay:
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
        let life = view.last_start();
        let finding = if let Some(name) = wrapper(view).filter(|_| life != LastStart::Runs) {
            let message = format!("{name} stays the parent of the program, so systemd drops the program's READY=1");
            found.at(entry, message)
        } else if matches!(life, LastStart::Unready(..)) && child_reports(view) {
            let set = ["NotifyAccess", "Type"].iter().find_map(|key| view.unit.get("Service", key));
            let message = format!(
                "Type={kind}, the program can report its readiness and has {} processes, but no READY=1 has arrived: a child sends it, and systemd accepts it only from the main process; use NotifyAccess=all",
                view.processes()
            );
            found.at(set.unwrap_or(entry), message)
        } else {
            return;
        };
        finding.suggest("Service", "NotifyAccess", "all");
    }

    /// The program reports its readiness, but systemd does not wait for it
    ///
    /// The program sends READY=1 when it can serve. `Type=simple` and `exec` do not set `$NOTIFY_SOCKET` unless
    /// `NotifyAccess=` is set, and the service counts as started long before READY=1.
    ///
    /// In production: `systemctl restart` returns, and dependent units start, before the program listens on its port.
    /// The status looks
    /// fine: `active (running)`.
    ///
    /// ```ini
    /// [Service]
    /// Type=notify
    /// ```
    ///
    /// See systemd.service(5), `Type=`; sd_notify(3).
    "type-notify-unused" Info Service notify_unused(view, found) {
        if !view.reports_unawaited() {
            return;
        }
        let Some((command, start)) = view.start() else {
            return;
        };
        let entry = view.unit.get("Service", "Type").unwrap_or(start);
        let reports = match view.show("StatusText") {
            Some(_) => "reports to systemd (StatusText= is set)".to_owned(),
            None => format!("can report its readiness ({} mentions NOTIFY_SOCKET)", command.name()),
        };
        let kind = view.kind();
        let waits = format!("with Type={kind} systemd does not wait for it");
        found
            .at(entry, format!("the program {reports}, but {waits}; use Type=notify"))
            .suggest("Service", "Type", "notify");
    }

    /// Type=notify-reload on a systemd that does not support it
    ///
    /// systemd 253 introduced it. Older versions log a warning, ignore the line and use `Type=simple`.
    ///
    /// In production: on systemd 252 the start command exits with status 0 whatever the program does, and systemd does
    /// not wait for readiness or for a reload (measured).
    ///
    /// ```ini
    /// [Service]
    /// Type=notify
    /// ExecReload=/bin/kill -HUP $MAINPID
    /// ```
    ///
    /// See systemd.service(5), `Type=`.
    "type-notify-reload" Error(Type) Service notify_reload(view, found) {
        let Some(entry) = view.unit.get("Service", "Type").filter(|entry| entry.value == "notify-reload") else {
            return;
        };
        let needs = "Type=notify-reload needs systemd 253";
        match view.host().and_then(|host| host.systemd) {
            Some(version) if version < 253 => {
                found
                    .at(entry, format!("{needs}; this host has {version} and uses Type=simple"))
                    .suggest("Service", "Type", "notify");
            }
            Some(_) => {}
            None => {
                let message = format!("{needs}; older versions use Type=simple and only log a warning");
                found.at(entry, message).severity(Severity::Info);
            }
        }
    }

    /// Type=dbus without BusName=
    ///
    /// Such a service counts as started when its name appears on the bus. Without a name, systemd refuses the unit.
    ///
    /// In production: the unit cannot be started: `Unit has a bad unit file setting`.
    ///
    /// ```ini
    /// [Service]
    /// Type=exec
    /// ```
    ///
    /// See systemd.service(5), `BusName=`.
    "type-dbus-name" Error(Type) Service dbus_name(view, found) {
        if let Some(entry) = view.unit.get("Service", "Type").filter(|entry| entry.value == "dbus")
            && !view.unit.sets("Service", "BusName")
        {
            found
                .at(entry, "Type=dbus without BusName=: systemd refuses the unit")
                .suggest("Service", "Type", "exec");
        }
    }
}
