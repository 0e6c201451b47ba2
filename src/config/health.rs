//! `health`: what a unit is asked, and when its answers are good enough. How a probe is written is in `probe`.

use std::time::Duration;

use serde_json::json;

use super::keys::keys;
use super::probe::{Answer, Asks, PROBES, UNIX};
use super::reader::{HOUR, Map, SECOND, Shape, Value};
use super::shape::{ADDRESS, DURATION, URL};
use super::{Check, Health, Probe};

/// `health`, for editors.
pub(super) const SHAPE: Shape = Shape::Ruled(&Shape::Map(HEALTH), one_probe);

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

/// A health check, and how long it must stay healthy.
pub(super) fn read(value: Value<'_>) -> Option<(Health, Duration)> {
    let map = value.map(HEALTH)?;
    health(&map, asked(&map))
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
