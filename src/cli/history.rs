//! `shipit history`: what was done to the app on this host, by whom, and how it ended. Decides nothing.

use std::time::Duration;

use serde_json::json as object;

use super::args::{self, Global};
use crate::engine::observe;
use crate::failure::{Exit, Failure, Next};
use crate::observed::history::Deed;
use crate::report::{json, sentence};
use crate::text;

pub(super) fn run(global: &Global, args: &args::History) -> Result<Exit, Failure> {
    let config = super::configuration(global)?;
    let mut host = super::connect(global, &config)?;
    let (observed, history) = observe::observe_with_history(host.as_mut(), &config, args.lines)?;
    let deeds = history.deeds(&observed);
    let shown = deeds.iter().take(args.lines as usize);
    if global.json {
        let lines: String = shown.map(|deed| super::object(&of(deed))).collect();
        super::results(&lines);
        return Ok(Exit::Done);
    }
    if deeds.is_empty() {
        let next = super::typed(global).line(&Next::shipit("deploy"));
        let app = config.app.as_str();
        super::results(&format!("nothing was done to {app} on this host yet\nnext: {next}\n"));
        return Ok(Exit::Done);
    }
    let rows: Vec<[String; 5]> = shown.map(row).collect();
    let head = ["WHEN", "WHAT", "BY", "TOOK", "RESULT"].map(str::to_owned);
    let rows: Vec<&[String; 5]> = [&head].into_iter().chain(&rows).collect();
    let mut out = String::new();
    for cells in &rows {
        let mut line = String::new();
        for (at, cell) in cells.iter().enumerate() {
            let width = rows.iter().map(|cells| cells[at].chars().count()).max().unwrap_or(0);
            line.push_str(&format!("{cell:<width$}  "));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    super::results(&out);
    Ok(Exit::Done)
}

fn seconds(deed: &Deed) -> Option<Duration> {
    deed.centiseconds.map(|took| Duration::from_millis(took * 10))
}

fn row(deed: &Deed) -> [String; 5] {
    let object = [&deed.release, &deed.unit].into_iter().flatten().cloned();
    let objects: Vec<String> = object.chain([deed.names.join(", ")]).collect();
    let what = format!("{} {}", deed.what, objects.concat());
    let outcome = match deed.outcome.as_str() {
        "open" => "not ended, or its end is not recorded",
        other => other,
    };
    let downtime = deed.downtime.as_ref().map(sentence::downtime_in_short);
    let more = [downtime.unwrap_or_default(), deed.cause.clone()];
    let more: Vec<&str> = more
        .iter()
        .map(String::as_str)
        .filter(|text| !text.is_empty())
        .collect();
    let result = [&[outcome][..], &more].concat().join(": ");
    [
        deed.at.clone(),
        what,
        deed.by.clone(),
        match (deed.centiseconds, &deed.run) {
            // An action is recorded to the second.
            (Some(took), None) => format!("{}s", took / 100),
            _ => seconds(deed).map(text::seconds).unwrap_or_default(),
        },
        result,
    ]
    .map(|cell| text::shown(cell.trim_end().as_bytes()))
}

fn of(deed: &Deed) -> serde_json::Value {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    object!({"v": 1, "at": deed.at, "what": deed.what, "by": text(&deed.by), "run": deed.run, "release": deed.release,
        "unit": deed.unit, "names": deed.names, "seconds": seconds(deed).map(|took| took.as_secs_f64()),
        "outcome": deed.outcome, "downtime": deed.downtime.as_ref().map(json::downtime), "cause": text(&deed.cause)})
}
