//! What was done to an app on a host: switches, from the ledger and the runs, and other actions, from their own record.
//! Parsed from what `history.sh` prints; pure.

use std::collections::BTreeMap;

use super::Observed;
use super::lines::{self, lines};
use crate::step::{Downtime, RunEnd, RunEvent};

/// What `history.sh` printed.
#[derive(Debug, Default)]
pub struct History {
    by: BTreeMap<String, String>,
    /// How long a switch took, in hundredths of a second.
    took: BTreeMap<String, u64>,
    ended: BTreeMap<String, RunEnd>,
    /// Their lines, in order.
    actions: Vec<String>,
}

/// One thing that was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deed {
    /// When it began, by the host's clock, to the second.
    pub at: String,
    /// Of a switch, its number; of an action, that of the last switch that began before it, or 0 if that is not recorded.
    pub epoch: u64,
    /// `deploy`, `rollback`, `prune`, `restart`, `start`, `stop`, `reload`, `drain`, `env set`, `env unset`, `env push`.
    pub what: String,
    /// Who, as their machine reported it; empty if that is not known.
    pub by: String,
    /// Of a switch.
    pub run: Option<String>,
    pub release: Option<String>,
    pub unit: Option<String>,
    /// Of changed variables.
    pub names: Vec<String>,
    pub centiseconds: Option<u64>,
    /// `done`, `failed`, `reverted`, `degraded`, `unhealthy`; `open` while it goes on, or if its end is not recorded.
    pub outcome: String,
    /// A user ended the switch.
    pub canceled: bool,
    pub downtime: Option<Downtime>,
    /// Why it did not end well.
    pub cause: String,
}

impl History {
    #[must_use]
    pub fn parse(out: &[u8]) -> Self {
        let mut history = Self::default();
        for (word, rest) in lines(out) {
            let (run, value) = lines::split(&rest);
            match word.as_str() {
                "by" => _ = history.by.insert(run.into(), lines::decoded(value)),
                "took" => _ = value.parse().map(|took| history.took.insert(run.into(), took)),
                "event" => {
                    if let Some(RunEvent::Ended(Some(end))) = RunEvent::parse(value) {
                        history.ended.insert(run.into(), end);
                    }
                }
                "action" => history.actions.push(rest),
                _ => {}
            }
        }
        history
    }

    /// Everything, the newest first.
    pub fn deeds(&self, observed: &Observed) -> Vec<Deed> {
        let switches = observed.ledger.pasts().map(|past| {
            let end = self.ended.get(&past.run);
            let canceled = past.is_canceled();
            Deed {
                at: past.at,
                epoch: past.epoch,
                what: past.command.word().into(),
                by: self.by.get(&past.run).cloned().unwrap_or_default(),
                release: Some(past.release),
                centiseconds: self.took.get(&past.run).copied(),
                outcome: past.outcome.word().into(),
                canceled,
                downtime: end.and_then(|end| end.downtime.clone()),
                cause: end.map(|end| end.cause.clone()).unwrap_or_default(),
                run: Some(past.run),
                ..Deed::default()
            }
        });
        let mut deeds: Vec<Deed> = switches.chain(self.actions()).collect();
        // Times of the same form sort as texts. Of what began in the same second, an action came after the switch whose
        // number it has; all else stays in its order.
        let place = |deed: &Deed| (deed.at.clone(), deed.epoch, deed.run.is_none());
        deeds.sort_by_key(|deed| std::cmp::Reverse(place(deed)));
        deeds
    }

    fn actions(&self) -> Vec<Deed> {
        let mut deeds: Vec<(String, Deed)> = Vec::new();
        for line in &self.actions {
            let words: Vec<&str> = line.split_whitespace().collect();
            // Without its last word it is torn.
            let Some((&".", words)) = words.split_last() else {
                continue;
            };
            // Not recorded by earlier versions.
            let (epoch, words) = match words.split_last() {
                Some((last, rest)) => match last.strip_prefix("after=") {
                    Some(epoch) => (epoch.parse().unwrap_or(0), rest),
                    None => (0, words),
                },
                None => continue,
            };
            match *words {
                [at, "begin", token, by, verb, unit] => {
                    let deed = Deed {
                        at: at.into(),
                        epoch,
                        what: verb.into(),
                        by: lines::decoded(by),
                        unit: Some(unit.into()),
                        outcome: "open".into(),
                        ..Deed::default()
                    };
                    deeds.push((token.into(), deed));
                }
                [at, "end", token, outcome] => {
                    let Some((_, deed)) = deeds.iter_mut().rfind(|(of, _)| of == token) else {
                        continue;
                    };
                    deed.outcome = outcome.into();
                    deed.centiseconds = seconds_between(&deed.at, at).map(|seconds| seconds * 100);
                }
                [at, "did", by, "env", verb, ref names @ ..] => {
                    let deed = Deed {
                        at: at.into(),
                        epoch,
                        what: format!("env {verb}"),
                        by: lines::decoded(by),
                        names: names.iter().map(|&name| name.into()).collect(),
                        outcome: "done".into(),
                        ..Deed::default()
                    };
                    deeds.push((String::new(), deed));
                }
                // One of a later version.
                _ => {}
            }
        }
        deeds.reverse();
        deeds.into_iter().map(|(_, deed)| deed).collect()
    }
}

fn seconds_between(from: &str, to: &str) -> Option<u64> {
    let at = |text: &str| Some(chrono::DateTime::parse_from_rfc3339(text).ok()?.timestamp());
    u64::try_from(at(to)? - at(from)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_and_actions_are_told_together_and_a_torn_line_is_passed_over() {
        let mut observed = Observed::default();
        for line in [
            "2026-05-03T09:00:00Z 1 r1 begin a command=deploy",
            "2026-05-03T09:00:04Z 1 r1 verified a",
            "2026-05-03T11:00:00Z 2 r2 begin b command=deploy",
            "2026-05-03T11:00:09Z 2 r2 reverted b",
        ] {
            observed.ledger.push(line);
        }
        let history = History::parse(
            b"by r1 ann@laptop\ntook r1 410\ntook r2 900\n\
              event r2 99 ended reverted a - acme.service was not healthy\n\
              action 2026-05-03T10:00:00Z begin 5-9 bob@ci restart acme.service .\n\
              action 2026-05-03T10:00:02Z did bob@ci env set TOK\n\
              action 2026-05-03T10:00:03Z end 5-9 unhealthy .\n\
              action 2026-05-03T10:00:05Z did bob@ci env set TOKEN OTHER .\n\
              action 2026-05-03T12:00:00Z begin 6-9 bob@ci stop acme.service .\nwhole\n",
        );
        let told: Vec<String> = history
            .deeds(&observed)
            .into_iter()
            .map(|deed| {
                let object = deed.release.or(deed.unit).unwrap_or_else(|| deed.names.join(","));
                let took = deed.centiseconds.map_or("-".into(), |took| took.to_string());
                format!(
                    "{} {object} by {} {took} {} {}",
                    deed.what, deed.by, deed.outcome, deed.cause
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                "stop acme.service by bob@ci - open ",
                "deploy b by  900 reverted acme.service was not healthy",
                "env set TOKEN,OTHER by bob@ci - done ",
                "restart acme.service by bob@ci 300 unhealthy ",
                "deploy a by ann@laptop 410 done ",
            ]
        );
    }

    #[test]
    fn what_began_in_the_same_second_is_in_its_order() {
        let mut observed = Observed::default();
        for line in [
            "1 r1 begin a command=deploy",
            "1 r1 verified a",
            "2 r2 begin b command=deploy",
        ] {
            observed.ledger.push(&format!("2026-05-03T09:00:00Z {line}"));
        }
        let history = History::parse(
            b"action 2026-05-03T09:00:00Z did ann env set FIRST after=0 .\n\
              action 2026-05-03T09:00:00Z begin 5-9 ann restart acme.service after=1 .\n\
              action 2026-05-03T09:00:00Z did ann env set SECOND after=1 .\n\
              action 2026-05-03T09:00:00Z end 5-9 done after=1 .\n\
              action 2026-05-03T09:00:00Z did ann env unset SECOND after=2 .\nwhole\n",
        );
        let deeds = history.deeds(&observed);
        let told: Vec<String> = deeds
            .iter()
            .map(|deed| {
                format!(
                    "{} {}",
                    deed.what,
                    deed.release.as_deref().unwrap_or(&deed.names.join(","))
                )
            })
            .collect();
        let expected = [
            "env unset SECOND",
            "deploy b",
            "env set SECOND",
            "restart ",
            "deploy a",
            "env set FIRST",
        ];
        assert_eq!(told, expected);
        assert_eq!(deeds[3].outcome, "done");
    }
}
