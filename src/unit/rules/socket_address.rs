//! What a `.socket` listens on, and whether it does.

use super::socket::{LISTEN, service_of};
use super::view::triggers;
use super::{Cause, Depth, Severity, rules};
use crate::unit::merge::Unit;

rules! {
    /// The socket is not listening, or not at the next boot
    ///
    /// A service behind a socket has no port of its own: the socket unit must be active and enabled.
    ///
    /// In production: the port is closed, although the service runs.
    ///
    /// ```ini
    /// # systemctl enable --now acme.socket
    /// [Install]
    /// WantedBy=sockets.target
    /// ```
    ///
    /// See systemd.socket(5); systemctl(1), `enable --now`.
    "socket-inactive" Error(Socket) Socket inactive(view, found) {
        // A distribution leaves many to be enabled by whom they serve.
        let of_others = view.is_of_the_distribution();
        let refused = view.show("ConditionResult") == Some("no")
            && view
                .show("ConditionTimestampMonotonic")
                .is_some_and(|at| at != "0");
        if let Some(state) = view.show("ActiveState").filter(|state| *state != "active" && !refused) {
            let result = view
                .show("Result")
                .filter(|result| *result != "success")
                .map_or(String::new(), |result| format!(" ({result})"));
            let holder = view.host().and_then(|host| host.holders.first_key_value());
            let trouble = holder.map_or("nobody listens".into(), |(address, other)| {
                format!("{other} holds {address}")
            });
            let finding = found.missing("Socket", format!("the socket is {state}{result}: {trouble}; systemctl reset-failed {0} && systemctl start {0}", view.unit.name));
            finding.cause(holder.map_or(Cause::SocketInactive, |(_, other)| Cause::PortHeldBy(other.clone())));
            // Its service took it down.
            if view.show("Result").is_some_and(|result| result.ends_with("limit-hit")) {
                finding.depth(Depth::Fallout);
            }
            if of_others && state == "inactive" {
                finding.severity(Severity::Info);
            }
        }
        if let Some(state) = view
            .show("UnitFileState")
            .filter(|state| matches!(*state, "disabled" | "static") && !view.is_wanted())
        {
            let severity = match of_others {
                true => Severity::Info,
                false => Severity::Warning,
            };
            found
                .missing(
                    "Install",
                    format!(
                        "the socket is {state}: it will not listen after a reboot; systemctl enable {}",
                        view.unit.name
                    ),
                )
                .severity(severity)
                .cause(Cause::SocketInactive);
        }
    }

    /// Another ListenStream= than the host has
    ///
    /// When systemd reloads a changed address it closes its copy of the old socket; the next start of the service gets none.
    ///
    /// In production: measured: the socket stays `active`, node bound its own default port, and the old one was gone.
    ///
    /// ```ini
    /// # announce it, then by hand: systemctl stop acme.service; systemctl daemon-reload; systemctl restart acme.socket
    /// [Socket]
    /// ListenStream=8080
    /// ```
    ///
    /// See systemd.socket(5), `ListenStream=`.
    "socket-listen-changed" Error(Start) Socket listen_changed(view, found) {
        let Some(repository) = view.host().and_then(|host| host.repository.as_ref()) else {
            return;
        };
        let addresses = |unit: &Unit| {
            LISTEN
                .iter()
                .flat_map(|key| unit.all("Socket", key))
                .map(|entry| entry.value.to_owned())
                .collect::<Vec<_>>()
        };
        let (here, there) = (addresses(view.unit), addresses(repository));
        if here != there {
            found.missing("Socket", format!("the host listens on {}, the repository says {}: no deploy can change that without a gap", here.join(" "), there.join(" "))).cause(Cause::Differs);
        }
    }

    /// It listens on an address that may not be there yet
    ///
    /// Sockets are opened early at boot, before the network is up. One address needs `FreeBind=yes`.
    ///
    /// In production: `Cannot assign requested address` at boot, the socket is failed, the port closed.
    ///
    /// ```ini
    /// [Socket]
    /// ListenStream=192.0.2.10:80
    /// FreeBind=yes
    /// ```
    ///
    /// See systemd.socket(5), `FreeBind=`.
    "socket-address" Warning Socket address(view, found) {
        for entry in LISTEN.iter().flat_map(|key| view.unit.all("Socket", key)) {
            let host = entry
                .value
                .rsplit_once(':')
                .map_or("", |(host, _)| host)
                .trim_matches(['[', ']']);
            let one = host
                .parse::<std::net::IpAddr>()
                .is_ok_and(|ip| !ip.is_loopback() && !ip.is_unspecified());
            if one && view.unit.yes("Socket", "FreeBind") != Some(true) {
                found
                    .at(
                        entry,
                        format!("{host} may not be there when sockets are opened at boot"),
                    )
                    .set("Socket", "FreeBind", "yes");
            }
        }
    }

    /// A unix socket that every user may connect to
    ///
    /// `SocketMode=` is 0666 unless set.
    ///
    /// In production: every account on the host talks to the app past the proxy, its TLS and its logins.
    ///
    /// ```ini
    /// [Socket]
    /// SocketMode=0660
    /// SocketGroup=www-data
    /// ```
    ///
    /// See systemd.socket(5), `SocketMode=`.
    "socket-mode" Info Socket mode(view, found) {
        let unix = LISTEN
            .iter()
            .flat_map(|key| view.unit.all("Socket", key))
            .find(|entry| entry.value.starts_with(['/', '%']));
        if let Some(entry) = unix.filter(|_| view.unit.get("Socket", "SocketMode").is_none()) {
            found
                .at(
                    entry,
                    "SocketMode= is left at 0666: every user of the host may connect",
                )
                .suggest("Socket", "SocketMode", "0660");
        }
    }

    /// A socket that listens nowhere, or where another one does
    ///
    /// A `.socket` without any `Listen…=` has nothing to open; two on one address get in each other's way.
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
        let any = view.unit.entries().any(|entry| {
            entry.section == "Socket" && entry.key.starts_with("Listen") && !entry.value.is_empty()
        });
        if !any && !view.unit.is_masked() {
            found.missing("Socket", "no ListenStream=: systemd refuses the unit");
        }
        if let Some(twin) = view.peers().find(|peer| {
            peer.name.kind() == "socket"
                && service_of(view.unit).is_some_and(|service| triggers(peer, &service))
        }) {
            let same = LISTEN.iter().any(|key| {
                twin.all("Socket", key).iter().any(|a| {
                    view.unit
                        .all("Socket", key)
                        .iter()
                        .any(|b| a.value == b.value)
                })
            });
            if same {
                found.missing(
                    "Socket",
                    format!("{} listens on the same address", twin.name),
                );
            }
        }
    }
}
