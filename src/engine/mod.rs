//! Carries a plan out: stage with the client, then the request, then only listening. Decides nothing about
//! order (that is `plan`) and writes no sentence about success (that is `report`).
//! Start reading at [`deploy`](deploy::deploy).

pub mod as_root;
pub mod ask;
mod attempt;
mod base;
pub mod collect_evidence;
pub mod deploy;
pub mod drain;
pub mod ended;
pub mod environment;
pub mod follow;
pub mod held;
pub mod install_units;
pub mod journal;
mod journals; // what a service's journal tells doctor
pub mod local_command;
mod manifests;
pub mod metadata;
pub mod observe;
mod patches; // copies of big files, and the patches that are made from them
mod patience;
pub mod prepare;
mod prepared;
pub mod preview;
pub mod rollback;
mod room;
pub mod run_command;
pub mod service_action;
pub mod session;
pub mod setup;
mod shared_paths;
pub mod stage;
pub mod switch;
pub mod units;
mod verify;
pub mod withheld;
pub mod word;

use std::collections::BTreeMap;
use std::time::Instant;

use crate::config::Config;
use crate::failure::{Exit, Failure};
use crate::interrupt::Interrupts;
use crate::observed::{Current, Observed};
use crate::report::event::{Ended, Event, Outcome, Report, Upload};
use crate::step::{Command, Commit};

/// Everything a run needs: what is wanted, how to reach the host, whom to tell; and what it knows of itself meanwhile, for
/// its hooks and its last event.
pub struct Run<'a> {
    pub config: &'a Config,
    /// How to reach the host, and to reach it again.
    pub link: &'a mut dyn session::Link,
    pub report: &'a mut dyn Report,
    pub began: Instant,
    /// Ctrl-C and SIGTERM, for the moments between two commands on the host.
    pub interrupts: &'a Interrupts,
    pub command: Command,
    /// The release that is to go live, once it has a name.
    pub release: Option<String>,
    /// The one that is live before.
    pub previous: Option<String>,
    /// Without `previous`: the host was asked, and no release was live.
    pub nothing_live: bool,
    /// The run on the host, once it is asked for one.
    pub id: Option<String>,
    /// Bytes that this client sent.
    pub sent: u64,
    /// The commit that the release was made from.
    pub commit: Option<Commit>,
    /// What the upload of this run's release took.
    pub upload: Option<Upload>,
    /// Big files of the source that are copied, for patches.
    pub copying: Option<patches::Copying>,
    /// The services whose output does not go to the journal: the setting, and its value.
    pub outputs: BTreeMap<String, (&'static str, String)>,
}

impl<'a> Run<'a> {
    pub fn new(
        config: &'a Config,
        link: &'a mut dyn session::Link,
        report: &'a mut dyn Report,
        interrupts: &'a Interrupts,
        command: Command,
    ) -> Self {
        Self {
            config,
            link,
            report,
            began: Instant::now(),
            interrupts,
            command,
            release: None,
            previous: None,
            nothing_live: false,
            id: None,
            sent: 0,
            commit: None,
            upload: None,
            copying: None,
            outputs: BTreeMap::new(),
        }
    }

    pub fn started(&mut self, command: &'static str, release: Option<&String>) {
        self.report.event(&Event::Started {
            command,
            app: self.config.app.as_str().into(),
            host: self.config.host.to_string(),
            release: release.cloned(),
        });
    }

    /// What is live before this run changes it.
    pub fn comes_after(&mut self, observed: &Observed) {
        self.previous = observed.live().map(str::to_owned);
        self.nothing_live = observed.current == Current::Absent;
    }

    /// Tells the commit that the release was made from, once.
    pub fn comes_from(&mut self, commit: Option<Commit>) {
        if let Some(commit) = &commit
            && self.commit.as_ref() != Some(commit)
        {
            self.report.event(&Event::Commit(commit.clone()));
        }
        self.commit = commit;
    }

    /// Ends the run where nothing is under way, when a person asked for it. Fails with [`Exit::Untouched`].
    pub fn go_on(&self, doing: &str) -> Result<(), Failure> {
        if self.interrupts.count() == 0 {
            return Ok(());
        }
        Err(Failure::new(Exit::Untouched, format!("interrupted while {doing}")).host("nothing live changed"))
    }

    /// The end, with what the run knows of itself.
    pub fn ended(&self, outcome: Outcome, live: Option<String>, failure: Option<Failure>) -> Ended {
        let unchanged = failure.as_ref().is_none_or(|failure| failure.exit == Exit::Untouched);
        Ended {
            release: self.release.clone(),
            previous: self.previous.clone(),
            live_known: live.is_some() || unchanged && self.nothing_live,
            live,
            took: self.began.elapsed(),
            bytes_sent: self.sent,
            commit: self.commit.clone(),
            upload: self.upload.clone(),
            ..Ended::new(outcome, failure)
        }
    }

    /// Tells the end and gives the exit code.
    pub fn end(&mut self, mut ended: Ended) -> Exit {
        // With the hooks after it.
        ended.took = self.began.elapsed();
        let exit = ended.exit;
        self.report.event(&Event::Ended(Box::new(ended)));
        exit
    }
}

/// The outcome that an exit code stands for, for failures that end a run before the host took over.
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
