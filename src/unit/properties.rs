//! What `systemctl show` reports about one unit, with the questions that shipit asks of it. A property that was not
//! reported is neither true nor false; nothing here reads a unit's text.

use std::collections::BTreeMap;

/// The properties of one unit, by name as in org.freedesktop.systemd1(5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties(BTreeMap<String, String>);

/// `LoadState=`. systemctl(1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadState<'a> {
    Loaded,
    NotFound,
    Masked,
    /// `bad-setting`, `error`, and whatever a later systemd adds.
    Other(&'a str),
    /// It was not reported.
    Unknown,
}

impl Properties {
    /// Of a unit that was not asked about.
    pub const UNKNOWN: &'static Self = &Self(BTreeMap::new());

    /// Takes in `NAME=VALUE`; text without a `=` is dropped.
    pub fn take(&mut self, line: &str) {
        if let Some((name, value)) = line.split_once('=') {
            self.0.insert(name.into(), value.into());
        }
    }

    /// Adds what another look reported; its values win.
    pub fn extend(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    /// A property as reported; `None` when it was not.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A property as reported; empty when it was not.
    pub fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn load_state(&self) -> LoadState<'_> {
        match self.text("LoadState") {
            "" => LoadState::Unknown,
            "loaded" => LoadState::Loaded,
            "not-found" => LoadState::NotFound,
            "masked" => LoadState::Masked,
            other => LoadState::Other(other),
        }
    }

    pub fn is_loaded(&self) -> bool {
        self.load_state() == LoadState::Loaded
    }

    pub fn is_not_found(&self) -> bool {
        self.load_state() == LoadState::NotFound
    }

    /// `ActiveState=`: `active`, `inactive`, `failed`, `activating`, `deactivating`, `reloading`; empty when not reported.
    pub fn active_state(&self) -> &str {
        self.text("ActiveState")
    }

    pub fn is_active(&self) -> bool {
        self.active_state() == "active"
    }

    /// Known not to run: `inactive` or `failed`.
    pub fn is_stopped(&self) -> bool {
        matches!(self.active_state(), "inactive" | "failed")
    }

    /// The files on disk are newer than what systemd has loaded.
    pub fn needs_daemon_reload(&self) -> bool {
        self.text("NeedDaemonReload") == "yes"
    }

    /// `UnitFileState=`: `enabled`, `disabled`, `static`, …; `None` when not reported.
    pub fn unit_file_state(&self) -> Option<&str> {
        self.get("UnitFileState")
    }

    /// The units that start this one: sockets, timers, paths.
    pub fn triggered_by(&self) -> impl Iterator<Item = &str> {
        self.text("TriggeredBy").split_ascii_whitespace()
    }

    /// The cgroup below the root of the hierarchy; `None` when the unit has none.
    pub fn control_group(&self) -> Option<&str> {
        self.get("ControlGroup").filter(|path| path.starts_with('/'))
    }

    /// The main process; `None` when there is none.
    pub fn main_pid(&self) -> Option<u32> {
        self.text("MainPID").parse().ok().filter(|pid| *pid != 0)
    }

    /// The setting that keeps its errors out of the journal, and its value: `append:/var/log/acme.log`, of systemd 252
    /// without the path; or `null`.
    pub fn output_elsewhere(&self) -> Option<(&'static str, &str)> {
        let key = match self.text("StandardError") {
            "inherit" => "StandardOutput",
            _ => "StandardError",
        };
        let to = self.text(key);
        let kind = to.split(':').next().unwrap_or_default();
        matches!(kind, "append" | "file" | "truncate" | "null").then_some((key, to))
    }

    /// When the main process started, as systemctl prints it with TZ=UTC; empty when it never did.
    pub fn main_process_started(&self) -> &str {
        self.text("ExecMainStartTimestamp")
    }
}

impl FromIterator<(String, String)> for Properties {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(pairs: T) -> Self {
        Self(pairs.into_iter().collect())
    }
}
