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
    let raw = format!("{key}={value}\n");
    let (key, value) = (key.into(), value.into());
    line(raw, Kind::Assignment { key, value })
}

/// The index after the last line of a section (of its last header), without trailing blanks and comments: those belong
/// to the next section.
fn section_end(file: &File, section: &str) -> Option<usize> {
    let header = file.lines.iter().rposition(|line| line.is_header(section))?;
    let rest = file.lines[header + 1..].iter();
    let own = rest.take_while(|line| !matches!(line.kind, Kind::Section(_)));
    let kinds: Vec<&Kind> = own.map(|line| &line.kind).collect();
    let last = kinds
        .iter()
        .rposition(|kind| !matches!(kind, Kind::Blank | Kind::Comment(_)));
    Some(header + 1 + last.map_or(0, |last| last + 1))
}

fn end_line(lines: &mut [Line]) {
    if let Some(last) = lines.last_mut()
        && !last.raw.ends_with(b"\n")
    {
        last.raw.push(b'\n');
    }
}

fn add(file: &mut File, section: &str, key: &str, value: &str) {
    let at = section_end(file, section).unwrap_or_else(|| {
        end_line(&mut file.lines);
        if !file.lines.is_empty() {
            file.lines.push(line("\n".into(), Kind::Blank));
        }
        let header = format!("[{section}]\n");
        file.lines.push(line(header, Kind::Section(section.into())));
        file.lines.len()
    });
    end_line(&mut file.lines[..at]);
    let mut new = assignment(key, value);
    if file.lines.iter().any(|line| line.raw.ends_with(b"\r\n")) {
        new.raw.truncate(new.raw.len() - 1);
        new.raw.extend_from_slice(b"\r\n");
    }
    file.lines.insert(at, new);
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
    let (section, key, value, keep) = match edit {
        Edit::Write {
            section,
            key,
            value,
            keep,
        } => (section, key, value, *keep),
        Edit::Respell {
            file, line, key, value, ..
        } => {
            let mut files = unit.files.iter_mut();
            let lines = files.find(|known| known.path == *file).map(|file| &mut file.lines);
            for known in lines.into_iter().flatten().filter(|known| known.first == *line) {
                *known = Line {
                    first: known.first,
                    last: known.last,
                    ..assignment(key, value)
                };
            }
            return;
        }
        Edit::Remove { file, line } => {
            if let Some(file) = unit.files.iter_mut().find(|known| known.path == *file) {
                file.lines.retain(|known| known.first != *line);
            }
            return;
        }
    };
    let mut entries = unit.all(section, key.as_str()).into_iter();
    if keep && (unit.has(section, key.as_str(), value) || entries.any(|entry| entry.value == value)) {
        return;
    }
    let places = unit.files.iter().enumerate();
    let mut places = places.filter_map(|(number, file)| Some((number, last(file, section, key)?)));
    if let Some((number, at)) = places.next_back().filter(|_| !keep) {
        let line = &mut unit.files[number].lines[at];
        *line = Line {
            first: line.first,
            last: line.last,
            ..assignment(key, value)
        };
    } else if let Some(file) = unit.files.first_mut() {
        add(file, section, key, value);
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

/// The unit with every safe fix in its own files, as `judge` finds them, until there is none left. A fix that would bring
/// a finding that was not there is left out.
pub fn settle(unit: &Unit, judge: impl Fn(&Unit) -> Vec<Finding>) -> Unit {
    let count = |findings: &[Finding], new: &Finding| {
        let same = |known: &&Finding| known.rule == new.rule && known.severity >= new.severity;
        findings.iter().filter(same).count()
    };
    let mut unit = unit.clone();
    let mut findings = judge(&unit);
    let mut at = 0;
    while let Some(finding) = findings.get(at) {
        at += 1;
        let alone = std::slice::from_ref(finding);
        let fixed = reread(&repair(&unit, alone, Which::Safe));
        if fixed == unit {
            continue;
        }
        let after = judge(&fixed);
        let none_is_new = after.iter().all(|new| count(&after, new) <= count(&findings, new));
        if after.len() < findings.len() && none_is_new {
            (unit, findings, at) = (fixed, after, 0);
        }
    }
    unit
}

/// Parsed again, so that line numbers are those of the new text.
fn reread(unit: &Unit) -> Unit {
    let files = unit.files.iter();
    let files = files.map(|file| File::parse(file.path.clone(), &file.bytes()));
    Unit {
        name: unit.name.clone(),
        files: files.collect(),
    }
}

/// The unit with the fixes in its own files.
pub fn repair(unit: &Unit, findings: &[Finding], which: Which) -> Unit {
    let mut unit = unit.clone();
    // Lines are found by their numbers. Removing and replacing keep the numbers of others; added lines have none.
    for edit in chosen(findings, which) {
        apply(&mut unit, edit);
    }
    unit
}

/// The fixes as a drop-in for `/etc/systemd/system/UNIT.d/`; `None` when no fix applies.
pub fn drop_in(unit: &Unit, findings: &[Finding], which: Which) -> Option<String> {
    let mut sections: Vec<(String, Vec<String>)> = Vec::new();
    for edit in chosen(findings, which) {
        let (section, lines) = match edit {
            Edit::Write {
                section,
                key,
                value,
                keep,
            } => {
                let is_list = keys::adds(section, key) == Adds::List;
                let reset = !keep && is_list && unit.sets(section, key.as_str());
                let reset = reset.then(|| format!("{key}="));
                let lines: Vec<String> = reset.into_iter().chain([format!("{key}={value}")]).collect();
                (section.as_str(), lines)
            }
            Edit::Respell { .. } => continue, // the old spelling means the same
            Edit::Remove { file, line } => {
                let mut entries = unit.entries();
                let Some(entry) = entries.find(|e| e.file == file && e.line == *line) else {
                    continue;
                };
                if keys::find(entry.section, entry.key).is_none() {
                    continue; // systemd ignores it already
                }
                let kept = match keys::adds(entry.section, entry.key) {
                    Adds::Last => Vec::new(),
                    Adds::List => unit.all(entry.section, entry.key),
                    Adds::Always => continue, // a drop-in cannot remove a dependency
                };
                let kept = kept.iter().filter(|other| **other != entry);
                let kept = kept.map(|other| format!("{}={}", other.key, other.value));
                let lines = std::iter::once(format!("{}=", entry.key)).chain(kept);
                (entry.section, lines.collect())
            }
        };
        let known = sections.iter().position(|(name, _)| name == section);
        let at = known.unwrap_or_else(|| {
            sections.push((section.to_owned(), Vec::new()));
            sections.len() - 1
        });
        for line in lines {
            if !sections[at].1.contains(&line) || line.ends_with('=') {
                sections[at].1.push(line);
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

    const UNIT: &str = "# mine\n[Unit]\nAfter=network-online.target\n\n[Service]\n# the app\nType=exec\nExecStart=/opt/a/current/x\nRestart=always \nStandardError=syslog\nOOMScoreAdjust=-1000";

    #[test]
    fn safe_fixes_change_only_their_lines() {
        let unit = Unit::parse("a.service", UNIT.as_bytes()).unwrap();
        let fixed = settle(&unit, |unit| lint(unit, &Context::default()));
        let text = String::from_utf8(fixed.files[0].bytes()).unwrap();
        assert!(
            text.starts_with("# mine\n[Unit]\nAfter=network-online.target\n"),
            "{text}"
        );
        assert!(
            text.contains(
                "\n\n[Service]\n# the app\nType=exec\nExecStart=/opt/a/current/x\nRestart=always \nStandardError=journal\nOOMScoreAdjust=-1000\n"
            ),
            "{text}"
        );
        assert!(text.contains("RestartSec=1s\n") && !text.contains("User="), "{text}");
        let left = lint(&fixed, &Context::default());
        assert!(
            !left
                .iter()
                .any(|finding| finding.fix.as_ref().is_some_and(|fix| fix.safe)),
            "{left:?}"
        );
    }

    #[test]
    fn a_new_line_ends_as_the_lines_of_its_file_do() {
        let text = "[Service]\r\nUser=a\r\nExecStart=/opt/a/current/x\r\n";
        let unit = Unit::parse("a.service", text.as_bytes()).unwrap();
        let fixed = settle(&unit, |unit| lint(unit, &Context::default()));
        let text = String::from_utf8(fixed.files[0].bytes()).unwrap();
        assert!(text.contains("Type=exec\r\n"), "{text:?}");
        assert!(!text.replace("\r\n", "").contains('\n'), "{text:?}");
    }

    #[test]
    fn a_drop_in_fixes_the_same_findings() {
        let text = UNIT.replace("StandardError=syslog\n", "");
        let mut unit = Unit::parse("a.service", text.as_bytes()).unwrap();
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
