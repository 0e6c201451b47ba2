//! What `status` asks beside what every command looks at: health now, which release a process runs from, sockets,
//! timers, who deployed. Parsed from what `status.sh` prints; pure.

use std::collections::BTreeMap;

use super::lines::{self, lines};
use super::{Current, Observed};
use crate::step::Commit;
use crate::text;
use crate::unit::properties::Properties;

/// A second look at a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusReport {
    /// Seconds since the host was booted.
    pub uptime: Option<i64>,
    /// Health by unit: `Ok`, or what was wrong with the answer.
    pub health: BTreeMap<String, Result<(), String>>,
    /// The release that a unit's process was seen to run from.
    from: BTreeMap<String, String>,
    pub listens: BTreeMap<String, Vec<String>>,
    /// Properties of timers and of what they start, by timer.
    pub timers: BTreeMap<String, Properties>,
    /// Who asked for a run.
    pub by: BTreeMap<String, String>,
    /// Lives that a run found well: run, unit, invocation; oldest first.
    verdicts: Vec<(String, String, String)>,
    /// Things that could not be read.
    pub unreadable: Vec<String>,
}

impl Observed {
    /// Whether `live` is certain where it is none: `current` does not exist, so that no release is live.
    #[must_use]
    pub fn live_known(&self) -> bool {
        matches!(self.current, Current::Release(_) | Current::Absent)
    }
}

impl StatusReport {
    /// Takes in what `status.sh` printed.
    #[must_use]
    pub fn parse(out: &[u8]) -> Self {
        let mut status = Self::default();
        for (word, rest) in lines(out) {
            status.take(&word, &rest);
        }
        status
    }

    fn take(&mut self, word: &str, rest: &str) {
        let (name, value) = lines::split(rest);
        match word {
            "uptime" => self.uptime = rest.parse().ok(),
            "health" => {
                let health = match value.split_once(' ') {
                    None if value == "ok" => Ok(()),
                    Some((_, why)) => Err(why.to_owned()),
                    None => Err("no answer".to_owned()),
                };
                self.health.insert(name.into(), health);
            }
            "from" => _ = self.from.insert(name.into(), value.into()),
            "listens" => {
                // Two instances on one socket ask twice.
                let known = self.listens.entry(name.into()).or_default();
                if !known.iter().any(|address| address == value) {
                    known.push(value.into());
                }
            }
            "timer" => self.timers.entry(name.into()).or_default().take(value),
            "by" => _ = self.by.insert(name.into(), lines::decoded(value)),
            "verdict" => {
                if let Some((unit, life)) = value.split_once(' ') {
                    self.verdicts.push((name.into(), unit.into(), life.into()));
                }
            }
            "unreadable" => self.unreadable.push(rest.into()),
            _ => {}
        }
    }

    /// The release that a unit's process runs from, as far as it can be known: from /proc; or it is the invocation
    /// that a switch found healthy; or it began after the last flip. Else that is not known.
    pub fn release(&self, observed: &Observed, unit: &str) -> Option<String> {
        if let Some(id) = self.from.get(unit) {
            return Some(id.clone());
        }
        let life = observed.unit(unit).text("InvocationID");
        let flips = || observed.ledger.entries.iter().filter(|e| e.event == "live");
        let found = self.verdicts.iter().rfind(|(_, of, id)| of == unit && id == life);
        if let Some((run, ..)) = found
            && let Some(flip) = flips().rfind(|e| e.run == *run)
        {
            return Some(flip.release.clone());
        }
        let (Current::Release(id), Some(flip)) = (&observed.current, flips().next_back()) else {
            return None;
        };
        let flipped = chrono::DateTime::parse_from_rfc3339(&flip.at).ok()?;
        let began = point(observed.unit(unit).main_process_started())?;
        (flip.release == *id && began > flipped.timestamp()).then(|| id.clone())
    }

    /// When a timer fires next, in seconds since the epoch; `None` when it does not, or when it cannot be told.
    pub fn next(&self, observed: &Observed, timer: &str) -> Option<i64> {
        let of = |key: &str| self.timers.get(timer)?.get(key);
        let wall = of("NextElapseUSecRealtime").and_then(point);
        let since_boot = of("NextElapseUSecMonotonic").and_then(span).filter(|s| *s > 0);
        let since_boot = match (since_boot, observed.time, self.uptime) {
            (Some(at), Some(now), Some(uptime)) => Some(now - uptime + at),
            _ => None,
        };
        [wall, since_boot].into_iter().flatten().min()
    }

    /// When a timer was due and did not run, in seconds since the epoch; `None` if it ran, or if it cannot be told.
    pub fn missed(&self, observed: &Observed, timer: &str) -> Option<i64> {
        let of = |key: &str| self.timers.get(timer)?.get(key);
        let due = of("Due").and_then(point)?;
        let late = |key: &str| of(key).and_then(span).unwrap_or(0);
        // A minute more: the run may be about to begin.
        let latest = due + late("RandomizedDelayUSec") + late("AccuracyUSec") + 60;
        (latest < observed.time?).then_some(due)
    }

    /// Whether what a timer starts has a process now.
    pub fn is_running(&self, timer: &str) -> bool {
        let pid = self.timers.get(timer).map_or("", |timer| timer.text("MainPID"));
        !matches!(pid, "" | "0")
    }
}

impl Observed {
    /// The commit that a release was made from, where the client recorded it.
    pub fn commit(&self, release: &str) -> Option<Commit> {
        Commit::of(&self.meta.get(release)?.info)
    }

    /// How long ago that was, by the host's clock, as `2 h`.
    pub fn since(&self, at: &str) -> Option<String> {
        let at = chrono::DateTime::parse_from_rfc3339(at).ok()?;
        Some(text::lapse(self.time? - at.timestamp()))
    }

    /// The services that do not write to the journal: the key that says so, and where they write instead.
    pub fn outputs_elsewhere(&self) -> BTreeMap<String, (&'static str, String)> {
        let elsewhere = |properties: &Properties| properties.output_elsewhere().map(|(key, to)| (key, to.to_owned()));
        let units = self.units.iter();
        units
            .filter_map(|(unit, properties)| Some((unit.clone(), elsewhere(properties)?)))
            .collect()
    }
}

/// `Sat 2026-11-21 05:43:50 UTC`, as systemctl shows a point in time with TZ=UTC, in seconds since the epoch.
pub fn point(text: &str) -> Option<i64> {
    let text = text.split_once(' ')?.1.strip_suffix(" UTC")?;
    let at = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok()?;
    Some(at.and_utc().timestamp())
}

/// `1d 2h 3min 4.5s`, as systemctl shows a span (systemd.time(7)), in whole seconds.
fn span(text: &str) -> Option<i64> {
    let mut seconds = 0.0;
    for word in text.split(' ') {
        let at = word.find(|c: char| c.is_ascii_alphabetic())?;
        let number: f64 = word[..at].parse().ok()?;
        seconds += number
            * match &word[at..] {
                "us" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "min" => 60.0,
                "h" => 3600.0,
                "d" => 86_400.0,
                "w" => 604_800.0,
                // The mean month and year of systemd.time(7).
                "month" => 2_629_800.0,
                "y" => 31_557_600.0,
                _ => return None,
            };
    }
    #[allow(clippy::cast_possible_truncation, reason = "seconds of a span fit")]
    Some(seconds as i64)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const LEDGER: &str =
        "current link releases/b\nledger 2026-11-21T05:00:00Z 1 r1 live a\nledger 2026-11-21T06:00:00Z 2 r2 live b\n";

    fn release(facts: &str, status: &str) -> Option<String> {
        let observed = Observed::parse(format!("{LEDGER}{facts}").as_bytes());
        StatusReport::parse(status.as_bytes()).release(&observed, "a.service")
    }

    #[test]
    fn what_a_process_runs_from_is_said_only_when_it_is_known() {
        let began = |at: &str| {
            format!("unit a.service ExecMainStartTimestamp=Sat 2026-11-21 {at} UTC\nunit a.service InvocationID=i1\n")
        };
        assert_eq!(release("", "from a.service a\n").as_deref(), Some("a"));
        let verdict = "verdict r1 a.service i1\n";
        assert_eq!(release(&began("05:00:01"), verdict).as_deref(), Some("a"));
        assert_eq!(release(&began("05:00:01"), ""), None);
        assert_eq!(
            release(&began("06:00:00"), ""),
            None,
            "the time of the flip, in seconds"
        );
        assert_eq!(release(&began("06:00:01"), "").as_deref(), Some("b"));
        assert_eq!(release("", ""), None);
        // A reload keeps the life: the last run that saw it counts.
        let both = "verdict r1 a.service i1\nverdict r2 a.service i1\n";
        assert_eq!(release(&began("05:00:01"), both).as_deref(), Some("b"));
    }

    #[test]
    fn a_run_is_missed_when_it_is_later_than_the_timer_allows() {
        let missed = |time: u32, more: &str| {
            let observed = Observed::parse(format!("time {time}\n").as_bytes());
            let text = format!("timer t Due=Thu 1970-01-01 00:10:00 UTC\n{more}");
            StatusReport::parse(text.as_bytes()).missed(&observed, "t")
        };
        assert_eq!((missed(660, ""), missed(661, "")), (None, Some(600)));
        let late = "timer t RandomizedDelayUSec=15min\ntimer t AccuracyUSec=1min\n";
        assert_eq!((missed(1620, late), missed(1621, late)), (None, Some(600)));
        assert_eq!(missed(661, "timer t Due=n/a\n"), None);
    }

    #[test]
    fn the_next_run_of_a_timer_is_the_nearer_of_its_clocks() {
        let observed = Observed::parse(b"time 1000000\n");
        let status = |wall: &str, boot: &str| {
            let text =
                format!("uptime 100\ntimer t NextElapseUSecRealtime={wall}\ntimer t NextElapseUSecMonotonic={boot}\n");
            StatusReport::parse(text.as_bytes()).next(&observed, "t")
        };
        assert_eq!(status("Thu 1970-01-01 00:00:10 UTC", ""), Some(10));
        assert_eq!(status("", "1min 50.2s"), Some(1_000_010));
        assert_eq!(status("n/a", "infinity"), None);
        assert_eq!(span("1month 1d 2h 3min 4.5s 6ms"), Some(2_629_800 + 86_400 + 7_384));
    }
}
