//! What a deploy would do with the host as observed: its source, its warnings, its plan. `plan` prints it and `deploy`
//! carries it out, so that the two cannot differ. Changes nothing.

use std::iter;
use std::sync::Arc;

use super::prepare::Outputs;
use super::{Run, base, metadata, observe, patches, room, units};
use crate::cache::Shelf;
use crate::config::{Config, Probe, local_name};
use crate::failure::{Exit, Failure, Next};
use crate::interrupt::Interrupts;
use crate::observed::Observed;
use crate::observed::installed::Content;
use crate::observed::ledger::State;
use crate::plan::{self, Baseline, Goal, Migration, Plan};
use crate::release::{Delta, Difference, Id, Manifest};
use crate::report::event::Report;
use crate::source::{Hashes, Scanned, Source, git_ignored, scan};
use crate::unit::merge::Unit;
use crate::unit::parse::File;

/// What was asked for beyond the configuration.
#[derive(Clone, Debug, Default)]
pub struct DeployOptions {
    /// Only stage; nothing live changes.
    pub stage_only: bool,
    /// A release that is on the host already.
    pub release: Option<String>,
    /// Wait for another switch to end.
    pub wait: bool,
    /// Switch even when the live release has the same content.
    pub restart: bool,
    /// Which files of the source are read.
    pub reading: Reading,
    /// Whether `prepare` runs where its outputs are on the host.
    pub outputs: Outputs,
    /// What became of an interrupted migration.
    pub migration: Migration,
    /// Whether the live release must pass the health check before anything changes.
    pub baseline: Baseline,
}

/// A deploy before it has a host: the only place that checks for drift and plans, for `plan` and for `deploy`.
pub(super) struct Draft<'a> {
    config: &'a Config,
    pub(super) options: &'a DeployOptions,
    /// The units of this repository; none when the release is named, which has its own.
    pub(super) repository: Vec<Unit>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(
        config: &'a Config,
        options: &'a DeployOptions,
        report: &mut dyn Report,
    ) -> Result<Self, Failure> {
        let repository = match options.release {
            Some(_) => Vec::new(),
            None => units::of_deploy(config, report)?,
        };
        Ok(Self {
            config,
            options,
            repository,
        })
    }

    /// The warnings about the host's units: they differ from this repository's, or from those that the named release was
    /// made for. Fails under `units_drift: refuse`, or when the named release is not on the host.
    pub(super) fn drift(&self, observed: &Observed) -> Result<Vec<String>, Failure> {
        match &self.options.release {
            Some(named) => {
                let id = plan::releases::rollback_target(self.config, observed, Some(named))?;
                plan::unit_files::drift_since(self.config, observed, &id)
            }
            None => plan::unit_files::drift(self.config, &self.repository, observed),
        }
    }

    pub(super) fn plan(&self, observed: &Observed, release: String) -> Result<Plan, Failure> {
        if let Some(installed) = &observed.installed {
            plan::unit_names::refuse_unknown(self.config, observed, installed, &self.repository, false)?;
        }
        let goal = Goal::Deploy {
            release,
            migration: self.options.migration,
            baseline: self.options.baseline,
        };
        plan::plan(self.config, observed, &goal)
    }
}

/// What the host has of a source.
pub(super) enum OnHost<'a> {
    /// It is live and verified: there is nothing to do.
    Live(&'a str),
    /// This release is switched to, and nothing is sent.
    Staged(&'a str),
    /// A user rolled back from this release. It is staged again, because `prepare` may have been the reason.
    Left(&'a str),
    Nothing,
}

impl Draft<'_> {
    /// The warning about what git ignores and a deploy ships.
    pub(super) fn ignored(&self, observed: &Observed, scanned: &Scanned) -> Option<String> {
        match self.config.build {
            None => git_ignored::warning(&self.config.source, &scanned.manifest, &commands(self.config, observed)),
            // Git ignores most of what a build makes, and it is meant to be shipped.
            Some(_) => None,
        }
    }

    pub(super) fn on_host<'a>(&self, observed: &'a Observed, scanned: &Scanned) -> OnHost<'a> {
        if self.options.outputs == Outputs::Make {
            return OnHost::Nothing;
        }
        let state = |id: &str| observed.ledger.state(id);
        let metas = observed
            .releases
            .iter()
            .rev()
            .filter_map(|id| Some((id.as_str(), observed.meta.get(id)?)));
        let same: Vec<_> = metas
            .filter(|(_, meta)| metadata::same(self.config, meta, scanned))
            .collect();
        let find = |wanted: &dyn Fn(&str) -> bool| same.iter().map(|(id, _)| *id).find(|id| wanted(id));
        let live = find(&|id| observed.live() == Some(id));
        match live {
            Some(id) if self.options.restart => return OnHost::Staged(id),
            Some(id) if state(id) == Some(State::Verified) && observed.degraded.is_none() => return OnHost::Live(id),
            _ => {}
        }
        let unused = |id: &str| {
            let migrated = observed.meta.get(id).is_some_and(|meta| meta.migration.is_some());
            state(id) == Some(State::Staged) && !migrated
        };
        if let Some(id) = find(&unused) {
            return OnHost::Staged(id);
        }
        find(&|id| state(id) == Some(State::Left)).map_or(OnHost::Nothing, OnHost::Left)
    }
}

/// The sentence about a release that a user rolled back from, when the same content is deployed again.
pub(super) fn left(id: &str) -> String {
    format!(
        "a user rolled back from {id}, which has the same content; this deploy stages it again as a new release \
         (`deploy --release {id}` makes {id} live without an upload)"
    )
}

pub struct Preview {
    /// With the warnings of a deploy.
    pub plan: Plan,
    pub shipped: Arc<Manifest>,
    /// How that differs from the live release; `None` when the host has no manifest of one.
    pub changes: Option<Difference>,
    /// What would travel; `None` when a release on the host has the same content.
    pub delta: Option<Delta>,
    /// The live release, if it is verified and has the same content: a deploy changes nothing.
    pub unchanged: Option<String>,
}

/// Reads the source, looks at the host, and makes the plan of a deploy.
pub fn preview(run: &mut Run<'_>, reading: Reading) -> Result<Preview, Failure> {
    let config = run.config;
    let options = DeployOptions::default();
    let draft = Draft::new(config, &options, run.report)?;
    let scanned = read_source(config, reading, run.interrupts)?;
    let mut host = run.link.connect(run.report)?;
    let script = base::script(config, scanned.digest);
    let observed = observe::observe_with_units(host.as_mut(), config, &draft.repository, Some(script))?;
    let drift = draft.drift(&observed)?;
    let found = draft.on_host(&observed, &scanned);
    let release = match found {
        OnHost::Live(id) | OnHost::Staged(id) => id.to_owned(),
        OnHost::Left(_) | OnHost::Nothing => free(Id::now(), &observed).to_string(),
    };
    let mut plan = draft.plan(&observed, release)?;
    let base = base::find(host.as_mut(), config, &observed, &scanned)?;
    plan.warnings.extend(drift);
    plan.warnings.extend(scanned.warnings.iter().cloned());
    plan.warnings.extend(draft.ignored(&observed, &scanned));
    // As a deploy does, which sends nothing that it switches to as it is.
    let delta = match found {
        OnHost::Live(_) | OnHost::Staged(_) => None,
        OnHost::Left(_) | OnHost::Nothing => {
            let delta = base::delta(base.as_ref(), &scanned);
            let (delta, _) = base::resume(host.as_mut(), config, &observed, &scanned, delta)?;
            Some(patches::patch(
                delta,
                base.as_ref(),
                &scanned,
                &observed,
                run.interrupts,
            ))
        }
    };
    if let Some(delta) = &delta {
        match room::check(&scanned.manifest, delta, base::link(config, &observed), &observed) {
            Err(failure) if !observed.uploads.is_empty() => plan.warnings.push(format!(
                "{}: {}; a deploy first removes interrupted uploads",
                failure.what,
                failure.why.join("; ")
            )),
            room => room?,
        }
        plan.warnings.extend(base::warnings(config, &observed, base.as_ref()));
    }
    if let OnHost::Left(id) = found {
        plan.warnings.push(left(id));
    }
    let unchanged = match found {
        OnHost::Live(id) => Some(id.to_owned()),
        OnHost::Staged(_) | OnHost::Left(_) | OnHost::Nothing => None,
    };
    let live = base.filter(|found| observed.live() == Some(&found.base.id));
    Ok(Preview {
        plan,
        changes: live.map(|live| live.base.manifest.diff(&scanned.manifest)),
        shipped: scanned.manifest,
        delta,
        unchanged,
    })
}

/// Which files of the source are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reading {
    /// Those that were touched since an earlier deploy or plan has read them.
    #[default]
    Touched,
    All,
}

/// How many sources are remembered.
const SOURCES: usize = 16;

/// Whether a deploy could ship the source, before anything else happens. With `build` the source may not exist yet: what is
/// wrong with the project's own directory is then a warning, because the build can change it.
/// Fails with a [`Failure`] that names what a deploy would refuse.
pub fn check_source(config: &Config, interrupts: &Interrupts) -> Result<Option<String>, Failure> {
    if config.build.is_some() && config.source != config.dir {
        return Ok(None);
    }
    match read_source(config, Reading::Touched, interrupts) {
        Err(failure) if config.build.is_some() && interrupts.count() == 0 => Ok(Some(format!(
            "the deploy will stop unless `build` changes it: {}: {}",
            failure.what,
            failure.why.join("; ")
        ))),
        read => read.map(|_| None),
    }
}

/// A source that does not exist: the line that names it, and `build` only if there is one.
fn missing(config: &Config) -> Failure {
    let (source, file) = (local_name(&config.source), local_name(&config.file));
    let at = format!("`source` in {file}:{}", config.source_line);
    let (unmade, advice) = match config.build {
        Some(_) => (", and `build` has not made it", format!("correct {at}, or `build`")),
        None => ("", format!("correct {at}, or add `build` if a command makes it")),
    };
    Failure::new(Exit::Untouched, format!("{source} does not exist"))
        .why(format!("it is the `source:` of {file}{unmade}"))
        .next(Next::advice(advice))
}

/// The source, as it would be shipped.
pub(super) fn read_source(config: &Config, reading: Reading, interrupts: &Interrupts) -> Result<Scanned, Failure> {
    if let Ok(false) = config.source.try_exists() {
        return Err(missing(config));
    }
    let shelf = Shelf::of_user("hashes", SOURCES);
    let source = Source {
        path: &config.source,
        exclude: &config.exclude,
        allow_secrets: &config.allow_secrets,
        identity: config.identity.as_deref(),
        hashes: shelf.as_ref().map(|shelf| Hashes {
            read_all: reading == Reading::All,
            ..Hashes::new(shelf)
        }),
    };
    scan(&source, interrupts)
}

/// The command lines that run in a release: what they name is meant to be shipped. A unit that only one of the repository
/// and the host has counts too.
fn commands(config: &Config, observed: &Observed) -> Vec<String> {
    let repository = units::repository(config).unwrap_or_default();
    let installed = observed.installed.iter().flat_map(|installed| &installed.units);
    let texts = installed.flat_map(|(_, unit)| iter::once(&unit.own).chain(unit.drop_ins.iter().map(|(_, text)| text)));
    let files = texts.filter_map(|content| match content {
        Content::Text(text) => Some(File::parse("", text)),
        _ => None,
    });
    let files: Vec<File> = repository
        .into_iter()
        .flat_map(|unit| unit.files)
        .chain(files)
        .collect();
    let assignments = files.iter().flat_map(File::assignments);
    let of_units = assignments
        .filter(|(_, key, ..)| key.starts_with("Exec"))
        .map(|(_, _, value, _)| value.to_owned());
    let tried = config.services.iter().filter_map(|service| service.trial.as_ref());
    let asked = config.instances().filter_map(|one| one.health);
    let checks = asked
        .chain(tried.map(|trial| &trial.health))
        .filter_map(|health| match &health.check.probe {
            Probe::Command { line } => Some(line.clone()),
            _ => None,
        });
    let prepare = config.prepare.iter().map(|prepare| prepare.run.clone());
    of_units.chain(checks).chain(prepare).collect()
}

/// The name that the release would get: the first of this second that is not taken.
fn free(mut id: Id, observed: &Observed) -> Id {
    while observed.releases.iter().any(|taken| taken == id.as_str()) {
        match id.next() {
            Some(next) => id = next,
            None => break,
        }
    }
    id
}

#[cfg(test)]
#[path = "preview_tests.rs"]
mod tests;
