//! The one line that moves while a step runs: how long it has taken, and the last that was heard of it. Never here: a line
//! that stays.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::layout;
use crate::terminal;
use crate::text::{cut, seconds};

/// How often it moves.
const TICK: Duration = Duration::from_millis(120);
/// What is over sooner is not shown.
const SOON: Duration = Duration::from_millis(300);
/// Columns that stay free: the terminal shows `^C` there, and what went into the next line would not be taken away again.
const FREE: usize = 4;

/// Draws on stderr. Nothing is drawn before a step begins, and nothing is left when it ends or this is dropped.
pub struct Live {
    on: bool,
    line: Arc<Mutex<Option<Line>>>,
    moving: bool,
}

struct Line {
    label: String,
    began: Instant,
    /// How long it is waited for at most.
    within: Option<Duration>,
    heard: String,
    turn: usize,
    /// Not before it took this long.
    after: Duration,
    shown: bool,
}

impl Live {
    pub fn new(on: bool) -> Self {
        Self {
            on,
            line: Arc::default(),
            moving: false,
        }
    }

    /// A step began.
    pub fn step(&mut self, label: String) {
        self.begins(label, Duration::ZERO);
    }

    /// Something began that is no step: it shows if it is not over soon.
    pub fn later(&mut self, label: String) {
        self.begins(label, SOON);
    }

    fn begins(&mut self, label: String, after: Duration) {
        if !self.on {
            return;
        }
        let mut line = Line {
            label,
            began: Instant::now(),
            within: None,
            heard: String::new(),
            turn: 0,
            after,
            shown: false,
        };
        line.draw();
        *locked(&self.line) = Some(line);
        if !self.moving {
            let line = Arc::downgrade(&self.line);
            // Without a thread it stands still.
            self.moving = thread::Builder::new().name("live".into()).spawn(|| moves(line)).is_ok();
        }
    }

    /// The last that was heard of it: safe to show.
    pub fn heard(&self, text: &str) {
        if let Some(line) = &mut *locked(&self.line) {
            text.clone_into(&mut line.heard);
        }
    }

    /// It waits for at most this long, and its seconds begin again; the last answer.
    pub fn waits(&self, within: Duration, answer: &str) {
        if let Some(line) = &mut *locked(&self.line) {
            if line.within != Some(within) {
                (line.within, line.began) = (Some(within), Instant::now());
            }
            answer.clone_into(&mut line.heard);
        }
    }

    /// Takes it away, with what the terminal itself shows there.
    pub fn clear(&self) {
        *locked(&self.line) = None;
        self.blank();
    }

    /// Takes away what [`Self::later`] began.
    pub fn over(&self) {
        let line = locked(&self.line).take();
        if line.is_some_and(|line| line.shown) {
            self.blank();
        }
    }

    fn blank(&self) {
        if self.on {
            terminal::blank();
        }
    }

    /// Takes the line away while something else is printed.
    pub fn aside(&self, print: impl FnOnce()) {
        let mut line = locked(&self.line);
        self.blank();
        print();
        if let Some(line) = &mut *line {
            line.draw();
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Line {
    fn draw(&mut self) {
        if self.began.elapsed() < self.after {
            return;
        }
        self.shown = true;
        let columns = layout::size(std::io::stderr()).map_or(80, |(columns, _)| columns);
        terminal::draw(&cut(&self.text(), columns.saturating_sub(FREE)));
    }

    /// `await acme.service  12s of 30s  /healthz answered 503, not 200`.
    fn text(&self) -> String {
        let sign = ["|", "/", "-", "\\"][self.turn % 4];
        let took = self.began.elapsed();
        // What changes ten times a second cannot be read.
        let took = match took.as_secs() {
            s @ 0..60 => format!("{s}s"),
            _ => seconds(took),
        };
        let of = self
            .within
            .map(|within| format!(" of {}s", within.as_secs()))
            .unwrap_or_default();
        format!("  {sign} {}  {took}{of}  {}", self.label, self.heard)
    }
}

fn moves(line: Weak<Mutex<Option<Line>>>) {
    loop {
        thread::sleep(TICK);
        let Some(line) = line.upgrade() else { return };
        if let Some(line) = &mut *locked(&line) {
            line.turn += 1;
            line.draw();
        }
    }
}

fn locked(line: &Mutex<Option<Line>>) -> MutexGuard<'_, Option<Line>> {
    line.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_the_seconds_of_how_many_and_the_last_answer_and_is_cut() {
        let line = Line {
            label: "await acme.service".into(),
            began: Instant::now(),
            within: Some(Duration::from_secs(30)),
            heard: "/healthz answered 503, not 200".into(),
            turn: 5,
            after: Duration::ZERO,
            shown: false,
        };
        let text = line.text();
        assert_eq!(
            text,
            "  / await acme.service  0s of 30s  /healthz answered 503, not 200"
        );
        assert_eq!(cut(&text, 36), "  / await acme.service  0s of 30s  …");
        assert_eq!(cut("| 構築中です", 8), "| 構築…");
        assert_eq!(cut("| 構築中です", 12), "| 構築中です");
        assert_eq!(cut("構築", 0), "…");
    }
}
