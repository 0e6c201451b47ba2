//! How one service goes from the old release to the new one. One small pure file a strategy; each gives the
//! same four words. Nothing here reaches a host: needs are checked against what was observed.

mod reload;
mod restart;
mod socket;

use std::time::Duration;

use crate::config::{Instance, Service, Strategy};
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
pub fn turnover(service: &Service, observed: &Observed) -> Turnover {
    let mut turnover = match service.strategy {
        Strategy::Restart => restart::turnover(service, observed),
        Strategy::Reload => reload::turnover(service, observed),
        Strategy::Socket => socket::turnover(service, observed),
        Strategy::Handover | Strategy::BlueGreen | Strategy::Rolling | Strategy::Canary => later(service),
    };
    let units = service.units().flat_map(|unit| unit_needs(unit, observed));
    let mut needs: Vec<String> = units.collect();
    needs.append(&mut turnover.needs);
    turnover.needs = needs;
    turnover
}

/// A strategy that `config` refuses so far.
fn later(service: &Service) -> Turnover {
    Turnover {
        needs: vec![format!(
            "{}: the strategy `{}` is not available yet",
            service.name(),
            service.strategy
        )],
        advice: Vec::new(),
        switch: Vec::new(),
        revert: Vec::new(),
    }
}

/// That the host does not have a unit, and what to do.
#[must_use]
pub fn not_found(unit: &str) -> String {
    format!("{unit} does not exist on the host: write it to /etc/systemd/system, then `sudo systemctl daemon-reload`")
}

/// What any unit must be to be driven at all.
fn unit_needs(unit: &str, observed: &Observed) -> Vec<String> {
    match observed.unit(unit).load_state() {
        LoadState::Loaded => Vec::new(),
        LoadState::Masked => vec![format!("{unit} is masked: `sudo systemctl unmask {unit}`")],
        LoadState::NotFound => vec![not_found(unit)],
        LoadState::Unknown => vec![format!("{unit} cannot be read")],
        LoadState::Other(other) => vec![format!("{unit} is {other}: `systemctl status {unit}` shows why")],
    }
}

/// What a service's units do on either side of the flip: each changes hands by `step`, and then waits for its verdict.
fn turned(service: &Service, turn: Turn, step: impl Fn(String) -> Step) -> Vec<Step> {
    let steps = |one: Instance<'_>| {
        let verdict = Step::Await(Box::new(verdict(&one, turn)));
        [step(one.unit.to_owned()), verdict]
    };
    service.instances().flat_map(steps).collect()
}

/// The verdict that a unit's health asks for.
#[must_use]
pub fn verdict(one: &Instance<'_>, turn: Turn) -> Verdict {
    let (successes, timeout) = one.health.map_or((1, Duration::ZERO), |h| (h.successes, h.timeout));
    Verdict {
        unit: one.unit.to_owned(),
        turn,
        start: one.service.start_timeout.max(Duration::from_secs(1)),
        successes,
        timeout: timeout.max(Duration::from_secs(1)),
        watch: one.service.watch,
        check: one.health.map(|health| health.check.clone()),
    }
}
