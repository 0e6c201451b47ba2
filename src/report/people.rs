//! The story on stderr: a line for what was built, sent, switched and found healthy, or one a step; on a terminal also one
//! that moves. Places what `sentence` and `fold` wrote, and decides nothing else.

use std::collections::VecDeque;
use std::io::Write;
use std::time::Duration;

use super::Loudness;
use super::event::{Downtime, Ended, Event, Phase, Report, State};
use super::fold::{Done, Fold, Folded};
use super::layout::{self, Screen};
use super::live::Live;
use super::sentence::{self, Before};
use crate::failure::Typed;
use crate::text::{bytes, seconds, shown};

/// Where a step's time, and what is said of it, stand.
const NAMES: usize = 34;

pub struct People {
    out: Box<dyn Write>,
    loudness: Loudness,
    colour: bool,
    screen: Screen,
    live: Live,
    typed: Typed,
    held: Held,
    fold: Fold,
    /// The step that began and has not ended.
    open: Option<(Phase, String)>,
    /// What happened after the confirmation, for below the line about what went before it.
    after: Vec<String>,
    /// A step failed: from then on each is a line.
    failed: bool,
    /// The downtime was told.
    measured: bool,
    /// Lines of journals.
    journal: Vec<String>,
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
    /// Writes to `out`, for a `screen`. What to do next is for the command line `typed`.
    #[must_use]
    pub fn new(out: Box<dyn Write>, loudness: Loudness, colour: bool, screen: Screen, typed: Typed) -> Self {
        let moves = screen == Screen::Stderr { moves: true } && loudness != Loudness::Quiet;
        Self {
            out,
            loudness,
            colour,
            screen,
            live: Live::new(moves),
            typed,
            held: Held::default(),
            fold: Fold::default(),
            open: None,
            after: Vec::new(),
            failed: false,
            measured: false,
            journal: Vec::new(),
        }
    }

    /// Prints a line. What does not fit hangs `hang` columns in.
    fn say(&mut self, line: &str, hang: usize) {
        let line = match self.screen.size() {
            Some((columns, _)) => layout::wrapped(line, columns, hang),
            None => line.to_owned(),
        };
        self.put(&line);
    }

    /// Prints a line with a command to paste.
    fn say_command(&mut self, line: &str, hang: usize) {
        let line = match self.screen.size() {
            Some((columns, _)) => layout::command(line, columns, hang),
            None => line.to_owned(),
        };
        self.put(&line);
    }

    fn put(&mut self, line: &str) {
        // A reader that went away must not end a deploy.
        let out = &mut self.out;
        self.live
            .aside(|| drop(writeln!(out, "{line}").and_then(|()| out.flush())));
    }

    fn paint(&self, code: &str, text: &str) -> String {
        super::painted(self.colour, code, text)
    }

    /// The most lines of output that fit on the screen beside `others`, with what failed and what to do.
    fn room(&self, others: usize) -> usize {
        match self.screen.size() {
            Some((_, rows)) => rows.saturating_sub(others).clamp(5, Held::LINES),
            None => usize::MAX,
        }
    }

    fn step(&mut self, phase: Phase, name: &str, state: State, took: Option<Duration>, note: Option<&str>) {
        self.open = None;
        match state {
            State::Started => {
                self.held = Held::default();
                self.open = Some((phase, name.to_owned()));
                self.live.step(sentence::step(phase, name));
            }
            State::Done => {
                self.live.clear();
                let done = Done {
                    phase,
                    name: name.to_owned(),
                    took: took.unwrap_or_default(),
                    note: note.map(str::to_owned),
                };
                match self.loudness {
                    Loudness::Quiet => {}
                    Loudness::Verbose => self.done(&done),
                    // Of what failed, only the way back is one line.
                    Loudness::Normal if self.failed && phase != Phase::Revert => self.done(&done),
                    Loudness::Normal => {
                        let lines = self.fold.done(done);
                        self.folded(lines);
                    }
                }
            }
            State::Failed => {
                self.live.clear();
                // What follows the confirmation fails alone.
                self.failed |= phase != Phase::Settle;
                self.unfold();
                let word = self.paint("31;1", "failed");
                self.a_step(&format!("  {word}  "), phase, name, took, note);
                self.tell_held();
            }
        }
    }

    fn done(&mut self, done: &Done) {
        let word = self.paint("32", "ok");
        let took = Some(done.took);
        self.a_step(
            &format!("  {word}      "),
            done.phase,
            &done.name,
            took,
            done.note.as_deref(),
        );
    }

    fn a_step(&mut self, before: &str, phase: Phase, name: &str, took: Option<Duration>, note: Option<&str>) {
        let label = sentence::step(phase, name);
        let took = took.map(seconds).unwrap_or_default();
        let note = note.map(|n| format!("  {}", shown(n.as_bytes()))).unwrap_or_default();
        let names = self
            .screen
            .size()
            .map_or(NAMES, |(columns, _)| NAMES.min(columns.saturating_sub(18)));
        self.say(&format!("{before}{label:<names$} {took:>7}{note}"), 10);
    }

    /// What the failed step printed last.
    fn tell_held(&mut self) {
        let mut held = std::mem::take(&mut self.held);
        let skipped = held.lines.len().saturating_sub(self.room(11));
        let before = held.before + skipped;
        if before > 0 {
            self.say(&format!("    … {before} earlier lines; --verbose shows them"), 6);
        }
        for (source, line) in held.lines.drain(..).skip(skipped) {
            self.say(&format!("    {source}: {line}"), 6);
        }
    }

    fn folded(&mut self, lines: Vec<Folded>) {
        let told = !lines.is_empty();
        for Folded { word, took, note } in lines {
            let word = self.paint("32", &format!("{word:<9}"));
            let line = format!("  {word}{took:>7}  {note}");
            self.say(line.trim_end(), 20);
        }
        if told {
            self.tell_after();
        }
    }

    fn tell_after(&mut self) {
        for line in std::mem::take(&mut self.after) {
            self.say(&line, 6);
        }
    }

    /// What is done and not told yet, as one line for several steps.
    fn fold_all(&mut self, measured: Option<&Downtime>) {
        let lines = self.fold.all(measured);
        self.measured |= !lines.is_empty() && measured.is_some();
        self.folded(lines);
    }

    /// The same step by step, unless all of it was confirmed.
    fn unfold(&mut self) {
        if !self.failed {
            return self.fold_all(None);
        }
        for done in self.fold.steps() {
            self.done(&done);
        }
        self.tell_after();
    }

    fn log(&mut self, source: &'static str, line: &[u8]) {
        let text = format!("    {source}: {}", shown(line));
        match (self.loudness, source) {
            (Loudness::Verbose, _) => self.say(&text, 6),
            (Loudness::Normal, "journal") => self.journal.push(text),
            (Loudness::Normal, "host") if self.fold.is_confirmed() => self.after.push(text),
            (Loudness::Normal, "host") => self.say(&text, 6),
            // Shown only if the step fails.
            _ => {
                self.held.push(source, line);
                self.live.heard(&shown(line));
            }
        }
    }

    /// The last words of the journal: as many as fit beside the rest.
    fn tell_journal(&mut self) {
        let lines = std::mem::take(&mut self.journal);
        // Beside the steps of the switch.
        let before = lines.len().saturating_sub(self.room(18));
        if before > 0 {
            self.say(&format!("    … {before} earlier lines of the journal: see `next`"), 6);
        }
        for line in lines.iter().skip(before) {
            self.say(line, 6);
        }
    }

    fn ended(&mut self, ended: &Ended) {
        self.live.clear();
        self.failed |= ended.failure.is_some();
        self.unfold();
        if let Some((phase, name)) = self.open.take().filter(|_| self.failed) {
            let word = self.paint("33", "open");
            self.a_step(
                &format!("  {word}    "),
                phase,
                &name,
                None,
                Some("no end was observed"),
            );
        }
        self.tell_journal();
        let before = match self.loudness {
            Loudness::Normal if ended.failure.is_none() && (self.measured || ended.downtime.is_none()) => {
                Before::Folded
            }
            _ => Before::Nothing,
        };
        for (i, line) in sentence::ended(ended, before, &self.typed).iter().enumerate() {
            if line.starts_with("next: ") {
                self.say_command(line, 6);
            } else if i == 0 && ended.failure.is_none() {
                let line = self.paint("1", line);
                self.say(&line, 2);
            } else {
                self.say(line, 2);
            }
        }
        // What to type is the last line.
        if let Some(failure) = &ended.failure {
            self.failure(&sentence::failure(failure, &self.typed));
        }
    }

    fn failure(&mut self, lines: &[String]) {
        for (i, line) in lines.iter().enumerate() {
            if i == 0 {
                let (word, what) = (self.paint("31;1", "error:"), self.paint("1", line));
                self.say(&format!("{word} {what}"), 7);
            } else if line.starts_with("  next  ") {
                self.say_command(line, 8);
            } else {
                self.say(line, 8);
            }
        }
    }
}

impl Report for People {
    fn typed(&self) -> Typed {
        self.typed.clone()
    }

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
                    self.say(&line, 2);
                }
            }
            Event::Commit(commit) => {
                if self.loudness != Loudness::Quiet {
                    let line = format!("  commit     {}", sentence::commit(commit));
                    self.say(&line, 13);
                }
            }
            Event::Step {
                phase,
                name,
                state,
                took,
                note,
            } => self.step(*phase, name, *state, *took, note.as_deref()),
            Event::Progress { sent, total, reused } => {
                self.fold.progress(*sent, *total, *reused);
                self.live.heard(&sentence::progress(*sent, *total));
            }
            Event::Wait { within, answer, .. } => self.live.waits(*within, &sentence::answer(answer)),
            Event::Measured(measured) => self.fold_all(measured.as_deref().filter(|_| !self.failed)),
            Event::Log { source, line } => self.log(source, line),
            Event::Warning { text } => {
                let word = self.paint("33", "warning");
                self.say(&format!("  {word}: {}", shown(text.as_bytes())), 11);
            }
            Event::Ended(ended) => self.ended(ended),
        }
    }
}
