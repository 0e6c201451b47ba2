//! Applies the fixes of findings: in the unit's own files, where every other byte stays, or as a drop-in for a unit of a
//! package. Pure; never touches a disk.

use super::keys::{self, Adds};
use super::merge::Unit;
use super::parse::{File, Kind, Line};
use super::rules::{Edit, Finding};

fn line(raw: String, kind: Kind) -> Line {
    Line {
        raw: raw.into_bytes(),
        first: 0,
        last: 0,
        kind,
        inside: Vec::new(),
    }
}

fn assignment(key: &str, value: &str) -> Line {
    line(
        format!("{key}={value}\n"),
        Kind::Assignment {
            key: key.into(),
            value: value.into(),
        },
    )
}

/// The index after the last line of a section (of its last header), without trailing blanks and comments.
fn section_end(file: &File, section: &str) -> Option<usize> {
    let header = file
        .lines
        .iter()
        .rposition(|line| matches!(&line.kind, Kind::Section(name) if name == section))?;
    let next = file.lines[header + 1..]
        .iter()
        .position(|line| matches!(line.kind, Kind::Section(_)));
    let end = next.map_or(file.lines.len(), |n| header + 1 + n);
    // Comments and blanks before the next header belong to the next section.
    let last = file.lines[..end]
        .iter()
        .rposition(|line| !matches!(line.kind, Kind::Blank | Kind::Comment(_)));
    Some(last.map_or(header, |last| last.max(header)) + 1)
}

fn add(file: &mut File, section: &str, key: &str, value: &str) {
    let end_of_line = |file: &mut File, at: usize| {
        if let Some(before) = at.checked_sub(1).and_then(|at| file.lines.get_mut(at))
            && !before.raw.ends_with(b"\n")
        {
            before.raw.push(b'\n');
        }
    };
    let at = section_end(file, section).unwrap_or_else(|| {
        let end = file.lines.len();
        end_of_line(file, end);
        if end > 0 {
            file.lines.push(line("\n".into(), Kind::Blank));
        }
        file.lines.push(line(
            format!("[{section}]\n"),
            Kind::Section(section.into()),
        ));
        file.lines.len()
    });
    end_of_line(file, at);
    file.lines.insert(at, assignment(key, value));
}

/// The index of the last assignment of a key in a section of a file.
fn last(file: &File, section: &str, key: &str) -> Option<usize> {
    let mut within = false;
    let mut found = None;
    for (at, line) in file.lines.iter().enumerate() {
        match &line.kind {
            Kind::Section(name) => within = name == section,
            Kind::Assignment { key: name, .. } if within && name == key => found = Some(at),
            _ => {}
        }
    }
    found
}

fn apply(unit: &mut Unit, edit: &Edit) {
    match edit {
        Edit::Write {
            section,
            key,
            value,
            keep: true,
        } => {
            let key = key.as_str();
            let entries = unit.all(section, key);
            let there =
                unit.has(section, key, value) || entries.iter().any(|entry| entry.value == value);
            if let (false, Some(file)) = (there, unit.files.first_mut()) {
                add(file, section, key, value);
            }
        }
        Edit::Write {
            section,
            key,
            value,
            keep: false,
        } => {
            let holder = unit
                .files
                .iter()
                .rposition(|file| last(file, section, key).is_some())
                .unwrap_or(0);
            let Some(file) = unit.files.get_mut(holder) else {
                return;
            };
            match last(file, section, key) {
                Some(at) => {
                    file.lines[at] = Line {
                        first: file.lines[at].first,
                        last: file.lines[at].last,
                        ..assignment(key, value)
                    }
                }
                None => add(file, section, key, value),
            }
        }
        Edit::Remove { file, line } => {
            if let Some(file) = unit.files.iter_mut().find(|known| known.path == *file) {
                file.lines.retain(|known| known.first != *line);
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Fixes that cannot stop a unit that works today.
    Safe,
    All,
}

fn chosen(findings: &[Finding], which: Which) -> impl Iterator<Item = &Edit> {
    let fixes = findings.iter().filter_map(|finding| finding.fix.as_ref());
    fixes
        .filter(move |fix| which == Which::All || fix.safe)
        .flat_map(|fix| &fix.edits)
}

/// The unit with the fixes in its own files.
#[must_use]
pub fn repair(unit: &Unit, findings: &[Finding], which: Which) -> Unit {
    let mut unit = unit.clone();
    // Lines are found by their numbers. Removing and replacing keep the numbers of others; added lines have none.
    for edit in chosen(findings, which) {
        apply(&mut unit, edit);
    }
    unit
}

/// The fixes as a drop-in for `/etc/systemd/system/UNIT.d/`; `None` when no fix applies.
#[must_use]
pub fn drop_in(unit: &Unit, findings: &[Finding], which: Which) -> Option<String> {
    let mut sections: Vec<(String, Vec<String>)> = Vec::new();
    let mut put = |section: &str, lines: Vec<String>| {
        let at = sections
            .iter()
            .position(|(name, _)| name == section)
            .unwrap_or_else(|| {
                sections.push((section.to_owned(), Vec::new()));
                sections.len() - 1
            });
        for line in lines {
            if !sections[at].1.contains(&line) || line.ends_with('=') {
                sections[at].1.push(line);
            }
        }
    };
    for edit in chosen(findings, which) {
        match edit {
            Edit::Write {
                section,
                key,
                value,
                keep: true,
            } => put(section, vec![format!("{key}={value}")]),
            Edit::Write {
                section,
                key,
                value,
                keep: false,
            } => {
                let list =
                    keys::adds(section, key) == Adds::List && unit.sets(section, key.as_str());
                let reset = list.then(|| format!("{key}="));
                put(
                    section,
                    reset
                        .into_iter()
                        .chain([format!("{key}={value}")])
                        .collect(),
                );
            }
            Edit::Remove { file, line } => {
                let Some(entry) = unit
                    .entries()
                    .find(|entry| entry.file == file && entry.line == *line)
                else {
                    continue;
                };
                if keys::find(entry.section, entry.key).is_none() {
                    continue; // systemd ignores it already
                }
                let kept = match keys::adds(entry.section, entry.key) {
                    Adds::Last => Vec::new(),
                    Adds::List => unit
                        .all(entry.section, entry.key)
                        .into_iter()
                        .filter(|other| *other != entry)
                        .collect(),
                    Adds::Always => continue, // a drop-in cannot remove a dependency
                };
                let reset = format!("{}=", entry.key);
                put(
                    entry.section,
                    std::iter::once(reset)
                        .chain(kept.iter().map(|e| format!("{}={}", e.key, e.value)))
                        .collect(),
                );
            }
        }
    }
    let text: Vec<String> = sections
        .into_iter()
        .map(|(section, lines)| format!("[{section}]\n{}\n", lines.join("\n")))
        .collect();
    (!text.is_empty()).then(|| text.join("\n"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::rules::{Context, lint};
    use super::*;

    const UNIT: &str = "# mine\n[Unit]\nAfter=network-online.target\n\n[Service]\n# the app\nType=exec\nExecStart=/opt/a/current/x\nRestart=always \nMemoryMax=500M";

    #[test]
    fn safe_fixes_change_only_their_lines() {
        let unit = Unit::parse("a.service", UNIT.as_bytes()).unwrap();
        let fixed = repair(&unit, &lint(&unit, &Context::default()), Which::Safe);
        let text = String::from_utf8(fixed.files[0].bytes()).unwrap();
        assert!(
            text.starts_with(
                "# mine\n[Unit]\nAfter=network-online.target\nWants=network-online.target\n"
            ),
            "{text}"
        );
        assert!(text.contains("\n\n[Service]\n# the app\nType=exec\nExecStart=/opt/a/current/x\nRestart=always \nMemoryMax=500M\n"), "{text}");
        assert!(
            text.contains("MemoryHigh=400M\n") && !text.contains("User="),
            "{text}"
        );
        let left = lint(&fixed, &Context::default());
        assert!(
            !left
                .iter()
                .any(|finding| finding.fix.as_ref().is_some_and(|fix| fix.safe)),
            "{left:?}"
        );
    }

    #[test]
    fn a_drop_in_fixes_the_same_findings() {
        let mut unit = Unit::parse("a.service", UNIT.as_bytes()).unwrap();
        let text = drop_in(&unit, &lint(&unit, &Context::default()), Which::Safe).unwrap();
        unit.files
            .push(File::parse("a.service.d/50-shipit.conf", text.as_bytes()));
        let left = lint(&unit, &Context::default());
        assert!(
            !left
                .iter()
                .any(|finding| finding.fix.as_ref().is_some_and(|fix| fix.safe)),
            "{text}\n{left:?}"
        );
    }
}
