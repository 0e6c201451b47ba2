//! What is heard of a batch: what happens meanwhile, and how each step ended. Never here: how it is read.

use std::time::Duration;

use crate::text;

/// How one step of a batch ended.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub code: i32,
    /// What it printed on stdout; all of it, or nothing where [`Script::keep`](super::Script::keep) says so.
    pub out: Vec<u8>,
    /// The last lines it printed on stderr.
    pub err: Vec<Vec<u8>>,
    /// How long it took, as seen from here.
    pub took: Duration,
}

impl Answer {
    /// What it printed on stderr, safe to show.
    pub fn errors(&self) -> Vec<String> {
        let lines = self.err.iter().filter(|line| !line.trim_ascii().is_empty());
        lines.map(|line| text::shown(line)).collect()
    }
}

/// What happens while a batch runs.
pub enum BatchEvent<'a> {
    Began(usize),
    /// A line of its output; not the frame's own.
    Line {
        step: usize,
        /// The line, without its end.
        line: &'a [u8],
        /// Whether it came on stderr.
        err: bool,
    },
    Ended(usize, &'a Answer),
    /// Bytes of stdin handed to the link.
    Sent(u64),
    /// The person asked to stop.
    Interrupted,
    /// What became of the request to stop.
    Asked(Asked),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The host ran what makes the command stop.
    Heard,
    /// The host ran it, and there is nothing left to stop.
    TooLate,
    Unheard,
}
