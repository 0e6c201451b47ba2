//! What deploy, rollback and prune have in common: wait for a free host, try the switch with the hook before it,
//! end with the hooks after it. Knows nothing of staging.

use std::time::{Duration, Instant};

use super::follow::Followed;
use super::held::held;
use super::local_command::HookContext;
use super::switch::{self, Switched};
use super::{Run, Summary, local_command, observe, outcome};
use crate::failure::{Exit, Failure, Next};
use crate::host::Host;
use crate::observed::Observed;
use crate::plan::Plan;
use crate::report::event::{Event, Outcome, Phase};
use crate::step::{Change, Command, RunEnd};
use crate::unit::merge::Unit;

/// What a run knows of itself while it may still fail: for its hook and its last event.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Bytes that this client sent.
    pub(super) sent: u64,
    /// The release that is to go live.
    pub(super) release: Option<String>,
    /// The release that is live.
    pub(super) previous: Option<String>,
}

impl Progress {
    /// Ends a run that failed before the host took over, with its hook.
    pub(super) fn fail(self, run: &mut Run<'_>, command: Command, failure: Failure) -> Exit {
        let outcome = outcome(failure.exit);
        let context = HookContext {
            release: self.release.as_deref(),
            previous: self.previous.as_deref(),
            command,
            outcome: Some(outcome),
        };
        hook_after(run, &context);
        let summary = Summary {
            live: self.previous.clone().filter(|_| failure.exit == Exit::Untouched),
            release: self.release,
            previous: self.previous,
            ..Summary::default()
        };
        run.end(outcome, summary, Some(failure), self.sent)
    }
}

/// How one try at a switch ended.
pub(super) enum Attempt {
    /// The host said how it ended, and it was told.
    Ended(Exit),
    /// Another switch was first, and this one waits: look again, over this session.
    Again(Box<dyn Host>),
}

/// Tells the plan's warnings, runs the hook before the switch, hands the plan over and tells how it ended.
///
/// # Errors
/// A [`Failure`] that no hook and no event has told yet.
pub(super) fn attempt(
    run: &mut Run<'_>,
    host: Box<dyn Host>,
    observed: &Observed,
    plan: &Plan,
    wait: bool,
    progress: &mut Progress,
) -> Result<Attempt, Failure> {
    for text in &plan.warnings {
        run.report.event(&Event::Warning { text: text.clone() });
    }
    // Nothing goes live by a prune, so there is nothing to ask before it.
    if let Some(line) = run.config.hooks.before_switch.as_deref()
        && plan.change.command != Command::Prune
    {
        let context = HookContext::of(&plan.change, None);
        local_command::run(run, "before_switch", line, Phase::Stage, &context)?;
        run.go_on("running before_switch")?;
    }
    let (switched, session) = switch::switch(run, host, observed, plan);
    if let Some(session) = &session {
        progress.sent = session.traffic().0;
    }
    match (switched, session) {
        (Switched::Ended(followed, last), _) => Ok(Attempt::Ended(finish(
            run,
            &plan.change,
            &followed,
            &last,
            progress.sent,
        ))),
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

/// Looks at the host, with the units that this repository has, until no other switch holds it.
pub(super) fn free_host(
    run: &mut Run<'_>,
    host: &mut dyn Host,
    repository: &[Unit],
    wait: bool,
) -> Result<Observed, Failure> {
    let began = Instant::now();
    let mut announced = String::new();
    loop {
        let observed = observe::observe_with_units(host, run.config, repository)?;
        let Some(request) = &observed.request else {
            return Ok(observed);
        };
        if !wait {
            return Err(held(request, "nothing was sent, nothing changed"));
        }
        if announced != request.run {
            announced.clone_from(&request.run);
            let text = format!("waiting for {} ({} to {})", request.by, request.command, request.next);
            run.report.event(&Event::Warning { text });
        }
        if began.elapsed() > Duration::from_secs(3600) {
            return Err(held(request, "waited for an hour; nothing changed"));
        }
        let _ = run.interrupts.rest(Duration::from_millis(500));
        run.go_on("waiting")?;
    }
}

/// Hooks after the host has spoken, then the end.
fn finish(run: &mut Run<'_>, change: &Change, followed: &Followed, last: &RunEnd, sent: u64) -> Exit {
    let outcome = switch::outcome(change.command, last.end);
    hook_after(run, &HookContext::of(change, Some(outcome)));
    switch::tell(run, change, followed, last, sent)
}

/// Runs the hook after the end. A prune has none: nothing went live, and nothing went back.
fn hook_after(run: &mut Run<'_>, context: &HookContext<'_>) {
    let hooks = &run.config.hooks;
    let (name, line) = match context.outcome {
        _ if context.command == Command::Prune => return,
        Some(Outcome::Deployed | Outcome::RolledBack) => ("after_switch", &hooks.after_switch),
        _ => ("on_failure", &hooks.on_failure),
    };
    local_command::hook_after(run, name, line.as_deref(), context);
}
