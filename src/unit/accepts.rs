//! Whether systemd accepts a value: the forms that `types.txt` names. Only what the text itself shows; whether a path or a
//! user exists is asked elsewhere. A value with a specifier is accepted where systemd expands them.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::forms::fits;
use super::keys::{self, Takes};
use super::special;

/// Why systemd does not accept a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// What it expects, in words.
    Expects(String),
    /// The value needs this version.
    Since(u32),
}

fn types() -> &'static HashMap<&'static str, &'static str> {
    static TYPES: OnceLock<HashMap<&str, &str>> = OnceLock::new();
    TYPES.get_or_init(|| {
        let lines = include_str!("types.txt").lines().filter(|line| !line.starts_with('#'));
        let pairs = lines.filter_map(|line| line.rsplit_once(": "));
        pairs
            .flat_map(|(form, names)| names.split(' ').map(move |name| (name, form)))
            .collect()
    })
}

/// The type of a key: its alternatives.
pub fn type_of(section: &str, key: &str) -> Option<&'static str> {
    let own = types().get(format!("{section}.{key}").as_str());
    let form = own.or_else(|| types().get(key)).copied();
    form.map(|form| form.trim_start_matches('!'))
}

/// Whether systemd ignores an empty assignment, instead of returning to the default.
pub fn refuses_empty(section: &str, key: &str) -> bool {
    let types = types();
    let own = types.get(format!("{section}.{key}").as_str());
    match (own.or_else(|| types.get(key)), keys::find(section, key)) {
        (Some(form), _) => form.starts_with('!'),
        (None, Some(known)) => {
            use Takes::{Bool, Mode, Number, Signal, Span};
            matches!(known.takes, Bool | Span | Number | Mode | Signal)
        }
        (None, None) => false,
    }
}

/// Judges a value that is not empty for a host with this version of systemd, where it is known.
///
/// # Errors
/// [`Refused`]: systemd ignores the assignment, or refuses the unit.
pub fn check(section: &str, key: &str, text: &str, systemd: Option<u32>) -> Result<(), Refused> {
    let Some(known) = keys::find(section, key) else {
        return Ok(());
    };
    let expects = |what: &str| Err(Refused::Expects(what.to_owned()));
    if let Some(form) = type_of(section, key) {
        return alternatives(form, text, systemd);
    }
    let fits = match known.takes {
        Takes::Bool => return alternatives("Bool", text, systemd),
        Takes::Span => return alternatives("Span", text, systemd),
        Takes::Number => text.parse::<u32>().is_ok(),
        Takes::Mode => return alternatives("Mode", text, systemd),
        Takes::Signal => return alternatives("Signal", text, systemd),
        Takes::Units => return alternatives("Units()", text, systemd),
        Takes::Command | Takes::Words | Takes::Text => true,
    };
    if fits {
        Ok(())
    } else {
        expects("a whole number below 4294967296")
    }
}

/// What a key takes, in words; `None` where any text is good.
pub fn expected(section: &str, key: &str) -> Option<String> {
    // No type accepts this text.
    match check(section, key, "\0", None) {
        Err(Refused::Expects(what)) => Some(what),
        _ => None,
    }
}

/// Splits at `|` outside of brackets.
fn split(form: &str) -> Vec<&str> {
    let mut depth = 0;
    form.split(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == '|' && depth == 0
    })
    .collect()
}

fn alternatives(form: &str, text: &str, systemd: Option<u32>) -> Result<(), Refused> {
    let mut expected = Vec::new();
    for each in split(form) {
        let (each, since) = match each.rsplit_once('@') {
            Some((each, since)) => (each, since.parse().unwrap_or(0)),
            None => (each, 0),
        };
        let is_form = each.starts_with(|c: char| c.is_ascii_uppercase());
        let fits = match is_form {
            true if special::NAMES.contains(&each) => special::fits(each, text),
            true => fits(each, text),
            false => each == text,
        };
        match systemd {
            Some(version) if fits && version < since => return Err(Refused::Since(since)),
            _ if fits => return Ok(()),
            _ => {}
        }
        expected.push(if is_form { described(each) } else { each.to_owned() });
    }
    let last = expected.pop().unwrap_or_default();
    Err(Refused::Expects(if expected.is_empty() {
        last
    } else {
        format!("{} or {last}", expected.join(", "))
    }))
}

/// A form in words, for "is not …".
fn described(form: &str) -> String {
    let (name, inner) = form.split_once('(').unwrap_or((form, ""));
    let inner = inner.trim_end_matches(')');
    match name {
        "Int" => format!("a whole number from {}", inner.replace("..", " to ")),
        "List" if inner.len() > 200 => {
            let first: Vec<&str> = inner.split(' ').take(4).collect();
            format!("words such as {}, separated by spaces", first.join(" "))
        }
        "List" => format!("one or more of {inner}, separated by spaces"),
        "Limit" if inner == "Count" => "a whole number or infinity, or two of these separated by a colon".into(),
        "Limit" => "a limit or infinity, or two of these separated by a colon".into(),
        "Unit" if inner.is_empty() => {
            "names of units with their ending, such as acme.service, separated by spaces".into()
        }
        "Units" if inner.is_empty() => {
            "names of units with their ending, such as acme.service, separated by spaces, without quotes".into()
        }
        "One" if inner.is_empty() => {
            "the name of one unit with its ending, such as acme.service, without quotes".into()
        }
        "One" => format!("the name of one unit that ends in {inner}, without quotes"),
        "Unit" | "Units" => format!("the name of a unit that ends in {inner}"),
        "Starts" => format!("{inner}…"),
        _ => match name {
            "Bool" => "yes, no",
            "Span" => "a time span such as 500ms, 90s or 2min",
            "Mode" => "an octal mode such as 0640",
            "Signal" => "a signal such as SIGTERM",
            "Percent" => "a percentage from 0% to 100%",
            "Share" => "a percentage from 0.01% to 100%",
            "Quota" => "a percentage above zero such as 150%",
            "Size" => "a size such as 512M (K, M, G or T, without B)",
            "Amount" => "a size above zero such as 512M (K, M, G or T, without B)",
            "Path" => "one absolute path without quotes",
            "Unquoted" => "a path without quotes",
            "Paths" => "absolute paths, separated by spaces",
            "Binds" => "absolute paths, SOURCE or SOURCE:TARGET, separated by spaces",
            "Mounts" => "absolute paths with options after a colon, separated by spaces",
            "Credential" => "NAME or NAME:PATH with an absolute path",
            "Value" if inner == "Base64" => "NAME:VALUE with a value in Base64",
            "Value" => "NAME:VALUE",
            "Slice" => "the name of one slice, such as acme-web.slice, without quotes",
            "Fields" => "FIELD=value words with names in capitals",
            "Base64" => "Base64",
            "Word" => "one name without / or spaces",
            "Descriptor" => "a name without a colon",
            "Dumps" => "names of mappings such as private-anonymous, or a hexadecimal number",
            "Pair" => "a path below /dev and a value for it",
            "Colons" => "absolute paths, separated by colons",
            "Below" => "relative paths without .., separated by spaces; systemd puts its own directory before them",
            "Condition" => "one absolute path, after ! or | where needed",
            "Account" => "one name or number, without quotes, spaces or commas",
            "Accounts" => "names or numbers, separated by spaces",
            "Assignments" => "NAME=value words; quote a word with spaces as a whole: \"NAME=two words\"",
            "Names" | "Unset" => "names of variables, separated by spaces",
            "Calls" => "names of system calls and @groups, separated by spaces",
            "Errno" => "an error such as EPERM",
            "Statuses" => "exit statuses from 0 to 255 and signals, separated by spaces",
            "Cpus" => "numbers and ranges such as 0-3",
            "Addresses" => "addresses such as 10.0.0.0/8, localhost or any, separated by spaces",
            "Binding" => "any, or a port such as tcp:8080",
            "Device" => "a path below /dev or a class such as char-rtc, and any of the letters r, w and m",
            "Listen" => "a port, an address with a port, or an absolute path",
            "Calendar" => "a time such as daily or *-*-* 03:30 (systemd.time(7))",
            "Urls" => "http:, https:, file:, info: and man: addresses, separated by spaces",
            "File" => "file:, append: or truncate: with an absolute path",
            "Fd" => "fd:NAME",
            other => special::described(other).unwrap_or(other),
        }
        .to_owned(),
    }
}
