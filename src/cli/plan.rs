//! `shipit plan`: what deploy would do, from the host as it is now. Changes nothing.

use super::args::Global;
use crate::config::Config;
use crate::engine::{self, session};
use crate::failure::{Exit, Failure};
use crate::host::Host;
use crate::observed::Observed;
use crate::plan::{self, Baseline, Goal, Migration};
use crate::release::{Id, Manifest};
use crate::remote::Script;
use crate::source::{Source, git_ignored, scan};
use crate::text;

pub(super) fn run(global: &Global) -> Result<Exit, Failure> {
    let config = super::configuration(global)?;
    let interrupts = super::interrupts()?;
    let mut link = super::link(global, &config, &interrupts);
    let mut report = super::reporter(global);
    let repository = engine::units::of_deploy(&config, report.as_mut())?;
    let mut host = session::Link::connect(&mut link, report.as_mut())?;
    let seen = session::observe_with_units(host.as_mut(), &config, &repository)?;
    let drift = plan::unit_files::drift(&config, &repository, &seen)?;
    let source = Source {
        path: &config.source,
        exclude: &config.exclude,
    };
    let scanned = scan(&source, &interrupts)?;
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
    plan.warnings.extend(scanned.warnings.iter().cloned());
    let ignored = git_ignored::told(&config.source, &scanned.manifest);
    plan.warnings.extend(ignored);
    let mut out = files(host.as_mut(), &config, &seen, &scanned.manifest);
    let hooks = &config.hooks;
    for (name, hook) in [
        ("build", &config.build),
        ("prepare (on the host)", &config.prepare),
        ("before_switch", &hooks.before_switch),
        ("after_switch", &hooks.after_switch),
        ("on_failure", &hooks.on_failure),
    ] {
        if let Some(line) = hook {
            out.push_str(&format!("{name}: {}\n", text::shown(line.as_bytes())));
        }
    }
    out.push('\n');
    out.push_str(&plan::explain::explain(&plan));
    super::results(&out);
    Ok(Exit::Done)
}

/// What is shipped, and how it differs from the live release.
fn files(host: &mut dyn Host, config: &Config, seen: &Observed, shipped: &Manifest) -> String {
    let size = text::bytes(shipped.bytes());
    let mut out = format!("files: {} in {size}\n", shipped.files());
    let live = live_with_manifest(seen).and_then(|live| {
        let script = Script::manifest([config.root.as_str(), live]);
        let answer = session::one(host, script).ok()?;
        Manifest::parse_host(&answer.out)
            .ok()
            .filter(|_| answer.code == 0)
    });
    let Some(live) = live else {
        return out + "  nothing to compare with: all are new\n";
    };
    let diff = live.diff(shipped);
    out.push_str(&format!(
        "  {} added, {} changed, {} removed\n",
        diff.added.len(),
        diff.changed.len(),
        diff.removed.len()
    ));
    for line in engine::stage::differs(&diff, 20) {
        out.push_str(&format!("  {line}\n"));
    }
    out
}

/// The live release, when the host has a manifest of it.
fn live_with_manifest(seen: &Observed) -> Option<&str> {
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
