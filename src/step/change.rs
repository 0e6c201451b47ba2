//! What a switch is about: the command, and the releases that it goes from and to. How it is carried out never stands
//! here.

/// The commands that hold a host while they change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// A new release goes live.
    Deploy,
    Rollback,
    /// Old releases are removed; what is live stays.
    Prune,
}

impl Command {
    /// The word on the command line, in requests, in the ledger and in events.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Rollback => "rollback",
            Self::Prune => "prune",
        }
    }

    /// The command of a word that a host wrote down. Every other word is a deploy: the least that can be said.
    #[must_use]
    pub fn of(word: &str) -> Self {
        match word {
            "rollback" => Self::Rollback,
            "prune" => Self::Prune,
            _ => Self::Deploy,
        }
    }
}

/// What a switch is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What a person asked for.
    pub command: Command,
    /// The release that is live now.
    pub previous: Option<String>,
    /// The release that will be.
    pub next: String,
}
