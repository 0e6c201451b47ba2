//! What a step printed first and last, kept until it is known whether it fails. Never here: how many of these lines are
//! shown.

use std::collections::VecDeque;

use crate::text::{bytes, shown};

/// The first and the last lines that a step said, for when it fails: the cause is in one of them.
#[derive(Default)]
pub struct Held {
    first: Vec<String>,
    last: VecDeque<String>,
    /// How many came between them and are gone.
    pub between: usize,
}

impl Held {
    /// How many lines are kept.
    pub const LINES: usize = 40;
    /// How many of them from the beginning.
    const FIRST: usize = 10;
    /// The most that is shown of one, in bytes.
    const LONGEST: usize = 4096;

    pub fn push(&mut self, line: &[u8]) {
        let rest = line.len().saturating_sub(Self::LONGEST);
        let mut text = shown(&line[..line.len() - rest]);
        if rest > 0 {
            text.push_str(&format!(" … and {}", bytes(rest as u64)));
        }
        // As the program wrote it: an editor finds `file:line` at the beginning only.
        let text = format!("    {text}");
        if self.first.len() < Self::FIRST {
            self.first.push(text);
            return;
        }
        if self.last.len() == Self::LINES - Self::FIRST {
            self.last.pop_front();
            self.between += 1;
        }
        self.last.push_back(text);
    }

    /// The first and the last lines, as they are printed.
    pub fn lines(self) -> (Vec<String>, Vec<String>) {
        (self.first, self.last.into())
    }
}
