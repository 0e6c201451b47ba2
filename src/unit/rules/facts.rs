//! What a running host reports about one unit, as rules use it. Values only: never asks, never judges.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::unit::merge::Unit;
use crate::unit::properties::Properties;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileFact {
    /// A symlink is followed.
    pub exists: bool,
    pub owner: String,
    pub group: String,
    /// Permission bits.
    pub mode: u32,
    pub directory: bool,
    /// The owners and modes of the directories above it, the nearest first.
    pub above: Vec<(String, u32)>,
    /// Who can change the way to it, where that was asked.
    pub way: Option<Way>,
}

/// Who can put another file in the place of a path: whoever can change a directory on the way, through every symlink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// Root only.
    Closed,
    /// Others too: who, and where, in words.
    Open(String),
}

/// The result of `systemd-analyze calendar` for an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calendar {
    Elapses,
    /// Valid, but never elapses.
    Never,
    Invalid,
}

/// What the host's units name, all of them together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Named {
    /// Whether a user exists.
    pub users: BTreeMap<String, bool>,
    /// Whether a group exists.
    pub groups: BTreeMap<String, bool>,
    /// By expression of `OnCalendar=`.
    pub calendars: BTreeMap<String, Calendar>,
}

/// What was not asked is empty or `None`, and no rule reports it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    pub systemd: Option<u32>,
    pub properties: Properties,
    /// The files that the unit names (programs, environment files, directories), where they were asked for.
    pub files: BTreeMap<String, FileFact>,
    pub named: Arc<Named>,
    /// What `systemd-analyze verify` printed, line by line.
    pub verify: Vec<String>,
    /// `systemd-analyze security`: 0 (safe) to 10.
    pub exposure: Option<f32>,
    /// Logical ones.
    pub processors: Option<u32>,
    /// The queue length of the listening sockets (`ss -ltn`, Send-Q), by address as `ListenStream=` writes it.
    pub backlogs: BTreeMap<String, u32>,
    /// The unit that listens at an address of an inactive `.socket`, by address as `ListenStream=` writes it.
    pub holders: BTreeMap<String, String>,
    /// Whether the running service has the socket that its `.socket` passes.
    pub socket_taken: Option<bool>,
    /// The signals that the main process handles: `SigCgt` of /proc/PID/status.
    pub caught_signals: Option<u64>,
    pub activating_for: Option<Duration>,
    /// In its control group (`cgroup.procs`).
    pub processes: Option<u32>,
    /// Whether its program file or script contains `NOTIFY_SOCKET` or `sd_notify`.
    pub reports: Option<bool>,
    /// The same unit in the repository.
    pub repository: Option<Unit>,
}

impl Facts {
    /// Facts about the files alone, for the rule `root-path`: the host may not have the unit yet.
    pub fn of_files(files: BTreeMap<String, FileFact>) -> Self {
        Self {
            files,
            ..Self::default()
        }
    }
}
