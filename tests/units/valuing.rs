//! Values that systemd accepts and refuses: `values.txt`. The systemd of this machine and those of real hosts are asked
//! the same.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::oracle;
use crate::bounds::Ends as _;
use crate::lab::Host;
use shipit::unit::merge::Unit;
use shipit::unit::rules::{self, Context, Facts, Severity};

struct Value {
    bad: bool,
    /// Whether systemd prints a warning about it.
    printed: bool,
    since: u32,
    section: &'static str,
    line: &'static str,
}

fn values() -> Vec<Value> {
    let lines = include_str!("values.txt").lines().filter(|line| !line.starts_with('#'));
    let value = |line: &'static str| {
        let (kind, rest) = line.split_once(' ').unwrap();
        let (section, line) = rest.split_once('.').unwrap();
        Value {
            bad: kind.starts_with("bad"),
            printed: kind == "bad",
            since: kind.split_once('@').map_or(0, |(_, since)| since.parse().unwrap()),
            section,
            line,
        }
    };
    lines.map(value).collect()
}

impl Value {
    fn kind(&self) -> &'static str {
        match self.section {
            "Socket" => "socket",
            "Timer" => "timer",
            "Path" => "path",
            _ => "service",
        }
    }

    fn text(&self) -> String {
        let rest = match (self.section, self.line.split('=').next().unwrap_or_default()) {
            ("Service", _) => "ExecStart=/bin/true\n".to_owned(),
            ("Unit", _) => "[Service]\nExecStart=/bin/true\n".to_owned(),
            ("Socket", "ListenStream") => String::new(),
            ("Socket", _) => "ListenStream=/run/v.sock\n".to_owned(),
            ("Timer", _) => "OnStartupSec=1h\n".to_owned(),
            _ => "PathChanged=/etc\n".to_owned(),
        };
        // The value stands on line 2.
        format!("[{}]\n{}\n{rest}", self.section, self.line)
    }

    /// What shipit reports about the line, for a host with this version of systemd.
    fn errors(&self, systemd: Option<u32>) -> Vec<String> {
        let unit = Unit::parse(&format!("v.{}", self.kind()), self.text().as_bytes()).unwrap();
        let host = systemd.map(|version| Facts {
            systemd: Some(version),
            ..Facts::default()
        });
        let context = Context {
            host,
            ..Context::default()
        };
        let found = rules::lint(&unit, &context).into_iter();
        found
            .filter(|finding| finding.line == 2 && finding.severity == Severity::Error)
            .map(|finding| format!("{} [{}]", finding.message, finding.rule))
            .collect()
    }
}

#[test]
fn bad_values_are_errors_and_good_ones_are_not() {
    let all = values();
    assert!(all.iter().filter(|value| value.bad).count() >= 150);
    assert!(all.iter().filter(|value| !value.bad).count() >= 150);
    let mut wrong = Vec::new();
    for value in &all {
        let errors = value.errors(None);
        if errors.is_empty() == value.bad {
            wrong.push(format!("{}.{}: {errors:?}", value.section, value.line));
        }
        if value.since > 252 {
            let (before, then) = (value.errors(Some(252)), value.errors(Some(value.since)));
            if before.is_empty() || !then.is_empty() {
                wrong.push(format!(
                    "{}: on 252 {before:?}, on {} {then:?}",
                    value.line, value.since
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// One file for each value, `vNUMBER.KIND`.
fn write(all: &[Value], dir: &Path) {
    for (number, value) in all.iter().enumerate() {
        fs::write(dir.join(format!("v{number}.{}", value.kind())), value.text()).unwrap();
        if value.kind() != "service" {
            let service = "[Service]\nExecStart=/bin/true\n";
            fs::write(dir.join(format!("v{number}.service")), service).unwrap();
        }
    }
}

/// Where `systemd-analyze verify` and the corpus differ, on a systemd of this version that printed this.
fn differences(all: &[Value], version: u32, printed: &str) -> Vec<String> {
    let of_line = |line: &str| line.split_once("/v")?.1.split('.').next()?.parse().ok();
    let lines = printed.lines().filter(|line| line.contains(":2: "));
    let complaints: BTreeSet<usize> = lines.filter_map(of_line).collect();
    let mut wrong = Vec::new();
    for (number, value) in all.iter().enumerate() {
        let refused = value.printed || value.since > version;
        if complaints.contains(&number) != refused {
            let does = if refused { "accepts" } else { "refuses" };
            wrong.push(format!("systemd {version} {does} {}.{}", value.section, value.line));
        }
    }
    wrong
}

fn version(text: &str) -> u32 {
    text.split_whitespace().nth(1).unwrap().parse().unwrap()
}

const VERIFY: &str = "cd \"$1\" && SYSTEMD_COLORS=0 systemd-analyze verify --man=no ./v* 2>&1; true";

#[test]
fn systemd_complains_of_the_same_values() {
    if oracle::present().is_none() {
        return;
    }
    let output = Command::new("systemctl").arg("--version").ends();
    let version = version(&String::from_utf8_lossy(&output.stdout));
    let all = values();
    let dir = tempfile::tempdir().unwrap();
    write(&all, dir.path());
    let output = Command::new("sh").args(["-c", VERIFY, "sh"]).arg(dir.path()).ends();
    let wrong = differences(&all, version, &String::from_utf8_lossy(&output.stdout));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// On a real host, old or new: called by the tests that have one up.
pub fn agrees(host: &Host) {
    let all = values();
    let dir = tempfile::tempdir().unwrap();
    write(&all, dir.path());
    host.copy_in(dir.path(), "/root/lint");
    let version = version(&host.root("systemctl --version").ok());
    let printed = host.root(&format!("set -- /root/lint; {VERIFY}")).ok();
    host.root("rm -rf /root/lint").ok();
    let wrong = differences(&all, version, &printed);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
