//! `.socket` units, and the services behind them.

use super::runtime::{self, Runtime};
use super::{Severity, rules};
use crate::unit::merge::Unit;
use crate::unit::name::UnitName;

pub(super) const LISTEN: [&str; 2] = ["ListenStream", "ListenSequentialPacket"];

/// The service that a socket starts.
pub(super) fn service_of(socket: &Unit) -> Option<UnitName> {
    match socket.get("Socket", "Service") {
        Some(entry) => UnitName::new(entry.value),
        None if socket.yes("Socket", "Accept") == Some(true) => {
            UnitName::new(&format!("{}@.service", socket.name.stem()))
        }
        None => socket.name.with_kind("service"),
    }
}

/// The TCP port of a `ListenStream=`.
fn port(address: &str) -> Option<u16> {
    address.rsplit(':').next()?.parse().ok()
}

rules! {
    /// Accept=yes: a process for every connection
    ///
    /// systemd starts an instance of the template for each connection, and passes it that one.
    ///
    /// In production: a web server answers one request per start; at a hundred a second the host only forks.
    ///
    /// ```ini
    /// [Socket]
    /// Accept=no
    /// ```
    ///
    /// See systemd.socket(5), `Accept=`.
    "socket-accept" Warning(Start) Socket accept(view, found) {
        let Some(entry) = view
            .unit
            .get("Socket", "Accept")
            .filter(|_| view.unit.yes("Socket", "Accept") == Some(true))
        else {
            return;
        };
        let template = format!("{}@.service", view.unit.name.stem());
        let there = view.peers().any(|peer| peer.name.as_str() == template);
        if view.context.peers_complete && !there {
            found
                .at(
                    entry,
                    format!("Accept=yes needs {template}, which is not there"),
                )
                .severity(Severity::Error)
                .suggest("Socket", "Accept", "no");
        } else {
            let finding = found.at(entry, "Accept=yes starts a process for every connection: not for a server that takes LISTEN_FDS");
            finding.suggest("Socket", "Accept", "no");
            if view.context.root.is_none() && view.context.strategy.is_none() {
                finding.severity(Severity::Info); // ssh and its like are made for it
            }
        }
    }

    /// A queue that is too short for a restart
    ///
    /// While the service restarts, connections wait in the socket's queue: new connections a second times the seconds of
    /// drain and start. What does not fit is dropped by the kernel and sent again after 1, 3 and 7 s.
    ///
    /// In production: measured with a start of 5 s, 300 requests/s and `Backlog=128`: 1,506 of 9,000 timed out. With 4096:
    /// none.
    ///
    /// ```ini
    /// [Socket]
    /// Backlog=4096
    /// ```
    ///
    /// See systemd.socket(5), `Backlog=`; listen(2), net.core.somaxconn.
    "socket-backlog" Warning Socket backlog(view, found) {
        if let Some(entry) = view.unit.get("Socket", "Backlog")
            && entry
                .value
                .parse::<u64>()
                .is_ok_and(|backlog| backlog < 1024)
        {
            found
                .at(
                    entry,
                    format!(
                        "Backlog={}: connections are dropped while the service restarts",
                        entry.value
                    ),
                )
                .set("Socket", "Backlog", "4096");
        }
        let wanted = view
            .unit
            .get("Socket", "Backlog")
            .and_then(|entry| entry.value.parse().ok())
            .unwrap_or(4096u32);
        for entry in LISTEN.iter().flat_map(|key| view.unit.all("Socket", key)) {
            let seen = view
                .host()
                .and_then(|host| host.backlogs.get(entry.value))
                .filter(|seen| **seen < wanted.min(4096));
            if let Some(seen) = seen {
                found.at(entry, format!("the queue of {} is {seen}, not {wanted}: the program called listen() again (node does, with 511), or somaxconn is lower", entry.value));
            }
        }
    }

    /// node lowers the queue to 511
    ///
    /// node calls listen() on the descriptor it was given, with its own default, and the kernel takes the last word.
    ///
    /// In production: measured: `ss -ltn` shows 511 whatever `Backlog=` says. At 300 requests/s that is a restart of 1.7 s.
    ///
    /// ```ini
    /// # server.js: server.listen({ fd: 3, backlog: 4096 })
    /// [Socket]
    /// Backlog=4096
    /// ```
    ///
    /// See listen(2); ss(8), Send-Q.
    "socket-backlog-node" Info Service backlog_node(view, found) {
        if let (Runtime::Node, Some((command, entry)), true) =
            (view.runtime(), view.start(), view.is_socket_activated())
        {
            let seen = view.host().is_some_and(|host| !host.backlogs.is_empty());
            let says = command.words().any(|word| word.contains("backlog"))
                || view
                    .unit
                    .words("Service", "Environment")
                    .iter()
                    .any(|(word, _)| word.contains("BACKLOG"));
            if !seen && !says {
                found.at(
                    entry,
                    "node sets the socket's queue to 511 unless listen() is told its backlog",
                );
            }
        }
    }

    /// A service that opens the port its socket holds
    ///
    /// With a `.socket` PID 1 listens, and the program must take the descriptor (LISTEN_FDS, from 3 on). A program that
    /// binds the port itself finds it taken.
    ///
    /// In production: `Address already in use` in a loop, until the socket fails too.
    ///
    /// ```ini
    /// [Service]
    /// # no --port: the program takes file descriptor 3
    /// ExecStart=/usr/bin/node /opt/acme/current/server.js
    /// ```
    ///
    /// See sd_listen_fds(3); systemd.socket(5).
    "socket-not-taken" Warning(Socket) Service not_taken(view, found) {
        let Some((command, entry)) = view.start() else {
            return;
        };
        if view.host().and_then(|host| host.socket_taken) == Some(false) {
            found
                .at(
                    entry,
                    "the running service does not hold the socket that systemd passes it",
                )
                .severity(Severity::Error);
            return;
        }
        let Some(socket) = view.socket().filter(|_| !view.runtime().takes_sockets()) else {
            return;
        };
        let listens: Vec<u16> = LISTEN
            .iter()
            .flat_map(|key| socket.all("Socket", key))
            .filter_map(|e| port(e.value))
            .collect();
        if let Some(own) = runtime::port(command).filter(|own| listens.contains(own)) {
            found.at(
                entry,
                format!(
                    "it binds port {own}, which {} holds: Address already in use",
                    socket.name
                ),
            );
        }
    }

    /// StandardInput=socket
    ///
    /// The inetd way: the listening socket itself becomes standard input. Servers expect it as descriptor 3.
    ///
    /// In production: the program reads its standard input and gets an error, or nothing.
    ///
    /// ```ini
    /// [Service]
    /// StandardInput=null
    /// ```
    ///
    /// See systemd.exec(5), `StandardInput=`; sd_listen_fds(3).
    "socket-stdin" Warning Service stdin(view, found) {
        if let Some(entry) = view
            .unit
            .get("Service", "StandardInput")
            .filter(|entry| entry.value == "socket")
            && !view.unit.name.is_template()
            && view.unit.name.instance().is_empty()
        {
            found.at(entry, "StandardInput=socket gives the program the listening socket as standard input: right only with Accept=yes").suggest("Service", "StandardInput", "null");
        }
    }

    /// A socket without its service
    ///
    /// `acme.socket` starts `acme.service`, unless `Service=` says otherwise.
    ///
    /// In production: systemd refuses the socket, or the first connection fails it.
    ///
    /// ```ini
    /// [Socket]
    /// Service=acme.service
    /// ```
    ///
    /// See systemd.socket(5), `Service=`.
    "socket-without-service" Error(Socket) Socket without_service(view, found) {
        let Some(service) = service_of(view.unit).filter(|_| view.context.peers_complete) else {
            return;
        };
        let there = view.peers().any(|peer| {
            peer.name == service
                || service.template().as_ref() == Some(&peer.name)
                || peer
                    .words("Service", "Sockets")
                    .iter()
                    .any(|(word, _)| word == view.unit.name.as_str())
        });
        if !there {
            found.missing(
                "Socket",
                format!("the socket starts {service}, which does not exist"),
            );
        }
    }

    /// A service for two instances that does not name its socket
    ///
    /// `acme@blue.service` looks for `acme@blue.socket`. To share one `acme.socket` it must say so.
    ///
    /// In production: the instance starts without a descriptor, and binds a default port or fails.
    ///
    /// ```ini
    /// [Service]
    /// Sockets=acme.socket
    /// ```
    ///
    /// See systemd.service(5), `Sockets=`.
    "socket-unnamed" Error(Start) Service unnamed(view, found) {
        let handover = view.context.strategy == Some(crate::unit::strategy::Strategy::Handover);
        if handover
            && view.unit.words("Service", "Sockets").is_empty()
            && (view.unit.name.is_template() || !view.unit.name.instance().is_empty())
        {
            found
                .missing(
                    "Service",
                    "the strategy is handover, and the template names no Sockets=",
                )
                .suggest(
                    "Service",
                    "Sockets",
                    format!("{}.socket", view.unit.name.prefix()),
                );
        }
    }
}
