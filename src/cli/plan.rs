//! `shipit plan`: what deploy would do, from the host as it is now. Changes nothing.

use super::args::Global;
use crate::engine::preview::{Preview, preview};
use crate::engine::stage;
use crate::failure::{Exit, Failure};
use crate::{plan, text};

pub(super) fn run(global: &Global) -> Result<Exit, Failure> {
    let config = super::configuration(global)?;
    let interrupts = super::interrupts()?;
    let mut link = super::link(global, &config, &interrupts);
    let mut report = super::reporter(global);
    let preview = preview(&config, &mut link, &interrupts, report.as_mut())?;
    let mut out = files(&preview);
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
    out.push_str(&plan::explain::explain(&preview.plan));
    super::results(&out);
    Ok(Exit::Done)
}

/// What is shipped, and how it differs from the live release.
fn files(preview: &Preview) -> String {
    let shipped = &preview.shipped;
    let size = text::bytes(shipped.bytes());
    let mut out = format!("files: {} in {size}\n", shipped.files());
    let Some(diff) = &preview.changes else {
        return out + "  nothing to compare with: all are new\n";
    };
    out.push_str(&format!(
        "  {} added, {} changed, {} removed\n",
        diff.added.len(),
        diff.changed.len(),
        diff.removed.len()
    ));
    for line in stage::differs(diff, 20) {
        out.push_str(&format!("  {line}\n"));
    }
    out
}
