//! `canary`: `blue-green`, but before the router sends every request to the new instance, it sends a few percent of them,
//! and then more. The conductor compares both instances meanwhile; the first share at which the new one does worse is the
//! end of the deploy. nginx splits the requests by parts, each of which leads to one of the instances: never a reload.

use super::{Turnover, blue_green, slots};
use crate::config::{Config, Instance, Service};
use crate::observed::Observed;
use crate::observed::routers::RouterState;
use crate::step::{self, Change, Command, Lever, Step};
use crate::unit::strategy::PARTS;

pub(super) fn turnover(config: &Config, service: &Service, observed: &Observed, change: &Change) -> Turnover {
    let mut turnover = blue_green::turnover(config, service, observed, change);
    let (Some(router), Some(canary), Some(pair)) = (&service.router, &service.canary, slots::pair(service, observed))
    else {
        let what = format!(
            "{}: `canary` needs `router`, and two instances of a template",
            service.name()
        );
        turnover.needs.push(what);
        return turnover;
    };
    let unknown = RouterState::default();
    let state = observed.routers.get(&router.lever.key()).unwrap_or(&unknown);
    let lack = match &router.lever {
        Lever::Haproxy { backend, .. } => fixed_weights(backend, state),
        Lever::Parts(one) => unsplit(service, one, state, pair.active.as_ref()),
        Lever::Link { .. } | Lever::Port { .. } => Some(format!(
            "{}: `canary` needs HAProxy or nginx, which can split the requests",
            service.name()
        )),
    };
    match lack {
        // What could not be read may be there.
        Some(_) if state.unread => turnover.advice.push(format!(
            "{}: whether nginx splits the requests is unknown, because its configuration in /etc/nginx could not be read: see \
             `shipit unit generate --strategy canary --router nginx`",
            service.name()
        )),
        lack => turnover.needs.extend(lack),
    }
    // A rollback is wanted at once, and its release has served before.
    let (Some(old), Command::Deploy) = (pair.active, change.command) else {
        return turnover;
    };
    let Some((to, from)) = service.place(&pair.idle).zip(service.place(&old)) else {
        return turnover;
    };
    let check = |one: &Instance<'_>| one.health.map(|health| health.check.clone());
    let counts = matches!(router.lever, Lever::Haproxy { .. });
    let steps = canary.shares.iter().map(|share| {
        Step::Canary(Box::new(step::Canary {
            share: *share,
            lever: router.lever.clone(),
            to: to.clone(),
            from: from.clone(),
            hold: canary.hold,
            min_requests: counts.then_some(canary.min_requests),
            check: check(&pair.idle),
            old: check(&old).map(|check| check.probe),
        }))
    });
    turnover.after.splice(0..0, steps);
    turnover
}

/// That HAProxy's backend cannot change weights.
fn fixed_weights(backend: &str, state: &RouterState) -> Option<String> {
    let algorithm = state.fixed_weights.as_ref()?;
    Some(format!(
        "HAProxy's backend {backend} has `balance {algorithm}`, which cannot change a server's weight: write `balance roundrobin`, \
         then `sudo haproxy -c -f /etc/haproxy/haproxy.cfg && sudo systemctl reload haproxy`"
    ))
}

/// What nginx's configuration lacks to send a part of the requests to the new instance.
fn unsplit(service: &Service, one: &Lever, state: &RouterState, active: Option<&Instance<'_>>) -> Option<String> {
    let has_server = |part: &u8| {
        let Some(server) = state.splits.get(&part.to_string()) else {
            return false;
        };
        let words: Vec<&str> = server.split_whitespace().collect();
        let weight = words
            .iter()
            .find_map(|word| word.strip_prefix("weight="))
            .unwrap_or("1");
        weight == part.to_string() && !words.contains(&"down") && !words.contains(&"backup")
    };
    let port = |one: &Instance<'_>| Some(service.place(one)?.rsplit_once(':')?.1.to_owned());
    let live = one.path();
    let stem = live.strip_suffix(".sock").unwrap_or(live);
    let parts = PARTS.map(|part| part.to_string()).join(" ");
    let to = active.and_then(|active| service.place(active));
    let (lacks, first, lines) = if let Lever::Link { .. } = one {
        if PARTS.iter().all(has_server) {
            return None;
        }
        let servers = PARTS.map(|part| format!("server unix:{stem}.{part}.sock weight={part} max_fails=0;"));
        let links = to.map(|to| format!("for n in {parts}; do ln -sfn {to} {stem}.$n.sock; done"));
        let lines = format!(
            "in its upstream, replace the other servers with `{}`",
            servers.join(" ")
        );
        ("a server for each part of the requests".to_owned(), links, lines)
    } else {
        let ports: Vec<String> = service.instances().filter_map(|one| port(&one)).collect();
        if ports.iter().any(|port| state.splits.contains_key(port)) {
            return None;
        }
        let files = active.and_then(port).map(|active| {
            // A file of an earlier canary would win over the one that is made.
            let others = ports.iter().filter(|port| **port != active);
            let others: String = others.map(|port| format!(" {stem}.$n.{port}")).collect();
            format!("for n in {parts}; do touch {stem}.$n.{active} && rm -f{others}; done")
        });
        let lines = "write what `shipit unit generate --strategy canary --router nginx --ports` prints".to_owned();
        (format!("`-f {stem}.$PART.PORT`"), files, lines)
    };
    let first = first.map_or(String::new(), |line| {
        format!(
            "run `{line}` on the host as the deploy user, so that each part points to the instance that serves; then "
        )
    });
    Some(format!(
        "nginx cannot send a share of the requests to a new instance, because /etc/nginx does not have {lacks}: {first}{lines}, then \
         `sudo nginx -t && sudo systemctl reload nginx`"
    ))
}
