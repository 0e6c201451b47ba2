//! Hands a plan to the host as a request, and tells how the host says it ended. From the moment the request
//! is in place nothing here is needed any more.

use super::follow::{self, Followed, Stopped};
use super::{Run, Summary};
use super::{metadata, session};
use crate::config::Config;
use crate::failure::{Exit, Failure, Next};
use crate::host::Host;
use crate::observed::{Observed, Request};
use crate::plan::{Plan, needs};
use crate::remote::{Batch, CONDUCTOR, Script, conductor_digest, exits};
use crate::report::event::{Downtime, Event, Outcome};
use crate::report::journal::journal_line;
use crate::step::{self, Change, Command, End, Kind, RunEnd};
use crate::text;

/// How a switch ended for this client.
pub enum Switched {
    Ended(Box<Followed>, RunEnd),
    /// Another request was there first.
    Held(Request),
    /// Somebody else switched since the host was looked at.
    Outdated(String),
    /// A failure that ends the run.
    Failed(Failure),
}

/// How often a request that seems to be nobody's is asked for again; each time means that it was only late.
const WITHDRAWALS: usize = 5;

/// Puts the request in place and follows it. Gives the session back, when it lived.
pub fn switch(
    run: &mut Run<'_>,
    mut host: Box<dyn Host>,
    observed: &Observed,
    plan: &Plan,
) -> (Switched, Option<Box<dyn Host>>) {
    let root = run.config.root.as_str();
    if observed.conductor.as_deref() != Some(conductor_digest().as_str())
        && let Some(refused) = install_conductor(host.as_mut(), root)
    {
        return (refused, Some(host));
    }
    let id = match run_id() {
        Ok(id) => id,
        Err(failure) => return (Switched::Failed(failure), Some(host)),
    };
    let since = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let request = plan.request(&id, &metadata::who(), &since, needs::access(observed));
    let steps = [
        Script::request([root, &id, &plan.epoch.to_string(), &request]),
        Script::follow([root, &id, "0"]),
    ];
    let stop = Script::cancel([root, &id]);
    let mut followed = Followed::default();
    let report = &mut *run.report;
    let batch = Batch {
        stop: Some(&stop),
        ..Batch::new(&steps)
    };
    let answers = batch.run(host.as_mut(), &mut |event| {
        follow::take_event(event, 1, &mut followed, report);
    });
    let host = match answers {
        Ok(answers) => match answers.first() {
            Some(first) if first.code == 0 => Some(host),
            Some(first) => return (refused(first.code, &first.out, &first.err), Some(host)),
            None => None,
        },
        Err(crate::host::Lost::Interrupted) => {
            followed.stopped = Some(Stopped::Interrupted);
            None
        }
        // Nothing of it has left this machine: it is too long for one command line, say.
        Err(lost @ crate::host::Lost::Source(_)) => {
            let doing = "making the request";
            let failure = session::lost_while(&lost, doing, "nothing live changed");
            return (Switched::Failed(failure), Some(host));
        }
        Err(lost) => {
            let text = session::lost_while(&lost, "following the switch", "").what;
            run.report.event(&Event::Warning {
                text: format!("{text}; the host continues by itself, reconnecting"),
            });
            None
        }
    };
    hear_out(run, host, followed, &id)
}

/// Follows the run to its end. A request that nobody has, or that nobody takes up, is withdrawn; one that was only
/// late is followed on.
fn hear_out(
    run: &mut Run<'_>,
    mut host: Option<Box<dyn Host>>,
    mut followed: Followed,
    id: &str,
) -> (Switched, Option<Box<dyn Host>>) {
    let root = run.config.root.as_str();
    for _ in 0..WITHDRAWALS {
        (followed, host) = follow::follow(run.link, host, root, id, followed, run.interrupts, run.report);
        let (Some(why @ (Stopped::Absent | Stopped::Unbegun)), Some(session)) = (followed.stopped, host.as_mut())
        else {
            break;
        };
        match session::one(session.as_mut(), Script::withdraw([root, id])) {
            Ok(answer) if answer.code == 0 => {
                return (Switched::Failed(withdrawn(run.config, why)), host);
            }
            // It is there by now, or a conductor has it by now.
            Ok(answer) if answer.code == exits::BEGUN => followed.stopped = None,
            Ok(_) => break,
            Err(_) => (followed.stopped, host) = (None, None),
        }
    }
    conclude(followed, host)
}

/// A request that was taken back before anybody had begun it.
fn withdrawn(config: &Config, why: Stopped) -> Failure {
    if why == Stopped::Absent {
        return Failure::new(Exit::Untouched, "the request did not reach the host")
            .why("the connection was lost before the request was in place")
            .host("nothing live changed, and the request can no longer arrive")
            .next(Next::shipit("releases"));
    }
    let guard = format!("shipit-{}.path", config.app.as_str());
    Failure::new(Exit::Untouched, "the host did not start on the request within 5s")
        .why(format!("the guard {guard} is not active"))
        .host("the request was withdrawn; nothing live changed")
        .next(Next::shell(format!(
            "ssh {} systemctl status {guard} shipit-{}.service",
            config.host.ssh_to(),
            config.app.as_str()
        )))
}

/// What following gave, as an end.
fn conclude(mut followed: Followed, host: Option<Box<dyn Host>>) -> (Switched, Option<Box<dyn Host>>) {
    if let Some(last) = followed.end.take() {
        return (Switched::Ended(Box::new(followed), last), host);
    }
    let why = match followed.stopped {
        Some(Stopped::Gone) => "the run ended, but the host could not record the result (is the disk full?)",
        Some(Stopped::Interrupted) => "shipit was interrupted while the host was switching",
        _ => "the host does not respond",
    };
    (
        Switched::Failed(
            Failure::new(Exit::Unknown, "the outcome is unknown")
                .why(why)
                .host("the host finishes the switch or undoes it by itself")
                .next(Next::shipit("status"))
                .next(Next::shipit("attach")),
        ),
        host,
    )
}

fn refused(code: i32, out: &[u8], err: &[Vec<u8>]) -> Switched {
    match code {
        exits::HELD => Switched::Held(Request::parse(out)),
        exits::OUTDATED => Switched::Outdated(text::shown(out.trim_ascii())),
        code => {
            let mut failure =
                Failure::new(Exit::Untouched, "the request could not be put in place").host("nothing live changed");
            failure.why = err.iter().map(|line| text::shown(line)).collect();
            Switched::Failed(failure.why(format!("exit status {code}")).next(Next::shipit("doctor")))
        }
    }
}

/// Gives the host the conductor of this version. Why that was not possible, if a switch cannot go on without it.
fn install_conductor(host: &mut dyn Host, root: &str) -> Option<Switched> {
    let protocol = step::PROTOCOL.to_string();
    let script = Script::conductor([root, &conductor_digest(), &protocol]);
    let mut stdin = CONDUCTOR.as_bytes();
    let batch = Batch {
        stdin: Some(&mut stdin),
        ..Batch::new(std::slice::from_ref(&script))
    };
    let answers = batch.quiet(host);
    let answer = match answers {
        Ok(answers) => answers.into_iter().next().unwrap_or_default(),
        Err(lost) => {
            let doing = "sending the conductor";
            let failure = session::lost_while(&lost, doing, "nothing live changed");
            return Some(Switched::Failed(failure));
        }
    };
    match answer.code {
        0 => None,
        exits::HELD => Some(Switched::Held(Request::parse(&answer.out))),
        code => {
            let what = "the conductor could not be installed on the host";
            let mut failure = Failure::new(Exit::Untouched, what)
                .host("nothing live changed")
                .next(Next::shipit("doctor"));
            failure.why = answer.err.iter().map(|line| text::shown(line)).collect();
            if failure.why.is_empty() {
                failure = failure.why(format!("exit status {code}"));
            }
            if code == exits::CONDUCTOR_OUTDATED {
                let why = "the conductor of this version is not on the host and could not be written";
                let room = "free some space on the host, then run the same command again";
                failure = failure.why(why).next(Next::advice(room));
            }
            Some(Switched::Failed(failure))
        }
    }
}

/// `YYYYMMDD-HHMMSS-xxxxxxxx`: unique by its random tail, readable by its head.
fn run_id() -> Result<String, Failure> {
    let mut tail = [0u8; 4];
    getrandom::fill(&mut tail).map_err(|e| Failure::new(Exit::Untouched, "no random bytes").why(e.to_string()))?;
    let tail: String = tail.iter().map(|b| format!("{b:02x}")).collect();
    Ok(format!("{}-{tail}", chrono::Utc::now().format("%Y%m%d-%H%M%S")))
}

/// The outcome that a command has when its run ended so.
#[must_use]
pub fn outcome(command: Command, end: End) -> Outcome {
    match (end, command) {
        (End::Confirmed, Command::Deploy) => Outcome::Deployed,
        (End::Confirmed, Command::Rollback) => Outcome::RolledBack,
        (End::Confirmed, Command::Prune) => Outcome::Pruned,
        (End::Failed, _) => Outcome::Failed,
        (End::Reverted, _) => Outcome::Reverted,
        (End::Degraded, _) => Outcome::Degraded,
    }
}

/// Tells how the host says it ended.
pub fn tell(run: &mut Run<'_>, change: &Change, followed: &Followed, last: &RunEnd, sent: u64) -> Exit {
    let summary = Summary {
        release: Some(change.next.clone()),
        previous: change.previous.clone(),
        live: last.live.clone(),
        live_after: followed.live_at.map(|at| at.duration_since(run.began)),
        downtime: last.probes.map(|[probes, failed, gap]| Downtime {
            probes,
            failed,
            longest_gap_ms: gap,
        }),
        // After a first deploy there is nothing to go back to.
        next: vec![match (change.command, &change.previous) {
            (Command::Deploy, Some(_)) => Next::shipit("rollback").remark("goes back"),
            (Command::Deploy, None) => Next::shipit("status"),
            _ => Next::shipit("releases"),
        }],
    };
    for line in &followed.journal {
        if let Some(line) = journal_line(line) {
            run.report.event(&Event::Log {
                source: "journal",
                line: line.into_bytes(),
            });
        }
    }
    let outcome = outcome(change.command, last.end);
    let failure = failure(run.config, &change.next, followed, last);
    run.end(outcome, summary, failure, sent)
}

/// What a person is told of a run that was not confirmed.
fn failure(config: &Config, next: &str, followed: &Followed, last: &RunEnd) -> Option<Failure> {
    let app = config.app.as_str();
    let logs = Next::shipit("logs").remark(format!("the whole journal of {app}"));
    let now = last.live.as_deref().map_or_else(
        || "no release is live, as before".to_owned(),
        |id| format!("{app} runs {id}"),
    );
    let failed = |exit: Exit, what: String| Failure::new(exit, what).why(last.cause.clone());
    Some(match last.end {
        End::Confirmed => return None,
        End::Reverted => failed(Exit::Reverted, format!("{next} failed and was reverted"))
            .host(if last.live.is_some() {
                format!("{now}, verified again")
            } else {
                now
            })
            .next(logs),
        End::Failed => {
            let failure =
                failed(Exit::Untouched, format!("{next} did not go live")).host(format!("{now}; nothing live changed"));
            way_on(failure, followed, logs)
        }
        End::Degraded => failed(
            Exit::Degraded,
            "the revert failed too: the host needs manual repair".into(),
        )
        .host(format!("{now}, not verified"))
        .next(Next::shipit("status"))
        .next(Next::shipit("logs"))
        .next(Next::shipit("rollback RELEASE")),
    })
}

/// What to type after a switch that changed nothing live.
fn way_on(failure: Failure, followed: &Followed, logs: Next) -> Failure {
    if followed.failed != Some(Kind::Baseline) {
        return failure.next(logs);
    }
    failure
        .why("the check is wrong, or the live release is broken: going back to it could not be verified")
        .next(Next::shipit("deploy").remark("once `health` in deploy.yml is right"))
        .next(
            Next::shipit("deploy --despite-health").remark("if this release fixes it, or adds what the check asks for"),
        )
}
