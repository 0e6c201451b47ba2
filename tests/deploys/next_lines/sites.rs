//! Every place in `src` where a next line is made, found in the text of the program; and the lines in what a command
//! printed. A place is its file, the kind of the line, and its words: `engine/held.rs shipit attach`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::super::desk::Ran;

const KINDS: [&str; 9] = [
    "shipit",
    "offline",
    "again",
    "ssh",
    "ssh_to_jump",
    "scp",
    "ssh_copy_id",
    "shell",
    "advice",
];

/// Lines for a shell that are typed at the desk and not on the host.
pub const HERE: &[&str] = &["host/ssh/errors.rs shell ssh-keygen -R '{}'{file}"];

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files(&path, found),
            false if path.extension().is_some_and(|end| end == "rs") => found.push(path),
            false => {}
        }
    }
}

/// All of them.
pub fn all() -> BTreeSet<String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    files(&src, &mut paths);
    let mut sites = BTreeSet::new();
    for path in paths {
        let name = path.strip_prefix(&src).unwrap().to_str().unwrap();
        if name.ends_with("tests.rs") || name == "failure/next.rs" {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("\nmod tests {").next().unwrap();
        sites.extend(of(code).into_iter().map(|site| format!("{name} {site}")));
    }
    sites
}

/// Those of one file.
fn of(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let calls = KINDS.iter().map(|kind| (*kind, format!("Next::{kind}(")));
    for (kind, call) in calls.chain([("as_root", ".as_root(".to_owned())]) {
        for (at, _) in code.match_indices(&call) {
            let argument = code[at + call.len()..].trim_start();
            let literal = argument.strip_prefix("format!(").unwrap_or(argument).trim_start();
            let words = match literal.strip_prefix('"') {
                Some(literal) => string(literal),
                // A value: its first words.
                None => format!("<{}>", argument.split(['(', ')']).next().unwrap_or_default().trim()),
            };
            found.push(format!("{kind} {words}").trim_end().to_owned());
        }
    }
    found
}

/// A string literal up to its closing quote, its continued lines joined.
fn string(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' if chars.peek() == Some(&'\n') => while chars.next_if(|c| c.is_whitespace()).is_some() {},
            '\\' => out.extend(chars.next()),
            c => out.push(c),
        }
    }
    out
}

/// `shipit`, `shell`, …
pub fn kind(site: &str) -> &str {
    site.split(' ').nth(1).unwrap()
}

/// Whether a printed line can come from there: it has all words of the place that are not filled in, in their order.
pub fn fits(site: &str, line: &str) -> bool {
    let words = site.splitn(3, ' ').nth(2).unwrap_or_default();
    let begin = match kind(site) {
        "shipit" | "offline" | "as_root" | "again" => "shipit ",
        "ssh" | "ssh_to_jump" => "ssh ",
        "scp" => "scp ",
        "ssh_copy_id" => "ssh-copy-id ",
        _ => "",
    };
    let Some(mut rest) = line.strip_prefix(begin) else {
        return false;
    };
    if words.starts_with('<') {
        return kind(site) != "shell" || line.starts_with("sudo systemctl ");
    }
    // The options that lead to the host stand between the program and its words.
    let strict = matches!(kind(site), "shipit" | "offline" | "as_root");
    let mut pieces = words
        .split('{')
        .map(|piece| piece.rsplit('}').next().unwrap_or_default());
    let first = pieces.next().unwrap_or_default();
    if strict {
        let Some(after) = rest.strip_prefix(first) else {
            return false;
        };
        if !(after.is_empty() || after.starts_with(' ') || words.contains('{')) {
            return false;
        }
        rest = after;
    }
    let mut pieces = pieces.chain((!strict).then_some(first)).collect::<Vec<_>>();
    if !strict {
        pieces.rotate_right(1);
    }
    pieces
        .into_iter()
        .filter(|piece| !piece.is_empty())
        .all(|piece| match rest.find(piece) {
            Some(at) => {
                rest = &rest[at + piece.len()..];
                true
            }
            None => false,
        })
        && (kind(site) != "as_root" || rest.contains(" --as "))
}

/// The lines to type in what a command printed.
pub fn lines(said: &Ran) -> Vec<String> {
    let all = said.stdout.lines().chain(said.stderr.lines());
    let next = all.filter_map(|line| {
        let marks = ["next: ", "next  "];
        let (_, rest) = marks.into_iter().find_map(|mark| line.split_once(mark))?;
        Some(rest.trim().to_owned())
    });
    next.collect()
}

#[test]
fn a_place_and_the_line_it_makes_are_matched_by_their_words() {
    let code = "x(Next::shipit(format!(\"unit generate {a}\")).then(b), Next::shell(\n  \"a \\\n   b \\\"c\\\"\"), Next::ssh(line.x()),\n\
                h.as_root(\"setup\"), Next::again(\"\"))";
    let mut found = of(code);
    found.sort_unstable();
    assert_eq!(
        found,
        [
            "again",
            "as_root setup",
            "shell a b \"c\"",
            "shipit unit generate {a}",
            "ssh <line.x>"
        ]
    );
    for (site, line, same) in [
        ("a shipit logs", "shipit logs -i key", true),
        ("a shipit logs", "shipit logs --unit x", true),
        ("a shipit log", "shipit logs", false),
        ("a as_root setup", "shipit setup --as root@h", true),
        ("a as_root setup", "shipit setup", false),
        (
            "a ssh {} ln -sfnT releases/{id} {r}/current",
            "ssh -i k a@b ln -sfnT releases/1 /opt/current",
            true,
        ),
        (
            "a ssh {} ln -sfnT releases/{id} {r}/current",
            "ssh a@b rm /opt/current",
            false,
        ),
        (
            "a shell sudo systemctl start {unit}",
            "sudo systemctl start a.service",
            true,
        ),
        ("a again --yes", "shipit setup --as root@h --yes", true),
    ] {
        assert_eq!(fits(site, line), same, "{site}: {line}");
    }
}
