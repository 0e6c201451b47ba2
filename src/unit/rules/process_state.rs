//! What became of a service's processes since its last start, told from `systemctl show`: whether the promise of its
//! `Type=` was kept. Reads facts; judges nothing. What is relied on here was measured on systemd 252 and 257, and is
//! in the table of docs/units.md.

use std::time::Duration;

use super::view::View;

/// A start that takes this long deserves a question; a slow program is not accused before.
const PATIENCE: Duration = Duration::from_secs(10);

/// From the exit of the main process until systemd calls the unit dead, in microseconds. Measured on a busy machine:
/// 120 to 300 for most that left nothing behind, 8,000 at most; 800 and more where a daemon had to die. A hint, no proof.
const DYING: u64 = 800;

/// What became of the last start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Nothing can be told: not asked, never started, forgotten, crashed, stopped by somebody, or just starting.
    Untold,
    /// It counts as started and its main process runs.
    Runs,
    /// systemd waits for what `Type=` promises, for long already; or has waited in vain.
    Unready(First, Since),
    /// The main process has ended with success, and nobody had asked it to.
    Ended(Left),
}

/// What became of the first process of a start that never was complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// It stays.
    Stays,
    /// It has exited with success.
    Gone,
}

/// How a start shows that is not complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// It still waits: `activating (start)`.
    Waits,
    /// It has run into its `TimeoutStartSec=`.
    TimedOut,
}

/// What the main process left behind when it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Nothing: it was a job.
    Nothing,
    /// Another process, which systemd killed, or which is still there: a daemon.
    Daemon,
    /// It can no longer be told; a process seems to have been left.
    PerhapsDaemon,
    /// It can no longer be told; nothing seems to have been left.
    PerhapsNothing,
}

impl View<'_> {
    /// A count or a time in microseconds; 0 when it was not asked, or is not set.
    fn number(&self, key: &str) -> u64 {
        self.show(key)
            .and_then(|value| value.parse().ok())
            .unwrap_or(0)
    }

    /// How many processes its control group holds now.
    pub(super) fn processes(&self) -> u64 {
        let counted = self.host().and_then(|host| host.processes).map(u64::from);
        counted.unwrap_or_else(|| self.number("TasksCurrent"))
    }

    /// Whether it is listed as a service of the app: somebody counts on its being there.
    pub(super) fn is_expected_to_stay(&self) -> bool {
        self.context.strategy.is_some() && !self.is_migration()
    }

    /// Whether it has been starting for that many seconds.
    pub(super) fn has_started_for(&self, seconds: u64) -> bool {
        let waited = self.host().and_then(|host| host.activating_for);
        waited.is_some_and(|waited| waited.as_secs() >= seconds)
    }

    /// How long the main process of its last life ran; zero where that is not known.
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
    #[must_use]
    pub fn running_kind(&self) -> &str {
        self.show("Type").unwrap_or_else(|| self.kind())
    }

    /// What became of its last start.
    #[must_use]
    pub fn life(&self) -> Life {
        // What is seen is what the old text did; the new one may be right.
        if self.show("NeedDaemonReload") == Some("yes") && self.running_kind() != self.kind() {
            return Life::Untold;
        }
        let restarts = self
            .show("SubState")
            .is_some_and(|sub| sub.starts_with("auto-restart"));
        match self.show("ActiveState") {
            Some("active" | "reloading" | "refreshing") if self.number("MainPID") > 0 => Life::Runs,
            Some("active") if self.show("SubState") == Some("exited") => {
                Life::Ended(self.left_by_exited())
            }
            Some("activating") if restarts => self.over(),
            Some("activating") if self.show("SubState") == Some("start") => self.starting(),
            Some("inactive" | "failed") => self.over(),
            _ => Life::Untold,
        }
    }

    fn left_by_exited(&self) -> Left {
        match self.processes() {
            0 => Left::Nothing,
            _ => Left::Daemon,
        }
    }

    fn starting(&self) -> Life {
        let waited = self.host().and_then(|host| host.activating_for);
        let never_complete = self.number("ActiveEnterTimestampMonotonic") == 0;
        let again = self.number("NRestarts") > 0 && never_complete;
        if !again && waited.is_none_or(|waited| waited < PATIENCE) {
            return Life::Untold;
        }
        let process = match self.running_kind() {
            "forking" => self.show("ControlPID").unwrap_or("1"),
            _ => self.show("MainPID").unwrap_or("0"),
        };
        match (process, self.running_kind()) {
            ("0", "forking") => Life::Unready(First::Gone, Since::Waits),
            ("0", _) => Life::Untold,
            _ => Life::Unready(First::Stays, Since::Waits),
        }
    }

    /// Dead, failed, or between two lives.
    fn over(&self) -> Life {
        let forking = self.running_kind() == "forking";
        // The end of the line of `ExecStart=` says what became of the process that was started.
        let command = self.show("ExecStart").unwrap_or_default();
        let command_ended = command.contains("code=exited ; status=0");
        let complete = self.was_complete();
        match self.show("Result") {
            Some("timeout") if complete => Life::Untold, // it was the stop that took too long
            Some("timeout") if forking && command_ended => {
                Life::Unready(First::Gone, Since::TimedOut)
            }
            Some("timeout") => Life::Unready(First::Stays, Since::TimedOut),
            Some("protocol" | "success" | "start-limit-hit") if forking => {
                let ended = command_ended && self.number("ExecMainPID") == 0 && !complete;
                if ended {
                    Life::Ended(Left::Nothing)
                } else {
                    Life::Untold
                }
            }
            Some("protocol" | "success" | "start-limit-hit") => self.ended(),
            _ => Life::Untold,
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

    fn ended(&self) -> Life {
        let exited = self.number("ExecMainExitTimestampMonotonic");
        // CLD_EXITED of waitid(2), and 0: it ended by itself, with success.
        let well =
            self.show("ExecMainCode") == Some("1") && self.show("ExecMainStatus") == Some("0");
        let left_active = self.number("ActiveExitTimestampMonotonic");
        let complete = self.was_complete();
        if exited == 0 || !well || complete && left_active < exited {
            return Life::Untold; // never ran, crashed, or left because it was asked to stop
        }
        let dead = self.number("InactiveEnterTimestampMonotonic");
        let again = self.number("InactiveExitTimestampMonotonic");
        let gave_up = again > exited && dead > again; // `dead` is then the moment of the start limit
        let stops = self.unit.sets("Service", ["ExecStop", "ExecStopPost"]);
        let end = if gave_up { again } else { dead };
        Life::Ended(if self.processes() > 0 {
            Left::Daemon
        } else if complete && !stops && !gave_up && dead == left_active {
            Left::Nothing // it went from active to dead in one step: nobody had to be waited for
        } else if complete && !stops && !gave_up {
            Left::Daemon
        } else if end.saturating_sub(exited) > DYING {
            Left::PerhapsDaemon
        } else {
            Left::PerhapsNothing
        })
    }
}
