//! Which room of `src` may use which, and that no files import each other in a ring.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::{files, none};

/// `src/plan/mod.rs` and `src/plan.rs` are both of `plan`.
fn layer(file: &str) -> &str {
    let below = file.strip_prefix("src/").unwrap();
    below.split(['/', '.']).next().unwrap()
}

/// The modules of the crate that a line of code names, by `crate::` or, from the binary, `shipit::`. Both
/// `crate::plan::Plan` and `use crate::{plan, step}` count.
fn named(text: &str) -> Vec<(usize, String)> {
    let code: Vec<&str> = text.lines().map(|line| line.split("//").next().unwrap_or("")).collect();
    let mut found = Vec::new();
    for (index, line) in code.iter().enumerate() {
        for (at, prefix) in line.match_indices("crate::").chain(line.match_indices("shipit::")) {
            // A list may go on over lines, down to its own closing brace.
            let rest = std::iter::once(&line[at + prefix.len()..])
                .chain(code[index + 1..].iter().copied())
                .collect::<Vec<_>>()
                .join(" ");
            let mut depth = 0;
            let mut fresh = true;
            let mut name = String::new();
            for c in rest.chars().chain([';']) {
                if c.is_alphanumeric() || c == '_' {
                    name.push(c);
                    continue;
                }
                if fresh && !name.is_empty() && depth <= 1 {
                    found.push((index + 1, name.clone()));
                    fresh = false;
                }
                name.clear();
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 1 => fresh = true,
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
            }
        }
    }
    found
}

#[test]
fn the_names_that_a_file_uses_are_found() {
    let text = "use crate::plan::{Plan, step};\nuse crate::{\n    host::{Host, cli}, words,\n    report,\n};\n\
                fn f() { crate::engine::go(shipit::unit::x) } // crate::cli";
    let names: Vec<_> = named(text).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["plan", "host", "words", "report", "engine", "unit"]);
}

/// The floors of the house, from the ground up. A file may use what is on a lower floor, and its own room. The same table
/// is in `docs/ARCHITECTURE.md`.
const FLOORS: &[&[&str]] = &[
    &["cache", "failure", "interrupt", "terminal", "text", "unit"],
    &["step"],
    &["config", "host", "release", "report"],
    &["observed", "remote", "source"],
    &["router", "upload"],
    &["strategy"],
    &["plan"],
    &["diagnosis"],
    &["engine"],
    &["cli"],
    &["main", "lib"],
];

fn floor(layer: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&layer))
}

#[test]
fn every_room_uses_only_lower_floors() {
    let (mut broken, mut rooms) = (Vec::new(), BTreeSet::new());
    for (file, text) in files("src", ".rs") {
        let own = layer(&file);
        rooms.insert(own.to_owned());
        let Some(at) = floor(own) else {
            broken.push(format!("{file}: `{own}` is on no floor of FLOORS"));
            continue;
        };
        for (line, name) in named(&text) {
            // What is no room is an item that lib.rs defines, or the macro of a room.
            if name != own && floor(&name).is_some_and(|other| other >= at) {
                broken.push(format!("{file}:{line}: `{own}` must not use `{name}`"));
            }
        }
    }
    // `unit` is a library of its own: it uses nothing else.
    for (file, text) in files("src/unit", ".rs") {
        for (line, name) in named(&text).into_iter().filter(|(_, name)| name != "unit") {
            broken.push(format!("{file}:{line}: `unit` must not use `{name}`"));
        }
    }
    // A room that was renamed would be held to nothing.
    for room in FLOORS.iter().flat_map(|rooms| rooms.iter()) {
        if !rooms.contains(*room) {
            broken.push(format!("FLOORS names `{room}`, which src does not have"));
        }
    }
    none(&broken);
    let map = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ARCHITECTURE.md")).unwrap();
    for rooms in &FLOORS[..FLOORS.len() - 1] {
        let row: Vec<String> = rooms.iter().map(|room| format!("`{room}`")).collect();
        assert!(
            map.contains(&format!("| {} |", row.join(", "))),
            "docs/ARCHITECTURE.md lacks the floor {row:?}"
        );
    }
}

/// The file of a module path such as `source::walk`, when there is one: the longest that matches.
fn module<'a>(path: &[String], all: &'a BTreeSet<String>) -> Option<&'a String> {
    (1..=path.len()).rev().find_map(|length| {
        let base = format!("src/{}", path[..length].join("/"));
        all.get(&format!("{base}.rs"))
            .or_else(|| all.get(&format!("{base}/mod.rs")))
    })
}

/// The files that a file imports by `use super::…` or `use crate::…`, tests apart. Its own `mod.rs` files are left out: a
/// room's front door knows its rooms, and they may know its types.
fn imports(file: &str, text: &str, all: &BTreeSet<String>) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]").next().unwrap();
    let mut own: Vec<String> = file
        .strip_prefix("src/")
        .unwrap()
        .split('/')
        .map(str::to_owned)
        .collect();
    let name = own.pop().unwrap();
    if name != "mod.rs" {
        own.push(name.trim_end_matches(".rs").to_owned());
    }
    let mut found = BTreeSet::new();
    for prefix in ["super::", "crate::"] {
        for (at, _) in code.match_indices(prefix) {
            if code[..at].ends_with("super::") || code[..at].lines().last().is_some_and(|line| line.contains("//")) {
                continue;
            }
            let mut base = if prefix == "crate::" {
                Vec::new()
            } else {
                own[..own.len() - 1].to_vec()
            };
            let mut rest = &code[at + prefix.len()..];
            while let Some(up) = rest.strip_prefix("super::") {
                base.pop();
                rest = up;
            }
            let path = rest
                .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
                .next()
                .unwrap();
            let path = path.split("::").filter(|part| !part.is_empty()).map(str::to_owned);
            let heads = [base.clone(), path.collect()].concat();
            // A list: `super::{a, b::C}`. Names of items find no file of their own, and count for what is before the brace.
            let list = rest
                .split(';')
                .next()
                .unwrap()
                .split_once('{')
                .filter(|(head, _)| head.len() <= 40 && !head.contains(char::is_whitespace));
            let names = list
                .map(|(_, list)| list.split(['{', '}', ',']).map(str::trim).collect::<Vec<_>>())
                .unwrap_or_default();
            let listed = names.iter().map(|name| {
                let name = name.split("::").next().unwrap().to_owned();
                [heads.clone(), vec![name]].concat()
            });
            found.extend(
                listed
                    .chain([heads.clone()])
                    .filter_map(|path| module(&path, all))
                    .cloned(),
            );
        }
    }
    found.remove(file);
    let doors = (0..own.len()).map(|length| format!("src/{}/mod.rs", own[..length].join("/")));
    for door in doors {
        found.remove(&door);
    }
    found.remove("src/lib.rs");
    found
}

#[test]
fn no_files_import_each_other_in_a_ring() {
    let sources = files("src", ".rs");
    let all: BTreeSet<String> = sources.iter().map(|(file, _)| file.clone()).collect();
    let mut left: BTreeMap<String, BTreeSet<String>> = sources
        .iter()
        .map(|(file, text)| (file.clone(), imports(file, text, &all)))
        .collect();
    // A room's front door imports its rooms to hand them on: no ring goes through it and back inside.
    for (file, imported) in &mut left {
        if let Some(room) = file.strip_suffix("mod.rs") {
            imported.retain(|other| !other.starts_with(room));
        }
    }
    assert!(
        left.values().map(BTreeSet::len).sum::<usize>() > 500,
        "the imports are not read any more"
    );
    // What imports nothing that is left is in no ring.
    loop {
        let free: Vec<String> = left
            .iter()
            .filter(|(_, to)| to.iter().all(|other| !left.contains_key(other)))
            .map(|(file, _)| file.clone())
            .collect();
        if free.is_empty() {
            break;
        }
        left.retain(|file, _| !free.contains(file));
    }
    // And what nothing that is left imports leads to one at most.
    loop {
        let wanted: BTreeSet<String> = left.values().flatten().cloned().collect();
        let before = left.len();
        left.retain(|file, _| wanted.contains(file));
        if left.len() == before {
            break;
        }
    }
    let broken: Vec<String> = left
        .iter()
        .map(|(file, to)| {
            format!(
                "{file} -> {:?}",
                to.iter().filter(|other| left.contains_key(*other)).collect::<Vec<_>>()
            )
        })
        .collect();
    none(&broken);
}
