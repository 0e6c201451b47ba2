//! The lines of `status` about the last switches, and about the one in progress. Never here: how units are now.

use super::View;
use crate::observed::Request;
use crate::observed::ledger::{Past, PastOutcome};
use crate::step::{Command, event_in_words};
use crate::text;

/// How many deploys of the past are told.
const PASTS: usize = 5;

impl View<'_> {
    pub(super) fn pasts(&self) -> Vec<Past> {
        self.observed.ledger.pasts().take(PASTS).collect()
    }

    /// Seconds since a time of the ledger, by the host's clock.
    fn since_time(&self, at: &str) -> Option<i64> {
        let at = chrono::DateTime::parse_from_rfc3339(at).ok();
        self.ago(at.map(|at| at.timestamp()))
    }

    /// Who switches to what, for how long, and where that is.
    pub(super) fn in_progress(&self, request: &Request) -> Vec<String> {
        let since = match self.since_time(&request.since) {
            Some(seconds) => format!("for {}", text::lapse(seconds)),
            None => format!("since {}", request.since),
        };
        let (command, next, by) = (&request.command, &request.next, &request.by);
        let mut lines = vec![format!("switch in progress: {command} to {next} by {by}, {since}")];
        if !request.step.is_empty() {
            lines.push(format!("  at {}", event_in_words(&request.step)));
        }
        lines
    }

    pub(super) fn past(&self, past: &Past, verbose: bool) -> String {
        let under_way = self.observed.request.as_ref().is_some_and(|r| r.run == past.run);
        let what = match (past.command, past.outcome) {
            (_, PastOutcome::Open) if under_way => "in progress",
            (_, PastOutcome::Open) => "end not recorded",
            (Command::Prune, PastOutcome::Done) => "old releases removed",
            (Command::Rollback, PastOutcome::Done) => "rolled back to",
            (Command::Deploy, PastOutcome::Done) => "deployed",
            (_, PastOutcome::Failed) if past.is_canceled() => "canceled, nothing changed",
            (_, PastOutcome::Reverted) if past.is_canceled() => "canceled, reverted",
            (_, PastOutcome::Failed) => "failed, nothing changed",
            (_, PastOutcome::Reverted) => "failed, reverted",
            (_, PastOutcome::Degraded) => "failed, not reverted",
        };
        let ago = self.since_time(&past.at);
        let ago = ago.map_or_else(|| past.at.clone(), |ago| format!("{} ago", text::lapse(ago)));
        let by = self.status.by.get(&past.run);
        let by = by.map(|by| format!(", by {by}")).unwrap_or_default();
        // For `shipit report RUN`; the last one needs none.
        let run = if verbose {
            format!(" ({})", past.run)
        } else {
            String::new()
        };
        format!("  {ago:>10}: {} {what}{by}{run}", past.release)
    }
}
