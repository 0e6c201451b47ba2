//! `shipit history`: what was done to the app on this host, by whom, and how it ended. Decides nothing.

use std::time::Duration;

use serde_json::json as object;

use super::args::{self, Global};
use super::paper::{Ink, Paper};
use crate::engine::observe;
use crate::failure::{Exit, Failure, Next};
use crate::observed::history::Deed;
use crate::observed::ledger::CANCELED;
use crate::report::{json, sentence};
use crate::text;

const HEADS: [&str; 6] = ["when", "what", "by", "took", "result", "about"];
/// The columns that even a narrow screen has.
const FIRST: usize = 5;

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
        super::results(&format!(
            "nothing has been done to {app} on this host yet\nnext: {next}\n"
        ));
        return Ok(Exit::Done);
    }
    super::results(&table(shown, Paper::new(global)));
    Ok(Exit::Done)
}

pub(super) fn table<'a>(deeds: impl Iterator<Item = &'a Deed>, paper: Paper) -> String {
    let ink = |deed: &Deed| match deed.outcome.as_str() {
        _ if deed.canceled => None,
        "failed" | "reverted" | "degraded" | "unhealthy" => Some(Ink::Bad),
        _ => None,
    };
    let rows: Vec<_> = deeds.map(|deed| (ink(deed), row(deed).to_vec())).collect();
    paper.table(&HEADS, FIRST, &rows)
}

fn seconds(deed: &Deed) -> Option<Duration> {
    deed.centiseconds.map(|took| Duration::from_millis(took * 10))
}

fn row(deed: &Deed) -> [String; 6] {
    let object = [&deed.release, &deed.unit].into_iter().flatten().cloned();
    let objects: Vec<String> = object.chain([deed.names.join(", ")]).collect();
    let what = format!("{} {}", deed.what, objects.concat());
    let open = if deed.outcome == "open" {
        "in progress, or its end was not recorded"
    } else {
        ""
    };
    let downtime = deed.downtime.as_ref().map(sentence::downtime_in_short);
    let outcome = if deed.canceled { CANCELED } else { &deed.outcome };
    // Why it was canceled, its word says.
    let cause = if deed.canceled { "" } else { &deed.cause };
    let about = [open.to_owned(), downtime.unwrap_or_default(), cause.to_owned()];
    let about: Vec<String> = about.into_iter().filter(|text| !text.is_empty()).collect();
    let took = match (deed.centiseconds, &deed.run) {
        // An action is recorded to the second.
        (Some(took), None) => format!("{}s", took / 100),
        _ => seconds(deed).map(text::seconds).unwrap_or_default(),
    };
    let cells = [
        deed.at.clone(),
        what,
        deed.by.clone(),
        took,
        outcome.to_owned(),
        about.join(": "),
    ];
    cells.map(|cell| text::shown(cell.trim_end().as_bytes()))
}

fn of(deed: &Deed) -> serde_json::Value {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    object!({"v": 1, "at": deed.at, "what": deed.what, "by": text(&deed.by), "run": deed.run, "release": deed.release,
        "unit": deed.unit, "names": deed.names, "seconds": seconds(deed).map(|took| took.as_secs_f64()),
        "outcome": deed.outcome, "canceled": deed.canceled, "downtime": deed.downtime.as_ref().map(json::downtime), "cause": text(&deed.cause)})
}
