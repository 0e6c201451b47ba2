//! What deploy, rollback and prune have in common: wait for a free host, try the switch with the hook before it,
//! end with the hooks after it. Knows nothing of staging.

use std::time::{Duration, Instant};

use super::ended;
use super::follow::{Followed, READ_ONLY};
use super::held::held;
use super::switch::{self, Switched};
use super::{Run, drain, local_command, observe, outcome, session};
use crate::failure::{Exit, Failure, Next};
use crate::host::Host;
use crate::observed::{Observed, Root};
use crate::plan::Plan;
use crate::remote::{self, Script};
use crate::report::event::{Ended, Outcome, Phase};
use crate::step::{Change, Command, RunEnd};
use crate::unit::merge::Unit;

/// Ends a run that failed before the host took over, with its hook.
pub(super) fn fail(run: &mut Run<'_>, failure: Failure) -> Exit {
    let outcome = outcome(failure.exit);
    let live = run.previous.clone().filter(|_| failure.exit == Exit::Untouched);
    let ended = run.ended(outcome, live, Some(failure));
    hook_after(run, &ended);
    run.end(ended)
}

/// How long `--wait` waits for others.
const PATIENCE: Duration = Duration::from_secs(3600);

/// How one try at a switch ended.
pub(super) enum Attempt {
    /// The host said how it ended, and it was told.
    Ended(Exit),
    /// Another switch was first, and this one waits: look again, over this session.
    Again(Box<dyn Host>),
}

/// Tells the plan's warnings, runs the hook before the switch, hands the plan over and tells how it ended.
/// Fails with a [`Failure`] that no hook and no event has told yet.
pub(super) fn attempt(
    run: &mut Run<'_>,
    mut host: Box<dyn Host>,
    observed: &Observed,
    plan: &Plan,
    wait: bool,
) -> Result<Attempt, Failure> {
    for text in &plan.warnings {
        run.report.warn(text.clone());
    }
    let mut sent = 0;
    // Nothing goes live by a prune, so there is nothing to ask before it.
    if let Some(line) = run.config.hooks.before_switch.as_deref()
        && plan.change.command != Command::Prune
    {
        let before = host.traffic().0;
        local_command::run(run, "before_switch", line, Phase::Stage, None, Some(host.as_mut()))?;
        run.go_on("running before_switch")?;
        host = session::kept(run.link, host, run.report)?;
        sent = before.saturating_sub(host.traffic().0);
    }
    let (switched, session) = switch::switch(run, host, observed, plan);
    if let Some(session) = &session {
        run.sent = sent + session.traffic().0;
    }
    match (switched, session) {
        (Switched::Ended(followed, last), _) => Ok(Attempt::Ended(finish(run, &followed, &last))),
        (Switched::Held(_) | Switched::Outdated(_), Some(session)) if wait => Ok(Attempt::Again(session)),
        (Switched::Held(request), _) => Err(held(&request, untouched(&plan.change))),
        (Switched::Outdated(who), _) => Err(outdated(&plan.change, who)),
        (Switched::Failed(failure), _) => Err(failure),
    }
}

fn untouched(change: &Change) -> &'static str {
    if change.command == Command::Deploy {
        "your release is staged; this command changed nothing live"
    } else {
        "this command changed nothing"
    }
}

fn outdated(change: &Change, who: String) -> Failure {
    let failure = Failure::new(Exit::Locked, "another switch began at the same moment")
        .why(who)
        .host(untouched(change));
    if change.command == Command::Deploy {
        failure
            .next(Next::shipit("deploy --release").arg(&change.next))
            .next(Next::shipit("deploy --wait"))
    } else {
        failure.next(Next::shipit("releases"))
    }
}

/// Looks at the host, with the units that this repository has and with a base to send from, until no other switch
/// holds it.
pub(super) fn free_host(
    run: &mut Run<'_>,
    host: &mut dyn Host,
    repository: &[Unit],
    base: Option<&Script>,
    wait: bool,
) -> Result<Observed, Failure> {
    let began = Instant::now();
    let mut announced = String::new();
    loop {
        // What comes next is the upload or the request.
        host.expect(remote::waiting(base.is_some() && run.config.prepare.is_some()));
        let observed = observe::observe_with_units(host, run.config, repository, base.cloned())?;
        let Some(request) = &observed.request else {
            match drain::put_back(host, run.config, &observed) {
                Ok(false) => return Ok(observed),
                Ok(true) => run
                    .report
                    .warn("a drain trial had not ended: its instance was restored".into()),
                Err(failure) if wait && failure.exit == Exit::Locked && began.elapsed() <= PATIENCE => {
                    run.go_on("waiting for a drain trial")?;
                }
                Err(failure) => return Err(failure),
            }
            continue;
        };
        // Why that switch takes so long, if it is known.
        let stuck = (observed.root == Root::ReadOnly).then_some(READ_ONLY);
        let held = |host| {
            let failure = held(request, host);
            stuck.into_iter().fold(failure, Failure::why)
        };
        if !wait {
            return Err(held("nothing was sent or changed"));
        }
        if announced != request.run {
            announced.clone_from(&request.run);
            let text = format!("waiting for {} ({} to {})", request.by, request.command, request.next);
            run.report.warn(text);
            stuck.into_iter().for_each(|why| run.report.warn(why.to_owned()));
        }
        if began.elapsed() > PATIENCE {
            return Err(held("waited for an hour; nothing changed"));
        }
        let _ = run.interrupts.rest(Duration::from_millis(500));
        run.go_on("waiting")?;
    }
}

/// Hooks after the host has spoken, then the end.
fn finish(run: &mut Run<'_>, followed: &Followed, last: &RunEnd) -> Exit {
    let ended = ended::ended(run, followed, last);
    hook_after(run, &ended);
    ended::tell(run, followed, last, ended)
}

/// Runs the hook after the end. A prune has none: nothing went live, and nothing went back.
fn hook_after(run: &mut Run<'_>, ended: &Ended) {
    let hooks = &run.config.hooks;
    let (name, line) = match ended.outcome {
        _ if run.command == Command::Prune => return,
        Outcome::Deployed | Outcome::RolledBack => ("after_switch", &hooks.after_switch),
        _ => ("on_failure", &hooks.on_failure),
    };
    local_command::hook_after(run, name, line.as_deref(), ended);
}
