//! `rollback` and `prune`: switches that need no upload and no working tree.

use super::Run;
use super::attempt::{self, Attempt, Progress};
use crate::failure::{Exit, Failure};
use crate::plan::{self, Goal};
use crate::step::Command;

/// Goes back to an earlier release. The exit code; everything else was told.
pub fn rollback(run: &mut Run<'_>, to: Option<&str>, wait: bool) -> Exit {
    let goal = Goal::Rollback {
        to: to.map(str::to_owned),
    };
    let mut progress = Progress {
        release: to.map(str::to_owned),
        ..Progress::default()
    };
    match go(run, &goal, wait, &mut progress) {
        Ok(exit) => exit,
        Err(failure) => progress.fail(run, Command::Rollback, failure),
    }
}

/// Removes old releases, holding the host like any other switch.
pub fn prune(run: &mut Run<'_>) -> Exit {
    let mut progress = Progress::default();
    match go(run, &Goal::Prune, false, &mut progress) {
        Ok(exit) => exit,
        Err(failure) => progress.fail(run, Command::Prune, failure),
    }
}

fn go(run: &mut Run<'_>, goal: &Goal, wait: bool, progress: &mut Progress) -> Result<Exit, Failure> {
    let mut host = run.link.connect(run.report)?;
    loop {
        let observed = attempt::free_host(run, host.as_mut(), &[], wait)?;
        progress.previous = observed.live().map(str::to_owned);
        let plan = plan::plan(run.config, &observed, goal)?;
        progress.release = Some(plan.change.next.clone());
        match attempt::attempt(run, host, &observed, &plan, wait, progress)? {
            Attempt::Ended(exit) => return Ok(exit),
            Attempt::Again(session) => host = session,
        }
    }
}
