//! `reload`: flip, `systemctl reload`, then proof that what answers is the new release. The listener stays.
//! Measured trap: many servers accept the signal and go on with the old code, all green.

use super::{Turnover, turned};
use crate::config::Service;
use crate::observed::Observed;
use crate::step::{Step, Turn};

pub(super) fn turnover(service: &Service, observed: &Observed) -> Turnover {
    let mut needs = Vec::new();
    let mut advice = Vec::new();
    for unit in service.units() {
        // systemd knows it from the unit's text, also of one that does not run.
        let properties = observed.unit(unit);
        if properties.is_loaded() && properties.text("CanReload") == "no" {
            needs.push(format!(
                "{unit} cannot reload: add `ExecReload=/bin/kill -HUP $MAINPID` under [Service] (and a handler in the app), then `sudo systemctl daemon-reload`"
            ));
        }
    }
    if !service
        .health()
        .is_some_and(|h| h.check.release || h.check.contains.is_some())
    {
        advice.push(format!(
            "{}: after a reload, only the health response can prove which release answers: include the release id in it and set `release: true` under `health`",
            service.name()
        ));
    }
    let steps = turned(service, Turn::Reload, Step::Reload);
    Turnover {
        needs,
        advice,
        switch: steps.clone(),
        revert: steps,
        ..Turnover::default()
    }
}
