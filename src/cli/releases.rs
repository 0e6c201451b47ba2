//! `shipit releases`: what is on the host and what became of it, from the ledger.

use serde_json::json as object;

use super::args::{self, Global};
use super::paper::{Ink, Paper};
use crate::failure::{Exit, Failure, Next};
use crate::observed::Observed;
use crate::observed::ledger::{CANCELED, Entry, State};
use crate::report::{json, sentence};
use crate::text::shown;

const HEADS: [&str; 6] = ["release", "state", "age", "downtime", "by", "commit"];
/// The columns that even a narrow screen has.
const FIRST: usize = 3;

pub(super) fn run(global: &Global, args: &args::Releases) -> Result<Exit, Failure> {
    let config = super::configuration(global)?;
    let (_, observed) = super::observe(global, &config)?;
    let mut ids: Vec<&String> = observed.releases.iter().collect();
    ids.sort_by_key(|id| std::cmp::Reverse(observed.ledger.rank(id)));
    ids.truncate(args.lines.map_or(usize::MAX, |lines| lines as usize));
    super::results(&if global.json {
        ids.iter().map(|id| super::object(&one(&observed, id))).collect()
    } else if ids.is_empty() {
        let next = super::typed(global).line(&Next::shipit("deploy"));
        format!("{} has no release on the host yet\nnext: {next}\n", config.app.as_str())
    } else {
        table(&observed, &ids, Paper::new(global))
    });
    Ok(Exit::Done)
}

fn fact<'a>(observed: &'a Observed, id: &str, key: &str) -> &'a str {
    let info = observed.meta.get(id).map(|meta| &meta.info);
    info.and_then(|info| info.get(key)).map_or("", String::as_str)
}

fn one(observed: &Observed, id: &str) -> serde_json::Value {
    let fact = |key| fact(observed, id, key);
    let state = observed.ledger.state(id).map_or("unknown", State::word);
    let live = observed.live() == Some(id);
    object!({"v": 1, "release": id, "state": state, "canceled": observed.ledger.is_canceled(id), "live": live, "verified_at": observed.ledger.verified_at(id).unwrap_or(""),
        "by": fact("by"), "revision": fact("revision"), "subject": fact("subject"), "branch": fact("branch"),
        "backup": observed.meta.get(id).and_then(|meta| meta.backup.as_deref()),
        "dirty": fact("dirty") == "yes", "downtime": observed.ledger.downtime(id).as_ref().map(json::downtime)})
}

pub(super) fn table(observed: &Observed, ids: &[&String], paper: Paper) -> String {
    let row = |id: &&String| {
        let state = observed.ledger.state(id);
        let live = observed.live() == Some(id.as_str());
        let canceled = observed.ledger.is_canceled(id);
        let word = match state {
            _ if canceled => CANCELED,
            Some(State::Left) => "left (rolled back)",
            state => state.map_or("unknown", State::word),
        };
        let cells = [
            (*id).clone(),
            if live { format!("live, {word}") } else { word.to_owned() },
            age(observed, id),
            observed
                .ledger
                .downtime(id)
                .as_ref()
                .map(sentence::downtime_in_short)
                .unwrap_or_default(),
            fact(observed, id, "by").to_owned(),
            observed.commit(id).as_ref().map(sentence::commit).unwrap_or_default(),
        ];
        let ink = match state {
            _ if live => Some(Ink::Bold),
            _ if canceled => None,
            Some(State::Failed | State::Interrupted) => Some(Ink::Bad),
            _ => None,
        };
        (ink, cells.iter().map(|cell| shown(cell.as_bytes())).collect())
    };
    let rows: Vec<_> = ids.iter().map(row).collect();
    paper.table(&HEADS, FIRST, &rows)
}

/// The time since the release was made. When it last went live is another question: a rollback does not make it younger.
fn age(observed: &Observed, id: &str) -> String {
    let of_release = |entry: &&Entry| entry.release == id && !matches!(entry.event.as_str(), "begin" | "gone");
    let first = observed.ledger.entries.iter().find(of_release);
    first.and_then(|first| observed.since(&first.at)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two releases: one live, one that failed.
    fn observed() -> Observed {
        Observed::parse(
            b"time 1793700000\ncurrent link releases/b\nrelease a\nrelease b\n\
              info b by=ann@laptop\ninfo b revision=1a2b3c4d5e6f\ninfo b subject=Fix\\0040the\\0040login\\0033[2J\ninfo b dirty=yes\ninfo b branch=main\n\
              ledger 2026-11-03T09:00:00Z 1 r staged a\nledger 2026-11-03T09:00:01Z 1 r begin a\nledger 2026-11-03T09:00:02Z 1 r failed a\n\
              ledger 2026-11-03T09:10:00Z 2 s staged b\nledger 2026-11-03T09:10:01Z 2 s begin b\nledger 2026-11-03T09:10:09Z 2 s verified b\n",
        )
    }

    #[test]
    fn releases_have_a_header_an_age_and_a_commit_on_wide_and_narrow_screens() {
        let observed = observed();
        let (a, b) = ("a".to_owned(), "b".to_owned());
        let table = |columns| table(&observed, &[&b, &a], Paper::plain(columns));
        expect_test::expect![[r#"
            release  state           age     by          commit
            b        live, verified  50 min  ann@laptop  1a2b3c4 Fix the login\x1b[2J (main, uncommitted changes)
            a        failed          60 min
        "#]]
        .assert_eq(&table(None));
        expect_test::expect![[r#"
            release  state           age
            b        live, verified  50 min
                ann@laptop; 1a2b3c4 Fix the
                  login\x1b[2J (main, uncommitted
                  changes)
            a        failed          60 min
        "#]]
        .assert_eq(&table(Some(40)));
    }

    #[test]
    fn a_rollback_does_not_change_the_age_of_a_release() {
        let mut observed = observed();
        for line in ["begin a command=rollback", "live a", "verified a"] {
            observed.ledger.push(&format!("2026-11-03T09:59:00Z 3 t {line}"));
        }
        assert_eq!(
            (age(&observed, "a"), age(&observed, "b")),
            ("60 min".into(), "50 min".into())
        );
        assert_eq!(age(&observed, "unknown"), "");
    }
}
