//! What was seen on the host, parsed from the facts that `observe.sh` prints. A fact that could not be read
//! is kept as unreadable: it is never taken for absence.

pub mod access; // what setup_access.sh printed
mod answers; // what facts.sh printed
mod base; // what base.sh printed
mod cut; // what cut.sh printed
pub mod drain; // what drain.sh printed
pub mod history; // what was done to the app
pub mod installed; // the app's unit files, as installed.sh printed them
pub mod ledger; // the host's record of releases
pub mod lines; // the one reader of what scripts print
mod links; // `current`, the slots, and what counts as the name of a release
mod listening; // who listens
mod live; // the app's units with the facts that rules judge by
mod meta; // what the host keeps beside a release
mod questions; // what to ask about the things that units name
pub mod routers; // who gets the requests
mod rule_context; // what rules are told beside a unit's text
pub mod status; // what status.sh printed
pub mod sudo; // what sudo lets the deploy user do
mod units; // what units.sh printed

pub use answers::Answers;
pub use base::HostBase;
pub use cut::CutUpload;
pub use links::{Current, Slot};
pub use listening::{Family, Listening, Owner, in_the_way, same_address};
pub use live::{Live, files};
pub use meta::Meta;
pub use questions::{KEPT_JOURNAL, Question, questions, root_paths};
pub use rule_context::context;
pub use units::{HostUnit, HostUnits};

use std::collections::BTreeMap;

use crate::config::Instance;
use crate::unit::properties::Properties;
use ledger::Ledger;
use lines::lines;

crate::text::words! {
    /// The app's root directory on the host.
    #[derive(Default)]
    pub enum Root {
        /// There is nothing at that path.
        #[default]
        Absent = "absent",
        Unreadable = "unreadable",
        /// It is there, without shipit's layout.
        Bare = "bare",
        /// The layout is there and another user's; root reads none of it.
        Foreign = "foreign",
        /// The layout is there, but this user cannot write to it.
        Unwritable = "unwritable",
        /// The layout is there, on a disk that is read-only, or turned so after an error.
        ReadOnly = "readonly",
        Ready = "ready",
    }
}

/// A switch that is wanted or under way: who holds the host.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Request {
    pub run: String,
    pub by: String,
    /// `deploy`, `rollback` or `prune`.
    pub command: String,
    /// The release that it wants live.
    pub next: String,
    /// When it was made, by the maker's clock.
    pub since: String,
    pub step: String,
}

impl Request {
    /// Takes in the lines of a request, as a script that was refused because of it prints them.
    pub fn parse(out: &[u8]) -> Self {
        let mut request = Self::default();
        for (key, value) in lines(out) {
            request.take(&key, &value);
        }
        request
    }

    fn take(&mut self, key: &str, value: &str) {
        let value = lines::decoded(value);
        match key {
            "run" => self.run = value,
            "by" => self.by = value,
            "command" => self.command = value,
            "next" => self.next = value,
            "since" => self.since = value,
            _ => {}
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Observed {
    /// Tools that are not there.
    pub missing: Vec<String>,
    pub systemd: Option<u32>,
    /// The user we are there.
    pub user: String,
    pub uid: Option<u32>,
    /// The host's clock, in seconds since the epoch.
    pub time: Option<i64>,
    pub root: Root,
    /// Who owns the root, where it looks like the tree of a deploy tool.
    pub tree_owner: Option<String>,
    /// Parts of the root that are links or no directories.
    pub misplaced: Vec<String>,
    /// Owner and name of the first directory (`.`, `releases`, `.shipit`) that this user cannot write to.
    pub unwritable: Option<(String, String)>,
    pub current: Current,
    /// What is in `slots/`, by the name of the instance.
    pub slots: BTreeMap<String, Slot>,
    /// Free space where releases live, in KiB.
    pub free_kb: Option<u64>,
    /// Free inodes there; `None` where the file system does not count them.
    pub free_inodes: Option<u64>,
    /// Uploads in `releases/` that are not published, `.in-ID`: under way, or cut.
    pub uploads: Vec<String>,
    /// Names in `releases/`, without dot names, and without a release that is not published yet.
    pub releases: Vec<String>,
    /// What the host keeps beside each.
    pub meta: BTreeMap<String, Meta>,
    pub ledger: Ledger,
    /// The sha256 of the conductor that is there.
    pub conductor: Option<String>,
    /// Room for the next rollback is kept.
    pub spare: bool,
    pub zstd: bool, // its program is there
    /// Where zstd can unpack patches: the memory that is available, in KiB.
    pub patch_kb: Option<u64>,
    pub request: Option<Request>,
    /// A switch passed while this was read: its facts are not of one moment, and no plan can be made from them.
    pub changed: bool,
    /// What stands in the place of the request and is none: `fifo`, `symbolic link`, as stat(1) calls it.
    pub odd_request: Option<String>,
    /// The run that left the host degraded.
    pub degraded: Option<String>,
    /// The unit of a drain trial that has not ended.
    pub trial: Option<String>,
    /// The app's units, by name; see [`Self::unit`].
    pub units: BTreeMap<String, Properties>,
    /// The routers in front of instances, by their levers.
    pub routers: BTreeMap<String, routers::RouterState>,
    /// What sudo lets this user do; `None` for root.
    pub sudo: Option<sudo::Sudo>,
    pub unreadable: Vec<Unreadable>,
    /// The app's units with their files, where they were asked for.
    pub installed: Option<installed::InstalledUnits>,
    pub base: Option<HostBase>,
}

/// What could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// The properties of a unit.
    Unit(String),
    Other(String),
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unit(name) => write!(f, "unit {name}"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

impl Observed {
    /// Whether the properties of a unit could be read.
    pub fn could_read(&self, unit: &str) -> bool {
        let is = |what: &Unreadable| matches!(what, Unreadable::Unit(name) if name == unit);
        !self.unreadable.iter().any(is)
    }

    /// Takes in what `observe.sh` printed.
    #[must_use]
    pub fn parse(out: &[u8]) -> Self {
        let (mut observed, mut unpublished) = (Self::default(), Vec::new());
        for (word, rest) in lines(out) {
            unpublished.extend(ledger::unpublished(&word, &rest));
            observed.take(&word, &rest);
        }
        observed.ledger.leave_out(&mut observed.releases, &unpublished);
        observed
    }

    fn take(&mut self, word: &str, rest: &str) {
        match word {
            "missing" if is_tool(rest) => self.missing.push(rest.into()),
            "systemd" => self.systemd = rest.parse().ok(),
            "user" => self.user = rest.into(),
            "uid" => self.uid = rest.parse().ok(),
            "time" => self.time = rest.parse().ok(),
            "root" => self.root = Root::of(rest).unwrap_or(Root::Unreadable),
            "tree_owner" => self.tree_owner = Some(rest.into()),
            "unwritable" => self.unwritable = unwritable(rest),
            "misplaced" => self.misplaced.push(crate::text::shown(rest.as_bytes())),
            "current" => self.current = links::current(rest, &self.current),
            "slot" => {
                let (name, what) = lines::split(rest);
                self.slots.insert(name.into(), links::slot(what));
            }
            "free_kb" => self.free_kb = rest.parse().ok(),
            "free_inodes" => self.free_inodes = rest.parse().ok(),
            "release" if rest.starts_with(".in-") => self.uploads.push(rest.into()),
            // Of other names none is shipit's: they become words of lines to type.
            "release" if links::is_name(rest) => self.releases.push(rest.into()),
            "digest" | "migration" | "backup" | "info" => self.take_meta(word, rest),
            "ledger" => self.ledger.push(rest),
            "epoch" => self.ledger.counted = rest.parse().ok(),
            "conductor" => self.conductor = Some(rest.into()),
            "spare" => self.spare = true,
            "zstd" => self.zstd = true,
            "patch_kb" => self.patch_kb = rest.parse().ok(),
            "request" => {
                let (key, value) = lines::split(rest);
                self.request.get_or_insert_default().take(key, value);
            }
            "changed" => self.changed = true,
            "odd_request" => self.odd_request = Some(rest.into()),
            "request_step" => {
                if let Some(request) = &mut self.request {
                    request.step = rest.split_once(' ').map_or(rest, |(_, step)| step).into();
                }
            }
            "degraded" => self.degraded = Some(rest.into()),
            "trial" => self.trial = Some(rest.into()),
            "unit" => {
                let (unit, property) = lines::split(rest);
                self.units.entry(unit.into()).or_default().take(property);
            }
            "router" => {
                let (key, said) = lines::split(rest);
                self.routers.entry(key.into()).or_default().take(said);
            }
            "unreadable" => self.unreadable.push(match rest.strip_prefix("unit ") {
                Some(name) => Unreadable::Unit(name.into()),
                None => Unreadable::Other(rest.into()),
            }),
            _ => {
                if let Some(word) = word.strip_prefix("sudo_") {
                    self.sudo.get_or_insert_default().take(word, rest);
                }
            }
        }
    }

    fn take_meta(&mut self, word: &str, rest: &str) {
        let Some((id, value)) = rest.split_once(' ') else {
            return;
        };
        let meta = self.meta.entry(id.into()).or_default();
        match word {
            "digest" => meta.digest = value.into(),
            "backup" => meta.backup = Some(value.into()),
            "migration" => meta.migration = value.split(' ').next().map(Into::into),
            _ => {
                if let Some((key, value)) = value.split_once('=') {
                    meta.info.insert(key.into(), lines::decoded(value));
                }
            }
        }
    }

    /// What systemd reports about a unit; no property is known of one that was not asked about.
    pub fn unit(&self, name: &str) -> &Properties {
        self.units.get(name).unwrap_or(Properties::UNKNOWN)
    }

    /// Whether a run could not revert and nobody is at work on it now: a person is needed.
    pub fn is_degraded(&self) -> bool {
        self.degraded.is_some() && self.request.is_none()
    }

    /// Whether an instance rests: it has no slot, so it does not start. A plain unit never rests.
    pub fn is_idle(&self, one: &Instance<'_>) -> bool {
        one.slot.is_some_and(|slot| !self.slots.contains_key(slot))
    }

    /// Whether a service does not run although it should: it failed, or rests and no unit would start it on demand.
    /// What is not known counts as running.
    pub fn is_down(&self, one: &Instance<'_>) -> bool {
        let mut wakers = self.unit(one.unit).triggered_by();
        match self.unit(one.unit).active_state() {
            _ if self.is_idle(one) => false,
            "failed" => true,
            "inactive" => !wakers.any(|waker| self.unit(waker).is_active()),
            _ => false,
        }
    }

    /// The release that the slot of an instance names.
    pub fn slot(&self, one: &Instance<'_>) -> Option<&str> {
        match self.slots.get(one.slot?) {
            Some(Slot::Release(id)) => Some(id),
            _ => None,
        }
    }

    /// The release that is live.
    pub fn live(&self) -> Option<&str> {
        match &self.current {
            Current::Release(id) => Some(id),
            _ => None,
        }
    }
}

/// Whether it can be a tool that `observe.sh` misses: its name becomes a word of a line to type.
fn is_tool(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || " ._+-".contains(c))
}

/// The owner and the name of a directory of the layout; the name becomes a word of a line for root to type.
fn unwritable(rest: &str) -> Option<(String, String)> {
    let (owner, dir) = lines::split(rest);
    [".", "releases", ".shipit"]
        .contains(&dir)
        .then(|| (owner.into(), dir.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_become_what_they_say_and_nothing_else() {
        let observed = Observed::parse(
            b"root ready\ncurrent link releases/20260101-000000\nfree_kb 100\nrelease 20260101-000000\nrelease .in-x\n\
              digest 20260101-000000 abc\nmigration 20260101-000000 ok run\nunit a.service LoadState=loaded\n\
              request run r1\nrequest by me\\0040@here\nrequest_step 12 step switch flip started\nsudo_tried 0 7\n",
        );
        assert_eq!(observed.live(), Some("20260101-000000"));
        assert_eq!(observed.releases, ["20260101-000000"]);
        assert_eq!(observed.meta["20260101-000000"].migration.as_deref(), Some("ok"));
        assert_eq!(observed.unit("a.service").text("LoadState"), "loaded");
        let request = observed.request.unwrap_or_default();
        assert_eq!(
            (request.by.as_str(), request.step.as_str()),
            ("me @here", "step switch flip started")
        );
        assert_eq!(observed.sudo.and_then(|sudo| sudo.slow()), Some(7));
    }

    #[test]
    fn no_word_of_the_host_that_could_be_shell_text_is_taken_for_a_name() {
        let observed = Observed::parse(
            b"release 0;id>pwned;\nrelease $(id)\nrelease a b\nrelease -rf\nrelease v1.2_3-4\nmissing curl;id\n\
              missing -x\nmissing mv -T\nmissing GNU tar\nunwritable root $(id)\n",
        );
        assert_eq!(observed.releases, ["v1.2_3-4"]);
        assert_eq!(observed.missing, ["mv -T", "GNU tar"]);
        assert_eq!(observed.unwritable, None);
        let known = Observed::parse(b"unwritable root .shipit\n").unwritable;
        assert_eq!(known, Some(("root".into(), ".shipit".into())));
    }
}
