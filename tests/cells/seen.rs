//! Each cell is made on both hosts; the rule of its cause fires, with the line to write, and no other rule on `Type=`;
//! the cells that are right stay silent.

use std::collections::BTreeMap;
use std::time::Duration;

use shipit::unit::merge::Unit;
use shipit::unit::name::UnitName;
use shipit::unit::rules::{self, Context, Edit, Facts, FileFact, Finding, Strategy};

use super::making::{self, Made};
use super::table::{self, Cell, Face, Verdict};
use crate::lab::{self, Host, Suite};

/// What a host says of one cell.
fn facts(host: &Host, version: u32, made: &Made<'_>, show: &BTreeMap<String, String>) -> Facts {
    let group = show.get("ControlGroup").map_or("", String::as_str);
    let count = host
        .root(&format!("cat /sys/fs/cgroup{group}/cgroup.procs | wc -l"))
        .stdout;
    let since: u64 = show["InactiveExitTimestampMonotonic"].parse().unwrap();
    let activating = show["ActiveState"] == "activating";
    let waited = making::now(host).saturating_sub(since);
    let mut facts = Facts {
        systemd: Some(version),
        show: show.clone(),
        processes: Some(if group.is_empty() {
            0
        } else {
            count.trim().parse().unwrap()
        }),
        reports: Some(made.cell.does.contains("notifies")),
        activating_for: activating.then(|| Duration::from_micros(waited)),
        ..Facts::default()
    };
    for path in made
        .text
        .lines()
        .filter_map(|line| line.strip_prefix("PIDFile="))
    {
        let exists = host.root(&format!("test -e {path}")).success();
        let fact = FileFact {
            exists,
            owner: "root".into(),
            group: "root".into(),
            mode: 0o644,
            above: Vec::new(),
        };
        facts.files.insert(path.into(), fact);
    }
    facts
}

fn judged(
    host: &Host,
    version: u32,
    made: &Made<'_>,
    show: &BTreeMap<String, String>,
) -> Vec<Finding> {
    let unit = Unit::parse(&made.unit, made.text.as_bytes()).unwrap();
    let job = made.cell.name == "oneshot-ends";
    let context = Context {
        host: Some(facts(host, version, made, show)),
        strategy: (!job).then_some(Strategy::Restart),
        migrate: job.then(|| UnitName::new(&made.unit).unwrap()),
        ..Context::default()
    };
    rules::lint(&unit, &context)
}

/// The rules on what `Type=` promises. `type-simple` is on another matter: every unit of that type has it.
fn on_type(findings: &[Finding]) -> Vec<&Finding> {
    let on = |finding: &&Finding| {
        (finding.rule.starts_with("type-") || finding.rule.starts_with("pidfile-"))
            && !matches!(finding.rule, "type-simple" | "type-forking-pidfile")
    };
    findings.iter().filter(on).collect()
}

fn writes(finding: &Finding, line: &str) -> bool {
    let edits = finding.fix.iter().flat_map(|fix| &fix.edits);
    let written = edits.filter_map(|edit| match edit {
        Edit::Set { key, value, .. } => Some(format!("{key}={value}")),
        _ => None,
    });
    written.into_iter().any(|written| written == line) || finding.message.contains(line)
}

/// What is not as it should be, in one line.
fn complaint(verdict: Verdict, gave_up: bool, findings: &[Finding]) -> Option<String> {
    let found = on_type(findings);
    let right = match verdict {
        None => found.is_empty(),
        // What the last life left is forgotten by then: both causes are named.
        Some((rule, _, line)) if gave_up && rule.starts_with("type-simple") => {
            found.len() == 1 && writes(found[0], line)
        }
        Some((rule, words, line)) => {
            found.len() == 1
                && found[0].rule == rule
                && found[0].message.contains(words)
                && writes(found[0], line)
        }
    };
    let told: Vec<String> = found
        .iter()
        .map(|finding| format!("{}: {} {:?}", finding.rule, finding.message, finding.fix))
        .collect();
    (!right).then(|| format!("expected {verdict:?}, got {}", told.join(" and ")))
}

fn named(suite: Suite, cells: &[Cell]) {
    let host = lab::host!(suite);
    let version: u32 = host
        .root("systemctl --version")
        .ok()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    let made = making::make(&host, cells);
    let seen = making::settled(&host, &made, version);
    let mut wrong = Vec::new();
    for (made, show) in made.iter().zip(&seen) {
        let verdict = match made.cell.on_252 {
            Some((_, verdict)) if version < 253 => verdict,
            _ => made.cell.verdict,
        };
        let findings = judged(&host, version, made, show);
        let gave_up = made.face == Face::GaveUp;
        if let Some(complaint) = complaint(verdict, gave_up, &findings) {
            wrong.push(format!(
                "{}: {}\n    {complaint}",
                made.unit,
                making::stand(show)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_sixteen_on_systemd_252() {
    named(Suite::Bookworm, &table::cells());
}

#[test]
fn the_sixteen_on_systemd_257() {
    named(Suite::Trixie, &table::cells());
}

#[test]
fn pid_files_children_and_notify_reload_on_systemd_252() {
    named(Suite::Bookworm, &table::extras());
}

#[test]
fn pid_files_children_and_notify_reload_on_systemd_257() {
    named(Suite::Trixie, &table::extras());
}
