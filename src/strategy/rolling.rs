//! `rolling`: the instances of a service change one by one, each checked before the next one. The first that fails ends
//! it, and those that had changed go back. For a pool of workers, for instances that share one listening socket, and for
//! instances behind a router.

use std::time::Duration;

use super::{Turnover, blue_green, handover, slots, verdict};
use crate::config::{Instance, Router, Service};
use crate::observed::Observed;
use crate::step::{Change, Check, Lever, Route, Step, Turn};

pub(super) fn turnover(service: &Service, observed: &Observed, change: &Change, root: &str) -> Turnover {
    if let Some(router) = &service.router {
        return routed(service, router, observed, change, root);
    }
    let socket = service.socket.as_ref().map(ToString::to_string);
    let mut turnover = Turnover {
        needs: match &socket {
            Some(socket) => handover::needs(service, observed, root, socket),
            None => slots::needs(service, observed, root),
        },
        ..Turnover::default()
    };
    let shared = socket.is_some() && service.shares_health();
    for one in service.instances() {
        let Some(slot) = one.slot else { continue };
        let mut check = verdict(&one, Turn::Restart);
        if shared && let Some(check) = &mut check.check {
            // Another instance may answer.
            check.release = false;
        }
        turnover.before.extend(slots::slot(&one, Some(&change.next)));
        turnover
            .before
            .extend([start(&one, socket.as_deref()), Step::Await(Box::new(check))]);
        let previous = change.previous.as_deref().filter(|_| !observed.is_idle(&one));
        turnover.revert.extend(slots::slot(&one, previous));
        if previous.is_none() {
            turnover.revert.push(Step::Stop(one.unit.to_owned()));
            continue;
        }
        turnover.revert.push(Step::Resume {
            unit: one.unit.to_owned(),
            slot: slot.to_owned(),
            socket: socket.clone(),
        });
        turnover
            .revert
            .push(Step::Await(Box::new(verdict(&one, Turn::Restart))));
    }
    // When the last one has changed, every answer is from the new release.
    if shared && let Some(last) = service.instances().last() {
        let mut check = verdict(&last, Turn::Restart);
        check.watch = Duration::ZERO;
        turnover.after.push(Step::Await(Box::new(check)));
    }
    turnover
}

fn start(one: &Instance<'_>, socket: Option<&str>) -> Step {
    let unit = one.unit.to_owned();
    match socket {
        Some(socket) => Step::Socket {
            unit,
            socket: socket.to_owned(),
        },
        None => Step::Restart(unit),
    }
}

/// Behind a router: nobody sends requests to an instance while it restarts, and the others serve. It gets its requests
/// again once it is healthy at its own address. The way back is the same, from the instance that changed last.
fn routed(service: &Service, router: &Router, observed: &Observed, change: &Change, root: &str) -> Turnover {
    let mut turnover = Turnover {
        needs: slots::needs(service, observed, root),
        advice: blue_green::unproven(service).into_iter().collect(),
        ..Turnover::default()
    };
    turnover.needs.extend(blue_green::needs(service, router, observed));
    turnover.needs.extend(in_maintenance(service, router, observed));
    if matches!(router.lever, Lever::Port { .. }) {
        let what = "`rolling` works with HAProxy, and with nginx if each instance listens on a unix socket";
        turnover.needs.push(format!("{}: {what}", service.name()));
        return turnover;
    }
    // Those that do not run are the first to change: then they can stand in for the others.
    let rests = |one: &Instance<'_>| change.previous.is_none() || observed.is_idle(one);
    let mut all: Vec<_> = service.instances().collect();
    all.sort_by_key(|one| (!rests(one), observed.unit(one.unit).is_active()));
    for (at, one) in all.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| all.get(at));
        // The first one changes while the next one still runs the old release.
        let other = before.or_else(|| all.get(at + 1).filter(|other| !rests(other)));
        turnover.before.extend(match &router.lever {
            Lever::Haproxy { socket, .. } if rests(one) => service.place(one).map_or_else(Vec::new, |server| {
                let socket = socket.clone();
                vec![Step::Isolate { socket, server }]
            }),
            _ => leave(one, other, blue_green::DRAIN.0),
        });
        turnover.before.extend(slots::slot(one, Some(&change.next)));
        turnover.before.push(Step::Restart(one.unit.to_owned()));
        turnover.before.push(Step::Await(Box::new(verdict(one, Turn::Restart))));
        turnover.before.extend(join(one, other));
        // All slots first: what crashes meanwhile starts the old release.
        let previous = change.previous.as_deref().filter(|_| !rests(one));
        turnover.revert.extend(slots::slot(one, previous));
    }
    for (at, one) in all.iter().enumerate().rev() {
        // Those after it have gone back, or never changed.
        let other = all.get(at + 1).or_else(|| all.get(at.checked_sub(1)?));
        turnover.back.extend(leave(one, other, blue_green::DRAIN.1));
        if rests(one) {
            turnover.back.push(Step::Stop(one.unit.to_owned()));
            continue;
        }
        turnover.back.extend(one.slot.map(|slot| Step::Resume {
            unit: one.unit.to_owned(),
            slot: slot.to_owned(),
            socket: None,
        }));
        turnover.back.push(Step::Await(Box::new(verdict(one, Turn::Restart))));
        turnover.back.extend(join(one, other));
    }
    // When the last one has changed, every answer is from the new release.
    if let Some(last) = all.last() {
        turnover.after.push(blue_green::through(last, Duration::ZERO));
        // Where all rest, the way back has stopped all.
        if !rests(last) {
            turnover.back.push(blue_green::through(last, Duration::ZERO));
        }
    }
    turnover
}

/// An operator took these from HAProxy: the steps would make them ready.
fn in_maintenance(service: &Service, router: &Router, observed: &Observed) -> Vec<String> {
    let Lever::Haproxy { socket, backend } = &router.lever else {
        return Vec::new();
    };
    let state = observed.routers.get(&router.lever.key());
    let is = |one: Instance<'_>| {
        let name = one.slot?;
        state?.servers.get(name).filter(|server| server.maintenance)?;
        Some(format!(
            "HAProxy's server {backend}/{name} is in maintenance, and a rolling switch would make it ready: end the maintenance first \
             (`set server {backend}/{name} state ready` over {socket}, or remove `disabled` in haproxy.cfg)"
        ))
    };
    service.instances().filter_map(is).collect()
}

/// The router sends no more requests to an instance, and those that it has come to their end.
fn leave(one: &Instance<'_>, other: Option<&Instance<'_>>, limit: Duration) -> Vec<Step> {
    let service = one.service;
    let (Some(lever), Some(from)) = (service.lever(one), service.place(one)) else {
        return Vec::new();
    };
    let stands_in = match (&lever, other) {
        (Lever::Haproxy { .. }, _) => None,
        (_, None) => return Vec::new(),
        (_, Some(other)) => service.place(other).map(|to| {
            Step::Route(Box::new(Route {
                lever: lever.clone(),
                to,
                from: Some(from.clone()),
                stands_in: one.slot.map(str::to_owned),
                within: verdict(other, Turn::Restart).start,
                check: other.health.map(|health| Check {
                    // It may still run the old one.
                    release: false,
                    ..health.check.clone()
                }),
            }))
        }),
    };
    let drain = Step::Drain {
        lever,
        from,
        limit,
        one_of_several: one.slot.map(str::to_owned),
    };
    stands_in.into_iter().chain([drain]).collect()
}

/// The router sends requests to an instance again.
fn join(one: &Instance<'_>, other: Option<&Instance<'_>>) -> Option<Step> {
    let service = one.service;
    let lever = service.lever(one)?;
    Some(Step::Route(Box::new(Route {
        to: service.place(one)?,
        from: match lever {
            Lever::Haproxy { .. } => None,
            _ => Some(service.place(other.unwrap_or(one))?),
        },
        lever,
        stands_in: None,
        within: verdict(one, Turn::Restart).start,
        check: one.health.map(|health| health.check.clone()),
    })))
}
