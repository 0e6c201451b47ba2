//! Who the service runs as.

use super::secrets::of_the_system;
use super::{Cause, Severity, rules};

rules! {
    /// The service runs as root
    ///
    /// Without `User=` or `DynamicUser=` a service runs as root. If the app is in a directory that a deploy user can
    /// write to, the deploy user can become root too.
    ///
    /// In production: one vulnerability in the app, or one stolen deploy key, gives root access to the host.
    ///
    /// ```ini
    /// [Service]
    /// User=acme
    /// Group=acme
    /// ```
    ///
    /// See systemd.exec(5), `User=`.
    "user-root" Warning(Start) Service user_root(view, found) {
        if !view.is_root() || view.start().is_none() {
            return;
        }
        let message = if view.is_app() {
            "it runs as root: an intruder in the app, or whoever can deploy it, becomes root"
        } else {
            "it runs as root"
        };
        let finding = match view.unit.get("Service", "User") {
            Some(entry) => found.at(entry, message),
            None => found.missing("Service", message),
        };
        finding.suggest(
            "Service",
            "User",
            view.unit.name.prefix().split('-').next().unwrap_or("app"),
        );
        if view.context.root.is_some() {
            finding.severity(Severity::Error);
        } else if !view.is_app() {
            finding.severity(Severity::Info);
        }
    }

    /// The user or group does not exist on the host
    ///
    /// systemd looks up the name when it starts the process.
    ///
    /// In production: the start fails with `217/USER` or `216/GROUP`; with `Type=simple`, `systemctl start` exits 0.
    ///
    /// ```ini
    /// # once, as root: useradd --system --home-dir /opt/acme --shell /usr/sbin/nologin acme
    /// [Service]
    /// User=acme
    /// ```
    ///
    /// See systemd.exec(5), "Process exit codes".
    "user-missing" Error(Named) Service user_missing(view, found) {
        let Some(host) = view.host() else { return };
        let keys = [
            ("User", &host.named.users, "217/USER"),
            ("Group", &host.named.groups, "216/GROUP"),
            ("SupplementaryGroups", &host.named.groups, "216/GROUP"),
        ];
        for (key, known, code) in keys {
            for (name, entry) in view.unit.words("Service", key) {
                if known.get(&name) == Some(&false)
                    && view.unit.yes("Service", "DynamicUser") != Some(true)
                {
                    let message = format!("{key}={name}: does not exist on the host; the start fails with {code}");
                    found.at(entry, message).cause(match key {
                        "User" => Cause::UserMissing(name),
                        _ => Cause::GroupMissing(name),
                    });
                }
            }
        }
    }

    /// User=nobody is shared with other services
    ///
    /// Several services run as `nobody`. Each of them can signal the others, read their data, and use every file that
    /// belongs to `nobody`.
    ///
    /// In production: one vulnerability exposes several services.
    ///
    /// ```ini
    /// [Service]
    /// User=acme
    /// ```
    ///
    /// See systemd.exec(5), `User=` and `DynamicUser=`.
    "user-nobody" Warning Service user_nobody(view, found) {
        if let Some(entry) = view
            .unit
            .get("Service", "User")
            .filter(|entry| entry.value == "nobody")
        {
            found
                .at(
                    entry,
                    "nobody is shared with other services: use a dedicated user",
                )
                .suggest("Service", "User", view.unit.name.prefix());
        }
    }

    /// The app runs as the deploy user
    ///
    /// An intruder in the app can then rewrite the releases, the file with the deploy key, and shipit's own records.
    ///
    /// In production: the intruder survives every deploy and rollback.
    ///
    /// ```ini
    /// [Service]
    /// User=acme
    /// ```
    ///
    /// See shipit's docs/security.md.
    "user-deploys" Warning Service user_deploys(view, found) {
        let Some(entry) = view.unit.get("Service", "User") else {
            return;
        };
        if view.context.deploy_user.as_deref() == Some(entry.value) && !entry.value.is_empty() {
            found
                .at(
                    entry,
                    format!(
                        "{} is also the deploy user: an intruder in the app can rewrite every release",
                        entry.value
                    ),
                )
                .suggest("Service", "User", view.unit.name.prefix());
        }
    }

    /// A group whose members can become root
    ///
    /// Members of docker, lxd, disk, sudo, wheel or shadow can become root with one command.
    ///
    /// In production: a vulnerability in the app gives root access to the host.
    ///
    /// ```ini
    /// [Service]
    /// Group=acme
    /// ```
    ///
    /// See systemd.exec(5), `SupplementaryGroups=`.
    "group-root" Warning Service group_root(view, found) {
        for (name, entry) in view.unit.words("Service", ["Group", "SupplementaryGroups"]) {
            if matches!(
                name.as_str(),
                "docker" | "lxd" | "disk" | "sudo" | "wheel" | "shadow" | "libvirt"
            ) {
                found.at(entry, format!("members of {name} can become root"));
            }
        }
    }

    /// A log file that root opens where others can write
    ///
    /// PID 1 opens the file as root, whatever `User=` is, and follows symlinks. Whoever can replace the file can put a
    /// symlink there. The program's output can then go to any file on the host, or its input can come from any file.
    ///
    /// In production: a deploy user's symlink in `shared/` wrote arbitrary lines into `/etc/cron.d`, which gives root
    /// access (measured).
    ///
    /// ```ini
    /// [Service]
    /// StandardOutput=journal
    /// StandardError=inherit
    /// ```
    ///
    /// See systemd.exec(5), `StandardOutput=`.
    "output-file-place" Error Service output_file_place(view, found) {
        for key in ["StandardOutput", "StandardError", "StandardInput"] {
            for entry in view.unit.all("Service", key) {
                let path = ["file:", "append:", "truncate:"]
                    .iter()
                    .find_map(|form| entry.value.strip_prefix(form));
                let Some(path) = path.filter(|path| path.starts_with('/')) else { continue };
                // /var/log itself is root-owned; a directory in it may belong to the app.
                let in_log = path.strip_prefix("/var/log/").is_some_and(|rest| !rest.contains('/'));
                if !in_log && !of_the_system(path) && !path.starts_with("/dev/") && view.is_app() {
                    let message = format!(
                        "{path}: root opens it, and whoever can replace it (with a symlink to any file) becomes root; \
                         log to the journal"
                    );
                    found.at(entry, message);
                }
            }
        }
    }
}
