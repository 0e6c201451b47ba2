//! The desk of a person who deploys: a directory with deploy.yml and the tree that is shipped, the keys, and
//! the real program run there with what it said. Nothing here knows what a deploy should do.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::apps::{self, ACME, Kind, Migrate, Service};
use crate::bounds::Ends as _;
use crate::lab::Host;

/// How long acme may take to start, and then to be healthy: also on a machine that has much else to do.
const START: &str = "40s";

/// A deploy.yml for acme. Quick to verify unless a test asks for more: one good answer, no watch time.
#[derive(Clone, Debug)]
pub struct Yml {
    login: &'static str,
    unit: String,
    health: BTreeMap<&'static str, String>,
    more: String,
}

/// acme by that strategy: acme.service, or its instances.
pub fn acme(strategy: &str) -> Yml {
    let health = [
        ("url", "\"http://127.0.0.1:8080/healthz\""),
        ("timeout", START),
        ("successes", "1"),
        ("watch", "0s"),
    ];
    let paired = ["handover", "blue-green", "canary", "rolling"];
    let unit = if paired.iter().any(|name| strategy.starts_with(name)) {
        "acme@.service"
    } else {
        "acme.service"
    };
    Yml {
        login: "deploy",
        unit: format!("unit: {unit}\n    strategy: {strategy}\n    start_timeout: {START}\n"),
        health: health.map(|(key, value)| (key, value.to_owned())).into_iter().collect(),
        more: String::new(),
    }
}

impl Yml {
    /// Who logs in.
    pub fn login(self, login: &'static str) -> Self {
        Self { login, ..self }
    }

    /// How long its service may take to start.
    pub fn start(mut self, start: &str) -> Self {
        self.unit = self.unit.replace(START, start);
        self
    }

    /// One key of `health`.
    pub fn health(mut self, key: &'static str, value: &str) -> Self {
        self.health.insert(key, value.to_owned());
        self
    }

    /// `health` as this text and nothing else.
    pub fn only_health(mut self, text: &str) -> Self {
        self.unit.push_str(&format!("    health: {text}\n"));
        self.health.clear();
        self
    }

    /// Another service, as the lines of its entry.
    pub fn service(mut self, lines: &str) -> Self {
        let first = format!("{}    health: {}\n  - ", self.unit, self.own_health());
        self.unit = first + lines;
        self.health.clear();
        self
    }

    /// Whole lines at the end.
    pub fn with(mut self, lines: &str) -> Self {
        self.more.push_str(lines);
        self.more.push('\n');
        self
    }

    fn own_health(&self) -> String {
        let pairs = self.health.iter().map(|(key, value)| format!("{key}: {value}"));
        format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
    }

    fn text(&self, at: SocketAddr) -> String {
        let health = if self.health.is_empty() {
            String::new()
        } else {
            format!("    health: {}\n", self.own_health())
        };
        format!(
            "app: acme\nhost: {}@{at}\nsource: source\nservices:\n  - {}{health}{}",
            self.login, self.unit, self.more
        )
    }
}

/// One person's directory, and the way to one host.
#[derive(Debug)]
pub struct Desk {
    home: TempDir,
    name: String,
    at: SocketAddr,
    identity: PathBuf,
    known_hosts: PathBuf,
}

impl Desk {
    /// An empty desk with the keys of that host.
    pub fn at(host: &Host, name: &str) -> Self {
        Self {
            home: tempfile::Builder::new().prefix("desk-").tempdir().unwrap(),
            name: name.to_owned(),
            at: SocketAddr::new(host.address(), host.ssh_port()),
            identity: host.identity(),
            known_hosts: host.known_hosts(),
        }
    }

    /// The same host by another way: through a proxy at this address. Write deploy.yml again after it.
    pub fn by_way_of(&mut self, host: &Host, at: SocketAddr) {
        self.known_hosts = host.known_hosts_at(at);
        self.at = at;
    }

    /// The host has acme's units and went through `setup`; nothing was deployed yet.
    pub fn ready(host: &Host, service: Service, yml: &Yml) -> Self {
        ACME.install_units(host, service);
        let desk = Self::at(host, "ann");
        desk.write(yml);
        desk.setup();
        desk
    }

    /// The same, with v1 live.
    pub fn live(host: &Host, service: Service, yml: &Yml) -> Self {
        let desk = Self::ready(host, service, yml);
        desk.deploy(Kind::Graceful, "v1");
        desk
    }

    /// Writes deploy.yml.
    pub fn write(&self, yml: &Yml) {
        self.file("deploy.yml", &yml.text(self.at));
    }

    /// Writes a file on the desk.
    pub fn file(&self, path: &str, text: &str) {
        let path = self.home.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A path on the desk.
    pub fn path(&self, path: &str) -> PathBuf {
        self.home.path().join(path)
    }

    /// The tree that is shipped next: a server of that kind.
    pub fn tree(&self, kind: Kind, version: &str) {
        self.ship(apps::release(kind, version).path());
    }

    /// The same, with that migration.
    pub fn tree_migrating(&self, kind: Kind, version: &str, migrate: Migrate) {
        self.ship(apps::release_migrating(kind, version, migrate).path());
    }

    /// The tree that is shipped next: a copy of this directory.
    pub fn ship(&self, tree: &Path) {
        let source = self.path("source");
        if source.exists() {
            fs::remove_dir_all(&source).unwrap();
        }
        copy(tree, &source);
    }

    /// `setup` through root, as the README says.
    pub fn setup(&self) -> Ran {
        let login = format!("root@{}", self.at);
        self.shipit(&["setup", "--yes", "--as", &login]).leaves(0)
    }

    /// Ships a server of that kind, which must go well. Its release.
    pub fn deploy(&self, kind: Kind, version: &str) -> String {
        self.tree(kind, version);
        self.json(&["deploy"]).leaves(0).release()
    }

    /// Runs shipit and waits for it.
    #[track_caller]
    pub fn shipit(&self, args: &[&str]) -> Ran {
        Ran::of(args, self.command(args))
    }

    /// The same with `--json`: whoever reads stdout gets nothing but JSON.
    #[track_caller]
    pub fn json(&self, args: &[&str]) -> Ran {
        let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        let ran = self.shipit(&args);
        let is_json = |line: &str| serde_json::from_str::<Value>(line).is_ok();
        assert!(ran.stdout.lines().all(is_json), "not JSON: {ran}");
        ran
    }

    /// The program, to be started in another way. Its environment is empty but for what a person has.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shipit"));
        // First: behind a `--` they would be somebody else's.
        command
            .args(["-F", "/dev/null"])
            .arg("--identity")
            .arg(&self.identity)
            .arg("--known-hosts")
            .arg(&self.known_hosts)
            .args(args)
            .current_dir(self.home.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("USER", &self.name)
            .stdin(Stdio::null());
        command
    }
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(copied.unwrap().success());
}

/// What one run said, and how it ended.
#[derive(Clone, Debug)]
pub struct Ran {
    args: String,
    code: Option<i32>,
    /// Results, or JSON lines.
    pub stdout: String,
    /// The story.
    pub stderr: String,
}

impl Ran {
    fn of(args: &[&str], mut command: Command) -> Self {
        let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).ends();
        Self::new(&args.join(" "), &output)
    }

    /// What a child that was started elsewhere said.
    pub fn new(args: &str, output: &std::process::Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self::said(args, output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    /// The same of any line: `args` is what was typed.
    pub fn said(args: &str, code: Option<i32>, stdout: String, stderr: String) -> Self {
        Self {
            args: args.to_owned(),
            code,
            stdout,
            stderr,
        }
    }

    /// The exit code.
    pub fn code(&self) -> Option<i32> {
        self.code
    }

    /// Insists on the exit code; with `--json` the last line must say the same.
    #[track_caller]
    pub fn leaves(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        if let Some(ended) = self.last() {
            assert_eq!(ended["exit"], code, "{self}");
        }
        self
    }

    /// Insists on words, wherever they were said.
    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        assert!(
            self.stderr.contains(words) || self.stdout.contains(words),
            "not said: {words}\n{self}"
        );
        self
    }

    /// Insists on silence about something.
    #[track_caller]
    pub fn never_says(self, words: &str) -> Self {
        assert!(
            !self.stderr.contains(words) && !self.stdout.contains(words),
            "said: {words}\n{self}"
        );
        self
    }

    /// The `ended` line, if there is one.
    pub fn last(&self) -> Option<Value> {
        self.stdout
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .rfind(|value| value["event"] == "ended")
    }

    /// The `ended` line.
    #[track_caller]
    pub fn ended(&self) -> Value {
        self.last().unwrap_or_else(|| panic!("no `ended` line: {self}"))
    }

    /// The outcome's word.
    #[track_caller]
    pub fn outcome(&self) -> String {
        self.ended()["outcome"].as_str().unwrap().to_owned()
    }

    /// The release that the run was about.
    #[track_caller]
    pub fn release(&self) -> String {
        self.ended()["release"].as_str().unwrap().to_owned()
    }

    /// All lines of a journal that were shown.
    pub fn journal(&self) -> String {
        self.stdout
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|value| value["event"] == "log" && value["source"] == "journal")
            .filter_map(|value| value["line"].as_str().map(|line| line.to_owned() + "\n"))
            .collect()
    }

    /// The steps that were done, as `phase name`.
    pub fn steps(&self) -> Vec<String> {
        self.stdout
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|value| value["event"] == "step" && value["state"] == "done")
            .map(|value| {
                let word = |key: &str| value[key].as_str().unwrap().to_owned();
                format!("{} {}", word("phase"), word("name"))
            })
            .collect()
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "`shipit {}` left with {:?}\nstdout: {}\nstderr: {}",
            self.args, self.code, self.stdout, self.stderr
        )
    }
}

/// The release that `current` names; empty when there is no `current`.
pub fn current(host: &Host) -> String {
    let to = host.root("readlink /opt/acme/current").stdout;
    to.trim().trim_start_matches("releases/").to_owned()
}

/// What the app answers, asked on the host.
pub fn answer(host: &Host) -> String {
    host.root("curl -s --max-time 60 http://127.0.0.1:8080/")
        .stdout
        .trim()
        .to_owned()
}

/// Insists that this release is live, that it answers, and that nothing of a switch is left behind.
#[track_caller]
pub fn assert_live(host: &Host, release: &str, version: &str) {
    assert_eq!(current(host), release);
    assert_eq!(answer(host), version);
    assert_rest(host);
}

/// Insists that no switch is in progress and nothing of one is left.
#[track_caller]
pub fn assert_rest(host: &Host) {
    let left = host.root("cd /opt/acme && ls -d .shipit/request next .shipit/degraded .shipit/*.tmp 2>/dev/null");
    assert_eq!(left.stdout, "", "left behind");
}
