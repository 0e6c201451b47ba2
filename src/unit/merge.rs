//! A unit as systemd merges it: its file, then its drop-ins in order. Every value keeps its place. Reading files from a
//! disk is the work of `search`; what the values should be is the work of `rules`.

use super::command::{self, Command};
use super::keys::{self, Adds};
use super::name::UnitName;
use super::parse::File;
use super::quoting;
use super::value::{self, Span};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    pub name: UnitName,
    /// The unit file first, then the drop-ins in the order in which systemd applies them.
    pub files: Vec<File>,
}

/// One assignment and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    pub file: &'a str,
    /// 0 for the unit's own file, 1 and up for drop-ins.
    pub depth: usize,
    /// From 1.
    pub line: u32,
    pub section: &'a str,
    pub key: &'a str,
    /// The value as written; specifiers not expanded.
    pub value: &'a str,
}

/// One key, or several in order.
pub trait Keys {
    fn keys(&self) -> &[&str];
}

impl Keys for &str {
    fn keys(&self) -> &[&str] {
        std::slice::from_ref(self)
    }
}

impl<K: Keys> Keys for &K {
    fn keys(&self) -> &[&str] {
        (*self).keys()
    }
}

impl<const N: usize> Keys for [&str; N] {
    fn keys(&self) -> &[&str] {
        self
    }
}

impl Unit {
    /// A unit with one file. `None` when the last component of its path is not the name of a unit.
    pub fn of_file(file: File) -> Option<Self> {
        Some(Self {
            name: UnitName::of_path(&file.path)?,
            files: vec![file],
        })
    }

    /// Like [`Unit::of_file`], from a text.
    pub fn parse(path: &str, text: &[u8]) -> Option<Self> {
        Self::of_file(File::parse(path, text))
    }

    /// Whether its own file is empty, which masks the unit.
    pub fn is_masked(&self) -> bool {
        self.files.first().is_none_or(|file| file.bytes().is_empty())
    }

    /// Every assignment of every file in order, including overridden ones.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.files.iter().enumerate().flat_map(|(depth, file)| {
            file.assignments().map(move |(section, key, value, line)| Entry {
                file: &file.path,
                depth,
                line,
                section,
                key,
                value,
            })
        })
    }

    /// Every assignment of one key, including overridden ones and resets.
    pub fn written(&self, section: &str, key: &str) -> Vec<Entry<'_>> {
        self.entries()
            .filter(|entry| entry.section == section && entry.key == key)
            .collect()
    }

    /// The assignments of keys in effect: at most one for a plain setting, all since the last reset for a list, all for
    /// dependencies. Never an empty one.
    pub fn all(&self, section: &str, keys: impl Keys) -> Vec<Entry<'_>> {
        let keys = keys.keys().iter();
        keys.flat_map(|key| self.all_of(section, key)).collect()
    }

    fn all_of(&self, section: &str, key: &str) -> Vec<Entry<'_>> {
        let mut entries = self.written(section, key);
        match keys::adds(section, key) {
            Adds::Last => {
                let last = entries.pop();
                entries.clear();
                entries.extend(last);
            }
            Adds::List => {
                let reset = entries
                    .iter()
                    .rposition(|entry| entry.value.is_empty())
                    .map_or(0, |at| at + 1);
                entries.drain(..reset);
            }
            Adds::Always => {}
        }
        entries.retain(|entry| !entry.value.is_empty());
        entries
    }

    /// The assignment of a plain setting in effect; for lists the last one.
    pub fn get(&self, section: &str, key: &str) -> Option<Entry<'_>> {
        self.all_of(section, key).pop()
    }

    /// The value of [`Unit::get`] in `[Service]`, or the empty text.
    pub fn service(&self, key: &str) -> &str {
        self.get("Service", key).map_or("", |entry| entry.value)
    }

    /// A boolean that is set to a valid value.
    pub fn yes(&self, section: &str, key: &str) -> Option<bool> {
        self.get(section, key).and_then(|entry| value::boolean(entry.value))
    }

    /// A span of time that is set to a valid value.
    pub fn span(&self, section: &str, key: &str) -> Option<Span> {
        self.get(section, key).and_then(|entry| value::span(entry.value))
    }

    /// A span of time in `[Service]`. In `TimeoutStartSec=` and `TimeoutStopSec=` zero means forever, and `TimeoutSec=` sets
    /// both: systemd.service(5).
    pub fn timeout(&self, key: &str) -> Option<Span> {
        if !matches!(key, "TimeoutStartSec" | "TimeoutStopSec") {
            return self.span("Service", key);
        }
        let last = self
            .entries()
            .filter(|e| e.section == "Service" && (e.key == key || e.key == "TimeoutSec"))
            .last()?;
        match value::span(last.value)? {
            zero if zero.is_zero() => Some(Span::Infinite),
            span => Some(span),
        }
    }

    /// Whether one of these keys has a value.
    pub fn sets(&self, section: &str, keys: impl Keys) -> bool {
        !self.all(section, keys).is_empty()
    }

    /// Whether a list has this word.
    pub fn has(&self, section: &str, keys: impl Keys, word: &str) -> bool {
        let words = self.words(section, keys);
        words.iter().any(|(known, _)| known == word)
    }

    /// The words of all assignments of keys in effect: unit names, paths, variables. A value with an unclosed quote has
    /// none, as in systemd. A comment at the end of the value (`trailing-comment`) has no words.
    pub fn words(&self, section: &str, keys: impl Keys) -> Vec<(String, Entry<'_>)> {
        let split = |entry: Entry<'_>| {
            let end = quoting::comment(entry.value, &['#']).unwrap_or(entry.value.len());
            quoting::split(&entry.value[..end]).unwrap_or_default()
        };
        self.all(section, keys)
            .into_iter()
            .flat_map(|entry| split(entry).into_iter().map(move |word| (word.text, entry)))
            .collect()
    }

    /// The users or groups that keys of `[Service]` name, where they are valid names: systemd.exec(5), "User/Group".
    pub fn accounts(&self, keys: impl Keys) -> Vec<(String, Entry<'_>)> {
        let mut names = self.words("Service", keys);
        names.retain(|(name, entry)| {
            // Only SupplementaryGroups= is a list.
            value::is_account(name) && (entry.key == "SupplementaryGroups" || entry.value == name)
        });
        names
    }

    /// The directories of database files that `Environment=` names by an absolute path, each with its variable.
    pub fn database_directories(&self) -> Vec<(String, String, Entry<'_>)> {
        let words = self.words("Service", "Environment").into_iter();
        words
            .filter_map(|(word, entry)| {
                let (name, value) = word.split_once('=')?;
                let (dir, _) = database_file(value)?.rsplit_once('/')?;
                (!dir.is_empty()).then(|| (name.to_owned(), dir.to_owned(), entry))
            })
            .collect()
    }

    /// The commands of `Exec…=` keys in effect, without those that systemd refuses.
    pub fn commands(&self, keys: impl Keys) -> Vec<(Command, Entry<'_>)> {
        self.all("Service", keys)
            .into_iter()
            .flat_map(|entry| {
                command::parse(entry.value)
                    .unwrap_or_default()
                    .into_iter()
                    .map(move |command| (command, entry))
            })
            .collect()
    }

    /// The commands of every `Exec…=` key in effect.
    pub fn every_command(&self) -> Vec<(Command, Entry<'_>)> {
        self.commands(command::KEYS)
    }

    /// Whether one of the files has this section.
    pub fn has_section(&self, section: &str) -> bool {
        self.header(section).is_some()
    }

    /// The file and line where a section begins: the place to report a missing key. Line 1 of the unit's own file when the
    /// section is missing too.
    pub fn place(&self, section: &str) -> (&str, u32) {
        let own = || self.files.first().map_or(self.name.as_str(), |file| &file.path);
        self.header(section).unwrap_or_else(|| (own(), 1))
    }

    fn header(&self, section: &str) -> Option<(&str, u32)> {
        let mut files = self.files.iter();
        files.find_map(|file| {
            let mut lines = file.lines.iter();
            let header = lines.find(|line| line.is_header(section))?;
            Some((file.path.as_str(), header.first))
        })
    }
}

/// The file of SQLite that a value names: `sqlite:////srv/a.db`, `sqlite:/srv/a.db`, `/srv/a.sqlite3`. With three slashes
/// some libraries read a relative path.
fn database_file(value: &str) -> Option<&str> {
    let path = match value.split_once(':') {
        Some(("sqlite" | "sqlite3", rest)) => {
            let path = rest.strip_prefix("///").unwrap_or(rest);
            path.split('?').next().filter(|path| !path.starts_with("//"))?
        }
        _ => Some(value).filter(|value| [".db", ".sqlite", ".sqlite3"].iter().any(|end| value.ends_with(end)))?,
    };
    path.starts_with('/').then_some(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn unit(files: &[&str]) -> Unit {
        let files = files
            .iter()
            .enumerate()
            .map(|(n, text)| File::parse(format!("{n}/a.service"), text.as_bytes()));
        Unit {
            name: UnitName::new("a.service").unwrap(),
            files: files.collect(),
        }
    }

    #[test]
    fn a_comment_at_the_end_names_no_account() {
        let unit = unit(&[
            "[Service]\nUser=acme  # the app\nGroup=acme # x\nSupplementaryGroups=a b # c\nExecStart=/bin/a # b",
        ]);
        let names = |key: &str| unit.accounts(key).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert!(names("User").is_empty() && names("Group").is_empty());
        assert_eq!(names("SupplementaryGroups"), ["a", "b"]);
    }

    #[test]
    fn a_drop_in_overrides_adds_and_resets() {
        let unit = unit(&[
            "[Unit]\nAfter=a.service\n[Service]\nExecStart=/bin/a\nRestart=always\nUser=x\nEnvironment=A=1 'B=2 3'",
            "[Unit]\nAfter=\nAfter=b.service\n[Service]\nExecStart=\nExecStart=/bin/b c\nRestart=no\nUser=\nEnvironment=C=3",
        ]);
        let starts: Vec<_> = unit
            .commands("ExecStart")
            .into_iter()
            .map(|(c, e)| (c.program, e.depth, e.line))
            .collect();
        assert_eq!(starts, [("/bin/b".to_owned(), 1, 6)]);
        assert_eq!(unit.service("Restart"), "no");
        assert_eq!(unit.get("Service", "User"), None);
        let words = |section, key| unit.words(section, key).into_iter().map(|(w, _)| w).collect::<Vec<_>>();
        assert_eq!(words("Unit", "After"), ["a.service", "b.service"]);
        assert_eq!(words("Service", "Environment"), ["A=1", "B=2 3", "C=3"]);
    }
}
