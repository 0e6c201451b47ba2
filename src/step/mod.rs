//! Everything the conductor can do to a host, as values. One step = one function of the conductor = one line
//! on screen = one fault point. Rendered here as lines of the request; never put into a shell's text.

mod change;
mod check;

use std::fmt;

pub use change::{Change, Command};
pub use check::{Address, Check, Probe};

/// How a unit's process changes hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// A new life: the InvocationID must be new.
    Restart,
    /// The same life: a restart would be a failure.
    Reload,
}

/// What a verdict asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub unit: String,
    pub turn: Turn,
    /// Seconds until it must be active.
    pub start: u64,
    /// Good answers in a row.
    pub successes: u32,
    /// Seconds until they must have come.
    pub timeout: u64,
    /// Seconds that everything must then stay flat.
    pub watch: u64,
    /// Without one, systemd's facts alone decide.
    pub check: Option<Check>,
}

/// One step of a switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Runs the migration unit from `next`: unit, seconds.
    Migrate(String, u64),
    /// The live release passes the check too, or nothing is changed: unit, seconds until it must have, check.
    Baseline(String, u64, Check),
    /// Probes every 50 ms from here on.
    Measure(Check),
    /// Points `current` at a release, or takes it away (undoing a first deploy).
    Flip(Option<String>),
    Restart(String),
    /// Restarts a unit while its socket holds the port.
    Socket(String, String),
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

impl Verdict {
    /// As scripts take it, behind the unit and how it turns: four numbers and the check.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            self.start.to_string(),
            self.successes.to_string(),
            self.timeout.to_string(),
            self.watch.to_string(),
        ];
        arguments.extend(Check::arguments(self.check.as_ref()));
        arguments
    }
}

impl Step {
    /// The name of a baseline: a switch that ends there has its own way on.
    pub const BASELINE: &str = "baseline";

    /// The step's name, as events say it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Migrate(..) => "migrate",
            Self::Baseline(..) => Self::BASELINE,
            Self::Measure(_) => "measure",
            Self::Flip(_) => "flip",
            Self::Restart(_) => "restart",
            Self::Socket(..) => "socket",
            Self::Reload(_) => "reload",
            Self::Stop(_) => "stop",
            Self::Await(_) => "await",
            Self::Confirm => "confirm",
            Self::Bad(_) => "bad",
            Self::Prune(_) => "prune",
            Self::Spare => "spare",
        }
    }

    /// The step as a line of the request (without the list's name).
    #[must_use]
    pub fn line(&self) -> String {
        let name = self.name();
        match self {
            Self::Migrate(unit, seconds) => format!("{name} {unit} {seconds}"),
            Self::Baseline(unit, seconds, check) => {
                format!(
                    "{name} {unit} {seconds} {}",
                    Check::arguments(Some(check)).join(" ")
                )
            }
            Self::Measure(check) => {
                format!("{name} {}", Check::arguments(Some(check))[..4].join(" "))
            }
            Self::Flip(to) => format!("{name} {}", to.as_deref().unwrap_or("-")),
            Self::Restart(unit) | Self::Reload(unit) | Self::Stop(unit) => format!("{name} {unit}"),
            Self::Socket(unit, socket) => format!("{name} {unit} {socket}"),
            Self::Await(v) => {
                let turn = match v.turn {
                    Turn::Restart => "restart",
                    Turn::Reload => "reload",
                };
                format!("{name} {} {turn} {}", v.unit, v.arguments().join(" "))
            }
            Self::Confirm | Self::Spare => name.to_owned(),
            Self::Bad(id) => format!("{name} {id}"),
            Self::Prune(ids) => format!("{name} {}", ids.join(" ")).trim_end().to_owned(),
        }
    }
}

/// As `shipit plan` shows it.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Migrate(unit, seconds) => {
                write!(f, "migrate   {unit}, at most {seconds}s, run from `next`")
            }
            Self::Baseline(unit, seconds, check) => write!(
                f,
                "baseline  {unit}: {} healthy within {seconds}s before anything changes, if it runs",
                check.probe
            ),
            Self::Measure(check) => write!(f, "measure   {} every 50 ms", check.probe),
            Self::Flip(Some(id)) => write!(f, "flip      current -> releases/{id}"),
            Self::Flip(None) => write!(f, "flip      take `current` away: there was none before"),
            Self::Restart(unit) => write!(f, "restart   {unit}"),
            Self::Socket(unit, socket) => {
                write!(f, "socket    restart {unit} while {socket} holds the port")
            }
            Self::Reload(unit) => write!(f, "reload    {unit}"),
            Self::Stop(unit) => write!(f, "stop      {unit}"),
            Self::Await(v) => {
                write!(f, "await     {}: active within {}s", v.unit, v.start)?;
                if let Some(check) = &v.check {
                    write!(
                        f,
                        ", {} healthy {} times in a row within {}s",
                        check.probe, v.successes, v.timeout
                    )?;
                }
                write!(f, ", flat for {}s", v.watch)
            }
            Self::Confirm => write!(f, "confirm   from here there is no automatic way back"),
            Self::Bad(id) => write!(f, "bad       remember that {id} was rolled back from"),
            Self::Prune(ids) if ids.is_empty() => write!(f, "prune     nothing"),
            Self::Prune(ids) => write!(f, "prune     {}", ids.join(" ")),
            Self::Spare => write!(f, "spare     keep room for the next rollback"),
        }
    }
}
