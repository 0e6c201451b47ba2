//! `prepare`: the command that makes a release ready on the host, and what it makes from what. Nothing here compares the
//! paths with a release.

use super::Shared;
use super::keys::keys;
use super::names::quoted;
use super::paths::RelPath;
use super::reader::{Shape, Value};
use super::shape::SHARED_DIR;
use super::tree::Kind;

/// A command on the host, in the new release, before anything live changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepare {
    /// A command line for `sh -c`.
    pub run: String,
    /// What it is made from and what is made: `None` in the short form, which always runs.
    pub products: Option<Products>,
}

/// What a command makes, and from which files of the release. Both are named: neither is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Products {
    pub inputs: Vec<RelPath>,
    /// No output is in another one, and none meets a shared path.
    pub outputs: Vec<RelPath>,
}

/// `prepare`, for editors.
pub(super) const SHAPE: Shape = Shape::Either(&[Shape::Text, Shape::Map(PREPARE)]);

keys! {
    /// Below `prepare`, in its long form.
    PREPARE, fn long(map, shared: Option<&Shared>) -> Prepare {
        must run: "npm ci --omit=dev" as Shape::Text => |v| v.command(),
        must inputs: "[package-lock.json]" as Shape::List(&SHARED_DIR) => |v| some(v, v.list(path)?),
        must outputs: "[node_modules]" as Shape::List(&SHARED_DIR) => |v| apart(v, some(v, v.list(path)?)?, shared),
    }
    Prepare { run, products: Some(Products { inputs, outputs }) }
}

/// Reads `prepare`: a command, or a map of keys.
pub(super) fn prepare(value: Value<'_>, shared: Option<&Shared>) -> Option<Prepare> {
    if matches!(value.node.kind, Kind::Map(_)) {
        return long(&value.map(PREPARE)?, shared);
    }
    let run = value.command()?;
    Some(Prepare { run, products: None })
}

fn path(value: Value<'_>) -> Option<RelPath> {
    value.name(RelPath::parse)
}

fn some(value: Value<'_>, paths: Vec<RelPath>) -> Option<Vec<RelPath>> {
    if paths.is_empty() {
        value.is_wrong("is empty; name at least one path, or write only the command: `prepare: npm ci`");
        return None;
    }
    Some(paths)
}

/// Outputs that do not overlap: each is taken over by itself, and what is shared is in no release.
fn apart(value: Value<'_>, outputs: Vec<RelPath>, shared: Option<&Shared>) -> Option<Vec<RelPath>> {
    for (at, one) in outputs.iter().enumerate() {
        let name = quoted(one.as_str());
        if let Some(other) = outputs[..at].iter().find(|other| other.meets(one.as_str().as_bytes())) {
            value.is_wrong(&format!("{name} and {} overlap", quoted(other.as_str())));
            return None;
        }
        if let Some(other) = shared.and_then(|shared| shared.collision(one.as_str().as_bytes())) {
            value.is_wrong(&format!(
                "{name} and the shared path {} overlap",
                quoted(other.as_str())
            ));
            return None;
        }
    }
    Some(outputs)
}
