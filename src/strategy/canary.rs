//! `canary`: `blue-green`, but before the router sends every request to the new instance, it sends a few percent of them,
//! and then more. The conductor compares both instances meanwhile; the first share at which the new one does worse is the
//! end of the deploy.

use super::{Turnover, blue_green, slots};
use crate::config::{Config, Service};
use crate::observed::Observed;
use crate::step::{self, Change, Command, Lever, Step};

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
    let Lever::Haproxy { socket, backend } = &router.lever else {
        let what = format!("{}: `canary` needs HAProxy, which can split requests", service.name());
        turnover.needs.push(what);
        return turnover;
    };
    if let Some(algorithm) = observed
        .routers
        .get(&router.lever.key())
        .and_then(|state| state.fixed_weights.as_ref())
    {
        turnover.needs.push(format!(
            "HAProxy's backend {backend} has `balance {algorithm}`, which cannot change a server's weight: write `balance roundrobin`, \
             then `sudo haproxy -c -f /etc/haproxy/haproxy.cfg && sudo systemctl reload haproxy`"
        ));
    }
    // A rollback is wanted at once, and its release has served before.
    let (Some(old), Command::Deploy) = (pair.active, change.command) else {
        return turnover;
    };
    let Some((to, from)) = service.place(&pair.idle).zip(service.place(&old)) else {
        return turnover;
    };
    let check = |one: &crate::config::Instance<'_>| one.health.map(|health| health.check.clone());
    let steps = canary.shares.iter().map(|share| {
        Step::Canary(Box::new(step::Canary {
            share: *share,
            socket: socket.clone(),
            to: to.clone(),
            from: from.clone(),
            hold: canary.hold,
            min_requests: canary.min_requests,
            check: check(&pair.idle),
            old: check(&old).map(|check| check.probe),
        }))
    });
    turnover.after.splice(0..0, steps);
    turnover
}
