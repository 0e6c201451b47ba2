//! Events become lines for people and programs. Nothing here decides anything or touches a host.
//! Start reading at `event`; `sentence` writes each sentence once, `fold` makes one of several steps, `people` places
//! them on a screen (`layout`, `live`), `json` is for programs.

pub mod event;
mod fit;
mod fold;
mod held;
pub mod journal;
pub mod json;
pub mod layout;
mod live;
pub mod people;
pub mod sentence;
mod sgr;
pub mod timeline;

use crate::cache::Shelf;
use crate::failure::Typed;
use event::Report;
use std::io::IsTerminal as _;

/// Of how many steps that failed the whole output is kept on this machine.
const OUTPUTS: usize = 16;

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
    /// On a terminal, unless NO_COLOR is set or TERM is dumb
    #[default]
    Auto,
    Always,
    Never,
}

impl Colour {
    /// Whether this stream gets colors.
    pub fn on(self, stream: impl std::io::IsTerminal) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            // https://no-color.org: any value that is not empty.
            Self::Auto => {
                stream.is_terminal() && !is_dumb() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
            }
        }
    }
}

/// A terminal that only prints: nothing on it moves or has a color, as a screen reader or an editor's shell wants it.
fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// The renderer that a run reports to: JSON lines on stdout when asked for, else the story on stderr.
pub fn choose(json: bool, loudness: Loudness, colour: Colour, typed: Typed) -> Box<dyn Report> {
    if json {
        return Box::new(json::Json::new(Box::new(std::io::stdout()), typed));
    }
    let screen = if std::io::stderr().is_terminal() {
        layout::Screen::Stderr { moves: !is_dumb() }
    } else {
        layout::Screen::None
    };
    let out = Box::new(std::io::stderr());
    let people = people::People::new(out, loudness, colour.on(std::io::stderr()), screen, typed);
    Box::new(people.keeping(Shelf::of_user("output", OUTPUTS)))
}

/// The text in a color: the number of ECMA-48.
pub fn painted(colour: bool, code: &str, text: &str) -> String {
    if colour {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
