//! The story on stderr: a line for what was built, sent, switched and found healthy, or one a step; on a terminal also one
//! that moves. Places what `sentence` and `fold` wrote, and decides nothing else.

mod end; // the last lines

use std::io::Write;
use std::time::{Duration, Instant};

use crate::cache::Shelf;
use crate::failure::Typed;
use crate::report::Loudness;
use crate::report::event::{Downtime, Event, Phase, Report, State};
use crate::report::fit::Room;
use crate::report::fold::{self, Done, Fold, Folded};
use crate::report::held::Held;
use crate::report::layout::{self, Screen};
use crate::report::live::Live;
use crate::report::sentence;
use crate::text::{seconds, shown};

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
    /// A user ended the switch: the step that ends by it has no line, nor has a journal.
    canceled: bool,
    /// The downtime was told.
    measured: bool,
    /// Lines of journals.
    journal: Vec<String>,
    /// Since when the release is on its way.
    sending: Option<Instant>,
    /// Rows of the screen that the report of the failure has so far.
    taken: usize,
    app: String,
    /// Where the output of a step that failed is written, if the screen has no room for all of it.
    output: Option<Shelf>,
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
            canceled: false,
            measured: false,
            journal: Vec::new(),
            sending: None,
            taken: 0,
            app: String::new(),
            output: None,
        }
    }

    /// The same, which keeps the whole output of a step that failed there.
    #[must_use]
    pub fn keeping(self, output: Option<Shelf>) -> Self {
        Self { output, ..self }
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

    /// A line below the headline, in the columns of the steps.
    fn fact(&mut self, name: &str, value: &str) {
        if self.loudness != Loudness::Quiet {
            self.say(&format!("  {name:<11}{value}"), 13);
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
        crate::report::painted(self.colour, code, text)
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
            State::Failed if self.canceled && phase == Phase::Switch => self.live.clear(),
            State::Failed => {
                self.live.clear();
                self.fails(phase != Phase::Settle);
                self.unfold();
                self.a_step(("31;1", "failed"), phase, name, took, note);
                self.tell_held(name);
            }
        }
    }

    fn done(&mut self, done: &Done) {
        self.a_step(
            ("32", "ok"),
            done.phase,
            &done.name,
            Some(done.took),
            done.note.as_deref(),
        );
    }

    /// `failed     0.42s  await acme.service: it stopped`: the columns of a line for several steps.
    fn a_step(
        &mut self,
        (code, word): (&str, &str),
        phase: Phase,
        name: &str,
        took: Option<Duration>,
        note: Option<&str>,
    ) {
        let label = sentence::step(phase, name);
        let note = note.map(|n| format!(": {}", shown(n.as_bytes()))).unwrap_or_default();
        let took = took.map_or("-".to_owned(), seconds);
        let line = format!("  {}{took:>7}  {label}{note}", self.paint(code, &format!("{word:<9}")));
        // Where the run failed, the reasons have all of it.
        let most = match (self.is_low() && self.failed, word) {
            (false, _) => usize::MAX,
            (true, "ok") => 1,
            (true, _) => 2,
        };
        let line = self.broken(&line, 20, most);
        self.put(&line);
    }

    /// What follows the confirmation fails alone.
    fn fails(&mut self, all: bool) {
        if !self.failed {
            (self.failed, self.taken) = (all, 0);
        }
    }

    /// What the failed step printed first and last.
    fn tell_held(&mut self, step: &str) {
        let held = std::mem::take(&mut self.held);
        let Some(room) = self.room() else {
            held.whole().for_each(|line| self.put(&line));
            return;
        };
        let (mut between, end) = (held.between, room.end());
        let (mut lines, last) = held.lines();
        let first = room.first(&lines, &last, between, 6, room.left(self.taken + end));
        first.iter().for_each(|line| self.put(line));
        lines.drain(..first.len());
        if between > 0 {
            between += lines.len();
            lines.clear();
        }
        lines.extend(last);
        let which = if first.is_empty() { "earlier" } else { "more" };
        let word = step.split(' ').next().unwrap_or_default();
        let (shelf, name) = (self.output.take(), format!("{}-{}.log", self.app, word));
        let path = || held.keep(shelf.as_ref()?, &name);
        let about = || match path() {
            Some(path) => format!("{which} lines; all are in {}", shown(path.as_bytes())),
            None => format!("{which} lines; --verbose shows them"),
        };
        self.last(&lines, between, about, end);
        self.output = shelf;
    }

    /// The last of these lines, as many as fit beside `others` rows, and that `before` came before all of them.
    fn last(&mut self, lines: &[String], before: usize, about: impl Fn() -> String, others: usize) {
        let (skipped, kept) = match self.room() {
            Some(room) => room.last(lines, 6, room.left(self.taken + others)),
            None => (0, lines.to_vec()),
        };
        let before = before + skipped;
        if before > 0 {
            self.say(&format!("    … {before} {}", about()), 6);
        }
        kept.iter().for_each(|line| self.put(line));
    }

    fn folded(&mut self, lines: Vec<Folded>) {
        let told = !lines.is_empty();
        for Folded { word, took, note } in lines {
            let code = if word == fold::DOWNTIME && took != fold::NONE {
                "33"
            } else {
                "32"
            };
            let word = self.paint(code, &format!("{word:<9}"));
            let line = format!("  {word}{took:>7}  {note}");
            self.say(line.trim_end(), 20);
        }
        if told {
            self.tell_after();
        }
    }

    fn tell_after(&mut self) {
        for line in std::mem::take(&mut self.after) {
            self.say(&line, 20);
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
            (Loudness::Normal, "journal") => self.journal.push(format!("    {}", shown(line))),
            // In the columns of a line for several steps.
            (Loudness::Normal, "host") => {
                let text = format!("  {source:<18}{}", shown(line));
                match self.fold.is_confirmed() {
                    true => self.after.push(text),
                    false => self.say(&text, 20),
                }
            }
            // Shown only if the step fails.
            _ => {
                self.held.push(line);
                self.live.heard(&shown(line));
            }
        }
    }
}

impl Report for People {
    fn busy(&mut self, with: Option<&str>) {
        match (&self.open, with) {
            (Some(_), with) => self.live.heard(with.unwrap_or_default()),
            (None, Some(with)) => self.live.later(with.to_owned()),
            (None, None) => self.live.over(),
        }
    }

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
                self.app.clone_from(app);
                if self.loudness != Loudness::Quiet {
                    let line = sentence::started(command, app, host, release.as_deref());
                    let line = self.paint("1", &line);
                    self.say(&line, 2);
                }
            }
            Event::Release(id) => self.fact("release", &shown(id.as_bytes())),
            Event::Commit(commit) => self.fact("commit", &sentence::commit(commit)),
            Event::Step {
                phase,
                name,
                state,
                took,
                note,
            } => self.step(*phase, name, *state, *took, note.as_deref()),
            Event::Progress { sent, total, reused } => {
                self.fold.progress(*sent, *total, *reused);
                let began = *self.sending.get_or_insert_with(Instant::now);
                self.live.heard(&sentence::progress(*sent, *total, began.elapsed()));
            }
            Event::Wait { within, answer, .. } => self.live.waits(*within, &sentence::answer(answer)),
            Event::Canceled => {
                self.canceled = true;
                if self.loudness == Loudness::Normal {
                    // What went well before it is undone.
                    drop(self.fold.steps());
                }
            }
            Event::Measured(measured) => {
                let good = !self.failed && !self.canceled;
                self.fold_all(measured.as_deref().filter(|_| good));
            }
            Event::Log { source, line } => self.log(source, line),
            Event::Warning { text } => {
                let word = self.paint("33", "warning");
                self.say(&format!("  {word}: {}", shown(text.as_bytes())), 11);
            }
            Event::Ended(ended) => self.ended(ended),
        }
    }
}
