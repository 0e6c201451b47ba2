//! What each service can use today, and what is missing for more; and whether a deploy could be carried out.

use std::path::Path;

use super::{Area, Depth, Evidence, Finding};
use crate::config::{Config, Service, Strategy};
use crate::failure::Next;
use crate::observed::Observed;
use crate::plan::needs;
use crate::step::{Change, Command};
use crate::strategy;
use crate::unit::name::UnitName;
use crate::unit::rules::Severity;

crate::text::words! {
    /// Whether a deploy could be carried out now.
    pub enum Deploy {
        Possible = "possible",
        /// Another switch is in progress; after it.
        Later = "later",
        Refused = "refused",
        /// The host was not reached.
        Unknown = "unknown",
    }
}

/// What one service can use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usable {
    pub unit: String,
    pub configured: Strategy,
    /// Each strategy that this version offers, from the plainest to the best, and what the units lack for it.
    pub strategies: Vec<(Strategy, Vec<String>)>,
    /// What to know about the configured one.
    pub advice: Vec<String>,
}

impl Usable {
    pub fn lacks(&self) -> &[String] {
        let own = self.strategies.iter().find(|(name, _)| *name == self.configured);
        own.map_or(&[], |(_, lacks)| lacks)
    }
}

pub(super) fn usable(config: &Config, evidence: &Evidence) -> Vec<Usable> {
    let Some(observed) = known(evidence) else {
        return Vec::new();
    };
    // What it is about does not matter here: only what the units lack.
    let change = Change {
        command: Command::Deploy,
        previous: observed.live().map(str::to_owned),
        next: "next".into(),
    };
    let of = |service: &Service| {
        let lacks = |name: Strategy| {
            let mut as_if = service.clone();
            as_if.strategy = name;
            let needs = strategy::turnover(config, &as_if, &observed, &change).needs;
            (
                name,
                needs
                    .into_iter()
                    .map(|need| installed(need, &as_if, evidence))
                    .collect(),
            )
        };
        // One that runs instances needs another unit: nothing that this one lacks would make it one.
        let instances = service.strategy.needs_instances();
        let others = Strategy::ALL.into_iter().filter(|s| s.needs_instances() == instances);
        Usable {
            unit: service.name().to_owned(),
            configured: service.strategy,
            strategies: others.map(lacks).collect(),
            advice: strategy::turnover(config, service, &observed, &change).advice,
        }
    };
    config.services.iter().map(of).collect()
}

/// The same need; where it is a unit that the repository has, with the command that installs it.
fn installed(need: String, service: &Service, evidence: &Evidence) -> String {
    let missing = service.units().find(|unit| need == strategy::not_found(unit));
    let kept = missing.and_then(|unit| {
        let template = UnitName::new(unit).and_then(|unit| unit.template());
        let file = template.map_or(unit.to_owned(), |template| template.to_string());
        Some((unit, evidence.live.as_ref()?.in_repository(Path::new(&file))?))
    });
    match kept {
        Some((unit, file)) => format!("{unit} does not exist on the host: `shipit unit install` installs {file}"),
        None => need,
    }
}

/// The host as observed, with the units that only the second look found.
fn known(evidence: &Evidence) -> Option<Observed> {
    let mut observed = evidence.observed.clone()?;
    if let Some(live) = &evidence.live {
        for (unit, facts) in &live.units {
            let known = observed.units.entry(unit.name.to_string()).or_default();
            if known.is_empty() {
                known.extend(facts.properties.clone());
            }
        }
        for unit in &live.absent {
            let known = observed.units.entry(unit.clone()).or_default();
            if known.get("LoadState").is_none() {
                known.take("LoadState=not-found");
            }
        }
    }
    Some(observed)
}

/// What the configured strategies lack, unless an error about the same unit has said it already; and their advice.
pub(super) fn findings(strategies: &[Usable], found: &[Finding]) -> Vec<Finding> {
    let mut more = Vec::new();
    for one in strategies {
        for lack in one.lacks() {
            let about = |unit: &String| lack.contains(unit.as_str()) || *unit == one.unit;
            let said = found.iter().any(|finding| {
                finding.severity == Severity::Error
                    && finding.depth <= Depth::Fallout
                    && finding.unit.as_ref().is_some_and(about)
            });
            if !said {
                more.push(
                    Finding::error(Area::Strategy, Depth::Strategy, lack)
                        .of(&one.unit)
                        .why(format!(
                            "`{}` does not work with these units, so deploys are refused",
                            one.configured
                        ))
                        .next(Next::shipit("plan").remark("once it is fixed")),
                );
            }
        }
        more.extend(one.advice.iter().map(|advice| {
            Finding::warning(Area::Strategy, Depth::Strategy, advice)
                .of(&one.unit)
                .why(format!("`strategy: {}` requires it", one.configured))
        }));
    }
    more
}

pub(super) fn deploy(config: &Config, evidence: &Evidence, strategies: &[Usable]) -> Deploy {
    let Some(observed) = &evidence.observed else {
        return Deploy::Unknown;
    };
    let refused = !needs::lacks(config, observed).is_empty()
        || needs::current(config, observed).is_some()
        || !needs::migration(config, observed).is_empty()
        || strategies.iter().any(|one| !one.lacks().is_empty());
    match (refused, &observed.request) {
        (true, _) => Deploy::Refused,
        (_, Some(_)) => Deploy::Later,
        _ => Deploy::Possible,
    }
}
