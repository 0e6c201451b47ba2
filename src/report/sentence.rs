//! Each sentence that a person reads about a run, written once. Pure: events in, text out; foreign text is
//! escaped here and nowhere later.

use super::event::{Downtime, Ended, Outcome, Phase};
use crate::failure::{Failure, Typed};
use crate::text::{bytes, seconds, shown};

/// What a step is called on screen.
#[must_use]
pub fn step(phase: Phase, name: &str) -> String {
    let name = shown(name.as_bytes());
    match phase {
        Phase::Revert => format!("back: {name}"),
        _ => name,
    }
}

/// The headline of a run.
#[must_use]
pub fn started(command: &str, app: &str, host: &str, release: Option<&str>) -> String {
    let release = release.map(|r| format!(" {r}")).unwrap_or_default();
    shown(format!("{command} {app}{release} on {host}").as_bytes())
}

/// A failure, line by line, without the word `error:` in front.
#[must_use]
pub fn failure(failure: &Failure, typed: &Typed) -> String {
    let text = failure.text(&failure.next_lines(typed));
    let lines: Vec<String> = text.lines().map(|line| shown(line.as_bytes())).collect();
    lines.join("\n")
}

/// The last lines of a run: what is live, what was measured, what to do next.
#[must_use]
pub fn ended(ended: &Ended, typed: &Typed) -> Vec<String> {
    let mut lines = Vec::new();
    let release = ended.release.as_deref().unwrap_or("?");
    let took = seconds(ended.took);
    match ended.outcome {
        Outcome::Deployed | Outcome::RolledBack => {
            let live = ended
                .live_after
                .map(|t| format!(" (live after {})", seconds(t)))
                .unwrap_or_default();
            let verb = if ended.outcome == Outcome::Deployed {
                "deployed"
            } else {
                "rolled back to"
            };
            lines.push(format!(
                "{verb} {release}: live and verified in {took}{live}, {} sent",
                bytes(ended.bytes_sent)
            ));
        }
        Outcome::Staged => lines.push(format!("staged {release} in {took}; nothing live changed")),
        Outcome::Pruned => {
            let live = ended.live.as_deref().unwrap_or("no release");
            lines.push(format!("pruned in {took}; {live} is live as before"));
        }
        Outcome::Unchanged if ended.previous.is_none() => {
            let live = ended.live.as_deref().unwrap_or("no release");
            lines.push(format!("no switch is in progress; {live} is live"));
        }
        Outcome::Unchanged => lines.push(format!("unchanged: {release} is live and has the same content")),
        Outcome::Ready => lines.push(format!("the host is ready, in {took}")),
        _ => {}
    }
    if let Some(measured) = &ended.downtime {
        lines.push(downtime(measured));
    }
    if ended.failure.is_none() {
        let next = typed.lines(&ended.next).into_iter();
        lines.extend(next.map(|line| format!("next: {line}")));
    }
    lines
}

#[must_use]
pub fn downtime(measured: &Downtime) -> String {
    let Downtime {
        probes,
        failed,
        longest_gap_ms,
    } = measured;
    if *failed == 0 {
        format!(
            "downtime: none observed; {probes} probes, 0 failed, \
             longest gap between successful responses {longest_gap_ms} ms"
        )
    } else {
        format!(
            "downtime: {failed} of {probes} probes failed, longest gap between successful responses {longest_gap_ms} ms"
        )
    }
}

/// The outcome's word, as in JSON and in hooks.
#[must_use]
pub fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Deployed => "deployed",
        Outcome::RolledBack => "rolled_back",
        Outcome::Staged => "staged",
        Outcome::Pruned => "pruned",
        Outcome::Unchanged => "unchanged",
        Outcome::Ready => "ready",
        Outcome::Failed => "failed",
        Outcome::Reverted => "reverted",
        Outcome::Degraded => "degraded",
        Outcome::Locked => "locked",
        Outcome::Unreachable => "unreachable",
        Outcome::Unknown => "unknown",
    }
}
