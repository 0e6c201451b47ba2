//! What a rule reports: a place, a sentence, its cause and its fix. Never formats output: that is `render`.

use std::fmt;

use super::Rule;
use crate::unit::merge::{Entry, Unit};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Could be better.
    Info,
    /// Causes an outage one day.
    Warning,
    /// Does not work, or is a vulnerability.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        })
    }
}

/// What an error means for a unit that does not run: how near it is to the root cause. Nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// systemd does not have the unit, or refuses it.
    Loaded,
    /// systemd uses an older unit than the one on disk.
    Stale,
    /// Something that the unit names does not exist.
    Named,
    /// The program ended in a way that systemd counts as success.
    Ended,
    /// The text can explain why the unit does not run.
    Start,
    /// Like `Start`, but not for a crash: systemd waits for something that the program does not do.
    Type,
    /// The socket does not listen, or the service does not use it.
    Socket,
    /// The unit failed, or keeps failing.
    State,
    /// Another unit's failure caused it.
    Fallout,
    /// It explains nothing today.
    Later,
}

/// What is wrong on the host, where the lines of a [`Fix`] are not the remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The files changed after systemd read them.
    Stale,
    Masked,
    /// systemd does not have the unit.
    NotFound,
    /// systemd refuses to load the unit.
    Refused,
    /// The unit on the host differs from the one in the repository.
    Differs,
    NotEnabled,
    /// The journal has the reason.
    Failed,
    /// A unit that this one requires cannot be started.
    RequiredUnitMissing,
    TimerInactive,
    SocketInactive,
    /// This unit holds an address of the socket.
    PortHeldBy(String),
    UserMissing(String),
    GroupMissing(String),
    /// This program is missing, a directory, or not executable.
    ProgramUnusable(String),
    /// The service needs this directory.
    DirectoryMissing(String),
    /// The path does not exist, or is a directory.
    EnvironmentFileMissing(String),
    /// The score of `systemd-analyze security`.
    Exposure,
}

/// One change to a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    Write {
        section: String,
        key: String,
        value: String,
        /// Whether existing assignments of the key stay; otherwise the last one is replaced.
        keep: bool,
    },
    Remove {
        file: String,
        /// From 1.
        line: u32,
    },
    /// The same setting with the same meaning, as the current systemd writes it.
    Respell {
        file: String,
        /// From 1.
        line: u32,
        section: String,
        key: String,
        value: String,
    },
}

impl Edit {
    /// Whether it only adds what the unit does not have. A value that the author wrote is a decision.
    fn is_addition(&self, unit: &Unit) -> bool {
        match self {
            Edit::Write { keep: true, .. } | Edit::Respell { .. } => true,
            Edit::Write { section, key, .. } => unit.written(section, key).is_empty(),
            Edit::Remove { .. } => false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// In order.
    pub edits: Vec<Edit>,
    /// Whether it can be applied without review: it replaces and removes nothing that the author wrote, starts no other
    /// unit, and cannot stop a unit that works today.
    pub safe: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub rule: &'static str,
    pub severity: Severity,
    pub depth: Depth,
    /// The file, as the user named it.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// One sentence: what is there and what it does. Contains text from the unit: renderers escape it.
    pub message: String,
    pub cause: Option<Cause>,
    pub fix: Option<Fix>,
}

impl Finding {
    pub(super) fn new(rule: &Rule, file: &str, line: u32, message: impl Into<String>) -> Self {
        Self {
            rule: rule.name,
            severity: rule.severity,
            depth: rule.depth,
            file: file.to_owned(),
            line,
            message: message.into(),
            cause: None,
            fix: None,
        }
    }

    fn fix(&mut self, edit: Edit, safe: bool) -> &mut Self {
        let fix = self.fix.get_or_insert(Fix {
            edits: Vec::new(),
            safe: true,
        });
        fix.edits.push(edit);
        fix.safe &= safe;
        self
    }

    fn write(&mut self, section: &str, key: &str, value: String, keep: bool, safe: bool) -> &mut Self {
        let (section, key) = (section.to_owned(), key.to_owned());
        let edit = Edit::Write {
            section,
            key,
            value,
            keep,
        };
        self.fix(edit, safe)
    }

    /// Adds `key=value` to the fix.
    pub fn set(&mut self, section: &str, key: &str, value: impl Into<String>) -> &mut Self {
        self.write(section, key, value.into(), false, true)
    }

    /// Like [`Finding::set`], for a change that needs a decision.
    pub fn suggest(&mut self, section: &str, key: &str, value: impl Into<String>) -> &mut Self {
        self.write(section, key, value.into(), false, false)
    }

    /// Like [`Finding::add`], for a change that needs a decision.
    pub fn suggest_more(&mut self, section: &str, key: &str, value: impl Into<String>) -> &mut Self {
        self.write(section, key, value.into(), true, false)
    }

    /// Marks the whole fix as one that needs a decision.
    pub fn decide(&mut self) -> &mut Self {
        if let Some(fix) = &mut self.fix {
            fix.safe = false;
        }
        self
    }

    /// Adds one more line for a list to the fix.
    pub fn add(&mut self, section: &str, key: &str, value: impl Into<String>) -> &mut Self {
        self.write(section, key, value.into(), true, true)
    }

    /// Removes the line of the finding.
    pub fn remove(&mut self) -> &mut Self {
        let edit = Edit::Remove {
            file: self.file.clone(),
            line: self.line,
        };
        self.fix(edit, true)
    }

    /// Writes the line of the finding as the current systemd does, without a change of its meaning.
    pub fn respell(&mut self, section: &str, key: &str, value: &str) -> &mut Self {
        let edit = Edit::Respell {
            file: self.file.clone(),
            line: self.line,
            section: section.to_owned(),
            key: key.to_owned(),
            value: value.to_owned(),
        };
        self.fix(edit, true)
    }

    /// Overrides the rule's severity.
    pub fn severity(&mut self, severity: Severity) -> &mut Self {
        self.severity = severity;
        self
    }

    /// Overrides the rule's depth.
    pub fn depth(&mut self, depth: Depth) -> &mut Self {
        self.depth = depth;
        self
    }

    pub fn cause(&mut self, cause: Cause) -> &mut Self {
        self.cause = Some(cause);
        self
    }
}

/// Collects the findings of one rule for one unit.
pub struct Found<'a> {
    rule: &'static Rule,
    unit: &'a Unit,
    findings: Vec<Finding>,
}

impl<'a> Found<'a> {
    pub(super) fn new(rule: &'static Rule, unit: &'a Unit) -> Self {
        Self {
            rule,
            unit,
            findings: Vec::new(),
        }
    }

    pub(super) fn into_findings(mut self) -> Vec<Finding> {
        for fix in self.findings.iter_mut().filter_map(|finding| finding.fix.as_mut()) {
            fix.safe &= fix.edits.iter().all(|edit| edit.is_addition(self.unit));
        }
        self.findings
    }

    /// Reports at a place.
    pub fn place(&mut self, file: &str, line: u32, message: impl Into<String>) -> &mut Finding {
        let at = self.findings.len();
        self.findings.push(Finding::new(self.rule, file, line, message));
        &mut self.findings[at]
    }

    /// Reports at an assignment.
    pub fn at(&mut self, entry: Entry<'_>, message: impl Into<String>) -> &mut Finding {
        self.place(entry.file, entry.line, message)
    }

    /// Reports something that a section lacks, or a fact about the whole unit.
    pub fn missing(&mut self, section: &str, message: impl Into<String>) -> &mut Finding {
        let (file, line) = self.unit.place(section);
        let file = file.to_owned();
        self.place(&file, line, message)
    }
}
