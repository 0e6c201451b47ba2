//! `shipit history`: what was done to the app on this host, by whom, and how it ended. Decides nothing.

use std::time::Duration;

use serde_json::json as object;

use super::args::{self, Global};
use super::paper::{Ink, Paper};
use crate::engine::observe;
use crate::failure::{Exit, Failure, Next};
use crate::observed::Observed;
use crate::observed::history::Deed;
use crate::observed::ledger::CANCELED;
use crate::report::{json, sentence};
use crate::step::Commit;
use crate::text;

const HEADS: [&str; 7] = ["when", "what", "by", "took", "result", "commit", "about"];
/// The columns that even a narrow screen has.
const FIRST: usize = 5;
/// A commit that is cut further says too little: its hash, and a word or two of its subject.
const LEAST: usize = 20;

pub(super) fn run(global: &Global, args: &args::History) -> Result<Exit, Failure> {
    let config = super::configuration(global)?;
    let mut host = super::connect(global, &config)?;
    let (observed, history) = observe::observe_with_history(host.as_mut(), &config, args.lines)?;
    let deeds = history.deeds(&observed);
    let shown = deeds.iter().take(args.lines as usize);
    if global.json {
        let lines: String = shown.map(|deed| super::object(&of(&observed, deed))).collect();
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
    super::results(&table(&observed, shown, Paper::new(global)));
    Ok(Exit::Done)
}

pub(super) fn table<'a>(observed: &Observed, deeds: impl Iterator<Item = &'a Deed>, paper: Paper) -> String {
    let ink = |deed: &Deed| match deed.outcome.as_str() {
        _ if deed.canceled => None,
        "failed" | "reverted" | "degraded" | "unhealthy" => Some(Ink::Bad),
        _ => None,
    };
    let on_terminal = paper.columns().is_some();
    let row = |deed: &Deed| {
        let ago = on_terminal.then(|| observed.since(&deed.at)).flatten();
        let when = ago.map_or_else(|| deed.at.clone(), |ago| format!("{ago} ago"));
        (ink(deed), row(when, deed, commit(observed, deed).as_ref()).to_vec())
    };
    let mut rows: Vec<_> = deeds.map(row).collect();
    let first = paper.columns().map_or(FIRST, |columns| cut(&mut rows, columns));
    paper.table(&HEADS, first, &rows)
}

/// Cuts the commits so that they fit on the lines of their rows, if that leaves enough of them: beside all columns, or
/// beside the first ones. Gives the number of columns that a narrow screen has.
fn cut(rows: &mut [(Option<Ink>, Vec<String>)], columns: usize) -> usize {
    let widest = |at: usize| {
        let cells = rows.iter().map(|(_, row)| text::columns(&row[at]));
        let widest = cells.max().unwrap_or(0);
        // A column without a cell is not shown.
        if widest == 0 {
            0
        } else {
            widest.max(HEADS[at].len()) + 2
        }
    };
    let first: usize = (0..FIRST).map(widest).sum();
    let room = |others: usize| columns.checked_sub(others).filter(|room| *room >= LEAST);
    let (room, first) = match (room(first + widest(FIRST + 1)), room(first)) {
        (Some(room), _) => (room, FIRST),
        (None, Some(room)) => (room, FIRST + 1),
        (None, None) => return FIRST,
    };
    for (_, row) in rows {
        row[FIRST] = text::cut(&row[FIRST], room);
    }
    first
}

/// The commit of what a deploy or a rollback switched to.
fn commit(observed: &Observed, deed: &Deed) -> Option<Commit> {
    let release = deed.release.as_deref().filter(|_| deed.what != "prune")?;
    observed.commit(release)
}

fn seconds(deed: &Deed) -> Option<Duration> {
    deed.centiseconds.map(|took| Duration::from_millis(took * 10))
}

fn row(when: String, deed: &Deed, commit: Option<&Commit>) -> [String; 7] {
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
        when,
        what,
        deed.by.clone(),
        took,
        outcome.to_owned(),
        commit.map(sentence::commit_in_short).unwrap_or_default(),
        about.join(": "),
    ];
    cells.map(|cell| text::shown(cell.trim_end().as_bytes()))
}

fn of(observed: &Observed, deed: &Deed) -> serde_json::Value {
    let commit = commit(observed, deed);
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    object!({"v": 1, "at": deed.at, "what": deed.what, "by": text(&deed.by), "run": deed.run, "release": deed.release, "revision": commit.as_ref().map(|commit| &commit.revision), "subject": commit.as_ref().map(|commit| &commit.subject),
        "unit": deed.unit, "names": deed.names, "seconds": seconds(deed).map(|took| took.as_secs_f64()),
        "outcome": deed.outcome, "canceled": deed.canceled, "downtime": deed.downtime.as_ref().map(json::downtime), "cause": text(&deed.cause)})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::history::History;

    #[test]
    fn a_deploy_has_its_commit_cut_to_the_terminal_and_its_age_there() {
        let observed = Observed::parse(
            b"time 1793700000\nrelease a\ninfo a revision=1a2b3c4d5e6f\n\
              info a subject=Find\\0040the\\0040customer\\0040by\\0040name\\0040and\\0040by\\0040email\\0033\n\
              ledger 2026-11-03T09:00:00Z 1 r begin a command=deploy\nledger 2026-11-03T09:00:01Z 1 r verified a\n\
              ledger 2026-11-03T09:10:00Z 2 s begin a command=prune\n",
        );
        let deeds = History::parse(b"by r ann@laptop\ntook r 140\nwhole\n").deeds(&observed);
        let table = |columns| table(&observed, deeds.iter(), Paper::plain(columns));
        expect_test::expect![[r#"
            when                  what      by          took   result  commit
            2026-11-03T09:10:00Z  prune a                      done
            2026-11-03T09:00:00Z  deploy a  ann@laptop  1.40s  done    1a2b3c4 Find the customer by name and by email\x1b
        "#]]
        .assert_eq(&table(None));
        expect_test::expect![[r#"
            when        what      by          took   result  commit
            50 min ago  prune a                      done
            60 min ago  deploy a  ann@laptop  1.40s  done    1a2b3c4 Find the custom…
        "#]]
        .assert_eq(&table(Some(73)));
        expect_test::expect![[r#"
            when        what      by          took   result
            50 min ago  prune a                      done
            60 min ago  deploy a  ann@laptop  1.40s  done
                1a2b3c4 Find the customer by name and by email\x1b
        "#]]
        .assert_eq(&table(Some(60)));
        let json = |deed: &Deed| of(&observed, deed);
        assert_eq!(json(&deeds[1])["revision"], "1a2b3c4d5e6f");
        assert!(json(&deeds[0])["revision"].is_null() && json(&deeds[0])["subject"].is_null());
    }
}
