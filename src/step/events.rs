//! The events of a run: lines that the conductor appends to `runs/RUN/events`, as `CENTISECONDS KIND FIELD…`. This is the one
//! table of their kinds and fields, and the one reader in Rust; in sh it is `lib/events.sh`. What the user is told of an
//! event stands elsewhere.

use std::time::Duration;

use super::{Downtime, Kind, TurnTimes};
use crate::text::words;

/// A kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Described {
    pub word: &'static str,
    /// In order. One in brackets may be missing; the last takes the rest of the line.
    pub fields: &'static str,
    /// The function of `lib/events.sh` that reads it, where a script does.
    pub script: Option<&'static str>,
}

/// Every event that the conductor writes.
pub const KINDS: &[Described] = &[
    Described {
        word: "step",
        fields: "LIST NAME [UNIT|RELEASE] started|done|failed [CENTISECONDS [CAUSE]]",
        script: Some("failures"),
    },
    Described {
        word: "live",
        fields: "UNIT RELEASE [stop=MS] [start=MS]",
        script: None,
    },
    Described {
        word: "verdict",
        fields: "UNIT invocation=ID pid=PID restarts=N from=RELEASE|elsewhere|unreadable",
        script: Some("verdicts"),
    },
    Described {
        word: "wait",
        fields: "UNIT SECONDS ANSWER",
        script: None,
    },
    Described {
        word: "backup",
        fields: "PLACE",
        script: None,
    },
    Described {
        word: "pruned",
        fields: "RELEASES",
        script: None,
    },
    Described {
        word: "note",
        fields: "STEP TEXT",
        script: None,
    },
    Described {
        word: "canceled",
        fields: "",
        script: None,
    },
    Described {
        word: "ended",
        fields: "deployed|failed|reverted|degraded LIVE|-|unreadable MEASURED|- CAUSE|-",
        script: Some("last_end"),
    },
];

words! {
    pub enum Progress {
        Started = "started",
        Done = "done",
        Failed = "failed",
    }
}

words! {
    pub enum End {
        Confirmed = "deployed",
        /// It failed before anything live changed.
        Failed = "failed",
        /// It failed, and the host went back.
        Reverted = "reverted",
        Degraded = "degraded",
    }
}

/// The last event of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunEnd {
    pub end: End,
    /// The release that is live, if one is and `current` could be read.
    pub live: Option<String>,
    /// The host could read `current`.
    pub live_known: bool,
    /// What the meter saw, if it ran through the whole switch.
    pub downtime: Option<Downtime>,
    /// Why, in one line; empty when it was confirmed.
    pub cause: String,
}

/// One event, as far as this program reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunEvent {
    Step {
        /// `switch`, `revert` or `settle`.
        list: String,
        /// `None` for one that this version does not have.
        kind: Option<Kind>,
        /// The step and what it is about: `restart acme.service`.
        name: String,
        progress: Progress,
        centiseconds: Option<u64>,
        cause: Option<String>,
    },
    /// The new release serves this unit.
    Live(TurnTimes),
    /// It waits for this unit.
    Wait {
        unit: String,
        /// How long, at most.
        within: Duration,
        /// What the unit answered last, or its state.
        answer: String,
    },
    Note(String),
    /// Where the backup before the migration is, as its unit printed it.
    Backup(String),
    /// The releases that were removed.
    Pruned(Vec<String>),
    /// A user asked for the end of the switch, and the next failed step is that end.
    Canceled,
    /// `None`: the disk did not take the whole line.
    Ended(Option<RunEnd>),
}

impl RunEvent {
    /// Reads one line; `None` for one that is not for this program.
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.splitn(3, ' ');
        let (_at, word, rest) = (words.next()?, words.next()?, words.next().unwrap_or(""));
        match word {
            "step" => step(rest),
            "live" => Some(Self::Live(live(rest))),
            "wait" => wait(rest),
            "note" => Some(Self::Note(rest.to_owned())),
            "backup" => Some(Self::Backup(rest.to_owned())),
            "pruned" => Some(Self::Pruned(rest.split(' ').map(str::to_owned).collect())),
            "canceled" => Some(Self::Canceled),
            "ended" => Some(Self::Ended(ended(rest))),
            _ => None,
        }
    }
}

/// An event without its time, as `status` shows the last one of a switch.
pub fn in_words(event: &str) -> String {
    match RunEvent::parse(&format!("0 {event}")) {
        Some(RunEvent::Wait { unit, within, answer }) => {
            format!("await {unit} (up to {}s): {answer}", within.as_secs())
        }
        Some(RunEvent::Step {
            list, name, progress, ..
        }) => {
            let list = if list == "revert" { "revert: " } else { "" };
            let progress = match progress {
                Progress::Started => "",
                Progress::Done => ", done",
                Progress::Failed => ", failed",
            };
            format!("{list}{name}{progress}")
        }
        Some(RunEvent::Live(times)) => format!("{} serves the new release", times.unit),
        _ => event.to_owned(),
    }
}

fn step(rest: &str) -> Option<RunEvent> {
    let words: Vec<&str> = rest.split(' ').collect();
    let (list, words) = words.split_first()?;
    let at = words.iter().position(|word| Progress::of(word).is_some())?;
    let cause = (words.len() > at + 2).then(|| words[at + 2..].join(" "));
    Some(RunEvent::Step {
        list: (*list).to_owned(),
        // An earlier conductor wrote `bad`.
        kind: words
            .first()
            .copied()
            .and_then(|word| Kind::of(if word == "bad" { "left" } else { word })),
        name: words[..at].join(" "),
        progress: Progress::of(words[at])?,
        centiseconds: words.get(at + 1).and_then(|word| word.parse().ok()),
        cause,
    })
}

fn wait(rest: &str) -> Option<RunEvent> {
    let mut words = rest.splitn(3, ' ');
    Some(RunEvent::Wait {
        unit: words.next()?.to_owned(),
        within: Duration::from_secs(words.next()?.parse().unwrap_or_default()),
        answer: words.next()?.to_owned(),
    })
}

fn live(rest: &str) -> TurnTimes {
    let time = |name: &str| rest.split(' ').find_map(|word| word.strip_prefix(name)?.parse().ok());
    TurnTimes {
        unit: rest.split(' ').next().unwrap_or_default().to_owned(),
        stop_ms: time("stop="),
        start_ms: time("start="),
    }
}

fn ended(rest: &str) -> Option<RunEnd> {
    let mut words = rest.splitn(4, ' ');
    let end = End::of(words.next()?)?;
    let current = words.next()?;
    let live = Some(current).filter(|id| !["-", "unreadable"].contains(id));
    let downtime = Downtime::parse(words.next()?);
    let cause = Some(words.next()?).filter(|cause| *cause != "-");
    Some(RunEnd {
        end,
        live: live.map(str::to_owned),
        live_known: current != "unreadable",
        downtime,
        cause: cause.unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_the_host_could_not_write_whole_is_not_an_end() {
        let whole = RunEvent::parse("9 ended reverted - probes=40,failed=3,gap=210,wait=5 acme.service crashed");
        let end = RunEnd {
            end: End::Reverted,
            live: None,
            live_known: true,
            downtime: Downtime::parse("probes=40,failed=3,gap=210,wait=5"),
            cause: "acme.service crashed".into(),
        };
        assert_eq!(whole, Some(RunEvent::Ended(Some(end.clone()))));
        let unread =
            RunEvent::parse("9 ended reverted unreadable probes=40,failed=3,gap=210,wait=5 acme.service crashed");
        let unknown = RunEnd {
            live_known: false,
            ..end
        };
        assert_eq!(unread, Some(RunEvent::Ended(Some(unknown))), "no release has that name");
        for torn in [
            "",
            " dep",
            " deployed",
            " deployed r1",
            " deployed r1 probes=40,failed=3",
        ] {
            let line = format!("9 ended{torn}");
            assert_eq!(RunEvent::parse(&line), Some(RunEvent::Ended(None)), "{line}");
        }
    }

    #[test]
    fn a_step_has_its_list_its_name_its_progress_and_a_cause_with_any_words() {
        let line = "5 step switch await acme.service failed 300 it failed, then started again";
        let Some(RunEvent::Step {
            list,
            kind,
            name,
            progress,
            centiseconds,
            cause,
        }) = RunEvent::parse(line)
        else {
            panic!("{line}")
        };
        assert_eq!((list.as_str(), name.as_str()), ("switch", "await acme.service"));
        assert_eq!((kind, progress), (Some(Kind::Await), Progress::Failed));
        assert_eq!(centiseconds, Some(300));
        assert_eq!(cause.as_deref(), Some("it failed, then started again"));
    }
}
