//! Compares two units: the settings that differ in effect, and the lines that differ as text. Pure; never decides which
//! of the two is right.

use std::time::{Duration, Instant};

use similar::udiff::UnifiedHunkHeader;
use similar::{Algorithm, ChangeTag, capture_diff_slices_deadline, group_diff_ops};

use super::merge::Unit;

/// Lines of context around a difference.
const AROUND: usize = 3;
/// After this long the rest of two very different files is shown as removed and added as a whole.
const SLOWEST: Duration = Duration::from_secs(2);

/// The settings in effect: section, key and value, ordered by section and key.
pub fn settings(unit: &Unit) -> Vec<(String, String, String)> {
    let mut keys: Vec<(&str, &str)> = unit.entries().map(|entry| (entry.section, entry.key)).collect();
    keys.sort_unstable();
    keys.dedup();
    let values = |(section, key): (&str, &str)| {
        unit.all(section, key)
            .into_iter()
            .map(|e| (section.to_owned(), key.to_owned(), e.value.to_owned()))
            .collect::<Vec<_>>()
    };
    keys.into_iter().flat_map(values).collect()
}

/// The keys whose values in effect differ, sorted. Empty when the units differ in comments and order at most.
pub fn differing(one: &Unit, other: &Unit) -> Vec<String> {
    let (one, other) = (settings(one), settings(other));
    let key = |(section, key, _): &(String, String, String)| (section.clone(), key.clone());
    let mut keys: Vec<(String, String)> = one.iter().chain(&other).map(key).collect();
    keys.sort_unstable();
    keys.dedup();
    // In order: two ExecStartPre= swapped are a difference.
    keys.retain(|wanted| {
        let values = |lines: &[(String, String, String)]| {
            lines
                .iter()
                .filter(|line| key(line) == *wanted)
                .map(|(_, _, value)| value.clone())
                .collect::<Vec<_>>()
        };
        values(&one) != values(&other)
    });
    let mut names: Vec<String> = keys.into_iter().map(|(_, key)| key).collect();
    names.dedup();
    names
}

/// A unified diff as `diff -u` writes it, without the two lines of names; empty when the texts are equal. The bytes are
/// those of the files: whoever prints them escapes them.
pub fn unified(old: &[u8], new: &[u8]) -> Vec<Vec<u8>> {
    let (old, new) = (split(old), split(new));
    let until = Instant::now() + SLOWEST;
    let ops = capture_diff_slices_deadline(Algorithm::Myers, &old, &new, Some(until));
    let mut out = Vec::new();
    for hunk in group_diff_ops(ops, AROUND) {
        out.push(UnifiedHunkHeader::new(&hunk).to_string().into_bytes());
        for change in hunk.iter().flat_map(|op| op.iter_changes(&old, &new)) {
            let mark = match change.tag() {
                ChangeTag::Equal => b' ',
                ChangeTag::Delete => b'-',
                ChangeTag::Insert => b'+',
            };
            out.push([&[mark], change.value()].concat());
        }
    }
    out
}

fn split(text: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<&[u8]> = text.split(|b| *b == b'\n').collect();
    if lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    lines
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn unit(text: &str) -> Unit {
        Unit::parse("a.service", text.as_bytes()).unwrap()
    }

    #[test]
    fn comments_order_and_repeated_sections_are_not_a_difference() {
        let one = unit("[Unit]\nDescription=a\n[Service]\nExecStart=/bin/a\nUser=x\n");
        let other = unit("# why\n[Service]\nUser=y\nUser=x\n[Unit]\nDescription=a\n[Service]\nExecStart=/bin/a\n");
        assert_eq!(differing(&one, &other), [""; 0]);
    }

    #[test]
    fn values_and_the_order_of_commands_are_a_difference() {
        let one = unit("[Service]\nExecStartPre=/bin/a\nExecStartPre=/bin/b\nUser=x\nNice=1\n");
        let other = unit("[Service]\nExecStartPre=/bin/b\nExecStartPre=/bin/a\nUser=y\nNice=1\n");
        assert_eq!(differing(&one, &other), ["ExecStartPre", "User"]);
    }

    #[test]
    fn a_unified_diff_equals_that_of_diff_u() {
        let old: Vec<String> = (1..=30).map(|n| format!("line {n}")).collect();
        let mut new = old.clone();
        new[1] = "changed".into();
        new.remove(14);
        new.insert(20, "added".into());
        for (old, new) in [
            (old.clone(), new.clone()),
            (new, old.clone()),
            (Vec::new(), old.clone()),
            (old, Vec::new()),
        ] {
            let text = |lines: &[String]| lines.iter().map(|l| format!("{l}\n")).collect::<String>();
            let dir = tempfile::tempdir().unwrap();
            let (a, b) = (dir.path().join("a"), dir.path().join("b"));
            std::fs::write(&a, text(&old)).unwrap();
            std::fs::write(&b, text(&new)).unwrap();
            let Ok(output) = std::process::Command::new("diff").arg("-u").arg(a).arg(b).output() else {
                return; // diff(1) is not installed
            };
            let output = String::from_utf8(output.stdout).unwrap();
            let theirs: Vec<&str> = output.lines().skip(2).collect();
            let ours = unified(text(&old).as_bytes(), text(&new).as_bytes());
            let ours: Vec<&str> = ours.iter().map(|l| std::str::from_utf8(l).unwrap()).collect();
            assert_eq!(ours, theirs);
        }
        assert!(unified(b"a\n", b"a\n").is_empty());
    }
}
