//! Who the service runs as.

use super::secrets::of_the_system;
use super::{Cause, Severity, rules};

rules! {
    /// It runs as root
    ///
    /// Without `User=` or `DynamicUser=` a service is root. With an app in a directory that somebody deploys to, that
    /// somebody is root too.
    ///
    /// In production: one hole in the app, or one deploy key, is the whole host.
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
            "it runs as root: a hole in the app, or who may deploy it, is root"
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

    /// The user or group is not on the host
    ///
    /// systemd looks the name up when it starts the process.
    ///
    /// In production: `217/USER` or `216/GROUP`; with `Type=simple` `systemctl start` exits 0.
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
                    let message = format!("{key}={name}: not on the host; the start fails with {code}");
                    found.at(entry, message).cause(match key {
                        "User" => Cause::UserMissing(name),
                        _ => Cause::GroupMissing(name),
                    });
                }
            }
        }
    }

    /// User=nobody is everybody
    ///
    /// Several services share `nobody`. Each can signal and read the others, and whatever files were left to it.
    ///
    /// In production: one hole, several services.
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
                    "nobody is shared with other services: give it a user of its own",
                )
                .suggest("Service", "User", view.unit.name.prefix());
        }
    }

    /// The app runs as the user who deploys it
    ///
    /// Then a hole in the app may rewrite the releases, the deploy key's file and shipit's own records.
    ///
    /// In production: an intruder stays through every deploy and rollback.
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
                        "{} also deploys: a hole in the app can rewrite every release",
                        entry.value
                    ),
                )
                .suggest("Service", "User", view.unit.name.prefix());
        }
    }

    /// A group that is as good as root
    ///
    /// Members of docker, lxd, disk, sudo, wheel or shadow become root with one command.
    ///
    /// In production: a hole in the app is the whole host.
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

    /// A log file that root opens where others write
    ///
    /// PID 1 opens the file as root, whatever `User=` says, and follows links. Whoever may replace it puts a symlink
    /// there; then the program's output goes into any file of the host, or any file comes in as its input.
    ///
    /// In production: measured: a deploy user's symlink in `shared/` wrote what he liked into `/etc/cron.d`; he is root.
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
                // What lies directly in /var/log is root's; what lies deeper may be the app's.
                let in_log = path.strip_prefix("/var/log/").is_some_and(|rest| !rest.contains('/'));
                if !in_log && !of_the_system(path) && !path.starts_with("/dev/") && view.is_app() {
                    found.at(entry, format!("{path}: root opens it, and who may replace it (by a symlink to any file) is root; let the journal keep it"));
                }
            }
        }
    }
}
