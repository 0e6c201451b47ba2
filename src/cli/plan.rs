//! `shipit plan`: what deploy would do, from the host as it is now. Changes nothing.

use super::args::Global;
use crate::engine::{self, session};
use crate::failure::{Exit, Failure};
use crate::plan::observed::Observed;
use crate::plan::{self, Baseline, Goal, Migration};
use crate::release::{Id, Manifest, Source, scan};
use crate::remote::Script;
use crate::words;

pub(super) fn run(global: &Global) -> Result<Exit, Failure> {
    let config = super::configuration(global)?;
    let mut link = super::link(global, &config, &super::interrupts()?);
    let mut report = super::reporter(global);
    let repository = engine::units::of_deploy(&config, report.as_mut())?;
    let mut host = session::Link::connect(&mut link, report.as_mut())?;
    let seen = session::observe_with_units(host.as_mut(), &config, &repository)?;
    let drift = plan::units::drift(&config, &repository, &seen)?;
    let scanned = scan(&Source {
        path: &config.source,
        exclude: &config.exclude,
    })?;
    let id = free(Id::now(), &seen).to_string();
    let mut plan = plan::plan(
        &config,
        &seen,
        &Goal::Deploy {
            release: id,
            migration: Migration::Ask,
            baseline: Baseline::Required,
        },
    )?;
    plan.warnings.extend(drift);
    let before = match live_digest(&seen) {
        Some(live) => session::one(
            host.as_mut(),
            Script::manifest([config.root.as_str(), live]),
        )
        .ok()
        .filter(|answer| answer.code == 0)
        .and_then(|answer| Manifest::parse_host(&answer.out).ok()),
        None => None,
    };
    let mut out = String::new();
    let size = words::bytes(scanned.manifest.bytes());
    out.push_str(&format!("files: {} in {size}\n", scanned.manifest.files()));
    match before {
        Some(before) => {
            let diff = before.diff(&scanned.manifest);
            out.push_str(&format!(
                "  {} added, {} changed, {} removed\n",
                diff.added.len(),
                diff.changed.len(),
                diff.removed.len()
            ));
            for line in engine::stage::differs(&diff, 20) {
                out.push_str(&format!("  {line}\n"));
            }
        }
        None => out.push_str("  nothing to compare with: all are new\n"),
    }
    let hooks = &config.hooks;
    for (name, hook) in [
        ("build", &config.build),
        ("prepare (on the host)", &config.prepare),
        ("before_switch", &hooks.before_switch),
        ("after_switch", &hooks.after_switch),
        ("on_failure", &hooks.on_failure),
    ] {
        if let Some(line) = hook {
            out.push_str(&format!("{name}: {}\n", words::shown(line.as_bytes())));
        }
    }
    out.push('\n');
    out.push_str(&plan::explain::explain(&plan));
    super::results(&out);
    Ok(Exit::Done)
}

/// The live release, when the host has a manifest of it.
fn live_digest(seen: &Observed) -> Option<&str> {
    let live = seen.live()?;
    seen.meta
        .get(live)
        .filter(|m| !m.digest.is_empty())
        .map(|_| live)
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
