//! Carries a plan out: stage with the client, then the request, then only listening. Decides nothing about
//! order (that is `plan`) and writes no sentence about success (that is `report`).
//! Start reading at [`deploy`](deploy::deploy).

pub mod as_root;
pub mod ask;
mod attempt;
pub mod collect_evidence;
pub mod deploy;
pub mod environment;
pub mod follow;
pub mod held;
pub mod install_units;
pub mod journal;
pub mod local_command;
pub mod metadata;
pub mod observe;
pub mod preview;
pub mod rollback;
pub mod run_command;
pub mod service_action;
pub mod session;
pub mod setup;
pub mod stage;
pub mod switch;
pub mod units;

use std::time::Instant;

use crate::config::Config;
use crate::failure::{Exit, Failure, Next};
use crate::interrupt::Interrupts;
use crate::report::event::{Downtime, Ended, Event, Outcome, Report};

/// Everything a run needs: what is wanted, how to reach the host, whom to tell.
pub struct Run<'a> {
    pub config: &'a Config,
    /// How to reach the host, and to reach it again.
    pub link: &'a mut dyn session::Link,
    pub report: &'a mut dyn Report,
    pub began: Instant,
    /// Ctrl-C and SIGTERM, for the moments between two commands on the host.
    pub interrupts: &'a Interrupts,
}

/// How a run ended, before it is told.
#[derive(Debug, Default)]
pub struct Summary {
    /// The release it was about.
    pub release: Option<String>,
    /// The one that was live before.
    pub previous: Option<String>,
    /// The one that is live now, when known.
    pub live: Option<String>,
    /// Seconds from the start until the new release served.
    pub live_after: Option<std::time::Duration>,
    pub downtime: Option<Downtime>,
    pub next: Vec<Next>,
}

impl Run<'_> {
    /// Ends the run where nothing is under way, when a person asked for it.
    ///
    /// # Errors
    /// A [`Failure`] with [`Exit::Untouched`].
    pub fn go_on(&self, doing: &str) -> Result<(), Failure> {
        if self.interrupts.count() == 0 {
            return Ok(());
        }
        Err(Failure::new(Exit::Untouched, format!("stopped on request while {doing}")).host("nothing live changed"))
    }

    /// Tells the end and gives the exit code.
    pub fn end(&mut self, outcome: Outcome, summary: Summary, failure: Option<Failure>, bytes_sent: u64) -> Exit {
        let exit = failure.as_ref().map_or(Exit::Done, |f| f.exit);
        self.report.event(&Event::Ended(Box::new(Ended {
            outcome,
            exit,
            release: summary.release,
            previous: summary.previous,
            live: summary.live,
            took: self.began.elapsed(),
            live_after: summary.live_after,
            bytes_sent,
            downtime: summary.downtime,
            failure,
            next: summary.next,
        })));
        exit
    }
}

/// The outcome that an exit code stands for, for failures that end a run before the host took over.
#[must_use]
pub fn outcome(exit: Exit) -> Outcome {
    match exit {
        Exit::Locked => Outcome::Locked,
        Exit::Unreachable => Outcome::Unreachable,
        Exit::Unknown => Outcome::Unknown,
        Exit::Degraded => Outcome::Degraded,
        Exit::Reverted => Outcome::Reverted,
        _ => Outcome::Failed,
    }
}
