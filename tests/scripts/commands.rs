//! The external commands of the conductor, found in its text: each has a deadline.

use std::collections::BTreeSet;
use std::path::Path;

use shipit::remote::CONDUCTOR;

/// Programs of this machine whose name the conductor has in the place of a command, and that need no function of their
/// own: the shell has them built in, or they end by something else.
const OTHERS: &[(&str, &str)] = &[
    ("[", "built in"),
    ("as", "a word of awk's text"),
    ("echo", "built in"),
    ("env", "executes what follows it"),
    ("false", "built in"),
    ("last", "a word of awk's text"),
    ("kill", "built in"),
    ("open", "a word of perl's text"),
    ("printf", "built in"),
    ("pwd", "built in"),
    ("split", "a word of awk's and perl's texts"),
    ("systemd", "a word of a sentence"),
    ("test", "built in"),
    ("true", "built in"),
    ("timeout", "it is the deadline"),
    ("sleep", "it ends"),
];

/// The words in the places of commands: at the beginning of a line, or behind what a command follows.
fn commands(text: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    for line in text.lines() {
        let mut first = true;
        for word in line.split(' ').filter(|word| !word.is_empty()) {
            let inner = word.rsplit("$(").next().unwrap_or(word);
            let name = inner.trim_start_matches(['(', '{', '!']).trim_end_matches([';', ')']);
            if first || inner.len() < word.len() || word.starts_with('(') {
                found.insert(name);
            }
            // `a=b command` too.
            first = matches!(
                word,
                "|" | "||"
                    | "&&"
                    | "&"
                    | "{"
                    | "("
                    | "!"
                    | "if"
                    | "then"
                    | "elif"
                    | "else"
                    | "do"
                    | "while"
                    | "until"
                    | "exec"
            ) || word.ends_with([';', '('])
                || first && word.contains('=');
        }
    }
    found
}

#[test]
fn every_command_of_the_conductor_has_a_deadline() {
    let list = CONDUCTOR
        .split("for deadline_of in ")
        .nth(1)
        .unwrap()
        .split("; do")
        .next();
    let bounded: BTreeSet<&str> = list
        .unwrap()
        .split_whitespace()
        .filter_map(|word| Some(word.split_once(':')?.0))
        .collect();
    let found = commands(CONDUCTOR);
    let is_program = |name: &str| {
        let plain = name == "["
            || name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let dirs = ["/usr/bin", "/usr/sbin"];
        plain && !name.is_empty() && dirs.iter().any(|dir| Path::new(dir).join(name).exists())
    };
    let unbounded: Vec<_> = found
        .iter()
        .filter(|name| is_program(name) && !bounded.contains(*name))
        .filter(|name| !OTHERS.iter().any(|(other, _)| other == *name))
        .collect();
    assert!(unbounded.is_empty(), "without a deadline: {unbounded:?}");
    // The search finds what is there.
    let seen = bounded.iter().filter(|name| found.contains(*name)).count();
    assert!(seen > 15, "{seen} of {bounded:?}");
}
