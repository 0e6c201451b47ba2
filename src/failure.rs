//! The one error that reaches a person: what failed, why, what state the host is in, what to type next.
//! It carries its exit code; no caller ever looks at its text to decide anything.

use std::fmt;

/// How a run of shipit ended, as its exit code (the table is in `docs/json.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done: deployed, rolled back, or already there.
    Done = 0,
    /// Failed before the flip; nothing live changed.
    Untouched = 1,
    Usage = 2,
    /// The new release failed; the host is back on the previous one, verified.
    Reverted = 3,
    Degraded = 4,
    /// Another switch holds the host.
    Locked = 5,
    /// The host cannot be reached, identified or logged in to.
    Unreachable = 6,
    /// The outcome is not known; the host decides alone.
    Unknown = 7,
}

impl Exit {
    /// The number that the process leaves with.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }
}

/// A failure as a person reads it. Every text is shown through [`crate::text::shown`] by the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What failed: lower case, no full stop.
    pub what: String,
    /// Why, one line each: the cause as far as it is known.
    pub why: Vec<String>,
    /// What state the host is in now, when a host was involved.
    pub host: Option<String>,
    /// What to type next: commands that can be pasted.
    pub next: Vec<String>,
    pub exit: Exit,
}

impl Failure {
    /// A failure with nothing but its headline.
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            why: Vec::new(),
            host: None,
            next: Vec::new(),
            exit,
        }
    }
    /// Adds a line of cause.
    #[must_use]
    pub fn why(mut self, why: impl Into<String>) -> Self {
        self.why.push(why.into());
        self
    }
    /// Says what state the host is in.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }
    /// Adds a line to type next.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next.push(next.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what)?;
        for line in &self.why {
            write!(f, "\n  why   {line}")?;
        }
        if let Some(host) = &self.host {
            write!(f, "\n  host  {host}")?;
        }
        for line in &self.next {
            write!(f, "\n  next  {line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}
