//! The rules of the house that no compiler knows: which layer may know which, how long a file may be, what a file
//! opens with. Each failure names file and line.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a Rust file, from which on it is two files.
const LONG: usize = 400;
/// Lines of a host script: what an administrator reads in one sitting.
const LONG_SCRIPT: usize = 80;

/// The text files below a folder of the repository whose names end so: path from the top, and text.
fn files(folder: &str, suffix: &str) -> Vec<(String, String)> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders: Vec<PathBuf> = vec![top.join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(suffix) {
                let name = path.strip_prefix(top).unwrap().display().to_string();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "no *{suffix} below {folder}");
    found.sort();
    found
}

fn rust() -> Vec<(String, String)> {
    [files("src", ".rs"), files("tests", ".rs")].concat()
}

#[track_caller]
fn none(broken: &[String]) {
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

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

#[test]
fn layers_know_only_what_is_below_them() {
    let pure: &[&str] = &["host", "remote", "report", "engine", "cli"];
    let never = |layer: &str| match layer {
        "strategy" | "plan" | "config" | "release" | "source" | "upload" | "step" | "observed"
        | "router" | "diagnosis" | "text" | "failure" => pure,
        "report" => &["host", "engine", "cli"],
        "host" => &["plan", "engine", "report", "cli"],
        "remote" => &["plan", "engine", "report", "cli"],
        "main" | "cli" => &[],
        _ => &["cli"],
    };
    let mut broken = Vec::new();
    let mut layers = BTreeSet::new();
    for (file, text) in files("src", ".rs") {
        let own = layer(&file);
        layers.insert(own.to_owned());
        for (line, name) in named(&text) {
            let foreign = own == "unit" && name != "unit";
            if foreign || (name != own && never(own).contains(&name.as_str())) {
                broken.push(format!("{file}:{line}: `{own}` must not know `{name}`"));
            }
        }
    }
    // A layer that was renamed away would be held to nothing.
    for layer in [
        "strategy",
        "plan",
        "observed",
        "router",
        "source",
        "upload",
        "diagnosis",
        "config",
        "unit",
        "release",
        "step",
        "report",
        "host",
        "engine",
    ] {
        assert!(layers.contains(layer), "no layer `{layer}` any more");
    }
    none(&broken);
}

#[test]
fn every_file_says_what_lives_there_and_is_short() {
    let mut broken = Vec::new();
    for (file, text) in rust() {
        if !text.starts_with("//! ") {
            broken.push(format!("{file}:1: does not open with `//!`"));
        }
        let lines = text.lines().count();
        if lines >= LONG {
            broken.push(format!("{file}: {lines} lines, {LONG} are too many"));
        }
    }
    for (file, text) in files("src/remote", ".sh") {
        if !text.starts_with('#') {
            broken.push(format!("{file}:1: does not open with a comment"));
        }
        let lines = text.lines().count();
        if lines >= LONG_SCRIPT {
            broken.push(format!("{file}: {lines} lines, {LONG_SCRIPT} are too many"));
        }
    }
    none(&broken);
}

#[test]
fn nothing_unfinished_and_nothing_of_one_machine_is_left() {
    let words = [
        "todo!(",
        "dbg!(",
        "unimplemented!(",
        "TODO",
        "FIXME",
        "/work/main",
        "/work/wt",
        "/work/shared",
    ];
    let mut broken = Vec::new();
    let all = [
        rust(),
        files("src/remote", ".sh"),
        files("scripts", ""),
        files("docs", ".md"),
    ]
    .concat();
    for (file, text) in all {
        if file == "tests/tidy.rs" {
            continue; // it names them
        }
        for (index, line) in text.lines().enumerate() {
            if let Some(word) = words.iter().find(|word| line.contains(**word)) {
                broken.push(format!("{file}:{}: `{word}`", index + 1));
            }
            if issue(line) {
                broken.push(format!("{file}:{}: the number of an issue", index + 1));
            }
        }
    }
    none(&broken);
}

/// `issue #12`, `(#12)`, `fixes #12`: a number that only a tracker can explain.
fn issue(line: &str) -> bool {
    line.match_indices('#').any(|(at, _)| {
        let before = line[..at].to_lowercase();
        let number = line[at + 1..]
            .chars()
            .take_while(char::is_ascii_digit)
            .count();
        (1..=5).contains(&number)
            && ["issue ", "(", "fixes ", "closes ", "see ", "pr "]
                .iter()
                .any(|word| before.ends_with(word))
    })
}

#[test]
fn every_file_that_a_document_names_is_there() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ours = ["src/", "tests/", "scripts/", "docs/"];
    let readme = fs::read_to_string(top.join("README.md")).unwrap();
    let (mut broken, mut named) = (Vec::new(), 0);
    for (document, text) in [files("docs", ".md"), vec![("README.md".into(), readme)]].concat() {
        let quoted = text.split('`').skip(1).step_by(2);
        for path in quoted.filter(|word| ours.iter().any(|top| word.starts_with(top))) {
            named += 1;
            if !top.join(path.split_whitespace().next().unwrap()).exists() {
                broken.push(format!("{document}: there is no {path}"));
            }
        }
    }
    none(&broken);
    assert!(named > 20, "{named}");
}
