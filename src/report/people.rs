//! The story on stderr: a line a step, one bar for bytes on a terminal, plain lines elsewhere.

use std::io::Write;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Loudness;
use super::event::{Event, Phase, Report, State};
use super::sentence;
use crate::words::{seconds, shown};

/// The renderer for people.
pub struct People {
    out: Box<dyn Write>,
    loudness: Loudness,
    colour: bool,
    bar: Option<ProgressBar>,
    terminal: bool,
    held: Vec<(&'static str, String)>,
}

impl People {
    /// Writes to `out`; animates stderr only where that is a terminal.
    #[must_use]
    pub fn new(out: Box<dyn Write>, loudness: Loudness, colour: bool, terminal: bool) -> Self {
        Self {
            out,
            loudness,
            colour,
            bar: None,
            terminal,
            held: Vec::new(),
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
        let bar = self.bar.get_or_insert_with(|| {
            ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
        });
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

    fn step(
        &mut self,
        phase: Phase,
        name: &str,
        state: State,
        took: Option<Duration>,
        note: Option<&str>,
    ) {
        let label = sentence::step(phase, name);
        let took = took.map(seconds).unwrap_or_default();
        let note = note
            .map(|n| format!("  {}", shown(n.as_bytes())))
            .unwrap_or_default();
        match state {
            State::Started => {
                self.held.clear();
                self.spin(label);
            }
            State::Done => {
                self.still();
                if self.loudness != Loudness::Quiet {
                    let tick = self.paint("32", "ok");
                    self.say(&format!("  {tick}      {label:<34} {took:>7}{note}"));
                }
            }
            State::Skipped => {
                self.still();
                if self.loudness != Loudness::Quiet {
                    self.say(&format!("  skipped {label}{note}"));
                }
            }
            State::Failed => {
                self.still();
                let cross = self.paint("31", "failed");
                self.say(&format!("  {cross}  {label:<34} {took:>7}{note}"));
                for (source, line) in std::mem::take(&mut self.held) {
                    self.say(&format!("    {source}: {line}"));
                }
            }
        }
    }

    fn progress(&mut self, sent: u64, total: u64) {
        if !self.terminal || self.loudness == Loudness::Quiet {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
        });
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
                let line = shown(line);
                let loud = self.loudness == Loudness::Verbose
                    || matches!(*source, "build" | "journal" | "host");
                if loud && self.loudness != Loudness::Quiet {
                    self.say(&format!("    {source}: {line}"));
                } else {
                    // Shown only if the step fails.
                    if self.held.len() == 40 {
                        self.held.remove(0);
                    }
                    self.held.push((source, line));
                }
            }
            Event::Warning { text } => {
                let word = self.paint("33", "warning");
                self.say(&format!("  {word}: {}", shown(text.as_bytes())));
            }
            Event::Ended(ended) => {
                self.still();
                for line in sentence::ended(ended) {
                    let line = match line.strip_prefix("error:") {
                        Some(rest) => format!("{}{rest}", self.paint("31;1", "error:")),
                        None => line,
                    };
                    self.say(&line);
                }
            }
        }
    }
}
