//! An address that a router forwards to, or that an app listens at. Names are not looked up here.

use std::fmt;

use crate::observed::{Family, Listening};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Address {
    /// A name or an address (IPv6 without brackets; `*` for all of the host's) and a port.
    Tcp(String, u16),
    /// The path of a unix socket.
    Unix(String),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
            Self::Unix(path) => f.write_str(path),
        }
    }
}

impl Address {
    /// `host:port`, `[v6]:port`, `:port`, `port` alone, or a host when there is a port to assume. `None` for anything
    /// else, and for what holds a variable.
    pub fn tcp(text: &str, assumed: Option<u16>) -> Option<Self> {
        if text.is_empty() || text.contains(['$', '{', '}', '/', ' ']) {
            return None;
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']')?;
                (host, rest.strip_prefix(':').or((rest.is_empty()).then_some(""))?)
            }
            None => match text.rsplit_once(':') {
                Some((host, port)) => (host, port),
                None if text.bytes().all(|b| b.is_ascii_digit()) => ("*", text),
                None => (text, ""),
            },
        };
        let port = match port {
            "" => assumed?,
            port => port.parse().ok()?,
        };
        let host = if host.is_empty() { "*" } else { host };
        Some(Self::Tcp(host.to_ascii_lowercase(), port))
    }

    pub fn of(listening: &Listening) -> Option<Self> {
        match listening.family {
            Family::Unix => Some(Self::Unix(listening.address.clone())),
            Family::Tcp => {
                let (host, port) = listening.address.rsplit_once(':')?;
                let host = host.trim_matches(['[', ']']);
                let host = host.split('%').next().unwrap_or(host);
                Some(Self::Tcp(host.to_owned(), port.parse().ok()?))
            }
        }
    }

    /// Whether a connection to it stays on this host whatever else is so.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            Self::Tcp(host, _) => host.starts_with("127.") || matches!(host.as_str(), "localhost" | "::1"),
        }
    }

    /// Whether it is a name that this program cannot tell the address of.
    pub fn is_name(&self) -> bool {
        matches!(self, Self::Tcp(host, _) if host != "localhost" && host != "*" && host.parse::<std::net::IpAddr>().is_err())
    }

    /// Whether a connection to it reaches who listens at `other`: the same, or one of the two says all of the host's.
    pub fn reaches(&self, other: &Self) -> bool {
        let wild = |host: &str| matches!(host, "*" | "0.0.0.0" | "::");
        match (self, other) {
            (Self::Unix(one), Self::Unix(two)) => one == two,
            (Self::Tcp(one, port), Self::Tcp(two, same)) => {
                let named = |a: &str, b: &str| a == "localhost" && matches!(b, "127.0.0.1" | "::1");
                port == same && (one == two || wild(one) || wild(two) || named(one, two) || named(two, one))
            }
            _ => false,
        }
    }
}
