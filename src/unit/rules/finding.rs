//! What a rule reports: a place, a sentence, and the lines that put it right. Output formats are `render`'s.

use std::fmt;

use super::Rule;
use crate::unit::merge::{Entry, Unit};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Could be better.
    Info,
    /// Will hurt one day.
    Warning,
    /// Does not work, or is a hole.
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

/// One change to a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Give a setting this value: its last assignment is replaced, or a line added to its section.
    Set {
        /// The section.
        section: String,
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
    /// Add a line to a section, beside those that are there.
    Add {
        /// The section.
        section: String,
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
    /// Take the line out.
    Remove {
        /// The file.
        file: String,
        /// The line, from 1.
        line: u32,
    },
}

/// The changes that put a finding right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// What to change, in order.
    pub edits: Vec<Edit>,
    /// Whether it may be written without a person looking: it cannot stop a unit that works today.
    pub safe: bool,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule's name.
    pub rule: &'static str,
    /// How bad.
    pub severity: Severity,
    /// The file, as the person named it.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// One sentence: what is there and what it does. Holds text from the unit: renderers escape it.
    pub message: String,
    /// The lines to write, where they are known.
    pub fix: Option<Fix>,
}

impl Finding {
    fn fix(&mut self, edit: Edit, safe: bool) -> &mut Self {
        let fix = self.fix.get_or_insert(Fix {
            edits: Vec::new(),
            safe: true,
        });
        fix.edits.push(edit);
        fix.safe &= safe;
        self
    }

    /// Adds `key=value` to the fix; it may be written without a person looking.
    pub fn set(&mut self, section: &str, key: &str, value: impl Into<String>) -> &mut Self {
        self.fix(
            Edit::Set {
                section: section.into(),
                key: key.into(),
                value: value.into(),
            },
            true,
        )
    }

    /// Like [`Finding::set`], for a change that a person must decide.
    pub fn suggest(&mut self, section: &str, key: &str, value: impl Into<String>) -> &mut Self {
        self.fix(
            Edit::Set {
                section: section.into(),
                key: key.into(),
                value: value.into(),
            },
            false,
        )
    }

    /// Adds one more line for a list to the fix.
    pub fn add(&mut self, section: &str, key: &str, value: impl Into<String>) -> &mut Self {
        self.fix(
            Edit::Add {
                section: section.into(),
                key: key.into(),
                value: value.into(),
            },
            true,
        )
    }

    /// Takes the found line out.
    pub fn remove(&mut self) -> &mut Self {
        let edit = Edit::Remove {
            file: self.file.clone(),
            line: self.line,
        };
        self.fix(edit, true)
    }

    /// Makes this finding worse or milder than its rule says.
    pub fn severity(&mut self, severity: Severity) -> &mut Self {
        self.severity = severity;
        self
    }
}

/// Takes the findings of one rule on one unit.
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

    pub(super) fn into_findings(self) -> Vec<Finding> {
        self.findings
    }

    /// Reports at a place.
    pub fn place(&mut self, file: &str, line: u32, message: impl Into<String>) -> &mut Finding {
        let at = self.findings.len();
        self.findings.push(Finding {
            rule: self.rule.name,
            severity: self.rule.severity,
            file: file.to_owned(),
            line,
            message: message.into(),
            fix: None,
        });
        &mut self.findings[at]
    }

    /// Reports at an assignment.
    pub fn at(&mut self, entry: Entry<'_>, message: impl Into<String>) -> &mut Finding {
        self.place(entry.file, entry.line, message)
    }

    /// Reports something that is missing from a section, or a fact about the unit as a whole.
    pub fn missing(&mut self, section: &str, message: impl Into<String>) -> &mut Finding {
        let (file, line) = self.unit.place(section);
        let file = file.to_owned();
        self.place(&file, line, message)
    }
}
