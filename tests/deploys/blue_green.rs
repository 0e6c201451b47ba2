//! Two instances behind Debian's own nginx, Caddy and HAProxy, with clients that never retry: a good release costs them nothing,
//! and a bad one is never seen by any.

use std::time::Duration;

use super::desk::{Desk, Yml, acme, answer, assert_live, current};
use crate::apps::{Kind, Service};
use crate::lab::{self, Builder, Host, Load, Running, Suite};

/// Which router stands in front.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Edge {
    Nginx,
    /// By ports.
    NginxPorts,
    /// Only on a host with apps.
    Caddy,
    /// By ports.
    CaddyPorts,
    Haproxy,
}

impl Edge {
    /// The router, as its unit is called.
    fn name(self) -> &'static str {
        match self {
            Self::Nginx | Self::NginxPorts => "nginx",
            Self::Caddy | Self::CaddyPorts => "caddy",
            Self::Haproxy => "haproxy",
        }
    }

    /// The router with the generated configuration, on port 8080.
    pub fn install(self, host: &Host) {
        self.install_for(host, "blue-green", &["blue", "green"]);
    }

    /// The same for another strategy; the instances listen on the ports from 8081 on.
    pub fn install_for(self, host: &Host, strategy: &str, instances: &[&str]) {
        let name = self.name();
        let desk = Desk::at(host, "ann");
        let generate = ["unit", "generate", "--app", "acme", "--program", "binary"];
        let ports: &[&str] = match self {
            Self::NginxPorts | Self::CaddyPorts => &["--ports"],
            Self::Nginx | Self::Caddy | Self::Haproxy => &[],
        };
        desk.shipit(&[&generate[..], &["--strategy", strategy, "--router", name], ports].concat())
            .leaves(0);
        host.root(
            "mkdir -p /etc/acme && rm -f /etc/nginx/sites-enabled/default && \
             for user in www-data caddy deploy; do ! id $user >/dev/null 2>&1 || usermod --append --groups app $user; done",
        )
        .ok();
        if !matches!(self, Self::Nginx | Self::Caddy) {
            for (port, instance) in (8081..).zip(instances) {
                host.write_file(
                    &format!("/etc/acme/env.{instance}"),
                    format!("PORT={port}\n").as_bytes(),
                );
            }
        }
        let generated = |file: &str| std::fs::read_to_string(desk.path("deploy/units").join(file)).unwrap();
        let (path, text, check) = match name {
            "nginx" => {
                let text = generated("acme-nginx.conf")
                    .replace(":80;", ":8080;")
                    .replace(" 80;", " 8080;");
                ("/etc/nginx/conf.d/acme.conf", text, "nginx -t")
            }
            "caddy" => {
                let text = generated("acme-Caddyfile").replace("\n:80 {", "\n:8080 {");
                (
                    "/etc/caddy/Caddyfile",
                    text,
                    "caddy validate --config /etc/caddy/Caddyfile",
                )
            }
            _ => {
                let text = generated("acme-haproxy.cfg").replace("bind :80\n", "bind :8080\n");
                let whole = host.read_file("/etc/haproxy/haproxy.cfg") + &text;
                (
                    "/etc/haproxy/haproxy.cfg",
                    whole,
                    "haproxy -c -f /etc/haproxy/haproxy.cfg",
                )
            }
        };
        host.write_file(path, text.as_bytes());
        host.root(&format!("cd / && {check} && systemctl restart {name}")).ok();
    }

    /// The new instance is watched at its own address for that long.
    pub fn yml(self, watch: &str) -> Yml {
        self.yml_of("blue-green", watch)
    }

    /// The same, by a strategy and its own keys.
    pub fn yml_of(self, strategy: &str, watch: &str) -> Yml {
        let keys = &format!("{strategy}\n    router: edge\n    bake: 1s");
        let rest = format!("timeout: 20s, successes: 2, watch: {watch}}}");
        let service = match self {
            Self::Nginx | Self::Caddy => acme(keys).only_health(&format!(
                "{{unix: {{socket: \"/run/acme/{{instance}}.sock\", path: /healthz}}, {rest}"
            )),
            Self::NginxPorts | Self::CaddyPorts | Self::Haproxy => acme(&format!("{keys}\n    ports: [8081, 8082]"))
                .only_health(&format!("{{url: \"http://127.0.0.1:{{port}}/healthz\", {rest}")),
        };
        let more = match self {
            Self::Haproxy => ", socket: /run/haproxy/acme.sock, backend: acme",
            _ => "",
        };
        service.with(&format!(
            "routers: {{edge: {{kind: {}, url: \"http://127.0.0.1:8080/healthz\"{more}}}}}",
            self.name()
        ))
    }
}

/// Clients of the router, on new connections and on kept ones.
pub struct Clients(Vec<(&'static str, Running)>);

impl Clients {
    pub fn of(host: &Host) -> Self {
        let load = || Load::on(host.web(8080)).timeout(Duration::from_secs(60));
        Self(vec![
            ("new", load().rate(100).start()),
            ("kept", load().rate(100).keep_alive(10).start()),
            ("long", load().rate(3).path("/slow").start()),
        ])
    }

    pub fn got(&self, version: &str) -> u64 {
        self.0[0].1.counts().from(version)
    }

    /// Nobody saw a failure, or a version that is not among these.
    #[track_caller]
    pub fn saw_only(self, versions: &[&str]) {
        for version in self.saw_no_failure() {
            assert!(versions.contains(&version.as_str()), "clients saw {version}");
        }
    }

    /// The versions that they saw.
    #[track_caller]
    pub fn saw_no_failure(self) -> Vec<String> {
        let mut seen = Vec::new();
        for (which, load) in self.0 {
            let counts = load.stop();
            eprintln!(
                "{which} connections: {} requests, {} failed, slowest {:.0?}, longest gap {:.0?}",
                counts.total(),
                counts.failures(),
                counts.slowest,
                counts.longest_gap
            );
            assert_eq!(counts.failures(), 0, "{which}: {counts:?}");
            seen.extend(counts.versions.into_keys());
        }
        seen
    }
}

/// This release is live, one instance runs it, that one has the only slot, and the router leads to it.
#[track_caller]
pub fn assert_agrees(host: &Host, release: &str) {
    let version = host.read_file(&format!("/opt/acme/releases/{release}/version"));
    host.wait_for("an answer through the router", |host| !answer(host).is_empty());
    assert_live(host, release, version.trim());
    let slots = slots(host);
    let one = ["blue", "green"].map(|slot| format!("{slot} ../releases/{release} active"));
    assert!(one.contains(&slots), "{slots}");
    let other = if slots.starts_with("blue") { "green" } else { "blue" };
    assert_ne!(host.unit(&format!("acme@{other}.service"), "ActiveState"), "active");
}

/// What runs, and where each of its slots leads.
fn slots(host: &Host) -> String {
    host.root("cd /opt/acme/slots && for slot in *; do echo $slot $(readlink $slot) $(systemctl is-active acme@$slot.service); done")
        .stdout
        .trim()
        .to_owned()
}

fn good_and_bad_releases(edge: Edge, suite: impl Into<Builder>, bad: &[Kind]) {
    let host = lab::host!(suite.into());
    edge.install(&host);
    let desk = Desk::live(&host, Service::Routed, &edge.yml("0s"));
    let v1 = current(&host);
    assert_agrees(&host, &v1);
    let clients = Clients::of(&host);
    let v2 = desk.deploy(Kind::Graceful, "v2");
    assert_agrees(&host, &v2);
    let before = clients.got("v1");
    desk.json(&["rollback"]).leaves(0);
    assert_agrees(&host, &v1);
    assert!(clients.got("v1") > before);
    for bad in bad {
        let watch = if *bad == Kind::CrashAfter2s { "6s" } else { "0s" };
        desk.write(&edge.yml(watch));
        desk.tree(*bad, "bad");
        desk.json(&["deploy"]).leaves(3);
        assert_agrees(&host, &v1);
    }
    clients.saw_only(&["v1", "v2"]);
    // No drain waited in vain: the router had no connection left to an old instance.
    let waited = host.root("grep -h ' note drain ' /opt/acme/.shipit/runs/*/events");
    assert_eq!(waited.stdout, "");
    // What the verify command refuses goes back to the old instance, which still runs.
    let unit = ["acme@blue.service", "acme@green.service"].map(|unit| (unit, host.unit(unit, "ActiveState")));
    let unit = unit.into_iter().find(|(_, state)| state == "active").unwrap().0;
    let life = host.unit(unit, "InvocationID");
    desk.write(&edge.yml("0s").with("verify: {run: 'exit 1'}"));
    desk.tree(Kind::Graceful, "v3");
    desk.json(&["deploy"]).leaves(3).says("the verify command failed");
    assert_agrees(&host, &v1);
    assert_eq!(host.unit(unit, "InvocationID"), life);
    desk.write(&edge.yml("0s"));
    // What the router was turned to is not in its memory.
    let name = edge.name();
    host.root(&format!("systemctl reload {name} && systemctl restart {name}"))
        .ok();
    assert_agrees(&host, &v1);
    desk.shipit(&["doctor"]).leaves(0);
    desk.shipit(&["status"]).leaves(0).says("(verified)");

    if edge == Edge::NginxPorts {
        // One that always leads to blue would answer, until blue stops.
        host.root("sed -i s/live.8082/nothing/ /etc/nginx/conf.d/acme.conf && systemctl reload nginx")
            .ok();
        desk.tree(Kind::Graceful, "v3");
        desk.json(&["deploy"]).leaves(3);
        assert_agrees(&host, &v1);
    }

    // Who else could turn the router is found before anything is sent.
    let (open, why) = match edge {
        Edge::Nginx | Edge::Caddy => (
            "chgrp app /opt/acme && chmod 775 /opt/acme",
            "/opt/acme (deploy:app, mode 775) can be changed by users other than root and deploy",
        ),
        Edge::NginxPorts | Edge::CaddyPorts => (
            "chmod 750 /opt/acme",
            "/opt/acme (deploy:deploy, mode 750), so it would not find the file that names the port",
        ),
        Edge::Haproxy => (
            "chmod 666 /run/haproxy/acme.sock",
            "every user of the host can control HAProxy",
        ),
    };
    host.root(open).ok();
    desk.json(&["deploy"]).leaves(1).says(why);
}

#[test]
fn behind_nginx_no_request_fails_and_no_bad_release_is_seen() {
    good_and_bad_releases(Edge::Nginx, Suite::Bookworm, &[Kind::CrashAtStart, Kind::Unhealthy]);
}

#[test]
fn behind_nginx_by_ports_no_request_fails_and_no_bad_release_is_seen() {
    good_and_bad_releases(Edge::NginxPorts, Suite::Trixie, &[Kind::CrashAtStart, Kind::Unhealthy]);
}

#[test]
fn behind_caddy_no_request_fails_and_no_bad_release_is_seen() {
    good_and_bad_releases(
        Edge::Caddy,
        Suite::Bookworm.with_apps(),
        &[Kind::CrashAtStart, Kind::Unhealthy],
    );
}

#[test]
fn behind_haproxy_no_request_fails_and_no_bad_release_is_seen() {
    good_and_bad_releases(Edge::Haproxy, Suite::Trixie, &[Kind::Hanging, Kind::CrashAfter2s]);
}
