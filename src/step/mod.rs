//! Everything the conductor can do to a host, as values. One step = one function of the conductor = one line
//! on screen = one fault point. How a step travels is `wire`'s; nothing here is put into a shell's text.

mod change;
mod check;
mod encoding;
mod events;
mod wire;

use std::fmt;
use std::time::Duration;

pub use change::{Change, Command};
pub use check::{Address, Check, Probe};
pub use encoding::{decoded, encoded};
pub use events::{Described, End, KINDS as EVENTS, Progress, RunEnd, RunEvent};
pub use wire::{Kind, PROTOCOL, words};

/// How a unit's process changes hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// A new process: the InvocationID must be new.
    Restart,
    /// The same process: a restart is a failure.
    Reload,
}

/// What a verdict asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub unit: String,
    pub turn: Turn,
    /// Until it must be active. Whole seconds, as all of these.
    pub start: Duration,
    /// Good answers in a row.
    pub successes: u32,
    /// Until they must have come.
    pub timeout: Duration,
    /// How long it must then stay healthy without a restart.
    pub watch: Duration,
    /// Without one, systemd's facts alone decide.
    pub check: Option<Check>,
}

/// One step of a switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Runs the migration unit from `next`.
    Migrate {
        unit: String,
        timeout: Duration,
    },
    /// The live release passes the check too, within `timeout`, or nothing is changed.
    Baseline {
        unit: String,
        timeout: Duration,
        check: Check,
    },
    /// Probes every 50 ms from here on.
    Measure(Check),
    /// Points `current` at a release, or takes it away (undoing a first deploy).
    Flip(Option<String>),
    Restart(String),
    /// Restarts a unit while its socket holds the port.
    Socket {
        unit: String,
        socket: String,
    },
    Reload(String),
    /// Stops a unit (undoing a first deploy).
    Stop(String),
    Await(Box<Verdict>),
    /// Past this there is no automatic way back.
    Confirm,
    /// Remembers that a release was rolled back from.
    Bad(String),
    Prune(Vec<String>),
    /// Room for the next run.
    Spare,
}

/// As `shipit plan` shows it.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Migrate { unit, timeout } => {
                write!(f, "migrate   {unit}, at most {}s, run from `next`", timeout.as_secs())
            }
            Self::Baseline { unit, timeout, check } => write!(
                f,
                "baseline  {unit}: {} healthy within {}s before anything changes, if it runs",
                check.probe,
                timeout.as_secs()
            ),
            Self::Measure(check) => write!(f, "measure   {} every 50 ms", check.probe),
            Self::Flip(Some(id)) => write!(f, "flip      current -> releases/{id}"),
            Self::Flip(None) => write!(f, "flip      remove `current`: there was none before"),
            Self::Restart(unit) => write!(f, "restart   {unit}"),
            Self::Socket { unit, socket } => {
                write!(f, "socket    restart {unit} while {socket} holds the port")
            }
            Self::Reload(unit) => write!(f, "reload    {unit}"),
            Self::Stop(unit) => write!(f, "stop      {unit}"),
            Self::Await(v) => {
                write!(f, "await     {}: active within {}s", v.unit, v.start.as_secs())?;
                if let Some(check) = &v.check {
                    write!(
                        f,
                        ", {} healthy {} times in a row within {}s",
                        check.probe,
                        v.successes,
                        v.timeout.as_secs()
                    )?;
                }
                write!(f, ", stable for {}s", v.watch.as_secs())
            }
            Self::Confirm => write!(f, "confirm   no automatic revert after this"),
            Self::Bad(id) => write!(f, "bad       record that {id} was rolled back from"),
            Self::Prune(ids) if ids.is_empty() => write!(f, "prune     nothing"),
            Self::Prune(ids) => write!(f, "prune     {}", ids.join(" ")),
            Self::Spare => write!(f, "spare     reserve disk space for the next rollback"),
        }
    }
}
