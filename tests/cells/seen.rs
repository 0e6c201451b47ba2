//! Each cell is made on both hosts and looked at by `shipit unit lint --host` as the deploy user: the rule of its
//! cause fires, with the line to write, and no other rule on `Type=`; the cells that are right stay silent.

use std::collections::BTreeMap;

use serde_json::Value;

use super::making::{self, Made};
use super::record;
use super::table::{self, Cell, Verdict};
use crate::deploys::desk::Desk;
use crate::lab::{self, Host, Suite};

/// A desk whose deploy.yml has these units as services; a job is the migration.
pub fn desk(host: &Host, made: &[&Made<'_>]) -> Desk {
    let desk = Desk::at(host, "ann");
    let mut yml = format!(
        "app: cells\nhost: deploy@{}\nsource: source\nservices:\n",
        host.address()
    );
    let (jobs, services): (Vec<&Made<'_>>, Vec<_>) = made.iter().copied().partition(|made| made.is_job());
    for made in services {
        yml += &format!("  - unit: {}\n    strategy: restart\n", made.unit);
    }
    for made in jobs {
        yml += &format!("migrate: {}\n", made.unit);
    }
    desk.file("deploy.yml", &yml);
    desk
}

/// The findings on what `Type=` promises, by unit. `type-simple` and `type-forking-pidfile` are on other matters.
fn on_type(said: &str) -> BTreeMap<String, Vec<Value>> {
    let mut by_unit: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in said.lines() {
        let finding: Value = serde_json::from_str(line).unwrap();
        let rule = finding["rule"].as_str().unwrap();
        let unit = finding["file"].as_str().unwrap().rsplit('/').next();
        if (rule.starts_with("type-") || rule.starts_with("pidfile-"))
            && !matches!(rule, "type-simple" | "type-forking-pidfile")
        {
            let unit = unit.unwrap().to_owned();
            by_unit.entry(unit).or_default().push(finding);
        }
    }
    by_unit
}

/// Whether a finding has that line to write, in its fix or its words.
fn writes(finding: &Value, line: &str) -> bool {
    let fix = finding["fix"].as_array();
    let mut lines = fix.into_iter().flatten().filter_map(Value::as_str);
    lines.any(|fix| fix == line) || finding["message"].as_str().unwrap().contains(line)
}

/// Between going to the background and ending, all that tells may be gone; then either rule names both causes.
fn both_are_named(finding: &Value, rule: &str) -> bool {
    let either = ["type-simple-forks", "type-simple-ends"];
    let message = finding["message"].as_str().unwrap();
    let both = [
        "goes into the background",
        "it is a job",
        "Type=forking",
        "Type=oneshot",
    ];
    either.contains(&rule)
        && either.contains(&finding["rule"].as_str().unwrap())
        && both.iter().all(|words| message.contains(words))
}

fn right(verdict: Verdict, found: &[Value]) -> bool {
    match (verdict, found) {
        (None, found) => found.is_empty(),
        (Some((rule, words, line)), [finding]) => {
            (finding["rule"] == rule || both_are_named(finding, rule))
                && finding["message"].as_str().unwrap().contains(words)
                && writes(finding, line)
        }
        _ => false,
    }
}

fn named(suite: Suite, cells: &[Cell]) {
    let host = lab::host!(suite);
    let version = making::version(&host);
    let made = making::make(&host, cells);
    let shown = making::settled(&host, &made, version);
    let all: Vec<&Made<'_>> = made.iter().collect();
    let said = desk(&host, &all).json(&["unit", "lint", "--host"]);
    let found = on_type(&said.stdout);
    record::record(version, &made, &shown, &found);
    let mut wrong = Vec::new();
    for (made, show) in made.iter().zip(&shown) {
        let found = found.get(&made.unit).map_or(&[][..], Vec::as_slice);
        let verdict = made.verdict(version);
        if !right(verdict, found) {
            let stand = making::stand(show);
            wrong.push(format!(
                "{}: {stand}\n  expected {verdict:?}\n  found {found:#?}",
                made.unit
            ));
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), said.stderr);
}

fn all() -> Vec<Cell> {
    let mut cells = table::cells();
    cells.extend(table::extras());
    cells
}

#[test]
fn each_cell_is_named() {
    for suite in Suite::Trixie.or_both() {
        named(suite, &all());
    }
}

/// A service that dies every other second is half of the time as if all were well.
#[test]
fn what_dies_and_starts_again_is_told_between_its_lives() {
    let host = lab::host!(Suite::Bookworm);
    let cell = table::flapping();
    let cells = [cell];
    let made = making::make(&host, &cells);
    let desk = desk(&host, &[&made[0]]);
    host.wait_for("a second life", |host| host.unit(&made[0].unit, "NRestarts") != "0");
    for turn in 0..5 {
        let said = desk.json(&["unit", "lint", "--host"]);
        let found = on_type(&said.stdout);
        let found = found.get(&made[0].unit).map_or(&[][..], Vec::as_slice);
        assert!(right(cells[0].verdict, found), "{turn}: {found:#?}\n{}", said.stderr);
    }
}
