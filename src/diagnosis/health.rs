//! Who listens where health is asked, and what was answered. Only services that run are asked.

use super::{Area, Depth, Evidence, Finding};
use crate::config::{Config, Health};
use crate::failure::Next;
use crate::observed::{Current, Family, Listening, Live, Owner};
use crate::step::Address;
use crate::text;
use std::net::IpAddr;
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
                    format!("{name}: the health check took {}", text::seconds(*took)),
                )
                .of(name)
                .why("a deploy allows 2 s per request; under load, this check could fail"),
            ),
            Some(Probed::Well(_)) => {}
            None => {
                let taken = taken(name, health, evidence, live);
                found.extend(taken.or_else(|| held(config, name, health, evidence, live)));
            }
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
        format!("{name} cannot listen on {host}:{port}: {other} already does"),
    )
    .of(name)
    .why("only one process can bind an address; behind a .socket unit, the program must use the passed descriptor")
    .next(Next::shell(format!("sudo ss -ltnp 'sport = :{port}'")))
    .next(match one.owner {
        Owner::Unit(_) => Next::shell(format!("systemctl status {other}")),
        _ => Next::shell("systemctl list-sockets"),
    });
    finding.log.push(line.clone());
    Some(finding)
}

/// Before the first release: who holds the address that the app is to listen on. A router may answer there by right.
fn held(config: &Config, name: &str, health: &Health, evidence: &Evidence, live: &Live) -> Option<Finding> {
    let observed = evidence.observed.as_ref()?;
    if observed.current != Current::Absent || live.properties(name).is_active() {
        return None;
    }
    let (family, host, port) = address(health)?;
    let local = |host: &str| {
        host == "localhost"
            || host
                .parse()
                .is_ok_and(|ip: IpAddr| ip.is_loopback() || ip.is_unspecified())
    };
    if family != Family::Tcp || !local(host.trim_matches(['[', ']'])) {
        return None;
    }
    let one = live.listening.iter().flatten().find(|one| one.takes(&host, port))?;
    let other = match &one.owner {
        Owner::Unit(other) if is_own(config, other) || ROUTERS.contains(&other.as_str()) => return None,
        Owner::Systemd if is_of_own_socket(live, one) => return None,
        Owner::Unit(other) => other.clone(),
        Owner::Systemd => "a socket unit".to_owned(),
        Owner::Unknown => "another process".to_owned(),
    };
    let finding = Finding::error(
        Area::Health,
        Depth::Socket,
        format!("{name} should listen on {host}:{port}, where {other} already listens"),
    );
    Some(
        finding
            .of(name)
            .why("only one process can bind an address, so the first release would not start")
            .next(Next::advice(format!(
                "use a port other than {port} for this app: in `url` under health in deploy.yml, and in its unit"
            )))
            .next(Next::shell(format!("sudo ss -ltnp 'sport = :{port}'")).remark("on the host: shows the process")),
    )
}

/// What answers on behalf of others.
const ROUTERS: [&str; 5] = [
    "nginx.service",
    "haproxy.service",
    "caddy.service",
    "apache2.service",
    "traefik.service",
];

fn is_own(config: &Config, unit: &str) -> bool {
    config.instances().any(|one| one.unit == unit)
}

fn is_of_own_socket(live: &Live, one: &Listening) -> bool {
    let sockets = live
        .units
        .iter()
        .filter(|(unit, facts)| unit.name.kind() == "socket" && facts.properties.is_active());
    let mut addresses = sockets.flat_map(|(unit, _)| unit.all("Socket", "ListenStream"));
    addresses.any(|entry| crate::observed::same_address(entry.value, one))
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
            format!("{name} is running, but is unhealthy: {said}"),
        )
        .why(why)
        .next(logs.clone())
    };
    let (Some((family, host, port)), Some(all)) = (address(health), listening) else {
        return plain("a release that responds like this is reverted");
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
            format!("{other}, not {name}, listens on {asked}: {said}"),
        )
        .why("the app could not bind its port, or the health check reaches another service")
        .next(Next::shell(format!("sudo ss -ltnp 'sport = :{port}'")))
        .next(logs),
        Owner::Systemd if one.waiting > 0 => Finding::error(
            Area::Health,
            Depth::Socket,
            format!(
                "{name} is running, but does not accept connections from systemd's socket at {asked}: {} are waiting",
                one.waiting
            ),
        )
        .why("the program must use the descriptor that it is passed (LISTEN_FDS, starting at 3) instead of opening the port")
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
        _ => plain("it listens, and a release that responds like this is reverted"),
    }
}

/// Nobody listens where health is asked. If the service listens elsewhere, one of the two addresses is wrong.
fn nobody(name: &str, asked: &str, family: Family, live: &Live, all: &[Listening]) -> Finding {
    let own = owned(name, live, all);
    if own.is_empty() {
        let what = format!("{name} is running, but nothing is listening on {asked}");
        return Finding::error(Area::Health, Depth::Answer, what)
            .why("the program listens later, on another address, or never; systemd only checks that its process runs")
            .next(Next::shell("sudo ss -ltnp").remark("shows which process listens on which address"));
    }
    let places: Vec<&str> = own.iter().map(|one| one.address.as_str()).collect();
    let key = if family == Family::Unix { "unix" } else { "url" };
    Finding::error(
        Area::Health,
        Depth::Answer,
        format!("the health check uses {asked}, where nothing listens; {name} listens on {}", places.join(" and ")),
    )
    .why("the service may be healthy, but the address in deploy.yml or the app's own setting is wrong; every deploy will be reverted")
    .next(Next::advice(format!("set `{key}` under health of {name} in deploy.yml to the address that it listens on")))
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
