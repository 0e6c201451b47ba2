//! `shipit plan`: what deploy would do, from the host as it is now. Changes nothing.

use serde_json::{Value, json};

use super::args::{self, Global};
use super::paper::{Ink, Paper};
use crate::engine::preview::{Preview, Reading, preview};
use crate::engine::stage;
use crate::failure::{Exit, Failure};
use crate::release::Delta;
use crate::step::{Command, Step};
use crate::{plan, text};

pub(super) fn run(global: &Global, args: &args::Plan) -> Result<Exit, Failure> {
    let config = super::configuration(global)?;
    let reading = if args.checksum { Reading::All } else { Reading::Touched };
    let preview = super::run(global, &config, Command::Deploy, |run| preview(run, reading))?;
    let hooks = &config.hooks;
    let prepare = config.prepare.as_ref().map(|prepare| prepare.run.clone());
    let commands = [
        ("build", &config.build),
        ("prepare (on the host)", &prepare),
        ("before_switch", &hooks.before_switch),
        ("after_switch", &hooks.after_switch),
        ("on_failure", &hooks.on_failure),
    ];
    if global.json {
        let commands = commands.iter().filter_map(|(name, line)| Some((*name, line.as_ref()?)));
        let commands = commands.map(|(name, line)| (name.split(' ').next().unwrap_or(name).to_owned(), json!(line)));
        super::results(&super::object(&object(&preview, commands.collect())));
        return Ok(Exit::Done);
    }
    let environment = config
        .environment
        .as_ref()
        .map(|name| format!(" ({name})"))
        .unwrap_or_default();
    let mut out = format!("plan {}{environment} on {}\n", config.app, config.host);
    out.push_str(&files(&preview));
    for (name, hook) in commands {
        if let Some(line) = hook {
            out.push_str(&format!("{name}: {}\n", text::shown(line.as_bytes())));
        }
    }
    out.push('\n');
    if let Some(live) = &preview.unchanged {
        out.push_str(&format!(
            "unchanged: {live} is live and has the same content, so a deploy would change nothing\n\n\
             `shipit deploy --restart` would do this:\n"
        ));
    }
    let explained = plan::explain::explain(&preview.plan);
    // A new release gets its id from the time of the deploy.
    out.push_str(&match preview.delta {
        Some(_) => explained.replace(&preview.plan.change.next, "NEW"),
        None => explained,
    });
    super::results(&printed(&out, Paper::new(global)));
    Ok(Exit::Done)
}

/// The steps stand below their headings; what does not fit hangs below the text.
pub(super) fn printed(text: &str, paper: Paper) -> String {
    let line = |line: &str| match line.strip_prefix("  ") {
        Some(rest) => paper.line(&format!("  {}", paper.listed(rest)), 12),
        None if line.starts_with("warning: ") => paper.line(&paper.paint(Ink::Warning, line), 9),
        None if line.is_empty() => "\n".to_owned(),
        None => paper.line(&paper.paint(Ink::Bold, line), 2),
    };
    text.lines().map(line).collect()
}

fn object(preview: &Preview, commands: serde_json::Map<String, Value>) -> Value {
    let plan = &preview.plan;
    let step = |step: &Step| {
        let text = step.to_string();
        let (name, about) = text.split_once(' ').unwrap_or((&text, ""));
        json!({"name": name, "about": about.trim_start()})
    };
    let steps = |steps: &[Step]| steps.iter().map(step).collect::<Vec<_>>();
    let paths = |paths: &[Vec<u8>]| {
        paths
            .iter()
            .map(|path| String::from_utf8_lossy(path).into_owned())
            .collect::<Vec<_>>()
    };
    let changes = preview.changes.as_ref().map(
        |diff| json!({"added": paths(&diff.added), "changed": paths(&diff.changed), "removed": paths(&diff.removed)}),
    );
    json!({"v": 1, "command": plan.change.command.word(), "previous": plan.change.previous, "next": plan.change.next,
        "files": preview.shipped.files(), "bytes": preview.shipped.bytes(),
        "files_to_send": preview.delta.as_ref().map_or(0, |delta| delta.files),
        "bytes_to_send": preview.delta.as_ref().map_or(0, |delta| delta.sent),
        "changes": changes, "unchanged": preview.unchanged.is_some(), "commands": commands,
        "switch": steps(&plan.switch), "revert": steps(&plan.revert), "settle": steps(&plan.settle),
        "warnings": plan.warnings, "advice": plan.advice})
}

/// What is shipped, and how it differs from the live release.
fn files(preview: &Preview) -> String {
    let shipped = &preview.shipped;
    let size = text::bytes(shipped.bytes());
    let mut out = format!("files: {} in {size}\n", shipped.files());
    out.push_str(&match &preview.delta {
        Some(delta) => format!(
            "  to send: {} in {}{}\n",
            delta.files,
            text::bytes(delta.sent),
            reused(delta)
        ),
        None => "  to send: none, a release on the host has the same content\n".into(),
    });
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

/// What does not have to be sent.
fn reused(delta: &Delta) -> String {
    match (&delta.base, delta.saved) {
        (Some(base), 1..) => format!("; {} reused from {base}", text::bytes(delta.saved)),
        _ => String::new(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::cli) const PLAN: &str = "plan acme on deploy@example.org\nfiles: 3 in 8.5 kB\n  to send: 1 in 11 B; 8.5 kB reused from r1\n  + new.txt\n\ndeploy r1 -> NEW\n\n\
        switch (the host runs it by itself)\n  flip      current -> releases/NEW\n  \
        await     acme.service: active within 30s, http://127.0.0.1:8080/healthz healthy 3 times in a row within 10s, stable for 3s\n\n\
        warning: acme.service differs in TimeoutStopSec from the unit in the repository\n";

    #[test]
    fn a_plan_in_a_file_is_not_broken() {
        assert_eq!(printed(PLAN, Paper::plain(None)), PLAN);
    }
}
