//! `shipit status`: what is live, how the units are, whether a switch is under way. Changes nothing.

use serde_json::json;

use super::args::Global;
use crate::config::Config;
use crate::failure::{Exit, Failure};
use crate::plan::needs;
use crate::plan::observed::{Current, Observed};
use crate::words;

pub(super) fn run(global: &Global) -> Result<Exit, Failure> {
    let config = super::configuration(global)?;
    let (_, seen) = super::look(global, &config)?;
    super::results(&if global.json {
        object(&config, &seen)
    } else {
        text(&config, &seen)
    });
    Ok(if seen.degraded.is_some() && seen.request.is_none() {
        Exit::Degraded
    } else {
        Exit::Done
    })
}

fn object(config: &Config, seen: &Observed) -> String {
    let units: Vec<_> = needs::units(config)
        .into_iter()
        .map(|unit| {
            json!({"unit": unit, "active": seen.property(unit, "ActiveState"), "sub": seen.property(unit, "SubState"),
                "since": seen.property(unit, "ActiveEnterTimestamp"), "restarts": seen.property(unit, "NRestarts")})
        })
        .collect();
    let request = seen.request.as_ref().map(|r| json!({"run": r.run, "by": r.by, "command": r.command, "release": r.next, "since": r.since, "step": r.step}));
    let state = seen
        .live()
        .and_then(|id| seen.ledger.state(id))
        .map(crate::plan::ledger::State::word);
    let line = json!({"v": 1, "app": config.app.as_str(), "live": seen.live(), "state": state, "switch": request,
        "degraded": seen.degraded, "units": units});
    format!("{line}\n")
}

fn text(config: &Config, seen: &Observed) -> String {
    let mut lines = Vec::new();
    lines.push(match &seen.current {
        Current::Release(id) => {
            let state = seen
                .ledger
                .state(id)
                .map_or("unknown to the ledger", crate::plan::ledger::State::word);
            format!("{} runs {id} ({state})", config.app.as_str())
        }
        Current::Absent => format!("{}: no release is live", config.app.as_str()),
        Current::Odd(what) => format!("{}: current is {what}", config.app.as_str()),
    });
    for unit in needs::units(config) {
        let p = |name| seen.property(unit, name);
        let mut line = format!("  {unit}: {} ({})", p("ActiveState"), p("SubState"));
        if !p("ActiveEnterTimestamp").is_empty() && p("ActiveState") == "active" {
            line.push_str(&format!(", since {}", p("ActiveEnterTimestamp")));
        }
        if let Ok(memory) = p("MemoryCurrent").parse::<u64>()
            && memory < u64::MAX / 2
        {
            line.push_str(&format!(", {}", words::bytes(memory)));
        }
        if !matches!(p("NRestarts"), "" | "0") {
            line.push_str(&format!(", restarted {} times", p("NRestarts")));
        }
        lines.push(line);
    }
    let guard = format!("shipit-{}.path", config.app.as_str());
    lines.push(format!(
        "  {guard}: {}",
        seen.property(&guard, "ActiveState")
    ));
    if let Some(request) = &seen.request {
        lines.push(format!(
            "switch under way: {} to {} by {}, since {}",
            request.command, request.next, request.by, request.since
        ));
        lines.push(format!("  at {}", request.step));
        lines.push("next: shipit attach".into());
    } else if let Some(run) = &seen.degraded {
        lines.push(format!(
            "degraded since run {run}: going back failed, a person is needed"
        ));
        lines.push("next: shipit logs, then shipit rollback RELEASE or shipit deploy".into());
    }
    lines
        .iter()
        .map(|l| words::shown(l.as_bytes()) + "\n")
        .collect()
}
