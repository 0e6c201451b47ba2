//! `trial`: a unit that runs a new release before it serves, and the check that it must pass there. Never here: what the
//! unit must be like, which only the host can tell.

use std::time::Duration;

use super::keys::keys;
use super::names::service_unit;
use super::reader::{Map, Shape};
use super::shape::SERVICE_UNIT;
use super::{Health, Strategy, UnitName, health};

/// What the key `trial` adds to a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// It runs from `next`; nothing but a deploy starts it.
    pub unit: UnitName,
    pub health: Health,
    /// How long it must stay healthy: 3 s by default.
    pub watch: Duration,
}

keys! {
    /// Below `trial`.
    TRIAL, fn read(map) -> Trial {
        must unit: "acme-trial.service" as SERVICE_UNIT => |v| v.name(service_unit),
        must health: "{url: \"http://127.0.0.1:8079/healthz\"}" as health::SHAPE => health::read,
    }
    Trial { unit, health: health.0, watch: health.1 }
}

/// `trial`, for editors.
pub(super) const SHAPE: Shape = Shape::Map(TRIAL);

/// Reads `trial`. The strategies that check a new instance before a router sends it requests need none.
pub(super) fn trial(
    map: &Map<'_>,
    strategy: Option<Strategy>,
    own: &[Option<(Health, Duration)>],
) -> Option<Option<Trial>> {
    let Some(value) = map.get("trial") else {
        return Some(None);
    };
    let strategy = strategy?;
    if strategy.needs_router() {
        value.is_wrong(&format!(
            "`{strategy}` does not use it: no client reaches the new instance before it has passed its check"
        ));
        return None;
    }
    let at = value.node.at;
    let trial = read(&value.map(TRIAL)?)?;
    let address = trial.health.check.probe.address();
    let serves = own
        .iter()
        .flatten()
        .any(|(health, _)| health.check.probe.address() == address);
    if address.is_some() && serves {
        let text =
            "the service listens at the address of this health check: give the trial its own, such as another port";
        map.problems.note(at, text);
        return None;
    }
    Some(Some(trial))
}
