//! What deploy, rollback and prune have in common: wait for a free host, try the switch with the hook before it,
//! end with the hooks after it. Knows nothing of staging.

use std::time::{Duration, Instant};

use super::switch::{self, Switched};
use super::{Ending, Run, local, outcome, session};
use crate::failure::{Exit, Failure};
use crate::host::Host;
use crate::plan::Plan;
use crate::plan::observed::Observed;
use crate::report::event::{Event, Phase};
use crate::report::sentence;
use crate::unit::merge::Unit;

/// What a run knows of itself while it may still fail: for its hook and its last event.
#[derive(Debug, Default)]
pub(super) struct SoFar {
    /// Bytes that this client sent.
    pub(super) sent: u64,
    /// The release that is to go live.
    pub(super) release: Option<String>,
    /// The release that is live.
    pub(super) previous: Option<String>,
}

impl SoFar {
    /// Ends a run that failed before the host took over, with its hook.
    pub(super) fn fail(self, run: &mut Run<'_>, command: &'static str, failure: Failure) -> Exit {
        let kind = outcome(failure.exit);
        let facts = local::Facts {
            release: self.release.as_deref().unwrap_or(""),
            previous: self.previous.as_deref(),
            command,
            outcome: Some(sentence::outcome(kind)),
        };
        on_failure(run, &facts);
        let ending = Ending {
            live: self
                .previous
                .clone()
                .filter(|_| failure.exit == Exit::Untouched),
            release: self.release,
            previous: self.previous,
            ..Ending::default()
        };
        run.end(kind, ending, Some(failure), self.sent)
    }
}

/// How one try at a switch ended.
pub(super) enum Turn {
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
    seen: &Observed,
    plan: &Plan,
    wait: bool,
    so_far: &mut SoFar,
) -> Result<Turn, Failure> {
    for text in &plan.warnings {
        run.report.event(&Event::Warning { text: text.clone() });
    }
    // Nothing goes live by a prune, so there is nothing to ask before it.
    if let Some(line) = run.config.hooks.before_switch.as_deref()
        && plan.command != "prune"
    {
        let facts = local::Facts {
            release: &plan.next,
            previous: plan.previous.as_deref(),
            command: plan.command,
            outcome: None,
        };
        local::run(run, "before_switch", line, Phase::Stage, &facts)?;
        run.go_on("running before_switch")?;
    }
    let (switched, session) = switch::switch(run, host, seen, plan);
    if let Some(session) = &session {
        so_far.sent = session.traffic().0;
    }
    match (switched, session) {
        (Switched::Ended(followed, verdict), _) => Ok(Turn::Ended(finish(
            run,
            plan,
            &followed,
            &verdict,
            so_far.sent,
        ))),
        (Switched::Held(_) | Switched::Outdated(_), Some(session)) if wait => {
            Ok(Turn::Again(session))
        }
        (Switched::Held(request), _) => Err(switch::held(&request, untouched(plan))),
        (Switched::Outdated(who), _) => Err(outdated(plan, who)),
        (Switched::Failed(failure), _) => Err(failure),
    }
}

fn untouched(plan: &Plan) -> &'static str {
    if plan.command == "deploy" {
        "your release is staged; nothing live was changed by you"
    } else {
        "nothing was changed by you"
    }
}

fn outdated(plan: &Plan, who: String) -> Failure {
    let failure = Failure::new(Exit::Locked, "somebody else switched at the same moment")
        .why(who)
        .host(untouched(plan));
    if plan.command == "deploy" {
        failure
            .next(format!("shipit deploy --release {}", plan.next))
            .next("shipit deploy --wait")
    } else {
        failure.next("shipit releases")
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
    let mut told = String::new();
    loop {
        let seen = session::observe_with_units(host, run.config, repository)?;
        let Some(request) = &seen.request else {
            return Ok(seen);
        };
        if !wait {
            return Err(switch::held(request, "nothing was sent, nothing changed"));
        }
        if told != request.run {
            told.clone_from(&request.run);
            let text = format!(
                "waiting for {} ({} to {})",
                request.by, request.command, request.next
            );
            run.report.event(&Event::Warning { text });
        }
        if began.elapsed() > Duration::from_secs(3600) {
            return Err(switch::held(request, "waited for an hour; nothing changed"));
        }
        run.go_on("waiting")?;
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Hooks after the host has spoken, then the end.
fn finish(
    run: &mut Run<'_>,
    plan: &Plan,
    followed: &super::follow::Followed,
    verdict: &super::follow::Verdict,
    sent: u64,
) -> Exit {
    let well = verdict.outcome == "deployed";
    let told = match (well, plan.command) {
        (true, "rollback") => "rolled_back",
        (true, _) => "deployed",
        (false, _) => verdict.outcome.as_str(),
    };
    let facts = local::Facts {
        release: &plan.next,
        previous: plan.previous.as_deref(),
        command: plan.command,
        outcome: Some(told),
    };
    if well {
        let line = run.config.hooks.after_switch.as_deref();
        local::hook_after(run, "after_switch", line, &facts);
    } else {
        on_failure(run, &facts);
    }
    switch::tell(run, plan, followed, verdict, sent)
}

fn on_failure(run: &mut Run<'_>, facts: &local::Facts<'_>) {
    let line = run.config.hooks.on_failure.as_deref();
    local::hook_after(run, "on_failure", line, facts);
}
