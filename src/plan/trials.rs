//! The trial of a new release: a unit of its own runs it from `next` and must pass a check, before anything live changes.
//! Which steps those are, and what the unit must have. Pure.

use super::Goal;
use crate::config::{Config, Service, Trial};
use crate::observed::Observed;
use crate::step::Step;
use crate::strategy;

/// A rollback has none, nor a deploy that only restarts the live release: that one was verified when it was deployed.
pub(super) fn trials(config: &Config, observed: &Observed, goal: &Goal) -> Vec<Step> {
    let step = |(service, trial)| Step::Trial(Box::new(strategy::tried(service, trial)));
    of(config, observed, goal).map(step).collect()
}

fn of<'a>(config: &'a Config, observed: &Observed, goal: &Goal) -> impl Iterator<Item = (&'a Service, &'a Trial)> {
    let deploys = matches!(goal, Goal::Deploy { release, .. } if observed.live() != Some(release.as_str()));
    let services = config.services.iter().filter(move |_| deploys);
    services.filter_map(|service| Some((service, service.trial.as_ref()?)))
}

/// What the host's unit lacks, each with the line to write.
pub(super) fn needs(config: &Config, observed: &Observed, goal: &Goal) -> Vec<String> {
    of(config, observed, goal)
        .flat_map(|(service, trial)| lacks(config.root.as_str(), service, trial, observed))
        .collect()
}

fn lacks(root: &str, service: &Service, trial: &Trial, observed: &Observed) -> Vec<String> {
    let unit = trial.unit.as_str();
    let mut lacks = strategy::unit_needs(unit, observed);
    if !lacks.is_empty() {
        return lacks;
    }
    let next = format!("{root}/next");
    let text = strategy::unit_text(unit, observed);
    let through = text
        .as_ref()
        .is_some_and(|text| text.service("ExecStart").contains(&format!("{next}/")));
    let directory = observed.unit(unit).get("WorkingDirectory");
    let directory = directory.map(|directory| directory.trim_start_matches(['!', '-']));
    let below = |directory: &str| directory == next || directory.starts_with(&format!("{next}/"));
    if directory.is_some_and(|directory| !below(directory)) && !through {
        lacks.push(format!(
            "{unit} does not run the new release: add `WorkingDirectory={next}` under [Service], then `sudo systemctl daemon-reload`"
        ));
    }
    // systemd removes the runtime directory of a unit that stops (systemd.exec(5)).
    let served = strategy::unit_text(service.name(), observed);
    if let (Some(own), Some(served)) = (&text, &served)
        && own.yes("Service", "RuntimeDirectoryPreserve") != Some(true)
        && let Some(shared) = words(own.service("RuntimeDirectory"))
            .find(|name| words(served.service("RuntimeDirectory")).any(|other| other == *name))
    {
        lacks.push(format!(
            "{unit} removes /run/{shared}, which {} uses, when it stops: write `RuntimeDirectory={shared}-trial` under [Service], \
             then `sudo systemctl daemon-reload`",
            service.name()
        ));
    }
    lacks
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace()
}
