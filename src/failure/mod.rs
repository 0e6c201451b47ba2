//! The one error that reaches the user: what failed, why, what state the host is in, what to do next.
//! It carries its exit code; no caller ever reads its text to decide anything.

mod next;

use std::fmt;

pub use next::{Next, Typed, quoted};

/// How a run of shipit ended, as its exit code (the table is in `docs/json.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done: deployed, rolled back, or already there.
    Done,
    /// Failed before the flip; nothing live changed.
    Untouched,
    Usage,
    /// The new release failed; the host is back on the previous one, verified.
    Reverted,
    Degraded,
    /// Another switch is in progress.
    Locked,
    /// The host cannot be reached, identified or logged in to.
    Unreachable,
    /// The outcome is not known; the host decides alone.
    Unknown,
    /// `run` was stopped by a signal of this number.
    Signal(u8),
}

impl Exit {
    /// The number that the process leaves with.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Untouched => 1,
            Self::Usage => 2,
            Self::Reverted => 3,
            Self::Degraded => 4,
            Self::Locked => 5,
            Self::Unreachable => 6,
            Self::Unknown => 7,
            Self::Signal(number) => 128 + number,
        }
    }
}

/// A failure as a person reads it. Every text is shown through [`crate::text::shown`] by the report.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Failure {
    /// What failed: lower case, no full stop.
    pub what: String,
    /// Why, one line each: the cause as far as it is known.
    pub why: Vec<String>,
    /// Lines of a file that show the place of a reason: the number of the reason, and the lines as they stand.
    pub excerpts: Box<[(usize, Vec<String>)]>,
    /// What state the host is in now, when a host was involved.
    pub host: Option<String>,
    pub next: Vec<Next>,
    pub exit: Exit,
}

impl Failure {
    /// A failure with nothing but its headline.
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            why: Vec::new(),
            excerpts: Box::default(),
            host: None,
            next: Vec::new(),
            exit,
        }
    }
    pub fn why(mut self, why: impl Into<String>) -> Self {
        self.why.push(why.into());
        self
    }
    /// Shows the place of the last reason.
    pub fn excerpt(mut self, lines: Vec<String>) -> Self {
        let mut all = std::mem::take(&mut self.excerpts).into_vec();
        all.push((self.why.len().saturating_sub(1), lines));
        self.excerpts = all.into();
        self
    }
    pub fn whys(mut self, why: impl IntoIterator<Item = String>) -> Self {
        self.why.extend(why);
        self
    }
    /// Says what state the host is in.
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }
    pub fn next(mut self, next: Next) -> Self {
        self.next.push(next);
        self
    }

    /// What to do next, as lines that work when they are pasted. A failure that names nothing gets the same command
    /// again; not so one of [`Exit::Usage`]: what was typed or written stays wrong.
    pub fn next_lines(&self, typed: &Typed) -> Vec<String> {
        if self.next.is_empty() && self.exit != Exit::Usage {
            return vec![typed.line(&Next::again("").remark("again"))];
        }
        typed.lines(&self.next)
    }

    /// All of it below each other, without the word `error:`.
    pub fn text(&self, next: &[String]) -> String {
        let mut out = self.what.clone();
        let why = self.why.iter().enumerate().flat_map(|(at, line)| {
            let own = self.excerpts.iter().filter(move |(of, _)| *of == at);
            let below = own.flat_map(|(_, lines)| lines).enumerate();
            let below = below.map(|(at, line)| (if at == 0 { "in  " } else { "    " }, line));
            std::iter::once(("why ", line)).chain(below)
        });
        let host = self.host.iter().map(|line| ("host", line));
        let next = next.iter().map(|line| ("next", line));
        for (label, line) in why.chain(host).chain(next) {
            out.push_str(&format!("\n  {label}  {line}"));
        }
        out
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let next = Typed::default().lines(&self.next);
        write!(f, "error: {}", self.text(&next))
    }
}

impl std::error::Error for Failure {}
