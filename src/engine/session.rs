//! A host that can be reached again: run scripts on it and report how they go. Knows no order.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::prepared;
use crate::failure::{Exit, Failure, Next};
use crate::host::{Host, Lost, no_commands, unbegun};
use crate::remote::{Answer, Asked, Batch, BatchEvent, Name, Script, exits};
use crate::report::event::{Event, Phase, Report};

/// A way to a host that can be taken more than once.
pub trait Link {
    /// Connects, identifies and logs in. Fails with [`Exit::Unreachable`].
    fn connect(&mut self, report: &mut dyn Report) -> Result<Box<dyn Host>, Failure>;
}

/// How long a connection may say nothing: sshd closes it after `ClientAliveInterval=` (sshd_config(5)), often 15 seconds or
/// more, and only a command in progress answers its questions.
const IDLE: Duration = Duration::from_secs(10);

/// Connects again where the host may have closed the connection, which is idle since then. Fails as [`Link::connect`].
pub fn after_pause(
    link: &mut dyn Link,
    host: Box<dyn Host>,
    since: Instant,
    report: &mut dyn Report,
) -> Result<Box<dyn Host>, Failure> {
    if since.elapsed() < IDLE {
        return Ok(host);
    }
    drop(host);
    link.connect(report)
}

/// Connects again where the connection was lost while a command ran here. Fails as [`Link::connect`].
pub fn kept(link: &mut dyn Link, mut host: Box<dyn Host>, report: &mut dyn Report) -> Result<Box<dyn Host>, Failure> {
    match host.idle() {
        Ok(()) => Ok(host),
        Err(_) => link.connect(report),
    }
}

/// Hears nothing: for a connection that is only opened to stop what runs on another one.
pub struct Quiet;

impl Report for Quiet {
    fn event(&mut self, _: &Event) {}
}

/// Runs one quiet script.
pub fn one(host: &mut dyn Host, script: Script) -> Result<Answer, Lost> {
    fed(host, &script, b"")
}

/// Runs one quiet script that reads these bytes.
pub fn fed(host: &mut dyn Host, script: &Script, mut stdin: &[u8]) -> Result<Answer, Lost> {
    let batch = Batch::one(script);
    let fed = !stdin.is_empty();
    let mut answers = if fed { batch.stdin(&mut stdin) } else { batch }.quiet(host)?;
    answers
        .pop()
        .ok_or_else(|| Lost::Cut("the host did not respond".into()))
}

/// Runs scripts that look, in one session. Nothing is concluded from one that failed, or whose last line
/// did not come: what is not there may not have been read.
///
/// # Errors
/// When the connection is lost, or what a script saw is not whole.
pub fn look(host: &mut dyn Host, scripts: &[Script], doing: &str) -> Result<Vec<Vec<u8>>, Failure> {
    let answers = Batch::new(scripts)
        .quiet(host)
        .map_err(|lost| lost_while(&lost, doing, "nothing changed"))?;
    let Some(failed) = answers.iter().find(|answer| answer.code != 0) else {
        return Ok(answers.into_iter().map(|answer| answer.out).collect());
    };
    let mut failure = Failure::new(Exit::Untouched, format!("{doing} failed on the host"));
    failure.why = failed.errors();
    if failure.why.is_empty() {
        failure = failure.why(match failed.code {
            exits::NOT_WHOLE => "the answer is incomplete".to_owned(),
            code => format!("a command failed there (exit status {code})"),
        });
    }
    Err(failure.host("nothing changed").next(Next::again("")))
}

/// What the first step reads, and how far it is.
pub struct Upload<'a> {
    pub stream: &'a mut dyn Read,
    /// Bytes of file content packed so far.
    pub consumed: Arc<AtomicU64>,
    pub total: u64,
    /// Bytes of files that do not travel.
    pub reused: u64,
}

/// Runs steps that a person watches: a line for each, their output as log lines, bytes as progress. The answer of
/// `prepare` has its first line.
/// Fails with the step in which the session was lost.
pub fn watched(
    host: &mut dyn Host,
    phase: Phase,
    hold: Option<&Script>,
    steps: &[Script],
    upload: Upload<'_>,
    link: &mut dyn Link,
    report: &mut dyn Report,
) -> Result<Vec<Answer>, (Lost, usize)> {
    let Upload {
        stream,
        consumed,
        total,
        reused,
    } = upload;
    let batch = Batch {
        steps,
        hold,
        stdin: Some(stream),
        stop: None,
        again: Some(&mut || link.connect(&mut Quiet).ok()),
    };
    let is_prepare = |i: usize| steps.get(i).is_some_and(|step| step.name == Name::Prepare);
    // The first line of that step is the script's own.
    let mut first: Option<Vec<u8>> = None;
    let mut at = 0;
    let answers = batch.run(host, &mut |event| match event {
        BatchEvent::Began(i) => {
            at = i;
            report.event(&Event::step_started(phase, name(steps, i)));
        }
        BatchEvent::Ended(i, answer) => {
            let note = first.as_deref().filter(|_| is_prepare(i)).and_then(prepared::note);
            let succeeded = answer.code == 0;
            report.event(&Event::step_ended(phase, name(steps, i), succeeded, answer.took).noted(note));
        }
        BatchEvent::Line { step, line, err: false } if is_prepare(step) && first.is_none() => {
            first = Some(line.to_vec());
        }
        BatchEvent::Line { step, line, err } => {
            if is_prepare(step) || err {
                let source = if is_prepare(step) { "prepare" } else { "host" };
                report.log(source, line.to_vec());
            }
        }
        // What is sent is compressed; what a person waits for is how much of the release is through.
        BatchEvent::Sent(_) => report.event(&Event::Progress {
            sent: consumed.load(Ordering::Relaxed),
            total,
            reused,
        }),
        BatchEvent::Interrupted => report.warn("stopping; press Ctrl-C again to exit immediately".into()),
        BatchEvent::Asked(Asked::Heard | Asked::TooLate) => {}
        BatchEvent::Asked(Asked::Unheard) => {
            report.warn("the command on the host could not be stopped: it may continue".into())
        }
    });
    let mut answers = answers.map_err(|lost| (lost, at))?;
    if let (Some(i), Some(line)) = ((0..answers.len()).find(|i| is_prepare(*i)), first) {
        answers[i].out = line;
    }
    Ok(answers)
}

fn name(steps: &[Script], i: usize) -> &'static str {
    steps.get(i).map_or("step", |s| s.name.word())
}

/// A lost line as a failure, with the state that the host is in.
pub fn lost_while(lost: &Lost, doing: &str, host: &str) -> Failure {
    let (what, why) = match lost {
        Lost::Cut(why) => (format!("the connection was lost while {doing}"), why.clone()),
        Lost::Silent(seconds) => (
            format!("the host stopped responding while {doing}"),
            format!("received nothing for {seconds}s"),
        ),
        Lost::Breach(why) => (
            format!("the host broke the protocol while {doing}, and shipit closed the connection"),
            why.clone(),
        ),
        Lost::Interrupted => (
            format!("interrupted while {doing}"),
            "shipit received Ctrl-C or SIGTERM".into(),
        ),
        Lost::Refused(printed) => return no_commands(printed).host(host),
        Lost::Unbegun(refused) => return unbegun(refused).host(host),
        Lost::Source(why) => (format!("failed on this machine while {doing}"), why.clone()),
    };
    Failure::new(Exit::Untouched, what).why(why).host(host)
}
