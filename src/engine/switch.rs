//! Hands a plan to the host as a request, and follows it to its end. From the moment the request is in place nothing here
//! is needed any more.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::follow::{self, CANCEL, Followed, READ_ONLY, Stopped};
use super::{Run, held, metadata, session, verify};
use crate::config::Config;
use crate::failure::{Exit, Failure, Next};
use crate::host::Host;
use crate::observed::{Observed, Request};
use crate::plan::units::journal_helper;
use crate::plan::{Plan, needs};
use crate::remote::{Answer, Batch, CONDUCTOR, Script, conductor_digest, exits};
use crate::step::{self, RunEnd};
use crate::text;

/// How a switch ended for this client.
pub enum Switched {
    Ended(Box<Followed>, RunEnd),
    /// Another request was there first.
    Held(Request),
    /// Somebody else switched since the host was looked at.
    Outdated(String),
    Failed(Failure),
}

/// What is known of the script that placed the request.
enum Placed {
    Yes,
    /// It ended with a failure: what it reported.
    Failed(Vec<String>),
    /// Its answer was lost.
    Unknown,
}

/// How often a request that nobody takes up is asked for again, five seconds each. It waits for the conductor of the
/// switch before, whose last command may hang until its deadline: 100 seconds for `sync`.
const WITHDRAWALS: usize = 40;

/// From which of these on it is withdrawn: a loaded host needs more time to start the conductor.
const LATE: usize = 3;

/// Puts the request in place and follows it. Gives the session back, when it lived.
pub fn switch(
    run: &mut Run<'_>,
    mut host: Box<dyn Host>,
    observed: &Observed,
    plan: &Plan,
) -> (Switched, Option<Box<dyn Host>>) {
    let root = run.config.root.as_str();
    let id = match run_id() {
        Ok(id) => id,
        Err(failure) => return (Switched::Failed(failure), Some(host)),
    };
    run.id = Some(id.clone());
    let since = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let helper = journal_helper(run.config).unwrap_or_else(|| "-".into());
    let request = plan.request(&id, &metadata::who(), &since, needs::access(observed), &helper);
    run.outputs = observed.outputs_elsewhere();
    let mut followed = Followed::of(plan.change.command).verifying();
    let mut steps = vec![
        Script::request([root, &id, &plan.epoch.to_string(), &request.len().to_string()]),
        Script::follow([root, &id, "0", followed.role()]),
    ];
    let mut conductor = Vec::new();
    if observed.conductor.as_deref() != Some(conductor_digest().as_str()) {
        conductor = packed_conductor();
        let (protocol, length) = (step::PROTOCOL.to_string(), conductor.len().to_string());
        steps.insert(0, Script::conductor([root, &conductor_digest(), &protocol, &length]));
    }
    let placing = steps.len() - 2;
    let stop = Script::word([root, &id, CANCEL]);
    let (link, report) = (&mut *run.link, &mut *run.report);
    let mut stdin = conductor.chain(request.as_bytes());
    let mut again = || link.connect(&mut session::Quiet).ok();
    let batch = Batch::new(&steps).stop(&stop).again(&mut again).stdin(&mut stdin);
    let answers = batch.run(host.as_mut(), &mut |event| {
        follow::take_event(event, placing + 1, &mut followed, report);
    });
    let mut placed = Placed::Unknown;
    let host = match answers {
        Ok(answers) => match answers.get(placing).ok_or(answers.first().filter(|_| placing > 0)) {
            Ok(answer) if answer.code == 0 => {
                placed = Placed::Yes;
                Some(host)
            }
            Ok(answer) => match refused(answer) {
                Some(refused) => return (refused, Some(host)),
                // It may be in place all the same: the host is asked.
                None => {
                    let code = format!("exit status {}", answer.code);
                    placed = Placed::Failed(answer.errors().into_iter().chain([code]).collect());
                    Some(host)
                }
            },
            Err(Some(conductor)) => return (not_installed(conductor), Some(host)),
            Err(None) => None,
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
    hear_out(run, host, followed, &id, &placed)
}

/// Said while a request waits for another conductor.
const BEHIND: &str =
    "the host has not begun this switch yet, because the conductor of the previous switch is still running";

/// Follows a run that another client asked for to its end, even one that the host begins late. Withdraws nothing.
pub fn attach(run: &mut Run<'_>, host: Box<dyn Host>, id: &str) -> Followed {
    let root = run.config.root.as_str();
    let mut followed = Followed::of(run.command);
    let mut host = Some(host);
    for tries in 1..=WITHDRAWALS {
        (followed, host) = follow::follow(run.link, host, root, id, followed, run.interrupts, run.report);
        if followed.stopped != Some(Stopped::Unbegun) || tries == WITHDRAWALS {
            break;
        }
        if tries == LATE {
            let guard = guard(run.config);
            run.report.warn(format!("the host has not begun this switch yet: {guard} is stopped, or the conductor of the previous switch is still running"));
        }
        followed.stopped = None;
    }
    followed
}

/// Why a run that was attached to has no end.
pub fn unended(config: &Config, followed: &Followed) -> Failure {
    match followed.stopped {
        Some(Stopped::Absent) => Failure::new(Exit::Untouched, "the request was withdrawn before its switch began")
            .host("nothing live changed")
            .next(Next::shipit("status")),
        Some(Stopped::Unbegun) => Failure::new(Exit::Unknown, "the host has not begun the switch")
            .why(unbegun(config))
            .host("the request is in place: the switch begins when the conductor can start")
            .next(guard_status(config)),
        _ => Failure::new(Exit::Unknown, "no result was received for the switch")
            .host("the host continues on its own")
            .next(Next::shipit("status")),
    }
}

/// Why nobody takes a request up.
fn unbegun(config: &Config) -> String {
    let guard = guard(config);
    format!(
        "the guard {guard} did not start the conductor: it is stopped, or the conductor of the previous request is still running"
    )
}

fn guard_status(config: &Config) -> Next {
    Next::ssh(format!(
        "{} systemctl status {} shipit-{}.service",
        config.host.ssh_to(),
        guard(config),
        config.app.as_str()
    ))
}

/// The unit that starts the conductor.
fn guard(config: &Config) -> String {
    format!("shipit-{}.path", config.app.as_str())
}

/// Follows the run to its end. A request that nobody has, or that nobody takes up, is withdrawn; one that was only
/// late is followed on.
fn hear_out(
    run: &mut Run<'_>,
    mut host: Option<Box<dyn Host>>,
    mut followed: Followed,
    id: &str,
    placed: &Placed,
) -> (Switched, Option<Box<dyn Host>>) {
    let root = run.config.root.as_str();
    for tries in 1..=WITHDRAWALS {
        (followed, host) = follow::follow(run.link, host, root, id, followed, run.interrupts, run.report);
        while followed.stopped == Some(Stopped::Verify) {
            host = verify::verify(run, host, &mut followed, id);
            (followed, host) = follow::follow(run.link, host, root, id, followed, run.interrupts, run.report);
        }
        let (Some(why @ (Stopped::Absent | Stopped::Unbegun)), Some(session)) = (followed.stopped, host.as_mut())
        else {
            break;
        };
        if why == Stopped::Unbegun && tries < LATE {
            followed.stopped = None;
            continue;
        }
        // One whose script has ended cannot come any more.
        let late = if matches!(placed, Placed::Failed(_)) {
            "ended"
        } else {
            "late"
        };
        match session::one(session.as_mut(), Script::withdraw([root, id, late])) {
            Ok(answer) if answer.code == 0 => {
                return (Switched::Failed(withdrawn(run.config, why, placed)), host);
            }
            // It is there by now, or a conductor runs: of this request, or still of the one before.
            Ok(answer) if answer.code == exits::BEGUN && tries < WITHDRAWALS => {
                if tries == LATE + 1 {
                    run.report.warn(BEHIND.into());
                }
                followed.stopped = None;
            }
            Ok(_) => break,
            Err(_) => (followed.stopped, host) = (None, None),
        }
    }
    conclude(followed, host)
}

/// A request that was taken back before anybody had begun it.
fn withdrawn(config: &Config, why: Stopped, placed: &Placed) -> Failure {
    if why == Stopped::Absent {
        let (what, why) = match placed {
            Placed::Failed(why) => ("the host could not store the request", why.clone()),
            Placed::Yes => (
                "the request was removed on the host before its switch began",
                vec!["by hand, or because a client of another version of shipit replaced the conductor".into()],
            ),
            Placed::Unknown => (
                "the request did not reach the host",
                vec!["the connection was lost before the host received the request".into()],
            ),
        };
        let failure = Failure::new(Exit::Untouched, what).whys(why);
        return match placed {
            Placed::Failed(_) => failure.host("nothing live changed").next(Next::shipit("doctor")),
            _ => failure
                .host("nothing live changed, and the request can no longer take effect")
                .next(Next::shipit("releases")),
        };
    }
    Failure::new(Exit::Untouched, "the host did not begin the switch within 15s")
        .why(unbegun(config))
        .host("the request was withdrawn; nothing live changed")
        .next(guard_status(config))
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
        exits::REQUESTS_LOCKED => Some(Switched::Failed(held::locked())),
        exits::WITHDRAWN => Some(Switched::Failed(
            Failure::new(Exit::Untouched, "canceled before the switch began")
                .host("nothing live changed")
                .next(Next::again("")),
        )),
        _ => None,
    }
}

/// The conductor as it travels.
fn packed_conductor() -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to memory does not fail; the host compares the digest.
    let _ = gzip.write_all(CONDUCTOR.as_bytes());
    gzip.finish().unwrap_or_default()
}

/// Why the host has no conductor of this version, without which no request was sent.
fn not_installed(answer: &Answer) -> Switched {
    if let Some(refused) = refused(answer) {
        return refused;
    }
    let code = answer.code;
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
    Switched::Failed(failure)
}

/// `YYYYMMDD-HHMMSS-xxxxxxxx`: unique by its random tail, readable by its head.
fn run_id() -> Result<String, Failure> {
    let mut tail = [0u8; 4];
    getrandom::fill(&mut tail)
        .map_err(|e| Failure::new(Exit::Untouched, "cannot get random bytes").why(e.to_string()))?;
    let tail: String = tail.iter().map(|b| format!("{b:02x}")).collect();
    Ok(format!("{}-{tail}", chrono::Utc::now().format("%Y%m%d-%H%M%S")))
}
