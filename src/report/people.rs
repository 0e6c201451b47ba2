//! The story on stderr: a line a step, one bar for bytes on a terminal, plain lines elsewhere.

use std::collections::VecDeque;
use std::io::Write;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Loudness;
use super::event::{Event, Phase, Report, State};
use super::sentence;
use crate::failure::Typed;
use crate::text::{bytes, seconds, shown};

pub struct People {
    out: Box<dyn Write>,
    loudness: Loudness,
    colour: bool,
    bar: Option<ProgressBar>,
    terminal: bool,
    typed: Typed,
    held: Held,
}

/// The last lines that a step said, for when it fails.
#[derive(Default)]
struct Held {
    lines: VecDeque<(&'static str, String)>,
    /// How many came before them and are gone.
    before: usize,
}

impl Held {
    /// How many lines are kept.
    const LINES: usize = 40;
    /// The most that is shown of one, in bytes.
    const LONGEST: usize = 4096;

    fn push(&mut self, source: &'static str, line: &[u8]) {
        if self.lines.len() == Self::LINES {
            self.lines.pop_front();
            self.before += 1;
        }
        let rest = line.len().saturating_sub(Self::LONGEST);
        let mut text = shown(&line[..line.len() - rest]);
        if rest > 0 {
            text.push_str(&format!(" … and {}", bytes(rest as u64)));
        }
        self.lines.push_back((source, text));
    }
}

impl People {
    /// Writes to `out`; animates stderr only where that is a terminal. What to do next is for the command line `typed`.
    #[must_use]
    pub fn new(out: Box<dyn Write>, loudness: Loudness, colour: bool, terminal: bool, typed: Typed) -> Self {
        Self {
            out,
            loudness,
            colour,
            bar: None,
            terminal,
            typed,
            held: Held::default(),
        }
    }

    fn say(&mut self, line: &str) {
        // A reader that went away must not end a deploy.
        let out = &mut self.out;
        match &self.bar {
            Some(bar) => bar.suspend(|| drop(writeln!(out, "{line}"))),
            None => drop(writeln!(out, "{line}")),
        }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    fn spin(&mut self, text: String) {
        if !self.terminal || self.loudness == Loudness::Quiet {
            return;
        }
        let bar = self
            .bar
            .get_or_insert_with(|| ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()));
        if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg}") {
            bar.set_style(style);
        }
        bar.set_message(text);
        bar.enable_steady_tick(Duration::from_millis(120));
    }

    fn still(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn step(&mut self, phase: Phase, name: &str, state: State, took: Option<Duration>, note: Option<&str>) {
        let label = sentence::step(phase, name);
        let took = took.map(seconds).unwrap_or_default();
        let note = note.map(|n| format!("  {}", shown(n.as_bytes()))).unwrap_or_default();
        match state {
            State::Started => {
                self.held = Held::default();
                self.spin(label);
            }
            State::Done => {
                self.still();
                if self.loudness != Loudness::Quiet {
                    let tick = self.paint("32", "ok");
                    self.say(&format!("  {tick}      {label:<34} {took:>7}{note}"));
                }
            }
            State::Failed => {
                self.still();
                let cross = self.paint("31", "failed");
                self.say(&format!("  {cross}  {label:<34} {took:>7}{note}"));
                let held = std::mem::take(&mut self.held);
                if held.before > 0 {
                    let before = held.before;
                    self.say(&format!("    … {before} lines before these: --verbose shows them"));
                }
                for (source, line) in held.lines {
                    self.say(&format!("    {source}: {line}"));
                }
            }
        }
    }

    fn progress(&mut self, sent: u64, total: u64) {
        if !self.terminal || self.loudness == Loudness::Quiet {
            return;
        }
        let bar = self
            .bar
            .get_or_insert_with(|| ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()));
        let template = "  {spinner} sending {bytes} {bytes_per_sec} {wide_bar} {percent}% {eta}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_length(total.max(sent));
        bar.set_position(sent);
    }
}

impl Report for People {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Started {
                command,
                app,
                host,
                release,
            } => {
                if self.loudness != Loudness::Quiet {
                    let line = sentence::started(command, app, host, release.as_deref());
                    let line = self.paint("1", &line);
                    self.say(&line);
                }
            }
            Event::Step {
                phase,
                name,
                state,
                took,
                note,
            } => self.step(*phase, name, *state, *took, note.as_deref()),
            Event::Progress { sent, total } => self.progress(*sent, *total),
            Event::Log { source, line } => {
                let loud = self.loudness == Loudness::Verbose || matches!(*source, "build" | "journal" | "host");
                if loud && self.loudness != Loudness::Quiet {
                    self.say(&format!("    {source}: {}", shown(line)));
                } else {
                    // Shown only if the step fails.
                    self.held.push(source, line);
                }
            }
            Event::Warning { text } => {
                let word = self.paint("33", "warning");
                self.say(&format!("  {word}: {}", shown(text.as_bytes())));
            }
            Event::Ended(ended) => {
                self.still();
                if let Some(failure) = &ended.failure {
                    let word = self.paint("31;1", "error:");
                    self.say(&format!("{word} {}", sentence::failure(failure, &self.typed)));
                }
                for line in sentence::ended(ended, &self.typed) {
                    self.say(&line);
                }
            }
        }
    }
}
