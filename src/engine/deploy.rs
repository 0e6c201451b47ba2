//! `deploy`, from the build to the last word: local work, look, plan, stage, hook, switch, hooks.

use super::attempt::{self, Attempt};
use super::base::Found;
use super::prepare::Outputs;
use super::preview::{self, DeployOptions, Draft, OnHost, Reading};
use super::stage::Unstaged;
use super::{Run, base, local_command, manifests, metadata, observe, patches, room, session, stage};
use crate::failure::{Exit, Failure, Next};
use crate::host::Host;
use crate::observed::Observed;
use crate::plan;
use crate::release::{Delta, Encoding};
use crate::remote;
use crate::report::event::{Ended, Event, Outcome, Phase, Upload};
use crate::source::Scanned;

enum Origin {
    /// It is on the host already, and was named.
    Host(String),
    /// It is here; and on the host too, under this id, once it was staged.
    Here(Scanned, Option<String>),
}

/// Deploys. The exit code; everything else was told.
pub fn deploy(run: &mut Run<'_>, options: &DeployOptions) -> Exit {
    run.release.clone_from(&options.release);
    go(run, options).unwrap_or_else(|failure| attempt::fail(run, failure))
}

fn go(run: &mut Run<'_>, options: &DeployOptions) -> Result<Exit, Failure> {
    let early = match &options.release {
        Some(_) => None,
        None => build(run)?,
    };
    let draft = Draft::new(run.config, options, run.report)?;
    let mut origin = match &options.release {
        Some(named) => Origin::Host(named.clone()),
        None => Origin::Here(read_source(run, options.reading)?, None),
    };
    let mut host = match early {
        Some(host) => session::kept(run.link, host, run.report)?,
        None => run.link.connect(run.report)?,
    };
    let base = match &origin {
        Origin::Host(_) => None,
        Origin::Here(scanned, _) => Some(base::script(run.config, scanned.digest)),
    };
    let mut observed = attempt::free_host(run, host.as_mut(), &draft.repository, base.as_ref(), options.wait)?;
    let ignored = match &origin {
        Origin::Here(scanned, _) => draft.ignored(&observed, scanned),
        Origin::Host(_) => None,
    };
    let drift = draft.drift(&observed)?;
    let drifted = !drift.is_empty();
    for text in drift.into_iter().chain(ignored) {
        run.report.warn(text);
    }
    // A source that changed while it was packed is read once more, not forever.
    let mut again = false;
    loop {
        run.sent = host.traffic().0;
        run.comes_after(&observed);
        let release = match &mut origin {
            Origin::Host(named) => {
                let id = plan::releases::rollback_target(run.config, &observed, Some(named))?;
                if id != *named {
                    run.report.event(&Event::Release(id.clone()));
                    named.clone_from(&id);
                }
                run.comes_from(observed.commit(&id));
                id
            }
            Origin::Here(scanned, staged) => {
                let found = draft.on_host(&observed, scanned);
                if let OnHost::Live(live) = found {
                    return Ok(unchanged(run, &observed, live, scanned, drifted));
                }
                // While this client waited for its turn, somebody else's prune may have taken what it had staged.
                match staged.take().filter(|id| observed.releases.contains(id)) {
                    Some(id) => staged.insert(id).clone(),
                    None => match stage_it(run, host.as_mut(), &observed, scanned, &draft, found) {
                        Ok(id) => {
                            run.sent = host.traffic().0;
                            staged.insert(id).clone()
                        }
                        Err(Unstaged::Changed(failure)) if !again => {
                            again = true;
                            let text = format!("{}; reading the source once more", failure.what);
                            run.report.warn(text);
                            *scanned = read_source(run, Reading::All)?;
                            continue;
                        }
                        Err(
                            Unstaged::Changed(failure)
                            | Unstaged::NotReused { failure, .. }
                            | Unstaged::Failed(failure),
                        ) => {
                            return Err(failure);
                        }
                    },
                }
            }
        };
        run.release = Some(release.clone());
        if options.stage_only {
            return Ok(run.end(Ended {
                previous: None,
                next: vec![Next::shipit("deploy --release").arg(&release)],
                ..run.ended(Outcome::Staged, run.previous.clone(), None)
            }));
        }
        let plan = draft.plan(&observed, release)?;
        match attempt::attempt(run, host, &observed, &plan, options.wait)? {
            Attempt::Ended(exit) => return Ok(exit),
            Attempt::Again(session) => {
                host = session;
                observed = attempt::free_host(run, host.as_mut(), &draft.repository, base.as_ref(), true)?;
            }
        }
    }
}

/// The build, after a look at the host: what a host lacks is said before a user waits for the build. The connection; `None`
/// where there is nothing to build.
fn build(run: &mut Run<'_>) -> Result<Option<Box<dyn Host>>, Failure> {
    // What is built is this commit: a build may change files.
    run.comes_from(metadata::commit(run.config));
    let Some(line) = run.config.build.as_deref() else {
        return Ok(None);
    };
    let mut host = run.link.connect(run.report)?;
    let observed = observe::observe(host.as_mut(), run.config)?;
    run.comes_after(&observed);
    // Who holds the host now may have let it go by the end of the build.
    if observed.request.is_none() {
        plan::needs::host(run.config, &observed)?;
        plan::needs::current(run.config, &observed).map_or(Ok(()), Err)?;
    }
    local_command::run(run, "build", line, Phase::Stage, None, Some(host.as_mut()))?;
    run.go_on("building")?;
    Ok(Some(host))
}

/// Reads the source, and says what a person should know about it.
fn read_source(run: &mut Run<'_>, reading: Reading) -> Result<Scanned, Failure> {
    let scanned = preview::read_source(run.config, reading, run.interrupts)?;
    for text in &scanned.warnings {
        run.report.warn(text.clone());
    }
    run.go_on("reading the source")?;
    Ok(scanned)
}

/// The live release has this very content: nothing to do, unless a restart was asked for. `drifted`: there were warnings
/// about the host's units.
fn unchanged(run: &mut Run<'_>, observed: &Observed, live: &str, scanned: &Scanned, drifted: bool) -> Exit {
    let mut next = Vec::new();
    if drifted {
        next.push(Next::shipit("unit diff").remark("how the units on the host differ from the repository"));
    }
    for one in run.config.instances().filter(|one| observed.is_down(one)) {
        let unit = observed.unit(one.unit);
        let (state, way_on) = match unit.is_loaded() {
            true => (unit.active_state(), Next::shipit("start").arg(one.unit)),
            // One that does not exist cannot be started.
            false => (unit.text("LoadState"), Next::shipit("doctor")),
        };
        run.report.warn(format!("{} is not running: {state}", one.unit));
        next.push(way_on);
    }
    next.push(Next::shipit("deploy --restart").remark("to restart it anyway"));
    if scanned.remembered {
        next.push(
            Next::shipit("deploy --checksum").remark("to read every file, including those that were not touched"),
        );
    }
    run.end(Ended {
        release: Some(live.into()),
        next,
        ..run.ended(Outcome::Unchanged, Some(live.into()), None)
    })
}

/// The release's id on the host: one that is there already with the same content, or a fresh upload.
fn stage_it(
    run: &mut Run<'_>,
    host: &mut dyn Host,
    observed: &Observed,
    scanned: &Scanned,
    draft: &Draft<'_>,
    found: OnHost<'_>,
) -> Result<String, Unstaged> {
    match found {
        OnHost::Live(id) | OnHost::Staged(id) => {
            let line = format!("{id} is on the host already: nothing to send");
            run.report.log("host", line.into_bytes());
            return Ok(id.to_owned());
        }
        OnHost::Left(id) => run.report.warn(preview::left(id)),
        OnHost::Nothing => {}
    }
    // A dry plan first: what would be refused after the upload is refused before it.
    draft.plan(observed, "new".into())?;
    let found = base::find(host, run.config, observed, scanned)?;
    let delta = base::delta(found.as_ref(), scanned);
    let encoding = if observed.zstd { Encoding::Zstd } else { Encoding::Gzip };
    let delta = delta.encoded(encoding);
    let (delta, arrived) = base::resume(host, run.config, observed, scanned, delta)?;
    if let Some(line) = arrived {
        run.report.log("host", line.into_bytes());
    }
    for text in base::warnings(run.config, observed, found.as_ref()) {
        run.report.warn(text);
    }
    let outputs = draft.options.outputs;
    if !draft.options.stage_only {
        // The request comes next.
        host.expect(remote::waiting(false));
    }
    let again = |run: &mut Run<'_>, failure: Failure, sent: &str| {
        let why = failure.why.join("; ");
        run.report.warn(format!("{}, so {sent} sent: {why}", failure.what));
    };
    let mut sent = send(run, host, observed, scanned, delta, found.as_ref(), (outputs, true));
    if let Err(Unstaged::NotReused { failure, patched: true }) = sent {
        again(run, failure, "whole files are");
        let delta = base::delta(found.as_ref(), scanned).encoded(encoding);
        sent = send(run, host, observed, scanned, delta, found.as_ref(), (outputs, false));
    }
    if let Err(Unstaged::NotReused { failure, .. }) = sent {
        again(run, failure, "everything is");
        let whole = Delta::whole(&scanned.manifest);
        sent = send(run, host, observed, scanned, whole, None, (outputs, false));
    }
    sent
}

/// Sends what has to travel, with patches or without. The release's id on the host.
fn send(
    run: &mut Run<'_>,
    host: &mut dyn Host,
    observed: &Observed,
    scanned: &Scanned,
    delta: Delta,
    found: Option<&Found>,
    (outputs, patch): (Outputs, bool),
) -> Result<String, Unstaged> {
    let mut delta = room::make(host, run.config, observed, scanned, delta, found)?;
    if patch {
        delta = patches::patch(delta, found, scanned, observed, run.interrupts);
        run.go_on("making patches")?;
    }
    let (before, saved, patched) = (host.traffic().0, delta.saved, delta.has_patches());
    let uncopied = patches::uncopied(scanned, &delta, observed);
    let staged = stage::stage(run, host, observed, scanned, delta, outputs)?;
    run.upload = Some(Upload {
        sent: host.traffic().0 - before,
        saved,
        took: staged.received_in,
        patched,
        prepared_from: staged.prepared_from,
    });
    manifests::remember(&scanned.manifest, scanned.digest);
    run.copying = uncopied.map(|uncopied| uncopied.copy(run.interrupts));
    Ok(staged.id)
}
