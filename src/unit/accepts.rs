//! Whether systemd accepts a value: the forms that `types.txt` names. Only what the text itself shows; whether a path or a
//! user exists is asked elsewhere. A value with a specifier is accepted where systemd expands them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::OnceLock;

use super::keys::{self, Takes};
use super::name::UnitName;
use super::value::{self, Size, Span};
use super::{calendar, quoting, specifier};

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
    own.or_else(|| types().get(key)).copied()
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
        Takes::Number => text.parse::<u64>().is_ok() || value::size(text).is_some_and(|size| size == Size::Infinite),
        Takes::Mode => return alternatives("Mode", text, systemd),
        Takes::Signal => return alternatives("Signal", text, systemd),
        Takes::Units => return alternatives("Unit()", text, systemd),
        Takes::Command | Takes::Words | Takes::Text => true,
    };
    if fits { Ok(()) } else { expects("a whole number") }
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
        let fits = if is_form { fits(each, text) } else { each == text };
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
        "List" => format!("words of {inner}, separated by spaces"),
        "Limit" if inner == "Count" => "a whole number or infinity, or two with a colon between".into(),
        "Limit" => "a limit or infinity, or two with a colon between".into(),
        "Unit" if inner.is_empty() => {
            "names of units with their ending, such as acme.service, separated by spaces".into()
        }
        "Unit" => format!("the name of a unit that ends in {inner}"),
        "Starts" => format!("{inner}…"),
        _ => match name {
            "Bool" => "yes, no",
            "Span" => "a time span such as 500ms, 90s or 2min",
            "Mode" => "an octal mode such as 0640",
            "Signal" => "a signal such as SIGTERM",
            "Percent" => "a percentage from 0% to 100%",
            "Quota" => "a percentage above zero such as 150%",
            "Size" => "a size such as 512M (K, M, G or T, without B)",
            "Amount" => "a size above zero such as 512M (K, M, G or T, without B)",
            "Path" => "one absolute path without quotes",
            "Unquoted" => "a path without quotes",
            "Paths" => "absolute paths, separated by spaces",
            "Binds" => "absolute paths with options behind a colon, separated by spaces",
            "Colons" => "absolute paths, separated by colons",
            "Below" => "relative paths without .., separated by spaces; systemd puts its own directory before them",
            "Condition" => "one absolute path, after ! or | where needed",
            "Account" => "one name or number, without quotes, spaces and commas",
            "Accounts" => "names or numbers, separated by spaces",
            "Assignments" => "NAME=value words; quote a word with spaces as a whole: \"NAME=two words\"",
            "Names" | "Unset" => "names of variables, separated by spaces",
            "Calls" => "names of system calls and @groups, separated by spaces",
            "Errno" => "an error such as EPERM",
            "Statuses" => "exit statuses from 0 to 255 and signals, separated by spaces",
            "Cpus" => "numbers and ranges such as 0-3",
            "Addresses" => "addresses such as 10.0.0.0/8, localhost or any, separated by spaces",
            "Binding" => "any, or a port such as tcp:8080",
            "Device" => "a path below /dev or a class such as char-rtc, and letters of rwm",
            "Listen" => "a port, an address with a port, or an absolute path",
            "Calendar" => "a time such as daily or *-*-* 03:30 (systemd.time(7))",
            "Urls" => "http:, https:, file:, info: and man: addresses, separated by spaces",
            "Bus" => "a name on the bus, such as org.example.Acme",
            "File" => "file:, append: or truncate: with an absolute path",
            "Fd" => "fd:NAME",
            other => other,
        }
        .to_owned(),
    }
}

/// Whether every word fits, and there is one; quotes are those of systemd.
fn words(text: &str, fits: impl Fn(&str) -> bool) -> bool {
    quoting::split(text).is_ok_and(|words| words.iter().all(|word| fits(&word.text)))
}

fn expands(text: &str) -> bool {
    !specifier::used(text).is_empty()
}

fn absolute(text: &str) -> bool {
    text.starts_with(['/', '%'])
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn is_signal(text: &str) -> bool {
    const NAMES: &str = " HUP INT QUIT ILL TRAP ABRT IOT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CLD CONT \
        STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO POLL PWR SYS ";
    let name = text.strip_prefix("SIG").unwrap_or(text);
    let realtime = ["RTMIN", "RTMAX"].iter().find_map(|start| name.strip_prefix(start));
    let number = |n: &str| n.starts_with(|c: char| c.is_ascii_digit()) && n.parse::<u8>().is_ok_and(|n| n <= 30);
    let offset = |rest: &str| rest.is_empty() || rest.strip_prefix(['+', '-']).is_some_and(number);
    NAMES.contains(&format!(" {name} "))
        || realtime.is_some_and(offset)
        || text.parse::<u8>().is_ok_and(|n| (1..=64).contains(&n))
}

fn is_account(text: &str) -> bool {
    let odd = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '/' | ':' | ',');
    let nobody = matches!(text, "65535" | "4294967295");
    !text.starts_with(['-', '~', '+']) && !text.contains(odd) && !nobody && !matches!(text, "." | "..")
}

/// `SOFT` or `SOFT:HARD`, where the soft limit is not the higher one.
fn limit(text: &str, one: impl Fn(&str) -> Option<f64>) -> bool {
    let one = |text: &str| {
        if text == "infinity" {
            Some(f64::INFINITY)
        } else {
            one(text)
        }
    };
    match text.split_once(':') {
        Some((soft, hard)) => one(soft).zip(one(hard)).is_some_and(|(soft, hard)| soft <= hard),
        None => one(text).is_some(),
    }
}

fn bytes(text: &str) -> Option<u64> {
    match value::size(text) {
        Some(Size::Bytes(bytes)) => Some(bytes),
        _ => None,
    }
}

fn range(text: &str) -> bool {
    let number = |text: &str| text.parse::<u32>().is_ok_and(|n| n < 8192);
    text.split_once('-')
        .map_or(number(text), |(from, to)| number(from) && number(to))
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|port| port > 0)
}

fn listens(text: &str) -> bool {
    let address = || {
        let (host, port) = text.rsplit_once(':')?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let bare = bare.map_or(host, |host| host.split('%').next().unwrap_or(host));
        let ip: IpAddr = bare.parse().ok()?;
        Some(is_port(port) && ip.is_ipv6() == host.starts_with('['))
    };
    // The interface may follow: [fe80::1]:80%eth0
    text.starts_with(['/', '@'])
        || text.starts_with("vsock:")
        || is_port(text)
        || address() == Some(true)
        || text.starts_with('[') && text.contains("]:") && text.contains('%')
}

fn binding(text: &str) -> bool {
    let rest = ["ipv4:", "ipv6:"]
        .iter()
        .find_map(|family| text.strip_prefix(family))
        .unwrap_or(text);
    let rest = ["tcp:", "udp:"]
        .iter()
        .find_map(|protocol| rest.strip_prefix(protocol))
        .unwrap_or(rest);
    let ports = rest
        .split_once('-')
        .map_or(is_port(rest), |(from, to)| is_port(from) && is_port(to));
    ports || matches!(text, "any" | "ipv4" | "ipv6" | "tcp" | "udp") || matches!(rest, "any" | "tcp" | "udp")
}

fn is_network(text: &str) -> bool {
    let named = matches!(text, "any" | "localhost" | "link-local" | "multicast");
    let (address, bits) = text.split_once('/').unwrap_or((text, "0"));
    let bits = bits.parse::<u8>().ok();
    let most = |ip: IpAddr| if ip.is_ipv4() { 32 } else { 128 };
    named
        || address
            .parse()
            .ok()
            .zip(bits)
            .is_some_and(|(ip, bits)| bits <= most(ip))
}

fn fits(form: &str, text: &str) -> bool {
    let (name, inner) = form.split_once('(').unwrap_or((form, ""));
    let inner = inner.trim_end_matches(')');
    match name {
        "Bool" => value::boolean(text).is_some(),
        "Span" => value::span(text).is_some(),
        "Mode" => u32::from_str_radix(text, 8).is_ok_and(|mode| mode <= 0o7777),
        "Signal" => is_signal(text),
        "Int" => {
            let (least, most) = inner.split_once("..").unwrap_or_default();
            let (least, most) = (least.parse::<i128>(), most.parse::<i128>());
            let number = text.parse::<i128>();
            matches!((least, most, number), (Ok(least), Ok(most), Ok(number)) if (least..=most).contains(&number))
        }
        "Percent" | "Quota" => {
            let signs = [('%', 1.0), ('‰', 10.0), ('‱', 100.0)];
            let of = |(sign, part): (char, f64)| Some(text.strip_suffix(sign)?.parse::<f64>().ok()? / part);
            let percent = signs.into_iter().find_map(of);
            percent.is_some_and(|percent| {
                if name == "Quota" {
                    percent > 0.0
                } else {
                    (0.0..=100.0).contains(&percent)
                }
            })
        }
        "Size" => bytes(text).is_some(),
        "Amount" => bytes(text).is_some_and(|bytes| bytes > 0),
        "Limit" => limit(text, |one| match inner {
            "Size" => bytes(one).map(|bytes| bytes as f64),
            "Span" => value::span(one).map(Span::seconds),
            "Nice" => one.parse::<f64>().ok().filter(|nice| (-20.0..=40.0).contains(nice)),
            _ => one.parse::<u64>().ok().map(|count| count as f64),
        }),
        "Starts" => text.starts_with(inner),
        "Path" => absolute(text),
        "Unquoted" => !text.starts_with(['"', '\'']),
        "Condition" => absolute(text.trim_start_matches(['!', '|', ' '])),
        "Paths" => words(text, |word| {
            absolute(word.trim_start_matches(['-', '+'])) && !word.ends_with(',')
        }),
        "Binds" => words(text, |word| {
            let mut parts = word.trim_start_matches('-').split(':');
            parts.next().is_some_and(absolute)
        }),
        "Colons" => text.split(':').all(absolute),
        "Below" => words(text, |word| {
            let parts = word.splitn(3, ':').take(2).filter(|part| !part.is_empty());
            let bad = |part: &str| part.split('/').any(|piece| matches!(piece, "." | ".."));
            !word.starts_with(':') && parts.into_iter().all(|part| !part.starts_with('/') && !bad(part))
        }),
        "Account" => expands(text) || is_account(text),
        "Accounts" => words(text, |word| expands(word) || is_account(word)),
        "Assignments" => words(text, |word| {
            word.split_once('=')
                .is_some_and(|(name, _)| expands(name) || is_variable(name))
        }),
        "Names" => words(text, |word| expands(word) || is_variable(word)),
        "Unset" => words(text, |word| is_variable(word.split('=').next().unwrap_or(word))),
        "List" => words(text.trim_start_matches('~'), |word| {
            inner.split(' ').any(|known| known.eq_ignore_ascii_case(word)) || word.parse::<u8>().is_ok_and(|n| n < 64)
        }),
        "Calls" => words(text.trim_start_matches('~'), |word| {
            let (call, error) = word.split_once(':').unwrap_or((word, ""));
            if !error.is_empty() && !text.starts_with('~') {
                return false; // only what is denied has an error
            }
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
            match call.strip_prefix('@') {
                Some(group) => CALL_GROUPS.contains(&format!(" {group} ")),
                None => !call.is_empty() && call.chars().all(plain),
            }
        }),
        "Errno" => text.starts_with(['E', 'e']) && text.chars().all(|c| c.is_ascii_alphanumeric()),
        "Statuses" => words(text, |word| {
            let named = |word: &str| word.len() > 2 && word.chars().all(|c| c.is_ascii_uppercase() || c == '_');
            word.parse::<u8>().is_ok() || is_signal(word) || !word.starts_with("SIG") && named(word)
        }),
        "Cpus" => text.split([' ', ',', '\t']).filter(|part| !part.is_empty()).all(range),
        "Addresses" => words(text, is_network),
        "Binding" => binding(text),
        "Device" => {
            let mut words = text.split_whitespace();
            let node = words.next().unwrap_or_default();
            let rights = words.next().unwrap_or("rwm");
            let known = ["/dev/", "/run/systemd/inaccessible/", "char-", "block-", "%"];
            known.iter().any(|start| node.starts_with(start)) && rights.chars().all(|c| "rwm".contains(c))
        }
        "Unit" => words(text, |word| {
            expands(word) || UnitName::new(word).is_some() && (inner.is_empty() || word.ends_with(inner))
        }),
        "Listen" => expands(text) || listens(text),
        "Calendar" => calendar::is_valid(text),
        "Urls" => words(text, |word| {
            ["http://", "https://", "file:/", "info:", "man:"]
                .iter()
                .any(|start| word.starts_with(start))
        }),
        "Bus" => expands(text) || text.contains('.') && !text.contains([' ', '"', '/']),
        "File" => {
            let kinds = ["file:", "append:", "truncate:"];
            kinds
                .iter()
                .find_map(|kind| text.strip_prefix(kind))
                .is_some_and(absolute)
        }
        "Fd" => text == "fd" || text.starts_with("fd:"),
        _ => true,
    }
}

/// systemd.exec(5), "System call filtering".
const CALL_GROUPS: &str = " aio basic-io chown clock cpu-emulation debug default file-system io-event ipc keyring known \
    memlock module mount network-io obsolete pkey privileged process raw-io reboot resources sandbox setuid signal swap \
    sync system-service timer ";
