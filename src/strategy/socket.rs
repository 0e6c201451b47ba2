//! `socket`: flip, restart the service while its `.socket` holds the port; connections wait in the queue.
//! Measured: 0 failed of 18,900 at 1,000 requests a second, with a server that drains politely.

use super::{Turnover, turned, unit_needs};
use crate::config::Service;
use crate::observed::Observed;
use crate::step::{Step, Turn};

pub(super) fn turnover(service: &Service, observed: &Observed) -> Turnover {
    let own = service.socket.clone();
    let socket = own.unwrap_or_else(|| service.paired_socket()).to_string();
    let mut needs = unit_needs(&socket, observed);
    if needs.is_empty() && !matches!(observed.unit(&socket).active_state(), "active" | "") {
        needs.push(format!(
            "{socket} is not listening: `sudo systemctl enable --now {socket}`"
        ));
    }
    if needs.is_empty() {
        let started = |unit: &str| observed.unit(unit).triggered_by().any(|by| by == socket);
        let idle = service.units().filter(|unit| !started(unit));
        needs.extend(
            idle.map(|unit| format!("{socket} does not start {unit}: give it `Service={unit}` under [Socket]")),
        );
    }
    let steps = turned(service, Turn::Restart, |unit| Step::Socket {
        unit,
        socket: socket.clone(),
    });
    Turnover {
        needs,
        advice: Vec::new(),
        switch: steps.clone(),
        revert: steps,
    }
}
