//! `services`: each one's unit, strategy and health check.

use std::time::Duration;

use super::keys::{HEALTH, SERVICE};
use super::names::{UnitName, Wrong, quoted};
use super::probe::{Answer, Asks, PROBES};
use super::reader::{HOUR, Map, Problems, SECOND, Value, nearest, optional};
use super::tree::{Mark, Node};
use super::{Check, Health, Migrate, Probe, Service, Strategy};

/// Reads `services`, which must be there, be it empty.
pub(super) fn services(
    map: &Map<'_>,
    migrate: Option<&Migrate>,
    problems: &mut Problems,
) -> Option<Vec<Service>> {
    let value = map.get("services")?;
    let mut seen: Vec<String> = Vec::new();
    value.list(problems, |value, problems| {
        let (service, at) = service(value.node, problems)?;
        for unit in service.units() {
            if seen.iter().any(|other| other == unit) {
                problems.note(at, format!("{} is there twice", quoted(unit)));
            }
            if migrate.is_some_and(|migrate| migrate.unit.as_str() == unit) {
                problems.note(
                    at,
                    format!("{} is the migration; it is no service", quoted(unit)),
                );
            }
            seen.push(unit.to_owned());
        }
        Some(service)
    })
}

/// A service and the place of its name.
fn service(node: &Node, problems: &mut Problems) -> Option<(Service, Mark)> {
    let map = Map::read(node, "a service", SERVICE, problems)?;
    let unit = map.get("unit");
    let at = unit.map_or(node.at, |value| value.node.at);
    let unit = unit.and_then(|value| value.name(service_unit, problems));
    let strategy = map
        .get("strategy")
        .and_then(|value| strategy(value, problems));
    let start_timeout = map.get("start_timeout").map_or(Some(30 * SECOND), |value| {
        value.duration(SECOND..=HOUR, problems)
    });
    let holds_socket = strategy.is_some_and(Strategy::needs_socket);
    let socket = match map.get("socket") {
        Some(value) if strategy.is_some() && !holds_socket => {
            value.is_wrong(
                "only `strategy: socket` has a use for it; a deploy never touches a socket unit",
                problems,
            );
            None
        }
        Some(value) => value.name(socket_unit, problems).map(Some),
        None if holds_socket => unit.as_ref().map(|unit| Some(unit.socket())),
        None => Some(None),
    };
    let checked = optional(map.get("health"), problems, health);
    let (health, watch) = match checked {
        Some(Some((health, watch))) => (Some(Some(health)), watch),
        Some(None) => (Some(None), 3 * SECOND),
        None => (None, 3 * SECOND),
    };
    let service = Service {
        units: vec![(unit.clone()?, health?)],
        name: unit?,
        strategy: strategy?,
        socket: socket?,
        start_timeout: start_timeout?,
        watch,
    };
    Some((service, at))
}

fn strategy(value: Value<'_>, problems: &mut Problems) -> Option<Strategy> {
    let text = value.text(problems)?;
    let known = Strategy::named(text);
    if let Some(strategy) = known.filter(|strategy| strategy.works_today()) {
        return Some(strategy);
    }
    let names = || {
        let today = Strategy::ALL.into_iter().filter(|s| s.works_today());
        today.map(Strategy::as_str)
    };
    let list = names().collect::<Vec<_>>().join(", ");
    let wrong = if known.is_some() {
        format!("the strategy `{text}` comes in a later version; this one offers: {list}")
    } else {
        let hint = nearest(text, names()).map_or(String::new(), |near| {
            format!("did you mean {}? ", quoted(near))
        });
        format!("no strategy {}; {hint}There are: {list}", quoted(text))
    };
    value.is_wrong(&wrong, problems);
    None
}

/// A health check, and how long it must stay well.
fn health(value: Value<'_>, problems: &mut Problems) -> Option<(Health, Duration)> {
    let map = Map::read(value.node, "`health`", HEALTH, problems)?;
    let given: Vec<&Asks> = PROBES
        .iter()
        .filter(|asks| map.get(asks.key).is_some())
        .collect();
    if given.len() != 1 {
        let names = |all: &[&Asks]| all.iter().map(|asks| asks.key).collect::<Vec<_>>();
        let many = if given.is_empty() {
            "nothing to ask".to_owned()
        } else {
            format!("{} at once", names(&given).join(" and "))
        };
        let all = names(&PROBES.iter().collect::<Vec<_>>()).join(", ");
        problems.note(
            value.node.at,
            format!("`health` has {many}; give one of {all}"),
        );
    }
    let probes: Vec<Option<Probe>> = given
        .iter()
        .filter_map(|asks| Some((asks.read)(map.get(asks.key)?, problems)))
        .collect();
    if let Some(status) = map.get("status")
        && given.iter().any(|asks| asks.answer != Answer::Http)
    {
        status.is_wrong("only an HTTP answer (`url`, `unix`) has a status", problems);
    }
    for key in ["contains", "release"] {
        if let Some(value) = map.get(key)
            && let [
                Asks {
                    answer: Answer::None,
                    ..
                },
            ] = given[..]
        {
            value.is_wrong(
                "a TCP check only connects: there is no answer to look at",
                problems,
            );
        }
    }
    let status = map
        .get("status")
        .map_or(Some(200), |value| value.number(100..=599, problems));
    let contains = optional(map.get("contains"), problems, |value, problems| {
        let text = value.text(problems)?;
        if text.len() > 1000 {
            value.is_wrong("longer than 1000 bytes", problems);
            return None;
        }
        Some(text.to_owned())
    });
    let release = map
        .get("release")
        .map_or(Some(false), |value| value.boolean(problems));
    let timeout = map.get("timeout").map_or(Some(30 * SECOND), |value| {
        value.duration(SECOND..=HOUR, problems)
    });
    let successes = map
        .get("successes")
        .map_or(Some(3), |value| value.number(1..=100, problems));
    let watch = map.get("watch").map_or(Some(3 * SECOND), |value| {
        value.duration(Duration::ZERO..=HOUR, problems)
    });

    let [probe] = probes.try_into().ok()?;
    let health = Health {
        check: Check {
            probe: probe?,
            status: u16::try_from(status?).ok()?,
            contains: contains?,
            release: release?,
        },
        timeout: timeout?,
        successes: successes?,
    };
    Some((health, watch?))
}

fn socket_unit(text: &str) -> Result<UnitName, Wrong> {
    let unit = UnitName::parse(text)?;
    if !unit.is_socket() {
        return Err(Wrong(format!(
            "{} is not a socket; write one like {}",
            quoted(text),
            quoted(unit.socket().as_str())
        )));
    }
    Ok(unit)
}

/// A unit that can be started: a `.service`.
pub(super) fn service_unit(text: &str) -> Result<UnitName, Wrong> {
    let unit = UnitName::parse(text)?;
    if unit.is_socket() {
        return Err(Wrong(format!(
            "{} is a socket; name the service",
            quoted(text)
        )));
    }
    Ok(unit)
}
