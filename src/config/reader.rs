//! One typed value of the tree. Each reading notes its problem, with its place and an example, and goes on:
//! a user sees all problems of a file at once. What the values mean together is for `validate`.

use std::cell::RefCell;
use std::time::Duration;

use super::names::{Wrong, quoted};
use super::tree::{Entry, Kind, Mark, Node, Problem};

pub(super) struct Key {
    pub name: &'static str,
    /// With its key, as it can be pasted.
    pub example: &'static str,
    /// Whether its map is nothing without it (at the top: the top and the chosen environment together).
    pub must: bool,
    /// What an editor checks: never stricter than how it is read.
    pub shape: Shape,
}

/// What a value looks like to an editor (`schema`).
pub(super) enum Shape {
    Text,
    /// A text with a pattern, in the dialect that all readers of patterns share.
    Like(&'static str),
    Whole(u32, u32),
    Boolean,
    OneOf(fn() -> Vec<&'static str>),
    List(&'static Self),
    Map(Keys),
    Either(&'static [Self]),
    /// A map with more keywords than its keys give.
    Ruled(&'static Self, fn() -> serde_json::Value),
    /// A map of names, as of environments, to maps with these keys and more keywords.
    Named(Keys, fn() -> serde_json::Value),
    /// A map of names to what may stand at the top.
    Environments,
}

/// The keys of one kind of map.
pub(super) type Keys = &'static [Key];

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const HOUR: Duration = Duration::from_secs(3600);

#[derive(Default)]
pub(super) struct Problems {
    /// Found in what is written.
    pub wrong: RefCell<Vec<Problem>>,
    /// Keys that should be there. Apart, because a file whose hosts are all in `environments` lacks nothing.
    pub missing: RefCell<Vec<Problem>>,
}

impl Problems {
    pub fn note(&self, at: Mark, text: impl Into<String>) {
        self.wrong.borrow_mut().push(Problem::new(at, text));
    }
}

/// A map whose keys are known.
#[derive(Clone, Copy)]
pub(super) struct Map<'a> {
    pub at: Mark,
    entries: &'a [Entry],
    keys: Keys,
    pub problems: &'a Problems,
}

/// A value together with its key, for messages.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    pub key: &'static Key,
    pub node: &'a Node,
    pub problems: &'a Problems,
}

impl<'a> Map<'a> {
    /// Takes a node as a map with these keys. Notes each unknown key with the nearest known one, and each required key
    /// that is missing.
    pub fn read(node: &'a Node, name: &str, keys: Keys, problems: &'a Problems) -> Option<Self> {
        let names: Vec<_> = keys.iter().map(|key| key.name).collect();
        let Kind::Map(entries) = &node.kind else {
            let (list, found) = (names.join(", "), found(node));
            problems.note(node.at, format!("{name} must be a map with keys ({list}), not {found}"));
            return None;
        };
        for entry in entries.iter().filter(|entry| !names.contains(&entry.key.as_str())) {
            problems.note(entry.at, unknown(&entry.key, name, &names));
        }
        // One that is only mistyped is one problem, not two.
        let meant = |key: &str| nearest(key, names.iter().copied()).filter(|_| !names.contains(&key));
        let has = |key: &&Key| {
            let mut entries = entries.iter().map(|entry| entry.key.as_str());
            entries.any(|entry| entry == key.name || meant(entry) == Some(key.name))
        };
        for key in keys.iter().filter(|key| key.must && !has(key)) {
            let (name, example) = (quoted(key.name), quoted(key.example));
            let text = format!("{name} is missing; for example {example}");
            let mut missing = problems.missing.borrow_mut();
            missing.push(Problem::new(node.at, text));
        }
        Some(Self {
            at: node.at,
            entries,
            keys,
            problems,
        })
    }

    /// Whether an unknown key is one of these, mistyped: that is told already.
    pub fn mistypes(&self, wanted: &[&str]) -> bool {
        let names = || self.keys.iter().map(|key| key.name);
        let unknown = self
            .entries
            .iter()
            .filter(|entry| names().all(|name| name != entry.key));
        let mut meant = unknown.filter_map(|entry| nearest(&entry.key, names()));
        meant.any(|name| wanted.contains(&name))
    }

    /// The value of a key, when the file has it.
    pub fn get(&self, name: &str) -> Option<Value<'a>> {
        let key = self.keys.iter().find(|key| key.name == name)?;
        let entry = self.entries.iter().find(|entry| entry.key == name)?;
        Some(Value {
            key,
            node: &entry.value,
            problems: self.problems,
        })
    }
}

fn unknown(key: &str, place: &str, names: &[&str]) -> String {
    let near = nearest(key, names.iter().copied());
    let key = quoted(key);
    match near {
        Some(near) => format!("unknown key {key}; did you mean {}?", quoted(near)),
        None => format!("unknown key {key}; {place} accepts only {}", names.join(", ")),
    }
}

/// The nearest of some names, if one is near: at most a third of the letters of the name, or of what it may be
/// the beginning of, are others.
pub fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let name = name.to_lowercase().replace('-', "_");
    let length = name.chars().count();
    if length > 40 {
        return None;
    }
    names
        .filter_map(|candidate| {
            let whole = candidate.replace('-', "_");
            let beginning: String = whole.chars().take(length).collect();
            let far = strsim::damerau_levenshtein(&name, &whole);
            let far_begun = strsim::damerau_levenshtein(&name, &beginning);
            let near = far * 3 <= length.max(whole.len()) || (length > 2 && far_begun * 3 <= length);
            near.then_some((far_begun.min(far), far, candidate))
        })
        .min()
        .map(|(_, _, candidate)| candidate)
}

/// A value as it is named in a message.
fn found(node: &Node) -> String {
    match &node.kind {
        Kind::Text { .. } if is_null(node) => "nothing".to_owned(),
        Kind::Text { text, plain: true } => quoted(text),
        Kind::Text { text, .. } => format!("{} in quotes", quoted(text)),
        Kind::List(_) => "a list".to_owned(),
        Kind::Map(_) => "a map".to_owned(),
    }
}

/// Null, in one of the forms of YAML's core schema (YAML 1.2.2, 10.3.2).
pub(super) fn is_null(node: &Node) -> bool {
    let Kind::Text { text, plain: true } = &node.kind else {
        return false;
    };
    matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL")
}

impl<'a> Value<'a> {
    /// Notes what this value must be instead.
    pub fn must_be(&self, what: &str) {
        let Key {
            name, example, must, ..
        } = self.key;
        let hint = if is_null(self.node) && !must {
            ", or omit the key"
        } else {
            ""
        };
        let text = format!(
            "{} must be {what}, not {}; for example {}{hint}",
            quoted(name),
            found(self.node),
            quoted(example)
        );
        self.problems.note(self.node.at, text);
    }

    /// Notes what is wrong with this value; `why` quotes it.
    pub fn is_wrong(&self, why: &str) {
        self.problems.note(self.node.at, format!("`{}`: {why}", self.key.name));
    }

    /// Text, exactly as written: `1.10` stays `1.10`, `no` stays `no`. Never empty.
    pub fn text(&self) -> Option<&'a str> {
        match &self.node.kind {
            Kind::Text { text, .. } if !is_null(self.node) && !text.trim().is_empty() => Some(text),
            _ => {
                self.must_be("text");
                None
            }
        }
    }

    /// Text that parses as a checked name.
    pub fn name<T>(&self, parse: impl Fn(&str) -> Result<T, Wrong>) -> Option<T> {
        self.checked(parse(self.text()?))
    }

    /// What was read; notes why when it failed.
    pub fn checked<T>(&self, read: Result<T, Wrong>) -> Option<T> {
        read.map_err(|Wrong(why)| self.is_wrong(&why)).ok()
    }

    /// A decimal whole number in a range, without quotes, sign, leading zeros.
    pub fn number(&self, range: std::ops::RangeInclusive<u32>) -> Option<u32> {
        let number = match &self.node.kind {
            Kind::Text { text, plain: true } => text.parse::<u32>().ok().filter(|n| n.to_string() == *text),
            _ => None,
        };
        let number = number.filter(|n| range.contains(n));
        if number.is_none() {
            self.must_be(&format!("a whole number from {} to {}", range.start(), range.end()));
        }
        number
    }

    /// `true` or `false`. `yes`, `on` and `1` mean different things to different readers of YAML.
    pub fn boolean(&self) -> Option<bool> {
        match &self.node.kind {
            Kind::Text { text, plain: true } if text == "true" => Some(true),
            Kind::Text { text, plain: true } if text == "false" => Some(false),
            _ => {
                self.must_be("`true` or `false`");
                None
            }
        }
    }

    /// A time with its unit: `500ms`, `30s`, `10m`, `1h`.
    pub fn duration(&self, range: std::ops::RangeInclusive<Duration>) -> Option<Duration> {
        let read = match &self.node.kind {
            Kind::Text { text, .. } => duration(text),
            _ => None,
        };
        let read = read.filter(|duration| range.contains(duration));
        if read.is_none() {
            let (least, most) = (written(*range.start()), written(*range.end()));
            self.must_be(&format!("a duration with a unit (ms, s, m, h), from {least} to {most}"));
        }
        read
    }

    /// A command line for `sh -c`.
    pub fn command(&self) -> Option<String> {
        let text = self.text()?;
        if text.len() > 8000 {
            self.is_wrong("longer than 8000 bytes; put it in a script");
            return None;
        }
        Some(text.to_owned())
    }

    /// Each item of a list, read by `item`.
    pub fn list<T>(&self, item: impl FnMut(Self) -> Option<T>) -> Option<Vec<T>> {
        let Kind::List(nodes) = &self.node.kind else {
            self.must_be("a list");
            return None;
        };
        let values = nodes.iter().map(|node| Self { node, ..*self });
        let read: Vec<Option<T>> = values.map(item).collect();
        read.into_iter().collect()
    }

    pub fn map(&self, keys: Keys) -> Option<Map<'a>> {
        Map::read(self.node, &quoted(self.key.name), keys, self.problems)
    }
}

fn duration(text: &str) -> Option<Duration> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok().filter(|n: &u64| n.to_string() == number)?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    Some(Duration::from_millis(number.checked_mul(milliseconds)?))
}

/// A bound, as it would be written in the file.
fn written(duration: Duration) -> String {
    let (ms, s) = (duration.as_millis(), duration.as_secs());
    match () {
        () if ms == 0 => "0s".to_owned(),
        () if ms % 1000 != 0 => format!("{ms}ms"),
        () if s.is_multiple_of(3600) => format!("{}h", s / 3600),
        () if s.is_multiple_of(60) => format!("{}m", s / 60),
        () => format!("{s}s"),
    }
}
