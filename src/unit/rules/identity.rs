//! Who the service runs as.

use super::{Cause, Runtime, Severity, rules};

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
        let deployed = view.context.root.as_deref().is_some_and(|root| view.runs_below(root));
        if view.is_of_a_user() || view.is_shared() {
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
        if let Some(user) = view.own_user() {
            finding.suggest("Service", "User", user);
        }
        // Whoever can deploy can change what root runs.
        let daemon = !deployed && view.start().is_some_and(|(command, _)| {
            command.program.starts_with("/usr/") && view.runtime() == Runtime::Other
        });
        if deployed || view.context.root.is_some() && view.stays() {
            finding.severity(Severity::Error);
        } else if !view.is_app() || !view.stays() || daemon || view.unit.sets("Service", "Delegate") {
            finding.severity(Severity::Info); // a job, or a daemon of the system
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
            for (name, entry) in view.unit.accounts(key) {
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
                    "the user nobody is shared with other services: use a dedicated user",
                )
                .suggest("Service", "User", view.own_user().unwrap_or_else(|| "acme".into()));
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
                .suggest("Service", "User", view.own_user().unwrap_or_else(|| "acme".into()));
        }
    }

    /// A capability that is equivalent to root
    ///
    /// CAP_SYS_ADMIN, CAP_SETUID, CAP_DAC_OVERRIDE and some others let a process become root, or read and write every file.
    ///
    /// In production: a vulnerability in the app gives root access to the host, whatever `User=` is.
    ///
    /// ```ini
    /// [Service]
    /// AmbientCapabilities=CAP_NET_BIND_SERVICE
    /// ```
    ///
    /// See capabilities(7); systemd.exec(5), `AmbientCapabilities=`.
    "capability-root" Warning Service capability_root(view, found) {
        const LIKE_ROOT: &str = " CAP_SYS_ADMIN CAP_SYS_MODULE CAP_SYS_PTRACE CAP_SYS_RAWIO CAP_SETUID CAP_SETGID CAP_SETFCAP \
            CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_CHOWN CAP_FOWNER CAP_BPF ";
        if view.unit.service("AmbientCapabilities").starts_with('~') {
            return;
        }
        for (name, entry) in view.unit.words("Service", "AmbientCapabilities") {
            if LIKE_ROOT.contains(&format!(" {} ", name.to_ascii_uppercase())) {
                found.at(entry, format!("{name} is equivalent to root"));
            }
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
        for (name, entry) in view.unit.accounts(["Group", "SupplementaryGroups"]) {
            if matches!(
                name.as_str(),
                "docker" | "lxd" | "disk" | "sudo" | "wheel" | "shadow" | "libvirt"
            ) {
                found.at(entry, format!("members of {name} can become root"));
            }
        }
    }
}
