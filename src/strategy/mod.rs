//! How one service goes from the old release to the new one. One small pure file a strategy; each gives the
//! same four words. Nothing here reaches a host: needs are checked against what was observed.

mod reload;
mod restart;
mod socket;

use std::time::Duration;

use crate::config::{Service, StrategyName};
use crate::observed::Observed;
use crate::step::{Step, Turn, Verdict};
use crate::unit::properties::LoadState;

/// The steps of one service around the flip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turnover {
    /// What the units lack for this strategy: each with the lines to add. Empty when it can be carried out.
    pub needs: Vec<String>,
    /// What a person should know about it: said by `plan` and `doctor`, not at every deploy.
    pub advice: Vec<String>,
    /// After the flip to the new release.
    pub switch: Vec<Step>,
    /// After the flip back to the old one.
    pub revert: Vec<Step>,
}

/// The turnover of one service, checked against the host's units.
#[must_use]
pub fn turnover(service: &Service, seen: &Observed) -> Turnover {
    let mut turnover = match service.strategy {
        StrategyName::Restart => restart::turnover(service, seen),
        StrategyName::Reload => reload::turnover(service, seen),
        StrategyName::Socket => socket::turnover(service, seen),
    };
    let mut needs = unit_needs(service.unit.as_str(), seen);
    needs.append(&mut turnover.needs);
    turnover.needs = needs;
    turnover
}

/// That the host does not have a unit, and what to do.
#[must_use]
pub fn not_found(unit: &str) -> String {
    format!(
        "there is no {unit} on the host: write it to /etc/systemd/system, then `sudo systemctl daemon-reload`"
    )
}

/// What any unit must be to be driven at all.
fn unit_needs(unit: &str, seen: &Observed) -> Vec<String> {
    match seen.unit(unit).load_state() {
        LoadState::Loaded => Vec::new(),
        LoadState::Masked => vec![format!("{unit} is masked: `sudo systemctl unmask {unit}`")],
        LoadState::NotFound => vec![not_found(unit)],
        LoadState::Unknown => vec![format!("{unit} could not be looked at")],
        LoadState::Other(other) => vec![format!(
            "{unit} is {other}: `systemctl status {unit}` says why"
        )],
    }
}

/// The step that waits for a service's verdict.
fn awaited(service: &Service, turn: Turn) -> Step {
    Step::Await(Box::new(verdict(service, turn)))
}

/// The verdict that a service's health asks for.
#[must_use]
pub fn verdict(service: &Service, turn: Turn) -> Verdict {
    let (successes, timeout) = service
        .health
        .as_ref()
        .map_or((1, Duration::ZERO), |h| (h.successes, h.timeout));
    Verdict {
        unit: service.unit.as_str().to_owned(),
        turn,
        start: service.start_timeout.max(Duration::from_secs(1)),
        successes,
        timeout: timeout.max(Duration::from_secs(1)),
        watch: service.watch,
        check: service.health.as_ref().map(|health| health.check.clone()),
    }
}
