//! `deploy`, from the build to the last word: local work, look, plan, stage, hook, switch, hooks.

use super::attempt::{self, Attempt, Progress};
use super::preview::{self, DeployOptions, Draft};
use super::stage::Unstaged;
use super::{Run, Summary, local_command, metadata, stage};
use crate::failure::{Exit, Failure, Next};
use crate::host::Host;
use crate::observed::Observed;
use crate::observed::ledger::State;
use crate::plan;
use crate::report::event::{Event, Outcome, Phase};
use crate::source::Scanned;
use crate::step::Command;

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
pub fn deploy(run: &mut Run<'_>, options: &DeployOptions) -> Exit {
    let mut progress = Progress {
        release: options.release.clone(),
        ..Progress::default()
    };
    match go(run, options, &mut progress) {
        Ok(exit) => exit,
        Err(failure) => progress.fail(run, Command::Deploy, failure),
    }
}

fn go(run: &mut Run<'_>, options: &DeployOptions, progress: &mut Progress) -> Result<Exit, Failure> {
    let mut origin = match &options.release {
        Some(named) => Origin::Host(named.clone()),
        None => Origin::Here(prepare_here(run)?, None),
    };
    let draft = Draft::new(run.config, options, run.report)?;
    let mut host = run.link.connect(run.report)?;
    let mut observed = attempt::free_host(run, host.as_mut(), &draft.repository, options.wait)?;
    for text in draft.drift(&observed)? {
        run.report.event(&Event::Warning { text });
    }
    let mut reading = Reading::First;
    loop {
        progress.sent = host.traffic().0;
        progress.previous = observed.live().map(str::to_owned);
        let release = match &mut origin {
            Origin::Host(named) => plan::releases::rollback_target(run.config, &observed, Some(named))?,
            Origin::Here(scanned, staged) => {
                if let Some(exit) = unchanged(run, options, &observed, scanned, progress.sent) {
                    return Ok(exit);
                }
                // While this client waited for its turn, somebody else's prune may have taken what it had staged.
                match staged.take().filter(|id| observed.releases.contains(id)) {
                    Some(id) => staged.insert(id).clone(),
                    None => match on_host(run, host.as_mut(), &observed, scanned, &draft) {
                        Ok(id) => {
                            progress.sent = host.traffic().0;
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
        progress.release = Some(release.clone());
        if options.stage_only {
            let summary = Summary {
                live: observed.live().map(Into::into),
                next: vec![Next::shipit("deploy --release").arg(&release)],
                release: Some(release),
                ..Summary::default()
            };
            return Ok(run.end(Outcome::Staged, summary, None, progress.sent));
        }
        let plan = draft.plan(&observed, release)?;
        match attempt::attempt(run, host, &observed, &plan, options.wait, progress)? {
            Attempt::Ended(exit) => return Ok(exit),
            Attempt::Again(session) => {
                host = session;
                observed = attempt::free_host(run, host.as_mut(), &draft.repository, true)?;
            }
        }
    }
}

/// Build and scan: all that needs no host.
fn prepare_here(run: &mut Run<'_>) -> Result<Scanned, Failure> {
    if let Some(line) = run.config.build.as_deref() {
        let context = local_command::HookContext {
            release: None,
            previous: None,
            command: Command::Deploy,
            outcome: None,
        };
        local_command::run(run, "build", line, Phase::Stage, &context)?;
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
    options: &DeployOptions,
    observed: &Observed,
    scanned: &Scanned,
    sent: u64,
) -> Option<Exit> {
    let live = observed.live()?;
    let same = observed
        .meta
        .get(live)
        .is_some_and(|m| metadata::same(run.config, m, scanned));
    let sound = observed.ledger.state(live) == Some(State::Verified) && observed.degraded.is_none();
    if !same || !sound || options.restart {
        return None;
    }
    let summary = Summary {
        release: Some(live.into()),
        previous: Some(live.into()),
        live: Some(live.into()),
        next: vec![Next::shipit("deploy --restart").remark("to restart it anyway")],
        ..Summary::default()
    };
    Some(run.end(Outcome::Unchanged, summary, None, sent))
}

/// The release's id on the host: one that is there already with the same content, or a fresh upload.
fn on_host(
    run: &mut Run<'_>,
    host: &mut dyn Host,
    observed: &Observed,
    scanned: &Scanned,
    draft: &Draft<'_>,
) -> Result<String, Unstaged> {
    let reusable = |id: &&String| {
        let meta = observed.meta.get(*id);
        let same = meta.is_some_and(|m| metadata::same(run.config, m, scanned));
        let live_again = draft.options.restart && observed.live() == Some(id.as_str());
        same && (live_again
            || (observed.ledger.state(id) == Some(State::Staged) && meta.is_some_and(|m| m.migration.is_none())))
    };
    if let Some(id) = observed.releases.iter().rev().find(reusable) {
        run.report.event(&Event::Log {
            source: "host",
            line: format!("{id} is on the host already: nothing to send").into_bytes(),
        });
        return Ok(id.clone());
    }
    // A dry plan first: what would be refused after the upload is refused before it.
    draft.plan(observed, "new".into())?;
    stage::room(&scanned.manifest, observed)?;
    stage::stage(host, run.config, observed, scanned, run.report)
}
