//! One typed value of the tree. Each reading notes its problem, with its place and an example, and goes on:
//! a person sees all problems of a file at once. What the values mean together is for `validate`.

use std::time::Duration;

use super::keys::{Key, Keys, Need};
use super::names::{Wrong, quoted};
use super::tree::{Entry, Kind, Mark, Node, Problem};

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const HOUR: Duration = Duration::from_secs(3600);

/// The problems found so far.
#[derive(Default)]
pub(super) struct Problems {
    /// Found in what is written.
    pub wrong: Vec<Problem>,
    /// Keys that should be there. Apart, because a file whose hosts are all in `environments` lacks nothing.
    pub missing: Vec<Problem>,
}

impl Problems {
    pub fn note(&mut self, at: Mark, text: impl Into<String>) {
        self.wrong.push(Problem {
            at,
            text: text.into(),
        });
    }
}

/// A map whose keys are known.
pub(super) struct Map<'a> {
    entries: &'a [Entry],
    keys: Keys,
}

/// A value together with its key, for messages.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    pub key: &'static Key,
    pub node: &'a Node,
}

impl<'a> Map<'a> {
    /// Takes a node as a map with these keys; notes each unknown key with the nearest known one, and each
    /// missing one that the map needs.
    pub fn read(node: &'a Node, name: &str, keys: Keys, problems: &mut Problems) -> Option<Self> {
        let Kind::Map(entries) = &node.kind else {
            let list: Vec<_> = keys.iter().map(|key| key.name).collect();
            problems.note(
                node.at,
                format!(
                    "{name} wants keys ({}), not {}",
                    list.join(", "),
                    found(node)
                ),
            );
            return None;
        };
        for entry in entries {
            if !keys.iter().any(|key| key.name == entry.key) {
                problems.note(entry.at, unknown(&entry.key, name, keys));
            }
        }
        for key in keys.iter().filter(|key| key.need == Need::Must) {
            if !entries.iter().any(|entry| entry.key == key.name) {
                let text = format!(
                    "no {}; for example {}",
                    quoted(key.name),
                    quoted(key.example)
                );
                problems.missing.push(Problem { at: node.at, text });
            }
        }
        Some(Self { entries, keys })
    }

    /// The value of a key, when the file has it.
    pub fn get(&self, name: &str) -> Option<Value<'a>> {
        let key = self.keys.iter().find(|key| key.name == name)?;
        let entry = self.entries.iter().find(|entry| entry.key == name)?;
        Some(Value {
            key,
            node: &entry.value,
        })
    }
}

/// The sentence on an unknown key.
pub(super) fn unknown(key: &str, place: &str, keys: Keys) -> String {
    let names = || keys.iter().map(|key| key.name);
    match nearest(key, names()) {
        Some(near) => format!(
            "unknown key {}; did you mean {}?",
            quoted(key),
            quoted(near)
        ),
        None => {
            let list: Vec<_> = names().collect();
            format!(
                "unknown key {}; {place} takes {}",
                quoted(key),
                list.join(", ")
            )
        }
    }
}

/// The nearest of some names, if one is near: at most a third of the letters of the name, or of what it may be
/// the beginning of, are others.
pub(super) fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
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
            let near =
                far * 3 <= length.max(whole.len()) || (length > 2 && far_begun * 3 <= length);
            near.then_some((far_begun.min(far), far, candidate))
        })
        .min()
        .map(|(_, _, candidate)| candidate)
}

/// A key that may be left out: `Some(None)` when it is, `None` when it is wrong.
pub(super) fn optional<'a, T>(
    value: Option<Value<'a>>,
    problems: &mut Problems,
    read: impl Fn(Value<'a>, &mut Problems) -> Option<T>,
) -> Option<Option<T>> {
    match value {
        None => Some(None),
        Some(value) => read(value, problems).map(Some),
    }
}

/// What stands there, as it is named in a message.
fn found(node: &Node) -> String {
    match &node.kind {
        Kind::Text { .. } if is_null(node) => "nothing".to_owned(),
        Kind::Text { text, plain: true } => quoted(text),
        Kind::Text { text, .. } => format!("{} in quotes", quoted(text)),
        Kind::List(_) => "a list".to_owned(),
        Kind::Map(_) => "a map".to_owned(),
    }
}

/// Nothing, in one of the ways YAML's core schema has for it (YAML 1.2.2, 10.3.2).
pub(super) fn is_null(node: &Node) -> bool {
    let Kind::Text { text, plain: true } = &node.kind else {
        return false;
    };
    matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL")
}

impl<'a> Value<'a> {
    /// Notes that this value is not what its key wants.
    pub fn wants(&self, what: &str, problems: &mut Problems) {
        let Key { name, example, .. } = self.key;
        let hint = if is_null(self.node) && self.key.need == Need::May {
            ", or leave the key out"
        } else {
            ""
        };
        let text = format!(
            "{} wants {what}, not {}; for example {}{hint}",
            quoted(name),
            found(self.node),
            quoted(example)
        );
        problems.note(self.node.at, text);
    }

    /// Notes what is wrong with this value; `why` quotes it.
    pub fn is_wrong(&self, why: &str, problems: &mut Problems) {
        problems.note(self.node.at, format!("`{}`: {why}", self.key.name));
    }

    /// A text, exactly as it is written: `1.10` stays `1.10`, `no` stays `no`. Never empty.
    pub fn text(&self, problems: &mut Problems) -> Option<&'a str> {
        match &self.node.kind {
            Kind::Text { text, .. } if !is_null(self.node) && !text.trim().is_empty() => Some(text),
            _ => {
                self.wants("a text", problems);
                None
            }
        }
    }

    /// A text that a checked name takes.
    pub fn name<T>(
        &self,
        parse: impl Fn(&str) -> Result<T, Wrong>,
        problems: &mut Problems,
    ) -> Option<T> {
        let text = self.text(problems)?;
        match parse(text) {
            Ok(name) => Some(name),
            Err(Wrong(why)) => {
                self.is_wrong(&why, problems);
                None
            }
        }
    }

    /// A decimal whole number in a range, without quotes, sign, leading zeros.
    pub fn number(
        &self,
        range: std::ops::RangeInclusive<u32>,
        problems: &mut Problems,
    ) -> Option<u32> {
        let number = match &self.node.kind {
            Kind::Text { text, plain: true } => {
                text.parse::<u32>().ok().filter(|n| n.to_string() == *text)
            }
            _ => None,
        };
        let number = number.filter(|n| range.contains(n));
        if number.is_none() {
            self.wants(
                &format!("a whole number from {} to {}", range.start(), range.end()),
                problems,
            );
        }
        number
    }

    /// `true` or `false`. `yes`, `on` and `1` mean different things to different readers of YAML.
    pub fn boolean(&self, problems: &mut Problems) -> Option<bool> {
        match &self.node.kind {
            Kind::Text { text, plain: true } if text == "true" => Some(true),
            Kind::Text { text, plain: true } if text == "false" => Some(false),
            _ => {
                self.wants("`true` or `false`", problems);
                None
            }
        }
    }

    /// A time with its unit: `500ms`, `30s`, `10m`, `1h`.
    pub fn duration(
        &self,
        range: std::ops::RangeInclusive<Duration>,
        problems: &mut Problems,
    ) -> Option<Duration> {
        let read = match &self.node.kind {
            Kind::Text { text, .. } => duration(text),
            _ => None,
        };
        let read = read.filter(|duration| range.contains(duration));
        if read.is_none() {
            let (least, most) = (written(*range.start()), written(*range.end()));
            self.wants(
                &format!("a time with its unit (ms, s, m, h), from {least} to {most}"),
                problems,
            );
        }
        read
    }

    /// A command line for `sh -c`.
    pub fn command(&self, problems: &mut Problems) -> Option<String> {
        let text = self.text(problems)?;
        if text.len() > 8000 {
            self.is_wrong("longer than 8000 bytes; put it in a script", problems);
            return None;
        }
        Some(text.to_owned())
    }

    /// Each item of a list, read by `item`.
    pub fn list<T>(
        &self,
        problems: &mut Problems,
        mut item: impl FnMut(Value<'a>, &mut Problems) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Kind::List(nodes) = &self.node.kind else {
            self.wants("a list", problems);
            return None;
        };
        let before = nodes.len();
        let read: Vec<T> = nodes
            .iter()
            .filter_map(|node| {
                item(
                    Value {
                        key: self.key,
                        node,
                    },
                    problems,
                )
            })
            .collect();
        (read.len() == before).then_some(read)
    }
}

fn duration(text: &str) -> Option<Duration> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number
        .parse()
        .ok()
        .filter(|n: &u64| n.to_string() == number)?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    Some(Duration::from_millis(number.checked_mul(milliseconds)?))
}

/// A bound as one would write it.
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
