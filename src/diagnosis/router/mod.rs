//! What stands in front of the app: whether a router that runs leads to it, and whether the one that leads to it runs.
//! Of what could not be read or followed nothing is said to be missing.

use std::collections::BTreeMap;

use super::{Area, Depth, Evidence, Finding, health};
use crate::config::{Config, Instance};
use crate::failure::Next;
use crate::observed::{Listening, Live, Owner};
use crate::router::{Address, Forward, Kind, Place, Router, Routers};
use crate::unit::rules::Severity;

/// A service of the app and where it is to be reached.
struct App<'a> {
    unit: &'a str,
    at: Vec<Address>,
}

pub(super) fn findings(config: &Config, live: &Live, evidence: &Evidence) -> Vec<Finding> {
    let Some(routers) = &evidence.routers else {
        return Vec::new();
    };
    let listening = evidence.listening.as_ref().or(live.listening.as_ref());
    let services = config.instances().map(|one| App {
        unit: one.unit,
        at: addresses(one, live, listening),
    });
    let apps: Vec<App> = services.filter(|app| !app.at.is_empty()).collect();
    let leads = |router: &&Router| apps.iter().any(|app| led(app, router, routers).is_some());
    let served = routers.all.iter().filter(|one| runs(one)).any(|one| leads(&one));
    let mut found = Vec::new();
    for router in &routers.all {
        let name = router.kind.word();
        if let Some(why) = router.unknown.as_ref().filter(|_| runs(router) || meant(router)) {
            let what = format!("the configuration of {name} was not read: {why}");
            found.push(
                Finding::info(Area::Router, Depth::Later, what)
                    .why("the addresses that it forwards to are unknown, so nothing is reported as missing"),
            );
        }
        if let Some(place) = router.unclear.first().filter(|_| runs(router)) {
            let what = format!("{name}: some addresses that it forwards to are unknown");
            let mut finding = Finding::info(Area::Router, Depth::Later, what)
                .why("its configuration uses variables or syntax that shipit does not interpret; nothing is reported as missing");
            finding.place = Some(place.clone());
            found.push(finding);
        }
        if leads(&router) {
            found.extend(forgetful(router, &apps, routers));
        }
        for app in &apps {
            let Some((forward, at)) = led(app, router, routers) else {
                continue;
            };
            found.push(if runs(router) {
                let what = format!("{name} forwards to {} at {at}", app.unit);
                placed(Finding::info(Area::Router, Depth::Later, what), forward)
            } else {
                stopped(router, app, forward, served)
            });
        }
        if runs(router) && !leads(&router) && !routers.all.iter().any(|one| leads(&one)) {
            found.extend(misplaced(router, &apps, routers, listening));
        }
    }
    found.extend(strangers(&apps, live, listening));
    found
}

/// Who else listens where clients come in: what may be a router that this program does not read is never passed over.
fn strangers(apps: &[App], live: &Live, listening: Option<&Vec<Listening>>) -> Vec<Finding> {
    let mut units: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for one in listening.into_iter().flatten() {
        let (Owner::Unit(unit), Some(Address::Tcp(host, port))) = (&one.owner, Address::of(one)) else {
            continue;
        };
        let known =
            live.unit(unit).is_some() || Kind::ALL.iter().any(|kind| *unit == format!("{}.service", kind.word()));
        let at = Address::Tcp(host, port);
        let ours = apps.iter().flat_map(|app| &app.at).any(|own| own.reaches(&at));
        if matches!(port, 80 | 443) && !known && !ours && !at.is_local() {
            let ports = units.entry(unit).or_default();
            if !ports.contains(&port.to_string()) {
                ports.push(port.to_string());
            }
        }
    }
    let told = |(unit, ports): (&str, Vec<String>)| {
        let ports = ports.join(" and ");
        let what = format!("{unit} listens on port {ports}; its configuration was not read");
        Finding::info(Area::Router, Depth::Later, what)
            .why("shipit reads only nginx, HAProxy and Caddy; whether this router forwards to the app is unknown")
    };
    units.into_iter().map(told).collect()
}

/// Whether it is to run, by systemd's word.
fn meant(router: &Router) -> bool {
    router.active == "failed" || router.enabled == "enabled"
}

fn runs(router: &Router) -> bool {
    matches!(
        router.active.as_str(),
        "active" | "activating" | "reloading" | "refreshing" | ""
    )
}

fn placed(mut finding: Finding, forward: &Forward) -> Finding {
    finding.place = Some(forward.place.clone());
    finding
}

/// Where a service listens, where its sockets are to be, and where it is asked for its health; but not the router's own
/// door, through which health may be asked too.
fn addresses(one: Instance<'_>, live: &Live, listening: Option<&Vec<Listening>>) -> Vec<Address> {
    let name = one.unit;
    let all = listening.map_or(&[][..], Vec::as_slice);
    let mut at: Vec<Address> = health::owned(name, live, all)
        .into_iter()
        .filter_map(Address::of)
        .collect();
    let properties = live.properties(name);
    let sockets = live.units.iter().filter(|(unit, _)| {
        let own = unit.name.as_str();
        own.ends_with(".socket") && properties.triggered_by().any(|by| by == own)
    });
    at.extend(
        sockets
            .flat_map(|(unit, _)| unit.all("Socket", "ListenStream"))
            .filter_map(|entry| match entry.value {
                path if path.starts_with('/') => Some(Address::Unix(path.to_owned())),
                text => Address::tcp(text, None),
            }),
    );
    if let Some((_, host, port)) = one.health.and_then(health::address) {
        let asked = if port == 0 {
            Address::Unix(host)
        } else {
            Address::Tcp(host.trim_matches(['[', ']']).to_owned(), port)
        };
        let doors =
            [Kind::Nginx, Kind::Haproxy, Kind::Caddy].map(|kind| Owner::Unit(format!("{}.service", kind.word())));
        let door =
            |one: &&Listening| doors.contains(&one.owner) && Address::of(one).is_some_and(|own| asked.reaches(&own));
        if !all.iter().any(|one| door(&one)) {
            at.push(asked);
        }
    }
    at.sort();
    at.dedup();
    at
}

/// The first line of a router that leads to a service, and the service's address.
fn led<'a>(app: &'a App, router: &'a Router, routers: &Routers) -> Option<(&'a Forward, &'a Address)> {
    router.forwards.iter().find_map(|forward| {
        let at = app.at.iter().find(|at| goes(&forward.address, at, routers))?;
        Some((forward, at))
    })
}

/// Whether a forward ends at an address; a unix socket also through links, on both sides.
fn goes(from: &Address, to: &Address, routers: &Routers) -> bool {
    let target = match from {
        Address::Unix(path) => routers.links.get(path).cloned().flatten(),
        Address::Tcp(..) => None,
    };
    from.reaches(to) || target.is_some_and(|path| Address::Unix(path).reaches(to))
}

/// A router that would lead to the app, and does not run.
fn stopped(router: &Router, app: &App, forward: &Forward, served: bool) -> Finding {
    let name = router.kind.word();
    let unit = format!("{name}.service");
    let what = format!("{unit} is {}: it forwards to {}", router.active, app.unit);
    let failed = router.active == "failed";
    let severity = match (meant(router), served) {
        (true, false) => Severity::Error,
        (true, true) | (false, false) => Severity::Warning,
        // Clients have another way in.
        (false, true) => Severity::Info,
    };
    let finding = Finding::new(severity, Area::Router, Depth::State, what);
    let files = |option: &str| {
        let files = router.files.iter();
        files.map(|file| format!(" {option} {file}")).collect::<String>()
    };
    let check = match router.kind {
        Kind::Nginx if router.files == [Kind::Nginx.file()] => "sudo nginx -t".to_owned(),
        Kind::Nginx => format!("sudo nginx -t{}", files("-c")),
        Kind::Haproxy => format!("sudo haproxy -c{}", files("-f")),
        Kind::Caddy => format!("sudo caddy validate{}", files("--config")),
    };
    // One that failed may be at its start limit, and would refuse the start.
    let reset = if failed {
        format!("sudo systemctl reset-failed {unit} && ")
    } else {
        String::new()
    };
    let finding = finding
        .why("requests through it do not reach the app, even if the app is healthy")
        .next(Next::shell(format!("{check} && {reset}sudo systemctl start {unit}")));
    let finding = if failed {
        finding.next(Next::shell(format!("sudo journalctl -u {unit} -n 20")))
    } else {
        finding
    };
    placed(finding, forward)
}

/// A router that runs and forwards, but not to the app: the near miss is an address of this host where nothing listens.
fn misplaced(router: &Router, apps: &[App], routers: &Routers, listening: Option<&Vec<Listening>>) -> Option<Finding> {
    let app = apps.first()?;
    let first = router.forwards.first()?;
    let may_lead = |forward: &Forward| {
        let Address::Tcp(_, port) = &forward.address else {
            // A socket whose link could not be followed may be the app's.
            return matches!(&forward.address, Address::Unix(path) if !routers.links.contains_key(path));
        };
        let same = |at: &Address| matches!(at, Address::Tcp(_, own) if own == port);
        forward.address.is_name() && apps.iter().flat_map(|app| &app.at).any(same)
    };
    let known = router.unknown.is_none()
        && router.unclear.is_empty()
        && router.unreadable.is_empty()
        && !router.forwards.iter().any(may_lead);
    if !known {
        return None;
    }
    let name = router.kind.word();
    let at: Vec<String> = app.at.iter().map(ToString::to_string).collect();
    let at = at.join(" and ");
    let miss = listening.and_then(|all| {
        let mut forwards = router.forwards.iter();
        forwards.find(|forward| dead(&forward.address, all, routers))
    });
    if let Some(miss) = miss {
        let what = format!(
            "{name} forwards to {}, where nothing listens; {} listens on {at}, and {name}'s configuration does not forward there",
            miss.address, app.unit
        );
        let finding = Finding::warning(Area::Router, Depth::Answer, what)
            .why("requests through it get 502 or 503, even if the app is healthy")
            .next(edit(router.kind, &miss.place, app.at.first()?));
        return Some(placed(finding, miss));
    }
    let what = format!(
        "{name} is running, but its configuration does not forward to {} ({at})",
        app.unit
    );
    // What listens for other machines need not be behind this router.
    let hidden = apps.iter().flat_map(|app| &app.at).all(Address::is_local);
    let finding = if hidden {
        Finding::warning(Area::Router, Depth::Later, what).why(
            "it forwards elsewhere, and other machines cannot reach the app; that is fine if none of them needs to",
        )
    } else {
        Finding::info(Area::Router, Depth::Later, what).why("it forwards elsewhere; clients can reach the app directly")
    };
    Some(placed(finding, first))
}

/// The line to write, with the address in the router's own words.
fn edit(kind: Kind, (file, line): &Place, at: &Address) -> Next {
    let name = kind.word();
    let at = match (kind, at) {
        (Kind::Nginx, Address::Unix(path)) => format!("unix:{path}"),
        (Kind::Haproxy, Address::Unix(path)) => format!("unix@{path}"),
        (Kind::Caddy, Address::Unix(path)) => format!("unix/{path}"),
        (_, Address::Tcp(host, port)) if matches!(host.as_str(), "*" | "0.0.0.0" | "::") => {
            format!("127.0.0.1:{port}")
        }
        (_, at) => at.to_string(),
    };
    Next::advice(format!(
        "in {file}:{line} write {at}, then: sudo systemctl reload {name}.service"
    ))
}

/// Whether it is certain that nobody on this host listens there.
fn dead(address: &Address, all: &[Listening], routers: &Routers) -> bool {
    let taken = |address: &Address| {
        let mut own = all.iter().filter_map(Address::of);
        own.any(|own| address.reaches(&own))
    };
    match address {
        Address::Tcp(..) => address.is_local() && !taken(address),
        Address::Unix(path) => match routers.links.get(path) {
            None => false,
            Some(None) => !taken(address),
            Some(Some(target)) => !taken(address) && !taken(&Address::Unix(target.clone())),
        },
    }
}

/// Upstreams that lead to the app, have several servers, and give one up for 10 s after its first failure.
/// Source: ngx_http_upstream_module, `server`; measured: 3021 of 6000 requests failed, 0 with `max_fails=0`.
fn forgetful(router: &Router, apps: &[App], routers: &Routers) -> Vec<Finding> {
    let mut upstreams: BTreeMap<&Place, Vec<&Forward>> = BTreeMap::new();
    for forward in &router.forwards {
        if let Some(peer) = forward.peer.as_ref().filter(|peer| !peer.down) {
            upstreams.entry(&peer.upstream).or_default().push(forward);
        }
    }
    let ours = |forward: &&Forward| {
        let mut all = apps.iter().flat_map(|app| &app.at);
        all.any(|at| goes(&forward.address, at, routers))
    };
    let mut found = Vec::new();
    for servers in upstreams.into_values() {
        let counts = |one: &&&Forward| one.peer.as_ref().is_some_and(|peer| !peer.forgiven);
        let Some(first) = servers.iter().find(counts) else {
            continue;
        };
        if servers.len() < 2 || !servers.iter().any(ours) {
            continue;
        }
        let name = first.peer.as_ref().map_or("", |peer| peer.name.as_str());
        let what = format!(
            "nginx counts failures of the {} servers in upstream {name}, because not all of them have max_fails=0",
            servers.len()
        );
        let finding = Finding::warning(Area::Router, Depth::Later, what)
            .why("after one failure nginx avoids a server for 10 s; when two servers restart one after the other, it avoids both and answers 502 for 10 s (measured: half of all requests; none with max_fails=0)")
            .next(Next::advice(format!("in {}:{} write: server {} max_fails=0;", first.place.0, first.place.1, first.written)).remark("on each server, then: sudo systemctl reload nginx.service"));
        found.push(placed(finding, first));
    }
    found
}

#[cfg(test)]
mod tests;
