//! Lines that systemd accepts, but in another meaning than their author's: overridden, swallowed, in months, unexpanded.
//! Lines that it ignores or refuses are `syntax`.

use super::{Severity, rules};
use crate::unit::keys::{self, Adds, Takes};
use crate::unit::merge::Entry;
use crate::unit::parse::{Kind, Line};
use crate::unit::{accepts, quoting, value};

/// Whether two values of a key mean the same.
fn same(section: &str, key: &str, one: &str, other: &str) -> bool {
    let spans = || value::span(one).is_some_and(|span| value::span(other) == Some(span));
    let flags = || value::boolean(one).is_some_and(|flag| value::boolean(other) == Some(flag));
    one == other
        || match keys::find(section, key).map(|key| key.takes) {
            Some(Takes::Span) => spans(),
            Some(Takes::Bool) => flags(),
            _ => false,
        }
}

/// Programs that take settings of units as arguments.
const TAKE_SETTINGS: [&str; 5] = ["systemctl", "systemd-run", "systemd-nspawn", "busctl", "set-property"];

/// The setting or the section that a continued line has swallowed: its line, its text up to the `=`, and whether it
/// stands at the margin, as settings do. A quote that is still open makes the line a text.
fn swallowed(line: &Line) -> Option<(u32, String, bool)> {
    let mut pieces = line.pieces().into_iter();
    let (_, mut before) = pieces.next()?;
    pieces.find_map(|(number, piece)| {
        let text = piece.trim();
        let key = text.split_once('=').map(|(key, _)| key.trim_end());
        let header = || text.strip_prefix('[')?.split_once(']').map(|(name, _)| name);
        let found = match (key, header()) {
            (_, Some(name)) if keys::is_section(name) => Some(format!("[{name}]")),
            (Some(key), _) if !keys::sections_of(key).is_empty() => Some(format!("{key}=")),
            _ => None,
        };
        before.truncate(before.len().saturating_sub(1));
        let value = before.split_once('=').map_or("", |(_, value)| value);
        let taken = TAKE_SETTINGS.iter().any(|program| value.contains(program));
        let found = found.filter(|_| !taken && quoting::split(value).is_ok());
        before += &format!(" {piece}");
        found.map(|found| (number, found, !piece.starts_with([' ', '\t'])))
    })
}

/// The same span of time in minutes, where `M` says months.
fn in_minutes(text: &str) -> Option<String> {
    let months: Vec<usize> = text
        .match_indices('M')
        .map(|(at, _)| at)
        .filter(|at| {
            let number = text[..*at].trim_end().ends_with(|c: char| c.is_ascii_digit());
            number && !text[at + 1..].starts_with(char::is_alphabetic)
        })
        .collect();
    let mut minutes = text.to_owned();
    for at in months.iter().rev() {
        minutes.replace_range(*at..=*at, "min");
    }
    (!months.is_empty()).then_some(minutes)
}

/// What systemd does with a path that it takes as it is written.
#[derive(Clone, Copy)]
enum Literal {
    /// The start fails with this status.
    Fails(&'static str),
    /// Something with that literal name is created: what.
    Creates(&'static str),
    /// No such path: what that means, and the key that expands patterns.
    Never(&'static str, &'static str),
}

/// How a key takes its path: what happens to a pattern, and the path without prefixes and options. Measured on 252 and 257.
fn path<'a>(key: &str, word: &'a str) -> Option<(Literal, &'a str)> {
    use Literal::{Creates, Fails, Never};
    let bare = word.trim_start_matches(['-', '+']).split(':').next()?;
    let after = |mark: char, word: &'a str| word.split_once(mark).map_or("", |(_, rest)| rest);
    Some(match key {
        "ReadWritePaths"
        | "ReadOnlyPaths"
        | "InaccessiblePaths"
        | "ExecPaths"
        | "NoExecPaths"
        | "ReadWriteDirectories"
        | "ReadOnlyDirectories"
        | "InaccessibleDirectories"
        | "BindPaths"
        | "BindReadOnlyPaths"
        | "RootDirectory"
        | "RootImage"
        | "ExtensionDirectories"
        | "ExtensionImages"
        | "MountImages" => (Fails("226/NAMESPACE"), bare),
        "WorkingDirectory" => (Fails("200/CHDIR"), bare),
        "LoadCredential" | "LoadCredentialEncrypted" => (Fails("243/CREDENTIALS"), after(':', word)),
        "StandardInput" => (Fails("208/STDIN"), after(':', word)),
        "StandardOutput" | "StandardError" => (Creates("a file"), after(':', word)),
        "RuntimeDirectory"
        | "StateDirectory"
        | "CacheDirectory"
        | "LogsDirectory"
        | "ConfigurationDirectory"
        | "TemporaryFileSystem" => (Creates("a directory"), bare),
        "ListenStream" | "ListenDatagram" | "ListenSequentialPacket" | "ListenFIFO" if word.starts_with('/') => {
            (Creates("a socket"), word)
        }
        "PIDFile" => (Never("systemd waits for a file with this literal name", ""), word),
        "PathExists" => (Never("it never starts the unit", "PathExistsGlob"), word),
        "PathChanged" | "PathModified" | "DirectoryNotEmpty" => (Never("it never starts the unit", ""), word),
        "ConditionPathExists" | "AssertPathExists" => {
            let glob = if key.starts_with('C') {
                "ConditionPathExistsGlob"
            } else {
                "AssertPathExistsGlob"
            };
            (Never("the result is the same on every host", glob), word)
        }
        "ConditionPathIsDirectory"
        | "ConditionDirectoryNotEmpty"
        | "ConditionFileNotEmpty"
        | "ConditionPathIsReadWrite"
        | "ConditionFileIsExecutable"
        | "AssertPathIsDirectory"
        | "AssertDirectoryNotEmpty"
        | "AssertFileNotEmpty"
        | "AssertPathIsReadWrite"
        | "AssertFileIsExecutable" => (Never("the result is the same on every host", ""), word),
        _ => return None,
    })
}

fn is_pattern(path: &str) -> bool {
    let set = path.split_once('[').is_some_and(|(_, rest)| rest.contains(']'));
    path.contains(['*', '?']) || set
}

/// The words of a value; a key with one path has one.
fn words(entry: Entry<'_>) -> Vec<String> {
    match keys::adds(entry.section, entry.key) {
        Adds::List => quoting::split(entry.value)
            .unwrap_or_default()
            .into_iter()
            .map(|word| word.text)
            .collect(),
        _ => vec![entry.value.to_owned()],
    }
}

rules! {
    /// A setting that is written twice in one file
    ///
    /// Of a setting with one value, only the last line counts (for `Unit=` of a timer, the first). Lists such as
    /// `Environment=` and `After=` add up, and a drop-in overrides on purpose.
    ///
    /// In production: a line of the file looks right, and has no effect: the service runs as another user, or does not
    /// restart.
    ///
    /// ```ini
    /// [Service]
    /// User=acme
    /// ```
    ///
    /// See systemd.syntax(7), and the man page of the setting.
    "set-twice" Warning Any set_twice(view, found) {
        let entries: Vec<Entry<'_>> = view.unit.entries().collect();
        for (at, entry) in entries.iter().enumerate() {
            let (section, key) = (entry.section, entry.key);
            if keys::find(section, key).is_none() || keys::adds(section, key) != Adds::Last {
                continue;
            }
            let mut later = entries[at + 1..].iter().filter(|other| {
                (other.depth, other.section, other.key) == (entry.depth, section, key)
            });
            let Some(next) = later.clone().next().filter(|_| !entry.value.is_empty()) else {
                continue;
            };
            let reset = later.any(|other| other.value.is_empty());
            if reset || same(section, key, entry.value, next.value) {
                continue;
            }
            let (lost, kept) = if key == "Unit" { (next, entry) } else { (entry, next) };
            let message = format!("{key}={} has no effect: line {} sets {key}={}", lost.value, kept.line, kept.value);
            found.at(*lost, message);
        }
    }

    /// A setting that a backslash joined to the line before it
    ///
    /// A backslash at the end of a line continues it: the next line belongs to the same value. Only an empty line or a
    /// line without a backslash ends it.
    ///
    /// In production: the program receives `Restart=on-failure` as an argument, and the service does not restart.
    ///
    /// ```ini
    /// [Service]
    /// ExecStart=/opt/acme/current/server \
    ///     --port 8080
    /// Restart=on-failure
    /// ```
    ///
    /// See systemd.syntax(7).
    "swallowed-setting" Error(Start) Any swallowed_setting(view, found) {
        for file in &view.unit.files {
            for line in &file.lines {
                let Kind::Assignment { key, .. } = &line.kind else { continue };
                let Some((number, setting, margin)) = swallowed(line) else { continue };
                let message = format!("{setting} is a part of {key}= here: the line before ends with a backslash");
                let finding = found.place(&file.path, number, message);
                if !margin {
                    finding.severity(Severity::Warning);
                }
            }
        }
    }

    /// A time span in months
    ///
    /// In a span of time, `M` is a month and `m` a minute. `min` and `month` cannot be confused.
    ///
    /// In production: `TimeoutStopSec=5M` lets a hung process block every stop for five months.
    ///
    /// ```ini
    /// [Service]
    /// TimeoutStopSec=5min
    /// ```
    ///
    /// See systemd.time(7), "Parsing time spans".
    "span-month" Warning Any span_month(view, found) {
        for entry in view.unit.entries() {
            let (section, key, text) = (entry.section, entry.key, entry.value);
            let Some(known) = keys::find(section, key) else { continue };
            let spans = matches!(accepts::type_of(section, key), Some("Span" | "Limit(Span)"));
            if known.takes != Takes::Span && !spans || accepts::check(section, key, text, None).is_err() {
                continue;
            }
            let Some(minutes) = in_minutes(text) else { continue };
            let month = text.replace('M', "month");
            let finding = found.at(entry, format!("{key}={text}: M is a month; write {minutes}, or {month}"));
            if keys::adds(section, key) == Adds::Last {
                finding.suggest(section, key, minutes);
            }
            // What a timer or a whole run waits for can be months.
            if section == "Timer" || key.starts_with("RuntimeMax") {
                finding.severity(Severity::Info);
            }
        }
    }

    /// A pattern in a path that systemd does not expand
    ///
    /// systemd expands `*`, `?` and `[…]` only in `EnvironmentFile=`, `PathExistsGlob=`, `ConditionPathExistsGlob=`,
    /// `AssertPathExistsGlob=`, `ImportCredential=` and `DeviceAllow=`. Everywhere else it looks for a file with that
    /// literal name.
    ///
    /// In production: `ReadWritePaths=/var/lib/acme-*` fails the start with `226/NAMESPACE`. With a `-` before the path,
    /// the service starts, but cannot write there (both measured).
    ///
    /// ```ini
    /// [Service]
    /// ReadWritePaths=/var/lib/acme-data /var/lib/acme-cache
    /// ```
    ///
    /// See systemd.exec(5), and the man page of the setting.
    "path-pattern" Error(Start) Any path_pattern(view, found) {
        for entry in view.unit.entries() {
            let (section, key) = (entry.section, entry.key);
            if keys::find(section, key).is_none() || !view.unit.all(section, key).contains(&entry) {
                continue;
            }
            for word in words(entry) {
                let Some((literal, _)) = path(key, &word).filter(|(_, path)| is_pattern(path)) else {
                    continue;
                };
                let optional = word.split(|c| !matches!(c, '-' | '+')).next().is_some_and(|prefix| prefix.contains('-'));
                let (effect, severity) = match literal {
                    Literal::Fails(_) if optional => {
                        ("the path does not exist, and `-` hides the error".to_owned(), Severity::Warning)
                    }
                    Literal::Fails(status) => (format!("the start fails ({status})"), Severity::Error),
                    Literal::Creates(what) => (format!("{what} with this literal name is created"), Severity::Warning),
                    // Only a forking service needs it.
                    Literal::Never(effect, _) if key == "PIDFile" && view.kind() != "forking" => {
                        (effect.to_owned(), Severity::Warning)
                    }
                    Literal::Never(effect, "") => (effect.to_owned(), Severity::Error),
                    Literal::Never(effect, glob) => (format!("{effect}; use {glob}="), Severity::Error),
                };
                let message = format!("{key}={word}: systemd does not expand patterns here: {effect}");
                found.at(entry, message).severity(severity);
            }
        }
    }
}
