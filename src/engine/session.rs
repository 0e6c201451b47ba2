//! A host that can be reached again: run scripts on it and report how they go. Knows no order.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::failure::{Exit, Failure};
use crate::host::{Host, Lost};
use crate::remote::{Answer, Batch, BatchEvent, Name, Script};
use crate::report::event::{Event, Phase, Report};

/// A way to a host that can be taken more than once.
pub trait Link {
    /// Connects, identifies and logs in.
    ///
    /// # Errors
    /// A [`Failure`] with [`Exit::Unreachable`].
    fn connect(&mut self, report: &mut dyn Report) -> Result<Box<dyn Host>, Failure>;
}

/// Runs one quiet script.
///
/// # Errors
/// [`Lost`] as the host says it.
pub fn one(host: &mut dyn Host, script: Script) -> Result<Answer, Lost> {
    let mut answers = Batch::new(&[script]).quiet(host)?;
    answers.pop().ok_or_else(|| Lost::Cut("the host sent no answer".into()))
}

/// What the first step reads, and how far it is.
pub struct Upload<'a> {
    pub stream: &'a mut dyn Read,
    /// Bytes of file content packed so far.
    pub consumed: Arc<AtomicU64>,
    pub total: u64,
}

/// Runs steps that a person watches: a line for each, their output as log lines, bytes as progress.
///
/// # Errors
/// [`Lost`] as the host says it.
pub fn watched(
    host: &mut dyn Host,
    phase: Phase,
    hold: Option<&Script>,
    steps: &[Script],
    upload: Upload<'_>,
    report: &mut dyn Report,
) -> Result<Vec<Answer>, Lost> {
    let Upload {
        stream,
        consumed,
        total,
    } = upload;
    let batch = Batch {
        steps,
        hold,
        stdin: Some(stream),
        stop: None,
    };
    batch.run(host, &mut |event| match event {
        BatchEvent::Began(i) => report.event(&Event::step_started(phase, name(steps, i))),
        BatchEvent::Ended(i, answer) => {
            let succeeded = answer.code == 0;
            report.event(&Event::step_ended(phase, name(steps, i), succeeded, answer.took));
        }
        BatchEvent::Line { step, line, err } => {
            let prepare = steps.get(step).is_some_and(|s| s.name == Name::Prepare);
            if prepare || err {
                let source = if prepare { "prepare" } else { "host" };
                report.event(&Event::Log {
                    source,
                    line: line.to_vec(),
                });
            }
        }
        // What is sent is compressed; what a person waits for is how much of the release is through.
        BatchEvent::Sent(_) => report.event(&Event::Progress {
            sent: consumed.load(Ordering::Relaxed),
            total,
        }),
        BatchEvent::Interrupted => {
            report.event(&Event::Warning {
                text: "stopping; press Ctrl-C again to exit immediately".into(),
            });
        }
    })
}

fn name(steps: &[Script], i: usize) -> &'static str {
    steps.get(i).map_or("step", |s| s.name.word())
}

/// A lost line as a failure, with the state that the host is in.
#[must_use]
pub fn lost_while(lost: &Lost, doing: &str, host: &str) -> Failure {
    let (what, why) = match lost {
        Lost::Cut(why) => (format!("the connection was lost while {doing}"), why.clone()),
        Lost::Silent(seconds) => (
            format!("the host stopped responding while {doing}"),
            format!("nothing arrived for {seconds}s"),
        ),
        Lost::Interrupted => (format!("stopped while {doing}"), "stopped on request".into()),
        Lost::Source(why) => (format!("failed here while {doing}"), why.clone()),
    };
    Failure::new(Exit::Untouched, what).why(why).host(host)
}
