//! systemd's own reading of unit files: PID 1's binary in test mode, which loads units and prints what it
//! understood, without running anything. Used where it is installed; it refuses to run as root.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::bounds::Ends as _;

/// What systemd understood of one unit: property to values, in order of appearance; `Exec…` keys hold one
/// argument list per command.
#[derive(Debug, Default)]
pub struct Understood {
    pub values: BTreeMap<String, Vec<String>>,
    pub commands: BTreeMap<String, Vec<Vec<String>>>,
}

const SYSTEMD: [&str; 2] = ["/lib/systemd/systemd", "/usr/lib/systemd/systemd"];

/// Whether systemd is installed here.
pub fn present() -> Option<&'static str> {
    SYSTEMD.into_iter().find(|path| Path::new(path).exists())
}

/// Loads `units` (and what they want) from `dir` alone. The directory must be readable by anybody.
pub fn understood(dir: &Path, units: &[&str]) -> BTreeMap<String, Understood> {
    let systemd = present().expect("systemd is installed");
    let wants: String = units.iter().map(|unit| format!("Wants={unit}\n")).collect();
    std::fs::write(dir.join("default.target"), format!("[Unit]\n{wants}")).unwrap();
    let root = rustix::process::geteuid().is_root();
    let mut command = if root {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", systemd]);
        command
    } else {
        Command::new(systemd)
    };
    let output = command
        .args(["--test", "--system"])
        .env_clear()
        .env("SYSTEMD_UNIT_PATH", dir)
        .ends();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.contains("-> Unit default.target:"),
        "systemd --test: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut found: BTreeMap<String, Understood> = BTreeMap::new();
    let mut unit = None;
    let mut exec = String::new();
    for line in text.lines() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix("-> Unit ").and_then(|rest| rest.strip_suffix(':')) {
            unit = Some(found.entry(name.to_owned()).or_default());
        } else if line.starts_with("-> By ") {
            unit = None;
        } else if let Some(name) = line.strip_prefix("-> ").and_then(|rest| rest.strip_suffix(':')) {
            exec = name.to_owned();
        } else if let (Some(unit), Some((key, value))) = (&mut unit, line.split_once(": ")) {
            if key == "Command Line" {
                unit.commands.entry(exec.clone()).or_default().push(unquoted(value));
            } else {
                let value = value.split(" (origin-").next().unwrap_or(value);
                unit.values.entry(key.to_owned()).or_default().push(value.to_owned());
            }
        }
    }
    found
}

/// Undoes the shell quoting in which systemd prints command lines.
fn unquoted(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '\\' if quoted => word.get_or_insert_default().extend(chars.next()),
            ' ' if !quoted => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}
