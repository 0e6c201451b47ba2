//! `rolling`: the instances of a service change one by one, each checked before the next one. The first that fails ends
//! it, and those that had changed go back. For a pool of workers, and for instances that share one listening socket.

use super::{Turnover, handover, slots, verdict};
use crate::config::{Instance, Service};
use crate::observed::Observed;
use crate::step::{Change, Step, Turn};

pub(super) fn turnover(service: &Service, observed: &Observed, change: &Change, root: &str) -> Turnover {
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
        check.watch = std::time::Duration::ZERO;
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
