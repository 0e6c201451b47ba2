//! The way back of a first deploy, which has no release to go back to: what stops, and what was running before and has to
//! go on for others. Never here: the way back to a release.

use std::time::Duration;

use crate::config::{Config, Instance, Strategy};
use crate::observed::Observed;
use crate::step::{Step, Turn, Verdict};

/// What happens to the services when a first deploy fails.
pub struct Back {
    pub steps: Vec<Step>,
    /// The same as the end of a sentence: ` and the services are stopped`.
    pub explained: String,
}

/// Stops what this deploy started. A service that was running before and can reload, such as php-fpm, may serve other
/// apps: it is reloaded, so that it drops the files of the removed release, and must be active then.
pub fn without_release(config: &Config, observed: &Observed) -> Back {
    let (others, own): (Vec<_>, Vec<_>) = config.instances().partition(|one| is_shared(one, observed));
    let names: Vec<&str> = others.iter().map(|one| one.unit).collect();
    let mut steps: Vec<Step> = own.iter().map(|one| Step::Stop(one.unit.to_owned())).collect();
    steps.extend(names.iter().map(|unit| Step::Reload((*unit).to_owned())));
    steps.extend(others.iter().map(|one| Step::Await(Box::new(is_active(one)))));
    let stopped = match (own.is_empty(), names.is_empty()) {
        (_, true) => " and the services are stopped",
        (true, false) => "",
        (false, false) => ", the other services are stopped",
    };
    let explained = match names.as_slice() {
        [] => stopped.to_owned(),
        [one] => format!("{stopped}, and {one}, which is already running, is reloaded"),
        all => format!(
            "{stopped}, and {}, which are already running, are reloaded",
            all.join(" and ")
        ),
    };
    Back { steps, explained }
}

fn is_shared(one: &Instance<'_>, observed: &Observed) -> bool {
    one.service.strategy == Strategy::Reload && observed.unit(one.unit).is_active()
}

/// No release can be healthy there: only that the service runs.
fn is_active(one: &Instance<'_>) -> Verdict {
    Verdict {
        successes: 1,
        timeout: Duration::from_secs(1),
        watch: Duration::ZERO,
        wrong_answers: Duration::ZERO,
        check: None,
        ..super::verdict(one, Turn::Reload)
    }
}
