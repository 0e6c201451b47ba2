//! `rollback` and `prune`: switches that need no upload and no working tree.

use super::deploy::SoFar;
use super::switch::{self, Switched};
use super::{Ending, Run, deploy, local, outcome};
use crate::failure::{Exit, Failure};
use crate::plan::{self, Goal};
use crate::report::event::{Event, Phase};

/// Goes back to an earlier release. The exit code; everything else was told.
pub fn rollback(run: &mut Run<'_>, to: Option<&str>, wait: bool) -> Exit {
    let mut so_far = SoFar {
        release: to.map(str::to_owned),
        ..SoFar::default()
    };
    let goal = Goal::Rollback {
        to: so_far.release.clone(),
    };
    match attempt(run, &goal, wait, &mut so_far) {
        Ok(exit) => exit,
        Err(failure) => so_far.fail(run, "rollback", failure),
    }
}

fn attempt(
    run: &mut Run<'_>,
    goal: &Goal,
    wait: bool,
    so_far: &mut SoFar,
) -> Result<Exit, Failure> {
    let mut host = run.link.connect(run.report)?;
    loop {
        let seen = deploy::free_host(run, host.as_mut(), wait)?;
        so_far.previous = seen.live().map(str::to_owned);
        let plan = plan::plan(run.config, &seen, goal)?;
        so_far.release = Some(plan.next.clone());
        for text in &plan.warnings {
            run.report.event(&Event::Warning { text: text.clone() });
        }
        if let (Some(line), "rollback") = (run.config.hooks.before_switch.as_deref(), plan.command)
        {
            let facts = local::Facts {
                release: &plan.next,
                previous: plan.previous.as_deref(),
                command: "rollback",
                outcome: None,
            };
            local::run(
                run.config,
                "before_switch",
                line,
                Phase::Stage,
                &facts,
                run.report,
            )?;
        }
        let (switched, session) = switch::switch(run, host, &seen, &plan);
        if let Some(session) = &session {
            so_far.sent = session.traffic().0;
        }
        match (switched, session) {
            (Switched::Ended(followed, verdict), _) => {
                return Ok(deploy::finish(run, &plan, &followed, &verdict, so_far.sent));
            }
            (Switched::Held(_) | Switched::Outdated(_), Some(session)) if wait => host = session,
            (Switched::Held(request), _) => {
                return Err(switch::held(&request, "nothing changed by you"));
            }
            (Switched::Outdated(who), _) => {
                return Err(Failure::new(
                    Exit::Locked,
                    "somebody else switched at the same moment",
                )
                .why(who)
                .host("nothing changed by you")
                .next("shipit releases"));
            }
            (Switched::Failed(failure), _) => return Err(failure),
        }
    }
}

/// Removes old releases, holding the host like any other switch.
pub fn prune(run: &mut Run<'_>) -> Exit {
    let mut so_far = SoFar::default();
    match attempt(run, &Goal::Prune, false, &mut so_far) {
        Ok(exit) => exit,
        Err(failure) => {
            let kind = outcome(failure.exit);
            run.end(kind, Ending::default(), Some(failure), so_far.sent)
        }
    }
}
