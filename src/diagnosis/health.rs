//! Who listens where health is asked, and what was answered. Only services that run are asked.

use super::{Area, Depth, Evidence, Finding};
use crate::config::{Config, Health};
use crate::failure::Next;
use crate::observed::{Family, Listening, Live, Owner};
use crate::step::Address;
use crate::text;
use std::time::Duration;

/// What a health address answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probed {
    Well(Duration),
    /// Not: why, in the conductor's words.
    Badly(String),
}

pub(super) fn findings(config: &Config, live: &Live, evidence: &Evidence) -> Vec<Finding> {
    let mut found = Vec::new();
    for one in config.instances() {
        let (name, Some(health)) = (one.unit, one.health) else {
            continue;
        };
        match evidence.probes.get(name) {
            Some(Probed::Badly(said)) => {
                let listening = evidence.listening.as_ref().or(live.listening.as_ref());
                let mut finding = badly(name, health, said, live, listening).of(name);
                finding.log = evidence.journals.get(name).cloned().unwrap_or_default();
                found.push(finding);
            }
            Some(Probed::Well(took)) if *took > Duration::from_secs(1) => found.push(
                Finding::warning(
                    Area::Health,
                    Depth::Answer,
                    format!("{name}: the health address took {} to answer", text::seconds(*took)),
                )
                .of(name)
                .why("a deploy allows 2 s per request; under load, this check would fail"),
            ),
            Some(Probed::Well(_)) => {}
            None => found.extend(taken(name, health, evidence, live)),
        }
    }
    found
}

/// Who holds the address that a service died of not getting. Its journal must say so: behind a router somebody else
/// holds it by right.
fn taken(name: &str, health: &Health, evidence: &Evidence, live: &Live) -> Option<Finding> {
    const WORDS: [&str; 2] = ["ddress already in use", "EADDRINUSE"];
    let said = evidence.journals.get(name)?.iter();
    let mut said = said.filter(|line| WORDS.iter().any(|words| line.contains(words)));
    let line = said.next_back()?;
    let (_, host, port) = address(health).filter(|(family, ..)| *family == Family::Tcp)?;
    let one = live.listening.iter().flatten().find(|one| one.takes(&host, port))?;
    let other = match &one.owner {
        Owner::Unit(other) if other != name => other.clone(),
        Owner::Systemd => "a socket unit".to_owned(),
        _ => return None,
    };
    let mut finding = Finding::error(
        Area::Health,
        Depth::Socket,
        format!("{name} cannot listen at {host}:{port}: {other} holds it"),
    )
    .of(name)
    .why("only one process can bind an address; behind a .socket unit, the program must use the passed descriptor")
    .next(Next::shell(format!("sudo ss -ltnp 'sport = :{port}'")))
    .next(Next::shell(format!("systemctl status {other}")));
    finding.log.push(line.clone());
    Some(finding)
}

/// Where health is asked, when that is an address; port 0 is a unix socket.
pub(super) fn address(health: &Health) -> Option<(Family, String, u16)> {
    Some(match health.check.probe.address()? {
        Address::Tcp(host, port) => (Family::Tcp, host, port),
        Address::Unix(path) => (Family::Unix, path, 0),
    })
}

fn badly(name: &str, health: &Health, said: &str, live: &Live, listening: Option<&Vec<Listening>>) -> Finding {
    let logs = Next::shipit("logs --unit").arg(name);
    let plain = |why: &str| {
        Finding::error(
            Area::Health,
            Depth::Answer,
            format!("{name} runs, but is unhealthy: {said}"),
        )
        .why(why)
        .next(logs.clone())
    };
    let (Some((family, host, port)), Some(all)) = (address(health), listening) else {
        return plain("a release that answers like this is reverted");
    };
    let there = |one: &&Listening| match family {
        Family::Unix => one.family == Family::Unix && one.address == host,
        Family::Tcp => one.takes(&host, port),
    };
    let asked = match family {
        Family::Unix => host.clone(),
        Family::Tcp => format!("{host}:{port}"),
    };
    let Some(one) = all.iter().find(there) else {
        return nobody(name, &asked, family, live, all).next(logs);
    };
    match &one.owner {
        Owner::Unit(other) if other != name && other.ends_with(".service") && family == Family::Tcp => Finding::error(
            Area::Health,
            Depth::Answer,
            format!("{asked} is held by {other}, not by {name}: {said}"),
        )
        .why("the app could not bind its port, or the health check asks another service")
        .next(Next::shell(format!("sudo ss -ltnp 'sport = :{port}'")))
        .next(logs),
        Owner::Systemd if one.waiting > 0 => Finding::error(
            Area::Health,
            Depth::Socket,
            format!(
                "{name} runs, but does not accept connections from systemd's socket at {asked}: {} are waiting",
                one.waiting
            ),
        )
        .why("the program must use the descriptor that it gets (LISTEN_FDS, from 3 up) instead of opening the port")
        .next(Next::offline("unit explain socket-not-taken"))
        .next(logs),
        _ if one.waiting > 0 => Finding::error(
            Area::Health,
            Depth::Answer,
            format!(
                "{name} listens on {asked} but does not answer: {} connections are waiting ({said})",
                one.waiting
            ),
        )
        .why("it hangs, or all its workers are busy")
        .next(logs),
        _ => plain("it listens, and a release that answers like this is reverted"),
    }
}

/// Nobody listens where health is asked. If the service listens elsewhere, one of the two addresses is wrong.
fn nobody(name: &str, asked: &str, family: Family, live: &Live, all: &[Listening]) -> Finding {
    let own = owned(name, live, all);
    if own.is_empty() {
        let what = format!("{name} runs, but nothing listens on {asked}");
        return Finding::error(Area::Health, Depth::Answer, what)
            .why("the program listens later, elsewhere or never; systemd only sees that its process runs")
            .next(Next::shell("sudo ss -ltnp").remark("shows what listens where"));
    }
    let places: Vec<&str> = own.iter().map(|one| one.address.as_str()).collect();
    let key = if family == Family::Unix { "unix" } else { "url" };
    Finding::error(
        Area::Health,
        Depth::Answer,
        format!("the health check asks {asked}, where nothing listens; {name} listens on {}", places.join(" and ")),
    )
    .why("the service may be healthy, but either the address in deploy.yml or the app's own setting is wrong; every deploy is reverted")
    .next(Next::advice(format!("set `{key}` under health of {name} in deploy.yml to where it listens")))
}

/// The sockets that a service's processes opened, or that its socket units hold.
pub(super) fn owned<'a>(name: &str, live: &Live, all: &'a [Listening]) -> Vec<&'a Listening> {
    let properties = live.properties(name);
    let held: Vec<String> = live
        .units
        .iter()
        .filter(|(unit, _)| properties.triggered_by().any(|by| by == unit.name.as_str()))
        .flat_map(|(unit, _)| {
            unit.all("Socket", "ListenStream")
                .into_iter()
                .map(|e| e.value.to_owned())
                .collect::<Vec<_>>()
        })
        .collect();
    all.iter()
        .filter(|one| {
            one.owner == Owner::Unit(name.to_owned())
                || one.owner == Owner::Systemd && held.iter().any(|written| crate::observed::same_address(written, one))
        })
        .collect()
}
