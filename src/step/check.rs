//! One health request as a value: what it asks, and which answer is a good one. A new kind of probe is a variant here, a
//! key in `config/probe.rs` and a case of `probe` in `conductor/2-probe.sh`. Nothing is asked here.

/// What a health request asks. The host asks, so `127.0.0.1` is the host itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// GET this address. `http` or `https`, no login in it, printable ASCII without quotes, braces, backslash.
    Http { url: String },
    /// GET over a unix socket.
    Unix {
        /// Absolute path of the socket on the host, plain characters.
        socket: String,
        /// The path to ask for; begins with `/`.
        path: String,
    },
    Tcp {
        /// A name or an address, IPv6 without brackets.
        host: String,
        port: u16,
    },
    /// Run a command line with `sh -c` in the release; exit status 0 is a good answer.
    Command { line: String },
}

/// Where a probe connects to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    Tcp(String, u16),
    /// The path of a unix socket.
    Unix(String),
}

/// One health request, as the conductor's `probe` takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub probe: Probe,
    /// The status that an HTTP answer must have: 200 by default. Means nothing for `Tcp` and `Command`.
    pub status: u16,
    /// A text that the answer (HTTP body, output of the command) must contain.
    pub contains: Option<String>,
    /// Whether the answer must contain the id of the release too: proof that no old process answered.
    pub release: bool,
}

impl Probe {
    /// The word by which `probe` in the conductor knows it, and what it asks as one text.
    pub(super) fn words(&self) -> (&'static str, String) {
        match self {
            Self::Http { url } => ("http", url.clone()),
            Self::Unix { socket, path } => ("unix", format!("{socket} {path}")),
            Self::Tcp { host, port } => ("tcp", format!("{host}:{port}")),
            Self::Command { line } => ("command", line.clone()),
        }
    }

    /// Whether it speaks HTTP: the host needs curl for it.
    pub fn is_http(&self) -> bool {
        matches!(self, Self::Http { .. } | Self::Unix { .. })
    }

    pub fn is_https(&self) -> bool {
        matches!(self, Self::Http { url } if url.starts_with("https:"))
    }

    /// Where it connects to; `None` for a command.
    pub fn address(&self) -> Option<Address> {
        match self {
            Self::Http { url } => {
                let url = url::Url::parse(url).ok()?;
                let host = url.host_str()?.to_owned();
                Some(Address::Tcp(host, url.port_or_known_default()?))
            }
            Self::Tcp { host, port } => Some(Address::Tcp(host.clone(), *port)),
            Self::Unix { socket, .. } => Some(Address::Unix(socket.clone())),
            Self::Command { .. } => None,
        }
    }
}

/// What it asks, as a person reads it.
impl std::fmt::Display for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.words().1)
    }
}

impl Check {
    /// What the host's `probe` reads, by name. `release` is `named` when the answer must contain the release's id (the
    /// host knows which), else `-`. Without a check the kind is `none`, which always passes: systemd's facts alone
    /// decide.
    pub fn arguments(check: Option<&Self>) -> Vec<(&'static str, String)> {
        let (kind, target) = check.map_or(("none", String::new()), |check| check.probe.words());
        let contains = check.and_then(|check| check.contains.clone());
        let release = check.is_some_and(|check| check.release);
        vec![
            ("kind", kind.to_owned()),
            ("target", target),
            ("status", check.map_or(0, |check| check.status).to_string()),
            ("contains", contains.unwrap_or_default()),
            ("release", if release { "named" } else { "-" }.to_owned()),
        ]
    }
}
