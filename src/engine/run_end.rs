//! How the host says that a run ended: the last event of a run, read. What a person is told of it is `switch`'s.

use crate::report::event::Downtime;

/// How a run ended for the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Confirmed,
    /// It failed before anything live changed.
    Failed,
    /// It failed, and the host went back.
    Reverted,
    Degraded,
}

/// How the host says a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastWord {
    pub end: End,
    /// The release that is live, if one is.
    pub live: Option<String>,
    pub downtime: Option<Downtime>,
    /// Why, in one line; empty when it went well.
    pub cause: String,
}

impl LastWord {
    /// `OUTCOME LIVE|- PROBES,FAILED,GAP|- CAUSE|-`; `None` for a line that is not whole.
    #[must_use]
    pub fn parse(rest: &str) -> Option<Self> {
        let mut words = rest.splitn(4, ' ');
        let end = match words.next()? {
            "deployed" => End::Confirmed,
            "failed" => End::Failed,
            "reverted" => End::Reverted,
            "degraded" => End::Degraded,
            _ => return None,
        };
        let live = Some(words.next()?).filter(|id| *id != "-");
        let numbers: Vec<u64> = words
            .next()?
            .split(',')
            .filter_map(|n| n.parse().ok())
            .collect();
        let downtime = match numbers.as_slice() {
            [probes, failed, longest_gap_ms] => Some(Downtime {
                probes: *probes,
                failed: *failed,
                longest_gap_ms: *longest_gap_ms,
            }),
            _ => None,
        };
        let cause = Some(words.next()?).filter(|cause| *cause != "-");
        Some(Self {
            end,
            live: live.map(str::to_owned),
            downtime,
            cause: cause.unwrap_or_default().to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_the_host_could_not_write_whole_is_none() {
        let whole = "reverted - 40,3,210 acme.service crashed";
        let heard = LastWord::parse(whole).map(|last| (last.end, last.live, last.cause));
        let cause = "acme.service crashed".to_owned();
        assert_eq!(heard, Some((End::Reverted, None, cause)));
        for torn in ["", "dep", "deployed", "deployed r1", "deployed r1 40,3,210"] {
            assert_eq!(LastWord::parse(torn), None, "{torn}");
        }
    }
}
