//! `reload`: flip, `systemctl reload`, then proof that what answers is the new release. The listener stays.
//! Measured trap: many servers accept the signal and go on with the old code, all green.

use super::{Turnover, awaited};
use crate::config::Service;
use crate::observed::Observed;
use crate::step::{Step, Turn};

pub(super) fn turnover(service: &Service, seen: &Observed) -> Turnover {
    let unit = service.unit.as_str().to_owned();
    let mut needs = Vec::new();
    let mut advice = Vec::new();
    // systemd knows it from the unit's text, also of one that does not run.
    if seen.unit(&unit).is_loaded() && seen.unit(&unit).text("CanReload") == "no" {
        needs.push(format!(
            "{unit} cannot reload: add `ExecReload=/bin/kill -HUP $MAINPID` under [Service] (and a handler in the app), then `sudo systemctl daemon-reload`"
        ));
    }
    if !service
        .health
        .as_ref()
        .is_some_and(|h| h.check.release || h.check.contains.is_some())
    {
        advice.push(format!(
            "{unit}: after a reload only the answer proves which release serves: let the health answer name the release and set `release: true` under `health`"
        ));
    }
    Turnover {
        needs,
        advice,
        switch: vec![Step::Reload(unit.clone()), awaited(service, Turn::Reload)],
        revert: vec![Step::Reload(unit), awaited(service, Turn::Reload)],
    }
}
