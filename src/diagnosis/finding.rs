//! One finding: how bad, where, what, why it matters, the line to type; and how near to the root of things it is.

use crate::failure::{Failure, Next};
use crate::unit::rules::Severity;

crate::text::words! {
    /// What part of the whole a finding is about.
    pub enum Area {
        Laptop = "laptop",
        /// The way to the host.
        Link = "link",
        /// The host: tools, layout, guard, sudo lines, room, clock.
        Host = "host",
        Switch = "switch",
        Unit = "unit",
        /// Who listens and who answers.
        Health = "health",
        /// What stands in front of the app.
        Router = "router",
        /// How a service is turned over.
        Strategy = "strategy",
    }
}

/// How near to the root of things a finding is: what stands first can be the cause of what stands below it, never the
/// other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    Laptop,
    Link,
    /// No room: everything fails in its own way.
    Room,
    Host,
    /// systemd does not have the unit, or refuses it.
    Loaded,
    /// systemd has an older unit than the disk.
    Stale,
    /// Something that the unit names is not there.
    Named,
    /// A file that the app needs cannot be read by it.
    Readable,
    /// The unit's own text explains why it does not run.
    Text,
    /// The socket is not there, or nobody takes it.
    Socket,
    /// It failed, dies, or does not run.
    State,
    /// Other units that fail because of that.
    Fallout,
    /// Nobody listens, or the answer is wrong.
    Answer,
    /// How the last switch ended.
    Switch,
    /// The units cannot carry the strategy.
    Strategy,
    /// What will hurt one day.
    Later,
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Finding {
    pub severity: Severity,
    pub area: Area,
    /// How near to the root of things.
    pub depth: Depth,
    /// The unit, when it is about one.
    pub unit: Option<String>,
    /// The file on the host and the line, when it has a place.
    pub place: Option<(String, u32)>,
    pub rule: Option<&'static str>,
    /// What. Holds text from the host: who prints it escapes it.
    pub what: String,
    /// Why it matters; may be empty.
    pub why: String,
    /// The lines to type, or to write.
    pub next: Vec<Next>,
    /// Lines of a journal that belong to it.
    pub log: Vec<String>,
    /// Whether `shipit setup` fixes it, without a decision of the user.
    pub by_setup: bool,
}

impl Finding {
    /// A finding with nothing but what.
    pub fn new(severity: Severity, area: Area, depth: Depth, what: impl Into<String>) -> Self {
        Self {
            severity,
            area,
            depth,
            unit: None,
            place: None,
            rule: None,
            what: what.into(),
            why: String::new(),
            next: Vec::new(),
            log: Vec::new(),
            by_setup: false,
        }
    }

    pub fn error(area: Area, depth: Depth, what: impl Into<String>) -> Self {
        Self::new(Severity::Error, area, depth, what)
    }

    pub fn warning(area: Area, depth: Depth, what: impl Into<String>) -> Self {
        Self::new(Severity::Warning, area, depth, what)
    }

    pub fn info(area: Area, depth: Depth, what: impl Into<String>) -> Self {
        Self::new(Severity::Info, area, depth, what)
    }

    pub fn of_failure(area: Area, depth: Depth, failure: &Failure) -> Self {
        let mut finding = Self::error(area, depth, failure.what.clone());
        finding.why = failure.why.join("; ");
        finding.next.clone_from(&failure.next);
        finding
    }

    pub fn why(mut self, why: impl Into<String>) -> Self {
        self.why = why.into();
        self
    }

    pub fn next(mut self, next: Next) -> Self {
        self.next.push(next);
        self
    }

    pub fn by_setup(mut self) -> Self {
        self.by_setup = true;
        self
    }

    /// Whether the first release could not go live because of it, whatever is in that release.
    pub fn stops_any_release(&self) -> bool {
        use Depth::{Host, Laptop, Link, Loaded, Named, Readable, Room, Socket, Strategy};
        let deep = matches!(
            self.depth,
            Laptop | Link | Room | Host | Loaded | Named | Readable | Socket | Strategy
        );
        self.severity == Severity::Error && deep
    }

    pub fn of(mut self, unit: &str) -> Self {
        self.unit = Some(unit.to_owned());
        self
    }
}
