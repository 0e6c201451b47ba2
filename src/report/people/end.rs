//! The last lines of a run on screen: what is live, or what failed and what to type, on as many rows as there are. Never
//! here: what they say.

use super::People;
use crate::report::Loudness;
use crate::report::event::{Ended, Phase};
use crate::report::sentence::{self, Before};

impl People {
    pub(super) fn ended(&mut self, ended: &Ended) {
        self.live.clear();
        self.fails(ended.failure.is_some() && !ended.canceled);
        self.unfold();
        // What only this client did has ended with it.
        let host_alone = |(phase, _): &(Phase, String)| !matches!(phase, Phase::Ready | Phase::Stage);
        if let Some((phase, name)) = self.open.take().filter(|open| self.failed && host_alone(open)) {
            self.a_step(("33", "unknown"), phase, &name, None, None);
        }
        let mut journal = std::mem::take(&mut self.journal);
        if ended.canceled {
            journal.clear();
        }
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
            "earlier lines: see `next`"
        } else {
            "earlier lines of the journal: see `next`"
        };
        self.last(&journal, 0, || about.to_owned(), others);
        end.iter().for_each(|line| self.put(line));
    }

    /// The last lines, with at most so many rows of each reason. What to type is the last of them.
    fn end(&self, ended: &Ended, most: usize) -> Vec<String> {
        let short = self.is_low() && ended.failure.is_some();
        let before = match self.loudness {
            Loudness::Quiet if ended.failure.is_none() => Before::Unwanted,
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
        for (i, line) in sentence::ended(ended, before, &self.fold.sent_in_words(), &self.typed)
            .iter()
            .enumerate()
        {
            if line.starts_with("next: ") {
                lines.push(self.command(line, 6));
            } else if i == 0 && (ended.failure.is_none() || ended.canceled) {
                lines.push(self.broken(&self.paint("1", line), 2, usize::MAX));
            } else {
                lines.push(self.broken(line, 2, usize::MAX));
            }
        }
        let failure = ended.failure.as_ref().filter(|_| !ended.canceled);
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
