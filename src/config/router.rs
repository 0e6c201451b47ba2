//! `routers`: the routers in front of instances, each with the way to turn it and the address at which it answers for the
//! app. Nothing here reaches one, nor knows which instance gets the requests.

use serde_json::json;

use super::Probe;
use super::keys::keys;
use super::names::{RouterName, Wrong, quoted};
use super::paths::RemotePath;
use super::probe::{http, socket_path};
use super::reader::{Map, Shape, Value};
use super::shape::{SOCKET_PATH, URL};
use super::tree::{Entry, Kind as Node};
use crate::step::{Lever, Proxy};

/// One of `routers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Router {
    pub name: RouterName,
    pub lever: Lever,
    /// Where it answers for the app; asked on the host.
    pub url: Probe,
}

crate::text::words! {
    /// What `kind` of router can be turned.
    pub(super) enum Kind {
        Nginx = "nginx",
        Caddy = "caddy",
        Haproxy = "haproxy",
    }
}

/// `routers`, for editors.
pub(super) const SHAPE: Shape = Shape::Named(ROUTER, kinds_have_keys);
const BACKEND: Shape = Shape::Like("^[A-Za-z0-9._-]{1,64}$");

fn kinds() -> Vec<&'static str> {
    Kind::ALL.iter().map(|kind| kind.word()).collect()
}

/// What [`of`] checks.
fn kinds_have_keys() -> serde_json::Value {
    json!({
        "if": {"properties": {"kind": {"enum": ["haproxy"]}}},
        "then": {"required": ["socket", "backend"], "not": {"required": ["live"]}},
        "else": {"not": {"anyOf": [{"required": ["socket"]}, {"required": ["backend"]}]}},
    })
}

/// Reads `routers`: names, and a map of keys for each.
pub(super) fn routers(value: Value<'_>, root: Option<&RemotePath>) -> Option<Vec<Router>> {
    let Node::Map(entries) = &value.node.kind else {
        value.must_be("a map of names to routers");
        return None;
    };
    let one = |Entry { key, at, value: node }: &Entry| {
        let name = match RouterName::parse(key) {
            Ok(name) => Some(name),
            Err(Wrong(why)) => {
                value.problems.note(*at, why);
                None
            }
        };
        let map = Map::read(node, &format!("router {}", quoted(key)), ROUTER, value.problems)?;
        router(&map, name, root)
    };
    let read: Vec<Option<Router>> = entries.iter().map(one).collect();
    let read: Option<Vec<Router>> = read.into_iter().collect();
    let read = read?;
    for (at, one) in read.iter().enumerate() {
        if let Some(other) = read[..at].iter().find(|other| other.lever.key() == one.lever.key()) {
            let text = format!(
                "{} and {} are the same router",
                quoted(other.name.as_str()),
                quoted(one.name.as_str())
            );
            value.problems.note(entries[at].at, text);
            return None;
        }
    }
    Some(read)
}

keys! {
    /// In each of `routers`.
    ROUTER, fn router(map, name: Option<RouterName>, root: Option<&RemotePath>) -> Router {
        must kind: "nginx" as Shape::OneOf(kinds) => known_kind,
        must url: "http://127.0.0.1/healthz" as URL => |v| v.name(http),
        own live: "/opt/acme/live.sock" as SOCKET_PATH => of(map, kind, &[Kind::Nginx, Kind::Caddy], "live", lasting_path,
            || root.map(|root| root.join("live.sock"))),
        own socket: "/run/haproxy/acme.sock" as SOCKET_PATH => of(map, kind, &[Kind::Haproxy], "socket", socket_path, || {
            lacks(map, "socket", "kind: haproxy")
        }),
        own backend: "acme" as BACKEND => of(map, kind, &[Kind::Haproxy], "backend", backend, || {
            lacks(map, "backend", "kind: haproxy")
        }),
    }
    {
        // Whether each instance has a socket or a port is known by its service: `behind`.
        let lever = match kind {
            Kind::Nginx => Lever::Link { proxy: Proxy::Nginx, live: live? },
            Kind::Caddy => Lever::Link { proxy: Proxy::Caddy, live: live? },
            Kind::Haproxy => Lever::Haproxy { socket: socket?, backend: backend? },
        };
        Router { name: name?, lever, url }
    }
}

fn known_kind(value: Value<'_>) -> Option<Kind> {
    let kind = Kind::of(value.text()?);
    if kind.is_none() {
        value.must_be("nginx, caddy or haproxy");
    }
    kind
}

/// The value of a key that only some kinds of router have: `Some(None)` for the others, which must not have it.
fn of(
    map: &Map<'_>,
    kind: Option<Kind>,
    its: &[Kind],
    key: &str,
    read: impl Fn(&str) -> Result<String, Wrong>,
    otherwise: impl FnOnce() -> Option<String>,
) -> Option<Option<String>> {
    match (map.get(key), kind.is_some_and(|kind| its.contains(&kind))) {
        (Some(value), true) => value.name(read).map(Some),
        (Some(value), false) if kind.is_some() => {
            let its: Vec<String> = its.iter().map(|kind| format!("`kind: {}`", kind.word())).collect();
            let verb = if its.len() == 1 { "uses" } else { "use" };
            value.is_wrong(&format!("only {} {verb} it", its.join(" and ")));
            None
        }
        (None, true) => otherwise().map(Some),
        _ => Some(None),
    }
}

fn lacks(map: &Map<'_>, key: &str, whose: &str) -> Option<String> {
    map.problems
        .note(map.at, format!("{} is missing; `{whose}` requires it", quoted(key)));
    None
}

/// A path for the symlink that the router follows. It must survive a reboot: nothing creates it again before a deploy.
fn lasting_path(text: &str) -> Result<String, Wrong> {
    let path = socket_path(text)?;
    let emptied = ["/run/", "/var/run/", "/tmp/", "/var/tmp/", "/dev/"];
    if emptied.iter().any(|dir| path.starts_with(dir)) {
        return Err(Wrong(format!(
            "{} is in a directory that is empty after a reboot, and then the router would find no instance; write a path in the app's root, such as `/opt/acme/live.sock`",
            quoted(text)
        )));
    }
    Ok(path)
}

/// The name of a backend (HAProxy's configuration manual, 2.4: letters, digits, `-`, `_`, `.` and `:`).
fn backend(text: &str) -> Result<String, Wrong> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if text.len() > 64 || !text.chars().all(legal) {
        return Err(Wrong(format!(
            "{} is not the name of a backend; use at most 64 letters, digits, `-`, `_` and `.`",
            quoted(text)
        )));
    }
    Ok(text.to_owned())
}
