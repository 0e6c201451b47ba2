//! `.socket` units, and the services behind them.

use super::runtime::{self, Runtime};
use super::view::View;
use super::{Severity, rules};
use crate::unit::merge::{Entry, Unit};
use crate::unit::name::UnitName;
use crate::unit::strategy::Strategy;

/// The addresses to which clients connect.
pub(super) fn addresses(socket: &Unit) -> impl Iterator<Item = Entry<'_>> {
    let addresses = socket.all("Socket", ["ListenStream", "ListenSequentialPacket"]);
    addresses.into_iter()
}

/// The service that a socket starts.
pub fn service_of(socket: &Unit) -> Option<UnitName> {
    match socket.get("Socket", "Service") {
        Some(entry) => UnitName::new(entry.value),
        None if socket.yes("Socket", "Accept") == Some(true) => {
            UnitName::new(&format!("{}@.service", socket.name.stem()))
        }
        None => socket.name.with_kind("service"),
    }
}

/// Whether it is one of two instances that take turns, or their template.
fn takes_turns(view: &View<'_>) -> bool {
    view.context.strategy == Some(Strategy::Handover) && is_instance(view)
}

/// An instance of a template, or the template.
fn is_instance(view: &View<'_>) -> bool {
    let name = &view.unit.name;
    name.is_template() || !name.instance().is_empty()
}

/// The TCP port of a `ListenStream=`.
fn port(address: &str) -> Option<u16> {
    address.rsplit(':').next()?.parse().ok()
}

rules! {
    /// Accept=yes: a process for every connection
    ///
    /// systemd starts an instance of the template for each connection, and passes that connection to it.
    ///
    /// In production: a web server starts once for each request; at a hundred requests per second the host does little
    /// but fork.
    ///
    /// ```ini
    /// [Socket]
    /// Accept=no
    /// ```
    ///
    /// See systemd.socket(5), `Accept=`.
    "socket-accept" Warning(Start) Socket accept(view, found) {
        if view.unit.yes("Socket", "Accept") != Some(true) {
            return;
        }
        let Some(entry) = view.unit.get("Socket", "Accept") else {
            return;
        };
        let template = format!("{}@.service", view.unit.name.stem());
        let missing = view.context.peers_complete && !view.peers().any(|peer| peer.name.as_str() == template);
        let finding = if missing {
            found.at(entry, format!("Accept=yes needs {template}, which does not exist")).severity(Severity::Error)
        } else {
            let message = "Accept=yes starts one process per connection; servers that take LISTEN_FDS need Accept=no";
            found.at(entry, message)
        };
        finding.suggest("Socket", "Accept", "no");
        if !missing && view.context.root.is_none() && view.context.strategy.is_none() {
            finding.severity(Severity::Info); // ssh and similar services are made for it
        }
    }

    /// A queue that is too short for a restart
    ///
    /// While the service restarts, connections wait in the socket's queue. It must have room for the connections that
    /// arrive while the service drains and starts: new connections per second times seconds. The kernel drops the rest,
    /// and clients retry after 1, 3
    /// and 7 s.
    ///
    /// In production: with a startup of 5 s, 300 requests/s and `Backlog=128`, 1,506 of 9,000 requests timed out
    /// (measured). With 4096, none did.
    ///
    /// ```ini
    /// [Socket]
    /// Backlog=4096
    /// ```
    ///
    /// See systemd.socket(5), `Backlog=`; listen(2), net.core.somaxconn.
    "socket-backlog" Warning Socket backlog(view, found) {
        let set = view.unit.get("Socket", "Backlog");
        if let Some(entry) = set.filter(|entry| entry.value.parse::<u64>().is_ok_and(|backlog| backlog < 1024)) {
            found
                .at(entry, format!("Backlog={}: the kernel drops connections while the service restarts", entry.value))
                .set("Socket", "Backlog", "4096");
        }
        let wanted = set.and_then(|entry| entry.value.parse().ok()).unwrap_or(4096u32);
        for entry in addresses(view.unit) {
            let length = view.host().and_then(|host| host.backlogs.get(entry.value));
            if let Some(length) = length.filter(|length| **length < wanted.min(4096)) {
                let message = format!(
                    "the queue of {} has a length of {length}, not {wanted}: the program called listen() again (node \
                     does, with 511), or somaxconn is lower",
                    entry.value
                );
                found.at(entry, message);
            }
        }
    }

    /// node shortens the queue to 511
    ///
    /// node calls listen() again on the descriptor that it gets, with its own default, and the kernel uses the latest
    /// value. It ignores `backlog` in an object with `fd`: the length has to be the second argument.
    ///
    /// In production: `ss -ltn` shows 511, whatever `Backlog=` is (measured). At 300 requests/s that covers a restart
    /// of 1.7 s.
    ///
    /// ```ini
    /// # server.js: server.listen({ fd: 3 }, 4096)
    /// [Socket]
    /// Backlog=4096
    /// ```
    ///
    /// See listen(2); ss(8), Send-Q.
    "socket-backlog-node" Info Service backlog_node(view, found) {
        let Some((command, entry)) = view.start() else {
            return;
        };
        let environment = view.unit.words("Service", "Environment");
        let set = command.words().any(|word| word.contains("backlog"))
            || environment.iter().any(|(word, _)| word.contains("BACKLOG"));
        let measured = view.host().is_some_and(|host| !host.backlogs.is_empty());
        if view.runtime() == Runtime::Node && view.is_socket_activated() && !measured && !set {
            found.at(entry, "node sets the socket's queue to 511, unless the program passes a backlog to listen()");
        }
    }

    /// A service that binds the port of its own socket
    ///
    /// With a `.socket`, PID 1 listens, and the program must use the descriptor that it gets (LISTEN_FDS, starting with
    /// 3). A program that binds the port itself finds it in use.
    ///
    /// In production: `Address already in use` in a loop, until the socket fails too.
    ///
    /// ```ini
    /// [Service]
    /// # no --port: the program uses file descriptor 3
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
                .at(entry, "the running service does not hold the socket that systemd passes to it")
                .severity(Severity::Error);
            return;
        }
        let Some(socket) = view.socket().filter(|_| !view.runtime().takes_sockets()) else {
            return;
        };
        let own = runtime::port(command);
        if let Some(own) = own.filter(|own| addresses(socket).any(|entry| port(entry.value) == Some(*own))) {
            let message = format!("the program binds port {own}, which {} holds: Address already in use", socket.name);
            found.at(entry, message);
        }
        let server = ["uvicorn", "hypercorn", "daphne"].into_iter().find(|name| command.name() == *name);
        if let Some(server) = server.filter(|_| command.option(&["--fd", "-b", "--bind", "-e", "--endpoint"]).is_none()) {
            let message = format!("{server} takes {} only with --fd 3: nothing answers its connections", socket.name);
            found.at(entry, message);
            return;
        }
        let binds = |path: &str| command.words().any(|word| word.rsplit([':', '=']).next() == Some(path));
        let paths = addresses(socket).map(|entry| entry.value).filter(|address| address.starts_with('/'));
        if let Some(path) = paths.into_iter().find(|path| binds(path)) {
            let message = format!(
                "the program is given {path}, which {} holds: it removes or cannot bind the socket that systemd opened",
                socket.name
            );
            found.at(entry, message);
        }
    }

    /// RuntimeDirectory= that contains the socket's path
    ///
    /// systemd removes `RuntimeDirectory=` with everything in it when the service stops. The socket unit stays active, but
    /// the path of its socket is gone.
    ///
    /// In production: after the first stop or restart clients get `No such file or directory`, while `systemctl status`
    /// says that the socket listens.
    ///
    /// ```ini
    /// # acme.socket
    /// [Socket]
    /// ListenStream=/run/acme.sock
    /// # or, in acme.service:
    /// [Service]
    /// RuntimeDirectoryPreserve=yes
    /// ```
    ///
    /// See systemd.exec(5), `RuntimeDirectory=` and `RuntimeDirectoryPreserve=`.
    "socket-in-runtime-directory" Error(Socket) Service in_runtime_directory(view, found) {
        if view.unit.yes("Service", "RuntimeDirectoryPreserve") == Some(true) {
            return;
        }
        let Some(socket) = view.socket() else { return };
        for (name, entry) in view.unit.words("Service", "RuntimeDirectory") {
            let directory = format!("/run/{}/", name.split(':').next().unwrap_or(&name));
            let inside = |path: &str| path.replace("/var/run/", "/run/").replace("%t/", "/run/").starts_with(&directory);
            if let Some(listens) = addresses(socket).find(|address| inside(address.value)) {
                let message = format!(
                    "when the service stops, systemd removes {directory}, including {}, where {} listens",
                    listens.value, socket.name
                );
                found.at(entry, message).suggest("Service", "RuntimeDirectoryPreserve", "yes");
            }
        }
    }

    /// StandardInput=socket
    ///
    /// In this inetd style, the listening socket itself becomes standard input. Servers expect it as descriptor 3.
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
        if let Some(entry) = view.unit.get("Service", "StandardInput").filter(|entry| entry.value == "socket")
            && !view.unit.name.is_template()
            && view.unit.name.instance().is_empty()
        {
            let message = "StandardInput=socket passes the listening socket as stdin: correct only with Accept=yes";
            found.at(entry, message).suggest("Service", "StandardInput", "null");
        }
    }

    /// A socket without its service
    ///
    /// `acme.socket` starts `acme.service`, unless `Service=` names another one.
    ///
    /// In production: systemd refuses the socket, or the socket fails at the first connection.
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
        let own = view.unit.name.as_str();
        let exists = view.peers().any(|peer| {
            peer.name == service
                || service.template().as_ref() == Some(&peer.name)
                || peer.has("Service", "Sockets", own)
        });
        if !exists {
            found.missing("Socket", format!("the socket starts {service}, which does not exist"));
        }
    }

    /// A service with two instances that does not name its socket
    ///
    /// By default `acme@blue.service` uses `acme@blue.socket`. Instances that share one `acme.socket` must name it.
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
        let name = &view.unit.name;
        if takes_turns(view) && !view.unit.sets("Service", "Sockets") {
            found
                .missing("Service", "the strategy is handover, and the template has no Sockets=")
                .suggest("Service", "Sockets", format!("{}.socket", name.prefix()));
        }
    }

    /// Instances that share a blocking socket
    ///
    /// At each start systemd sets whether `accept()` on the socket blocks, and the instances share that setting.
    ///
    /// In production: when one instance starts, an event loop in the other one (node, for example) hangs in `accept()`, and
    /// answers nobody until the next connection arrives.
    ///
    /// ```ini
    /// [Service]
    /// NonBlocking=yes
    /// ```
    ///
    /// See systemd.exec(5) and systemd.service(5), `NonBlocking=`.
    "socket-blocking" Error(Start) Service blocking(view, found) {
        if takes_turns(view) && view.unit.yes("Service", "NonBlocking") != Some(true) {
            found
                .missing("Service", "the strategy is handover, and the instances share a socket without NonBlocking=yes")
                .suggest("Service", "NonBlocking", "yes");
        }
    }

    /// An instance that starts without a release
    ///
    /// An instance runs from the release that its symlink in `slots/` names. It should run only while that exists.
    ///
    /// In production: after a reboot the idle instance starts too, fails with 200/CHDIR, and restarts in a loop.
    ///
    /// ```ini
    /// [Unit]
    /// ConditionPathExists=/opt/acme/slots/%i
    /// ```
    ///
    /// See systemd.unit(5), `ConditionPathExists=`.
    "slot-condition" Error(Start) Service unconditional(view, found) {
        let runs = view.context.strategy.is_some_and(Strategy::needs_instances);
        let Some(root) = view.context.root.as_ref().filter(|_| runs && is_instance(view)) else {
            return;
        };
        let slot = format!("{root}/slots/%i");
        if !view.unit.has("Unit", "ConditionPathExists", &slot) {
            found
                .missing("Unit", "an instance without a slot would start anyway")
                .suggest("Unit", "ConditionPathExists", slot);
        }
    }
}
