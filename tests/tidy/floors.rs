//! Which room of `src` may use which, and that no files import each other in a ring.

use std::collections::BTreeSet;
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
    let code: Vec<&str> = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or(""))
        .collect();
    let mut found = Vec::new();
    for (index, line) in code.iter().enumerate() {
        for (at, prefix) in line
            .match_indices("crate::")
            .chain(line.match_indices("shipit::"))
        {
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
    &["failure", "interrupt", "text", "unit"],
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
    let map =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ARCHITECTURE.md"))
            .unwrap();
    for rooms in &FLOORS[..FLOORS.len() - 1] {
        let row: Vec<String> = rooms.iter().map(|room| format!("`{room}`")).collect();
        assert!(
            map.contains(&format!("| {} |", row.join(", "))),
            "docs/ARCHITECTURE.md lacks the floor {row:?}"
        );
    }
}
