//! What a drain trial proved of an instance, as one line, and what to do where it lost a request. Pure.

use super::{Area, Depth, Evidence, Finding};
use crate::config::Config;
use crate::failure::Next;
use crate::observed::drain::{Health, Hears, Kept, Request, Stopped};
use crate::text;

/// One instance, and how far its trial came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// The unit; of a service without an instance that could be tried, its name.
    pub unit: String,
    pub tried: Tried,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    /// Why clients did not ask it, if they did not.
    Stopped(Stopped, Option<&'static str>),
    /// Why not.
    Not(String),
    /// Only with `--live`: its strategy has no instance that nobody uses.
    OnlyLive(&'static str),
    /// It stopped, and is not as it was before: why.
    NotBack(Vec<String>),
}

text::words! {
    pub enum Drains {
        Yes = "drains",
        No = "loses_requests",
        /// Nothing was lost, and no request was in progress.
        Unknown = "unknown",
        Untried = "not_tried",
    }
}

/// What is printed of one trial.
#[derive(Clone, Debug)]
pub struct Drained {
    pub trial: Trial,
    pub drains: Drains,
    pub line: String,
    /// Why a request was lost; empty otherwise.
    pub why: String,
    pub next: Vec<Next>,
}

const ADVICE: &str = "on SIGTERM, let the app finish its requests and answer with `Connection: close`: docs/zero-downtime.md, What your app must do";

/// Judges one trial.
#[must_use]
pub fn judge(trial: &Trial) -> Drained {
    let unit = &trial.unit;
    let drained = |drains, line: String| Drained {
        trial: trial.clone(),
        drains,
        line,
        why: String::new(),
        next: Vec::new(),
    };
    let (stopped, unasked) = match &trial.tried {
        Tried::Stopped(stopped, unasked) => (stopped, *unasked),
        Tried::Not(why) => return drained(Drains::Untried, format!("{unit} was not tested: {why}")),
        Tried::OnlyLive(strategy) => {
            let line = format!("{unit} was not tested: `{strategy}` has no idle instance");
            let next = Next::shipit("doctor --drain --live").remark("restarts it: requests may be lost");
            return Drained {
                next: vec![next],
                ..drained(Drains::Untried, line)
            };
        }
        Tried::NotBack(causes) => {
            let line = format!("{unit} is not as it was before the trial: {}", causes.join("; "));
            return drained(Drains::Untried, line);
        }
    };
    let facts = facts(stopped, unasked).join(", ");
    let lost = lost(stopped);
    if !lost.is_empty() {
        return Drained {
            why: facts,
            next: advice(stopped),
            ..drained(Drains::No, format!("{unit} does not drain: {}", lost.join("; ")))
        };
    }
    match (&stopped.request, unasked) {
        (Request::Answered(_), _) => drained(Drains::Yes, format!("{unit} drains: {facts}")),
        (_, Some(_)) => drained(Drains::Unknown, format!("{unit} stops: {facts}")),
        _ => Drained {
            next: vec![Next::again("--path /slow").remark("a path that takes the app a second or longer")],
            ..drained(Drains::Unknown, format!("{unit} stops: {facts}"))
        },
    }
}

/// What was lost, or would be.
fn lost(stopped: &Stopped) -> Vec<String> {
    let mut lost = Vec::new();
    if let Request::Cut(how) = &stopped.request {
        lost.push(format!("the request in progress was cut off ({how})"));
    }
    if let Kept::Cut(how) = &stopped.kept {
        lost.push(format!("a request on the keep-alive connection was cut off ({how})"));
    }
    if stopped.killed {
        lost.push("it did not stop within 2 minutes, and shipit killed it".into());
    }
    match stopped.result.as_deref() {
        Some("timeout") if !stopped.killed => lost.push(format!(
            "systemd killed it after {}: TimeoutStopSec= expired",
            stopped.timeout
        )),
        Some(result @ ("signal" | "core-dump" | "watchdog")) if !stopped.killed => {
            lost.push(format!("it was killed (result {result})"));
        }
        _ => {}
    }
    // A command in the unit may let it finish.
    if !stopped.exec_stop && !matches!(stopped.request, Request::Answered(_)) {
        match stopped.hears {
            Some(Hears::Ends) => lost.push(format!("it has no handler for {}", stopped.signal)),
            Some(Hears::Ignored) => lost.push(format!("it ignores {}", stopped.signal)),
            Some(Hears::Caught) | None => {}
        }
    }
    lost
}

/// What else the trial observed.
fn facts(stopped: &Stopped, unasked: Option<&str>) -> Vec<String> {
    let mut facts: Vec<String> = Vec::new();
    match &stopped.request {
        Request::Answered(took) => facts.push(format!(
            "the request in progress was answered ({})",
            text::seconds(*took)
        )),
        Request::Cut(_) => {}
        Request::None if unasked.is_some() => {}
        Request::None => {
            facts.push("no request was in progress long enough, so only the idle connection was tested".into())
        }
    }
    facts.extend(unasked.map(|why| format!("its requests were not tested ({why})")));
    let kept = match stopped.kept {
        Kept::Announced => Some("the idle connection was closed with \"Connection: close\""),
        Kept::Closed => Some("the idle connection was closed without \"Connection: close\""),
        Kept::Open => Some("the idle connection stayed open to the end"),
        Kept::None if stopped.asked => Some("it does not keep connections open"),
        Kept::None | Kept::Cut(_) => None,
    };
    facts.extend(kept.map(Into::into));
    facts.extend(match stopped.health {
        Health::Failed => Some("the health check failed before the port closed".to_owned()),
        Health::Refused => Some("the port closed before the health check failed".to_owned()),
        Health::Good => None,
    });
    let took = stopped
        .took
        .map(|took| format!("stopped in {} (limit: {})", text::seconds(took), stopped.timeout));
    facts.push(took.unwrap_or_else(|| "systemd did not report how long it took to stop".into()));
    match stopped.result.as_deref() {
        Some("exit-code") => facts.push("systemd treats its exit status as a failure (see SuccessExitStatus=)".into()),
        None => facts.push("whether systemd killed it is not known".into()),
        Some(_) => {}
    }
    facts
}

fn advice(stopped: &Stopped) -> Vec<Next> {
    let timeout = stopped.killed || stopped.result.as_deref() == Some("timeout");
    let longer = timeout.then(|| {
        Next::advice("make TimeoutStopSec= longer than the longest request, and let the app close idle connections")
    });
    longer.into_iter().chain([Next::advice(ADVICE)]).collect()
}

/// Trials that lost something, or did not end well; and one that nobody ended.
pub(super) fn findings(config: &Config, evidence: &Evidence, drained: &[Drained]) -> Vec<Finding> {
    let mut found = Vec::new();
    let left = evidence.observed.as_ref().and_then(|observed| observed.trial.as_ref());
    if let Some(unit) = left.filter(|_| evidence.trials.is_empty()) {
        let what = format!("a drain trial of {unit} is in progress, or was interrupted");
        let why = format!(
            "if it was interrupted, {unit} may not be as it was before ({}/.shipit/trial)",
            config.root.as_str()
        );
        let next = Next::shipit("doctor --drain").remark("restores it");
        found.push(
            Finding::warning(Area::Switch, Depth::Switch, what)
                .of(unit)
                .why(why)
                .next(next),
        );
    }
    for one in drained {
        let unit = &one.trial.unit;
        let mut finding = match (&one.trial.tried, one.drains) {
            (Tried::NotBack(_), _) => Finding::error(Area::Unit, Depth::State, one.line.clone())
                .next(Next::shipit("logs --unit").arg(unit))
                .next(Next::shipit("status")),
            (_, Drains::No) => Finding::warning(Area::Strategy, Depth::Later, one.line.clone()).why(one.why.clone()),
            _ => continue,
        };
        finding.next.extend(one.next.iter().cloned());
        found.push(finding.of(unit));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use std::time::Duration;

    /// One that drains, changed so.
    fn line(change: impl FnOnce(&mut Stopped), unasked: Option<&'static str>) -> String {
        let mut stopped = Stopped {
            hears: Some(Hears::Caught),
            took: Some(Duration::from_millis(2100)),
            signal: "SIGTERM".into(),
            timeout: "30s".into(),
            result: Some("success".into()),
            asked: true,
            request: Request::Answered(Duration::from_millis(1900)),
            kept: Kept::Announced,
            health: Health::Refused,
            ..Stopped::default()
        };
        change(&mut stopped);
        let unit = "acme.service".to_owned();
        let tried = Tried::Stopped(stopped, unasked);
        let judged = judge(&Trial { unit, tried });
        format!("{}: {}\n", judged.drains.word(), judged.line)
    }

    #[test]
    fn each_trial_is_one_line() {
        let cut = || Request::Cut("reset".into());
        let result = |word: &str| Some(word.to_owned());
        let lines = [
            line(|_| {}, None),
            line(|it| (it.request, it.kept) = (Request::None, Kept::Closed), None),
            line(|it| (it.request, it.hears) = (cut(), Some(Hears::Ends)), None),
            line(|it| (it.request, it.hears) = (Request::None, Some(Hears::Ends)), None),
            // What systemd started has no handler, and what serves has.
            line(|it| it.hears = Some(Hears::Ends), None),
            line(
                |it| (it.request, it.hears, it.exec_stop) = (Request::None, Some(Hears::Ends), true),
                None,
            ),
            line(|it| it.kept = Kept::Cut("reset".into()), None),
            line(|it| (it.result, it.kept) = (result("timeout"), Kept::Open), None),
            line(|it| (it.result, it.killed) = (result("timeout"), true), None),
            line(|it| (it.result, it.took) = (None, None), None),
            line(
                |it| (it.request, it.kept, it.asked, it.health) = (Request::None, Kept::None, false, Health::Good),
                Some("its instances share one address"),
            ),
        ];
        expect![[r#"
            drains: acme.service drains: the request in progress was answered (1.90s), the idle connection was closed with "Connection: close", the port closed before the health check failed, stopped in 2.10s (limit: 30s)
            unknown: acme.service stops: no request was in progress long enough, so only the idle connection was tested, the idle connection was closed without "Connection: close", the port closed before the health check failed, stopped in 2.10s (limit: 30s)
            loses_requests: acme.service does not drain: the request in progress was cut off (reset); it has no handler for SIGTERM
            loses_requests: acme.service does not drain: it has no handler for SIGTERM
            drains: acme.service drains: the request in progress was answered (1.90s), the idle connection was closed with "Connection: close", the port closed before the health check failed, stopped in 2.10s (limit: 30s)
            unknown: acme.service stops: no request was in progress long enough, so only the idle connection was tested, the idle connection was closed with "Connection: close", the port closed before the health check failed, stopped in 2.10s (limit: 30s)
            loses_requests: acme.service does not drain: a request on the keep-alive connection was cut off (reset)
            loses_requests: acme.service does not drain: systemd killed it after 30s: TimeoutStopSec= expired
            loses_requests: acme.service does not drain: it did not stop within 2 minutes, and shipit killed it
            drains: acme.service drains: the request in progress was answered (1.90s), the idle connection was closed with "Connection: close", the port closed before the health check failed, systemd did not report how long it took to stop, whether systemd killed it is not known
            unknown: acme.service stops: its requests were not tested (its instances share one address), stopped in 2.10s (limit: 30s)
        "#]]
        .assert_eq(&lines.concat());
    }
}
