//! The host's record of releases and what became of them, read back. Order, "previous" and what may be
//! pruned come from here: never from names, mtimes or a clock.

use crate::step::Command;

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
    /// The release it happened to.
    pub release: String,
    /// The rest of the line.
    pub rest: String,
}

/// What became of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// On the host, never live.
    Staged,
    /// Its migration ran or runs; it was not live yet.
    Migrating,
    /// Its migration was interrupted: a person must say how it ended.
    Interrupted,
    Live,
    /// It was live and passed its whole verdict.
    Verified,
    /// It was live and failed its verdict.
    Failed,
    /// It was rolled back from.
    Bad,
    Gone,
}

impl State {
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Staged => "staged",
            Self::Migrating => "migrating",
            Self::Interrupted => "interrupted",
            Self::Live => "live",
            Self::Verified => "verified",
            Self::Failed => "failed",
            Self::Bad => "bad",
            Self::Gone => "gone",
        }
    }
}

/// The whole record, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    pub entries: Vec<Entry>,
    /// The number of the last switch, as the host counted it over the whole ledger; only its end is read here.
    pub counted: Option<u64>,
}

impl Ledger {
    pub fn push(&mut self, line: &str) {
        let mut words = line.splitn(6, ' ');
        let (Some(at), Some(epoch), Some(run), Some(event), Some(release)) =
            (words.next(), words.next(), words.next(), words.next(), words.next())
        else {
            return;
        };
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
    #[must_use]
    pub fn epoch(&self) -> u64 {
        let last = self.entries.iter().rev().find(|e| e.event == "begin");
        self.counted.unwrap_or(last.map_or(0, |e| e.epoch))
    }

    /// What became of a release; `None` for one the ledger has never heard of.
    #[must_use]
    pub fn state(&self, release: &str) -> Option<State> {
        let mut state = None;
        for entry in self.entries.iter().filter(|e| e.release == release) {
            state = match entry.event.as_str() {
                "staged" => Some(State::Staged),
                "adopted" | "verified" => Some(State::Verified),
                "migrating" | "migrated" => Some(State::Migrating),
                "interrupted" => Some(State::Interrupted),
                // A verified release that is made live again by a revert stays verified.
                "live" if state != Some(State::Verified) => Some(State::Live),
                "failed" => Some(State::Failed),
                "bad" => Some(State::Bad),
                "gone" => Some(State::Gone),
                _ => state,
            };
        }
        state
    }

    /// Releases in the order in which they first came, oldest first.
    #[must_use]
    pub fn order(&self) -> Vec<&str> {
        let mut seen: Vec<&str> = Vec::new();
        for entry in &self.entries {
            // The beginning of a long ledger is not read: what is heard of a release first counts.
            if entry.event != "gone" && !seen.contains(&entry.release.as_str()) {
                seen.push(&entry.release);
            }
        }
        seen
    }

    /// When a release was last confirmed, as the host's clock said.
    #[must_use]
    pub fn verified_at(&self, release: &str) -> Option<&str> {
        self.entries
            .iter()
            .rev()
            .find(|e| e.release == release && matches!(e.event.as_str(), "verified" | "adopted"))
            .map(|e| e.at.as_str())
    }

    /// The release whose migration was interrupted and has not been settled by a later switch.
    #[must_use]
    pub fn interrupted(&self) -> Option<&str> {
        let last = self
            .entries
            .iter()
            .rev()
            .find(|e| matches!(e.event.as_str(), "interrupted" | "migrated" | "verified" | "settled"))?;
        (last.event == "interrupted").then_some(last.release.as_str())
    }
}

/// One switch, as the ledger tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    pub run: String,
    /// When it began, by the host's clock.
    pub at: String,
    pub command: Command,
    /// The release it was about.
    pub release: String,
    pub outcome: PastOutcome,
}

/// How a switch of the past ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PastOutcome {
    Done,
    /// It failed before anything live changed.
    Failed,
    Reverted,
    Degraded,
    /// The ledger does not say; it may be under way.
    Open,
}

impl PastOutcome {
    /// The word of the JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Reverted => "reverted",
            Self::Degraded => "degraded",
            Self::Open => "open",
        }
    }
}

impl Ledger {
    pub fn pasts(&self) -> impl Iterator<Item = Past> + '_ {
        let begins = self.entries.iter().rev().filter(|e| e.event == "begin");
        begins.map(|begin| {
            let command = Command::of(begin.rest.strip_prefix("command=").unwrap_or_default());
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
                at: begin.at.clone(),
                command,
                release: begin.release.clone(),
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
    }
}
