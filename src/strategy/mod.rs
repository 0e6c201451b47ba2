//! How one service goes from the old release to the new one. One small pure file a strategy; each gives the
//! same words. Nothing here reaches a host: needs are checked against what was observed.

mod blue_green;
mod canary;
mod first;
mod handover;
mod reload;
mod restart;
mod rolling;
mod slots; // what strategies with instances share
mod socket;

pub use first::without_release;
pub use slots::{text as unit_text, unknown as unknown_slots};

use std::time::Duration;

use crate::config::{Config, Health, Instance, Service, Strategy, Trial};
use crate::observed::Observed;
use crate::step::{Change, Check, Step, Turn, Verdict};
use crate::unit::name::UnitName;
use crate::unit::properties::LoadState;

/// The steps of one service around the flip. Several services go over together: those of `switch` and `revert` all turn
/// before the first is judged; the others keep their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turnover {
    /// What the units lack for this strategy: each with the lines to add. Empty when it can be carried out.
    pub needs: Vec<String>,
    /// What a person should know about it: said by `plan` and `doctor`, not at every deploy.
    pub advice: Vec<String>,
    /// Before the flip: what starts the new release beside the old one.
    pub before: Vec<Step>,
    /// After the flip to the new release.
    pub switch: Vec<Step>,
    /// When every service runs from the new release: who gets the requests.
    pub after: Vec<Step>,
    /// When the verify command has passed: the end of an old instance that could still have served.
    pub retire: Vec<Step>,
    /// After the flip back to the old one.
    pub revert: Vec<Step>,
    /// After that, in this order: instances that go back one by one, each judged before the next.
    pub back: Vec<Step>,
}

/// The turnover of one service, checked against the host's units.
pub fn turnover(config: &Config, service: &Service, observed: &Observed, change: &Change) -> Turnover {
    let mut turnover = match service.strategy {
        Strategy::Restart => restart::turnover(service, observed),
        Strategy::Reload => reload::turnover(service, observed),
        Strategy::Socket => socket::turnover(service, observed),
        Strategy::Handover => handover::turnover(service, observed, change, config.root.as_str()),
        Strategy::BlueGreen => blue_green::turnover(config, service, observed, change),
        Strategy::Rolling => rolling::turnover(service, observed, change, config.root.as_str()),
        Strategy::Canary => canary::turnover(config, service, observed, change),
    };
    let units = service.units().flat_map(|unit| unit_needs(unit, observed));
    let mut needs: Vec<String> = units.collect();
    needs.append(&mut turnover.needs);
    turnover.needs = needs;
    turnover
}

/// That the host does not have a unit, and what to do.
pub fn not_found(unit: &str) -> String {
    // An instance is in its template's file.
    let template = UnitName::new(unit).and_then(|unit| unit.template());
    let file = template.map_or("it".to_owned(), |template| template.to_string());
    format!(
        "{unit} does not exist on the host: write {file} to /etc/systemd/system, then `sudo systemctl daemon-reload`"
    )
}

/// What any unit must be to be driven at all.
pub fn unit_needs(unit: &str, observed: &Observed) -> Vec<String> {
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

/// What is asked of an instance through its router.
pub fn through_router(one: &Instance<'_>) -> Option<Check> {
    let probe = one.service.router.as_ref()?.url.clone();
    let mut check = Check {
        probe,
        ..one.health?.check.clone()
    };
    // Of several instances any may answer: what only this one says is not asked for.
    if !one.service.strategy.needs_router() {
        let says = |other: Instance<'_>| other.health.and_then(|health| health.check.contains.clone());
        let of_all = one.service.instances().all(|other| says(other) == check.contains);
        check.contains = check.contains.filter(|_| of_all);
    }
    Some(check)
}

/// The verdict that a unit's health asks for.
pub fn verdict(one: &Instance<'_>, turn: Turn) -> Verdict {
    asked(one.service, one.unit, one.health, one.service.watch, turn)
}

/// The verdict on a trial of a new release.
pub fn tried(service: &Service, trial: &Trial) -> Verdict {
    asked(
        service,
        trial.unit.as_str(),
        Some(&trial.health),
        trial.watch,
        Turn::Restart,
    )
}

fn asked(service: &Service, unit: &str, health: Option<&Health>, watch: Duration, turn: Turn) -> Verdict {
    let (successes, timeout) = health.map_or((1, Duration::ZERO), |h| (h.successes, h.timeout));
    Verdict {
        unit: unit.to_owned(),
        turn,
        start: service.start_timeout.max(Duration::from_secs(1)),
        successes,
        timeout: timeout.max(Duration::from_secs(1)),
        watch,
        wrong_answers: health.map_or(Duration::ZERO, |health| health.wrong_answers),
        check: health.map(|health| health.check.clone()),
    }
}
