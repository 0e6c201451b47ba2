//! Places in `deploy.yml`, and what is wrong there. Never here: how it is found.

use std::fmt;

use saphyr_parser::Marker;

/// A place in the file, counted from 1; columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    pub line: usize,
    pub column: usize,
}

impl Mark {
    pub const START: Self = Self { line: 1, column: 1 };

    pub fn of(marker: Marker) -> Self {
        Self {
            line: marker.line().max(1),
            column: marker.col() + 1,
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Something wrong at a place. `text` is a sentence without capital and full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub at: Mark,
    pub text: String,
}

impl Problem {
    pub fn new(at: Mark, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { at, text }
    }
}
