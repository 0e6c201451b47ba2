//! A service behind a router: which one it names, how long the old instance stays ready, and by what the router can tell
//! its instances apart. The routers themselves are in `router`.

use std::time::Duration;

use super::names::{RouterName, quoted};
use super::reader::{HOUR, Map, Value};
use super::{Router, Service, Strategy};
use crate::step::{Address, Lever, Proxy};

/// The router that `router` names, for the strategies that need or take one.
pub(super) fn router(map: &Map<'_>, strategy: Option<Strategy>, routers: Option<&[Router]>) -> Option<Option<Router>> {
    let strategy = strategy?;
    match map.get("router") {
        Some(value) if !strategy.takes_router() => {
            value.is_wrong(&format!("`{strategy}` does not use a router"));
            None
        }
        Some(value) => {
            let name = value.name(RouterName::parse)?;
            let routers = routers?;
            let found = routers.iter().find(|router| router.name == name);
            if found.is_none() {
                value.is_wrong(&format!("{} is not in `routers`", quoted(name.as_str())));
            }
            found.cloned().map(Some)
        }
        None if strategy.needs_router() => {
            map.problems.note(
                map.at,
                format!("`router` is missing; `{strategy}` needs the name of a router in `routers`"),
            );
            None
        }
        None => Some(None),
    }
}

pub(super) fn baking(value: Value<'_>, strategy: Option<Strategy>) -> Option<Duration> {
    if strategy.is_some_and(|strategy| !strategy.needs_router()) {
        value.is_wrong("only strategies with a router keep the old instance ready");
        return None;
    }
    value.duration(Duration::ZERO..=HOUR)
}

/// The service, with its router as the addresses of the instances have it turned: by a symlink to a socket, or by a file for
/// a port. The health check must ask each instance at its own address, by which the router reaches it too.
pub(super) fn turned(map: &Map<'_>, mut service: Service) -> Option<Service> {
    let Some(router) = &service.router else {
        return Some(service);
    };
    let addresses: Vec<Option<Address>> = service
        .instances()
        .map(|one| one.health?.check.probe.address())
        .collect();
    let port = |at: &Option<Address>| match at {
        Some(Address::Tcp(_, port)) => Some(*port),
        _ => None,
    };
    let mut ports: Vec<u16> = addresses.iter().filter_map(port).collect();
    let lever = match &router.lever {
        Lever::Link { proxy, live } if ports.len() == addresses.len() => Lever::Port {
            proxy: *proxy,
            live: live.strip_suffix(".sock").unwrap_or(live).to_owned(),
        },
        own => own.clone(),
    };
    let name = quoted(router.name.as_str());
    let splits = service.strategy == Strategy::Canary && matches!(lever, Lever::Link { .. } | Lever::Port { .. });
    if let Some(value) = map.get("min_requests").filter(|_| splits) {
        value.is_wrong(
            "only a router of `kind: haproxy` counts requests; behind nginx the host compares its own probes",
        );
        return None;
    }
    if let Some(text) = cannot(&service, &lever, &name) {
        map.problems
            .note(map.get("router").map_or(map.at, |value| value.node.at), text);
        return None;
    }
    let example = if matches!(lever, Lever::Link { .. }) {
        "health: {unix: {socket: \"/run/acme/{instance}.sock\", path: /healthz}}"
    } else {
        "health: {url: \"http://127.0.0.1:{port}/healthz\"}"
    };
    ports.sort_unstable();
    ports.dedup();
    let wrong = if service.instances().any(|one| one.health.is_none()) {
        "`health` is missing"
    } else if matches!(lever, Lever::Link { .. }) && !addresses.iter().all(|at| matches!(at, Some(Address::Unix(_)))) {
        "`health` must check the unix socket or the port of the instance, because the router reaches it there too"
    } else if service.shares_health() || matches!(lever, Lever::Port { .. }) && ports.len() < addresses.len() {
        "`health` checks every instance at the same address"
    } else {
        if let Some(router) = &mut service.router {
            router.lever = if splits { Lever::Parts(Box::new(lever)) } else { lever };
        }
        return Some(service);
    };
    let text = format!(
        "{wrong}; a new instance is checked at its own address before the router sends requests to it. Write for example {}",
        quoted(example)
    );
    map.problems
        .note(map.get("health").map_or(map.at, |value| value.node.at), text);
    None
}

/// Why a strategy does not work with this router.
fn cannot(service: &Service, lever: &Lever, name: &str) -> Option<String> {
    match (service.strategy, lever) {
        (
            Strategy::Canary,
            Lever::Link {
                proxy: Proxy::Caddy, ..
            }
            | Lever::Port {
                proxy: Proxy::Caddy, ..
            },
        ) => Some(format!(
            "`canary` works with `kind: haproxy` and `kind: nginx`, and {name} cannot split the requests; `blue-green` works with it"
        )),
        (Strategy::Rolling, _) if service.socket.is_some() => Some(
            "`rolling` takes `socket` or `router`, not both: either the instances share one listening socket, or a router \
             sends requests to the socket or port of each"
                .to_owned(),
        ),
        (Strategy::Rolling, _) if service.instances().count() < 2 => Some(
            "`rolling` behind a router needs two instances or more: while one restarts, another one serves".to_owned(),
        ),
        (Strategy::Rolling, Lever::Port { .. } | Lever::Link { proxy: Proxy::Caddy, .. }) => Some(format!(
            "`rolling` works with HAProxy, and with nginx if each instance listens on a unix socket; {name} cannot stop \
             sending requests to one of several instances without a reload"
        )),
        _ => None,
    }
}
