//! `restart`: flip, restart. Nobody listens while the process changes; the summary says how long.

use super::{Turnover, awaited};
use crate::config::Service;
use crate::observed::Observed;
use crate::step::{Step, Turn};

pub(super) fn turnover(service: &Service, _seen: &Observed) -> Turnover {
    let unit = service.unit.as_str().to_owned();
    Turnover {
        needs: Vec::new(),
        advice: vec![format!(
            "{unit}: `restart` is not zero-downtime: nobody listens while the process changes"
        )],
        switch: vec![Step::Restart(unit.clone()), awaited(service, Turn::Restart)],
        revert: vec![Step::Restart(unit), awaited(service, Turn::Restart)],
    }
}
