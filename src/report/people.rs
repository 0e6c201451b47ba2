//! The story on stderr: a line for what was built, sent, switched and found healthy, or one a step; on a terminal also one
//! that moves. Places what `sentence` and `fold` wrote, and decides nothing else.

use std::io::Write;
use std::time::Duration;

use super::Loudness;
use super::event::{Downtime, Ended, Event, Phase, Report, State};
use super::fit::Room;
use super::fold::{self, Done, Fold, Folded};
use super::held::Held;
use super::layout::{self, Screen};
use super::live::Live;
use super::sentence::{self, Before};
use crate::failure::Typed;
use crate::text::{seconds, shown};

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
    /// Rows of the screen that the report of the failure has so far.
    taken: usize,
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
            taken: 0,
        }
    }

    /// Prints a line. What does not fit hangs `hang` columns in.
    fn say(&mut self, line: &str, hang: usize) {
        let line = self.broken(line, hang, usize::MAX);
        self.put(&line);
    }

    /// A line as it is printed, in at most `most` rows.
    fn broken(&self, line: &str, hang: usize, most: usize) -> String {
        match self.screen.size() {
            Some(size) if most < usize::MAX => Room::new(size).cut(line, hang, most),
            Some((columns, _)) => layout::wrapped(line, columns, hang),
            None => line.to_owned(),
        }
    }

    /// A line with a command to paste.
    fn command(&self, line: &str, hang: usize) -> String {
        match self.screen.size() {
            Some((columns, _)) => layout::command(line, columns, hang),
            None => line.to_owned(),
        }
    }

    fn put(&mut self, line: &str) {
        self.taken += self.room().map_or(0, |room| room.taken(line));
        // A reader that went away must not end a deploy.
        let out = &mut self.out;
        self.live
            .aside(|| drop(writeln!(out, "{line}").and_then(|()| out.flush())));
    }

    fn paint(&self, code: &str, text: &str) -> String {
        super::painted(self.colour, code, text)
    }

    /// The screen that a failure has to fit on; none where everything is wanted, or where nothing is a screen.
    fn room(&self) -> Option<Room> {
        let size = self.screen.size()?;
        (self.loudness != Loudness::Verbose).then(|| Room::new(size))
    }

    /// Whether few words are to do.
    fn is_low(&self) -> bool {
        self.room().is_some_and(Room::is_low)
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
                self.fails(phase != Phase::Settle);
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
        // Where the run failed, the reasons have all of it.
        let short = self.is_low() && self.failed;
        let label = if short { Room::name(&label, names) } else { label };
        let line = format!("{before}{label:<names$} {took:>7}{note}");
        let line = self.broken(&line, 10, if short { 2 } else { usize::MAX });
        self.put(&line);
    }

    /// What follows the confirmation fails alone.
    fn fails(&mut self, all: bool) {
        if !self.failed {
            (self.failed, self.taken) = (all, 0);
        }
    }

    /// What the failed step printed last.
    fn tell_held(&mut self) {
        let held = std::mem::take(&mut self.held);
        let end = self.room().map_or(0, Room::end);
        self.last(&held.lines(), held.before, "; --verbose shows them", end);
    }

    /// The last of these lines, as many as fit beside `others` rows, and that `before` came before all of them.
    fn last(&mut self, lines: &[String], before: usize, about: &str, others: usize) {
        let (skipped, kept) = match self.room() {
            Some(room) => room.last(lines, 6, room.left(self.taken + others)),
            None => (0, lines.to_vec()),
        };
        let before = before + skipped;
        if before > 0 {
            self.say(&format!("    … {before} earlier lines{about}"), 6);
        }
        kept.iter().for_each(|line| self.put(line));
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
        let mut steps = self.fold.steps();
        if self.is_low() {
            steps = fold::joined(steps);
        }
        for done in steps {
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

    fn ended(&mut self, ended: &Ended) {
        self.live.clear();
        self.fails(ended.failure.is_some());
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
        let journal = std::mem::take(&mut self.journal);
        let end = match self.room().filter(|_| self.failed) {
            Some(room) => {
                let rows = |lines: &[String]| lines.iter().map(|line| room.taken(line)).sum::<usize>();
                let (_, least) = room.last(&journal, 6, 0);
                let least = rows(&least) + usize::from(least.len() < journal.len());
                self.end(
                    ended,
                    room.reasons(self.taken + least, |most| rows(&self.end(ended, most))),
                )
            }
            None => self.end(ended, usize::MAX),
        };
        let others = self
            .room()
            .map_or(0, |room| end.iter().map(|line| room.taken(line)).sum());
        let about = if self.is_low() {
            ": see `next`"
        } else {
            " of the journal: see `next`"
        };
        self.last(&journal, 0, about, others);
        end.iter().for_each(|line| self.put(line));
    }

    /// The last lines, with at most so many rows of each reason. What to type is the last of them.
    fn end(&self, ended: &Ended, most: usize) -> Vec<String> {
        let short = self.is_low() && ended.failure.is_some();
        let before = match self.loudness {
            Loudness::Normal if ended.failure.is_none() && (self.measured || ended.downtime.is_none()) => {
                Before::Folded
            }
            _ if short => Before::Folded,
            _ => Before::Nothing,
        };
        let mut lines = Vec::new();
        let measured = ended
            .downtime
            .as_ref()
            .filter(|_| short)
            .map(sentence::downtime_in_short);
        lines.extend(measured.map(|measured| self.broken(&format!("downtime: {measured}"), 2, most)));
        for (i, line) in sentence::ended(ended, before, &self.typed).iter().enumerate() {
            if line.starts_with("next: ") {
                lines.push(self.command(line, 6));
            } else if i == 0 && ended.failure.is_none() {
                lines.push(self.broken(&self.paint("1", line), 2, usize::MAX));
            } else {
                lines.push(self.broken(line, 2, usize::MAX));
            }
        }
        let failure = ended.failure.as_ref();
        let failure = failure.map(|failure| sentence::failure(failure, &self.typed));
        for (i, line) in failure.into_iter().flatten().enumerate() {
            lines.push(if i == 0 {
                let (word, what) = (self.paint("31;1", "error:"), self.paint("1", &line));
                self.broken(&format!("{word} {what}"), 7, usize::MAX)
            } else if line.starts_with("  next  ") {
                self.command(&line, 8)
            } else if line.starts_with("  in    ") || line.starts_with("        ") {
                line // as it stands: a mark below is in its column
            } else if line.starts_with("  why ") {
                let line = if short { sentence::without_host(&line) } else { line };
                // The first is the cause.
                let most = most.saturating_add(usize::from(i == 1));
                self.broken(&line, 8, most)
            } else {
                self.broken(&line, 8, usize::MAX)
            });
        }
        lines
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
