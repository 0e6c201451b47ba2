//! What to ask the host about the things that its units name: files with all directories above, accounts, calendar
//! expressions, processes. The answers are `answers`'s.

use std::collections::BTreeSet;

use super::units::HostUnits;
use crate::unit::merge::Unit;
use crate::unit::rules;
use crate::unit::specifier::{self, Place};

/// One question; `facts.sh` says what the answer looks like.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// Owner, group, mode and kind of a path.
    File(String),
    /// Whether a user is there.
    User(String),
    /// Whether a group is there.
    Group(String),
    /// The groups that a user is in.
    Groups(String),
    /// Whether an expression of `OnCalendar=` comes true.
    Calendar(String),
    /// What `systemd-analyze verify` says of a unit, by its file.
    Verify(String, String),
    Security(String),
    /// The signals that a unit's main process handles, by its number.
    Signals(String, String),
    /// Whether users other than root can change the way to a path.
    Way(String),
    /// The sockets that a unit's processes hold, by its cgroup.
    Holds(String, String),
    /// How many processes a unit has, by its cgroup.
    Tasks(String, String),
    /// Whether a file that a unit runs speaks of `sd_notify`.
    Reports(String, String),
    /// Where the journal is kept, by journald's configuration file.
    Storage,
    /// Free and total KiB where a path lies.
    Space(String),
    /// The apps whose sudo rule names a unit; only root can read that.
    Claimed(String),
    /// The digest of a file's text.
    Content(String),
    /// Whether a user has authorized keys.
    Keys(String),
}

impl Question {
    /// Everything about one path: it, and the directories above it.
    pub fn about(path: &str) -> impl Iterator<Item = Self> {
        let above = above(path).map(|dir| Question::File(dir.to_owned()));
        std::iter::once(Question::File(path.to_owned())).chain(above)
    }

    /// The two arguments that `facts.sh` takes.
    pub fn args(&self) -> [&str; 2] {
        match self {
            Question::File(path) => ["file", path],
            Question::Way(path) => ["way", path],
            Question::User(name) => ["user", name],
            Question::Group(name) => ["group", name],
            Question::Groups(name) => ["groups", name],
            Question::Calendar(expression) => ["calendar", expression],
            Question::Verify(_, path) => ["verify", path],
            Question::Security(unit) => ["security", unit],
            Question::Signals(_, pid) => ["signals", pid],
            Question::Holds(_, cgroup) => ["holds", cgroup],
            Question::Tasks(_, cgroup) => ["tasks", cgroup],
            Question::Reports(_, path) => ["reports", path],
            Question::Storage => ["storage", "systemd/journald.conf"],
            Question::Space(path) => ["space", path],
            Question::Claimed(unit) => ["claimed", unit],
            Question::Content(path) => ["content", path],
            Question::Keys(user) => ["keys", user],
        }
    }

    /// What it is about, for a sentence about its not being readable.
    pub fn subject(&self) -> String {
        match self {
            Question::File(path) | Question::Way(path) | Question::Space(path) | Question::Content(path) => {
                path.clone()
            }
            Question::User(name) | Question::Groups(name) => format!("the user {name}"),
            Question::Group(name) => format!("the group {name}"),
            Question::Calendar(expression) => format!("the times of {expression}"),
            Question::Verify(unit, _) => format!("systemd-analyze verify {unit}"),
            Question::Security(unit) => format!("systemd-analyze security {unit}"),
            Question::Signals(unit, _) => format!("the signals that {unit} handles"),
            Question::Holds(unit, _) => format!("the sockets that {unit} holds"),
            Question::Tasks(unit, _) => format!("the processes of {unit}"),
            Question::Reports(_, path) => path.clone(),
            Question::Storage => "journald.conf".into(),
            Question::Claimed(unit) => format!("the sudo rules for {unit}"),
            Question::Keys(user) => format!("the authorized keys of {user}"),
        }
    }
}

/// Without this directory, and without `Storage=persistent`, journald keeps the journal in memory (journald.conf(5)).
pub const KEPT_JOURNAL: &str = "/var/log/journal";

/// What to ask about these units; each question once.
pub fn questions(host_units: &HostUnits) -> Vec<Question> {
    let mut all = BTreeSet::from([Question::Storage, Question::File(KEPT_JOURNAL.into())]);
    for one in &host_units.units {
        let name = one.unit.name.as_str().to_owned();
        for (_, path) in paths(&one.unit) {
            all.extend(Question::about(&path));
        }
        all.extend(opened(&one.unit).map(Question::Way));
        for (user, _) in one.unit.accounts("User") {
            if plain(&user) {
                all.insert(Question::Groups(user.clone()));
                all.insert(Question::User(user));
            }
        }
        let groups = one.unit.accounts(["Group", "SupplementaryGroups"]).into_iter();
        let named = groups.filter(|(group, _)| plain(group));
        all.extend(named.map(|(group, _)| Question::Group(group)));
        for entry in one.unit.all("Timer", "OnCalendar") {
            all.insert(Question::Calendar(entry.value.to_owned()));
        }
        let file = one.unit.files.first().filter(|_| !one.unit.is_masked());
        all.extend(file.map(|file| Question::Verify(name.clone(), file.path.clone())));
        if one.unit.name.kind() == "service" && one.properties.is_loaded() && !one.unit.name.is_template() {
            all.insert(Question::Security(name.clone()));
        }
        let run = programs(&one.unit).into_iter();
        all.extend(run.map(|path| Question::Reports(name.clone(), path)));
        let cgroup = one.properties.control_group();
        if let (Some(cgroup), "service") = (cgroup, one.unit.name.kind()) {
            all.insert(Question::Tasks(name.clone(), cgroup.to_owned()));
        }
        if let Some(pid) = one.properties.main_pid() {
            all.insert(Question::Signals(name.clone(), pid.to_string()));
            let mut triggers = one.properties.triggered_by();
            if let (Some(cgroup), true) = (cgroup, triggers.any(|by| by.ends_with(".socket"))) {
                all.insert(Question::Holds(name, cgroup.to_owned()));
            }
        }
    }
    all.into_iter().collect()
}

/// What to ask about the paths that systemd opens as root for these units, which the host may not have yet.
pub fn root_paths(units: &[Unit]) -> Vec<Question> {
    let paths: BTreeSet<String> = units.iter().flat_map(opened).collect();
    let about = |path: &String| {
        Question::about(path)
            .chain([Question::Way(path.clone())])
            .collect::<Vec<_>>()
    };
    let all: BTreeSet<Question> = paths.iter().flat_map(about).collect();
    all.into_iter().collect()
}

/// The paths that systemd opens as root for a unit.
fn opened(unit: &Unit) -> impl Iterator<Item = String> + use<> {
    let place = place(unit);
    let paths = rules::root_paths(unit).into_iter();
    let paths: Vec<String> = paths.filter_map(|(text, _)| absolute(&text, unit, &place)).collect();
    paths.into_iter()
}

/// A name that getent looks up as such: not a number.
fn plain(name: &str) -> bool {
    !name.bytes().all(|b| b.is_ascii_digit())
}

/// The directories above a path, the nearest first.
pub(super) fn above(path: &str) -> impl Iterator<Item = &str> {
    std::path::Path::new(path)
        .ancestors()
        .skip(1)
        .filter_map(std::path::Path::to_str)
        .filter(|dir| !dir.is_empty())
}

/// The files that may hold the program: what `ExecStart=` runs, and the script that an interpreter is given.
fn programs(unit: &Unit) -> Vec<String> {
    let commands = unit.commands("ExecStart");
    let Some((command, _)) = commands.first() else {
        return Vec::new();
    };
    let place = place(unit);
    let directory = unit.service("WorkingDirectory").trim_start_matches('-');
    let script = command.words().find(|word| !word.starts_with('-'));
    let script = script.map(|word| match word.starts_with('/') {
        true => word.to_owned(),
        false => format!("{directory}/{word}"),
    });
    [Some(command.program.clone()), script]
        .into_iter()
        .flatten()
        .filter_map(|text| specifier::expand(&text, &unit.name, &place).ok())
        .filter(|path| path.starts_with('/') && !path.contains(['$', '\n']))
        .collect()
}

/// The absolute paths that a unit names: as rules ask for them (as written, without marks), and as systemd resolves
/// them.
pub(super) fn paths(unit: &Unit) -> Vec<(String, String)> {
    const MARKED: [&str; 7] = [
        "EnvironmentFile",
        "PIDFile",
        "WorkingDirectory",
        "RootDirectory",
        "ReadWritePaths",
        "ReadOnlyPaths",
        "InaccessiblePaths",
    ];
    let mut written: Vec<String> = Vec::new();
    for (command, _) in unit.every_command() {
        written.extend(command.words().map(str::to_owned));
        written.push(command.program);
    }
    for key in MARKED {
        let words = if key == "EnvironmentFile" || key == "WorkingDirectory" || key == "PIDFile" {
            let entries = unit.all("Service", key).into_iter();
            entries.map(|entry| entry.value.to_owned()).collect()
        } else {
            let words = unit.words("Service", key).into_iter();
            words.map(|(word, _)| word).collect::<Vec<_>>()
        };
        let bare = |word: &String| word.trim_start_matches(['-', '+']).to_owned();
        written.extend(words.iter().map(bare));
    }
    written.extend(unit.database_directories().into_iter().map(|(_, dir, _)| dir));
    written.extend(rules::root_paths(unit).into_iter().map(|(path, _)| path));
    let place = place(unit);
    let mut paths: Vec<(String, String)> = written
        .into_iter()
        .filter_map(|text| {
            let path = absolute(&text, unit, &place)?;
            Some((text, path))
        })
        .collect();
    paths.sort();
    paths.dedup();
    paths
}

fn place(unit: &Unit) -> Place {
    Place {
        fragment: unit.files.first().map(|file| file.path.clone()),
        ..Place::system()
    }
}

/// One path, as systemd resolves it. A pattern names many files; a variable is not known here.
fn absolute(text: &str, unit: &Unit, place: &Place) -> Option<String> {
    let path = specifier::expand(text, &unit.name, place).ok()?;
    (path.starts_with('/') && !path.contains(['*', '?', '[', '$', '\n'])).then_some(path)
}
