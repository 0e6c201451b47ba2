//! The terminal of stderr, which a moving line and a question share: nothing moves while somebody is asked. Never here: what
//! either says.

use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::termios::{LocalModes, tcgetattr};

/// To the beginning of the line, and nothing is in it any more (ECMA-48).
const CLEAR: &str = "\r\x1b[K";

/// What is there now.
#[derive(Debug)]
struct State {
    /// Questions, and commands that may ask.
    asking: usize,
    /// A line that moves is on the screen.
    drawn: bool,
}

static STATE: Mutex<State> = Mutex::new(State {
    asking: 0,
    drawn: false,
});

impl State {
    /// What is written to draw this line; nothing while somebody is asked.
    fn drawn(&mut self, line: &str) -> Option<String> {
        (self.asking == 0).then(|| {
            self.drawn = true;
            format!("{CLEAR}{line}")
        })
    }

    /// What is written to take the line away, with what the terminal itself shows there, such as `^C`; nothing where a
    /// question may stand instead.
    fn blank(&mut self) -> Option<String> {
        let drawn = std::mem::take(&mut self.drawn);
        (drawn || self.asking == 0).then(|| CLEAR.to_owned())
    }
}

/// Draws the line that moves, if nobody is asked: neither by shipit nor, as far as the terminal shows it, by another program.
pub fn draw(line: &str) {
    let mut state = locked();
    // Whoever asks for a password turns the echo off.
    let echoes = |modes: rustix::termios::Termios| modes.local_modes.contains(LocalModes::ECHO);
    if tcgetattr(std::io::stderr()).is_ok_and(echoes) {
        put(state.drawn(line));
    }
}

/// Takes the line that moves away.
pub fn blank() {
    let mut state = locked();
    put(state.blank());
}

/// While it lives, nothing moves at the terminal.
#[must_use]
pub struct Still(());

/// Before a question of shipit: the moving line makes room.
pub fn question() -> Still {
    let mut state = locked();
    if state.drawn {
        put(state.blank());
    }
    state.asking += 1;
    Still(())
}

/// Before a command that may ask: the line stays where it is, and does not move.
pub fn command() -> Still {
    locked().asking += 1;
    Still(())
}

impl Drop for Still {
    fn drop(&mut self) {
        locked().asking -= 1;
    }
}

fn locked() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A terminal that went away must not end a deploy.
fn put(text: Option<String>) {
    if let Some(text) = text {
        let mut out = std::io::stderr().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_drawn_or_taken_away_while_a_question_stands() {
        let mut state = State {
            asking: 0,
            drawn: false,
        };
        assert_eq!(state.drawn("a").as_deref(), Some("\r\x1b[Ka"));
        assert_eq!(state.blank().as_deref(), Some(CLEAR));
        assert_eq!(state.blank().as_deref(), Some(CLEAR), "the terminal shows ^C there");
        state.drawn("a");
        state.asking = 1;
        assert_eq!(state.drawn("b"), None);
        assert_eq!(state.blank().as_deref(), Some(CLEAR), "the line from before");
        assert_eq!((state.blank(), state.drawn("c")), (None, None));
        state.asking = 0;
        assert!(state.drawn("d").is_some());
    }

    #[test]
    fn questions_that_overlap_end_one_by_one() {
        let first = question();
        let second = command();
        assert!(locked().asking >= 2);
        drop(first);
        assert!(locked().asking >= 1);
        drop(second);
    }
}
