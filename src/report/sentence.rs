//! Each sentence that a person reads about a run, written once. Pure: events in, text out; foreign text is
//! escaped here and nowhere later.

use std::time::Duration;

use super::event::{Commit, Downtime, Ended, Loss, Outcome, Phase};
use crate::failure::{Failure, Typed};
use crate::text::{bytes, seconds, shown};

/// What a step is called on screen.
pub fn step(phase: Phase, name: &str) -> String {
    let name = shown(name.as_bytes());
    match phase {
        // The host receives what this client sends.
        Phase::Stage if name == "receive" => "send".into(),
        Phase::Revert => format!("revert: {name}"),
        _ => name,
    }
}

/// The headline of a run.
pub fn started(command: &str, app: &str, host: &str, release: Option<&str>) -> String {
    let release = release.map(|r| format!(" {r}")).unwrap_or_default();
    shown(format!("{command} {app}{release} on {host}").as_bytes())
}

/// `1a2b3c4 Fix the login (main, uncommitted changes)`; where the files are known, `with uncommitted changes in app.js`.
pub fn commit(commit: &Commit) -> String {
    let changes = match commit.changed.as_slice() {
        [] if commit.dirty => "uncommitted changes".to_owned(),
        [] => String::new(),
        [one] => format!("with uncommitted changes in {one}"),
        [one, other] => format!("with uncommitted changes in {one} and {other}"),
        [one, rest @ ..] => format!("with uncommitted changes in {one} and {} other files", rest.len()),
    };
    let about = [commit.branch.as_str(), &changes];
    let about: Vec<&str> = about.into_iter().filter(|word| !word.is_empty()).collect();
    let about = if about.is_empty() {
        String::new()
    } else {
        format!("({})", about.join(", "))
    };
    joined(&[&commit_in_short(commit), &shown(about.as_bytes())])
}

/// `1a2b3c4 Fix the login`.
pub fn commit_in_short(commit: &Commit) -> String {
    let short: String = commit.revision.chars().take(7).collect();
    shown(joined(&[&short, &commit.subject]).as_bytes())
}

fn joined(words: &[&str]) -> String {
    let words = words.iter().copied().filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// The last answer of a health check, as short as it can be: which host is asked is known.
pub fn answer(text: &str) -> String {
    let address = text.split(' ').next().unwrap_or_default();
    let path = address
        .split_once("://")
        .and_then(|(_, rest)| Some(rest.find('/')? + address.len() - rest.len()));
    shown(path.map_or(text, |path| &text[path..]).as_bytes())
}

/// The same inside of a reason: `not healthy after 30s: /healthz answered 503, not 200`.
pub fn without_host(line: &str) -> String {
    match line.split_once(": http") {
        // What the app printed stays as it is.
        Some((before, address))
            if address.split(' ').nth(1) == Some("answered") && !before.contains("last output of ") =>
        {
            format!("{before}: {}", answer(&format!("http{address}")))
        }
        _ => line.to_owned(),
    }
}

/// How far an upload is, after this time: `57.0 MB of 400.0 MB, 14%, 45.0 MB/s, 8s left`.
pub fn progress(sent: u64, total: u64, after: Duration) -> String {
    let total = total.max(sent);
    let mut text = format!("{} of {}", bytes(sent), bytes(total));
    // Before, the rate is that of the first buffers.
    if after >= Duration::from_secs(1) && sent < total {
        let rate = (sent as f64 / after.as_secs_f64()).max(1.0);
        let left = Duration::from_secs_f64(((total - sent) as f64 / rate).min(1e9));
        let left = match left.as_secs() {
            s @ 0..60 => format!("{}s", s.max(1)),
            _ => seconds(left),
        };
        let percent = sent as u128 * 100 / u128::from(total.max(1));
        text.push_str(&format!(", {percent}%, {}/s, {left} left", bytes(rate as u64)));
    }
    text
}

/// A failure, line by line, without the word `error:` in front.
pub fn failure(failure: &Failure, typed: &Typed) -> Vec<String> {
    let text = failure.text(&failure.next_lines(typed));
    text.lines().map(|line| shown(line.as_bytes())).collect()
}

/// What the lines above the end have said already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    Nothing,
    /// What was sent, and the downtime.
    Folded,
    /// They were not asked for, nor what to do next.
    Unwanted,
}

/// The last lines of a run: what is live, what was sent and measured, what to do next.
pub fn ended(ended: &Ended, before: Before, sent: &str, typed: &Typed) -> Vec<String> {
    let mut lines = Vec::new();
    let sent = match before {
        Before::Nothing if !sent.is_empty() => format!(", sent {sent}"),
        _ => String::new(),
    };
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
            lines.push(format!("{verb} {release}: live and verified in {took}{live}{sent}"));
        }
        Outcome::Staged => lines.push(format!("staged {release} in {took}{sent}; nothing live changed")),
        Outcome::Pruned => {
            lines.push(match &ended.live {
                Some(live) => format!("pruned in {took}; {live} is still live"),
                None => format!("pruned in {took}; {}", none(ended)),
            });
        }
        Outcome::Unchanged if ended.previous.is_none() => {
            let live = ended.live.as_ref().map(|live| format!("{live} is live"));
            lines.push(format!(
                "no switch is in progress; {}",
                live.unwrap_or_else(|| none(ended).into())
            ));
        }
        Outcome::Unchanged => lines.push(format!("unchanged: {release} is live and has the same content")),
        Outcome::Ready => lines.push(format!("the host is ready after {took}")),
        _ => {}
    }
    if let Some(failure) = ended.failure.as_ref().filter(|_| ended.canceled) {
        lines.push(format!(
            "canceled: {}",
            failure.host.as_deref().unwrap_or("nothing live changed")
        ));
    }
    // Of a switch that a user ended, it is told if somebody noticed.
    let measured = ended
        .downtime
        .as_ref()
        .filter(|measured| !ended.canceled || measured.failed > 0);
    if let (Some(measured), Before::Nothing) = (measured, before) {
        lines.push(downtime(measured));
    }
    let next = match &ended.failure {
        None if before == Before::Unwanted => Vec::new(),
        None => typed.lines(&ended.next),
        Some(failure) if ended.canceled => failure.next_lines(typed),
        Some(_) => Vec::new(),
    };
    lines.extend(next.into_iter().map(|line| format!("next: {line}")));
    lines
}

/// What is live where no release is named.
fn none(ended: &Ended) -> &'static str {
    match ended.live_known {
        true => "no release is live",
        false => "it is unknown which release is live",
    }
}

/// How long no probe was answered well; `None` where none failed.
pub fn gap(measured: &Downtime) -> Option<Duration> {
    (measured.failed > 0).then(|| Duration::from_millis(measured.longest_gap_ms))
}

/// The downtime of a switch in a few words, for a table.
pub fn downtime_in_short(measured: &Downtime) -> String {
    let time = |ms: u64| seconds(Duration::from_millis(ms));
    match measured.failed {
        0 if !measured.crashed.is_empty() => "process ended while serving".to_owned(),
        0 => format!("0 failed, wait {}", time(measured.longest_wait_ms)),
        failed => format!("{failed} failed, gap {}", time(measured.longest_gap_ms)),
    }
}

/// The same with its name in front.
pub fn downtime(of: &Downtime) -> String {
    format!("downtime: {}", measured(of))
}

/// The downtime of a switch in one sentence, and how long the services took where they restarted.
pub fn measured(of: &Downtime) -> String {
    measured_beside(of, false)
}

/// The same where the longest gap stands `beside` it.
pub fn measured_beside(measured: &Downtime, beside: bool) -> String {
    let time = |ms: u64| seconds(Duration::from_millis(ms));
    let Downtime {
        probes,
        failed,
        longest_gap_ms,
        longest_wait_ms,
        ..
    } = measured;
    let services = measured.services.iter().filter_map(|one| {
        let (Some(stop), Some(start)) = (one.stop_ms, one.start_ms) else {
            return None;
        };
        Some(format!(
            "; {} took {} to stop and {} to start",
            one.unit,
            time(stop),
            time(start)
        ))
    });
    let services: String = services.collect();
    let lost = crashed(measured);
    if *failed == 0 && !lost.is_empty() {
        return format!("no probe failed ({probes}){lost}{services}");
    }
    if *failed == 0 {
        return format!(
            "no request failed; the longest wait was {} ({probes} probes){services}",
            time(*longest_wait_ms)
        );
    }
    let kinds: Vec<String> = measured
        .failed_by_kind
        .iter()
        .map(|(loss, n)| match loss {
            Loss::Status => format!("{n} with a wrong answer"),
            loss => format!("{n} {}", loss.word()),
        })
        .collect();
    let kinds = if kinds.is_empty() {
        String::new()
    } else {
        format!(" ({})", kinds.join(", "))
    };
    let answered = measured.failed_by_kind.iter().all(|(loss, _)| *loss == Loss::Status);
    let what = match longest_gap_ms {
        // As long as between any two probes.
        0..=110 => ": other probes were answered meanwhile".to_owned(),
        _ if beside => String::new(),
        gap if answered => format!(": no healthy response for {}", time(*gap)),
        gap => format!(": no answer for {}", time(*gap)),
    };
    format!("{failed} of {probes} probes failed{kinds}{what}{lost}{services}")
}

/// `; acme@blue.service ended while it served: requests in progress there may be lost`.
fn crashed(measured: &Downtime) -> String {
    let units = &measured.crashed;
    if units.is_empty() {
        return String::new();
    }
    format!(
        "; {} ended while it served: requests in progress there may be lost",
        units.join(" and ")
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_answer_is_shown_without_the_address_that_is_known() {
        for (said, shown) in [
            (
                "http://127.0.0.1:8080/healthz answered 503, not 200",
                "/healthz answered 503, not 200",
            ),
            ("https://[::1]/ answered 404, not 200", "/ answered 404, not 200"),
            ("http://127.0.0.1 answered 404", "http://127.0.0.1 answered 404"),
            (
                "no connection to http://127.0.0.1:8080/: nothing is listening there",
                "no connection to http://127.0.0.1:8080/: nothing is listening there",
            ),
            ("activating/start\x1b[2J", "activating/start\\x1b[2J"),
        ] {
            assert_eq!(super::answer(said), shown);
        }
    }
}
