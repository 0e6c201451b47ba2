//! Several good steps as one line: what was built, sent, switched and found healthy. What fails is never folded. Pure:
//! steps in, lines out.

use std::time::Duration;

use super::event::{Downtime, Phase};
use super::sentence;
use crate::step::Kind;
use crate::text::{bytes, seconds, shown};

/// What a line is about. In the order in which they can be in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Built,
    Sent,
    Prepared,
    /// A hook, or a part of `up` before its deploy.
    Ran,
    BackedUp,
    Migrated,
    Tried,
    Switched,
    Healthy,
    /// The way back, where it went well.
    Reverted,
    /// Releases were removed.
    Pruned,
    /// What else follows the confirmation: no line.
    Settled,
}

impl Part {
    /// The part that a step belongs to.
    fn of(Done { phase, name, note, .. }: &Done) -> Self {
        let (phase, word) = (*phase, name.split(' ').next().unwrap_or_default());
        match (phase, word) {
            (Phase::Stage, "build") => Self::Built,
            (Phase::Stage, "receive" | "verify" | "link" | "publish") => Self::Sent,
            (Phase::Stage, "prepare") => Self::Prepared,
            (Phase::Revert, _) => Self::Reverted,
            (Phase::Ready | Phase::Stage, _) => Self::Ran,
            (Phase::Switch | Phase::Settle, word) => match Kind::of(word) {
                None if phase == Phase::Settle => Self::Ran,
                Some(Kind::Backup) => Self::BackedUp,
                Some(Kind::Migrate) => Self::Migrated,
                Some(Kind::Trial) => Self::Tried,
                Some(Kind::Prune) if note.is_some() => Self::Pruned,
                Some(Kind::Await | Kind::Verify | Kind::Limits | Kind::Confirm) => Self::Healthy,
                _ if phase == Phase::Settle => Self::Settled,
                _ => Self::Switched,
            },
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Built => "built",
            Self::Sent => "sent",
            Self::Prepared => "prepared",
            Self::Ran => "ran",
            Self::BackedUp => "backed up",
            Self::Migrated => "migrated",
            Self::Tried => "tried",
            Self::Switched => "switched",
            Self::Healthy => "healthy",
            Self::Reverted => "reverted",
            Self::Pruned => "pruned",
            Self::Settled => "settled",
        }
    }
}

/// The word of the line that says what the meter measured.
pub const DOWNTIME: &str = "downtime";
/// Its time where no probe failed.
pub const NONE: &str = "none";

/// One step that is done.
#[derive(Clone, Debug)]
pub struct Done {
    pub phase: Phase,
    pub name: String,
    pub took: Duration,
    pub note: Option<String>,
}

/// A line that stands for several steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folded {
    pub word: &'static str,
    pub took: String,
    /// What matters about it, or nothing.
    pub note: String,
}

/// The steps of which no line was printed yet.
#[derive(Debug, Default)]
pub struct Fold {
    open: Vec<(Part, Done)>,
    /// Bytes of files: sent, to be sent, and taken from another release.
    bytes: (u64, u64, u64),
}

impl Fold {
    pub fn progress(&mut self, sent: u64, total: u64, reused: u64) {
        self.bytes = (sent, total, reused);
    }

    /// Takes a good step in: the lines that are whole by it.
    pub fn done(&mut self, done: Done) -> Vec<Folded> {
        let part = Part::of(&done);
        let mut lines = if self.goes_on(part) { Vec::new() } else { self.all(None) };
        let last = matches!(done.name.as_str(), "publish" | "confirm");
        // What `prepare` made is published with it.
        let part = match self.open.last() {
            Some((open, _)) if part == Part::Sent && last => *open,
            _ => part,
        };
        if part != Part::Settled {
            self.open.push((part, done));
        }
        match part {
            Part::Built | Part::Ran | Part::BackedUp | Part::Migrated | Part::Tried => lines.extend(self.part(part)),
            Part::Sent | Part::Prepared if last => lines.extend(self.all(None)),
            // How healthy it was is known at the end.
            Part::Healthy if last => lines.extend(self.part(Part::Switched)),
            _ => {}
        }
        lines
    }

    /// Whether a step of this part continues what is open.
    fn goes_on(&self, part: Part) -> bool {
        let act = |part: Part| match part {
            Part::BackedUp
            | Part::Migrated
            | Part::Tried
            | Part::Switched
            | Part::Healthy
            | Part::Pruned
            | Part::Settled => Part::Switched,
            part => part,
        };
        let Some((open, _)) = self.open.last() else { return true };
        act(*open) == act(part) || (*open, part) == (Part::Prepared, Part::Sent)
    }

    /// Whether the switch was confirmed, and only its end is open.
    pub fn is_confirmed(&self) -> bool {
        self.open.iter().any(|(_, done)| done.name == "confirm")
    }

    /// The lines of all that is open.
    pub fn all(&mut self, measured: Option<&Downtime>) -> Vec<Folded> {
        let mut lines = Vec::new();
        while let Some((part, _)) = self.open.first() {
            let part = *part;
            lines.extend(self.part(part));
            if let (Part::Healthy, Some(measured)) = (part, measured) {
                lines.push(downtime(measured));
            }
        }
        lines
    }

    /// All that is open, step by step: something failed.
    pub fn steps(&mut self) -> Vec<Done> {
        self.open.drain(..).map(|(_, done)| done).collect()
    }

    fn part(&mut self, part: Part) -> Option<Folded> {
        let (these, others): (Vec<_>, Vec<_>) = self.open.drain(..).partition(|(one, _)| *one == part);
        self.open = others;
        let steps: Vec<Done> = these.into_iter().map(|(_, done)| done).collect();
        let first = steps.first()?;
        let took = steps.iter().map(|step| step.took).sum();
        let names = |wanted: &[Kind]| about(&steps, wanted);
        let note = match part {
            Part::Sent => self.sent(took),
            Part::Ran => first.name.clone(),
            Part::BackedUp => names(&[Kind::Backup]),
            Part::Migrated => names(&[Kind::Migrate]),
            Part::Tried => names(&[Kind::Trial]),
            Part::Switched | Part::Reverted => {
                names(&[Kind::Restart, Kind::Socket, Kind::Reload, Kind::Resume, Kind::Stop])
            }
            Part::Healthy => names(&[Kind::Await]),
            Part::Built | Part::Prepared | Part::Pruned | Part::Settled => String::new(),
        };
        let notes = steps.iter().filter_map(|step| step.note.clone());
        let note: Vec<String> = Some(note)
            .into_iter()
            .filter(|note| !note.is_empty())
            .chain(notes)
            .collect();
        Some(Folded {
            word: part.word(),
            took: seconds(took),
            note: shown(note.join("; ").as_bytes()),
        })
    }

    /// `1.2 MB of 45.0 MB`: bytes of files; empty where nothing was to be sent.
    pub fn sent_in_words(&self) -> String {
        let (_, sent, reused) = self.bytes;
        match (sent, reused) {
            (0, 0) => String::new(),
            (0, 1..) => format!("nothing, all {} reused", bytes(reused)),
            (_, 0) => bytes(sent),
            _ => format!("{} of {}", bytes(sent), bytes(sent + reused)),
        }
    }

    /// The same, with the rate.
    fn sent(&self, took: Duration) -> String {
        let (_, sent, _) = self.bytes;
        let mut text = self.sent_in_words();
        // Of less, the time is that of the round trips.
        if sent >= 1_000_000 {
            let rate = sent as f64 / took.as_secs_f64().max(0.001);
            text.push_str(&format!(", {}/s", bytes(rate as u64)));
        }
        text
    }
}

/// `downtime   0.26s  4 of 170 probes failed (4 refused)`.
fn downtime(measured: &Downtime) -> Folded {
    Folded {
        word: DOWNTIME,
        took: sentence::gap(measured).map_or(NONE.to_owned(), seconds),
        note: shown(sentence::measured_beside(measured, true).as_bytes()),
    }
}

/// Good steps as one line, for a screen on which what failed after them needs the rows: `baseline, flip, restart`.
pub fn joined(steps: Vec<Done>) -> Vec<Done> {
    let Some(first) = steps.first() else { return steps };
    let (phase, mut words) = (first.phase, Vec::new());
    for step in &steps {
        let word = step.name.split(' ').next().unwrap_or_default();
        if !words.contains(&word) {
            words.push(word);
        }
    }
    let took = steps.iter().map(|step| step.took).sum();
    vec![Done {
        phase,
        name: words.join(", "),
        took,
        note: None,
    }]
}

/// The units that steps of these kinds are about, each once.
fn about(steps: &[Done], kinds: &[Kind]) -> String {
    let mut units: Vec<&str> = Vec::new();
    for step in steps {
        let (word, unit) = step.name.split_once(' ').unwrap_or((&step.name, ""));
        if Kind::of(word).is_some_and(|kind| kinds.contains(&kind)) && !units.contains(&unit) {
            units.push(unit);
        }
    }
    let more = units.len().saturating_sub(3);
    units.truncate(3);
    match more {
        0 => units.join(", "),
        more => format!("{} and {more} more", units.join(", ")),
    }
}
