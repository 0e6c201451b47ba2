//! `restart`: flip, restart. Nobody listens while the process changes; the summary says how long.

use super::{Turnover, turned};
use crate::config::Service;
use crate::observed::Observed;
use crate::step::{Step, Turn};

pub(super) fn turnover(service: &Service, _seen: &Observed) -> Turnover {
    let unit = service.name();
    let steps = turned(service, Turn::Restart, Step::Restart);
    Turnover {
        advice: vec![format!(
            "{unit}: `restart` is not zero-downtime: nothing listens while the process restarts"
        )],
        switch: steps.clone(),
        revert: steps,
        ..Turnover::default()
    }
}
