//! The rules on the units of a distribution, as text and as its running host shows them. These are kept by people who
//! know systemd: what the rules say of them is either true, or listed with its reason in docs/units.md.

use std::collections::BTreeMap;
use std::path::Path;

use shipit::unit::merge::Unit;
use shipit::unit::render;
use shipit::unit::rules::{self, Context, Facts, Finding, Severity};

/// One unit and what `systemctl show` says of it.
pub type Shown = (Unit, BTreeMap<String, Vec<String>>);

/// Judges each; `root` is where its files were copied to.
pub fn judged(units: &[Shown], root: &Path, systemd: u32) {
    let docs = include_str!("../../docs/units.md");
    let peers: Vec<Unit> = units.iter().map(|(unit, _)| unit.clone()).collect();
    let mut unexplained = String::new();
    let mut counts: BTreeMap<(Severity, &str), usize> = BTreeMap::new();
    for (unit, show) in units {
        let mut unit = unit.clone();
        for file in &mut unit.files {
            file.path = file.path.replace(&*root.to_string_lossy(), "");
        }
        let last = |(key, values): (&String, &Vec<String>)| (key.clone(), values.last().cloned().unwrap_or_default());
        let live = Facts {
            systemd: Some(systemd),
            properties: show.iter().map(last).collect(),
            ..Facts::default()
        };
        let context = |host: Option<Facts>| Context {
            peers: peers.clone(),
            host,
            ..Context::default()
        };
        let mut findings = rules::lint(&unit, &context(None));
        let known: Vec<_> = findings.iter().map(|f| (f.rule, f.line)).collect();
        let more = rules::lint(&unit, &context(Some(live)));
        findings.extend(more.into_iter().filter(|f| !known.contains(&(f.rule, f.line))));
        for finding in findings {
            *counts.entry((finding.severity, finding.rule)).or_default() += 1;
            if finding.severity > Severity::Info && !explained(docs, &unit, &finding) {
                unexplained += &render::text(&[finding]);
            }
        }
    }
    for ((severity, rule), count) in counts.iter().rev() {
        eprintln!("systemd {systemd}: {severity} {rule}: {count}");
    }
    // What a good maintainer would argue about: at most one unit in 20.
    let debatable: usize = counts
        .iter()
        .filter(|((severity, _), _)| *severity > Severity::Info)
        .map(|(_, count)| count)
        .sum();
    assert!(debatable * 20 <= units.len(), "{debatable} in {} units", units.len());
    assert!(unexplained.is_empty(), "not explained in docs/units.md:\n{unexplained}");
}

fn explained(docs: &str, unit: &Unit, finding: &Finding) -> bool {
    let name = unit.name.template().unwrap_or_else(|| unit.name.clone());
    docs.contains(&format!("| {name} | {} |", finding.rule))
}
