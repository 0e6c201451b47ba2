//! The commit that a release was made from, as the client records it beside the release. Who asks git is elsewhere.

use std::collections::BTreeMap;

/// Foreign text: whoever shows it escapes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    pub revision: String,
    /// The first line of its message; empty for a release of an older shipit.
    pub subject: String,
    /// Empty without one.
    pub branch: String,
    /// Empty for a release of an older shipit.
    pub author: String,
    /// Files differed from it.
    pub dirty: bool,
    /// Which, as git names them. Known while the deploy runs, and not recorded.
    pub changed: Vec<String>,
}

impl Commit {
    /// The most of a subject that is recorded, in characters.
    pub const SUBJECT: usize = 200;

    /// The facts that are recorded, by name.
    pub fn facts(&self) -> [(&'static str, String); 5] {
        [
            ("revision", self.revision.clone()),
            ("dirty", if self.dirty { "yes" } else { "no" }.to_owned()),
            ("branch", self.branch.clone()),
            ("subject", self.subject.clone()),
            ("author", self.author.clone()),
        ]
    }

    /// Reads them back; `None` where no revision was recorded.
    pub fn of(facts: &BTreeMap<String, String>) -> Option<Self> {
        let fact = |name: &str| facts.get(name).cloned().unwrap_or_default();
        let revision = Some(fact("revision")).filter(|revision| !revision.is_empty())?;
        Some(Self {
            revision,
            subject: fact("subject"),
            branch: fact("branch"),
            author: fact("author"),
            dirty: fact("dirty") == "yes",
            changed: Vec::new(),
        })
    }
}
