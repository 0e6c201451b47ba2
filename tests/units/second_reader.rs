//! A second reader of unit files (systemd-unit-edit) against ours, on every unit text of the tests: the cases of the
//! rules, the hard file, the lab's and generated units, and what is installed on this machine.
//!
//! The two differ where systemd does something that the second reader does not. Such text is changed before it reads it:
//! - lines that systemd ignores with a warning are left out; it refuses the file for them;
//! - comments between continued lines are left out; it takes them for a part of the value;
//! - blanks at the start of a line are removed; it refuses them, and does not end when one stands before a comment at
//!   the top;
//! - values are compared word by word; it keeps blanks at the end of a value and drops those after a continued line's end.

use std::fs;
use std::path::Path;

use shipit::unit::generate;
use shipit::unit::parse::{File, Kind};
use systemd_unit_edit::SystemdUnit;

use super::{judging, reading, writing};

/// Section, key and value of each assignment.
type Assignments = Vec<(String, String, String)>;

fn words(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn ours(file: &File) -> Assignments {
    file.assignments()
        .map(|(section, key, value, _)| (section.to_owned(), key.to_owned(), words(value)))
        .collect()
}

fn theirs(text: &str) -> Result<Assignments, String> {
    let unit: SystemdUnit = text.parse().map_err(|e| format!("{e}"))?;
    let mut found = Vec::new();
    for section in unit.sections() {
        let name = section.name().unwrap();
        found.extend(section.entries().filter_map(|entry| {
            let value = entry.value().unwrap_or_default();
            Some((name.clone(), entry.key()?, words(&value)))
        }));
    }
    Ok(found)
}

/// The text without what only systemd and our reader understand.
fn plain(file: &File) -> String {
    let mut text = String::new();
    for line in file.lines.iter().filter(|line| !matches!(line.kind, Kind::Wrong(_))) {
        let raw = String::from_utf8_lossy(&line.raw);
        for (number, physical) in (line.first..).zip(raw.lines()) {
            if !line.inside.iter().any(|(comment, _)| *comment == number) {
                text += &format!("{}\n", physical.trim_start());
            }
        }
    }
    text
}

fn corpus() -> Vec<File> {
    let mut files = vec![File::parse("hard.service", reading::HARD.as_bytes())];
    let lab = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps/units");
    let lab = fs::read_dir(lab).unwrap().map(|entry| entry.unwrap().path());
    for path in lab.chain(reading::installed()) {
        files.push(File::parse(path.to_string_lossy(), &fs::read(&path).unwrap()));
    }
    for case in judging::cases() {
        files.extend(case.context.peers.into_iter().flat_map(|peer| peer.files));
        files.extend(case.unit.files);
        let installed = case.context.host.and_then(|host| host.repository);
        files.extend(installed.into_iter().flat_map(|unit| unit.files));
    }
    for answers in writing::all() {
        let units = generate::units(&answers).unwrap().into_iter();
        files.extend(units.map(|unit| File::parse(unit.name, unit.text.as_bytes())));
    }
    files
}

#[test]
fn a_second_reader_finds_the_same_sections_keys_and_values() {
    let (mut compared, mut assignments) = (0, 0);
    for file in corpus() {
        if file.refused().is_some() {
            let text = file.bytes();
            assert!(theirs(&String::from_utf8_lossy(&text)).is_err(), "{}", file.path);
            continue;
        }
        let expected = ours(&file);
        let found = theirs(&plain(&file));
        assert_eq!(found.as_ref(), Ok(&expected), "{}", file.path);
        (compared, assignments) = (compared + 1, assignments + expected.len());
    }
    assert!(compared > 1000 && assignments > 5000, "{compared} {assignments}");
}
