//! Events become lines for people and programs. Nothing here decides anything or touches a host.
//! Start reading at `event`; `sentence` writes each sentence once, `people` places it, `json` is for programs.

pub mod event;
pub mod journal;
pub mod json;
pub mod people;
pub mod sentence;

use crate::failure::Typed;
use event::Report;
use std::io::IsTerminal as _;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Loudness {
    /// Only the last line, and what went wrong.
    Quiet,
    #[default]
    Normal,
    /// Every line of every step.
    Verbose,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Colour {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    Always,
    Never,
}

impl Colour {
    #[must_use]
    pub fn on(self) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            // https://no-color.org: any value that is not empty.
            Self::Auto => std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
        }
    }
}

/// The renderer that a run reports to: JSON lines on stdout when asked for, else the story on stderr.
#[must_use]
pub fn choose(json: bool, loudness: Loudness, colour: Colour, typed: Typed) -> Box<dyn Report> {
    if json {
        return Box::new(json::Json::new(Box::new(std::io::stdout()), typed));
    }
    let out = Box::new(std::io::stderr());
    let terminal = std::io::stderr().is_terminal();
    Box::new(people::People::new(out, loudness, colour.on(), terminal, typed))
}
