//! `shipit releases`: what is on the host and what became of it, from the ledger.

use serde_json::json;

use super::args::Global;
use crate::failure::{Exit, Failure, Next};
use crate::text;

pub(super) fn run(global: &Global) -> Result<Exit, Failure> {
    let config = super::configuration(global)?;
    let (_, observed) = super::observe(global, &config)?;
    let order = observed.ledger.order();
    let mut ids: Vec<&String> = observed.releases.iter().collect();
    ids.sort_by_key(|id| std::cmp::Reverse(order.iter().position(|o| o == id)));
    let mut out = String::new();
    for id in ids {
        let live = observed.live() == Some(id.as_str());
        let state = observed
            .ledger
            .state(id)
            .map_or("unknown", crate::observed::ledger::State::word);
        let info = observed.meta.get(id).map(|m| &m.info);
        let fact = |key: &str| info.and_then(|i| i.get(key)).map(String::as_str).unwrap_or("");
        let when = observed.ledger.verified_at(id).unwrap_or("");
        if global.json {
            let line = json!({"v": 1, "release": id, "state": state, "live": live, "verified_at": when, "by": fact("by"),
                "revision": fact("revision"), "branch": fact("branch"), "dirty": fact("dirty") == "yes"});
            out.push_str(&super::object(&line));
            continue;
        }
        let mark = if live { "live ->" } else { "" };
        let revision: String = fact("revision").chars().take(10).collect();
        let dirty = if fact("dirty") == "yes" { "+" } else { "" };
        let line = format!(
            "{mark:<8}{id:<20} {state:<12} {when:<21} {:<24} {revision}{dirty} {}",
            fact("by"),
            fact("branch")
        );
        out.push_str(text::shown(line.trim_end().as_bytes()).as_str());
        out.push('\n');
    }
    if observed.releases.is_empty() && !global.json {
        let next = super::typed(global).line(&Next::shipit("deploy"));
        let app = config.app.as_str();
        out = format!("{app} has no release on the host yet\nnext: {next}\n");
    }
    super::results(&out);
    Ok(Exit::Done)
}
