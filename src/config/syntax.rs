//! Text that is not YAML: what the author probably meant, in words of the file. Each guess is tried: the parser must get
//! past its error with it. Never here: YAML that shipit does not take.

use saphyr_parser::{Parser, ScanError};

use super::place::{Mark, Problem};

/// The problem of an error of the parser. `open`: where the collections begin that it was in.
pub(super) fn problem(text: &str, error: &ScanError, open: &[Mark]) -> Problem {
    let at = Mark::of(*error.marker());
    let (at, what) = wrong_bracket(text, at.line, open)
        .or_else(|| unclosed(text, at.line, open))
        .or_else(|| open_quote(text, at.line))
        .or_else(|| misplaced(text, at.line))
        .unwrap_or_else(|| (at, format!("{}{}", error.info(), quotes(text, at.line))));
    Problem::new(at, format!("invalid YAML: {what}"))
}

/// A bracket that was open where the parser stopped, if it gets past that line with the end of the bracket: on its own
/// line, or on the last one before.
fn unclosed(text: &str, stopped: usize, open: &[Mark]) -> Option<(Mark, String)> {
    let (at, bracket, end) = innermost(text, open)?;
    let last = above(text, stopped).map_or(at.line, |(number, _)| number.max(at.line));
    let closes = |number: usize| {
        let line = line_of(text, number).unwrap_or_default();
        // A comment is no part of the value.
        let value = line.split(" #").next().unwrap_or(line);
        gets_past(text, stopped, number, &format!("{value}{end}"))
    };
    let closes = closes(at.line) || closes(last);
    closes.then(|| (at, format!("this `{bracket}` is not closed")))
}

/// The innermost bracket of these collections, and how it ends.
fn innermost(text: &str, open: &[Mark]) -> Option<(Mark, char, char)> {
    open.iter()
        .rev()
        .find_map(|at| match line_of(text, at.line)?.chars().nth(at.column - 1)? {
            '[' => Some((*at, '[', ']')),
            '{' => Some((*at, '{', '}')),
            _ => None,
        })
}

/// How many repairs are tried: each one parses the file.
const TRIES: usize = 100;

/// The end of another bracket where an open one should end, if the parser gets past it with the right one, before it or in
/// its place.
fn wrong_bracket(text: &str, stopped: usize, open: &[Mark]) -> Option<(Mark, String)> {
    let (at, bracket, end) = innermost(text, open)?;
    let mut lines = text.lines().enumerate().take(stopped).skip(at.line - 1);
    let mut tries = 0;
    let (number, column, wrong) = lines.find_map(|(number, line)| {
        // A `)` may belong to a text.
        let ends = if line.contains('(') { "]}" } else { "])}" };
        let wrong = |(_, c): &(usize, char)| ends.contains(*c) && *c != end;
        line.char_indices().filter(wrong).find_map(|(place, wrong)| {
            tries += 1;
            let (before, after) = (&line[..place], &line[place + wrong.len_utf8()..]);
            let gets_past = |with: String| tries <= TRIES && gets_past(text, stopped, number + 1, &with);
            let column = before.chars().count() + 1;
            if gets_past(format!("{before}{end}{wrong}{after}")) {
                return Some((number + 1, column, None));
            }
            gets_past(format!("{before}{end}{after}")).then_some((number + 1, column, Some(wrong)))
        })
    })?;
    let Some(wrong) = wrong else {
        return Some((at, format!("this `{bracket}` is not closed")));
    };
    let opened = if at.line == number {
        String::new()
    } else {
        format!(" in line {}", at.line)
    };
    let at = Mark { line: number, column };
    Some((
        at,
        format!("`{wrong}` does not close the `{bracket}`{opened}; it needs `{end}`"),
    ))
}

/// A quote that is open at the end of its line, if the parser gets past its error when it is closed there.
fn open_quote(text: &str, stopped: usize) -> Option<(Mark, String)> {
    text.lines().take(stopped).enumerate().find_map(|(number, line)| {
        let (place, quote) = unended(line)?;
        let value = line.trim_end();
        let bare = value.trim_end_matches([']', '}', ',', ' ']);
        let uncommented = value[place..]
            .find(" #")
            .map_or(value, |at| value[..place + at].trim_end());
        let closed = [value, uncommented].map(|value| format!("{value}{quote}"));
        let inside = format!("{bare}{quote}{}", &value[bare.len()..]);
        let mut repaired = closed.into_iter().chain([inside]);
        let at = Mark {
            line: number + 1,
            column: line[..place].chars().count() + 1,
        };
        repaired
            .any(|with| gets_past(text, stopped, number + 1, &with))
            .then(|| (at, format!("this `{quote}` is not closed")))
    })
}

/// Where a quoted value begins that does not end on its line, and its quote.
fn unended(line: &str) -> Option<(usize, char)> {
    let mut open = None;
    let mut before = None;
    let mut chars = line.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match open {
            Some((_, '"')) if c == '\\' => _ = chars.next(),
            Some((_, quote)) if c == quote => match chars.peek() {
                Some((_, next)) if quote == '\'' && *next == quote => _ = chars.next(),
                _ => open = None,
            },
            Some(_) => {}
            // Within a word it is a letter like any other.
            None if "'\"".contains(c) && before.is_none_or(|c| ":,[{-".contains(c)) => open = Some((at, c)),
            None if c == '#' && line[..at].ends_with(' ') => return None,
            None => {}
        }
        if c != ' ' {
            before = Some(c);
        }
    }
    open
}

/// A line that begins in another column than the key or item above it, if the parser gets past it in that column.
fn misplaced(text: &str, stopped: usize) -> Option<(Mark, String)> {
    let line = line_of(text, stopped)?;
    let (own, (number, other)) = (indent(line), above(text, stopped)?);
    // Not the text of a value, which may go on in any column.
    if !is_entry(line) || !is_entry(other) {
        return None;
    }
    let item = other[indent(other)..].strip_prefix('-');
    let key = item.map(|rest| other.len() - rest.trim_start().len());
    let column = [Some(indent(other)), key].into_iter().flatten().find(|column| {
        let moved = format!("{:column$}{}", "", &line[own..]);
        *column != own && gets_past(text, stopped, stopped, &moved)
    })?;
    let (what, rule) = match line[own..].starts_with('-') {
        true => ("item", "items of the same list"),
        false => ("key", "keys of the same map"),
    };
    let at = Mark {
        line: stopped,
        column: own + 1,
    };
    let (own, column) = (own + 1, column + 1);
    Some((
        at,
        format!(
            "this {what} begins in column {own}, and line {number} has one in column {column}; {rule} begin in the same column"
        ),
    ))
}

/// The line that the parser stopped at, and the line with quotes, if the parser gets past it then.
fn quotes(text: &str, number: usize) -> String {
    let Some(whole) = line_of(text, number) else {
        return String::new();
    };
    let line = whole.trim();
    let shown = format!(" in `{line}`");
    let value = line.split_once(": ").map(|(key, value)| (key, value.trim()));
    // A comment is no part of a value without quotes.
    let value = value.map(|(key, value)| match value.starts_with(['\'', '"']) {
        true => (key, value),
        false => (key, value.split(" #").next().unwrap_or(value).trim_end()),
    });
    let Some((key, value)) = value.filter(|(_, value)| !value.starts_with(['[', '{'])) else {
        return shown;
    };
    let inner = ["'", "\""]
        .iter()
        .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
    let quoted = format!("{key}: '{}'", inner.unwrap_or(value).replace('\'', "''"));
    let repaired = format!("{}{quoted}", &whole[..indent(whole)]);
    // An open quote is closed or left out: which one only the author knows.
    let open = inner.is_none() && value.starts_with(['\'', '"']) && !value[1..].contains(&value[..1]);
    match !open && gets_past(text, number, number, &repaired) {
        true => format!("{shown}; quote the value: `{quoted}`"),
        false => shown,
    }
}

/// A line by its number, from 1.
fn line_of(text: &str, number: usize) -> Option<&str> {
    text.lines().nth(number.checked_sub(1)?)
}

/// The last line above this one that is neither blank nor a comment, and its number.
fn above(text: &str, number: usize) -> Option<(usize, &str)> {
    let lines = text.lines().take(number - 1).enumerate();
    let says = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    lines
        .filter(|(_, line)| says(line))
        .last()
        .map(|(at, line)| (at + 1, line))
}

/// Whether a line begins with a key or an item.
fn is_entry(line: &str) -> bool {
    let line = line.trim_start();
    let word = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let key = line.split_once(':').is_some_and(|(key, value)| {
        !key.is_empty() && key.chars().all(word) && (value.is_empty() || value.starts_with(' '))
    });
    key || line == "-" || line.starts_with("- ")
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Whether the parser gets past the line that it `stopped` at with other words in line `number`.
fn gets_past(text: &str, stopped: usize, number: usize, with: &str) -> bool {
    let mut lines: Vec<&str> = text.lines().collect();
    let Some(line) = lines.get_mut(number - 1) else {
        return false;
    };
    *line = with;
    let repaired = lines.join("\n");
    let error = Parser::new_from_str(&repaired).find_map(Result::err);
    error.is_none_or(|error| error.marker().line() > stopped)
}
