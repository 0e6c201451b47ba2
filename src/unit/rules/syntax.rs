//! Lines that systemd ignores with only a warning in the journal, and lines for which it refuses the unit.

use super::{Severity, rules};
use crate::unit::accepts::Refused;
use crate::unit::keys::{self, Takes};
use crate::unit::merge::Entry;
use crate::unit::parse::Kind;
use crate::unit::{accepts, conditions, forms, quoting, specifier};

rules! {
    /// A line that systemd cannot read
    ///
    /// systemd skips a line that it cannot read, logs one line in the journal and continues. A broken section header is
    /// worse: systemd refuses the whole file.
    ///
    /// In production: the setting that you wrote has no effect, and `systemctl start` does not report it.
    ///
    /// ```ini
    /// [Service]
    /// Key=value
    /// ```
    ///
    /// See systemd.syntax(7).
    "syntax" Error(Start) Any syntax(view, found) {
        for file in &view.unit.files {
            for line in &file.lines {
                if let Kind::Wrong(wrong) = line.kind {
                    found.place(&file.path, line.first, wrong.to_string());
                }
            }
        }
    }

    /// An unknown section
    ///
    /// systemd ignores everything below an unknown header. Section names are case-sensitive: `[service]` is not
    /// `[Service]`. `[Timer]` is unknown in a `.service`: each type of unit has its own section, in a file of its own. A
    /// section of your own needs a name that starts with `X-`.
    ///
    /// In production: none of the settings take effect. `systemd-analyze verify` warns, but exits with status 0.
    ///
    /// ```ini
    /// [Service]
    /// ```
    ///
    /// See systemd.unit(5).
    "unknown-section" Error(Start) Any unknown_section(view, found) {
        for file in &view.unit.files {
            for line in &file.lines {
                let Kind::Section(name) = &line.kind else { continue };
                let kind = view.unit.name.kind();
                let message = if name.starts_with("X-") || matches!(name.as_str(), "Unit" | "Install") {
                    continue;
                } else if !keys::is_section(name) {
                    format!("unknown section [{name}]: systemd ignores everything below it")
                } else if !name.eq_ignore_ascii_case(kind) {
                    let other = name.to_ascii_lowercase();
                    format!("[{name}] belongs in a .{other} unit: in a .{kind}, systemd ignores everything below it")
                } else {
                    continue;
                };
                found.place(&file.path, line.first, message);
            }
        }
    }

    /// An unknown key in this section
    ///
    /// systemd ignores the line and logs a warning. Most often the key is misspelled, belongs to another section, or
    /// needs a newer systemd.
    ///
    /// In production: the program runs without the limit, the user or the sandbox that the line should set, and nothing
    /// looks wrong. `systemd-analyze verify` warns, but exits with status 0.
    ///
    /// ```ini
    /// [Unit]
    /// StartLimitIntervalSec=0
    /// [Service]
    /// MemoryMax=512M
    /// ```
    ///
    /// See systemd.directives(7) for the section that each key belongs in; `systemctl --version` shows your version.
    "unknown-key" Error(Start) Any unknown_key(view, found) {
        let unit_section = match view.unit.name.kind() {
            "service" => "Service",
            "socket" => "Socket",
            "timer" => "Timer",
            _ => "",
        };
        for entry in view.unit.entries() {
            let (section, key) = (entry.section, entry.key);
            if !keys::is_section(section) || key.starts_with("X-") {
                continue;
            }
            if let Some(keys::Key { since, .. }) = keys::find(section, key) {
                match view.host().and_then(|host| host.systemd) {
                    Some(version) if version < since => {
                        let message = format!("{key}= needs systemd {since}; this host has {version} and ignores it");
                        found.at(entry, message);
                    }
                    None if since > 0 => {
                        let message = format!("{key}= needs systemd {since}; older versions ignore it");
                        found.at(entry, message).severity(Severity::Info);
                    }
                    _ => {}
                }
                continue;
            }
            let known = keys::sections_of(key);
            let fits = |section: &&&str| **section == unit_section || matches!(**section, "Unit" | "Install");
            if let Some(right) = known.iter().find(fits) {
                let message = format!("{key}= belongs in [{right}], not in [{section}]: here systemd ignores it");
                found.at(entry, message).remove().set(right, key, entry.value);
            } else if !known.is_empty() {
                let sections = known.join("], [");
                let effect = "which this unit cannot have: systemd ignores it";
                found.at(entry, format!("{key}= belongs in [{sections}], {effect}"));
            } else {
                let mut others = [unit_section, "Unit", "Install"].into_iter().filter(|other| *other != section);
                let elsewhere = || others.find_map(|other| Some(format!("{}= in [{other}]", near(other, key)?)));
                let hint = near(section, key).map(|near| format!("{near}=")).or_else(elsewhere);
                let hint = hint.map_or(String::new(), |hint| format!("; did you mean {hint}?"));
                found.at(entry, format!("unknown key {key}= in [{section}]: systemd ignores it{hint}"));
            }
        }
    }

    /// A comment at the end of a line
    ///
    /// systemd supports comments only on lines of their own. It reads a comment after a value as part of the value.
    ///
    /// In production: `User=acme  # the app` names a user that does not exist, and the start fails with `217/USER`.
    /// Most
    /// other settings are ignored, with one line in the journal; a command receives the comment as arguments.
    ///
    /// ```ini
    /// [Service]
    /// # the app
    /// User=acme
    /// ```
    ///
    /// See systemd.syntax(7).
    "trailing-comment" Error(Start) Any trailing_comment(view, found) {
        for entry in view.unit.entries() {
            let Some(at) = comment_at(entry) else { continue };
            let key = entry.key;
            let message = format!("{key}=: systemd reads the comment as part of the value; put it on a line of its own");
            let finding = found.at(entry, message);
            match entry.value[..at].trim() {
                "" => finding.remove(),
                value => finding.remove().add(entry.section, key, value),
            };
            if matches!(key, "Description") {
                finding.severity(Severity::Info);
            }
        }
    }

    /// A value that systemd does not accept
    ///
    /// Each key has a type in systemd: a boolean, a time span, a path, a list of names, certain words. systemd ignores a
    /// line with another value, and the default applies; for some keys it refuses the unit. Quotes are part of a single
    /// path, and separate words only in lists.
    ///
    /// In production: `Restart=allways` means `Restart=no`. After its first crash, the service stays down.
    ///
    /// ```ini
    /// [Service]
    /// Restart=always
    /// RestartSec=1s
    /// ```
    ///
    /// See systemd.syntax(7), systemd.time(7), and the man page of the setting.
    "bad-value" Error(Start) Any bad_value(view, found) {
        for entry in view.unit.entries() {
            let (Some(known), key, text) = (keys::find(entry.section, entry.key), entry.key, entry.value) else {
                continue;
            };
            if comment_at(entry).is_some() {
                continue;
            }
            let other = PAIRS.iter().find(|(one, _)| *one == key).map(|(_, other)| *other);
            if let Some(other) = other.filter(|other| view.unit.get("Service", other).is_none()) {
                found.at(entry, format!("{key}= without {other}=: systemd ignores it"));
            }
            if text.is_empty() && accepts::refuses_empty(entry.section, key) {
                found.at(entry, format!("{key}= is empty, which resets nothing: systemd ignores the line"));
            }
            if text.is_empty() || known.takes == Takes::Command {
                continue;
            }
            // Data, in which systemd replaces nothing.
            let is_data = matches!(key, "SetCredential" | "SetCredentialEncrypted" | "LogFilterPatterns");
            if let Some(letter) = specifier::unknown(text).filter(|_| !is_data) {
                found.at(entry, format!("{key}=: %{letter} is not a specifier: systemd ignores the line or refuses the unit"));
                continue;
            }
            if let Some(what) = conditions::expected(key, text) {
                found.at(entry, format!("{key}={text} is not {what}: the result is the same on every host"));
                continue;
            }
            let systemd = view.host().and_then(|host| host.systemd);
            // `type-notify-reload` reports that one.
            match accepts::check(entry.section, key, text, systemd) {
                Err(Refused::Since(since)) if text != "notify-reload" => {
                    let version = systemd.unwrap_or_default();
                    let message = format!("{key}={text} needs systemd {since}; this host has {version}, which ignores it");
                    found.at(entry, message);
                }
                Ok(()) if systemd.is_none() && text != "notify-reload" => {
                    let oldest = accepts::check(entry.section, key, text, Some(OLDEST));
                    if let (Err(Refused::Since(since)), 0) = (oldest, known.since) {
                        let message = format!("{key}={text} needs systemd {since}; older versions ignore it");
                        found.at(entry, message).severity(Severity::Info);
                    }
                    if let Some((name, near)) = misspelled(key, text) {
                        let message = format!("{key}={name}: did you mean {near}? systemd has no such target");
                        found.at(entry, message).severity(Severity::Warning);
                    }
                    if key == "Environment" && comma(text) {
                        let message = "Environment=: spaces separate assignments; the comma becomes a part of the value";
                        found.at(entry, message).severity(Severity::Warning);
                    }
                    if key.ends_with("Directory") && text.contains(',') && accepts::type_of(entry.section, key) == Some("Below") {
                        let message = format!("{key}=: spaces separate directories; the comma becomes a part of the name");
                        found.at(entry, message).severity(Severity::Warning);
                    }
                    if key == "Unit" && text == view.unit.name.as_str() {
                        found.at(entry, format!("Unit={text} names this unit itself, which cannot start itself: systemd ignores the line"));
                    }
                    let account = matches!(key, "User" | "Group" | "SocketUser" | "SocketGroup");
                    if account && !forms::is_strict_account(text) {
                        let dynamic = view.unit.yes("Service", "DynamicUser") == Some(true);
                        let dotted = forms::is_strict_account(&text.replace('.', "_")) && !dynamic;
                        let message = format!("{key}={text}: systemd warns about this name: it expects letters, digits, _ and - (at most 31)");
                        found.at(entry, message).severity(if dotted { Severity::Info } else { Severity::Warning });
                    }
                    let kind = view.unit.name.kind();
                    if key == "Alias" && text.split_whitespace().any(|name| name.rsplit('.').next() != Some(kind)) {
                        found.at(entry, format!("Alias={text}: the other name of a .{kind} must end in .{kind}"));
                    }
                }
                Err(Refused::Expects(what)) => {
                    // The values of some keys are secrets.
                    let value = if HIDDEN.contains(&key) { String::new() } else { text.to_owned() };
                    let message = format!("{key}={value} is not {what}: systemd ignores the line or refuses the unit");
                    let variable = !HIDDEN.contains(&key) && forms::variable(text);
                    let near = meant(&value, &what);
                    found.at(entry, message + &match near {
                        Some(near) => format!("; did you mean {near}?"),
                        None if variable => "; nothing expands a $ here".to_owned(),
                        None => String::new(),
                    });
                }
                _ => {}
            }
        }
    }
}

/// The one of the expected values that a wrong one resembles.
fn meant<'a>(value: &str, expected: &'a str) -> Option<&'a str> {
    let far = |known: &&str| strsim::damerau_levenshtein(known, value);
    let near = expected
        .split([',', ' '])
        .filter(|known| known.len() > 3)
        .min_by_key(far)?;
    (far(&near) <= 2).then_some(near)
}

/// Where the trailing comment of a value begins. In a command a lone `;` separates two commands, and a single `#word`
/// can
/// be an argument. Text may contain both marks.
fn comment_at(entry: Entry<'_>) -> Option<usize> {
    let takes = keys::find(entry.section, entry.key)?.takes;
    let marks: &[char] = if takes == Takes::Command { &['#'] } else { &['#', ';'] };
    let at = quoting::comment(entry.value, marks)?;
    let (mark, rest) = entry.value[at..].split_at(1);
    let spaced = rest.is_empty() || rest.starts_with([' ', '\t', '#']);
    let sentence = || {
        rest.split_whitespace()
            .nth(1)
            .is_some_and(|word| word.starts_with(char::is_alphanumeric))
    };
    let is_comment = match entry.key {
        "Description" => mark == "#" && spaced && at > 0,
        "StandardInputText" | "SetCredential" | "SyslogIdentifier" | "LogExtraFields" | "LogFilterPatterns" => false,
        _ if takes == Takes::Command => spaced || sentence(),
        _ => true,
    };
    is_comment.then_some(at)
}

/// Keys of `[Service]` that systemd ignores without another one.
const PAIRS: [(&str, &str); 3] = [
    ("RestartSteps", "RestartMaxDelaySec"),
    ("RestartMaxDelaySec", "RestartSteps"),
    ("RuntimeRandomizedExtraSec", "RuntimeMaxSec"),
];

/// The oldest systemd for which `keys.txt` and `types.txt` are complete.
const OLDEST: u32 = 252;

/// systemd.special(7): the targets that units name most.
const TARGETS: [&str; 12] = [
    "multi-user.target",
    "graphical.target",
    "default.target",
    "network.target",
    "network-online.target",
    "network-pre.target",
    "sockets.target",
    "timers.target",
    "local-fs.target",
    "remote-fs.target",
    "nss-lookup.target",
    "time-sync.target",
];

/// Whether a word of `Environment=` ends with a comma or semicolon, and another assignment follows.
fn comma(text: &str) -> bool {
    let words = quoting::split(text).unwrap_or_default();
    words.windows(2).any(|pair| pair[0].raw.ends_with([',', ';']))
}

/// A target that no unit provides, one or two letters away from one that systemd has: the name, and the right one.
fn misspelled<'a>(key: &str, text: &'a str) -> Option<(&'a str, &'static str)> {
    if !matches!(
        key,
        "After" | "Before" | "Wants" | "Requires" | "BindsTo" | "WantedBy" | "RequiredBy"
    ) {
        return None;
    }
    let targets = text.split_whitespace().filter(|name| name.ends_with(".target"));
    targets.into_iter().find_map(|name| {
        let near = TARGETS
            .iter()
            .find(|known| (1..3).contains(&strsim::osa_distance(name, known)))?;
        (!TARGETS.contains(&name)).then_some((name, *near))
    })
}

const HIDDEN: [&str; 7] = [
    "Environment",
    "PassEnvironment",
    "UnsetEnvironment",
    "SetCredential",
    "SetCredentialEncrypted",
    "StandardInputData",
    "LogExtraFields",
];

/// The known key of the section that is nearest to a wrong one: at most two letters away, or with another case.
fn near(section: &str, key: &str) -> Option<&'static str> {
    let lower = key.to_ascii_lowercase();
    let distance = |known: &str| strsim::osa_distance(&lower, &known.to_ascii_lowercase());
    let keys = keys::keys_of(section).into_iter();
    let nearest = keys.map(|known| (distance(known), known)).min();
    nearest.filter(|(distance, _)| *distance <= 2).map(|(_, known)| known)
}
