//! What a `.socket` listens on, and whether it does.

use std::net::IpAddr;

use super::socket::{addresses, service_of};
use super::view::triggers;
use super::{Cause, Depth, Severity, rules};
use crate::unit::merge::{Entry, Unit};
use crate::unit::value;

/// Whether two lines of a socket need the same port of the same address.
fn same_port(one: &Entry<'_>, other: &Entry<'_>, dual: bool) -> bool {
    let split = |entry: &Entry<'_>| match entry.value.rsplit_once(':') {
        Some((host, port)) => (host.to_owned(), port.to_owned()),
        None => ("[::]".to_owned(), entry.value.to_owned()),
    };
    let ((host, port), (other_host, other_port)) = (split(one), split(other));
    let all = |host: &str, other: &str| host == "[::]" && other == "0.0.0.0";
    let both = dual && (all(&host, &other_host) || all(&other_host, &host));
    one.key == other.key && port == other_port && (host == other_host || both)
}

rules! {
    /// The socket does not listen, or will not after a reboot
    ///
    /// A service behind a socket has no port of its own: the socket unit must be active and enabled.
    ///
    /// In production: the port is closed although the service is running.
    ///
    /// ```ini
    /// # systemctl enable --now acme.socket
    /// [Install]
    /// WantedBy=sockets.target
    /// ```
    ///
    /// See systemd.socket(5); systemctl(1), `enable --now`.
    "socket-inactive" Error(Socket) Socket inactive(view, found) {
        // It listens only during a trial.
        if view.context.is_trial {
            return;
        }
        // Many sockets of a distribution wait for their users to enable them.
        let of_others = view.is_of_the_distribution();
        let refused = view.show("ConditionResult") == Some("no")
            && view.show("ConditionTimestampMonotonic").is_some_and(|at| at != "0");
        let name = &view.unit.name;
        if let Some(state) = view.show("ActiveState").filter(|state| *state != "active" && !refused) {
            let result = view.show("Result").filter(|result| *result != "success");
            let holder = view.host().and_then(|host| host.holders.first_key_value());
            let message = format!(
                "the socket is {state}{}: {}; systemctl reset-failed {name} && systemctl start {name}",
                result.map_or(String::new(), |result| format!(" ({result})")),
                holder.map_or("nothing listens".into(), |(address, other)| format!("{other} holds {address}")),
            );
            let finding = found.missing("Socket", message);
            finding.cause(holder.map_or(Cause::SocketInactive, |(_, other)| Cause::PortHeldBy(other.clone())));
            // Its service caused that.
            if result.is_some_and(|result| result.ends_with("limit-hit")) {
                finding.depth(Depth::Fallout);
            }
            if of_others && state == "inactive" {
                finding.severity(Severity::Info);
            }
        }
        let listens = view.show("ActiveState") == Some("active");
        let at_boot = view.show("UnitFileState").filter(|_| !view.is_wanted());
        if let Some(state) = at_boot.filter(|state| matches!(*state, "disabled" | "static")) {
            found
                .missing(
                    "Install",
                    format!("the socket is {state}: it will not listen after a reboot; systemctl enable {name}"),
                )
                .severity(if of_others { Severity::Info } else { Severity::Warning })
                .cause(if listens && state == "disabled" { Cause::NotEnabled } else { Cause::SocketInactive });
        }
    }

    /// ListenStream= differs from the one on the host
    ///
    /// When systemd reloads a changed address, it closes its copy of the old socket. The next time the service starts, it gets no socket.
    ///
    /// In production: the socket unit stayed `active`, node bound its own default port, and the old port was closed
    /// (measured).
    ///
    /// ```ini
    /// # announce it, then: systemctl stop acme.service; systemctl daemon-reload; systemctl restart acme.socket
    /// [Socket]
    /// ListenStream=8080
    /// ```
    ///
    /// See systemd.socket(5), `ListenStream=`.
    "socket-listen-changed" Error(Start) Socket listen_changed(view, found) {
        let Some(repository) = view.host().and_then(|host| host.repository.as_ref()) else {
            return;
        };
        let values = |unit| addresses(unit).map(|entry| entry.value.to_owned()).collect::<Vec<_>>();
        let (here, there) = (values(view.unit), values(repository));
        if here != there {
            let message = format!(
                "the host listens on {}, but the repository has {}: no deploy can change this without downtime",
                here.join(" "),
                there.join(" ")
            );
            found.missing("Socket", message).cause(Cause::Differs);
        }
    }

    /// The socket listens on an address that may not exist yet
    ///
    /// systemd opens sockets early at boot, before the network is up. To listen on a specific address, a socket needs
    /// `FreeBind=yes`.
    ///
    /// In production: `Cannot assign requested address` at boot. The socket fails, and the port stays closed.
    ///
    /// ```ini
    /// [Socket]
    /// ListenStream=192.0.2.10:80
    /// FreeBind=yes
    /// ```
    ///
    /// See systemd.socket(5), `FreeBind=`.
    "socket-address" Warning Socket address(view, found) {
        if view.unit.yes("Socket", "FreeBind") == Some(true) {
            return;
        }
        for entry in addresses(view.unit) {
            let host = entry.value.rsplit_once(':').map_or("", |(host, _)| host).trim_matches(['[', ']']);
            if host.parse::<IpAddr>().is_ok_and(|ip| !ip.is_loopback() && !ip.is_unspecified()) {
                found
                    .at(entry, format!("{host} may not exist yet when systemd opens sockets at boot"))
                    .set("Socket", "FreeBind", "yes");
            }
        }
    }

    /// A unix socket that every user can connect to
    ///
    /// `SocketMode=` is 0666 unless set.
    ///
    /// In production: every account on the host can bypass the proxy, its TLS and its logins.
    ///
    /// ```ini
    /// [Socket]
    /// SocketMode=0660
    /// SocketGroup=www-data
    /// ```
    ///
    /// See systemd.socket(5), `SocketMode=`.
    "socket-mode" Info Socket mode(view, found) {
        if let Some(entry) = addresses(view.unit).find(|entry| entry.value.starts_with(['/', '%']))
            && !view.unit.sets("Socket", "SocketMode")
        {
            found
                .at(entry, "SocketMode= is not set: with 0666 every user on the host can connect")
                .suggest("Socket", "SocketMode", "0660");
        }
    }

    /// A socket without an address, or with an address that is taken
    ///
    /// A `.socket` without any `Listen…=` has nothing to open. Two sockets with the same address conflict, and so do two
    /// lines of one socket. A port alone, and `[::]`, include all IPv4 addresses unless `BindIPv6Only=ipv6-only`.
    ///
    /// In production: systemd refuses the unit: `lacks Listen setting`.
    ///
    /// ```ini
    /// [Socket]
    /// ListenStream=8080
    /// ```
    ///
    /// See systemd.socket(5), `ListenStream=`.
    "socket-nothing" Error(Start) Socket nothing(view, found) {
        let listens = view.unit.entries().any(|entry| {
            entry.section == "Socket" && entry.key.starts_with("Listen") && !entry.value.is_empty()
        });
        if !listens && !view.unit.is_masked() {
            found.missing("Socket", "no ListenStream=: systemd refuses the unit");
        }
        let own: Vec<Entry<'_>> = addresses(view.unit).collect();
        let only = view.unit.get("Socket", "BindIPv6Only").map_or("", |entry| entry.value);
        let dual = only != "ipv6-only" && value::boolean(only) != Some(true);
        let taken = |at: usize| own[..at].iter().find(|first| same_port(first, &own[at], dual));
        if let Some((entry, first)) = (0..own.len()).find_map(|at| Some((own[at], taken(at)?)))
            && view.unit.yes("Socket", "ReusePort") != Some(true)
        {
            let message = format!("{}={} is taken by {}={} above: the socket fails", entry.key, entry.value, first.key, first.value);
            found.at(entry, message);
        }
        let service = service_of(view.unit);
        let triggers = |peer: &Unit| service.as_ref().is_some_and(|service| triggers(peer, service));
        if let Some(twin) = view.peers().find(|peer| peer.name.kind() == "socket" && triggers(peer)) {
            let same = |a: Entry<'_>| addresses(view.unit).any(|b| (a.key, a.value) == (b.key, b.value));
            if addresses(twin).any(same) {
                found.missing("Socket", format!("{} listens on the same address", twin.name));
            }
        }
    }
}
