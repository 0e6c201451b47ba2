//! Everything the conductor can do to a host, as values. One step = one function of the conductor = one line
//! on screen = one fault point. How a step travels is `wire`'s; nothing here is put into a shell's text.

mod change;
mod check;
mod commit;
mod downtime;
mod encoding;
mod events;
mod lever;
mod wire;

use std::fmt;
use std::time::Duration;

pub use change::{Change, Command};
pub use check::{Address, Check, Probe};
pub use commit::Commit;
pub use downtime::{Downtime, Latency, Loss, TurnTimes};
pub use encoding::{decoded, encoded};
pub use events::{Described, End, KINDS as EVENTS, Progress, RunEnd, RunEvent, in_words as event_in_words};
pub use lever::{Lever, Proxy};
use wire::whole_seconds;
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
    /// How long one definite wrong answer may repeat before the wait ends.
    pub wrong_answers: Duration,
    /// Without one, systemd's facts alone decide.
    pub check: Option<Check>,
}

crate::text::words! {
    /// What the host does when the verify command gives no verdict in time.
    pub enum Otherwise {
        Revert = "revert",
        Confirm = "confirm",
    }
}

/// What a switch may lose at most, by the probes since the flip; `None` for any amount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// How long nobody may be answered; whole milliseconds.
    pub max_gap: Option<Duration>,
    pub max_failed: Option<u32>,
}

/// What turns a router. Its instances are named as it knows them: the path of a socket, or BACKEND/SERVER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub lever: Lever,
    pub to: String,
    /// Who gets none any more; `None` if the others go on getting theirs.
    pub from: Option<String>,
    /// The slot of the instance that is about to restart, if `to` stands in for it meanwhile: on the way back that is
    /// needed only if the instance had changed.
    pub stands_in: Option<String>,
    /// How long the instance may take to answer. Whole seconds.
    pub within: Duration,
    /// What it answers at its own address.
    pub check: Option<Check>,
}

/// A share of the requests for the new instance, while the old one serves the rest. They are named as the router knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canary {
    /// Percent, from 1 to 99.
    pub share: u8,
    pub lever: Lever,
    pub to: String,
    pub from: String,
    /// How long it stays. Whole seconds.
    pub hold: Duration,
    /// Below so many requests to the new instance, failed ones are not compared. `None` if the router does not count them.
    pub min_requests: Option<u32>,
    /// What the new instance answers at its own address.
    pub check: Option<Check>,
    /// The same of the old one.
    pub old: Option<Probe>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: active within {}s", self.unit, whole_seconds(self.start))?;
        if let Some(check) = &self.check {
            write!(f, ", {} healthy", check.probe)?;
            if self.successes > 1 {
                write!(f, " {} times in a row", self.successes)?;
            }
            write!(f, " within {}s", whole_seconds(self.timeout))?;
        }
        write!(f, ", stable for {}s", whole_seconds(self.watch))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Runs the unit of `migrate.before`, which must succeed before the migration.
    Backup {
        unit: String,
        timeout: Duration,
    },
    /// Runs the migration unit from `next`.
    Migrate {
        unit: String,
        timeout: Duration,
    },
    /// A unit of its own runs the release from `next`, where no client uses it, and must pass this verdict.
    Trial(Box<Verdict>),
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
    /// Points the slot of an instance at a release; without one removes it, so that the instance cannot start.
    Slot {
        slot: String,
        to: Option<String>,
    },
    Restart(String),
    /// Restarts a unit while its socket holds the port.
    Socket {
        unit: String,
        socket: String,
    },
    Reload(String),
    /// Stops a unit, and waits until it has finished its requests.
    Stop(String),
    /// Starts an instance again on the way back, unless it never stopped and its slot never changed.
    Resume {
        unit: String,
        slot: String,
        /// The unit that holds its port.
        socket: Option<String>,
    },
    /// HAProxy sends this server no requests while its instance starts.
    Isolate {
        socket: String,
        server: String,
    },
    /// The router sends a share of the requests to the new instance, and the two are compared.
    Canary(Box<Canary>),
    /// The router sends requests to an instance that is healthy, and no longer to the other one.
    Route(Box<Route>),
    /// Waits until the router has no request left at an instance.
    Drain {
        lever: Lever,
        from: String,
        limit: Duration,
        /// The slot of an instance that is about to restart while others serve: it is drained only while another one is
        /// ready, and on the way back only if it had changed.
        one_of_several: Option<String>,
    },
    Await(Box<Verdict>),
    /// The command of `verify`, which runs where shipit runs, says that it is good.
    Verify {
        timeout: Duration,
        otherwise: Otherwise,
    },
    /// The meter saw no more lost than that.
    Limits(Limits),
    /// Past this there is no automatic way back.
    Confirm,
    /// Remembers that a user rolled back from a sound release.
    Left(String),
    Prune(Vec<String>),
    /// Room for the next run.
    Spare,
}

/// As `shipit plan` shows it.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backup { unit, timeout } => {
                write!(
                    f,
                    "backup    {unit}, at most {}s, before the migration",
                    whole_seconds(*timeout)
                )
            }
            Self::Migrate { unit, timeout } => {
                write!(
                    f,
                    "migrate   {unit}, at most {}s, run from `next`",
                    whole_seconds(*timeout)
                )
            }
            Self::Trial(v) => write!(f, "trial     {v}, run from `next`"),
            Self::Baseline { unit, timeout, check } => write!(
                f,
                "baseline  {unit}: {} healthy within {}s before anything changes, if it is running",
                check.probe,
                whole_seconds(*timeout)
            ),
            Self::Measure(check) => write!(f, "measure   {} every 50 ms", check.probe),
            Self::Flip(Some(id)) => write!(f, "flip      current -> releases/{id}"),
            Self::Flip(None) => write!(f, "flip      remove `current`: it did not exist before"),
            Self::Slot { slot, to: Some(id) } => write!(f, "slot      slots/{slot} -> releases/{id}"),
            Self::Slot { slot, to: None } => write!(f, "slot      remove `slots/{slot}`: the instance stays stopped"),
            Self::Restart(unit) => write!(f, "restart   {unit}"),
            Self::Socket { unit, socket } => {
                write!(f, "socket    restart {unit} while {socket} holds the port")
            }
            Self::Reload(unit) => write!(f, "reload    {unit}"),
            Self::Stop(unit) => write!(f, "stop      {unit}"),
            Self::Resume { unit, .. } => write!(f, "resume    start {unit}, unless it is still running"),
            Self::Isolate { server, .. } => write!(f, "isolate   HAProxy sends no requests to {server}"),
            Self::Canary(canary) => write!(
                f,
                "canary    {}% of the requests go to {} for {}s, compared with {}",
                canary.share,
                canary.to,
                whole_seconds(canary.hold),
                canary.from
            ),
            Self::Route(route) => {
                write!(f, "route     {}: requests go to {}", route.lever, route.to)?;
                route.from.iter().try_for_each(|from| write!(f, ", not to {from}"))
            }
            Self::Drain { from, limit, .. } => {
                write!(
                    f,
                    "drain     {from}: until no request is left, at most {}s",
                    whole_seconds(*limit)
                )
            }
            Self::Await(v) => write!(f, "await     {v}"),
            Self::Verify { timeout, otherwise } => write!(
                f,
                "verify    run the verify command where shipit runs; {} if it returns no verdict within {}s",
                otherwise.word(),
                whole_seconds(*timeout)
            ),
            Self::Limits(limits) => {
                let gap = limits
                    .max_gap
                    .map(|gap| format!("no gap longer than {}ms", gap.as_millis()));
                let failed = limits.max_failed.map(|n| format!("at most {n} failed requests"));
                let both: Vec<String> = failed.into_iter().chain(gap).collect();
                write!(f, "limits    {}", both.join(", "))
            }
            Self::Confirm => write!(f, "confirm   no automatic revert after this"),
            Self::Left(id) => write!(f, "left      record that a user rolled back from {id}"),
            Self::Prune(ids) if ids.is_empty() => write!(f, "prune     nothing"),
            Self::Prune(ids) => write!(f, "prune     {}", ids.join(" ")),
            Self::Spare => write!(f, "spare     reserve disk space for the next rollback"),
        }
    }
}
