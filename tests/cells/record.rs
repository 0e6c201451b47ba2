//! What was seen on the hosts, written down as cases for the rules (`tests/units/rules/seen-*.txt`), so that these
//! are held to real values without a host too. `SHIPIT_RECORD=tests/units/rules cargo test --test it cells::` writes them anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::making::Made;
use super::table::Face;

/// The properties that rules on `Type=` read.
const READ: [&str; 18] = [
    "Type",
    "ActiveState",
    "SubState",
    "Result",
    "MainPID",
    "ControlPID",
    "StatusText",
    "NRestarts",
    "NeedDaemonReload",
    "ExecMainPID",
    "ExecMainCode",
    "ExecMainStatus",
    "ExecMainStartTimestampMonotonic",
    "ExecMainExitTimestampMonotonic",
    "ActiveEnterTimestampMonotonic",
    "ActiveExitTimestampMonotonic",
    "InactiveExitTimestampMonotonic",
    "InactiveEnterTimestampMonotonic",
];

/// Writes the cases of one host, where that was asked for.
pub fn record(
    version: u32,
    made: &[Made<'_>],
    shown: &[BTreeMap<String, String>],
    found: &BTreeMap<String, Vec<Value>>,
) {
    let Some(dir) = std::env::var_os("SHIPIT_RECORD") else {
        return;
    };
    let cases: String = made
        .iter()
        .zip(shown)
        .map(|(made, show)| {
            let found = found.get(&made.unit).and_then(|found| found.first());
            let rule = found.and_then(|found| found["rule"].as_str());
            case(version, made, show, rule)
        })
        .collect();
    let name = format!("seen-{version}.txt");
    fs::write(Path::new(&dir).join(name), cases).unwrap();
}

fn case(version: u32, made: &Made<'_>, show: &BTreeMap<String, String>, rule: Option<&str>) -> String {
    let (rule, kind) = match rule {
        Some(rule) => (rule, "bad"),
        None if made.cell.lines.contains("oneshot") => ("type-oneshot-forks", "good"),
        None if made.cell.lines.contains("forking") => ("type-forking-stays", "good"),
        None => ("type-simple-forks", "good"),
    };
    let strategy = if made.is_job() { "" } else { "strategy=restart " };
    let reports = if made.cell.does.contains("notifies") {
        "yes"
    } else {
        "no"
    };
    let processes = match (made.cell.does, show["ActiveState"].as_str()) {
        (_, "inactive" | "failed") => 0,
        ("child-notifies", _) => 2,
        ("ends", _) => 0,
        _ if show["SubState"] == "auto-restart" => 0,
        _ => 1,
    };
    let mut out = format!("=== {rule} {kind}\n{strategy}systemd={version}\nprocesses {processes}\nreports {reports}\n");
    if made.face == Face::Waits {
        out += "activating 11\n";
    }
    for key in READ {
        let value = show.get(key).map_or("", String::as_str);
        if !(value.is_empty() || value == "0" && key.ends_with("Monotonic")) {
            out += &format!("show {key}={value}\n");
        }
    }
    let command = &show["ExecStart"];
    let ended = command.find("; start_time").unwrap();
    format!(
        "{out}show ExecStart={{ {}\n+++ {}\n{}",
        &command[ended..],
        made.unit,
        made.text
    )
}
