//! `rollback` and `prune`: switches that need no upload and no working tree.

use super::Run;
use super::attempt::{self, Attempt};
use crate::failure::{Exit, Failure};
use crate::plan::{self, Goal};
use crate::report::event::Event;
use crate::step::Command;

/// Goes back to an earlier release. The exit code; everything else was told.
pub fn rollback(run: &mut Run<'_>, to: Option<&str>, wait: bool) -> Exit {
    let goal = Goal::Rollback {
        to: to.map(str::to_owned),
    };
    run.release = to.map(str::to_owned);
    go(run, &goal, wait).unwrap_or_else(|failure| attempt::fail(run, failure))
}

/// Removes old releases, holding the host like any other switch.
pub fn prune(run: &mut Run<'_>) -> Exit {
    go(run, &Goal::Prune, false).unwrap_or_else(|failure| attempt::fail(run, failure))
}

fn go(run: &mut Run<'_>, goal: &Goal, wait: bool) -> Result<Exit, Failure> {
    let mut host = run.link.connect(run.report)?;
    loop {
        let observed = attempt::free_host(run, host.as_mut(), &[], None, wait)?;
        run.comes_after(&observed);
        let plan = plan::plan(run.config, &observed, goal)?;
        let meant = Some(plan.change.next.clone());
        let known = std::mem::replace(&mut run.release, meant.clone()) == meant;
        if plan.change.command == Command::Rollback {
            if !known {
                run.report.event(&Event::Release(plan.change.next.clone()));
            }
            run.comes_from(observed.commit(&plan.change.next));
        }
        match attempt::attempt(run, host, &observed, &plan, wait)? {
            Attempt::Ended(exit) => return Ok(exit),
            Attempt::Again(session) => host = session,
        }
    }
}
