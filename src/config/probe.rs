//! What a health check asks: an HTTP address, a unix socket, a TCP port or a command. Only the syntax is checked here;
//! the host does the asking.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use super::keys::keys;
use super::names::{Wrong, quoted};
use super::reader::Value;
use super::shape::{ABSOLUTE, URL_PATH};
use super::target::Target;
use crate::step::Probe;

/// Addresses of cloud instance metadata: they answer 200, and hand out the machine's credentials.
const METADATA_NAMES: [&str; 2] = ["metadata.google.internal", "metadata.goog"];

/// A way to ask, as `health` has it.
pub(super) struct Asks {
    /// Its key under `health`.
    pub key: &'static str,
    pub read: fn(Value<'_>) -> Option<Probe>,
    /// What can be asked of its answer.
    pub answer: Answer,
}

/// What a probe gets for an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// A status and a text.
    Http,
    Text,
    /// It only connects.
    None,
}

/// All ways to ask, in the order in which they are listed.
pub(super) const PROBES: [Asks; 4] = [
    asks("url", Answer::Http, |v| v.name(http)),
    asks("unix", Answer::Http, |v| unix(&v.map(UNIX)?)),
    asks("tcp", Answer::None, |v| v.name(tcp)),
    asks("command", Answer::Text, |v| {
        let line = v.command()?;
        Some(Probe::Command { line })
    }),
];

const fn asks(key: &'static str, answer: Answer, read: fn(Value<'_>) -> Option<Probe>) -> Asks {
    Asks { key, read, answer }
}

keys! {
    /// Below `health.unix`.
    UNIX, fn unix(map) -> Probe {
        must socket: "/run/acme/http.sock" as ABSOLUTE => |v| v.name(socket_path),
        must path: "/healthz" as URL_PATH => |v| v.name(url_path),
    }
    Probe::Unix { socket, path }
}

/// Reads `url`.
pub(super) fn http(text: &str) -> Result<Probe, Wrong> {
    let wrong = |why: &str| Err(Wrong(format!("{} {why}", quoted(text))));
    if text.len() > 2000 {
        return wrong("has more than 2000 characters");
    }
    let Ok(url) = Url::parse(text) else {
        return wrong("is not a URL; write one such as `http://127.0.0.1:8080/healthz`");
    };
    if !matches!(url.scheme(), "http" | "https") {
        // A name and a port read as a scheme.
        return match Url::parse(&format!("http://{text}")) {
            Ok(url) if !text.contains("//") && url.port().is_some() => wrong(&format!(
                "is neither http nor https; write {}",
                quoted(&format!("http://{text}"))
            )),
            _ => wrong("is neither http nor https"),
        };
    }
    // The host's curl gets the text as it is: what it and the url crate could read differently is left out.
    if !plain(text) {
        return wrong("contains a space, a quote, a brace, a backslash or a non-ASCII character; percent-encode it");
    }
    let authority = text
        .split_once("://")
        .and_then(|(_, rest)| rest.split(['/', '?', '#']).next());
    let Some(authority) = authority else {
        return wrong("has no `//` after its scheme");
    };
    if authority.contains('@') || !url.username().is_empty() || url.password().is_some() {
        return wrong("contains a login; a health check must not contain secrets");
    }
    if url.fragment().is_some() {
        return wrong("contains a `#`; the part after it would not be sent");
    }
    if text.len() > authority.len()
        && text
            .split_once(authority)
            .is_some_and(|(_, path)| path.contains(['[', ']']))
    {
        return wrong("contains a bracket in its path; percent-encode it");
    }
    let forbidden = match url.host() {
        Some(Host::Ipv4(address)) => is_instance_data(address.into()),
        Some(Host::Ipv6(address)) => is_instance_data(address.into()),
        Some(Host::Domain(name)) => METADATA_NAMES.contains(&name.trim_end_matches('.').to_lowercase().as_str()),
        None => return wrong("has no host"),
    };
    if forbidden {
        return wrong("is the address of a cloud metadata service, not of the app");
    }
    Ok(Probe::Http { url: text.to_owned() })
}

/// Reads `tcp`: `host:port` or `[v6]:port`.
fn tcp(text: &str) -> Result<Probe, Wrong> {
    let wrong = |why: &str| Err(Wrong(format!("{} {why}", quoted(text))));
    if text.contains('@') {
        return wrong("contains a login; write an address such as `127.0.0.1:5432`");
    }
    let target = Target::parse(text)?;
    let Some(port) = target.port else {
        return wrong("has no port; write an address such as `127.0.0.1:5432`");
    };
    if target.host.parse().is_ok_and(is_instance_data) || METADATA_NAMES.contains(&target.host.to_lowercase().as_str())
    {
        return wrong("is the address of a cloud metadata service, not of the app");
    }
    Ok(Probe::Tcp {
        host: target.host,
        port,
    })
}

/// Checks `unix.socket`: an absolute path that fits a socket address (unix(7): 108 bytes with the NUL).
pub(super) fn socket_path(text: &str) -> Result<String, Wrong> {
    let wrong = |why: &str| Err(Wrong(format!("{} {why}", quoted(text))));
    if !text.starts_with('/') {
        return wrong("is not an absolute path; write one such as `/run/acme/http.sock`");
    }
    if text.len() > 107 {
        return wrong("is longer than 107 bytes, the limit for a socket path");
    }
    if !text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+@".contains(c)) {
        return wrong("contains characters other than letters, digits and `/ . _ - + @`");
    }
    if text.ends_with('/') || text[1..].split('/').any(|part| matches!(part, "" | "." | "..")) {
        return wrong("contains `//`, `.`, `..` or a trailing `/`; write the path without them");
    }
    Ok(text.to_owned())
}

/// Checks `unix.path`.
fn url_path(text: &str) -> Result<String, Wrong> {
    let wrong = |why: &str| Err(Wrong(format!("{} {why}", quoted(text))));
    if !text.starts_with('/') {
        return wrong("must begin with `/`, for example `/healthz`");
    }
    if text.len() > 2000 || !plain(text) || text.contains(['[', ']', '#']) {
        return wrong("is not a valid URL path; percent-encode special characters");
    }
    Ok(text.to_owned())
}

/// Printable ASCII that RFC 3986 gives a place in a URL, the quote `'` excepted.
fn plain(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_ascii_graphic() && !"'\"\\`<>{}|^".contains(c))
}

fn is_instance_data(address: IpAddr) -> bool {
    const ALIBABA: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);
    const AWS_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4 == ALIBABA,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_instance_data(v4.into()),
            None => v6.is_unicast_link_local() || v6 == AWS_V6,
        },
    }
}
