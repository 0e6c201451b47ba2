//! The host's record of releases and what became of them, read back. Order, "previous" and what may be
//! pruned come from here: never from names, mtimes or a clock.

use std::collections::HashMap;

use crate::step::{Command, Downtime};
use crate::text::words;

/// One line of the ledger: `UTC EPOCH RUN EVENT RELEASE [key=value…]`; a line that is not is skipped (the
/// last one may be torn by a power cut).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When, by the host's clock: only for people.
    pub at: String,
    /// The number of the switch it belongs to; 0 outside of one.
    pub epoch: u64,
    /// The run, or `-`.
    pub run: String,
    pub event: String,
    pub release: String,
    pub rest: String,
}

words! {
    /// What became of a release.
    pub enum State {
        /// On the host, never live.
        Staged = "staged",
        /// Its migration ran or runs; it was not live yet.
        Migrating = "migrating",
        /// Its migration was interrupted: a person must say how it ended.
        Interrupted = "interrupted",
        Live = "live",
        /// It was live and passed its whole verdict.
        Verified = "verified",
        /// It was live and failed its verdict.
        Failed = "failed",
        /// It was verified, and a user rolled back from it.
        Left = "left",
        Gone = "gone",
    }
}

/// What is needed of the record, oldest first: `read_ledger` of `lib/ledger.sh` chooses it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    pub entries: Vec<Entry>,
    /// The number of the last switch, as the host counted it over the whole ledger.
    pub counted: Option<u64>,
    states: HashMap<String, State>,
    /// Releases in the order in which they first came.
    ranks: HashMap<String, usize>,
}

impl Ledger {
    pub fn push(&mut self, line: &str) {
        let mut words = line.splitn(6, ' ');
        let (Some(at), Some(epoch), Some(run), Some(event), Some(release)) =
            (words.next(), words.next(), words.next(), words.next(), words.next())
        else {
            return;
        };
        let before = self.states.get(release).copied();
        let state = match event {
            "adopted" => Some(State::Verified),
            // As earlier conductors wrote it.
            "bad" => Some(State::Left),
            "migrated" => Some(State::Migrating),
            // A verified release that is made live again by a revert stays verified.
            "live" if before == Some(State::Verified) => before,
            event => State::of(event),
        };
        if let Some(state) = state {
            self.states.insert(release.into(), state);
        }
        if !matches!(event, "begin" | "gone") && !self.ranks.contains_key(release) {
            self.ranks.insert(release.into(), self.ranks.len());
        }
        self.entries.push(Entry {
            at: at.into(),
            epoch: epoch.parse().unwrap_or(0),
            run: run.into(),
            event: event.into(),
            release: release.into(),
            rest: words.next().unwrap_or("").into(),
        });
    }

    /// The number of the last switch that began; 0 when none did.
    pub fn epoch(&self) -> u64 {
        let last = self.entries.iter().rev().find(|e| e.event == "begin");
        self.counted.unwrap_or(last.map_or(0, |e| e.epoch))
    }

    /// What became of a release; `None` for one the ledger has never heard of.
    pub fn state(&self, release: &str) -> Option<State> {
        self.states.get(release).copied()
    }

    /// The place of a release in the order in which they first came; `None` for one the ledger has never heard of.
    pub fn rank(&self, release: &str) -> Option<usize> {
        self.ranks.get(release).copied()
    }

    /// Leaves out releases that are not published yet.
    pub(super) fn leave_out(&self, releases: &mut Vec<String>, unpublished: &[String]) {
        releases.retain(|id| self.states.contains_key(id) || !unpublished.contains(id));
    }

    /// Releases in the order in which they first came, oldest first.
    pub fn order(&self) -> Vec<&str> {
        let mut all: Vec<_> = self.ranks.iter().collect();
        all.sort_by_key(|(_, rank)| **rank);
        all.into_iter().map(|(id, _)| id.as_str()).collect()
    }

    /// Whether it did not fail by itself: a user canceled the switch to it.
    pub fn is_canceled(&self, release: &str) -> bool {
        let last = self
            .entries
            .iter()
            .rfind(|e| e.release == release && e.event == "failed");
        self.state(release) == Some(State::Failed) && last.is_some_and(|last| last.rest == CANCELED)
    }

    /// When a release was last confirmed, as the host's clock said.
    pub fn verified_at(&self, release: &str) -> Option<&str> {
        self.entries
            .iter()
            .rev()
            .find(|e| e.release == release && matches!(e.event.as_str(), "verified" | "adopted"))
            .map(|e| e.at.as_str())
    }

    /// What was measured when the host last switched to a release.
    pub fn downtime(&self, release: &str) -> Option<Downtime> {
        let of_release = |e: &&Entry| e.release == release && e.event == "measured";
        let last = self.entries.iter().rev().find(of_release)?;
        Downtime::parse(&last.rest)
    }

    /// The release whose migration was interrupted and has not been settled by a later deploy. One that began and has no
    /// end on record was interrupted too. A rollback settles nothing.
    pub fn interrupted(&self) -> Option<&str> {
        let (mut open, mut back): (Option<&Entry>, _) = (None, false);
        for entry in &self.entries {
            match entry.event.as_str() {
                "begin" => back = entry.rest == "command=rollback",
                "verified" if back => {}
                "migrating" | "interrupted" => open = Some(entry),
                "migrated" | "verified" | "settled" => open = None,
                "failed" => open = open.filter(|was| was.event == "interrupted" || was.release != entry.release),
                _ => {}
            }
        }
        open.map(|entry| entry.release.as_str())
    }
}

/// The release that has its name while `prepare` runs, where a fact is about its upload, which has that name too. It is
/// no release until the ledger knows it.
pub(super) fn unpublished(word: &str, rest: &str) -> Option<String> {
    let of_a_release = ["release", "digest", "info"].contains(&word);
    let id = rest.strip_prefix(".in-").filter(|_| of_a_release)?;
    id.split(' ').next().map(Into::into)
}

/// One switch, as the ledger tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    pub run: String,
    pub epoch: u64,
    /// When it began, by the host's clock.
    pub at: String,
    pub command: Command,
    pub release: String,
    pub outcome: PastOutcome,
    /// A user asked for its end.
    canceled: bool,
}

impl Past {
    /// Whether a user ended it, and the host could do what that user wanted.
    pub fn is_canceled(&self) -> bool {
        self.canceled && matches!(self.outcome, PastOutcome::Failed | PastOutcome::Reverted)
    }
}

/// What ended a switch that a user canceled, behind the ledger's word for its end.
pub const CANCELED: &str = "canceled";

words! {
    /// How a switch of the past ended, by its word in the JSON.
    pub enum PastOutcome {
        Done = "done",
        /// It failed before anything live changed.
        Failed = "failed",
        Reverted = "reverted",
        Degraded = "degraded",
        /// The ledger does not say; it may be under way.
        Open = "open",
    }
}

impl Ledger {
    pub fn pasts(&self) -> impl Iterator<Item = Past> + '_ {
        let begins = self.entries.iter().rev().filter(|e| e.event == "begin");
        begins.map(|begin| {
            let command = Command::of(begin.rest.strip_prefix("command=").unwrap_or_default()).unwrap_or_default();
            let last = self.entries.iter().rev().find_map(|e| {
                if e.run != begin.run {
                    return None;
                }
                match e.event.as_str() {
                    "verified" => Some(PastOutcome::Done),
                    "unswitched" => Some(PastOutcome::Failed),
                    "reverted" => Some(PastOutcome::Reverted),
                    "degraded" => Some(PastOutcome::Degraded),
                    _ => None,
                }
            });
            let unsaid = match command {
                Command::Prune => PastOutcome::Done,
                Command::Deploy | Command::Rollback => PastOutcome::Open,
            };
            Past {
                run: begin.run.clone(),
                epoch: begin.epoch,
                at: begin.at.clone(),
                command,
                release: begin.release.clone(),
                canceled: self
                    .entries
                    .iter()
                    .any(|e| e.run == begin.run && e.event != "begin" && e.rest == CANCELED),
                outcome: last.unwrap_or(unsaid),
            }
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn ledger(lines: &[&str]) -> Ledger {
        let mut ledger = Ledger::default();
        for line in lines {
            ledger.push(&format!("2026-01-01T00:00:00Z 1 run {line}"));
        }
        ledger
    }

    #[test]
    fn a_release_is_what_last_became_of_it() {
        let l = ledger(&[
            "staged a",
            "begin a",
            "live a",
            "verified a",
            "staged b",
            "live b",
            "failed b",
            "live a",
            "reverted b",
        ]);
        assert_eq!(l.state("a"), Some(State::Verified));
        assert_eq!(l.state("b"), Some(State::Failed));
        assert_eq!(l.state("c"), None);
        assert_eq!(l.order(), ["a", "b"]);
    }

    #[test]
    fn the_past_is_told_run_by_run_the_newest_first() {
        let mut l = Ledger::default();
        for line in [
            "1 r1 begin a command=deploy",
            "1 r1 verified a",
            "2 r2 begin b command=deploy",
            "2 r2 live b",
            "2 r2 failed b",
            "2 r2 live a",
            "2 r2 reverted b",
            "3 r3 begin a command=prune",
            "4 r4 begin c command=deploy",
            "4 r4 unswitched c",
            "5 r5 begin d command=rollback",
        ] {
            l.push(&format!("2026-01-01T00:00:00Z {line}"));
        }
        let printed: Vec<String> = l
            .pasts()
            .map(|p| format!("{} {} {} {}", p.run, p.command.word(), p.release, p.outcome.word()))
            .collect();
        assert_eq!(
            printed,
            [
                "r5 rollback d open",
                "r4 deploy c failed",
                "r3 prune a done",
                "r2 deploy b reverted",
                "r1 deploy a done"
            ]
        );
    }

    #[test]
    fn a_release_that_prepare_runs_in_is_left_out_until_the_ledger_knows_it() {
        for beside in ["release .in-b", "digest .in-b abc", "info .in-b by=me"] {
            let seen = format!("release a\nrelease b\n{beside}\n");
            let observed = crate::observed::Observed::parse(seen.as_bytes());
            assert_eq!(observed.releases, ["a"], "{beside}");
            // Published, and its session died before it removed the symlink.
            let seen = format!("{seen}ledger 2026-01-01T00:00:00Z - - staged b\n");
            assert_eq!(crate::observed::Observed::parse(seen.as_bytes()).releases, ["a", "b"]);
        }
    }

    #[test]
    fn a_torn_last_line_is_passed_over() {
        let mut l = ledger(&["staged a"]);
        l.push("2026-01-01T00:00:0");
        assert_eq!(l.entries.len(), 1);
    }

    #[test]
    fn an_interrupted_migration_stays_open_until_a_later_switch_settles_it() {
        let mut l = ledger(&["staged a", "migrating a", "interrupted a"]);
        assert_eq!(l.interrupted(), Some("a"));
        l.push("2026-01-01T00:00:00Z 2 run verified b");
        assert_eq!(l.interrupted(), None);
        // Going back answers nothing; a deploy does.
        let mut back = ledger(&["staged a", "migrating a", "interrupted a"]);
        back.push("2026-01-01T00:00:00Z 2 r2 begin b command=rollback");
        back.push("2026-01-01T00:00:00Z 2 r2 verified b");
        assert_eq!(back.interrupted(), Some("a"));
        back.push("2026-01-01T00:00:00Z 3 r3 begin c command=deploy");
        back.push("2026-01-01T00:00:00Z 3 r3 verified c");
        assert_eq!(back.interrupted(), None);
        // The host could not record how it ended.
        let begun = ledger(&["staged a", "migrating a", "unswitched a"]);
        assert_eq!(begun.interrupted(), Some("a"));
        let failed = ledger(&["staged a", "migrating a", "failed a", "unswitched a"]);
        assert_eq!(failed.interrupted(), None);
    }
}
