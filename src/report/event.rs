//! What happens during a run, as values. Sentences are written in `sentence`, JSON in `json`; nobody else.

use std::time::Duration;

use crate::failure::{Exit, Failure, Next};

/// The act that a step belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Needs the client; nothing live changes.
    Stage,
    /// Carried out by the host alone.
    Switch,
    Revert,
    /// After the confirmation; can never fail a deploy.
    Settle,
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Started,
    Done,
    Failed,
}

/// The downtime that the host measured while it switched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Downtime {
    pub probes: u64,
    /// Those that were not answered well.
    pub failed: u64,
    /// Longest time between two good answers around a failed or late one, in milliseconds.
    pub longest_gap_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The new release is live and verified.
    Deployed,
    /// An older release is live again and verified.
    RolledBack,
    Staged,
    Pruned,
    Unchanged,
    /// The host was made ready, or is as it was made before.
    Ready,
    /// It failed before the flip.
    Failed,
    /// The host went back by itself.
    Reverted,
    Degraded,
    /// Another switch holds the host.
    Locked,
    Unreachable,
    Unknown,
}

/// The last event of a deploy or rollback.
#[derive(Clone, Debug)]
pub struct Ended {
    pub outcome: Outcome,
    pub exit: Exit,
    /// The release this run was about.
    pub release: Option<String>,
    /// The release that was live before.
    pub previous: Option<String>,
    /// The release that is live now, when known.
    pub live: Option<String>,
    pub took: Duration,
    /// From the start until the new release served.
    pub live_after: Option<Duration>,
    /// Bytes that this client sent.
    pub bytes_sent: u64,
    /// What the host measured, when it could measure.
    pub downtime: Option<Downtime>,
    /// Why it did not end well.
    pub failure: Option<Failure>,
    /// When it ended well; a failure has its own.
    pub next: Vec<Next>,
}

#[derive(Clone, Debug)]
pub enum Event {
    /// The first event: which command, on what.
    Started {
        /// `deploy`, `rollback`, …
        command: &'static str,
        app: String,
        /// `user@host[:port]` as the person wrote it.
        host: String,
        /// The release, when it is known already.
        release: Option<String>,
    },
    /// A step began or ended.
    Step {
        phase: Phase,
        /// Its name, as in `shipit plan`.
        name: String,
        state: State,
        /// How long it took, once it ended.
        took: Option<Duration>,
        /// A few words on the result (`3 files`, `already there`).
        note: Option<String>,
    },
    /// How much of the release is on its way.
    Progress {
        /// Bytes of its files that were read and packed so far.
        sent: u64,
        /// Bytes of all its files.
        total: u64,
    },
    /// A line from a build, a hook, a prepare command or a journal. Raw: the renderers escape it.
    Log {
        /// `build`, `prepare`, `hook`, `journal`, `host`.
        source: &'static str,
        /// One line without its end.
        line: Vec<u8>,
    },
    /// Something the person should know; never a reason to stop.
    Warning {
        text: String,
    },
    Ended(Box<Ended>),
}

impl Event {
    #[must_use]
    pub fn step_started(phase: Phase, name: &str) -> Self {
        Self::Step {
            phase,
            name: name.into(),
            state: State::Started,
            took: None,
            note: None,
        }
    }

    #[must_use]
    pub fn step_ended(phase: Phase, name: &str, succeeded: bool, took: Duration) -> Self {
        let state = if succeeded { State::Done } else { State::Failed };
        Self::Step {
            phase,
            name: name.into(),
            state,
            took: Some(took),
            note: None,
        }
    }
}

/// Takes events. The only way from the engine to a person.
pub trait Report {
    /// Called for each event, in order.
    fn event(&mut self, event: &Event);
}
