//! `services`: each one's unit, strategy and health check.

use std::time::Duration;

use serde_json::json;

use super::behind::{baking, router, turned};
use super::canary::{self, canary};
use super::instance::Member;
use super::instances::{self, One};
use super::keys::keys;
use super::names::{UnitName, quoted, service_or_template, socket_unit};
use super::reader::{HOUR, Map, SECOND, Shape, Value, nearest};
use super::shape::{DURATION, NAME, SERVICE_UNIT, SOCKET_UNIT};
use super::{Health, Migrate, Router, Service, Strategy, health as check, trial};
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
        let tried = service.trial.as_ref().map(|trial| trial.unit.as_str());
        for unit in service.units().chain(tried) {
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
        own health: "{url: \"http://127.0.0.1:8080/healthz\"}" as check::SHAPE => healths(map, instances.as_deref()),
        own trial: "{unit: acme-trial.service, health: {url: \"http://127.0.0.1:8079/healthz\"}}" as trial::SHAPE => {
            trial::trial(map, strategy, health.as_deref().unwrap_or_default())
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
        let service = Service { members, name: unit, strategy, socket, router, bake, canary: steps, start_timeout, watch, trial };
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
        check::read(value).map(Some)
    };
    let read: Vec<Option<_>> = instances.iter().map(health).collect();
    read.into_iter().collect()
}
