//! What became of a service's processes since its last start, read from `systemctl show`: whether they did what its
//! `Type=` promises. Reads facts; judges nothing. All of it was measured on systemd 252 and 257; docs/units.md has the
//! table.

use std::time::Duration;

use super::view::View;

/// A start is not suspicious before: the program may be slow.
const PATIENCE: Duration = Duration::from_secs(10);

/// From the exit of the main process until systemd calls the unit dead, in microseconds. Measured on a busy host: 120
/// to 300 for most that left nothing behind, 8,000 at most; 800 and more where systemd had to kill a daemon. It is a
/// hint, not a proof.
const DYING: u64 = 800;

/// How the last start went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastStart {
    /// systemd was not asked, or it never started, was unloaded, crashed, was stopped, or has just begun to start.
    Unknown,
    /// It counts as started, and its main process runs.
    Runs,
    /// systemd has been waiting for a while for what `Type=` promises, or waited until the timeout.
    Unready(First, Since),
    /// The main process ended successfully on its own.
    Ended(Left),
}

/// What became of the first process of an incomplete start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// It still runs, or systemd killed it.
    Stays,
    /// It exited successfully.
    Gone,
}

/// Whether an incomplete start goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// `activating (start)`
    Waits,
    /// `TimeoutStartSec=` has passed.
    TimedOut,
}

/// What the main process left behind when it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Nothing: it was a job.
    Nothing,
    /// Another process, which systemd killed or which still runs: a daemon.
    Daemon,
    /// systemd no longer shows it; probably another process.
    PerhapsDaemon,
    /// systemd no longer shows it; probably nothing.
    PerhapsNothing,
}

impl View<'_> {
    /// A count, or a time in microseconds; 0 when it was not asked for or is not set.
    fn number(&self, key: &str) -> u64 {
        self.show(key).and_then(|value| value.parse().ok()).unwrap_or(0)
    }

    /// How many processes its control group holds now.
    pub(super) fn processes(&self) -> u64 {
        let counted = self.host().and_then(|host| host.processes).map(u64::from);
        counted.unwrap_or_else(|| self.number("TasksCurrent"))
    }

    /// Whether deploy.yml lists it as a service, so that it should keep running.
    pub(super) fn is_expected_to_stay(&self) -> bool {
        self.context.strategy.is_some() && !self.is_deploys()
    }

    pub(super) fn has_started_for(&self, seconds: u64) -> bool {
        let waited = self.host().and_then(|host| host.activating_for);
        waited.is_some_and(|waited| waited.as_secs() >= seconds)
    }

    /// How long its last main process ran; zero when unknown.
    pub(super) fn ran(&self) -> Duration {
        let started = self.number("ExecMainStartTimestampMonotonic");
        let exited = self.number("ExecMainExitTimestampMonotonic");
        Duration::from_micros(exited.saturating_sub(started))
    }

    /// Whether the program reports its readiness, as far as its file shows.
    pub(super) fn reports(&self) -> Option<bool> {
        self.host().and_then(|host| host.reports)
    }

    /// The `Type=` for a program that stays in the foreground: `notify` where it is known to report.
    pub(super) fn kind_that_stays(&self) -> &'static str {
        match self.reports() {
            Some(true) => "notify",
            _ => "exec",
        }
    }

    /// `Type=` as the running systemd has it: it does not know of an edit before `daemon-reload`, and an old one takes
    /// `notify-reload` for `simple`.
    pub fn running_kind(&self) -> &str {
        self.show("Type").unwrap_or_else(|| self.kind())
    }

    pub fn last_start(&self) -> LastStart {
        // The processes follow the old text; the new one may be right.
        if self.show("NeedDaemonReload") == Some("yes") && self.running_kind() != self.kind() {
            return LastStart::Unknown;
        }
        let restarts = self.show("SubState").is_some_and(|sub| sub.starts_with("auto-restart"));
        match self.show("ActiveState") {
            Some("active" | "reloading" | "refreshing") if self.number("MainPID") > 0 => LastStart::Runs,
            Some("active") if self.show("SubState") == Some("exited") => LastStart::Ended(self.left_by_exited()),
            Some("activating") if restarts => self.over(),
            Some("activating") if self.show("SubState") == Some("start") => self.starting(),
            Some("inactive" | "failed") => self.over(),
            _ => LastStart::Unknown,
        }
    }

    fn left_by_exited(&self) -> Left {
        match self.processes() {
            0 => Left::Nothing,
            _ => Left::Daemon,
        }
    }

    fn starting(&self) -> LastStart {
        let waited = self.host().and_then(|host| host.activating_for);
        let never_complete = self.number("ActiveEnterTimestampMonotonic") == 0;
        let again = self.number("NRestarts") > 0 && never_complete;
        if !again && waited.is_none_or(|waited| waited < PATIENCE) {
            return LastStart::Unknown;
        }
        let process = match self.running_kind() {
            "forking" => self.show("ControlPID").unwrap_or("1"),
            _ => self.show("MainPID").unwrap_or("0"),
        };
        match (process, self.running_kind()) {
            ("0", "forking") => LastStart::Unready(First::Gone, Since::Waits),
            ("0", _) => LastStart::Unknown,
            _ => LastStart::Unready(First::Stays, Since::Waits),
        }
    }

    /// Dead, failed, or between two starts.
    fn over(&self) -> LastStart {
        let forking = self.running_kind() == "forking";
        // The end of the line of `ExecStart=` shows how the process that it started ended.
        let command = self.show("ExecStart").unwrap_or_default();
        let command_ended = command.contains("code=exited ; status=0");
        let complete = self.was_complete();
        match self.show("Result") {
            Some("timeout") if complete => LastStart::Unknown, // the stop took too long
            Some("timeout") if forking && command_ended => LastStart::Unready(First::Gone, Since::TimedOut),
            Some("timeout") => LastStart::Unready(First::Stays, Since::TimedOut),
            Some("protocol" | "success" | "start-limit-hit") if forking => {
                let ended = command_ended && self.number("ExecMainPID") == 0 && !complete;
                if ended {
                    LastStart::Ended(Left::Nothing)
                } else {
                    LastStart::Unknown
                }
            }
            Some("protocol" | "success" | "start-limit-hit") => self.ended(),
            _ => LastStart::Unknown,
        }
    }

    /// Whether the last start was complete before it was over.
    fn was_complete(&self) -> bool {
        let entered = self.number("ActiveEnterTimestampMonotonic");
        let started = match self.number("ExecMainStartTimestampMonotonic") {
            0 => self.number("InactiveExitTimestampMonotonic"),
            main => main,
        };
        entered > 0 && entered >= started
    }

    fn ended(&self) -> LastStart {
        let exited = self.number("ExecMainExitTimestampMonotonic");
        // CLD_EXITED of waitid(2), and 0: it exited successfully.
        let success = self.show("ExecMainCode") == Some("1") && self.show("ExecMainStatus") == Some("0");
        let left_active = self.number("ActiveExitTimestampMonotonic");
        let complete = self.was_complete();
        if exited == 0 || !success || complete && left_active < exited {
            return LastStart::Unknown; // never ran, crashed, or was stopped
        }
        let dead = self.number("InactiveEnterTimestampMonotonic");
        let again = self.number("InactiveExitTimestampMonotonic");
        let gave_up = again > exited && dead > again; // `dead` is then the moment of the start limit
        let stops = self.unit.sets("Service", ["ExecStop", "ExecStopPost"]);
        let end = if gave_up { again } else { dead };
        LastStart::Ended(if self.processes() > 0 {
            Left::Daemon
        } else if complete && !stops && !gave_up && dead == left_active {
            Left::Nothing // from active to dead in one step: systemd waited for nothing
        } else if complete && !stops && !gave_up {
            Left::Daemon
        } else if end.saturating_sub(exited) > DYING {
            Left::PerhapsDaemon
        } else {
            Left::PerhapsNothing
        })
    }
}
