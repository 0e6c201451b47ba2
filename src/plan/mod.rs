//! Config + Observed + Goal -> Plan. Pure: nothing here reaches a host or a clock. A plan is lists a person
//! can read before they happen. Start reading at [`plan`].

pub mod confined;
pub mod explain;
pub mod guard;
mod measured;
pub mod named_units;
pub mod needs;
pub mod notify;
pub mod packaged;
pub mod releases;
pub mod root_files;
mod trials;
pub mod unit_files;
pub mod unit_names;
pub mod units;

use std::time::Duration;

use crate::config::Config;
use crate::failure::{Exit, Failure, Next};
use crate::observed::Observed;
use crate::observed::ledger::State;
use crate::step::{self, Change, Command, Step, encoded};
use crate::strategy;
use measured::{baselines, limits, limits_too_fine, measures};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goal {
    /// This release goes live; it is on the host, or will be when stage is done.
    Deploy {
        release: String,
        /// How an earlier, interrupted migration ended, if a person said so.
        migration: Migration,
        /// What is asked of the live release before anything changes.
        baseline: Baseline,
    },
    /// Back to the previous verified release, or to the one named.
    Rollback { to: Option<String> },
    /// Only remove what is old.
    Prune,
}

/// The user's answer for a migration that was interrupted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Migration {
    /// Stop the deploy and ask
    #[default]
    Ask,
    /// It is safe to run again: run it from the new release
    Again,
    /// It finished: do not run it again
    Done,
}

/// What is asked of the live release before a deploy changes anything: a check that not even that one passes
/// could not verify a revert either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Baseline {
    /// It passes the health check, or the deploy ends there.
    #[default]
    Required,
    /// Nothing: this release is what mends it, or brings what the check asks for.
    Waived,
}

/// What the host will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub change: Change,
    /// The number of this switch minus one: what the host's ledger must still say.
    pub epoch: u64,
    /// Until `confirm`.
    pub switch: Vec<Step>,
    /// From its top, on any failure after the first live change.
    pub revert: Vec<Step>,
    /// After `confirm`; can never fail a deploy.
    pub settle: Vec<Step>,
    /// What a person should know before.
    pub warnings: Vec<String>,
    /// What could be better: shown where a person asks, not at every deploy.
    pub advice: Vec<String>,
}

/// Makes the plan, or says why there can be none.
/// Fails with a [`Failure`] that names all that is missing at once. Nothing was changed.
pub fn plan(config: &Config, observed: &Observed, goal: &Goal) -> Result<Plan, Failure> {
    needs::host(config, observed)?;
    if let Some(failure) = needs::current(config, observed) {
        return Err(failure);
    }
    let previous = observed.live().map(str::to_owned);
    let (command, next) = match goal {
        Goal::Prune => return Ok(only_prune(config, observed, previous)),
        Goal::Deploy { release, .. } => (Command::Deploy, release.clone()),
        Goal::Rollback { to } => (
            Command::Rollback,
            releases::rollback_target(config, observed, to.as_deref())?,
        ),
    };
    let mut warnings = config.warnings.clone();
    warnings.extend(needs::slow_sudo(observed));
    warnings.extend(limits_too_fine(config));
    warnings.extend(notify::warnings(config, observed));
    let mut advice = Vec::new();
    let change = Change {
        command,
        previous: previous.clone(),
        next: next.clone(),
    };
    let (mut before, mut after, mut retire, mut one_by_one) = (vec![], vec![], vec![], vec![]);
    let mut lacks = strategy::unknown_slots(config, observed);
    let (mut turns, mut awaits, mut back, mut back_awaits) = (vec![], vec![], vec![], vec![]);
    for service in &config.services {
        let turnover = strategy::turnover(config, service, observed, &change);
        before.extend(turnover.before);
        after.extend(turnover.after);
        retire.extend(turnover.retire);
        lacks.extend(turnover.needs);
        advice.extend(turnover.advice);
        let stale = service.units().filter(|unit| observed.unit(unit).needs_daemon_reload());
        warnings.extend(stale.map(|unit| {
            format!("{unit}: its file changed after systemd loaded it; run `sudo systemctl daemon-reload`")
        }));
        split(turnover.switch, &mut turns, &mut awaits);
        split(turnover.revert, &mut back, &mut back_awaits);
        one_by_one.extend(turnover.back);
    }
    lacks.extend(trials::needs(config, observed, goal));
    if !lacks.is_empty() {
        return Err(needs::units_lack(config, lacks));
    }
    let mut switch = Vec::new();
    switch.extend(baselines(config, observed, goal));
    switch.extend(migrate(config, observed, goal)?);
    switch.extend(trials::trials(config, observed, goal));
    if previous.is_some() {
        switch.extend(measures(config));
    }
    switch.extend(before);
    switch.push(Step::Flip(Some(next.clone())));
    switch.extend(turns);
    switch.extend(awaits);
    switch.extend(after);
    switch.extend(config.verify.as_ref().map(|verify| Step::Verify {
        timeout: verify.timeout,
        otherwise: verify.otherwise,
    }));
    switch.extend(retire);
    switch.extend(limits(config, observed, goal, &switch));
    switch.push(Step::Confirm);
    let mut revert = vec![Step::Flip(previous.clone())];
    if previous.is_some() {
        revert.extend(back.into_iter().chain(one_by_one).chain(back_awaits));
    } else {
        // The slots first: a waiting connection makes the socket start an instance that has one.
        let slots = config.instances().filter_map(|one| one.slot);
        revert.extend(slots.map(|slot| Step::Slot {
            slot: slot.to_owned(),
            to: None,
        }));
        let back = strategy::without_release(config, observed);
        revert.extend(back.steps);
        warnings.push(format!(
            "first deploy: there is no release to revert to; if it fails, `current` is removed{}",
            back.explained
        ));
    }
    if let Goal::Rollback { .. } = goal {
        warnings.extend(unit_files::drift_warnings_since(config, observed, &next));
        warnings.extend(releases::failure_warning(observed, &next));
        warnings.extend(releases::migration_warnings(observed, &next));
    }
    let mut settle = Vec::new();
    // One that failed stays failed.
    if let (Goal::Rollback { .. }, Some(left)) = (goal, &previous)
        && releases::older(observed, &next, left)
        && observed.ledger.state(left) == Some(State::Verified)
    {
        settle.push(Step::Left(left.clone()));
    }
    let prune = releases::to_prune(config, observed, &next);
    warnings.extend(releases::unused(observed, &prune));
    if !prune.is_empty() {
        settle.push(Step::Prune(prune));
    }
    settle.push(Step::Spare);
    Ok(Plan {
        change,
        epoch: observed.ledger.epoch(),
        switch,
        revert,
        settle,
        warnings,
        advice,
    })
}

/// A plan without a switch: it holds the host while it removes what is old.
fn only_prune(config: &Config, observed: &Observed, live: Option<String>) -> Plan {
    let next = live.clone().unwrap_or_else(|| "-".into());
    let prune = releases::to_prune(config, observed, &next);
    let warnings = releases::unused(observed, &prune).into_iter().collect();
    let settle = vec![Step::Prune(prune), Step::Spare];
    Plan {
        change: Change {
            command: Command::Prune,
            previous: live,
            next,
        },
        epoch: observed.ledger.epoch(),
        switch: vec![],
        revert: vec![],
        settle,
        warnings,
        advice: vec![],
    }
}

/// Turns first, verdicts after: several services in one app go over together, all or none.
fn split(steps: Vec<Step>, turns: &mut Vec<Step>, awaits: &mut Vec<Step>) {
    for step in steps {
        if matches!(step, Step::Await(_)) {
            awaits.push(step)
        } else {
            turns.push(step)
        }
    }
}

/// A deploy migrates once, after the backup; a rollback never does.
fn migrate(config: &Config, observed: &Observed, goal: &Goal) -> Result<Vec<Step>, Failure> {
    let (Some(migrate), Goal::Deploy { release, migration, .. }) = (&config.migrate, goal) else {
        return Ok(Vec::new());
    };
    let timeout = migrate.timeout.max(Duration::from_secs(1));
    let backup = migrate.before.as_ref().map(|before| Step::Backup {
        unit: before.as_str().to_owned(),
        timeout,
    });
    let step = Step::Migrate {
        unit: migrate.unit.as_str().to_owned(),
        timeout,
    };
    // While a request holds the host, a migration that began may well be running.
    let interrupted = observed.ledger.interrupted().filter(|_| observed.request.is_none());
    match (interrupted, migration) {
        (_, Migration::Done) => return Ok(Vec::new()),
        (Some(id), Migration::Ask) => {
            return Err(Failure::new(
                Exit::Untouched,
                format!("the migration of {id} was interrupted; how far it got is unknown"),
            )
            .why(format!(
                "check the database and `journalctl -u {}`, then choose one",
                migrate.unit.as_str()
            ))
            .host("this command changed nothing; changes that the migration made before it ended remain")
            .next(Next::shipit("deploy --migration done").remark("if it had finished"))
            .next(Next::shipit("deploy --migration again").remark("if it is safe to run again")));
        }
        _ => {}
    }
    match observed.meta.get(release).and_then(|m| m.migration.as_deref()) {
        Some("failed" | "interrupted" | "started") => Err(Failure::new(
            Exit::Untouched,
            format!("the migration of {release} ran and failed"),
        )
        .why("a migration runs only once per release")
        .host("this command changed nothing; any changes the migration made before it ended remain")
        .next(Next::shipit("deploy").remark("stages a new release, which migrates again"))),
        state => match needs::migration(config, observed) {
            // One that has run for this release does not run again.
            lacks if lacks.is_empty() => {
                let backup = backup.filter(|_| state != Some("ok"));
                Ok(backup.into_iter().chain([step]).collect())
            }
            lacks => Err(needs::units_lack(config, lacks)),
        },
    }
}

impl Plan {
    /// The request as it travels: lines of data. `by` and `since` are for people; `access` is how units are
    /// driven (`sudo`, `root`, `user`).
    pub fn request(&self, run: &str, by: &str, since: &str, access: &str, helper: &str) -> String {
        let mut out = format!("shipit {}\n", step::PROTOCOL);
        for (key, value) in [
            ("run", run),
            ("epoch", &(self.epoch + 1).to_string()),
            ("command", self.change.command.word()),
            ("by", &encoded(by.as_bytes())),
            ("since", &encoded(since.as_bytes())),
            ("access", access),
            ("helper", helper),
            ("previous", self.change.previous.as_deref().unwrap_or("-")),
            ("next", &self.change.next),
        ] {
            out.push_str(&format!("{key} {value}\n"));
        }
        for unit in self.units() {
            out.push_str(&format!("unit {unit}\n"));
        }
        for (list, steps) in [
            ("switch", &self.switch),
            ("revert", &self.revert),
            ("settle", &self.settle),
        ] {
            for step in steps {
                out.push_str(&format!("{list} {}\n", step.line()));
            }
        }
        out.push_str("end\n");
        out
    }

    /// The units whose journal is evidence.
    fn units(&self) -> Vec<&str> {
        let mut units: Vec<&str> = Vec::new();
        for step in &self.switch {
            let unit = match step {
                Step::Backup { unit, .. } | Step::Migrate { unit, .. } => unit,
                Step::Trial(verdict) | Step::Await(verdict) => &verdict.unit,
                _ => continue,
            };
            if !units.contains(&unit.as_str()) {
                units.push(unit);
            }
        }
        units
    }
}
