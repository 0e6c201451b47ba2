//! Routers in front of an app that listens at 127.0.0.1:8080, each as its files and its state have it.

#![allow(clippy::unwrap_used)]

use base64::Engine as _;

use super::*;
use crate::observed::{Answers, HostUnits};
use Severity::{Error, Info, Warning};

const YML: &str = "app: acme\nhost: deploy@example.org\nsource: .\nservices:\n  - unit: acme.service\n    strategy: restart\n    \
                   health: {url: 'http://127.0.0.1:8080/'}\n";
const RUNS: &str = "loaded active enabled";

fn packed(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// What is found with these lines of `ss`, and what `routers.sh` said.
fn told(tcp: &str, routers: &[&str]) -> Vec<Finding> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("deploy.yml");
    std::fs::write(&file, YML).unwrap();
    let config = crate::config::load(&file, None).unwrap();
    let host_units = format!("unit acme.service\nshow LoadState=loaded\n{tcp}listening asked\n");
    let live = Live::new(
        HostUnits::parse(host_units.as_bytes()),
        Answers::default(),
        "/opt/acme",
        &["acme.service"],
    );
    let mut all = Routers::begin().0;
    for said in routers {
        all.take(format!("{said}\nasked\n").as_bytes());
    }
    let evidence = Evidence {
        routers: Some(all),
        ..Evidence::default()
    };
    findings(&config, &live, &evidence)
}

fn nginx(state: &str, text: &str) -> String {
    let path = packed("/etc/nginx/nginx.conf");
    format!("router nginx {state}\nfile {path} {}", packed(text))
}

const ACME: &str = "tcp 0 1 127.0.0.1:8080 *:* cgroup:/system.slice/acme.service\n";

#[track_caller]
fn only(found: &[Finding], severity: Severity, words: &str) {
    let [one] = found else { panic!("{found:#?}") };
    assert!(one.severity == severity && one.what.contains(words), "{one:#?}");
}

#[test]
fn a_router_that_leads_to_the_app_is_told_with_its_place() {
    let found = told(
        ACME,
        &[&nginx(RUNS, "location / {\n proxy_pass http://localhost:8080; }")],
    );
    only(&found, Info, "nginx forwards to acme.service at 127.0.0.1:8080");
    assert_eq!(found[0].place, Some(("/etc/nginx/nginx.conf".into(), 2)));
    // An app that is down is still where the router leads.
    only(
        &told("", &[&nginx(RUNS, "proxy_pass http://127.0.0.1:8080;")]),
        Info,
        "forwards to acme.service at",
    );
}

#[test]
fn an_address_where_nobody_listens_is_the_near_miss() {
    let wrong = nginx(RUNS, "proxy_pass http://10.0.0.9:1;\nproxy_pass http://127.0.0.1:8081;");
    let found = told(ACME, &[&wrong]);
    only(
        &found,
        Warning,
        "nginx forwards to 127.0.0.1:8081, where nothing listens; acme.service listens on 127.0.0.1:8080",
    );
    assert_eq!((found[0].depth, found[0].place.as_ref().unwrap().1), (Depth::Answer, 2));
    // Somebody else's address is no miss, but the app stays out of reach.
    let other = format!("{ACME}tcp 0 1 127.0.0.1:8081 *:* cgroup:/system.slice/other.service\n");
    only(
        &told(&other, &[&wrong]),
        Warning,
        "its configuration does not forward to acme.service",
    );
    let open = format!("{other}tcp 0 1 0.0.0.0:9090 *:* cgroup:/system.slice/acme.service\n");
    only(
        &told(&open, &[&wrong]),
        Info,
        "its configuration does not forward to acme.service",
    );
    assert_eq!(
        told(
            ACME,
            &[&nginx("loaded inactive disabled", "proxy_pass http://127.0.0.1:8081;")]
        ),
        []
    );
}

#[test]
fn what_cannot_be_known_is_not_missing() {
    let wrong = nginx(RUNS, "proxy_pass http://127.0.0.1:8081;");
    let unreadable = format!("{wrong}\nunreadable {}", packed("/etc/nginx/secret.conf"));
    assert_eq!(told(ACME, &[&unreadable]), []);
    let variable = nginx(RUNS, "proxy_pass http://127.0.0.1:8081; proxy_pass http://$up;");
    only(
        &told(ACME, &[&variable]),
        Info,
        "some addresses that it forwards to are unknown",
    );
    assert_eq!(told(ACME, &[&nginx(RUNS, "proxy_pass http://app.internal:8080;")]), []);
    let socket = nginx(RUNS, "proxy_pass http://unix:/run/acme/live.sock;");
    assert_eq!(told(ACME, &[&socket]), []);
    let gone = format!("nothing {}", packed("/run/acme/live.sock"));
    only(
        &told(ACME, &[&socket, &gone]),
        Warning,
        "/run/acme/live.sock, where nothing listens",
    );
    let behind = format!("{ACME}unix 0 1 /run/acme/blue.sock 7 * 0 <-> cgroup:/system.slice/acme.service\n");
    let link = format!(
        "link {} {}",
        packed("/run/acme/live.sock"),
        packed("/run/acme/blue.sock")
    );
    only(
        &told(&behind, &[&socket, &link]),
        Info,
        "nginx forwards to acme.service at /run/acme/blue.sock",
    );
}

#[test]
fn a_router_that_does_not_run_is_as_bad_as_it_was_meant_to() {
    let text = "proxy_pass http://127.0.0.1:8080;";
    let of = |state: &str| told(ACME, &[&nginx(state, text)]);
    only(
        &of("loaded failed enabled"),
        Error,
        "nginx.service is failed: it forwards to acme.service",
    );
    only(&of("loaded inactive enabled"), Error, "nginx.service is inactive");
    only(&of("loaded inactive disabled"), Warning, "nginx.service is inactive");
    let path = packed("/etc/haproxy/haproxy.cfg");
    let other = format!(
        "router haproxy {RUNS}\nfile {path} {}",
        packed("backend b\n server a 127.0.0.1:8080\n")
    );
    let found = told(
        ACME,
        &[&format!("{}\n{other}", nginx("loaded inactive disabled", text))],
    );
    assert!(
        found.iter().all(|one| one.severity == Info) && found.len() == 2,
        "{found:#?}"
    );
}

#[test]
fn several_servers_without_max_fails_are_told_with_what_was_measured() {
    let of = |servers: &str| {
        let found = told(ACME, &[&nginx(RUNS, &format!("upstream acme {{\n{servers} }}"))]);
        found.into_iter().filter(|one| one.severity > Info).collect::<Vec<_>>()
    };
    let found = of("server 127.0.0.1:8080 max_fails=0;\nserver 127.0.0.1:8081;");
    only(&found, Warning, "2 servers in upstream acme");
    assert!(
        found[0].next[0]
            .to_string()
            .contains("nginx.conf:3 write: server 127.0.0.1:8081 max_fails=0;"),
        "{found:#?}"
    );
    assert_eq!(
        of("server 127.0.0.1:8080 max_fails=0; server 127.0.0.1:8081 max_fails=0;"),
        []
    );
    assert_eq!(of("server 127.0.0.1:8080;"), []);
    assert_eq!(of("server 127.0.0.1:8080; server 127.0.0.1:8081 down;"), []);
    let others = "server 127.0.0.1:8080; } upstream b { server 127.0.0.1:1; server 127.0.0.1:2;";
    assert_eq!(of(others), [], "another app's upstream");
}

#[test]
fn health_that_is_asked_through_the_router_is_not_the_apps_own_address() {
    let door = "tcp 0 1 *:8080 *:* cgroup:/system.slice/nginx.service\n";
    let own = "tcp 0 1 127.0.0.1:3000 *:* cgroup:/system.slice/acme.service\n";
    let to = |port: u16| nginx(RUNS, &format!("proxy_pass http://127.0.0.1:{port};"));
    only(
        &told(&format!("{door}{own}"), &[&to(3000)]),
        Info,
        "forwards to acme.service at 127.0.0.1:3000",
    );
    only(
        &told(&format!("{door}{own}"), &[&to(3001)]),
        Warning,
        "forwards to 127.0.0.1:3001",
    );
    assert_eq!(told(door, &[&to(3000)]), [], "where the app would listen is not known");
}

#[test]
fn the_line_to_write_is_in_the_routers_own_words() {
    let place = ("/f".to_owned(), 3);
    let tcp = Address::Tcp("*".into(), 80);
    let unix = Address::Unix("/run/a".into());
    for (kind, at, words) in [
        (Kind::Nginx, &tcp, "in /f:3 write 127.0.0.1:80, "),
        (Kind::Nginx, &unix, "write unix:/run/a, "),
        (Kind::Haproxy, &unix, "write unix@/run/a, "),
        (Kind::Caddy, &unix, "write unix//run/a, "),
    ] {
        let line = edit(kind, &place, at);
        assert!(line.to_string().contains(words), "{line}");
    }
}

#[test]
fn what_was_not_looked_at_is_said() {
    let started = format!("router caddy {RUNS}\nruns {}", packed("caddy\0run\0"));
    only(
        &told(ACME, &[&started]),
        Info,
        "the configuration of caddy was not read: its command line names no file",
    );
    // Who listens where clients come in, and is neither a router that is read nor the app.
    let web = "tcp 0 1 *:443 *:* cgroup:/system.slice/traefik.service\ntcp 0 1 0.0.0.0:80 *:* cgroup:/system.slice/traefik.service\n\
               tcp 0 1 127.0.0.1:80 *:* cgroup:/system.slice/other.service\ntcp 0 1 *:22 *:* cgroup:/system.slice/ssh.service\n";
    let found = told(&format!("{ACME}{web}"), &[]);
    only(
        &found,
        Info,
        "traefik.service listens on port 443 and 80; its configuration was not read",
    );
    let own = "tcp 0 1 *:80 *:* cgroup:/system.slice/acme.service\n\
               tcp 0 1 *:443 *:* cgroup:/system.slice/nginx.service\n";
    assert!(told(own, &[]).is_empty());
}
