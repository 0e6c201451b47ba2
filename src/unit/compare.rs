//! Two units against each other: what systemd would do otherwise, and the lines that differ. Pure; which of the two
//! is right is not known here.

use super::merge::Unit;

/// Lines around a difference that are shown with it.
const AROUND: usize = 3;
/// The most cells of the table of common lines (about 2,000 lines against 2,000); beyond that the middle of the two
/// files is shown as removed and added as a whole.
const CELLS: usize = 4_000_000;

/// What a unit says in effect: section, key and value of all that counts, ordered by section and key.
#[must_use]
pub fn meaning(unit: &Unit) -> Vec<(String, String, String)> {
    let mut keys: Vec<(&str, &str)> = unit
        .entries()
        .map(|entry| (entry.section, entry.key))
        .collect();
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

/// The keys whose values in effect differ, sorted. Empty: the two do the same, whatever their comments say.
#[must_use]
pub fn differing(one: &Unit, other: &Unit) -> Vec<String> {
    let (one, other) = (meaning(one), meaning(other));
    let key = |(section, key, _): &(String, String, String)| (section.clone(), key.clone());
    let mut keys: Vec<(String, String)> = one.iter().chain(&other).map(key).collect();
    keys.sort_unstable();
    keys.dedup();
    // Value by value and in order: ExecStartPre= twice, swapped, is another unit.
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

/// One line of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line<'a> {
    Both(&'a [u8]),
    Old(&'a [u8]),
    New(&'a [u8]),
}

/// A unified diff, as `diff -u` writes it, without the two lines of names; empty when the texts are equal. Bytes are
/// those of the files: who prints it escapes it.
#[must_use]
pub fn unified(old: &[u8], new: &[u8]) -> Vec<Vec<u8>> {
    let lines = compared(&split(old), &split(new));
    let changed: Vec<usize> = (0..lines.len())
        .filter(|at| !matches!(lines[*at], Line::Both(_)))
        .collect();
    let mut out = Vec::new();
    let mut rest = changed.as_slice();
    while let Some(&first) = rest.first() {
        // Changes whose surroundings touch are one hunk.
        let more = rest
            .windows(2)
            .take_while(|pair| pair[1] - pair[0] <= 2 * AROUND + 1)
            .count();
        let last = rest[more];
        rest = &rest[more + 1..];
        let hunk = first.saturating_sub(AROUND)..(last + AROUND + 1).min(lines.len());
        let olds = |lines: &[Line<'_>]| lines.iter().filter(|l| !matches!(l, Line::New(_))).count();
        let news = |lines: &[Line<'_>]| lines.iter().filter(|l| !matches!(l, Line::Old(_))).count();
        let (before, inside) = (&lines[..hunk.start], &lines[hunk.clone()]);
        out.push(
            format!(
                "@@ -{} +{} @@",
                range(olds(before), olds(inside)),
                range(news(before), news(inside))
            )
            .into_bytes(),
        );
        for line in inside {
            let (mark, text) = match line {
                Line::Both(text) => (b' ', text),
                Line::Old(text) => (b'-', text),
                Line::New(text) => (b'+', text),
            };
            out.push([&[mark], *text].concat());
        }
    }
    out
}

/// Where a hunk is: its first line from 1 (the line before it when it is empty), and how many.
fn range(before: usize, count: usize) -> String {
    match count {
        0 => format!("{before},0"),
        1 => format!("{}", before + 1),
        _ => format!("{},{count}", before + 1),
    }
}

fn split(text: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<&[u8]> = text.split(|b| *b == b'\n').collect();
    if lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    lines
}

/// All lines of both, in order: the longest common subsequence is kept.
fn compared<'a>(old: &[&'a [u8]], new: &[&'a [u8]]) -> Vec<Line<'a>> {
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (&old[head..], &new[head..]);
    let tail = old_rest
        .iter()
        .rev()
        .zip(new_rest.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let (a, b) = (
        &old_rest[..old_rest.len() - tail],
        &new_rest[..new_rest.len() - tail],
    );
    let mut lines: Vec<Line<'a>> = old[..head].iter().map(|line| Line::Both(line)).collect();
    if a.len().saturating_mul(b.len()) > CELLS {
        lines.extend(a.iter().map(|line| Line::Old(line)));
        lines.extend(b.iter().map(|line| Line::New(line)));
    } else {
        // common[i][j]: how many lines a[i..] and b[j..] have in common, in order.
        let mut common = vec![vec![0u32; b.len() + 1]; a.len() + 1];
        for i in (0..a.len()).rev() {
            for j in (0..b.len()).rev() {
                common[i][j] = if a[i] == b[j] {
                    common[i + 1][j + 1] + 1
                } else {
                    common[i + 1][j].max(common[i][j + 1])
                };
            }
        }
        let (mut i, mut j) = (0, 0);
        while i < a.len() || j < b.len() {
            if i < a.len() && j < b.len() && a[i] == b[j] {
                lines.push(Line::Both(a[i]));
                (i, j) = (i + 1, j + 1);
            } else if i < a.len() && (j == b.len() || common[i + 1][j] >= common[i][j + 1]) {
                lines.push(Line::Old(a[i]));
                i += 1;
            } else {
                lines.push(Line::New(b[j]));
                j += 1;
            }
        }
    }
    lines.extend(old[old.len() - tail..].iter().map(|line| Line::Both(line)));
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
    fn comments_places_and_sections_written_twice_are_no_difference() {
        let one = unit("[Unit]\nDescription=a\n[Service]\nExecStart=/bin/a\nUser=x\n");
        let other = unit(
            "# why\n[Service]\nUser=y\nUser=x\n[Unit]\nDescription=a\n[Service]\nExecStart=/bin/a\n",
        );
        assert_eq!(differing(&one, &other), [""; 0]);
    }

    #[test]
    fn other_values_and_another_order_of_commands_are() {
        let one = unit("[Service]\nExecStartPre=/bin/a\nExecStartPre=/bin/b\nUser=x\nNice=1\n");
        let other = unit("[Service]\nExecStartPre=/bin/b\nExecStartPre=/bin/a\nUser=y\nNice=1\n");
        assert_eq!(differing(&one, &other), ["ExecStartPre", "User"]);
    }

    #[test]
    fn the_lines_that_differ_are_those_of_diff_u() {
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
            let text =
                |lines: &[String]| lines.iter().map(|l| format!("{l}\n")).collect::<String>();
            let dir = tempfile::tempdir().unwrap();
            let (a, b) = (dir.path().join("a"), dir.path().join("b"));
            std::fs::write(&a, text(&old)).unwrap();
            std::fs::write(&b, text(&new)).unwrap();
            let Ok(said) = std::process::Command::new("diff")
                .arg("-u")
                .arg(a)
                .arg(b)
                .output()
            else {
                return; // no diff(1) here to agree with
            };
            let said = String::from_utf8(said.stdout).unwrap();
            let theirs: Vec<&str> = said.lines().skip(2).collect();
            let ours = unified(text(&old).as_bytes(), text(&new).as_bytes());
            let ours: Vec<&str> = ours
                .iter()
                .map(|l| std::str::from_utf8(l).unwrap())
                .collect();
            assert_eq!(ours, theirs);
        }
        assert!(unified(b"a\n", b"a\n").is_empty());
    }
}
