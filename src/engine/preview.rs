//! What a deploy would do with the host as observed: its source, its warnings, its plan. `plan` prints it and `deploy`
//! carries it out, so that the two cannot differ. Changes nothing.

use std::sync::Arc;

use super::session::{Link, one};
use super::{observe, units};
use crate::config::Config;
use crate::failure::Failure;
use crate::host::Host;
use crate::interrupt::Interrupts;
use crate::observed::Observed;
use crate::plan::{self, Baseline, Goal, Migration, Plan};
use crate::release::{Difference, Id, Manifest};
use crate::remote::Script;
use crate::report::event::Report;
use crate::source::{Scanned, Source, git_ignored, scan};
use crate::unit::merge::Unit;

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
    /// # Errors
    /// Those of [`units::of_deploy`].
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
    /// made for.
    ///
    /// # Errors
    /// A [`Failure`] under `units_drift: refuse`, or when the named release is not on the host.
    pub(super) fn drift(&self, observed: &Observed) -> Result<Vec<String>, Failure> {
        match &self.options.release {
            Some(named) => {
                let id = plan::releases::rollback_target(self.config, observed, Some(named))?;
                plan::unit_files::drift_since(self.config, observed, &id)
            }
            None => plan::unit_files::drift(self.config, &self.repository, observed),
        }
    }

    /// # Errors
    /// Those of [`plan::plan`].
    pub(super) fn plan(&self, observed: &Observed, release: String) -> Result<Plan, Failure> {
        let goal = Goal::Deploy {
            release,
            migration: self.options.migration,
            baseline: self.options.baseline,
        };
        plan::plan(self.config, observed, &goal)
    }
}

pub struct Preview {
    /// With the warnings of a deploy.
    pub plan: Plan,
    /// What would be sent.
    pub shipped: Arc<Manifest>,
    /// How that differs from the live release; `None` when the host has no manifest of one.
    pub changes: Option<Difference>,
}

/// Reads the source, looks at the host, and makes the plan of a deploy.
///
/// # Errors
/// Those of the deploy, up to the moment in which it would send something.
pub fn preview(
    config: &Config,
    link: &mut dyn Link,
    interrupts: &Interrupts,
    report: &mut dyn Report,
) -> Result<Preview, Failure> {
    let options = DeployOptions::default();
    let draft = Draft::new(config, &options, report)?;
    let mut host = link.connect(report)?;
    let observed = observe::observe_with_units(host.as_mut(), config, &draft.repository)?;
    let drift = draft.drift(&observed)?;
    let (scanned, warnings) = read_source(config, interrupts)?;
    let mut plan = draft.plan(&observed, free(Id::now(), &observed).to_string())?;
    plan.warnings.extend(drift.into_iter().chain(warnings));
    let live = live_manifest(host.as_mut(), config, &observed);
    Ok(Preview {
        plan,
        changes: live.map(|live| live.diff(&scanned.manifest)),
        shipped: scanned.manifest,
    })
}

/// The source, and the warnings about it.
///
/// # Errors
/// Those of [`scan`].
pub(super) fn read_source(config: &Config, interrupts: &Interrupts) -> Result<(Scanned, Vec<String>), Failure> {
    let source = Source {
        path: &config.source,
        exclude: &config.exclude,
    };
    let scanned = scan(&source, interrupts)?;
    // Git ignores most of what a build makes, and it is meant to be shipped.
    let ignored = match config.build {
        None => git_ignored::warning(&config.source, &scanned.manifest),
        Some(_) => None,
    };
    let warnings = scanned.warnings.iter().cloned().chain(ignored).collect();
    Ok((scanned, warnings))
}

fn live_manifest(host: &mut dyn Host, config: &Config, observed: &Observed) -> Option<Manifest> {
    let live = observed.live()?;
    observed.meta.get(live).filter(|meta| !meta.digest.is_empty())?;
    let answer = one(host, Script::manifest([config.root.as_str(), live])).ok()?;
    let manifest = Manifest::parse_host(&answer.out).ok();
    manifest.filter(|_| answer.code == 0)
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
