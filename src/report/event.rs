//! What happens during a run, as values. Sentences are written in `sentence`, JSON in `json`; nobody else.

use std::time::Duration;

use crate::failure::{Exit, Failure, Next, Typed};
pub use crate::step::Progress as State;
pub use crate::step::{Commit, Downtime, Latency, Loss, TurnTimes};
use crate::text::words;

words! {
    /// The act that a step belongs to.
    pub enum Phase {
        /// `up`: what comes before its deploy.
        Ready = "ready",
        /// Needs the client; nothing live changes.
        Stage = "stage",
        /// Carried out by the host alone.
        Switch = "switch",
        Revert = "revert",
        /// After the confirmation; can never fail a deploy.
        Settle = "settle",
    }
}

/// The upload of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Bytes that this client sent for it.
    pub sent: u64,
    /// Bytes of files that the host took over from another release.
    pub saved: u64,
    pub took: Duration,
    /// Whether there were patches in it: then the host needed time of its own for them.
    pub patched: bool,
    /// The release whose outputs of `prepare` were taken over.
    pub prepared_from: Option<String>,
}

words! {
    /// How a run ended, by its word in JSON and in hooks.
    pub enum Outcome {
        /// The new release is live and verified.
        Deployed = "deployed",
        /// An older release is live again and verified.
        RolledBack = "rolled_back",
        Staged = "staged",
        Pruned = "pruned",
        Unchanged = "unchanged",
        /// The host was made ready, or is as it was made before.
        Ready = "ready",
        /// It failed before the flip.
        Failed = "failed",
        /// The host went back by itself.
        Reverted = "reverted",
        Degraded = "degraded",
        /// Another switch is in progress.
        Locked = "locked",
        Unreachable = "unreachable",
        Unknown = "unknown",
    }
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
    /// Without `live`: that no release is live, and not that it is unknown.
    pub live_known: bool,
    pub took: Duration,
    /// From the start until the new release served.
    pub live_after: Option<Duration>,
    /// Bytes that this client sent.
    pub bytes_sent: u64,
    /// The upload of the release, if there was one.
    pub upload: Option<Upload>,
    /// The commit that the release was made from, when it is known.
    pub commit: Option<Commit>,
    /// What the host measured, when it could measure.
    pub downtime: Option<Downtime>,
    /// A user ended it: the release did not fail.
    pub canceled: bool,
    pub failure: Option<Failure>,
    /// When it ended well; a failure has its own.
    pub next: Vec<Next>,
}

impl Ended {
    /// An end without a release, of which no more is known.
    pub fn new(outcome: Outcome, failure: Option<Failure>) -> Self {
        Self {
            outcome,
            exit: failure.as_ref().map_or(Exit::Done, |failure| failure.exit),
            release: None,
            previous: None,
            live: None,
            live_known: false,
            took: Duration::ZERO,
            live_after: None,
            bytes_sent: 0,
            commit: None,
            upload: None,
            downtime: None,
            canceled: false,
            failure,
            next: Vec::new(),
        }
    }
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
    /// The release that a rollback goes to, where its whole name was not typed; a program reads it in the last event.
    Release(String),
    /// The commit that the release is made from; a program reads it in the last event.
    Commit(Commit),
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
        /// Bytes of the files to send that were read and packed so far.
        sent: u64,
        /// Bytes of all files to send.
        total: u64,
        /// Bytes of the release's other files, which the host takes from another release.
        reused: u64,
    },
    /// The host waits for a service.
    Wait {
        unit: String,
        /// How long, at most.
        within: Duration,
        /// What it answered last, or its state. Raw.
        answer: String,
    },
    /// A user asked for the end of the switch: the step that fails next is no failure of the release.
    Canceled,
    /// The host's part is over. What it measured, when it could measure; a program reads it in the last event.
    Measured(Option<Box<Downtime>>),
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

impl Event {
    /// The same step, with a few words on its result.
    #[must_use]
    pub fn noted(mut self, words: Option<String>) -> Self {
        if let Self::Step { note, .. } = &mut self {
            *note = words;
        }
        self
    }
}

/// Takes events. The only way from the engine to a person.
pub trait Report {
    fn event(&mut self, event: &Event);

    /// The command line that was typed, for what to do next.
    fn typed(&self) -> Typed {
        Typed::default()
    }

    /// What is waited for beside any step, such as a connection; `None`: it is over. Only a terminal shows it.
    fn busy(&mut self, _with: Option<&str>) {}

    fn warn(&mut self, text: String) {
        self.event(&Event::Warning { text });
    }

    /// One line without its end, as it came.
    fn log(&mut self, source: &'static str, line: Vec<u8>) {
        self.event(&Event::Log { source, line });
    }
}
