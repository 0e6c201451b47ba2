//! What a deploy would do with the host as it is now. `plan` shows it; `deploy` reads its source here too, so that both
//! warn of the same. Changes nothing.

use std::sync::Arc;

use super::deploy::Wish;
use super::session::{Link, one};
use super::{observe, units};
use crate::config::Config;
use crate::failure::Failure;
use crate::host::Host;
use crate::interrupt::Interrupts;
use crate::observed::Observed;
use crate::plan::{self, Plan};
use crate::release::{Difference, Id, Manifest};
use crate::remote::Script;
use crate::report::event::Report;
use crate::source::{Scanned, Source, git_ignored, scan};

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
    let repository = units::of_deploy(config, report)?;
    let mut host = link.connect(report)?;
    let seen = observe::observe_with_units(host.as_mut(), config, &repository)?;
    let drift = plan::unit_files::drift(config, &repository, &seen)?;
    let (scanned, warnings) = read_source(config, interrupts)?;
    let id = free(Id::now(), &seen).to_string();
    let mut plan = plan::plan(config, &seen, &Wish::default().goal(id))?;
    plan.warnings.extend(drift.into_iter().chain(warnings));
    let live = live_manifest(host.as_mut(), config, &seen);
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
pub(super) fn read_source(
    config: &Config,
    interrupts: &Interrupts,
) -> Result<(Scanned, Vec<String>), Failure> {
    let source = Source {
        path: &config.source,
        exclude: &config.exclude,
    };
    let scanned = scan(&source, interrupts)?;
    // Git ignores most of what a build makes, and it is meant to be shipped.
    let ignored = match config.build {
        None => git_ignored::told(&config.source, &scanned.manifest),
        Some(_) => None,
    };
    let warnings = scanned.warnings.iter().cloned().chain(ignored).collect();
    Ok((scanned, warnings))
}

fn live_manifest(host: &mut dyn Host, config: &Config, seen: &Observed) -> Option<Manifest> {
    let live = seen.live()?;
    seen.meta.get(live).filter(|meta| !meta.digest.is_empty())?;
    let answer = one(host, Script::manifest([config.root.as_str(), live])).ok()?;
    let manifest = Manifest::parse_host(&answer.out).ok();
    manifest.filter(|_| answer.code == 0)
}

/// The name that the release would get: the first of this second that is not taken.
fn free(mut id: Id, seen: &Observed) -> Id {
    while seen.releases.iter().any(|taken| taken == id.as_str()) {
        match id.next() {
            Some(next) => id = next,
            None => break,
        }
    }
    id
}
