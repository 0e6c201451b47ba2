//! What a switch is about: the command, and the releases that it goes from and to. How it is carried out never stands
//! here.

crate::text::words! {
    /// The commands that hold a host while they change it. The word is that of the command line, in requests, in the
    /// ledger and in events.
    #[derive(Default)]
    pub enum Command {
        /// A new release goes live. Also what a host calls by a word that is not known: the least that can be said.
        #[default]
        Deploy = "deploy",
        Rollback = "rollback",
        /// Old releases are removed; what is live stays.
        Prune = "prune",
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub command: Command,
    /// The release that is live now.
    pub previous: Option<String>,
    /// The release that will be.
    pub next: String,
}
