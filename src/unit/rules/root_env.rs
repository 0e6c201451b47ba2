//! Commands that run as root with variables that the deploy user sets by `shipit env`.

use super::rules;
use crate::unit::merge::Entry;

/// Whether this is the file that `shipit env` changes: `/etc/APP/env`.
fn is_of_shipit(path: &str) -> bool {
    let mut parts = path.trim_start_matches('-').split('/').filter(|part| !part.is_empty());
    (parts.next(), parts.nth(1), parts.next()) == (Some("etc"), Some("env"), None)
}

rules! {
    /// A command that runs as root, with variables from `shipit env`
    ///
    /// Commands with `+`, `!` or `!!`, those that `PermissionsStartOnly=yes` leaves to root, and all commands of a
    /// service without `User=`, get the variables of `EnvironmentFile=`. Programs act on many of them: `HOME`, `PATH`,
    /// `TAR_OPTIONS`, `PYTHONPATH`. The deploy user can change `/etc/APP/env`, so `shipit env` then accepts only the
    /// names in `/etc/APP/env-names`, which root writes.
    ///
    /// In production: `HOME=/opt/acme/shared/h` made a root command import the app's code, and the app became root
    /// (measured).
    ///
    /// ```ini
    /// # in a unit of its own, without EnvironmentFile=
    /// [Service]
    /// Type=oneshot
    /// ExecStart=/usr/local/sbin/acme-prepare
    /// ```
    ///
    /// See systemd.service(5), "Command lines"; shipit's docs/security.md.
    "environment-as-root" Warning Service environment_as_root(view, found) {
        let files = view.unit.all("Service", "EnvironmentFile");
        let Some(file) = files.iter().find(|entry| is_of_shipit(entry.value)) else { return };
        let path = file.value.trim_start_matches('-');
        let starts_only = view.unit.yes("Service", "PermissionsStartOnly") == Some(true);
        let why = |entry: Entry<'_>, privileged: bool| match () {
            () if privileged => Some("its prefix"),
            () if starts_only && entry.key != "ExecStart" => Some("PermissionsStartOnly="),
            () if view.is_root() => Some("a service without User="),
            () => None,
        };
        for (command, entry) in view.unit.every_command() {
            if let Some(why) = why(entry, command.is_privileged()) {
                let message = format!(
                    "{}= runs as root ({why}), with the variables of {path}, which the deploy user can change, so \
                     `shipit env` accepts only the names in {path}-names",
                    entry.key
                );
                found.at(entry, message);
            }
        }
    }
}
