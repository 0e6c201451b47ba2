//! The `environments` of a file: which there are, and what the file says with one of them laid over its top.

use super::keys::TOP;
use super::names::{EnvironmentName, Wrong, quoted};
use super::reader::{Map, Problems, nearest};
use super::tree::{Entry, Kind, Mark, Node};

/// One of `environments`.
pub(super) struct Environment<'a> {
    pub name: EnvironmentName,
    /// The keys that it overrides.
    pub node: &'a Node,
}

/// Their names, for a message.
pub(super) fn list(environments: &[Environment<'_>]) -> String {
    environments
        .iter()
        .map(|environment| environment.name.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

/// The environments whose names and shape are right.
pub(super) fn read<'a>(root: &'a Node, problems: &mut Problems) -> Vec<Environment<'a>> {
    let value = Map::read(root, "deploy.yml", TOP, &mut Problems::default())
        .and_then(|map| map.get("environments"));
    let Some(value) = value else {
        return Vec::new();
    };
    let Kind::Map(entries) = &value.node.kind else {
        value.wants("a map of names to keys", problems);
        return Vec::new();
    };
    let mut found = Vec::new();
    for Entry {
        key,
        at,
        value: node,
    } in entries
    {
        let name = match EnvironmentName::parse(key) {
            Ok(name) => name,
            Err(Wrong(why)) => {
                problems.note(*at, why);
                continue;
            }
        };
        // What it lacks is looked for once it lies over the top.
        let mut own = Problems::default();
        let map = Map::read(node, &format!("environment `{name}`"), TOP, &mut own);
        problems.wrong.append(&mut own.wrong);
        let Some(map) = map else { continue };
        if let Some(inner) = map.get("environments") {
            problems.note(
                inner.node.at,
                "environments inside an environment; there is one level of them",
            );
            continue;
        }
        found.push(Environment { name, node });
    }
    found
}

/// The environment of this name.
pub(super) fn known(
    wanted: &str,
    environments: &[Environment<'_>],
    problems: &mut Problems,
) -> Option<EnvironmentName> {
    let found = environments
        .iter()
        .find(|environment| environment.name.as_str() == wanted);
    if found.is_none() {
        let names = || {
            environments
                .iter()
                .map(|environment| environment.name.as_str())
        };
        let hint = match (environments.is_empty(), nearest(wanted, names())) {
            (true, _) => "it has no `environments`".to_owned(),
            (false, Some(near)) => format!(
                "did you mean {}? There are: {}",
                quoted(near),
                list(environments)
            ),
            (false, None) => format!("there are: {}", list(environments)),
        };
        problems.note(
            Mark::START,
            format!("no environment {}; {hint}", quoted(wanted)),
        );
    }
    found.map(|environment| environment.name.clone())
}

/// The top with an environment laid over it. A key of the environment takes the place of the same key at the
/// top, as a whole; only `shared` and `hooks`, which are nothing but maps of independent keys, are merged key
/// by key.
pub(super) fn merge(root: &Node, environment: &Node) -> Node {
    let (Kind::Map(base), Kind::Map(over)) = (&root.kind, &environment.kind) else {
        return root.clone();
    };
    let mut merged: Vec<Entry> = base
        .iter()
        .filter(|entry| entry.key != "environments")
        .cloned()
        .collect();
    for entry in over {
        match merged
            .iter_mut()
            .find(|candidate| candidate.key == entry.key)
        {
            Some(below) => {
                let both_maps = matches!(
                    (&below.value.kind, &entry.value.kind),
                    (Kind::Map(_), Kind::Map(_))
                );
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

/// Whether an environment has a key that the top needs and lacks.
pub(super) fn complete(root: &Node, environments: &[Environment<'_>]) -> bool {
    let has = |node: &Node, name: &str| match &node.kind {
        Kind::Map(entries) => entries.iter().any(|entry| entry.key == name),
        _ => false,
    };
    ["app", "host", "source", "services"].iter().any(|name| {
        !has(root, name)
            && environments
                .iter()
                .any(|environment| has(environment.node, name))
    })
}
