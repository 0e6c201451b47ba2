//! How a router is turned from one instance to another, as a value: what the conductor's steps `isolate`, `route` and
//! `drain` are about. Nothing here knows why it is turned.

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

    /// As `observe.sh` takes it, and names what it found: `link=LIVE`, `port=LIVE` or `haproxy=SOCKET=BACKEND`. Two of the
    /// same key turn the same router.
    pub fn key(&self) -> String {
        let (word, at) = self.words();
        match self {
            Self::Haproxy { backend, .. } => format!("{word}={at}={backend}"),
            _ => format!("{word}={at}"),
        }
    }
}

impl std::fmt::Display for Lever {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Link { proxy, live } => write!(f, "{} by {live}", proxy.word()),
            Self::Port { proxy, live } => write!(f, "{} by {live}.PORT", proxy.word()),
            Self::Haproxy { socket, .. } => write!(f, "HAProxy over {socket}"),
        }
    }
}
