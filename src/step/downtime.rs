//! What the conductor's meter saw of one switch, as the host writes it into its last event and its ledger: one word
//! `probes=72,failed=3,…` (`measured` of `conductor/2-measured.sh`). Sentences about it are written elsewhere.

use crate::text::words;

words! {
    /// How a probe failed.
    pub enum Loss {
        /// Nobody listened.
        Refused = "refused",
        /// The connection was reset, before or in the response.
        Reset = "reset",
        /// No whole response within 10 s.
        Timeout = "timeout",
        /// A response with another status or text than the health check asks for.
        Status = "status",
        /// The connection was closed before a whole response.
        Closed = "closed",
        /// Another error of the network.
        Other = "other",
    }
}

/// How long good answers took: in milliseconds, rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    pub p50: u64,
    pub p95: u64,
    pub max: u64,
}

/// How long one service took for its restart, in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnTimes {
    pub unit: String,
    /// From the request to stop until the old process had ended.
    pub stop_ms: Option<u64>,
    /// From the start of the new process until its first good answer.
    pub start_ms: Option<u64>,
}

/// The downtime that the host measured while it switched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Downtime {
    pub probes: u64,
    /// Those that were not answered well.
    pub failed: u64,
    /// Longest time in which probes on new connections failed or waited, from one good answer to the next, in milliseconds.
    pub longest_gap_ms: u64,
    /// Longest time that a good answer took, in milliseconds.
    pub longest_wait_ms: u64,
    /// The failed ones by kind; kinds without one are missing.
    pub failed_by_kind: Vec<(Loss, u64)>,
    /// Before the flip.
    pub before: Option<Latency>,
    /// From the flip until the new release served every service, or the old one again.
    pub during: Option<Latency>,
    pub after: Option<Latency>,
    /// Units that clients reached and whose process ended after it was ready: the requests in progress there were lost, and
    /// probes need not have seen it.
    pub crashed: Vec<String>,
    /// From other events of the run.
    pub services: Vec<TurnTimes>,
}

impl Downtime {
    /// Reads the word. `None` if one of its four first numbers is missing; what is unknown is passed over.
    pub fn parse(word: &str) -> Option<Self> {
        let values: Vec<(&str, &str)> = word.split(',').filter_map(|part| part.split_once('=')).collect();
        let value = |name: &str| values.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
        let number = |name: &str| value(name).and_then(|value| value.parse().ok());
        let latency = |name: &str| {
            let mut parts = value(name)?.split('/').map(str::parse);
            let mut part = || parts.next()?.ok();
            Some(Latency {
                p50: part()?,
                p95: part()?,
                max: part()?,
            })
        };
        let kinds = Loss::ALL.iter().filter_map(|loss| Some((*loss, number(loss.word())?)));
        Some(Self {
            probes: number("probes")?,
            failed: number("failed")?,
            longest_gap_ms: number("gap")?,
            longest_wait_ms: number("wait")?,
            failed_by_kind: kinds.collect(),
            before: latency("before"),
            during: latency("during"),
            after: latency("after"),
            crashed: value("crashed").map_or_else(Vec::new, |units| units.split('/').map(str::to_owned).collect()),
            services: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_of_the_meter_is_read_and_one_without_its_numbers_is_not() {
        let word = "probes=72,failed=3,gap=210,wait=40,crashed=a@1.service/b.service,lost=3,hole=210,refused=2,reset=1,during=3/9/40,before=1/1/2";
        let read = Downtime::parse(word).map(|d| (d.failed_by_kind.clone(), d));
        let Some((kinds, read)) = read else { panic!("{word}") };
        assert_eq!(
            (read.probes, read.failed, read.longest_gap_ms, read.longest_wait_ms),
            (72, 3, 210, 40)
        );
        assert_eq!(read.crashed, ["a@1.service", "b.service"]);
        assert_eq!(kinds, [(Loss::Refused, 2), (Loss::Reset, 1)]);
        let during = Latency {
            p50: 3,
            p95: 9,
            max: 40,
        };
        assert_eq!((read.during, read.after), (Some(during), None));
        for torn in ["-", "", "probes=72,failed=3,gap=210", "probes=,failed=,gap=,wait="] {
            assert_eq!(Downtime::parse(torn), None, "{torn}");
        }
    }
}
