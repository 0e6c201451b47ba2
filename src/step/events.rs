//! The events of a run: lines that the conductor appends to `runs/RUN/events`, as `CENTISECONDS KIND FIELD…`. This is the one
//! table of their kinds and fields, and the one reader in Rust; in sh it is `lib/events.sh`. What the user is told of an
//! event stands elsewhere.

use super::Kind;

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
        fields: "UNIT RELEASE",
        script: None,
    },
    Described {
        word: "verdict",
        fields: "UNIT invocation=ID pid=PID restarts=N from=RELEASE|elsewhere|unreadable",
        script: Some("verdicts"),
    },
    Described {
        word: "note",
        fields: "STEP TEXT",
        script: None,
    },
    Described {
        word: "ended",
        fields: "deployed|failed|reverted|degraded LIVE|- PROBES,FAILED,GAP|- CAUSE|-",
        script: Some("last_end"),
    },
];

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    Started,
    Done,
    Failed,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Confirmed,
    /// It failed before anything live changed.
    Failed,
    /// It failed, and the host went back.
    Reverted,
    Degraded,
}

/// The last event of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunEnd {
    pub end: End,
    /// The release that is live, if one is.
    pub live: Option<String>,
    /// Probes, failed ones, and the longest gap between two good answers in milliseconds.
    pub probes: Option<[u64; 3]>,
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
    Live,
    Note(String),
    /// `None`: the disk did not take the whole line.
    Ended(Option<RunEnd>),
}

impl RunEvent {
    /// Reads one line; `None` for one that is not for this program.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.splitn(3, ' ');
        let (_at, word, rest) = (words.next()?, words.next()?, words.next().unwrap_or(""));
        match word {
            "step" => step(rest),
            "live" => Some(Self::Live),
            "note" => Some(Self::Note(rest.to_owned())),
            "ended" => Some(Self::Ended(ended(rest))),
            _ => None,
        }
    }
}

fn step(rest: &str) -> Option<RunEvent> {
    let words: Vec<&str> = rest.split(' ').collect();
    let (list, words) = words.split_first()?;
    let progress = |word: &&str| match *word {
        "started" => Some(Progress::Started),
        "done" => Some(Progress::Done),
        "failed" => Some(Progress::Failed),
        _ => None,
    };
    let at = words.iter().position(|word| progress(word).is_some())?;
    let cause = (words.len() > at + 2).then(|| words[at + 2..].join(" "));
    Some(RunEvent::Step {
        list: (*list).to_owned(),
        kind: words.first().copied().and_then(Kind::of),
        name: words[..at].join(" "),
        progress: progress(&words[at])?,
        centiseconds: words.get(at + 1).and_then(|word| word.parse().ok()),
        cause,
    })
}

fn ended(rest: &str) -> Option<RunEnd> {
    let mut words = rest.splitn(4, ' ');
    let end = match words.next()? {
        "deployed" => End::Confirmed,
        "failed" => End::Failed,
        "reverted" => End::Reverted,
        "degraded" => End::Degraded,
        _ => return None,
    };
    let live = Some(words.next()?).filter(|id| *id != "-");
    let numbers = words.next()?.split(',').map(|n| n.parse().ok());
    let numbers: Option<Vec<u64>> = numbers.collect();
    let cause = Some(words.next()?).filter(|cause| *cause != "-");
    Some(RunEnd {
        end,
        live: live.map(str::to_owned),
        probes: numbers.and_then(|numbers| numbers.try_into().ok()),
        cause: cause.unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_the_host_could_not_write_whole_is_not_an_end() {
        let whole = RunEvent::parse("9 ended reverted - 40,3,210 acme.service crashed");
        let end = RunEnd {
            end: End::Reverted,
            live: None,
            probes: Some([40, 3, 210]),
            cause: "acme.service crashed".into(),
        };
        assert_eq!(whole, Some(RunEvent::Ended(Some(end))));
        for torn in ["", " dep", " deployed", " deployed r1", " deployed r1 40,3,210"] {
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
