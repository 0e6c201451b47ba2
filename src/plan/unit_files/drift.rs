//! Whether a deploy or a rollback finds the units that it was made for. Pure; what is done about it is `units_drift` of
//! deploy.yml.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::{Difference, PLACE, compare};
use crate::config::{Config, UnitsDrift};
use crate::failure::{Exit, Failure, Next};
use crate::observed::Observed;
use crate::observed::installed::{Content, InstalledUnits};
use crate::unit::compare::settings;
use crate::unit::merge::Unit;
use crate::unit::name::UnitName;
use crate::unit::parse::File;

/// What is said, or refused, when the host's units are not the repository's.
/// Fails under `units_drift: refuse`; nothing was sent.
pub fn drift(config: &Config, repository: &[Unit], observed: &Observed) -> Result<Vec<String>, Failure> {
    let unread = InstalledUnits::default();
    let there = observed.installed.as_ref().unwrap_or(&unread);
    let mut said = Vec::new();
    for unit in compare(repository, there) {
        let deployed = config.service_of(unit.name.as_str()).is_some();
        for difference in unit.differences.iter().filter(|d| d.counts()) {
            // The plan says it already, of the services it turns over.
            let in_plan = *difference == Difference::Stale && deployed;
            if !in_plan || config.units.drift == UnitsDrift::Refuse {
                said.push(format!("{} {}", unit.name, difference.words()));
            }
        }
    }
    decide(config, said, "the host's units differ from this repository's")
}

/// The same for a release that is on the host already: what counts is what it was made for.
pub fn drift_since(config: &Config, observed: &Observed, release: &str) -> Result<Vec<String>, Failure> {
    let said = since(config, observed, release);
    decide(
        config,
        said,
        &format!("the host's units differ from those of release {release}"),
    )
}

/// The same for a rollback, which is never refused: going back matters more.
pub fn drift_warnings_since(config: &Config, observed: &Observed, release: &str) -> Vec<String> {
    let mut said = since(config, observed, release);
    if config.units.drift == UnitsDrift::Ignore || said.is_empty() {
        return Vec::new();
    }
    let revision = observed
        .meta
        .get(release)
        .and_then(|meta| meta.info.get("revision"))
        // It is told as a line to type.
        .filter(|revision| revision.chars().all(|c| c.is_ascii_hexdigit()));
    if let Some(revision) = revision {
        said.push(format!(
            "a rollback does not change units; to install those of that release: git checkout {revision} -- {} && {}",
            shown_dir(config),
            config.host.as_root("unit install")
        ));
    }
    said
}

fn shown_dir(config: &Config) -> String {
    let dir = &config.units.dir;
    dir.strip_prefix(&config.dir).unwrap_or(dir).display().to_string()
}

fn decide(config: &Config, said: Vec<String>, what: &str) -> Result<Vec<String>, Failure> {
    match config.units.drift {
        UnitsDrift::Ignore => Ok(Vec::new()),
        UnitsDrift::Refuse if !said.is_empty() => {
            let mut failure = Failure::new(Exit::Untouched, what)
                .host("nothing was sent or changed")
                .next(Next::shipit("unit diff"))
                .next(config.host.as_root("unit install"));
            failure.why = said;
            Err(failure)
        }
        _ => Ok(said),
    }
}

/// The units that a release was made for and the host does not have like that.
fn since(config: &Config, observed: &Observed, release: &str) -> Vec<String> {
    let Some(recorded) = observed.meta.get(release).and_then(|meta| meta.info.get("units")) else {
        return Vec::new();
    };
    let unread = InstalledUnits::default();
    let there = observed.installed.as_ref().unwrap_or(&unread);
    let recorded: BTreeMap<&str, &str> = recorded.split(' ').filter_map(|pair| pair.split_once('=')).collect();
    let said = |(name, then): (&str, &str)| {
        let after_app = name
            .strip_prefix(config.app.as_str())
            .is_some_and(|rest| rest.starts_with(['.', '-', '@']));
        // All that are named after the app were told: one that was not is not there.
        let untold = (there.listed && after_app).then_some(&Content::Absent);
        match there.units.get(name).map(|unit| &unit.own).or(untold) {
            Some(Content::Text(text)) => {
                let now = Unit {
                    name: UnitName::new(name)?,
                    files: vec![File::parse(PLACE, text)],
                };
                (fingerprint(&now) != then).then(|| format!("{name} on the host differs from the one in {release}"))
            }
            Some(Content::Absent) => Some(format!("{release} expects {name}, which does not exist on the host")),
            Some(Content::Link(_)) => Some(format!("{name} is a symlink on the host; {release} expects a file")),
            Some(Content::Unreadable) | None => {
                Some(format!("{release} expects {name}, which cannot be read on the host"))
            }
        }
    };
    recorded.into_iter().filter_map(said).collect()
}

/// What units mean, as words that are kept with a release: `NAME=16 hex digits`, separated by spaces. A change of
/// comments changes nothing.
pub fn fingerprints(units: &[Unit]) -> String {
    units
        .iter()
        .map(|unit| format!("{}={}", unit.name, fingerprint(unit)))
        .collect::<Vec<_>>()
        .join(" ")
}

fn fingerprint(unit: &Unit) -> String {
    let mut hash = Sha256::new();
    for (section, key, value) in settings(unit) {
        for word in [section, key, value] {
            hash.update(word);
            hash.update([0]);
        }
    }
    hash.finalize().iter().take(8).map(|b| format!("{b:02x}")).collect()
}
