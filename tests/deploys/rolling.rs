//! Three instances behind Debian's own HAProxy and nginx that change one by one, with clients that never retry: a good
//! release, a rollback and a bad release cost them nothing.

use super::blue_green::{Clients, Edge};
use super::desk::{Desk, Yml, acme, answer, current};
use crate::apps::{Kind, Service};
use crate::lab::{self, Builder, Host, Suite};

pub const INSTANCES: [&str; 3] = ["1", "2", "3"];

/// A host with the router in front of three instances, and v1 live.
pub fn live(edge: Edge, host: &Host) -> Desk {
    edge.install_for(host, "rolling", &INSTANCES);
    crate::apps::ACME.install_units(host, Service::Routed);
    enable(host);
    let desk = Desk::at(host, "ann");
    desk.write(&yml(edge, "0s"));
    desk.setup();
    desk.deploy(Kind::Graceful, "v1");
    desk
}

/// They start at boot, and not the two of other strategies.
pub fn enable(host: &Host) {
    host.root("systemctl --quiet disable acme@blue acme@green && systemctl --quiet enable acme@1 acme@2 acme@3")
        .ok();
}

/// Each instance is watched at its own address for that long.
pub fn yml(edge: Edge, watch: &str) -> Yml {
    let rest = format!("timeout: 20s, successes: 2, watch: {watch}}}");
    let keys = "rolling\n    instances: 3\n    router: edge";
    let (service, more) = match edge {
        Edge::Haproxy => (
            acme(&format!("{keys}\n    ports: [8081, 8082, 8083]"))
                .only_health(&format!("{{url: \"http://127.0.0.1:{{port}}/healthz\", {rest}")),
            ", socket: /run/haproxy/acme.sock, backend: acme",
        ),
        _ => (
            acme(keys).only_health(&format!(
                "{{unix: {{socket: \"/run/acme/{{instance}}.sock\", path: /healthz}}, {rest}"
            )),
            "",
        ),
    };
    let kind = if edge == Edge::Haproxy { "haproxy" } else { "nginx" };
    service.with(&format!(
        "routers: {{edge: {{kind: {kind}, url: \"http://127.0.0.1:8080/healthz\"{more}}}}}"
    ))
}

/// This release is live, every instance runs it, and the router sends requests to each of them.
#[track_caller]
pub fn assert_all_run(edge: Edge, host: &Host, release: &str) {
    assert_eq!(current(host), release);
    for one in INSTANCES {
        let unit = format!("acme@{one}.service");
        assert_eq!(host.unit(&unit, "ActiveState"), "active", "{unit}");
        let slot = host.root(&format!("readlink /opt/acme/slots/{one}"));
        assert_eq!(slot.stdout.trim(), format!("../releases/{release}"));
        let cwd = host.root(&format!("readlink /proc/{}/cwd", host.unit(&unit, "MainPID")));
        assert_eq!(cwd.stdout.trim(), format!("/opt/acme/releases/{release}"), "{unit}");
    }
    let led = match edge {
        Edge::Haproxy => {
            let asked =
                "haproxy /run/haproxy/acme.sock 'show servers state acme' | servers_of acme | awk '{ print $1, $3 }'";
            let functions = include_str!("../../src/remote/lib/router.sh");
            (
                host.root(&format!("{functions}\n{asked} | sort | xargs")),
                "1 0 2 0 3 0",
            )
        }
        _ => (
            host.root("cd /opt/acme && for one in 1 2 3; do readlink live.$one.sock; done | xargs"),
            "/run/acme/1.sock /run/acme/2.sock /run/acme/3.sock",
        ),
    };
    assert_eq!(led.0.stdout.trim(), led.1);
}

/// The lives of the instances: what restarts has another one.
fn lives(host: &Host) -> [String; 3] {
    INSTANCES.map(|one| host.unit(&format!("acme@{one}.service"), "InvocationID"))
}

fn good_and_bad_releases(edge: Edge, suite: impl Into<Builder>) {
    let host = lab::host!(suite.into());
    let desk = live(edge, &host);
    let v1 = current(&host);
    host.wait_for("an answer through the router", |host| !answer(host).is_empty());
    assert_all_run(edge, &host, &v1);

    let clients = Clients::of(&host);
    let v2 = desk.deploy(Kind::Graceful, "v2");
    assert_all_run(edge, &host, &v2);
    let before = clients.got("v1");
    desk.json(&["rollback"]).leaves(0);
    assert_all_run(edge, &host, &v1);
    assert!(clients.got("v1") > before);

    // It fails at the first instance: nobody touches the others.
    for bad in [Kind::CrashAtStart, Kind::Unhealthy] {
        let [_, second, third] = lives(&host);
        desk.tree(bad, "bad");
        desk.json(&["deploy"]).leaves(3);
        assert_all_run(edge, &host, &v1);
        assert_eq!(lives(&host)[1..], [second, third], "{bad:?}");
    }
    // No drain waited in vain, and none was left out. Those of a way back wait a few seconds only.
    let waited = host.root("grep -h ' note drain ' /opt/acme/.shipit/runs/*/events");
    assert_eq!(waited.stdout, "");
    // Refused when all have changed: all go back, one by one.
    desk.write(&yml(edge, "0s").with("verify: {run: 'exit 1'}"));
    desk.tree(Kind::Graceful, "v3");
    desk.json(&["deploy"]).leaves(3).says("the verify command failed");
    assert_all_run(edge, &host, &v1);
    desk.write(&yml(edge, "0s"));
    clients.saw_only(&["v1", "v2", "v3"]);

    let name = if edge == Edge::Haproxy { "haproxy" } else { "nginx" };
    host.root(&format!("systemctl reload {name} && systemctl restart {name}"))
        .ok();
    host.wait_for("an answer through the router", |host| !answer(host).is_empty());
    assert_all_run(edge, &host, &v1);
    desk.shipit(&["doctor"]).leaves(0);
    desk.shipit(&["status"]).leaves(0).says("(verified)");
}

#[test]
fn several_instances_behind_haproxy_change_one_by_one_and_no_request_fails() {
    good_and_bad_releases(Edge::Haproxy, Suite::Bookworm);
}

#[test]
fn several_instances_behind_nginx_change_one_by_one_and_no_request_fails() {
    good_and_bad_releases(Edge::Nginx, Suite::Trixie);
}

/// Nobody takes the last server that HAProxy has from it, and none is made ready that an operator took away.
#[test]
fn an_instance_is_not_drained_while_no_other_one_serves() {
    let host = lab::host!(Suite::Trixie);
    let edge = Edge::Haproxy;
    let desk = live(edge, &host);
    let v1 = current(&host);
    let function = include_str!("../../src/remote/lib/router.sh");
    let set = |state: &str| {
        let orders = format!("set server acme/2 state {state}; set server acme/3 state {state}");
        host.root(&format!("{function}\nhaproxy /run/haproxy/acme.sock '{orders}'"))
            .ok();
    };
    let before = lives(&host);
    desk.tree(Kind::Graceful, "v2");
    for (state, why) in [
        ("maint", "HAProxy's server acme/2 is in maintenance"),
        ("drain", "HAProxy has no other server in acme that is ready"),
    ] {
        set("ready");
        set(state);
        desk.json(&["deploy"]).leaves(1).says(why);
        // Nothing changed.
        assert_eq!(lives(&host), before, "{state}");
    }
    set("ready");
    assert_all_run(edge, &host, &v1);
}

/// Where no instance answers any more there is nobody to protect.
fn a_dead_release_is_replaced(edge: Edge) {
    let host = lab::host!(Suite::Trixie);
    let desk = live(edge, &host);
    host.wait_for("an answer through the router", |host| !answer(host).is_empty());
    host.root("systemctl kill -s STOP acme@1 acme@2 acme@3").ok();
    if edge == Edge::Haproxy {
        let function = include_str!("../../src/remote/lib/router.sh");
        let asked = format!(
            "{function}\nhaproxy /run/haproxy/acme.sock 'show servers state acme' | servers_of acme | awk '{{ print $2 }}' | xargs"
        );
        host.wait_for("HAProxy to find all of them down", |host| {
            host.root(&asked).stdout.trim() == "0 0 0"
        });
    }
    desk.tree(Kind::Graceful, "v2");
    let v2 = desk.json(&["deploy", "--despite-health"]).leaves(0).release();
    assert_all_run(edge, &host, &v2);
}

#[test]
fn a_dead_release_behind_haproxy_is_replaced() {
    a_dead_release_is_replaced(Edge::Haproxy);
}

#[test]
fn a_dead_release_behind_nginx_is_replaced() {
    a_dead_release_is_replaced(Edge::Nginx);
}
