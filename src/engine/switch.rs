//! Hands a plan to the host as a request, and tells how the host says it ended. From the moment the request
//! is in place nothing here is needed any more.

use std::collections::BTreeMap;

use super::follow::{self, CANCEL, Followed, READ_ONLY, Stopped};
use super::{Run, held, metadata, session, verify};
use crate::config::Config;
use crate::failure::{Exit, Failure, Next};
use crate::host::Host;
use crate::observed::{Observed, Request};
use crate::plan::units::journal_helper;
use crate::plan::{Plan, needs};
use crate::remote::{Answer, Batch, CONDUCTOR, Script, conductor_digest, exits};
use crate::report::event::{Ended, Outcome, State};
use crate::report::journal::{folded, last_output};
use crate::step::{self, Command, End, Kind, RunEnd};
use crate::text;
use crate::unit::properties::Properties;

/// How a switch ended for this client.
pub enum Switched {
    Ended(Box<Followed>, RunEnd),
    /// Another request was there first.
    Held(Request),
    /// Somebody else switched since the host was looked at.
    Outdated(String),
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
    run.id = Some(id.clone());
    let since = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let helper = journal_helper(run.config).unwrap_or_else(|| "-".into());
    let request = plan.request(&id, &metadata::who(), &since, needs::access(observed), &helper);
    run.outputs = outputs(observed);
    let mut followed = Followed::of(plan.change.command).verifying();
    let steps = [
        Script::request([root, &id, &plan.epoch.to_string(), &request.len().to_string()]),
        Script::follow([root, &id, "0", followed.role()]),
    ];
    let stop = Script::word([root, &id, CANCEL]);
    let (link, report) = (&mut *run.link, &mut *run.report);
    let mut stdin = request.as_bytes();
    let mut again = || link.connect(&mut session::Quiet).ok();
    let batch = Batch::new(&steps).stop(&stop).again(&mut again).stdin(&mut stdin);
    let answers = batch.run(host.as_mut(), &mut |event| {
        follow::take_event(event, 1, &mut followed, report);
    });
    let mut failed = Vec::new();
    let host = match answers {
        Ok(answers) => match answers.first() {
            Some(first) if first.code == 0 => Some(host),
            Some(first) => match refused(first) {
                Some(refused) => return (refused, Some(host)),
                // It may be in place all the same: the host is asked.
                None => {
                    failed.extend(first.errors());
                    failed.push(format!("exit status {}", first.code));
                    Some(host)
                }
            },
            None => None,
        },
        Err(crate::host::Lost::Interrupted) => {
            followed.stopped = Some(Stopped::Interrupted);
            None
        }
        // Nothing of it has left this machine: it is too long for one command line, say.
        Err(lost @ crate::host::Lost::Source(_)) => {
            let failure = session::lost_while(&lost, "requesting the switch", "nothing live changed");
            return (Switched::Failed(failure), Some(host));
        }
        Err(lost) => {
            let text = session::lost_while(&lost, "following the switch", "").what;
            run.report
                .warn(format!("{text}; the host continues on its own; reconnecting"));
            None
        }
    };
    hear_out(run, host, followed, &id, &failed)
}

/// The services that do not write to the journal, and where they write instead.
fn outputs(observed: &Observed) -> BTreeMap<String, (&'static str, String)> {
    let elsewhere = |properties: &Properties| properties.output_elsewhere().map(|(key, to)| (key, to.to_owned()));
    let units = observed.units.iter();
    units
        .filter_map(|(unit, properties)| Some((unit.clone(), elsewhere(properties)?)))
        .collect()
}

/// Follows the run to its end. A request that nobody has, or that nobody takes up, is withdrawn; one that was only
/// late is followed on. `failed` is what the script that placed it reported, where it ended with a failure.
fn hear_out(
    run: &mut Run<'_>,
    mut host: Option<Box<dyn Host>>,
    mut followed: Followed,
    id: &str,
    failed: &[String],
) -> (Switched, Option<Box<dyn Host>>) {
    let root = run.config.root.as_str();
    for _ in 0..WITHDRAWALS {
        (followed, host) = follow::follow(run.link, host, root, id, followed, run.interrupts, run.report);
        while followed.stopped == Some(Stopped::Verify) {
            host = verify::verify(run, host, &mut followed, id);
            (followed, host) = follow::follow(run.link, host, root, id, followed, run.interrupts, run.report);
        }
        let (Some(why @ (Stopped::Absent | Stopped::Unbegun)), Some(session)) = (followed.stopped, host.as_mut())
        else {
            break;
        };
        // One whose script has ended cannot come any more.
        let late = if failed.is_empty() { "late" } else { "ended" };
        match session::one(session.as_mut(), Script::withdraw([root, id, late])) {
            Ok(answer) if answer.code == 0 => {
                return (Switched::Failed(withdrawn(run.config, why, failed)), host);
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
fn withdrawn(config: &Config, why: Stopped, failed: &[String]) -> Failure {
    if why == Stopped::Absent && !failed.is_empty() {
        let mut failure = Failure::new(Exit::Untouched, "the host could not store the request");
        failure.why = failed.to_vec();
        return failure.host("nothing live changed").next(Next::shipit("doctor"));
    }
    if why == Stopped::Absent {
        return Failure::new(Exit::Untouched, "the request did not reach the host")
            .why("the connection was lost before the host received the request")
            .host("nothing live changed, and the request can no longer take effect")
            .next(Next::shipit("releases"));
    }
    let guard = format!("shipit-{}.path", config.app.as_str());
    Failure::new(Exit::Untouched, "the host did not begin the switch within 5s")
        .why(format!(
            "the guard {guard} did not start the conductor: it was stopped since, or the conductor of the request before still runs"
        ))
        .host("the request was withdrawn; nothing live changed")
        .next(Next::ssh(format!(
            "{} systemctl status {guard} shipit-{}.service",
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
        Some(Stopped::ReadOnly) => READ_ONLY,
        Some(Stopped::Interrupted) => "shipit was interrupted while the host was switching",
        Some(Stopped::Absent | Stopped::Unbegun) => "the request may be in place, and could not be withdrawn",
        Some(Stopped::Breach) => "the host broke the protocol while shipit followed the switch",
        Some(Stopped::Verify) | None => "the host does not respond",
    };
    (
        Switched::Failed(
            Failure::new(Exit::Unknown, "the outcome is unknown")
                .why(why)
                .host("the host finishes the switch or undoes it on its own")
                .next(Next::shipit("status"))
                .next(Next::shipit("attach")),
        ),
        host,
    )
}

/// What the script found in the way, before it put the request in place; `None` for every other failure.
fn refused(answer: &Answer) -> Option<Switched> {
    match answer.code {
        exits::HELD => Some(Switched::Held(Request::parse(&answer.out))),
        exits::OUTDATED => Some(Switched::Outdated(text::shown(answer.out.trim_ascii()))),
        exits::REQUESTS_LOCKED => Some(Switched::Failed(held::locked(answer))),
        _ => None,
    }
}

/// Gives the host the conductor of this version. Why that was not possible, if a switch cannot go on without it.
fn install_conductor(host: &mut dyn Host, root: &str) -> Option<Switched> {
    let protocol = step::PROTOCOL.to_string();
    let script = Script::conductor([root, &conductor_digest(), &protocol]);
    let answer = match session::fed(host, &script, CONDUCTOR.as_bytes()) {
        Ok(answer) => answer,
        Err(lost) => {
            let failure = session::lost_while(&lost, "sending the conductor", "nothing live changed");
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
    getrandom::fill(&mut tail)
        .map_err(|e| Failure::new(Exit::Untouched, "cannot get random bytes").why(e.to_string()))?;
    let tail: String = tail.iter().map(|b| format!("{b:02x}")).collect();
    Ok(format!("{}-{tail}", chrono::Utc::now().format("%Y%m%d-%H%M%S")))
}

/// The outcome that a command has when its run ended so.
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

/// Tells how the host says it ended, in these words.
pub fn tell(run: &mut Run<'_>, followed: &Followed, last: &RunEnd, ended: Ended) -> Exit {
    for line in folded(followed.journal.iter().map(Vec::as_slice)) {
        run.report.log("journal", line.into_bytes());
    }
    if followed.asked && last.end == End::Confirmed {
        run.report.warn(follow::too_late(run.command).into());
    }
    run.end(ended)
}

/// How the host says it ended.
pub fn ended(run: &Run<'_>, followed: &Followed, last: &RunEnd) -> Ended {
    let outcome = outcome(run.command, last.end);
    let release = run.release.as_deref().unwrap_or("?");
    let failure = failure(run, release, followed, last);
    Ended {
        live_after: followed.live_at.map(|at| at.duration_since(run.began)),
        downtime: last.downtime.clone(),
        // After a first deploy there is nothing to go back to.
        next: vec![match (run.command, &run.previous) {
            (Command::Deploy, Some(_)) => Next::shipit("rollback").remark("rolls back to the previous release"),
            (Command::Deploy, None) => Next::shipit("status"),
            _ => Next::shipit("releases"),
        }],
        ..run.ended(outcome, last.live.clone(), failure)
    }
}

/// What a person is told of a run that was not confirmed.
fn failure(run: &Run<'_>, next: &str, followed: &Followed, last: &RunEnd) -> Option<Failure> {
    let (config, previous) = (run.config, run.previous.as_deref());
    let app = config.app.as_str();
    // Of a release that was live: the journal of its time.
    let of_release = Next::shipit("logs --release")
        .arg(next)
        .remark("the journal of that release");
    let job = match (&config.migrate, followed.migration) {
        _ if followed.failed == Some(Kind::Backup) => Some(followed.failed_about.as_str()),
        (Some(migrate), Some(_)) => Some(migrate.unit.as_str()),
        _ => None,
    };
    let logs = match job {
        Some(unit) => Next::shipit("logs --unit").arg(unit),
        None => Next::shipit("logs").remark(format!("the whole journal of {app}")),
    };
    let now = match last.live.as_deref() {
        Some(id) => format!("{app} runs {id}"),
        None if last.live_known => "no release is live, as before".to_owned(),
        None => "`current` could not be read".to_owned(),
    };
    let failed = |exit: Exit, what: String| {
        let mut failure = Failure::new(exit, what).why(last.cause.clone());
        failure.why.extend(followed.verify_failed.clone());
        let about = &followed.failed_about;
        match (
            last_output(followed.journal.iter().map(Vec::as_slice), about),
            run.outputs.get(about),
        ) {
            (Some(line), _) => failure.why(line),
            (None, Some((key, to))) => {
                let what = if *key == "StandardError" { "errors" } else { "output" };
                failure.why(if to == "null" {
                    format!("{about} discards its {what} ({key}=null)")
                } else {
                    format!("{about} writes its {what} to a file ({key}={to}), not to the journal")
                })
            }
            (None, None) => failure,
        }
    };
    // A migration cannot be undone from here: what is known of it is said.
    let migration = match followed.migration {
        None => "",
        Some(State::Done) => "; its migration ran, and the changes it made remain",
        Some(_) => "; any changes its migration made before it ended remain",
    };
    Some(match last.end {
        End::Confirmed => return None,
        End::Reverted => failed(Exit::Reverted, reverted(next, followed))
            .host(if last.live.is_some() {
                format!("{now}, verified again{migration}")
            } else {
                now + migration
            })
            .next(of_release),
        End::Failed => {
            let state = match migration {
                "" => format!("{now}; nothing live changed"),
                changed => format!("{now}; code and `current` are unchanged{changed}"),
            };
            let failure = failed(Exit::Untouched, format!("{next} did not go live")).host(state);
            way_on(failure, followed, logs)
        }
        End::Degraded => failed(
            Exit::Degraded,
            "the revert failed too: the host needs manual repair".into(),
        )
        .host(format!("{now}, not verified{migration}"))
        .next(Next::shipit("status"))
        .next(of_release)
        .next(match previous {
            Some(previous) => Next::shipit("rollback").arg(previous),
            None => Next::shipit("deploy"),
        }),
    })
}

fn reverted(next: &str, followed: &Followed) -> String {
    match followed.failed {
        Some(Kind::Limits) => format!("the switch to {next} lost too many requests and was reverted"),
        _ => format!("{next} failed and was reverted"),
    }
}

/// What to type after a switch that changed nothing live.
fn way_on(failure: Failure, followed: &Followed, logs: Next) -> Failure {
    if followed.failed != Some(Kind::Baseline) {
        return failure.next(logs);
    }
    failure
        .why("the check is wrong, or the live release is broken: a revert to it could not be verified")
        .next(Next::shipit("deploy").remark("after you correct `health` in deploy.yml"))
        .next(
            Next::shipit("deploy --despite-health").remark("if this release fixes it, or adds what the check requires"),
        )
}
