//! What breaks on the way: client, conductor, session, power, at every step. Afterwards `current` must be a
//! complete release that runs, the same command must go through, and what was said must have been true.

mod backups;
mod busy;
mod campaign;
mod claims; // of a run's last line
mod conductor;
mod leftovers;
mod migrations;
mod outside;
mod person;
pub(crate) mod point;
mod power;
mod request;
mod routed;
mod unflushed;
mod uploads; // struck at random

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::apps::Service;
use crate::bounds::{Ends as _, PATIENCE, Patient};
use crate::deploys::desk::{Desk, Ran, Yml, acme, answer, current};
use crate::handover::only_instance;
use crate::lab::{Host, Output};

/// An app by that strategy which does all that a deploy can do: shared paths, `prepare`, a migration, and from
/// the third release on something to prune. v1 and v2 are live in turn.
fn everything(host: &Host, strategy: &str, watch: &str) -> Desk {
    let service = match strategy {
        "reload" => Service::Reload,
        "socket" => Service::Socket,
        "handover" => Service::Handover,
        _ => Service::Notify,
    };
    let yml: Yml = acme(strategy)
        .health("watch", watch)
        .with("shared: {dirs: [logs], files: [env]}")
        .with("prepare: echo ready >prepared")
        .with("migrate: acme-migrate.service")
        .with("keep_releases: 1");
    let desk = Desk::ready(host, service, &yml);
    host.ssh("deploy", "echo A=1 >/opt/acme/shared/env").ok();
    for version in ["v1", "v2"] {
        desk.deploy(crate::apps::Kind::Graceful, version);
    }
    desk
}

/// A deploy under way, heard line by line.
pub(crate) struct Underway {
    child: Child,
    lines: BufReader<Patient<std::process::ChildStdout>>,
    heard: String,
}

impl Underway {
    pub(crate) fn start(desk: &Desk, args: &[&str]) -> Self {
        let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        let mut child = desk
            .command(&args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(Patient(child.stdout.take().unwrap()));
        Self {
            child,
            lines,
            heard: String::new(),
        }
    }

    /// Reads on until a step is in that state; false when the run ended without it.
    pub(crate) fn until(&mut self, step: &str, state: &str) -> bool {
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                return false;
            }
            self.heard.push_str(&line);
            let value: Value = serde_json::from_str(&line).unwrap();
            let name = value["name"].as_str().unwrap_or("");
            if name.split(' ').next() == Some(step) && value["state"] == state {
                return true;
            }
        }
    }

    /// Reads on until a line has this text; false when the run ended without it.
    fn until_said(&mut self, text: &str) -> bool {
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                return false;
            }
            self.heard.push_str(&line);
            if line.contains(text) {
                return true;
            }
        }
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Whether it has ended by itself.
    fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for the end.
    pub(crate) fn end(mut self) -> Ran {
        use std::io::Read;
        self.lines.read_to_string(&mut self.heard).unwrap();
        let mut output = self.child.ends();
        output.stdout = self.heard.into_bytes();
        Ran::new("under way", &output)
    }
}

/// Waits until no switch is wanted or under way.
#[track_caller]
fn rest(host: &Host) {
    let until = Instant::now() + PATIENCE;
    let rests = "test ! -e /opt/acme/.shipit/request && systemctl is-active acme.service acme@blue.service acme@green.service | grep -qx active";
    while !host.root(rests).success() {
        assert!(
            Instant::now() < until,
            "{}: the switch does not end:\n{}",
            host.name(),
            host.root(
                "cd /opt/acme/.shipit; ls -l . runs/*; cat request; tail -n 50 runs/*/events ledger; \
                 systemctl list-jobs; systemctl status --no-pager -n 40 'acme*' 'shipit-acme*'; journalctl -b -n 80 -o short-precise"
            )
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// `current` resolves, to a whole release, and what runs is that release.
#[track_caller]
fn assert_whole(host: &Host) {
    let live = current(host);
    assert!(!live.is_empty(), "no current");
    assert_as_sent(host);
    let version = host.read_file(&format!("/opt/acme/releases/{live}/version"));
    host.wait_for("an answer", |host: &Host| !answer(host).is_empty());
    assert_eq!(answer(host), version.trim(), "runs something else");
    if host.root("test -d /opt/acme/slots").success() {
        assert_eq!(only_instance(host).1, live, "an instance runs something else");
    }
    let left = host.root("ls -A /opt/acme/releases | grep -c '^\\.' ; ls /opt/acme/next 2>/dev/null");
    let hidden: u32 = left.stdout.lines().next().unwrap_or("0").parse().unwrap();
    assert!(hidden <= 1, "more than one half release: {}", left.stdout);
}

/// Each release is whole, once nothing says that it is being prepared: every file has the bytes that its manifest says, and the manifest is
/// the one that the client asked for.
#[track_caller]
fn assert_as_sent(host: &Host) {
    as_sent(host).ok();
}

fn as_sent(host: &Host) -> Output {
    host.root(
        "cd /opt/acme/releases && for id in *; do [ -e \"$id\" ] && [ ! -e \".in-$id\" ] || continue; cd \"$id\" && of=/opt/acme/.shipit/releases/$id &&
             test \"$(cat \"$of/digest\")\" = \"$(sha256sum <\"$of/manifest\" | cut -d ' ' -f 1)\" &&
             tr '\\0' '\\n' <\"$of/manifest\" | grep -E '^[0-9a-f]{64}  [.]/' | sha256sum --quiet -c - || exit
             cd ..
         done 2>&1",
    )
}

/// One switch at a time: in the host's record the lines of a run stand together, and the runs are numbered in
/// the order in which they began.
#[track_caller]
fn assert_one_at_a_time(host: &Host) {
    let ledger = host.read_file("/opt/acme/.shipit/ledger");
    let mut runs: Vec<(u64, &str)> = Vec::new();
    for line in ledger.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        // An empty line parts the next one from one that may be torn.
        if line.is_empty() || words[1] == "-" {
            continue;
        }
        let run = (words[1].parse().unwrap(), words[2]);
        if runs.last() != Some(&run) {
            runs.push(run);
        }
    }
    for (n, run) in (1..).zip(&runs) {
        assert_eq!(run.0, n, "runs overlap: {ledger}");
    }
}
