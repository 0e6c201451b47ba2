//! What starts when, what starts at boot, templates, and where migrations stand.

use std::collections::BTreeSet;

use super::{Severity, rules};
use crate::unit::merge::Entry;
use crate::unit::specifier;

/// Targets that are pulled in anyway, or are only points in time: `After=` alone is right for them.
const ALONE: [&str; 22] = [
    "network.target",
    "network-pre.target",
    "basic.target",
    "sysinit.target",
    "local-fs.target",
    "local-fs-pre.target",
    "remote-fs.target",
    "remote-fs-pre.target",
    "multi-user.target",
    "graphical.target",
    "sockets.target",
    "timers.target",
    "paths.target",
    "syslog.target",
    "nss-lookup.target",
    "nss-user-lookup.target",
    "time-set.target",
    "getty.target",
    "rpcbind.target",
    "swap.target",
    "slices.target",
    "default.target",
];

const ONLINE: &str = "network-online.target";

fn names(words: Vec<(String, Entry<'_>)>) -> BTreeSet<String> {
    words.into_iter().map(|(word, _)| word).collect()
}

rules! {
    /// After=network-online.target without Wants=
    ///
    /// `After=` only orders what is started anyway. Nothing starts network-online.target unless somebody wants it.
    ///
    /// In production: on a host where nothing else wants it the service starts before the network, cannot reach its
    /// database, and fails at every other boot.
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
                "After=network-online.target orders, but nothing starts that target",
            );
            finding.add("Unit", "Wants", ONLINE);
            // A job that a timer or a person starts: long after the boot the network is there.
            if view.kind() == "oneshot" && !view.unit.has_section("Install") {
                finding.severity(Severity::Info);
            }
        }
    }

    /// It binds one address, but does not wait for it
    ///
    /// `network.target` says that the network is being set up, not that addresses are there. A program that binds one
    /// address needs it at once.
    ///
    /// In production: `Cannot assign requested address` at boot; works when started by hand.
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
                    format!("it binds {host}, which may not be there yet at boot"),
                )
                .add("Unit", "Wants", ONLINE)
                .add("Unit", "After", ONLINE);
        }
    }

    /// After= something that nothing starts
    ///
    /// `After=` is order alone. To have the other unit started as well, say `Wants=` (or `Requires=`, which also stops
    /// this one with it).
    ///
    /// In production: the database is not enabled on the new host, nobody starts it, and the app fails.
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
            let alone = ALONE.contains(&word.as_str())
                || word == ONLINE
                || word.ends_with(".slice")
                || word.starts_with("systemd-")
                || word.ends_with(".mount");
            if !alone && !own_socket && !pulled.contains(&word) {
                found
                    .at(entry, format!("After={word} orders, but does not start it"))
                    .add("Unit", "Wants", word.clone());
            }
        }
    }

    /// Requires= without After=
    ///
    /// Without an order both are started at the same moment.
    ///
    /// In production: the app is there before its database, most of the time; a race that shows at boot.
    ///
    /// ```ini
    /// [Unit]
    /// Requires=postgresql.service
    /// After=postgresql.service
    /// ```
    ///
    /// See systemd.unit(5), `Requires=`.
    "requires-without-after" Warning Service requires_without_after(view, found) {
        let ordered = names(view.unit.words("Unit", ["After", "Before"]));
        for (word, entry) in view.unit.words("Unit", ["Requires", "BindsTo"]) {
            // Targets order themselves after what they want; a socket orders itself before its service.
            if word.ends_with(".service") && !ordered.contains(&word) {
                found
                    .at(
                        entry,
                        format!(
                            "{}={word} without After={word}: both start at once",
                            entry.key
                        ),
                    )
                    .add("Unit", "After", word.clone());
            }
        }
    }

    /// It does not come back after a reboot
    ///
    /// `systemctl enable` needs an `[Install]` section to know what should start the unit.
    ///
    /// In production: the host reboots at night for its kernel, and the app is not there in the morning.
    ///
    /// ```ini
    /// [Install]
    /// WantedBy=multi-user.target
    /// ```
    ///
    /// See systemd.unit(5), "Install section options".
    "install-missing" Warning Any install_missing(view, found) {
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
            "no [Install]: it cannot be enabled, and does not come back after a reboot",
        );
        finding.set("Install", "WantedBy", target);
        if view.is_of_the_distribution() || kind == "service" && !view.is_app() {
            finding.severity(Severity::Info); // started by links that its package brings
        }
    }

    /// A template that cannot be enabled as it stands, or ignores its instance
    ///
    /// `acme@.service` is started as `acme@blue.service`; `%i` in it becomes `blue`. A template that never uses `%i`
    /// starts the same thing under several names.
    ///
    /// In production: two instances want the same port, and the second fails.
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
            if !entries().any(|entry| uses(&entry) || named(&entry)) && !view.is_socket_activated() && !view.is_per_connection()
            {
                found.missing(
                    "Service",
                    "a template that nowhere uses %i: all its instances are the same",
                );
            }
        } else if view.unit.name.instance().is_empty() {
            for entry in entries().filter(|entry| {
                specifier::used(entry.value)
                    .iter()
                    .any(|letter| "iI".contains(*letter))
            }) {
                found.at(entry, "%i is empty here: this unit is no template (its name would end in @.service)").severity(Severity::Error);
            }
        }
    }

    /// A migration that starts by itself
    ///
    /// With `[Install]`, or `Requires=` and `Wants=` from the app, the migration runs at every boot or start, not once
    /// for a release.
    ///
    /// In production: a crash at night runs the migration again; a rollback runs the old one on the new schema. An
    /// `After=` on the app can also lock the two against each other.
    ///
    /// ```ini
    /// # acme-migrate.service: no [Install], no Before=, no After=acme.service
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
                        "a migration with [Install] runs at every boot: the deploy starts it, once",
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
                    found.at(entry, format!("{}={word} on a migration: a restart of {word} waits for it, or it for the restart", entry.key)).remove();
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

    /// A job that may run for ever
    ///
    /// For `Type=oneshot` `TimeoutStartSec=` is infinite unless set.
    ///
    /// In production: a migration waits for a lock in the database, and the deploy with it, until somebody notices.
    ///
    /// ```ini
    /// [Service]
    /// Type=oneshot
    /// TimeoutStartSec=10min
    /// ```
    ///
    /// See systemd.service(5), `TimeoutStartSec=`.
    "oneshot-timeout" Warning Service oneshot_timeout(view, found) {
        if view.unit.service("Type") != "oneshot" || view.start().is_none() {
            return;
        }
        let set = view.unit.timeout("TimeoutStartSec").is_some()
            || view.unit.span("Service", "RuntimeMaxSec").is_some();
        if !set && (view.is_migration() || view.is_timed() || view.is_app()) {
            let finding = found.missing(
                "Service",
                "Type=oneshot without TimeoutStartSec=: it may hang for ever",
            );
            finding.suggest("Service", "TimeoutStartSec", "10min");
            if !view.is_migration() {
                finding.severity(Severity::Info);
            }
        }
    }
}
