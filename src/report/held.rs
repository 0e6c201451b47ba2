//! What a step printed last, kept until it is known whether it fails. Never here: how many of these lines are shown.

use std::collections::VecDeque;

use crate::text::{bytes, shown};

/// The last lines that a step said, for when it fails.
#[derive(Default)]
pub struct Held {
    lines: VecDeque<String>,
    /// How many came before them and are gone.
    pub before: usize,
}

impl Held {
    /// How many lines are kept.
    pub const LINES: usize = 40;
    /// The most that is shown of one, in bytes.
    const LONGEST: usize = 4096;

    pub fn push(&mut self, line: &[u8]) {
        if self.lines.len() == Self::LINES {
            self.lines.pop_front();
            self.before += 1;
        }
        let rest = line.len().saturating_sub(Self::LONGEST);
        let mut text = shown(&line[..line.len() - rest]);
        if rest > 0 {
            text.push_str(&format!(" … and {}", bytes(rest as u64)));
        }
        self.lines.push_back(text);
    }

    /// As they are printed.
    pub fn lines(&self) -> Vec<String> {
        // As the program wrote them: an editor finds `file:line` at the beginning only.
        self.lines.iter().map(|line| format!("    {line}")).collect()
    }
}
