//! What a switch is measured by: what the live release is asked first, who is probed meanwhile, and what may be lost. Pure.
//! Never what the new release must pass.

use std::time::Duration;

use super::{Baseline, Goal};
use crate::config::{Config, Instance, Service};
use crate::observed::Observed;
use crate::observed::ledger::State;
use crate::step::{Check, Limits, Step};
use crate::strategy;

/// Whether a deploy is held to what the live release does: that one is verified, and not the one that is to be
/// restarted. A rollback is not, for it leaves what is broken.
fn judged_by_live(observed: &Observed, goal: &Goal) -> bool {
    let Goal::Deploy {
        release,
        baseline: Baseline::Required,
        ..
    } = goal
    else {
        return false;
    };
    let sound = |live| observed.ledger.state(live) == Some(State::Verified) && observed.degraded.is_none();
    observed.live().is_some_and(|live| live != release && sound(live))
}

/// What the switch may lose, where that is measured and the live release lost nothing by itself.
pub(super) fn limits(config: &Config, observed: &Observed, goal: &Goal, switch: &[Step]) -> Option<Step> {
    let measured = switch.iter().any(|step| matches!(step, Step::Measure(_)));
    let wanted = config.limits != Limits::default() && measured && judged_by_live(observed, goal);
    wanted.then_some(Step::Limits(config.limits))
}

/// Limits that the meter is too coarse for. Over https, one curl after another probes.
pub(super) fn limits_too_fine(config: &Config) -> Option<String> {
    let measures = measures(config);
    let secure = |step: &Step| matches!(step, Step::Measure(check) if check.probe.is_https());
    if config.limits != Limits::default() && measures.is_empty() {
        return Some(
            "max_gap and max_failed have no effect: no service has a health check over HTTP, a unix socket or TCP"
                .into(),
        );
    }
    let gap = config
        .limits
        .max_gap
        .filter(|gap| *gap < Duration::from_millis(300))?
        .as_millis();
    measures.iter().any(secure).then(|| {
        format!("max_gap ({gap}ms) is too short for a health check over https, which is probed ten times per second: use 300ms or more")
    })
}

/// What the live release is asked first, as long as its word counts.
pub(super) fn baselines(config: &Config, observed: &Observed, goal: &Goal) -> Vec<Step> {
    if !judged_by_live(observed, goal) {
        return Vec::new();
    }
    let asked = |one: &Instance<'_>, check: Check| {
        // It has been serving for long: a few seconds forgive one bad answer, more only hold up the bad news.
        let timeout = one
            .health?
            .timeout
            .clamp(Duration::from_secs(1), Duration::from_secs(5));
        let unit = one.unit.to_owned();
        Some(Step::Baseline { unit, timeout, check })
    };
    let active: Vec<_> = config.instances().filter(|one| !observed.is_idle(one)).collect();
    let own = active.iter().filter_map(|one| asked(one, one.health?.check.clone()));
    // Through the router any of its instances answers.
    let first = |service: &Service| active.iter().find(|one| one.service == service);
    let routed = config.services.iter().filter_map(|service| {
        let one = first(service)?;
        asked(one, strategy::through_router(one)?)
    });
    own.chain(routed).collect()
}

/// One prober for each health that is asked over a connection. An address of a single instance is not the service's: it
/// goes when that instance stops.
pub(super) fn measures(config: &Config) -> Vec<Step> {
    let mut checks: Vec<Check> = Vec::new();
    let services = config.services.iter().filter(|service| service.shares_health());
    let own = services.filter_map(|service| Some(service.health()?.check.clone()));
    let routed = config.instances().filter_map(|one| strategy::through_router(&one));
    for mut check in own.chain(routed) {
        // While the release changes, the old one's answers are good answers too.
        check.release = false;
        if check.probe.address().is_some() && !checks.contains(&check) {
            checks.push(check);
        }
    }
    checks.into_iter().map(Step::Measure).collect()
}
