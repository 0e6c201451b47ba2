//! What a running host reports about one unit, as rules use it. Values only; nothing is judged or asked here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::unit::merge::Unit;
use crate::unit::properties::Properties;

/// What the host says of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFact {
    /// Whether it is there; a symlink is followed.
    pub exists: bool,
    /// Its owner's name.
    pub owner: String,
    /// Its group's name.
    pub group: String,
    /// Its permission bits.
    pub mode: u32,
    /// Whether it is a directory.
    pub directory: bool,
    /// The owners and modes of the directories above it, the nearest first.
    pub above: Vec<(String, u32)>,
}

/// What `systemd-analyze calendar` says of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calendar {
    /// It will elapse again.
    Elapses,
    /// Valid, but its time never comes.
    Never,
    /// systemd cannot read it.
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

/// What the running host says of one unit. Whatever was not asked is empty or `None`, and no rule speaks of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// The version of systemd there.
    pub systemd: Option<u32>,
    pub properties: Properties,
    /// The files that the unit names (programs, environment files, directories), as far as they were asked for.
    pub files: BTreeMap<String, FileFact>,
    pub named: Arc<Named>,
    /// What `systemd-analyze verify` printed, line by line.
    pub verify: Vec<String>,
    /// `systemd-analyze security`: 0 (safe) to 10.
    pub exposure: Option<f32>,
    /// Logical processors.
    pub processors: Option<u32>,
    /// The queue length of the listening sockets (`ss -ltn`, Send-Q), by address as `ListenStream=` writes it.
    pub backlogs: BTreeMap<String, u32>,
    /// Who listens at the addresses of a `.socket` that does not, by address as `ListenStream=` writes it.
    pub holders: BTreeMap<String, String>,
    /// Whether the running service holds the socket that its `.socket` passes.
    pub socket_taken: Option<bool>,
    /// The signals that the main process handles: `SigCgt` of /proc/PID/status.
    pub caught_signals: Option<u64>,
    /// How long the unit has been activating.
    pub activating_for: Option<Duration>,
    /// How many processes are in its control group (`cgroup.procs`).
    pub processes: Option<u32>,
    /// Whether the file of its program, or the script that is given to it, speaks of `NOTIFY_SOCKET` or `sd_notify`.
    pub reports: Option<bool>,
    /// The same unit as the repository has it.
    pub repository: Option<Unit>,
}
