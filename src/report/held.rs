//! What a step printed, kept until it is known whether it fails: the first and the last lines for a screen, and all of it
//! for a file. Never here: how many of these lines are shown.

use std::collections::VecDeque;

use crate::cache::Shelf;
use crate::text::{bytes, shown};

/// The lines that a step printed, for when it fails: the cause is in one of them.
#[derive(Default)]
pub struct Held {
    first: Vec<String>,
    last: VecDeque<String>,
    /// How many came between them.
    pub between: usize,
    /// All of them, as they came.
    all: Vec<u8>,
    /// Bytes that were too many.
    gone: usize,
}

impl Held {
    /// How many lines are kept for a screen.
    pub const LINES: usize = 40;
    /// How many of them from the beginning.
    const FIRST: usize = 10;
    /// The most that is shown of one, in bytes.
    const LONGEST: usize = 4096;
    /// The most that is kept of all, in bytes; of more, the end.
    const MOST: usize = 8 << 20;

    pub fn push(&mut self, line: &[u8]) {
        self.all.extend_from_slice(line);
        self.all.push(b'\n');
        if self.all.len() > Self::MOST {
            let half = self.all.len() - Self::MOST / 2;
            let end = self.all[half..].iter().position(|byte| *byte == b'\n');
            let cut = end.map_or(half, |end| half + end + 1);
            self.all.drain(..cut);
            self.gone += cut;
        }
        let text = as_printed(line);
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
    pub fn lines(&self) -> (Vec<String>, Vec<String>) {
        (self.first.clone(), self.last.iter().cloned().collect())
    }

    /// All lines, as they are printed.
    pub fn whole(&self) -> impl Iterator<Item = String> {
        let gone = (self.gone > 0).then(|| format!("    … {} before this", bytes(self.gone as u64)));
        let lines = self.all.split(|byte| *byte == b'\n').map(as_printed);
        let lines = lines.take(self.all.iter().filter(|byte| **byte == b'\n').count());
        gone.into_iter().chain(lines)
    }

    /// Writes all of it to a file. Its path; `None` where that did not succeed.
    pub fn keep(&self, shelf: &Shelf, name: &str) -> Option<String> {
        shelf.write(name, &self.all);
        shelf.used(name).then(|| shelf.path(name))
    }
}

fn as_printed(line: &[u8]) -> String {
    let rest = line.len().saturating_sub(Held::LONGEST);
    let mut text = shown(&line[..line.len() - rest]);
    if rest > 0 {
        text.push_str(&format!(" … and {}", bytes(rest as u64)));
    }
    // As the program wrote it: an editor finds `file:line` at the beginning only.
    format!("    {text}")
}
