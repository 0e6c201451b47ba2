//! `services`: each one's unit, strategy and health check.

use std::time::Duration;

use serde_json::json;

use super::behind::{baking, router, turned};
use super::canary::{self, canary};
use super::instance::Member;
use super::instances::{self, One};
use super::keys::keys;
use super::names::{UnitName, Wrong, quoted};
use super::probe::{Answer, Asks, PROBES, UNIX};
use super::reader::{HOUR, Map, SECOND, Shape, Value, nearest};
use super::shape::{ADDRESS, DURATION, NAME, SERVICE_UNIT, SOCKET_UNIT, URL};
use super::{Check, Health, Migrate, Probe, Router, Service, Strategy};
use crate::step::Lever;

/// A service, for editors.
pub(super) const SHAPE: Shape = Shape::Ruled(&Shape::Map(SERVICE), socket_needs_strategy);

/// What [`holder`] and [`turned`] check.
fn socket_needs_strategy() -> serde_json::Value {
    let with_socket = strategies().into_iter();
    let with_socket = with_socket.filter(|name| Strategy::named(name).is_some_and(Strategy::takes_socket));
    let with_socket: Vec<_> = with_socket.collect();
    json!({
        "if": {"required": ["socket"]},
        "then": {"properties": {"strategy": {"enum": with_socket}}},
        "not": {"required": ["socket", "router"]},
    })
}

/// What [`asked`] checks: exactly one probe, and nothing expected that it cannot answer.
fn one_probe() -> serde_json::Value {
    let probe = |asks: &Asks| {
        let expected: &[&str] = match asks.answer {
            Answer::Http => &[],
            Answer::Text => &["status"],
            Answer::None => &["status", "contains", "release"],
        };
        let unanswered: Vec<_> = expected.iter().map(|key| json!({"required": [key]})).collect();
        if unanswered.is_empty() {
            json!({"required": [asks.key]})
        } else {
            json!({"required": [asks.key], "not": {"anyOf": unanswered}})
        }
    };
    json!({"oneOf": PROBES.iter().map(probe).collect::<Vec<_>>()})
}

/// Reads `services`, which must be there, be it empty.
pub(super) fn services(
    value: Value<'_>,
    migrate: Option<&Migrate>,
    routers: Option<&[Router]>,
) -> Option<Vec<Service>> {
    let mut seen: Vec<String> = Vec::new();
    let mut slots: Vec<String> = Vec::new();
    let mut levers = Vec::new();
    value.list(|value| {
        let map = Map::read(value.node, "a service", SERVICE, value.problems)?;
        let at = map.get("unit").map_or(value.node.at, |unit| unit.node.at);
        let service = service(&map, routers)?;
        // All services of an app have their slots in one directory.
        let own: Vec<String> = service.instances().filter_map(|one| one.slot.map(str::to_owned)).collect();
        if let Some(slot) = own.iter().find(|slot| slots.contains(slot)) {
            let text = format!(
                "another service has an instance {} too; `slots/{slot}` can name only one release: give this one different `instances`",
                quoted(slot)
            );
            map.problems.note(at, text);
        }
        slots.extend(own);
        let own: Vec<String> = service.levers().iter().flat_map(Lever::keys).collect();
        if own.iter().any(|lever| levers.contains(lever)) {
            map.problems
                .note(at, "another service has this router too, and a router sends requests to one service");
        }
        levers.extend(own);
        for unit in service.units() {
            if seen.iter().any(|other| other == unit) {
                let text = format!("{} is listed twice", quoted(unit));
                map.problems.note(at, text);
            }
            let jobs = migrate.map(|migrate| [("the migration", Some(&migrate.unit)), ("`migrate.before`", migrate.before.as_ref())]);
            for (what, job) in jobs.into_iter().flatten() {
                if job.is_some_and(|job| job.as_str() == unit) {
                    let text = format!("{} is {what}; it cannot also be a service", quoted(unit));
                    map.problems.note(at, text);
                }
            }
            seen.push(unit.to_owned());
        }
        Some(service)
    })
}

keys! {
    /// In each of `services`.
    SERVICE, fn service(map, routers: Option<&[Router]>) -> Service {
        must unit: "acme.service" as SERVICE_UNIT => |v| v.name(service_or_template),
        must strategy: "restart" as Shape::OneOf(strategies) => known_strategy,
        own instances: "[blue, green]" as instances::SHAPE => instances::instances(map, strategy),
        own ports: "[8081, 8082]" as instances::PORTS => instances::fits(map, unit.as_ref(), strategy),
        own socket: "acme.socket" as SOCKET_UNIT => holder(map, unit.as_ref(), strategy),
        own router: "edge" as NAME => router(map, strategy, routers),
        or(30 * SECOND) bake: "30s" as DURATION => |v| baking(v, strategy),
        own steps: "[5%, 25%, 100%]" as canary::STEPS => canary(map, strategy),
        own hold: "60s" as canary::HOLD => Some(()),
        own min_requests: "100" as canary::REQUESTS => Some(()),
        or(30 * SECOND) start_timeout: "30s" as DURATION => |v| v.duration(SECOND..=HOUR),
        own health: "{url: \"http://127.0.0.1:8080/healthz\"}" as Shape::Ruled(&Shape::Map(HEALTH), one_probe) => {
            healths(map, instances.as_deref())
        },
    }
    {
        let watch = health.iter().flatten().next().map_or(3 * SECOND, |(_, watch)| *watch);
        let member = |(one, health): (One, Option<(Health, Duration)>)| Member {
            unit: instances::unit(&unit, &one),
            slot: one.instance,
            port: one.port,
            health: health.map(|(health, _)| health),
        };
        let members = instances.into_iter().zip(health).map(member).collect();
        let service = Service { members, name: unit, strategy, socket, router, bake, canary: steps, start_timeout, watch };
        turned(map, service)?
    }
}

/// The socket unit that holds the port, for the strategies that need one.
fn holder(map: &Map<'_>, unit: Option<&UnitName>, strategy: Option<Strategy>) -> Option<Option<UnitName>> {
    match map.get("socket") {
        Some(value) if strategy.is_some_and(|strategy| !strategy.takes_socket()) => {
            value.is_wrong(
                "only `strategy: socket`, `handover` and `rolling` use it; a deploy never touches a socket unit",
            );
            None
        }
        Some(value) => value.name(socket_unit).map(Some),
        None if strategy.is_some_and(Strategy::needs_socket) => unit.map(|unit| Some(unit.socket())),
        None => Some(None),
    }
}

fn strategies() -> Vec<&'static str> {
    Strategy::names().collect()
}

fn known_strategy(value: Value<'_>) -> Option<Strategy> {
    let text = value.text()?;
    let known = Strategy::named(text);
    if known.is_none() {
        let names = strategies();
        let hint = nearest(text, names.iter().copied())
            .map_or(String::new(), |near| format!("did you mean {}? ", quoted(near)));
        let list = names.join(", ");
        value.is_wrong(&format!("unknown strategy {}; {hint}Available: {list}", quoted(text)));
    }
    known
}

keys! {
    /// Below `health`. The first four are read by [`asked`].
    HEALTH, fn health(map, probe: Option<Probe>) -> (Health, Duration) {
        own url: "http://127.0.0.1:8080/healthz" as URL => Some(()),
        own unix: "{socket: /run/acme/http.sock, path: /healthz}" as Shape::Map(UNIX) => Some(()),
        own tcp: "127.0.0.1:5432" as ADDRESS => Some(()),
        own command: "./bin/check" as Shape::Text => Some(()),
        or(200) status: "200" as Shape::Whole(100, 599) => |v| v.number(100..=599),
        may contains: "ok" as Shape::Text => expected,
        or(false) release: "true" as Shape::Boolean => |v| v.boolean(),
        or(30 * SECOND) timeout: "30s" as DURATION => |v| v.duration(SECOND..=HOUR),
        or(3) successes: "3" as Shape::Whole(1, 100) => |v| v.number(1..=100),
        or(3 * SECOND) watch: "3s" as DURATION => |v| v.duration(Duration::ZERO..=HOUR),
        or(5 * SECOND) wrong_answers: "5s" as DURATION => |v| v.duration(SECOND..=HOUR),
    }
    {
        let status = u16::try_from(status).ok()?;
        let check = Check { probe: probe?, status, contains, release };
        (Health { check, timeout, successes, wrong_answers }, watch)
    }
}

/// The health check of each instance, with what is its own filled in.
fn healths(map: &Map<'_>, instances: Option<&[One]>) -> Option<Vec<Option<(Health, Duration)>>> {
    // Where those are wrong, what is asked can be right all the same.
    let instances = instances.unwrap_or(&[One::PLAIN]);
    let Some(value) = map.get("health") else {
        return Some(vec![None; instances.len()]);
    };
    let health = |one: &One| {
        let node = instances::filled(value, one);
        let value = Value { node: &node, ..value };
        checked_health(&value.map(HEALTH)?).map(Some)
    };
    let read: Vec<Option<_>> = instances.iter().map(health).collect();
    read.into_iter().collect()
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
    let names = |all: &[&Asks]| all.iter().map(|asks| asks.key).collect::<Vec<_>>();
    let all = names(&PROBES.iter().collect::<Vec<_>>());
    if given.len() != 1 && !(given.is_empty() && map.mistypes(&all)) {
        let many = if given.is_empty() {
            "no probe".to_owned()
        } else {
            format!("{} at once", names(&given).join(" and "))
        };
        let all = all.join(", ");
        map.problems
            .note(map.at, format!("`health` has {many}; choose exactly one of {all}"));
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
            "{} is not a socket; write one such as {}",
            quoted(text),
            quoted(unit.socket().as_str())
        )));
    }
    Ok(unit)
}

/// A unit that can be started: a `.service`.
pub(super) fn service_unit(text: &str) -> Result<UnitName, Wrong> {
    is_service(text, UnitName::parse(text)?)
}

/// The same, or the template of such units.
fn service_or_template(text: &str) -> Result<UnitName, Wrong> {
    is_service(text, UnitName::parse_template(text)?)
}

/// A template of such units.
pub(super) fn template(text: &str) -> Result<UnitName, Wrong> {
    let unit = service_or_template(text)?;
    if !unit.is_template() {
        return Err(Wrong(format!(
            "{} is not a template; write a name such as `acme-notify@.service`",
            quoted(text)
        )));
    }
    Ok(unit)
}

fn is_service(text: &str, unit: UnitName) -> Result<UnitName, Wrong> {
    if unit.is_socket() {
        return Err(Wrong(format!("{} is a socket; name the service", quoted(text))));
    }
    Ok(unit)
}
