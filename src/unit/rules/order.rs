//! What starts when, what starts at boot, templates, and where migrations stand.

use std::collections::BTreeSet;

use super::sequence::{Sequence, sequence};
use super::{Severity, rules, runtime};
use crate::unit::merge::Entry;
use crate::unit::specifier;

/// Targets that are started anyway, or are only points in time: `After=` alone is right for them.
const ALONE: &str = "network.target network-pre.target basic.target sysinit.target local-fs.target local-fs-pre.target \
     remote-fs.target remote-fs-pre.target multi-user.target graphical.target sockets.target timers.target \
     paths.target syslog.target nss-lookup.target nss-user-lookup.target time-set.target getty.target \
     rpcbind.target swap.target slices.target default.target";

const ONLINE: &str = "network-online.target";

fn names(words: Vec<(String, Entry<'_>)>) -> BTreeSet<String> {
    words.into_iter().map(|(word, _)| word).collect()
}

rules! {
    /// After=network-online.target without Wants=
    ///
    /// `After=` only orders units that are started anyway. Nothing starts network-online.target unless a unit wants it.
    ///
    /// In production: on a host where no other unit wants it, on some boots the service starts before the network is
    /// up, cannot reach its database, and fails.
    ///
    /// ```ini
    /// [Unit]
    /// Wants=network-online.target
    /// After=network-online.target
    /// ```
    ///
    /// See systemd.special(7), `network-online.target`.
    "network-online-wants" Warning Any network_online_wants(view, found) {
        let wanted = view.unit.has("Unit", ["Wants", "Requires", "BindsTo"], ONLINE);
        let mut after = view.unit.words("Unit", "After").into_iter();
        if let Some((_, entry)) = after.find(|(word, _)| word == ONLINE && !wanted) {
            let finding = found.at(
                entry,
                "After=network-online.target only sets the order; nothing starts that target",
            );
            // Waiting for the network can delay a boot by two minutes.
            finding.suggest_more("Unit", "Wants", ONLINE);
            // A job that a timer or a user starts: the network is up long before.
            if view.kind() == "oneshot" && !view.unit.has_section("Install") {
                finding.severity(Severity::Info);
            }
        }
    }

    /// The program binds one address but does not wait for it
    ///
    /// `network.target` means that the network is being set up, not that addresses exist. A program that binds one
    /// address needs that address to exist when it starts.
    ///
    /// In production: `Cannot assign requested address` at boot; it works when started by hand.
    ///
    /// ```ini
    /// [Unit]
    /// Wants=network-online.target
    /// After=network-online.target
    /// ```
    ///
    /// See systemd.special(7), `network-online.target`.
    "network-online-bind" Warning Service network_online_bind(view, found) {
        let Some((command, entry)) = view.start() else {
            return;
        };
        let Some(address) = command.option(&["--bind", "-b", "--listen", "--host"]) else {
            return;
        };
        let host = address
            .trim_start_matches("http://")
            .split(':')
            .next()
            .unwrap_or_default();
        let one = host
            .parse::<std::net::Ipv4Addr>()
            .is_ok_and(|ip| !ip.is_loopback() && !ip.is_unspecified());
        let waits = view.unit.has("Unit", "After", ONLINE);
        if one && !waits && !view.is_socket_activated() {
            found
                .at(
                    entry,
                    format!("the program binds {host}, which may not exist yet at boot"),
                )
                .suggest_more("Unit", "Wants", ONLINE)
                .suggest_more("Unit", "After", ONLINE);
        }
    }

    /// After= on a unit that nothing starts
    ///
    /// `After=` only sets the order. To start the other unit as well, add `Wants=` (or `Requires=`, which also stops
    /// this unit with the other).
    ///
    /// In production: the database is not enabled on the new host, nothing starts it, and the app fails.
    ///
    /// ```ini
    /// [Unit]
    /// Wants=postgresql.service
    /// After=postgresql.service
    /// ```
    ///
    /// See systemd.unit(5), `Wants=` and `After=`.
    "after-without-wants" Info Any after_without_wants(view, found) {
        let pulls = ["Wants", "Requires", "BindsTo", "Requisite", "PartOf", "Upholds"];
        let mut pulled = names(view.unit.words("Unit", pulls));
        pulled.extend(names(view.unit.words("Service", "Sockets")));
        for (word, entry) in view.unit.words("Unit", "After") {
            let own_socket = view
                .unit
                .name
                .with_kind("socket")
                .is_some_and(|name| name.as_str() == word);
            let alone = ALONE.split(' ').any(|target| target == word)
                || word == ONLINE
                || word.ends_with(".slice")
                || word.starts_with("systemd-")
                || word.ends_with(".mount");
            if !alone && !own_socket && !pulled.contains(&word) {
                found
                    .at(entry, format!("After={word} only sets the order; it does not start {word}"))
                    .suggest_more("Unit", "Wants", word.clone());
            }
        }
    }

    /// Requires= without After=
    ///
    /// Without an ordering dependency, systemd starts both units at the same time. An `After=` or `Before=` in the other
    /// unit orders them too. Check both: if each waits for the other, systemd starts neither ("ordering cycle").
    ///
    /// In production: at boot, the app can start before its database is ready.
    ///
    /// ```ini
    /// [Unit]
    /// Requires=postgresql.service
    /// After=postgresql.service
    /// ```
    ///
    /// See systemd.unit(5), `Requires=`.
    "requires-without-after" Warning Service requires_without_after(view, found) {
        for (word, entry) in view.unit.words("Unit", ["Requires", "BindsTo"]) {
            // Targets order themselves after what they want; a socket orders itself before its service.
            if !word.ends_with(".service") {
                continue;
            }
            let order = sequence(view, &word);
            if order != Sequence::Ordered {
                let message = format!("{}={word} without After={word}: both start at the same time", entry.key);
                let finding = found.at(entry, message).add("Unit", "After", word.clone());
                if order == Sequence::Unknown {
                    finding.decide();
                }
            }
        }
    }

    /// The unit does not start after a reboot
    ///
    /// `systemctl enable` needs an `[Install]` section that names the unit that should start this one.
    ///
    /// In production: the host reboots at night for a kernel update, and the app is down in the morning.
    ///
    /// ```ini
    /// [Install]
    /// WantedBy=multi-user.target
    /// ```
    ///
    /// See systemd.unit(5), "Install section options".
    "install-missing" Warning Any install_missing(view, found) {
        if view.context.is_trial {
            return;
        }
        let unit = view.unit;
        let kind = unit.name.kind();
        let target = match kind {
            "service" => "multi-user.target",
            "socket" => "sockets.target",
            "timer" => "timers.target",
            "path" => "paths.target",
            _ => return,
        };
        let installed = unit.sets("Install", ["WantedBy", "RequiredBy", "Also", "Alias", "UpheldBy"]);
        let started_otherwise = kind == "service"
            && (!view.stays() || view.is_socket_activated() || view.kind() == "dbus");
        let pulled = view
            .peers()
            .any(|peer| peer.has("Unit", ["Wants", "Requires", "Upholds"], unit.name.as_str()));
        let alive = view
            .show("WantedBy")
            .or_else(|| view.show("RequiredBy"))
            .is_some();
        if installed || started_otherwise || pulled || alive || unit.is_masked() {
            return;
        }
        let finding = found.missing(
            "Install",
            "no [Install] section: it cannot be enabled and does not start after a reboot",
        );
        finding.suggest("Install", "WantedBy", target);
        // A package enables its units itself, or has a symlink in `…wants/`.
        if view.is_of_the_distribution() || !view.is_of_an_app() {
            finding.severity(Severity::Info);
        }
    }

    /// A template that ignores its instance, or %i outside a template
    ///
    /// `acme@.service` is started as `acme@blue.service`, and `%i` in it becomes `blue`. Workers of a pool can all be
    /// the same. What only one process can have, such as a port or a PID file, needs `%i`.
    ///
    /// In production: two instances need the same port, and the second one fails.
    ///
    /// ```ini
    /// [Service]
    /// ExecStart=/opt/acme/slots/%i/server --socket /run/acme/%i.sock
    /// ```
    ///
    /// See systemd.unit(5), "Specifiers", and `DefaultInstance=`.
    "template-instance" Warning Service template_instance(view, found) {
        let entries = || {
            view.unit
                .entries()
                .filter(|entry| entry.section != "Install" && entry.key != "Description")
        };
        let uses = |entry: &Entry<'_>| {
            specifier::used(entry.value)
                .iter()
                .any(|letter| "iIf".contains(*letter))
        };
        let named = |entry: &Entry<'_>| {
            specifier::used(entry.value)
                .iter()
                .any(|letter| "nN".contains(*letter))
        };
        if view.unit.name.is_template() {
            let used = entries().any(|entry| uses(&entry) || named(&entry));
            let start = view.start().filter(|_| !used && !view.is_socket_activated() && !view.is_per_connection());
            // Workers of a pool are all the same; what only one of them can have is not.
            let port = start.and_then(|(command, _)| runtime::port(command)).map(|port| format!("port {port}"));
            let variables = view.unit.words("Service", "Environment");
            let variable = variables.iter().find(|(word, _)| word.starts_with("PORT=")).map(|(word, _)| word.clone());
            let pid = view.unit.get("Service", "PIDFile").map(|entry| format!("PIDFile={}", entry.value));
            if let Some(thing) = port.or(variable).or(pid).filter(|_| start.is_some()) {
                let message = format!("the template does not use %i: all its instances have the same {thing}");
                found.missing("Service", message);
            }
        } else if view.unit.name.instance().is_empty() {
            for entry in entries().filter(|entry| {
                specifier::used(entry.value)
                    .iter()
                    .any(|letter| "iI".contains(*letter))
            }) {
                let message = "%i is empty here: this unit is not a template, whose name ends in @.service";
                found.at(entry, message).severity(Severity::Error);
            }
        }
    }

    /// A migration that starts at boot or together with the app
    ///
    /// With `[Install]`, or with `Requires=` or `Wants=` in the app's unit, the migration runs at every boot or
    /// start, not once per release.
    ///
    /// In production: after a crash at night the migration runs again, and a rollback runs the old migration on the new
    /// schema. An `After=` on the app can also make the two wait for each other forever.
    ///
    /// ```ini
    /// # acme-migrate.service, without [Install], Before=acme.service and After=acme.service
    /// [Service]
    /// Type=oneshot
    /// ```
    ///
    /// See shipit's docs/strategies.md; systemd.unit(5).
    "migrate-by-itself" Warning Service migrate_by_itself(view, found) {
        if view.is_migration() {
            for entry in view.unit.all("Install", ["WantedBy", "RequiredBy"]) {
                found
                    .at(
                        entry,
                        "a migration with [Install] runs at every boot: only a deploy should start it",
                    )
                    .remove();
            }
            for (word, entry) in view.unit.words("Unit", ["Before", "After"]) {
                let prefix = view
                    .unit
                    .name
                    .prefix()
                    .split('-')
                    .next()
                    .unwrap_or_default();
                if word.ends_with(".service") && word.starts_with(prefix) && !prefix.is_empty() {
                    let message = format!(
                        "{}={word} on a migration: when {word} restarts, one of the two units waits for the other",
                        entry.key
                    );
                    found.at(entry, message).remove();
                }
            }
        } else {
            for (word, entry) in view.unit.words("Unit", ["Requires", "Wants", "BindsTo"]) {
                if word.contains("migrat") && word.ends_with(".service") {
                    found.at(
                        entry,
                        format!(
                            "{}={word}: every start of the app runs the migration",
                            entry.key
                        ),
                    );
                }
            }
        }
    }
}
