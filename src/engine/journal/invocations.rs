//! Which lines of a journal belong to a release: when it was live, and which lives of services were its own. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::observed::Observed;
use crate::observed::ledger::Ledger;

/// Seconds after the next flip in which an old process may still say something: the longest stop that systemd waits for by
/// default (systemd-system.conf(5), DefaultTimeoutStopSec).
pub(super) const DRAIN: i64 = 90;

/// A life of a service that a run saw.
#[derive(Debug)]
pub struct Life {
    pub run: String,
    /// In the evidence of a failure; else it was found well.
    pub failed: bool,
    pub invocation: String,
}

/// Which releases a life served: more than one where services reload. What a failed run found well in the end is the
/// release that it went back to.
pub(super) fn owners<'a>(ledger: &'a Ledger, lives: &'a [Life]) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let mut owners: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for life in lives {
        let evidence = |other: &&Life| other.failed && other.invocation == life.invocation;
        let failed = life.failed || lives.iter().any(|other| other.run == life.run && evidence(&other));
        let mut of_run = ledger.entries.iter().filter(|e| e.run == life.run);
        let last = match failed {
            true => of_run.rfind(|e| e.event == "begin"),
            false => of_run.rfind(|e| e.event == "live"),
        };
        if let Some(entry) = last {
            owners.entry(&life.invocation).or_default().insert(&entry.release);
        }
    }
    owners
}

/// When a release was live, in seconds since the epoch by the host's clock; no end: it still is.
pub(super) fn spans(observed: &Observed, release: &str) -> Vec<(i64, Option<i64>)> {
    let mut spans: Vec<(i64, Option<i64>)> = Vec::new();
    let mut live = false;
    for entry in observed.ledger.entries.iter().filter(|e| e.event == "live") {
        let Ok(at) = chrono::DateTime::parse_from_rfc3339(&entry.at) else {
            continue;
        };
        let at = at.timestamp();
        if entry.release == release && !live {
            spans.push((at, None));
        } else if entry.release != release
            && live
            && let Some(last) = spans.last_mut()
        {
            last.1 = Some(at);
        }
        live = entry.release == release;
    }
    spans
}

/// One span of a release's time, and which lives were seen in it.
pub(super) struct Span<'a> {
    release: &'a str,
    /// When the next release was flipped to, in seconds since the epoch.
    until: Option<i64>,
    owners: &'a BTreeMap<&'a str, BTreeSet<&'a str>>,
    known: BTreeSet<String>,
}

impl<'a> Span<'a> {
    pub(super) fn new(release: &'a str, until: Option<i64>, owners: &'a BTreeMap<&'a str, BTreeSet<&'a str>>) -> Self {
        Self {
            release,
            until,
            owners,
            known: BTreeSet::new(),
        }
    }

    /// Whether the next line belongs to the release. After the next flip only lives that spoke before it do.
    pub(super) fn takes(&mut self, line: &[u8]) -> bool {
        let value: serde_json::Value = serde_json::from_slice(line).unwrap_or_default();
        let of = |key: &str| value.get(key).and_then(|v| v.as_str());
        // What PID 1 says of a unit has the unit's life in INVOCATION_ID and its own in the other.
        let life = of("INVOCATION_ID").or_else(|| of("_SYSTEMD_INVOCATION_ID"));
        let at = of("__REALTIME_TIMESTAMP").and_then(|t| t.parse::<i64>().ok());
        let in_time = match (at, self.until) {
            (Some(at), Some(until)) => at / 1_000_000 < until,
            _ => true,
        };
        let Some(life) = life else {
            return in_time;
        };
        if let Some(releases) = self.owners.get(life) {
            return releases.contains(self.release) && (in_time || releases.len() == 1);
        }
        if in_time {
            self.known.insert(life.to_owned());
        }
        in_time || self.known.contains(life)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_was_live_from_its_flip_to_the_next_one() {
        let observed = Observed::parse(
            b"ledger 1970-01-01T00:00:10Z 1 r1 live a\nledger 1970-01-01T00:00:20Z 2 r2 live b\n\
              ledger 1970-01-01T00:00:30Z 2 r2 live a\nledger 1970-01-01T00:00:31Z 3 r3 live a\n",
        );
        assert_eq!(spans(&observed, "a"), [(10, Some(20)), (30, None)]);
        assert_eq!(spans(&observed, "b"), [(20, Some(30))]);
        assert_eq!(spans(&observed, "c"), []);
    }

    #[test]
    fn after_the_next_flip_only_those_are_heard_who_spoke_before() {
        let owners = BTreeMap::from([("own", BTreeSet::from(["a"])), ("b's", BTreeSet::from(["b"]))]);
        let mut span = Span::new("a", Some(20), &owners);
        for (life, at, taken) in [
            ("own", 10, true),
            ("b's", 10, false),
            ("crash", 19, true),
            ("crash", 20, true),
            ("own", 21, true),
            ("next", 20, false),
            ("next", 21, false),
        ] {
            let line = format!(r#"{{"INVOCATION_ID":"{life}","__REALTIME_TIMESTAMP":"{at}000001"}}"#);
            assert_eq!(span.takes(line.as_bytes()), taken, "{life} {at}");
        }
    }
}
