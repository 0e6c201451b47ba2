//! How many requests are lost, by strategy and by what the new release does, and whether shipit's own measurement says the
//! same as clients that never retry. Hours when all of it runs: `scripts/bench.sh zero-downtime` asks for it, CI does not.

mod table;

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::apps::{Kind, Service};
use crate::deploys::blue_green::Edge;
use crate::deploys::desk::{Desk, answer};
use crate::deploys::{rolling, trials};
use crate::lab::{Builder, Host, Load, Miss, Running, Suite};

/// A strategy, with what stands in front of the app.
#[derive(Clone, Copy, Debug)]
struct Way {
    name: &'static str,
    service: Service,
    router: Option<Edge>,
    /// Its keys in deploy.yml.
    keys: &'static str,
    health: &'static str,
}

const PORT: &str = "url: \"http://127.0.0.1:8080/healthz\"";
const PORTS: &str = "url: \"http://127.0.0.1:{port}/healthz\"";

const WAYS: [Way; 12] = [
    way("restart", Service::Notify, "acme.service", PORT),
    way(
        "reload",
        Service::Reload,
        "acme.service",
        "url: \"http://127.0.0.1:8080/release\", release: true",
    ),
    way("socket", Service::Socket, "acme.service", PORT),
    way("handover", Service::Handover, "acme@.service", PORT),
    way(
        "handover-trial",
        Service::Handover,
        "acme@.service, trial: {unit: acme-trial.service, health: {url: \"http://127.0.0.1:8079/healthz\", timeout: 12s}}",
        PORT,
    ),
    way(
        "rolling",
        Service::Handover,
        "acme@.service, instances: [blue, green], socket: acme.socket",
        PORT,
    ),
    Way {
        router: Some(Edge::Nginx),
        ..way(
            "blue-green-nginx",
            Service::Routed,
            "acme@.service, router: edge, bake: 3s",
            "unix: {socket: \"/run/acme/{instance}.sock\", path: /healthz}",
        )
    },
    Way {
        router: Some(Edge::Haproxy),
        ..way(
            "blue-green-haproxy",
            Service::Routed,
            "acme@.service, router: edge, bake: 3s, ports: [8081, 8082]",
            PORTS,
        )
    },
    Way {
        router: Some(Edge::Nginx),
        ..way(
            "rolling-nginx",
            Service::Routed,
            "acme@.service, router: edge, instances: 3",
            "unix: {socket: \"/run/acme/{instance}.sock\", path: /healthz}",
        )
    },
    Way {
        router: Some(Edge::Haproxy),
        ..way(
            "rolling-haproxy",
            Service::Routed,
            "acme@.service, router: edge, instances: 3, ports: [8081, 8082, 8083]",
            PORTS,
        )
    },
    Way {
        router: Some(Edge::Haproxy),
        ..way(
            "canary",
            Service::Routed,
            "acme@.service, router: edge, bake: 3s, ports: [8081, 8082], steps: [10%, 50%], hold: 3s, min_requests: 20",
            PORTS,
        )
    },
    Way {
        router: Some(Edge::Nginx),
        ..way(
            "canary-nginx",
            Service::Routed,
            "acme@.service, router: edge, bake: 3s, steps: [10%, 50%], hold: 3s",
            "unix: {socket: \"/run/acme/{instance}.sock\", path: /healthz}",
        )
    },
];

const fn way(name: &'static str, service: Service, keys: &'static str, health: &'static str) -> Way {
    Way {
        name,
        service,
        router: None,
        keys,
        health,
    }
}

impl Way {
    fn has_trial(self) -> bool {
        self.name.ends_with("-trial")
    }

    /// Everything that is not here has its default: three good answers, three seconds of watching.
    fn yml(self, host: &Host) -> String {
        let with = ["-nginx", "-haproxy", "-trial"];
        let strategy = with
            .iter()
            .find_map(|with| self.name.strip_suffix(with))
            .unwrap_or(self.name);
        let router = match self.router {
            None => "",
            Some(Edge::Haproxy) => {
                "routers: {edge: {kind: haproxy, url: \"http://127.0.0.1:8080/healthz\", \
                 socket: /run/haproxy/acme.sock, backend: acme}}\n"
            }
            Some(_) => "routers: {edge: {kind: nginx, url: \"http://127.0.0.1:8080/healthz\"}}\n",
        };
        format!(
            "app: acme\nhost: deploy@{}\nsource: source\nservices:\n  - {{unit: {}, strategy: {strategy}, \
             start_timeout: 12s, health: {{{}, timeout: 12s}}}}\n{router}",
            host.address(),
            self.keys,
            self.health
        )
    }
}

/// What is released: its name, the server, and how `shipit deploy` ends. `None`: a rollback.
const RELEASES: [(&str, Option<Kind>, i32); 7] = [
    ("good deploy", Some(Kind::Graceful), 0),
    ("good rollback", None, 0),
    ("crashes at start", Some(Kind::CrashAtStart), 3),
    ("crashes after 2 s", Some(Kind::CrashAfter2s), 3),
    ("hangs at start", Some(Kind::Stuck), 3),
    ("answers 500", Some(Kind::Unhealthy), 3),
    ("takes 5 s to start", Some(Kind::SlowStart), 0),
];

/// 300 requests a second: half of them on new connections, half on ten kept ones; two of each take the app 2 s.
struct Clients(Vec<(&'static str, Running)>);

impl Clients {
    fn of(host: &Host) -> Self {
        let load = || Load::on(host.web(8080)).timeout(Duration::from_secs(10));
        let clients = Self(vec![
            ("new", load().rate(148).start()),
            ("kept", load().rate(148).keep_alive(10).start()),
            ("new, 2 s", load().rate(2).path("/slow").start()),
            ("kept, 2 s", load().rate(2).path("/slow").keep_alive(10).start()),
        ]);
        clients.answered(100);
        clients
    }

    /// Waits until that many more requests were answered.
    fn answered(&self, more: u64) {
        for (name, load) in &self.0[..2] {
            let before = load.counts().ok;
            load.wait_until(name, |counts| counts.ok >= before + more);
        }
    }

    fn stop(self) -> Value {
        let seen = self.0.into_iter().map(|(name, load)| {
            let counts = load.stop();
            let kinds: BTreeMap<String, u64> = counts.missed.iter().map(|(miss, count)| (word(miss), *count)).collect();
            let seen = json!({
                "requests": counts.total(), "failed": kinds, "gap_ms": counts.longest_gap.as_millis() as u64,
                "slowest_ms": counts.slowest.as_millis() as u64, "idle_closed": counts.idle_closed,
            });
            (name.to_owned(), seen)
        });
        Value::Object(seen.collect())
    }
}

fn word(miss: &Miss) -> String {
    match miss {
        Miss::Refused => "refused".to_owned(),
        Miss::Reset => "reset".to_owned(),
        Miss::Eof => "closed".to_owned(),
        Miss::Timeout => "no response in 10 s".to_owned(),
        Miss::Status(status) => format!("status {status}"),
        Miss::Network(name) => name.clone(),
    }
}

/// One strategy on a host of its own, with v1 live whenever a measurement begins.
struct Field {
    host: Host,
    desk: Desk,
    way: Way,
    version: u32,
}

impl Field {
    fn new(way: Way, suite: Suite) -> Self {
        let host = Builder::from(suite).boot_if_possible().unwrap();
        let several = way.name.starts_with("rolling-");
        if let Some(edge) = way.router {
            match several {
                true => edge.install_for(&host, "rolling", &rolling::INSTANCES),
                false if way.name.starts_with("canary") => edge.install_for(&host, "canary", &["blue", "green"]),
                false => edge.install(&host),
            }
        }
        crate::apps::ACME.install_units(&host, way.service);
        if several {
            rolling::enable(&host);
        }
        let desk = Desk::at(&host, "ann");
        desk.file("deploy.yml", &way.yml(&host));
        if way.has_trial() {
            trials::install(&host, &desk);
        }
        desk.setup();
        desk.deploy(Kind::Graceful, "v1");
        Self {
            host,
            desk,
            way,
            version: 1,
        }
    }

    fn tree(&mut self, kind: Kind) {
        self.version += 1;
        self.desk.tree(kind, &format!("v{}", self.version));
        if kind == Kind::SlowStart {
            self.desk.file("source/behaviour", "slow 5");
        }
    }

    /// A deploy or rollback under load, as a line of the log.
    fn measure(&mut self, (name, kind, exit): (&str, Option<Kind>, i32)) -> Value {
        let command = match kind {
            Some(kind) => {
                self.tree(kind);
                "deploy"
            }
            None => {
                self.tree(Kind::Graceful);
                self.desk.json(&["deploy"]).leaves(0);
                "rollback"
            }
        };
        // A release that fails its trial changes nothing live.
        let exit = match exit {
            3 if self.way.has_trial() => 1,
            exit => exit,
        };
        let clients = Clients::of(&self.host);
        let began = Instant::now();
        let ran = self.desk.json(&[command]);
        let took = began.elapsed();
        clients.answered(100);
        let seen = clients.stop();
        if ran.code() != Some(exit) {
            eprintln!("{} {name}: {ran}", self.way.name);
        }
        if answer(&self.host) != "v1" {
            self.desk.json(&["rollback"]).leaves(0);
        }
        self.host.wait_for("v1", |host| answer(host) == "v1");
        let load = fs::read_to_string("/proc/loadavg").unwrap();
        json!({
            "strategy": self.way.name, "release": name, "exit": ran.code(), "expected": exit,
            "seconds": took.as_secs_f64(), "seen": seen, "measured": ran.ended()["downtime"],
            "load": load.split(' ').next().and_then(|load| load.parse::<f64>().ok()),
        })
    }
}

fn wanted(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[test]
#[ignore = "hours: scripts/bench.sh zero-downtime"]
fn each_strategy_under_load() {
    let folder = PathBuf::from(wanted("SHIPIT_ZERO_DIR").unwrap());
    let deploys: usize = wanted("SHIPIT_ZERO_DEPLOYS").map_or(10, |number| number.parse().unwrap());
    let only = wanted("SHIPIT_ZERO_STRATEGIES").unwrap_or_else(|| WAYS.map(|way| way.name).join(" "));
    let kind = wanted("SHIPIT_ZERO_RELEASES").unwrap_or_default();
    let suite = match wanted("SHIPIT_ZERO_SUITE").as_deref() {
        Some("trixie") => Suite::Trixie,
        _ => Suite::Bookworm,
    };
    let log = folder.join("log");
    let lines = || -> Vec<Value> {
        let text = fs::read_to_string(&log).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let done = |way: &str, release: &str| {
        lines()
            .iter()
            .filter(|line| line["strategy"] == way && line["release"] == release)
            .count()
    };
    for name in only.split_whitespace() {
        let way = *WAYS
            .iter()
            .find(|way| way.name == name)
            .unwrap_or_else(|| panic!("no such strategy: {name} ({})", WAYS.map(|way| way.name).join(", ")));
        let mut field = None;
        for round in 1..=deploys {
            for release in RELEASES {
                if !release.0.starts_with(&kind) || done(way.name, release.0) >= round {
                    continue;
                }
                let line = field.get_or_insert_with(|| Field::new(way, suite)).measure(release);
                let mut file = OpenOptions::new().create(true).append(true).open(&log).unwrap();
                writeln!(file, "{line}").unwrap();
            }
        }
    }
    fs::write(folder.join("table.md"), table::markdown(&lines())).unwrap();
}
