//! Findings of units for people: each with its line of the file and a mark where it is about. Secrets are never shown.
//! Never here: which findings there are.

use crate::text;
use crate::unit::keys;
use crate::unit::merge::Unit;
use crate::unit::parse::{Kind, Line};
use crate::unit::render;
use crate::unit::rules::{self, Finding};

/// What is printed for people.
pub(in crate::cli) fn text(findings: &[Finding], units: &[&Unit]) -> String {
    let counted = match units.len() {
        1 => "1 unit".into(),
        n => format!("{n} units"),
    };
    let mut out = format!(
        "{}{} in {counted}\n",
        render::text_with(findings, |finding| excerpt(finding, units)),
        render::summary(findings)
    );
    if !findings.is_empty() {
        out.push_str("`shipit unit explain RULE` explains a rule\n");
    }
    out
}

/// The line of a finding, and a mark. None of what a whole section lacks, and none of a variable, whose value may be a
/// secret under any name; nor of a line that is no assignment, which may continue one. Of a key that systemd does not have,
/// such as a misspelled `Environment=`, only the key.
fn excerpt(finding: &Finding, units: &[&Unit]) -> Vec<String> {
    let files = units.iter().flat_map(|unit| &unit.files);
    let lines = files
        .filter(|file| file.path == finding.file)
        .flat_map(|file| &file.lines);
    let of = |line: &&Line| (line.first..=line.last).contains(&finding.line);
    let Some(line) = lines.into_iter().find(of) else {
        return Vec::new();
    };
    let Kind::Assignment { key, .. } = &line.kind else {
        return Vec::new();
    };
    if key.starts_with("Environment") || key.starts_with("SetCredential") {
        return Vec::new();
    }
    let pieces = line.pieces();
    // What a continued line hides may begin in the line before.
    let Some((_, piece)) = pieces.first().filter(|(number, _)| *number == finding.line) else {
        return Vec::new();
    };
    let piece = match piece.split_once('=') {
        Some((key_only, _)) if keys::sections_of(key).is_empty() => format!("{key_only}=…"),
        _ => rules::without_secrets(piece),
    };
    let column = piece[..mark(&piece, &finding.message)].chars().count() + 1;
    let lines = text::excerpt(&piece, finding.line as usize, column);
    lines.map(Vec::from).unwrap_or_default()
}

/// Where the line has what the message is about: the word of the value that the message names first, or the key.
fn mark(line: &str, message: &str) -> usize {
    let key = line.len() - line.trim_start().len();
    let Some(equals) = line.find('=') else {
        return key;
    };
    let edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && !"_-./".contains(c));
    let said = |word: &str| {
        let mut places = message.match_indices(word).map(|(at, _)| at);
        places.find(|at| {
            let after = &message[at + word.len()..];
            edge(message[..*at].chars().next_back()) && edge(after.chars().next())
        })
    };
    let value = &line[equals + 1..];
    let words = value.split_whitespace().filter(|word| word.len() > 1);
    let of_both = words.filter_map(|word| Some((said(word)?, word)));
    let first = of_both.min_by_key(|(at, _)| *at);
    first.map_or(key, |(_, word)| word.as_ptr().addr() - line.as_ptr().addr())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::rules::Context;

    fn linted(text: &str) -> String {
        let unit = Unit::parse("a.service", text.as_bytes()).expect("a unit");
        super::text(&rules::lint(&unit, &Context::default()), &[&unit])
    }

    #[test]
    fn a_finding_shows_its_line_with_a_mark_below_what_it_is_about() {
        let said = linted("[Service]\nExecStart=/usr/bin/x\nRestart=alwyas\n  MemoryMx=1G\n");
        assert!(said.contains("\n    3 | Restart=alwyas\n      |         ^\n"), "{said}");
        assert!(said.contains("\n    4 |   MemoryMx=…\n      |   ^\n"), "{said}");
        assert!(!said.contains("| [Service]"), "{said}");
    }

    #[test]
    fn a_line_that_may_be_a_misspelled_or_broken_variable_shows_no_value() {
        let said = linted(
            "Environment=PIN=hunter0\n[Service]\nExecStart=/usr/bin/x\nEnviroment=STRIPE=hunter1\nenvironment=PW=hunter2\n\
             Environment=A=b\n  SMTP=hunter3\n",
        );
        assert!(said.contains("| Enviroment=…\n"), "{said}");
        assert!(!said.contains("hunter"), "{said}");
    }

    #[test]
    fn no_secret_and_no_control_character_of_a_line_is_shown() {
        let said = linted(
            "[Service]\nExecStart=/bin/sh -c 'x --password=hunter2 $FOO' \x1b[2J\nEnvironment=TOKEN=hunter3,A=b\nExecStop=x \\\n  --token hunter4 $(y)\n",
        );
        assert!(said.contains("| ExecStart=/bin/sh"), "{said}");
        assert!(!said.contains("hunter") && !said.contains('\x1b'), "{said}");
    }
}
