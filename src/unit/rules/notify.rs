//! `Type=notify` and `dbus`: who tells systemd that the service is ready, and who is heard.

use super::{Severity, rules};

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
    "type-notify-silent" Error Service notify_silent(look, found) {
        if !matches!(look.kind(), "notify" | "notify-reload") {
            return;
        }
        let Some((command, start)) = look.start() else {
            return;
        };
        let entry = look.unit.get("Service", "Type").unwrap_or(start);
        let running = look.show("MainPID").is_some_and(|pid| pid != "0");
        if look.show("ActiveState") == Some("activating")
            && running
            && look.show("StatusText").is_none()
        {
            found.at(entry, "Type=notify, the main process runs, and no READY=1 has come: it does not report, or a child does and NotifyAccess= keeps it out")
                .suggest("Service", "Type", "exec");
        }
        if look.show("Result") == Some("protocol") {
            found.at(entry, "Type=notify and Result=protocol: the main process exited before READY=1; it goes to the background or ends");
        }
        if look.show("ActiveState").is_none()
            && matches!(command.name(), "nginx" | "redis-cli" | "sleep")
        {
            found
                .at(
                    entry,
                    format!("Type=notify, but {} sends no READY=1", command.name()),
                )
                .suggest("Service", "Type", "exec");
        }
    }

    /// READY=1 comes from a process that systemd does not listen to
    ///
    /// `NotifyAccess=main` (the default of notify) takes reports from the main process alone. Behind a shell, npm or another
    /// wrapper the program is a child.
    ///
    /// In production: the report is dropped, the start times out after 90 s, the service is killed.
    ///
    /// ```ini
    /// [Service]
    /// ExecStart=/usr/bin/node /opt/acme/current/server.js
    /// # or, when a wrapper must stay:
    /// NotifyAccess=all
    /// ```
    ///
    /// See systemd.service(5), `NotifyAccess=`.
    "type-notify-access" Error Service notify_access(look, found) {
        if !matches!(look.kind(), "notify" | "notify-reload") {
            return;
        }
        let Some((command, entry)) = look.start() else {
            return;
        };
        let access = look.unit.service("NotifyAccess");
        if access == "none" {
            let entry = look.unit.get("Service", "NotifyAccess").unwrap_or(entry);
            found
                .at(
                    entry,
                    "NotifyAccess=none with Type=notify: no READY=1 is ever heard",
                )
                .suggest("Service", "NotifyAccess", "main");
            return;
        }
        let script = command
            .shell_script()
            .is_some_and(|script| !script.contains("exec "));
        let wrapper = script
            || matches!(
                command.name(),
                "npm" | "yarn" | "pnpm" | "npx" | "sudo" | "su"
            );
        if wrapper && access != "all" {
            found.at(entry, format!("{} stays in front of the program, so its READY=1 comes from a child and is dropped", command.name()))
                .suggest("Service", "NotifyAccess", "all");
        }
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
    "type-notify-reload" Error Service notify_reload(look, found) {
        let Some(entry) = look
            .unit
            .get("Service", "Type")
            .filter(|entry| entry.value == "notify-reload")
        else {
            return;
        };
        match look.host().and_then(|host| host.systemd) {
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
    "type-dbus-name" Error Service dbus_name(look, found) {
        if let Some(entry) = look
            .unit
            .get("Service", "Type")
            .filter(|entry| entry.value == "dbus")
            && look.unit.service("BusName").is_empty()
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
