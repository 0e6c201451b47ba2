//! Lines that systemd ignores with a warning in its own log, or refuses the unit for. Nobody reads that log.

use super::{Severity, rules};
use crate::unit::keys::{self, Takes};
use crate::unit::parse::Kind;
use crate::unit::value;

rules! {
    /// A line that systemd cannot read
    ///
    /// systemd skips what it does not understand and goes on, with one line in the journal. A broken section header
    /// is worse: the whole file is refused.
    ///
    /// In production: the setting you wrote is not there, and `systemctl start` still says nothing.
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

    /// A section that systemd does not know
    ///
    /// Everything below an unknown header is ignored. Section names are case-sensitive: `[service]` is not `[Service]`.
    /// Sections of your own begin with `X-`.
    ///
    /// In production: none of its settings take effect; `systemd-analyze verify` warns but exits 0.
    ///
    /// ```ini
    /// [Service]
    /// ```
    ///
    /// See systemd.unit(5).
    "unknown-section" Error(Start) Any unknown_section(view, found) {
        for file in &view.unit.files {
            for line in &file.lines {
                let Kind::Section(name) = &line.kind else {
                    continue;
                };
                if !keys::is_section(name) && !name.starts_with("X-") {
                    found.place(&file.path, line.first, format!("[{name}] is no section that systemd knows: everything below it is ignored"));
                }
            }
        }
    }

    /// A key that systemd does not know, or not in this section
    ///
    /// systemd ignores it with a warning in the journal. Most often it is a slip of the pen, a key of another section,
    /// or a key of a later systemd.
    ///
    /// In production: `ExecStart=` runs without the limit, the user or the sandbox that the line asked for, and
    /// nothing looks wrong. `systemd-analyze verify` warns but exits 0.
    ///
    /// ```ini
    /// [Unit]
    /// StartLimitIntervalSec=0
    /// [Service]
    /// MemoryMax=512M
    /// ```
    ///
    /// See systemd.directives(7): which key belongs where, and `systemctl --version`.
    "unknown-key" Error(Start) Any unknown_key(view, found) {
        for entry in view.unit.entries() {
            let (section, key) = (entry.section, entry.key);
            if !keys::is_section(section) || key.starts_with("X-") {
                continue;
            }
            if let Some(known) = keys::find(section, key) {
                let host = view.host().and_then(|host| host.systemd);
                if let Some(version) = host.filter(|version| *version < known.since) {
                    found.at(
                        entry,
                        format!(
                            "{key}= is new in systemd {}; this host has {version} and ignores it",
                            known.since
                        ),
                    );
                }
                continue;
            }
            let elsewhere = keys::sections_of(key);
            let unit_section = match view.unit.name.kind() {
                "service" => "Service",
                "socket" => "Socket",
                "timer" => "Timer",
                _ => "",
            };
            let right = elsewhere
                .iter()
                .find(|s| **s == unit_section || matches!(**s, "Unit" | "Install"));
            if let Some(right) = right {
                let finding = found.at(
                    entry,
                    format!(
                        "{key}= belongs in [{right}], not in [{section}]: here systemd ignores it"
                    ),
                );
                finding.remove().set(right, key, entry.value);
            } else if !elsewhere.is_empty() {
                found.at(
                    entry,
                    format!(
                        "{key}= belongs in [{}], which this unit cannot have: systemd ignores it",
                        elsewhere.join("], [")
                    ),
                );
            } else {
                let near = near(section, key)
                    .map(|near| format!("; did you mean {near}=?"))
                    .or_else(|| {
                        let sections = [unit_section, "Unit", "Install"].into_iter();
                        let mut others = sections.filter(|other| *other != section);
                        others.find_map(|other| {
                            near(other, key).map(|near| format!("; did you mean {near}= in [{other}]?"))
                        })
                    })
                    .unwrap_or_default();
                found.at(
                    entry,
                    format!("systemd knows no {key}= in [{section}] and ignores it{near}"),
                );
            }
        }
    }

    /// A value that systemd cannot take
    ///
    /// A boolean that is no boolean, a span of time with an unknown unit, a number that is none, a word that is not on the
    /// list: systemd ignores the line and the default stands.
    ///
    /// In production: `Restart=allways` is `Restart=no`. The service dies once and stays dead.
    ///
    /// ```ini
    /// [Service]
    /// Restart=always
    /// RestartSec=1s
    /// ```
    ///
    /// See systemd.syntax(7), systemd.time(7), and the page of the setting.
    "bad-value" Error(Start) Any bad_value(view, found) {
        for entry in view.unit.entries() {
            let (Some(known), text) = (keys::find(entry.section, entry.key), entry.value) else {
                continue;
            };
            if text.is_empty() || text.contains('%') && known.takes == Takes::Text {
                continue;
            }
            let kind = match known.takes {
                Takes::Bool => value::boolean(text).is_none().then_some("yes or no"),
                Takes::Span => value::span(text)
                    .is_none()
                    .then_some("a span of time such as 500ms, 90s or 2min"),
                Takes::Number => text.parse::<u64>().is_err().then_some("a whole number"),
                Takes::Mode => u32::from_str_radix(text, 8)
                    .is_err()
                    .then_some("an octal mode such as 0640"),
                _ => None,
            };
            if let Some(kind) = kind {
                found.at(
                    entry,
                    format!(
                        "{}={text} is not {kind}: systemd ignores the line",
                        entry.key
                    ),
                );
            }
            let words = words_of(entry.key).filter(|_| entry.section == "Service");
            if let Some(words) = words.filter(|words| !words.contains(&text)) {
                found.at(
                    entry,
                    format!(
                        "{}={text}: systemd takes only {}, and ignores the line",
                        entry.key,
                        words.join(", ")
                    ),
                );
            }
        }
    }

    /// A key with an old name, or an old value
    ///
    /// The setting was renamed. Old names still work today, with a warning, and some only on the old control group tree. So do
    /// the output `syslog` of before the journal, and `PIDFile=` below /var/run, which is /run.
    ///
    /// In production: `MemoryLimit=` does nothing on a host with unified control groups, which is every current one.
    ///
    /// ```ini
    /// [Service]
    /// MemoryMax=512M
    /// ```
    ///
    /// See systemd.resource-control(5), "Deprecated options".
    "old-key" Warning Any old_key(view, found) {
        for entry in view.unit.entries() {
            let value = match (entry.key, entry.value) {
                ("StandardOutput" | "StandardError", "syslog") => "journal".to_owned(),
                ("StandardOutput" | "StandardError", "syslog+console") => "journal+console".to_owned(),
                ("PIDFile", path) if path.starts_with("/var/run/") => path["/var".len()..].to_owned(),
                _ => entry.value.to_owned(),
            };
            if value != entry.value {
                let message = format!("{}={} is the old way to write {value}", entry.key, entry.value);
                let finding = found.at(entry, message).severity(Severity::Info);
                finding.set(entry.section, entry.key, value);
                continue;
            }
            let Some((_, new)) = OLD.iter().find(|(old, _)| *old == entry.key) else {
                continue;
            };
            // `start-limit-section` says both at once.
            let elsewhere = entry.key.starts_with("StartLimit") && entry.section != "Unit";
            if elsewhere || keys::find(entry.section, entry.key).is_none() {
                continue;
            }
            let finding = found.at(entry, format!("{}= is the old name of {new}=", entry.key));
            if matches!(entry.key, "MemoryLimit" | "StartLimitInterval") {
                let section = if new.starts_with("StartLimit") {
                    "Unit"
                } else {
                    entry.section
                };
                finding.remove().set(section, new, entry.value);
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

/// The words that a closed setting takes, in systemd 257.
fn words_of(key: &str) -> Option<&'static [&'static str]> {
    Some(match key {
        "Type" => &[
            "simple",
            "exec",
            "forking",
            "oneshot",
            "dbus",
            "notify",
            "notify-reload",
            "idle",
        ],
        "Restart" => &[
            "no",
            "on-success",
            "on-failure",
            "on-abnormal",
            "on-watchdog",
            "on-abort",
            "always",
        ],
        "KillMode" => &["control-group", "mixed", "process", "none"],
        "NotifyAccess" => &["none", "main", "exec", "all"],
        "OOMPolicy" => &["continue", "stop", "kill"],
        "ExitType" => &["main", "cgroup"],
        "RestartMode" => &["normal", "direct", "debug"],
        "ProtectProc" => &["noaccess", "invisible", "ptraceable", "default"],
        "ProcSubset" => &["all", "pid"],
        _ => return None,
    })
}

/// The known key of the section that is nearest to a wrong one: at most two letters away, or another case.
fn near(section: &str, key: &str) -> Option<&'static str> {
    let lower = key.to_ascii_lowercase();
    let scored = keys::keys_of(section).into_iter().map(|known| {
        (
            strsim::osa_distance(&lower, &known.to_ascii_lowercase()),
            known,
        )
    });
    scored
        .min()
        .filter(|(distance, _)| *distance <= 2)
        .map(|(_, known)| known)
}
