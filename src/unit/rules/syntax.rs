//! Lines that systemd ignores with only a warning in the journal, and lines for which it refuses the unit.

use super::{Severity, rules};
use crate::unit::keys::{self, Takes};
use crate::unit::parse::Kind;
use crate::unit::value;

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
    /// `[Service]`. A section of your own needs a name that starts with `X-`.
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
                if let Kind::Section(name) = &line.kind
                    && !keys::is_section(name)
                    && !name.starts_with("X-")
                {
                    let message = format!("unknown section [{name}]: systemd ignores everything below it");
                    found.place(&file.path, line.first, message);
                }
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
                let host = view.host().and_then(|host| host.systemd);
                if let Some(version) = host.filter(|version| *version < since) {
                    let message = format!("{key}= needs systemd {since}; this host has {version} and ignores it");
                    found.at(entry, message);
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

    /// A value that systemd does not accept
    ///
    /// The value is not a valid boolean, time span or number, or it is not one of the allowed words. systemd ignores
    /// the line, and the default applies.
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
            if text.is_empty() || text.contains('%') && known.takes == Takes::Text {
                continue;
            }
            let (valid, kind) = match known.takes {
                Takes::Bool => (value::boolean(text).is_some(), "yes or no"),
                Takes::Span => (value::span(text).is_some(), "a time span such as 500ms, 90s or 2min"),
                Takes::Number => (text.parse::<u64>().is_ok(), "a whole number"),
                Takes::Mode => (u32::from_str_radix(text, 8).is_ok(), "an octal mode such as 0640"),
                _ => (true, ""),
            };
            if !valid {
                found.at(entry, format!("{key}={text} is not {kind}: systemd ignores the line"));
            }
            let words = words_of(key).filter(|words| entry.section == "Service" && !words.contains(&text));
            if let Some(words) = words {
                let words = words.join(", ");
                found.at(entry, format!("{key}={text}: systemd accepts only {words}, and ignores the line"));
            }
        }
    }

    /// A key with an old name, or an old value
    ///
    /// The setting was renamed. Old names still work today, with a warning; some work only with cgroup v1. The output
    /// `syslog` predates the journal, and `PIDFile=` below /var/run now belongs in /run; both still work.
    ///
    /// In production: `MemoryLimit=` does nothing with cgroup v2, which every current distribution uses.
    ///
    /// ```ini
    /// [Service]
    /// MemoryMax=512M
    /// ```
    ///
    /// See systemd.resource-control(5), "Deprecated options".
    "old-key" Warning Any old_key(view, found) {
        for entry in view.unit.entries() {
            let (section, key, value) = (entry.section, entry.key, entry.value);
            let current = match (key, value) {
                ("StandardOutput" | "StandardError", "syslog") => "journal",
                ("StandardOutput" | "StandardError", "syslog+console") => "journal+console",
                ("PIDFile", path) if path.starts_with("/var/run/") => &path["/var".len()..],
                _ => value,
            };
            if current != value {
                found
                    .at(entry, format!("{key}={value} is the old way to write {current}"))
                    .severity(Severity::Info)
                    .set(section, key, current);
                continue;
            }
            let Some((_, new)) = OLD.iter().find(|(old, _)| *old == key) else {
                continue;
            };
            // `start-limit-section` reports both.
            let elsewhere = key.starts_with("StartLimit") && section != "Unit";
            if elsewhere || keys::find(section, key).is_none() {
                continue;
            }
            let finding = found.at(entry, format!("{key}= is the old name of {new}="));
            if matches!(key, "MemoryLimit" | "StartLimitInterval") {
                finding.remove().set(section, new, value);
            } else {
                finding.severity(Severity::Info);
            }
        }
    }
}

const OLD: [(&str, &str); 11] = [
    ("MemoryLimit", "MemoryMax"),
    ("CPUShares", "CPUWeight"),
    ("StartupCPUShares", "StartupCPUWeight"),
    ("BlockIOWeight", "IOWeight"),
    ("BlockIOReadBandwidth", "IOReadBandwidthMax"),
    ("BlockIOWriteBandwidth", "IOWriteBandwidthMax"),
    ("BlockIOAccounting", "IOAccounting"),
    ("StartLimitInterval", "StartLimitIntervalSec"),
    ("BindTo", "BindsTo"),
    ("PropagateReloadTo", "PropagatesReloadTo"),
    ("PropagateReloadFrom", "ReloadPropagatedFrom"),
];

/// The values of a setting that accepts only certain words, in systemd 257.
fn words_of(key: &str) -> Option<Vec<&'static str>> {
    let words = match key {
        "Type" => "simple exec forking oneshot dbus notify notify-reload idle",
        "Restart" => "no on-success on-failure on-abnormal on-watchdog on-abort always",
        "KillMode" => "control-group mixed process none",
        "NotifyAccess" => "none main exec all",
        "OOMPolicy" => "continue stop kill",
        "ExitType" => "main cgroup",
        "RestartMode" => "normal direct debug",
        "ProtectProc" => "noaccess invisible ptraceable default",
        "ProcSubset" => "all pid",
        _ => return None,
    };
    Some(words.split(' ').collect())
}

/// The known key of the section that is nearest to a wrong one: at most two letters away, or with another case.
fn near(section: &str, key: &str) -> Option<&'static str> {
    let lower = key.to_ascii_lowercase();
    let distance = |known: &str| strsim::osa_distance(&lower, &known.to_ascii_lowercase());
    let keys = keys::keys_of(section).into_iter();
    let nearest = keys.map(|known| (distance(known), known)).min();
    nearest.filter(|(distance, _)| *distance <= 2).map(|(_, known)| known)
}
