//! `services`: each one's unit, strategy and health check.

use std::time::Duration;

use super::keys::keys;
use super::names::{UnitName, Wrong, quoted};
use super::probe::{Answer, Asks, PROBES};
use super::reader::{HOUR, Map, SECOND, Value, nearest};
use super::{Check, Health, Migrate, Probe, Service, Strategy};

/// Reads `services`, which must be there, be it empty.
pub(super) fn services(value: Value<'_>, migrate: Option<&Migrate>) -> Option<Vec<Service>> {
    let mut seen: Vec<String> = Vec::new();
    value.list(|value| {
        let map = Map::read(value.node, "a service", SERVICE, value.problems)?;
        let at = map.get("unit").map_or(value.node.at, |unit| unit.node.at);
        let service = service(&map)?;
        for unit in service.units() {
            if seen.iter().any(|other| other == unit) {
                let text = format!("{} is listed twice", quoted(unit));
                map.problems.note(at, text);
            }
            if migrate.is_some_and(|migrate| migrate.unit.as_str() == unit) {
                let text = format!("{} is the migration; it cannot be a service too", quoted(unit));
                map.problems.note(at, text);
            }
            seen.push(unit.to_owned());
        }
        Some(service)
    })
}

keys! {
    /// In each of `services`.
    SERVICE, fn service(map) -> Service {
        must unit: "acme.service" => |v| v.name(service_unit),
        must strategy: "restart" => known_strategy,
        own socket: "acme.socket" => holder(map, unit.as_ref(), strategy),
        or(30 * SECOND) start_timeout: "30s" => |v| v.duration(SECOND..=HOUR),
        may health: "{url: \"http://127.0.0.1:8080/healthz\"}" => |v| checked_health(&v.map(HEALTH)?),
    }
    {
        let (health, watch) = health.map_or((None, 3 * SECOND), |(health, watch)| (Some(health), watch));
        Service { units: vec![(unit.clone(), health)], name: unit, strategy, socket, start_timeout, watch }
    }
}

/// The socket unit that holds the port, for the strategies that need one.
fn holder(map: &Map<'_>, unit: Option<&UnitName>, strategy: Option<Strategy>) -> Option<Option<UnitName>> {
    let needed = strategy.map(Strategy::needs_socket);
    match map.get("socket") {
        Some(value) if needed == Some(false) => {
            value.is_wrong("only `strategy: socket` uses it; a deploy never touches a socket unit");
            None
        }
        Some(value) => value.name(socket_unit).map(Some),
        None if needed == Some(true) => unit.map(|unit| Some(unit.socket())),
        None => Some(None),
    }
}

fn known_strategy(value: Value<'_>) -> Option<Strategy> {
    let text = value.text()?;
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
        format!("the strategy `{text}` is not available yet; available: {list}")
    } else {
        let hint = nearest(text, names()).map_or(String::new(), |near| format!("did you mean {}? ", quoted(near)));
        format!("unknown strategy {}; {hint}Available: {list}", quoted(text))
    };
    value.is_wrong(&wrong);
    None
}

keys! {
    /// Below `health`. The first four are read by [`asked`].
    HEALTH, fn health(map, probe: Option<Probe>) -> (Health, Duration) {
        own url: "http://127.0.0.1:8080/healthz" => Some(()),
        own unix: "{socket: /run/acme/http.sock, path: /healthz}" => Some(()),
        own tcp: "127.0.0.1:5432" => Some(()),
        own command: "./bin/check" => Some(()),
        or(200) status: "200" => |v| v.number(100..=599),
        may contains: "ok" => expected,
        or(false) release: "true" => |v| v.boolean(),
        or(30 * SECOND) timeout: "30s" => |v| v.duration(SECOND..=HOUR),
        or(3) successes: "3" => |v| v.number(1..=100),
        or(3 * SECOND) watch: "3s" => |v| v.duration(Duration::ZERO..=HOUR),
    }
    {
        let status = u16::try_from(status).ok()?;
        let check = Check { probe: probe?, status, contains, release };
        (Health { check, timeout, successes }, watch)
    }
}

/// A health check, and how long it must stay healthy.
fn checked_health(map: &Map<'_>) -> Option<(Health, Duration)> {
    health(map, asked(map))
}

/// A text that an answer must contain.
fn expected(value: Value<'_>) -> Option<String> {
    let text = value.text()?;
    if text.len() > 1000 {
        value.is_wrong("longer than 1000 bytes");
        return None;
    }
    Some(text.to_owned())
}

/// What is asked: one thing, of which nothing is expected that it cannot answer.
fn asked(map: &Map<'_>) -> Option<Probe> {
    let given: Vec<&Asks> = PROBES.iter().filter(|asks| map.get(asks.key).is_some()).collect();
    if given.len() != 1 {
        let names = |all: &[&Asks]| all.iter().map(|asks| asks.key).collect::<Vec<_>>();
        let many = if given.is_empty() {
            "no probe".to_owned()
        } else {
            format!("{} at once", names(&given).join(" and "))
        };
        let all = names(&PROBES.iter().collect::<Vec<_>>()).join(", ");
        map.problems
            .note(map.at, format!("`health` has {many}; give one of {all}"));
    }
    let read = |asks: &Asks| (asks.read)(map.get(asks.key)?);
    let probes: Vec<_> = given.iter().map(|asks| read(asks)).collect();
    if let Some(status) = map.get("status")
        && given.iter().any(|asks| asks.answer != Answer::Http)
    {
        status.is_wrong("only an HTTP response (`url`, `unix`) has a status");
    }
    for key in ["contains", "release"] {
        if let Some(value) = map.get(key)
            && let [
                Asks {
                    answer: Answer::None, ..
                },
            ] = given[..]
        {
            value.is_wrong("a TCP check only connects: there is no response to inspect");
        }
    }
    let [probe] = probes.try_into().ok()?;
    probe
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
        return Err(Wrong(format!("{} is a socket; name the service", quoted(text))));
    }
    Ok(unit)
}
