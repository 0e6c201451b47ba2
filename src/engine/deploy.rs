//! `deploy`, from the build to the last word: local work, look, plan, stage, hook, switch, hooks.

use super::attempt::{self, SoFar, Turn};
use super::stage::Unstaged;
use super::{Ending, Run, local_command, metadata, preview, stage, units};
use crate::failure::{Exit, Failure, Next};
use crate::host::Host;
use crate::observed::Observed;
use crate::observed::ledger::State;
use crate::plan::{self, Baseline, Goal, Migration};
use crate::report::event::{Event, Outcome, Phase};
use crate::source::Scanned;
use crate::step::Command;

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
    /// Whether the live release must pass the health check before anything changes.
    pub baseline: Baseline,
}

impl Wish {
    pub(super) fn goal(&self, release: String) -> Goal {
        Goal::Deploy {
            release,
            migration: self.migration,
            baseline: self.baseline,
        }
    }
}

/// Where the release comes from.
enum Origin {
    /// It is on the host already, and was named.
    Host(String),
    /// It is here; and on the host too, under this id, once it was staged.
    Here(Scanned, Option<String>),
}

/// How often the source was read: one that changed while it was packed is read once more, not for ever.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    First,
    Again,
}

/// Deploys. The exit code; everything else was told.
pub fn deploy(run: &mut Run<'_>, wish: &Wish) -> Exit {
    let mut so_far = SoFar {
        release: wish.release.clone(),
        ..SoFar::default()
    };
    match go(run, wish, &mut so_far) {
        Ok(exit) => exit,
        Err(failure) => so_far.fail(run, Command::Deploy, failure),
    }
}

fn go(run: &mut Run<'_>, wish: &Wish, so_far: &mut SoFar) -> Result<Exit, Failure> {
    let (mut origin, repository) = match &wish.release {
        Some(named) => (Origin::Host(named.clone()), Vec::new()),
        None => (
            Origin::Here(prepare_here(run)?, None),
            units::of_deploy(run.config, run.report)?,
        ),
    };
    let mut host = run.link.connect(run.report)?;
    let mut seen = attempt::free_host(run, host.as_mut(), &repository, wish.wait)?;
    let drift = match &origin {
        // Named: what counts is what it was made for, not what this working tree has.
        Origin::Host(named) => {
            let id = plan::releases::rollback_target(run.config, &seen, Some(named))?;
            plan::unit_files::drift_since(run.config, &seen, &id)?
        }
        Origin::Here(..) => plan::unit_files::drift(run.config, &repository, &seen)?,
    };
    for text in drift {
        run.report.event(&Event::Warning { text });
    }
    let mut reading = Reading::First;
    loop {
        so_far.sent = host.traffic().0;
        so_far.previous = seen.live().map(str::to_owned);
        let release = match &mut origin {
            Origin::Host(named) => plan::releases::rollback_target(run.config, &seen, Some(named))?,
            Origin::Here(scanned, staged) => {
                if let Some(exit) = unchanged(run, wish, &seen, scanned, so_far.sent) {
                    return Ok(exit);
                }
                // While this client waited for its turn, somebody else's prune may have taken what it had staged.
                match staged.take().filter(|id| seen.releases.contains(id)) {
                    Some(id) => staged.insert(id).clone(),
                    None => match on_host(run, host.as_mut(), &seen, scanned, wish) {
                        Ok(id) => {
                            so_far.sent = host.traffic().0;
                            staged.insert(id).clone()
                        }
                        Err(Unstaged::Changed(failure)) if reading == Reading::First => {
                            reading = Reading::Again;
                            let text = format!("{}; reading the source once more", failure.what);
                            run.report.event(&Event::Warning { text });
                            *scanned = read_source(run)?;
                            continue;
                        }
                        Err(Unstaged::Changed(failure) | Unstaged::Failed(failure)) => {
                            return Err(failure);
                        }
                    },
                }
            }
        };
        so_far.release = Some(release.clone());
        if wish.stage_only {
            let ending = Ending {
                live: seen.live().map(Into::into),
                next: vec![Next::shipit("deploy --release").arg(&release)],
                release: Some(release),
                ..Ending::default()
            };
            return Ok(run.end(Outcome::Staged, ending, None, so_far.sent));
        }
        let goal = wish.goal(release);
        let plan = plan::plan(run.config, &seen, &goal)?;
        match attempt::attempt(run, host, &seen, &plan, wish.wait, so_far)? {
            Turn::Ended(exit) => return Ok(exit),
            Turn::Again(session) => {
                host = session;
                seen = attempt::free_host(run, host.as_mut(), &repository, true)?;
            }
        }
    }
}

/// Build and scan: all that needs no host.
fn prepare_here(run: &mut Run<'_>) -> Result<Scanned, Failure> {
    if let Some(line) = run.config.build.as_deref() {
        let facts = local_command::Facts {
            release: None,
            previous: None,
            command: Command::Deploy,
            outcome: None,
        };
        local_command::run(run, "build", line, Phase::Stage, &facts)?;
        run.go_on("building")?;
    }
    read_source(run)
}

/// Reads the source, and says what a person should know about it.
fn read_source(run: &mut Run<'_>) -> Result<Scanned, Failure> {
    let (scanned, warnings) = preview::read_source(run.config, run.interrupts)?;
    for text in warnings {
        run.report.event(&Event::Warning { text });
    }
    run.go_on("reading the source")?;
    Ok(scanned)
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
        .is_some_and(|m| metadata::same(run.config, m, scanned));
    let sound = seen.ledger.state(live) == Some(State::Verified) && seen.degraded.is_none();
    if !same || !sound || wish.restart {
        return None;
    }
    let ending = Ending {
        release: Some(live.into()),
        previous: Some(live.into()),
        live: Some(live.into()),
        next: vec![Next::shipit("deploy --restart").remark("to restart it all the same")],
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
) -> Result<String, Unstaged> {
    let reusable = |id: &&String| {
        let meta = seen.meta.get(*id);
        let same = meta.is_some_and(|m| metadata::same(run.config, m, scanned));
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
    plan::plan(run.config, seen, &wish.goal("new".into()))?;
    stage::room(&scanned.manifest, seen)?;
    stage::stage(host, run.config, seen, scanned, run.report)
}
