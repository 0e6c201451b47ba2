//! `deploy`, from the build to the last word: local work, look, plan, stage, hook, switch, hooks.

use std::time::{Duration, Instant};

use super::switch::{self, Switched};
use super::{Ending, Run, local, outcome, session, stage};
use crate::failure::{Exit, Failure};
use crate::host::Host;
use crate::plan::ledger::State;
use crate::plan::observed::Observed;
use crate::plan::{self, Goal, Migration};
use crate::release::{Scanned, Source, scan};
use crate::report::event::{Event, Outcome, Phase};
use crate::report::sentence;

/// What a person asked for beyond the configuration.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Only stage; nothing live changes.
    pub stage_only: bool,
    /// A release that is on the host already.
    pub release: Option<String>,
    /// Wait for another switch to end.
    pub wait: bool,
    /// Switch even when the live release has the same content.
    pub restart: bool,
    /// What became of an interrupted migration.
    pub migration: Migration,
}

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

/// Deploys. The exit code; everything else was told.
pub fn deploy(run: &mut Run<'_>, wish: &Wish) -> Exit {
    let mut so_far = SoFar {
        release: wish.release.clone(),
        ..SoFar::default()
    };
    match attempt(run, wish, &mut so_far) {
        Ok(exit) => exit,
        Err(failure) => so_far.fail(run, "deploy", failure),
    }
}

fn attempt(run: &mut Run<'_>, wish: &Wish, so_far: &mut SoFar) -> Result<Exit, Failure> {
    let scanned = match &wish.release {
        Some(_) => None,
        None => Some(prepare_here(run)?),
    };
    let mut host = run.link.connect(run.report)?;
    let mut seen = free_host(run, host.as_mut(), wish.wait)?;
    let mut staged: Option<String> = None;
    loop {
        // While this client waited for its turn, somebody else's prune may have taken what it had staged.
        staged = staged.filter(|id| seen.releases.contains(id));
        so_far.sent = host.traffic().0;
        so_far.previous = seen.live().map(str::to_owned);
        if let Some(scanned) = &scanned
            && let Some(exit) = unchanged(run, wish, &seen, scanned, so_far.sent)
        {
            return Ok(exit);
        }
        let release = match (&wish.release, &staged, &scanned) {
            (Some(named), _, _) => plan::releases::rollback_target(run.config, &seen, Some(named))?,
            (None, Some(id), _) => id.clone(),
            (None, None, Some(scanned)) => {
                let id = on_host(run, host.as_mut(), &seen, scanned, wish)?;
                staged = Some(id.clone());
                so_far.sent = host.traffic().0;
                id
            }
            (None, None, None) => {
                return Err(Failure::new(Exit::Usage, "there is nothing to deploy"));
            }
        };
        so_far.release = Some(release.clone());
        if wish.stage_only {
            let ending = Ending {
                release: Some(release.clone()),
                previous: None,
                live: seen.live().map(Into::into),
                next: vec![format!("shipit deploy --release {release}")],
                ..Ending::default()
            };
            return Ok(run.end(Outcome::Staged, ending, None, so_far.sent));
        }
        let plan = plan::plan(
            run.config,
            &seen,
            &Goal::Deploy {
                release: release.clone(),
                migration: wish.migration,
            },
        )?;
        for text in &plan.warnings {
            run.report.event(&Event::Warning { text: text.clone() });
        }
        if let Some(line) = run.config.hooks.before_switch.as_deref() {
            let facts = local::Facts {
                release: &release,
                previous: plan.previous.as_deref(),
                command: "deploy",
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
                return Ok(finish(run, &plan, &followed, &verdict, so_far.sent));
            }
            (Switched::Held(_) | Switched::Outdated(_), Some(session)) if wish.wait => {
                host = session;
                seen = free_host(run, host.as_mut(), true)?;
            }
            (Switched::Held(request), _) => {
                return Err(switch::held(
                    &request,
                    "your release is staged; nothing live changed",
                ));
            }
            (Switched::Outdated(who), _) => {
                return Err(Failure::new(
                    Exit::Locked,
                    "somebody else switched while this release was being staged",
                )
                .why(who)
                .host("your release is staged; nothing live was changed by you")
                .next(format!("shipit deploy --release {release}"))
                .next("shipit deploy --wait"));
            }
            (Switched::Failed(failure), _) => return Err(failure),
        }
    }
}

/// Hooks after the host has spoken, then the end.
pub(super) fn finish(
    run: &mut Run<'_>,
    plan: &plan::Plan,
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
    if well {
        let facts = local::Facts {
            release: &plan.next,
            previous: plan.previous.as_deref(),
            command: plan.command,
            outcome: Some(told),
        };
        local::hook_after(
            run.config,
            "after_switch",
            run.config.hooks.after_switch.as_deref(),
            &facts,
            run.report,
        );
    } else {
        let facts = local::Facts {
            release: &plan.next,
            previous: plan.previous.as_deref(),
            command: plan.command,
            outcome: Some(told),
        };
        on_failure(run, &facts);
    }
    switch::tell(run, plan, followed, verdict, sent)
}

fn on_failure(run: &mut Run<'_>, facts: &local::Facts<'_>) {
    local::hook_after(
        run.config,
        "on_failure",
        run.config.hooks.on_failure.as_deref(),
        facts,
        run.report,
    );
}

/// Build and scan: all that needs no host.
fn prepare_here(run: &mut Run<'_>) -> Result<Scanned, Failure> {
    if let Some(line) = run.config.build.as_deref() {
        let facts = local::Facts {
            command: "deploy",
            ..local::Facts::default()
        };
        local::run(run.config, "build", line, Phase::Stage, &facts, run.report)?;
        run.go_on("building")?;
    }
    let scanned = scan(&Source {
        path: &run.config.source,
        exclude: &run.config.exclude,
    })?;
    run.go_on("packing")?;
    for text in &scanned.warnings {
        run.report.event(&Event::Warning { text: text.clone() });
    }
    Ok(scanned)
}

/// Looks at the host until no other switch holds it.
pub(super) fn free_host(
    run: &mut Run<'_>,
    host: &mut dyn Host,
    wait: bool,
) -> Result<Observed, Failure> {
    let began = Instant::now();
    let mut told = String::new();
    loop {
        let seen = session::observe(host, run.config)?;
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

/// The live release has this very content: nothing to do, unless a restart was asked for.
fn unchanged(
    run: &mut Run<'_>,
    wish: &Wish,
    seen: &Observed,
    scanned: &Scanned,
    sent: u64,
) -> Option<Exit> {
    let live = seen.live()?;
    let same = seen
        .meta
        .get(live)
        .is_some_and(|m| stage::same(run.config, m, scanned));
    let sound = seen.ledger.state(live) == Some(State::Verified) && seen.degraded.is_none();
    if !same || !sound || wish.restart {
        return None;
    }
    let ending = Ending {
        release: Some(live.into()),
        previous: Some(live.into()),
        live: Some(live.into()),
        next: vec!["shipit deploy --restart    # to restart it all the same".into()],
        ..Ending::default()
    };
    Some(run.end(Outcome::Unchanged, ending, None, sent))
}

/// The release's id on the host: one that is there already with the same content, or a fresh upload.
fn on_host(
    run: &mut Run<'_>,
    host: &mut dyn Host,
    seen: &Observed,
    scanned: &Scanned,
    wish: &Wish,
) -> Result<String, Failure> {
    let reusable = |id: &&String| {
        let meta = seen.meta.get(*id);
        let same = meta.is_some_and(|m| stage::same(run.config, m, scanned));
        let live_again = wish.restart && seen.live() == Some(id.as_str());
        same && (live_again
            || (seen.ledger.state(id) == Some(State::Staged)
                && meta.is_some_and(|m| m.migration.is_none())))
    };
    if let Some(id) = seen.releases.iter().rev().find(reusable) {
        run.report.event(&Event::Log {
            source: "host",
            line: format!("{id} is on the host already: nothing to send").into_bytes(),
        });
        return Ok(id.clone());
    }
    // A dry plan first: what would be refused after the upload is refused before it.
    plan::plan(
        run.config,
        seen,
        &Goal::Deploy {
            release: "new".into(),
            migration: wish.migration,
        },
    )?;
    stage::room(&scanned.manifest, seen)?;
    let id = stage::stage(host, run.config, seen, scanned, run.report)?;
    Ok(id)
}
