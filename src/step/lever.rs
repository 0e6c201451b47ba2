//! How a router is turned from one instance to another, as a value: what the conductor's steps `isolate`, `route` and
//! `drain` are about. Nothing here knows why it is turned.

use crate::unit::strategy::PARTS;

crate::text::words! {
    /// A router that finds the instance through the file system, at each request. It is never reloaded.
    pub enum Proxy {
        Nginx = "nginx",
        Caddy = "Caddy",
    }
}

/// What turns a router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lever {
    /// It connects to whatever this symlink names at that moment: the unix socket of an instance.
    Link {
        proxy: Proxy,
        /// An absolute path, plain characters.
        live: String,
    },
    /// It connects to the port for which there is a file `LIVE.PORT` at that moment.
    Port {
        proxy: Proxy,
        /// An absolute path, plain characters.
        live: String,
    },
    /// nginx, with one of these for each of the [`PARTS`]: each part of the requests goes to the instance that its own
    /// symlink or file names.
    Parts(Box<Lever>),
    /// HAProxy's runtime API.
    Haproxy {
        /// The path of its admin socket.
        socket: String,
        /// The backend with a server for each instance, of the same name.
        backend: String,
    },
}

impl Lever {
    /// The word by which the conductor knows it, and the path that it changes or talks to.
    fn words(&self) -> (&'static str, &String) {
        match self {
            Self::Link { live, .. } => ("link", live),
            Self::Port { live, .. } => ("port", live),
            Self::Parts(one) => match one.words() {
                ("port", live) => ("ports", live),
                (_, live) => ("links", live),
            },
            Self::Haproxy { socket, .. } => ("haproxy", socket),
        }
    }

    /// What it changes or talks to.
    pub fn path(&self) -> &str {
        self.words().1
    }

    pub(super) fn arguments(&self) -> [(&'static str, String); 2] {
        let (word, at) = self.words();
        [("router", word.to_owned()), ("at", at.clone())]
    }

    /// As `observe.sh` takes it, and names what it found: `link=LIVE`, `port=LIVE`, `links=LIVE`, `ports=LIVE` or
    /// `haproxy=SOCKET=BACKEND`. Two of the same key turn the same router.
    pub fn key(&self) -> String {
        let (word, at) = self.words();
        match self {
            Self::Haproxy { backend, .. } => format!("{word}={at}={backend}"),
            _ => format!("{word}={at}"),
        }
    }

    /// The key, and the keys of all that it consists of: two levers that share one turn the same router.
    pub fn keys(&self) -> Vec<String> {
        let own = std::iter::once(self.key());
        match self {
            Self::Parts(one) => {
                let parts = PARTS.iter().map(|weight| one.part(&weight.to_string()).key());
                own.chain([one.key()]).chain(parts).collect()
            }
            _ => own.collect(),
        }
    }

    /// One of several beside it, by a name of its own: `live.NAME.sock`, or `live.NAME.PORT`.
    pub fn part(&self, name: &str) -> Self {
        match self {
            Self::Link { proxy, live } => Self::Link {
                proxy: *proxy,
                live: format!("{}.{name}.sock", live.strip_suffix(".sock").unwrap_or(live)),
            },
            Self::Port { proxy, live } => Self::Port {
                proxy: *proxy,
                live: format!("{live}.{name}"),
            },
            Self::Parts(one) => one.part(name),
            Self::Haproxy { .. } => self.clone(),
        }
    }
}

impl std::fmt::Display for Lever {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Link { proxy, live } => write!(f, "{} by {live}", proxy.word()),
            Self::Port { proxy, live } => write!(f, "{} by {live}.PORT", proxy.word()),
            Self::Parts(one) => one.part("N").fmt(f),
            Self::Haproxy { socket, .. } => write!(f, "HAProxy over {socket}"),
        }
    }
}
