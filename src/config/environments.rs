//! The `environments` of a file, and the file with one of them merged over its top level.

use crate::failure::{Exit, Failure, Next};

use super::names::{EnvironmentName, Wrong, quoted};
use super::reader::{Key, Map, Problems, Value, nearest};
use super::top::TOP;
use super::tree::{Entry, Kind, Node};

const KEY: &str = "environments";

/// One of `environments`.
pub(super) struct Environment<'a> {
    pub name: EnvironmentName,
    pub node: &'a Node,
}

pub(super) fn list(environments: &[Environment<'_>]) -> String {
    environments
        .iter()
        .map(|environment| environment.name.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

/// The environments whose names and shape are right.
pub(super) fn read<'a>(root: &'a Node, problems: &Problems) -> Vec<Environment<'a>> {
    let Some(node) = key_of(root, KEY) else {
        return Vec::new();
    };
    let Kind::Map(entries) = &node.kind else {
        if let Some(key) = TOP.iter().find(|key| key.name == KEY) {
            let value = Value { key, node, problems };
            value.must_be("a map of names to keys");
        }
        return Vec::new();
    };
    let mut found = Vec::new();
    for Entry { key, at, value: node } in entries {
        let name = match EnvironmentName::parse(key) {
            Ok(name) => name,
            Err(Wrong(why)) => {
                problems.note(*at, why);
                continue;
            }
        };
        // Missing keys are checked once it is merged over the top level.
        let own = Problems::default();
        let map = Map::read(node, &format!("environment `{name}`"), TOP, &own);
        problems.wrong.borrow_mut().append(&mut own.wrong.borrow_mut());
        let Some(map) = map else { continue };
        if let Some(inner) = map.get(KEY) {
            problems.note(
                inner.node.at,
                "`environments` inside an environment; environments cannot be nested",
            );
            continue;
        }
        found.push(Environment { name, node });
    }
    found
}

/// Fails if the file has no environment of that name: the mistake is in the command line.
pub(super) fn typed(root: &Node, wanted: &str, file: &str) -> Result<(), Failure> {
    let all = read(root, &Problems::default());
    let names = || all.iter().map(|environment| environment.name.as_str());
    if names().any(|name| name == wanted) {
        return Ok(());
    }
    let failure = Failure::new(Exit::Usage, format!("{file} has no environment {}", quoted(wanted)));
    if all.is_empty() {
        return Err(failure
            .why("it has no `environments`")
            .next(Next::advice("leave out -e, or add `environments` to deploy.yml")));
    }
    let why = match nearest(wanted, names()) {
        Some(near) => format!("did you mean {}? Available: {}", quoted(near), list(&all)),
        None => format!("available: {}", list(&all)),
    };
    let failure = failure.why(why);
    Err(match (nearest(wanted, names()), all.as_slice()) {
        (Some(one), _) => failure.next(Next::again(format!("-e {one}"))),
        (None, [one]) => failure.next(Next::again(format!("-e {}", one.name))),
        (None, _) => failure,
    })
}

/// The one that was asked for: [`typed`] has found it.
pub(super) fn known(wanted: &str, environments: &[Environment<'_>]) -> Option<EnvironmentName> {
    let mut names = environments.iter().map(|environment| &environment.name);
    names.find(|name| name.as_str() == wanted).cloned()
}

/// The top level with an environment merged over it. A key of the environment replaces the same key of the top level as
/// a whole; only `shared` and `hooks`, which are maps of independent keys, are merged key by key.
pub(super) fn merge(root: &Node, environment: &Node) -> Node {
    let (Kind::Map(base), Kind::Map(over)) = (&root.kind, &environment.kind) else {
        return root.clone();
    };
    let mut merged: Vec<Entry> = base.iter().filter(|entry| entry.key != KEY).cloned().collect();
    for entry in over {
        match merged.iter_mut().find(|candidate| candidate.key == entry.key) {
            Some(below) => {
                let both_maps = matches!((&below.value.kind, &entry.value.kind), (Kind::Map(_), Kind::Map(_)));
                below.value = if both_maps && ["shared", "hooks"].contains(&entry.key.as_str()) {
                    merge(&below.value, &entry.value)
                } else {
                    entry.value.clone()
                };
            }
            None => merged.push(entry.clone()),
        }
    }
    Node {
        at: environment.at,
        kind: Kind::Map(merged),
    }
}

/// Whether an environment has a required key that the top level lacks.
pub(super) fn complete(root: &Node, environments: &[Environment<'_>]) -> bool {
    let lacks = |key: &&Key| key.must && key_of(root, key.name).is_none();
    let mut lacking = TOP.iter().filter(lacks);
    lacking.any(|key| {
        environments
            .iter()
            .any(|environment| key_of(environment.node, key.name).is_some())
    })
}

/// What a map has for a key.
fn key_of<'a>(node: &'a Node, name: &str) -> Option<&'a Node> {
    let Kind::Map(entries) = &node.kind else {
        return None;
    };
    let entry = entries.iter().find(|entry| entry.key == name)?;
    Some(&entry.value)
}
