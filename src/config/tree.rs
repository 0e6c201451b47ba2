//! Text to a tree of maps, lists and texts, each with its place. What makes YAML surprising is refused here:
//! anchors, aliases, merge keys, tags, several documents, tabs, duplicate keys, deep nesting, control
//! characters. No scalar is ever turned into a number or a boolean here: it stays the text that was written.

use std::collections::HashSet;

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::names::quoted;
pub use super::place::{Mark, Problem};
use super::syntax;

#[derive(Clone, Debug)]
pub struct Node {
    pub at: Mark,
    pub kind: Kind,
}

#[derive(Clone, Debug)]
pub enum Kind {
    /// A scalar, as it was written.
    Text {
        text: String,
        /// Whether it had no quotes, so that `null`, `true` and `5` can be meant as such.
        plain: bool,
    },
    List(Vec<Node>),
    /// A mapping, in the file's order; no key twice.
    Map(Vec<Entry>),
}

#[derive(Clone, Debug)]
pub struct Entry {
    pub key: String,
    pub at: Mark,
    pub value: Node,
}

/// Deeper than any key of `deploy.yml` (6), and far from what recursion cannot take.
const DEEPEST: usize = 16;

/// Reads one document.
/// Fails with the first problem of syntax (nothing after it can be trusted), or every duplicate key, control character
/// and forbidden construct before it.
pub fn parse(text: &str) -> Result<Node, Vec<Problem>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some(at) = tab_in_indentation(text) {
        return Err(vec![Problem::new(at, "a tab in the indentation; use spaces")]);
    }
    let mut growing = Growing::default();
    for event in Parser::new_from_str(text) {
        let stop = match event {
            Ok((event, span)) => growing.take(event, Mark::of(span.start)),
            Err(error) => Some(syntax::problem(text, &error, &growing.places())),
        };
        if let Some(problem) = stop {
            growing.problems.push(problem);
            break;
        }
    }
    if growing.problems.is_empty() {
        Ok(growing.finish())
    } else {
        Err(growing.problems)
    }
}

/// The first tab among the characters a line begins with, unless the line has nothing else or is a comment.
fn tab_in_indentation(text: &str) -> Option<Mark> {
    for (index, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        let rest = &line[indent..];
        if let Some(column) = line[..indent].find('\t')
            && !rest.is_empty()
            && !rest.starts_with('#')
        {
            return Some(Mark {
                line: index + 1,
                column: column + 1,
            });
        }
    }
    None
}

/// A collection that is still being read.
enum Open {
    List {
        at: Mark,
        items: Vec<Node>,
    },
    Map {
        at: Mark,
        entries: Vec<Entry>,
        seen: HashSet<String>,
        key: Option<(String, Mark)>,
    },
}

#[derive(Default)]
struct Growing {
    open: Vec<Open>,
    root: Option<Node>,
    documents: usize,
    problems: Vec<Problem>,
}

impl Growing {
    /// Takes one event. A problem that is returned ends the reading; the others are only noted.
    fn take(&mut self, event: Event<'_>, at: Mark) -> Option<Problem> {
        let stop = |text: &str| Some(Problem::new(at, text));
        let (anchor, tag) = match &event {
            Event::Scalar(_, _, anchor, tag) | Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => {
                (*anchor, tag.is_some())
            }
            Event::Alias(_) => {
                return stop("an alias (`*name`); write the value out where it is used");
            }
            _ => (0, false),
        };
        if anchor != 0 {
            return stop("an anchor (`&name`); write the value out where it is used");
        }
        if tag {
            return stop("a tag (`!…`); write the plain value");
        }
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return stop(
                        "a second document (`---`); deploy.yml may contain only one; for several hosts, use `environments`",
                    );
                }
            }
            Event::Scalar(text, style, _, _) => return self.scalar(text.into_owned(), style, at),
            Event::SequenceStart(..) => {
                return self.open(Open::List { at, items: Vec::new() }, at);
            }
            Event::MappingStart(..) => {
                let map = Open::Map {
                    at,
                    entries: Vec::new(),
                    seen: HashSet::new(),
                    key: None,
                };
                return self.open(map, at);
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List { at, items }) => self.place(Node {
                    at,
                    kind: Kind::List(items),
                }),
                Some(Open::Map { at, entries, .. }) => self.place(Node {
                    at,
                    kind: Kind::Map(entries),
                }),
                None => {}
            },
            _ => {}
        }
        None
    }

    fn open(&mut self, collection: Open, at: Mark) -> Option<Problem> {
        if self.awaits_key() {
            return Some(Problem::new(
                at,
                "a list or a map used as a key; a key must be a single word",
            ));
        }
        if self.open.len() == DEEPEST {
            return Some(Problem::new(at, format!("nested more than {DEEPEST} levels deep")));
        }
        self.open.push(collection);
        None
    }

    /// Where each collection begins that is not complete yet.
    fn places(&self) -> Vec<Mark> {
        let at = |open: &Open| match open {
            Open::List { at, .. } | Open::Map { at, .. } => *at,
        };
        self.open.iter().map(at).collect()
    }

    fn awaits_key(&self) -> bool {
        matches!(self.open.last(), Some(Open::Map { key: None, .. }))
    }

    fn scalar(&mut self, text: String, style: ScalarStyle, at: Mark) -> Option<Problem> {
        if let Some(c) = text.chars().find(|&c| is_invisible(c)) {
            let hint = match c {
                '\n' => "; keep it on one line, or move it to a script (`>-` folds lines into one)",
                _ => "",
            };
            let name = match c {
                '\n' => "a line break".to_owned(),
                '\t' => "a tab".to_owned(),
                '\0' => "a NUL".to_owned(),
                c if c.is_control() => format!("the control character U+{:04X}", c as u32),
                c => format!("the invisible character U+{:04X}", c as u32),
            };
            self.problems
                .push(Problem::new(at, format!("{name} in {}{hint}", quoted(&text))));
        }
        if let Some(Open::Map {
            seen, key: key @ None, ..
        }) = self.open.last_mut()
        {
            if text == "<<" {
                return Some(Problem::new(
                    at,
                    "a merge key (`<<`); write the values out where they are used",
                ));
            }
            if text.is_empty() {
                return Some(Problem::new(at, "a value without a key"));
            }
            if !seen.insert(text.clone()) {
                self.problems
                    .push(Problem::new(at, format!("{} appears twice", quoted(&text))));
            }
            *key = Some((text, at));
        } else {
            self.place(Node {
                at,
                kind: Kind::Text {
                    text,
                    plain: style == ScalarStyle::Plain,
                },
            });
        }
        None
    }

    /// Puts a complete value where it belongs.
    fn place(&mut self, value: Node) {
        match self.open.last_mut() {
            None => self.root = Some(value),
            Some(Open::List { items, .. }) => items.push(value),
            Some(Open::Map { entries, key, .. }) => {
                if let Some((key, at)) = key.take() {
                    entries.push(Entry { key, at, value });
                }
            }
        }
    }

    /// The document. An empty file is an empty map, so that each missing key is named.
    fn finish(self) -> Node {
        let empty = Node {
            at: Mark::START,
            kind: Kind::Map(Vec::new()),
        };
        match self.root {
            Some(Node {
                kind: Kind::Text { text, plain: true },
                ..
            }) if text.is_empty() => empty,
            Some(root) => root,
            None => empty,
        }
    }
}

/// Characters that cannot be seen in the file: no value needs them.
pub(super) fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
