//! Old names of keys, and old values, which systemd still takes. Lines that it ignores are for `syntax`.

use super::{Severity, rules};
use crate::unit::keys;

rules! {
    /// A key with an old name, or an old value
    ///
    /// The setting was renamed. Old names still work today, with a warning; some work only with cgroup v1. The output
    /// `syslog` predates the journal, and a path below /var/run now belongs in /run; both still work.
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
                ("PIDFile" | "ListenStream" | "ListenDatagram" | "ListenFIFO", path) if path.starts_with("/var/run/") => {
                    &path["/var".len()..]
                }
                _ => value,
            };
            if current != value {
                let finding = found.at(entry, format!("{key}={value} is an old form of {current}"));
                finding.severity(Severity::Info);
                if !key.starts_with("Listen") {
                    finding.respell(section, key, current); // a program can have the path of a socket
                }
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
                finding.respell(section, new, value);
            } else {
                finding.severity(Severity::Info);
            }
        }
    }
}

const OLD: [(&str, &str); 14] = [
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
    ("RequiresOverridable", "Requires"),
    ("RequisiteOverridable", "Requisite"),
    ("OnFailureIsolate", "OnFailureJobMode"),
];
