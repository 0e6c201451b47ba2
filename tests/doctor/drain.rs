//! `doctor --drain`: apps that drain, lose requests or hang, tried on real hosts; and an instance that is put back
//! whatever happens to the trial.

use std::process::Stdio;

use serde_json::Value;

use crate::apps::{Kind, Service};
use crate::bounds::Ends as _;
use crate::deploys::blue_green::{Clients, Edge, assert_agrees};
use crate::deploys::desk::{Desk, Ran, acme, answer, assert_rest, current};
use crate::deploys::rolling;
use crate::faults::point::{Blow, Points};
use crate::lab::{self, Host, Suite};

const LIVE: [&str; 6] = ["doctor", "--drain", "--live", "--yes", "--path", "/slow"];

/// What doctor has of one unit.
#[track_caller]
fn of(ran: &Ran, unit: &str) -> Value {
    let object: Value = serde_json::from_str(ran.stdout.trim()).unwrap_or_else(|error| panic!("{error}: {ran}"));
    let found = object["drain"][unit].clone();
    assert!(found.is_object(), "nothing of {unit}: {ran}");
    found
}

/// No trial is in progress or was left.
#[track_caller]
fn assert_no_trial(host: &Host) {
    let left = host.root("cd /opt/acme/.shipit && ls -d trial* 2>/dev/null");
    assert_eq!(left.stdout, "", "left behind");
    assert_rest(host);
}

#[test]
fn an_app_that_drains_one_that_cannot_and_one_that_hangs_are_told_apart() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Notify, &acme("restart"));
    let life = || host.unit("acme.service", "InvocationID");
    let before = life();

    // Without --live nothing is touched, and without a terminal nothing that clients use restarts.
    desk.shipit(&["doctor", "--drain"])
        .leaves(0)
        .says("acme.service was not tested: `restart` has no idle instance")
        .says("doctor --drain --live");
    desk.shipit(&LIVE[..3])
        .leaves(2)
        .says("the trial restarts acme.service: clients may be refused, or lose requests")
        .says("nothing was tested");
    assert_eq!(life(), before);

    let good = desk.json(&LIVE).leaves(0);
    let found = of(&good, "acme.service");
    assert_eq!(found["verdict"], "drains", "{good}");
    assert_eq!(found["request"], "answered", "{good}");
    assert!(found["request_seconds"].as_f64().unwrap() > 1.9, "{good}");
    assert_eq!(found["kept_connection"], "announced", "{good}");
    assert_eq!(
        (&found["signal"], &found["result"]),
        (&"caught".into(), &"success".into()),
        "{good}"
    );
    assert_eq!(found["timeout_stop"], "20s");
    assert!(found["stop_seconds"].as_f64().unwrap() < 20.0, "{good}");
    assert_ne!(life(), before, "it did not restart");
    assert_no_trial(&host);
    // The path of the health check takes no time.
    desk.shipit(&LIVE[..4])
        .leaves(0)
        .says("acme.service stops: no request was in progress long enough, so only the idle connection was tested")
        .says("--path /slow");
    desk.shipit(&["history"]).leaves(0).says("drain");

    desk.deploy(Kind::Plain, "v2");
    let cut = desk.json(&LIVE).leaves(0);
    let found = of(&cut, "acme.service");
    assert_eq!(
        (&found["verdict"], &found["request"]),
        (&"loses_requests".into(), &"cut".into()),
        "{cut}"
    );
    assert_eq!(found["signal"], "ends");
    desk.shipit(&LIVE)
        .leaves(0)
        .says("warning: acme.service does not drain: the request in progress was cut off")
        .says("it has no handler for SIGTERM");
    desk.shipit(&LIVE[..4])
        .leaves(0)
        // On a busy machine a short request may be in progress when the process ends.
        .says("acme.service does not drain: ")
        .says("it has no handler for SIGTERM");

    // It ignores the signal, and answers kept connections as before until systemd kills it.
    host.root("mkdir -p /etc/systemd/system/acme.service.d").ok();
    let limit = b"[Service]\nTimeoutStopSec=4s\nNotifyAccess=all\n";
    host.write_file("/etc/systemd/system/acme.service.d/limit.conf", limit);
    host.root(
        "systemctl daemon-reload && sed -i s/plain/deaf/ /opt/acme/current/behaviour && systemctl restart acme.service",
    )
    .ok();
    let hung = desk.json(&LIVE).leaves(0);
    let found = of(&hung, "acme.service");
    assert_eq!(
        (&found["verdict"], &found["result"]),
        (&"loses_requests".into(), &"timeout".into()),
        "{hung}"
    );
    assert!(found["stop_seconds"].as_f64().unwrap() >= 4.0, "{hung}");
    assert!(
        found["line"].to_string().contains("systemd killed it after 4s"),
        "{hung}"
    );
    assert_no_trial(&host);

    // Without perl nobody asks, and nothing is concluded.
    let before = life();
    host.root("mv /usr/bin/perl /usr/bin/perl.gone").ok();
    desk.shipit(&LIVE)
        .says("acme.service was not tested: it cannot be tested without perl");
    assert_eq!(life(), before);
    assert_no_trial(&host);
}

/// Starts a trial of the idle instance, until it has changed something.
fn begun(host: &Host, desk: &Desk) -> std::process::Child {
    let mut doctor = desk.command(&["doctor", "--drain", "--path", "/slower"]);
    let child = doctor.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    host.wait_for("the clients of the trial", |host| {
        host.root("grep -q ready /opt/acme/.shipit/trial.probes").success()
    });
    child
}

#[test]
fn an_idle_instance_is_tried_and_put_back_whatever_becomes_of_the_trial() {
    let host = lab::host!(Suite::Bookworm);
    Edge::Nginx.install(&host);
    let desk = Desk::live(&host, Service::Routed, &Edge::Nginx.yml("0s"));
    let v1 = current(&host);
    assert_agrees(&host, &v1);

    let clients = Clients::of(&host);
    let good = desk.json(&["doctor", "--drain", "--path", "/slow"]).leaves(0);
    clients.saw_only(&["v1"]);
    let object: Value = serde_json::from_str(good.stdout.trim()).unwrap();
    let tried: Vec<&String> = object["drain"].as_object().unwrap().keys().collect();
    let idle = tried[0].as_str();
    let found = of(&good, idle);
    assert_eq!((tried.len(), &found["verdict"]), (1, &"drains".into()), "{good}");
    assert_agrees(&host, &v1);
    assert_no_trial(&host);

    // The client dies: the host ends the trial.
    let mut child = begun(&host, &desk);
    child.kill().unwrap();
    child.ends();
    host.wait_for("the end of the trial", |host| {
        !host.root("test -e /opt/acme/.shipit/trial").success()
    });
    host.wait_for("the instance to stop", |host| {
        host.unit(idle, "ActiveState") == "inactive"
    });
    assert_agrees(&host, &v1);
    assert_no_trial(&host);

    // A deploy in the middle of it waits.
    let child = begun(&host, &desk);
    desk.tree(Kind::Graceful, "v2");
    let v2 = desk.json(&["deploy", "--wait"]).leaves(0).release();
    let trial = child.ends();
    assert_eq!(trial.status.code(), Some(0), "{trial:?}");
    assert_agrees(&host, &v2);
    assert_no_trial(&host);

    // The power goes: two instances run after it, and the next command that changes something puts one back.
    host.root("systemctl --quiet enable nginx").ok();
    let mut child = begun(&host, &desk);
    host.power_cut();
    child.kill().unwrap();
    child.ends();
    host.boot_again();
    desk.shipit(&["doctor"])
        .says("is in progress, or was interrupted")
        .says("shipit doctor --drain");
    let v3 = desk.deploy(Kind::Graceful, "v3");
    assert_agrees(&host, &v3);
    assert_no_trial(&host);
}

#[test]
fn a_live_instance_behind_haproxy_leaves_it_first_and_clients_lose_nothing() {
    let host = lab::host!(Suite::Bookworm);
    let desk = rolling::live(Edge::Haproxy, &host);
    let clients = Clients::of(&host);
    let args = ["doctor", "--drain", "--live", "--path", "/slow", "--json"];
    let mut child = desk.command(&args);
    let child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let functions = include_str!("../../src/remote/lib/router.sh");
    let asked =
        "haproxy /run/haproxy/acme.sock 'show servers state acme' | servers_of acme | awk '$3 == 8 { print $1 }'";
    host.wait_for("an instance that left HAProxy before it is asked", |host| {
        let drained = host.root(&format!("{functions}\n{asked}")).stdout;
        drained.lines().count() == 1 && host.root("grep -q ready /opt/acme/.shipit/trial.probes").success()
    });
    let tried = Ran::new(&args.join(" "), &child.ends()).leaves(0);
    for one in rolling::INSTANCES {
        let found = of(&tried, &format!("acme@{one}.service"));
        assert_eq!(found["verdict"], "drains", "{tried}");
    }
    clients.saw_only(&["v1"]);
    rolling::assert_all_run(Edge::Haproxy, &host, &current(&host));
    assert_no_trial(&host);
}

#[test]
fn instances_on_one_address_are_judged_by_their_end_and_a_switch_comes_first() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::live(&host, Service::Handover, &acme("handover"));
    let tried = desk.json(&LIVE).leaves(0);
    let (blue, green) = ("acme@blue.service", "acme@green.service");
    let object: Value = serde_json::from_str(tried.stdout.trim()).unwrap();
    let unit = if object["drain"][blue].is_object() { blue } else { green };
    let found = of(&tried, unit);
    let what = [&found["verdict"], &found["result"], &found["request"]];
    assert_eq!(what, [&"unknown".into(), &"success".into(), &Value::Null], "{tried}");
    assert!(
        found["line"].to_string().contains("its instances share one address"),
        "{tried}"
    );
    assert_no_trial(&host);

    let points = Points::on(&host);
    points.strike(Blow::Hold, "step switch await * started");
    desk.tree(Kind::Graceful, "v2");
    let mut deploy = desk.command(&["deploy"]);
    let deploy = deploy.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    points.struck();
    desk.shipit(&LIVE)
        .leaves(5)
        .says("another switch is in progress")
        .says("nothing was tested");
    host.root("systemctl kill -s KILL shipit-acme.service").ok();
    deploy.ends();
}

#[test]
fn an_instance_that_systemd_would_wait_for_without_end_is_killed_and_comes_back() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Notify, &acme("restart"));
    host.root("mkdir -p /etc/systemd/system/acme.service.d").ok();
    let limit = b"[Service]\nTimeoutStopSec=infinity\n";
    host.write_file("/etc/systemd/system/acme.service.d/limit.conf", limit);
    host.root("sed -i s/graceful/deaf/ /opt/acme/current/behaviour && systemctl restart acme.service && systemctl daemon-reload")
        .ok();
    let hung = desk.json(&LIVE).leaves(0);
    let found = of(&hung, "acme.service");
    assert_eq!(found["verdict"], "loses_requests", "{hung}");
    assert!(
        found["line"].to_string().contains("did not stop within 2 minutes"),
        "{hung}"
    );
    assert_eq!(host.unit("acme.service", "ActiveState"), "active");
    assert_no_trial(&host);
}

/// A trial of the one that serves: clients may lose requests, and it comes back.
#[track_caller]
fn a_live_one_comes_back(host: &Host, desk: &Desk, unit: &str) {
    let before = host.unit(unit, "InvocationID");
    desk.shipit(&LIVE[..3]).leaves(2).says(&format!(
        "the trial restarts {unit}: clients may be refused, or lose requests"
    ));
    assert_eq!(host.unit(unit, "InvocationID"), before);
    let tried = desk.json(&LIVE).leaves(0);
    let object: Value = serde_json::from_str(tried.stdout.trim()).unwrap();
    let units: Vec<&String> = object["drain"].as_object().unwrap().keys().collect();
    assert_eq!(units, [unit], "{tried}");
    let found = of(&tried, unit);
    let what = [&found["verdict"], &found["request"], &found["result"]];
    assert_eq!(what, ["drains", "answered", "success"], "{tried}");
    assert_ne!(host.unit(unit, "InvocationID"), before, "it did not restart");
    assert_no_trial(host);
}

fn running(host: &Host) -> &'static str {
    let active = |unit: &&str| host.unit(unit, "ActiveState") == "active";
    ["acme@blue.service", "acme@green.service"]
        .into_iter()
        .find(active)
        .unwrap()
}

/// The idle instance of a canary, then the one that serves, then the same by blue-green: no deploy notices.
fn instances_that_take_turns(edge: Edge, suite: Suite) {
    let host = lab::host!(suite);
    edge.install_for(&host, "canary", &["blue", "green"]);
    let canary = edge.yml_of("canary\n    steps: [20%]\n    hold: 2s", "0s");
    let desk = Desk::live(&host, Service::Routed, &canary);
    let v1 = current(&host);
    assert_agrees(&host, &v1);

    let clients = Clients::of(&host);
    let serves = running(&host);
    let life = host.unit(serves, "InvocationID");
    let good = desk.json(&["doctor", "--drain", "--path", "/slow"]).leaves(0);
    let idle = ["acme@blue.service", "acme@green.service"]
        .into_iter()
        .find(|unit| *unit != serves)
        .unwrap();
    let found = of(&good, idle);
    assert_eq!(
        (&found["verdict"], &found["request"]),
        (&"drains".into(), &"answered".into()),
        "{good}"
    );
    assert_eq!(host.unit(serves, "InvocationID"), life);
    assert_agrees(&host, &v1);
    assert_no_trial(&host);
    let v2 = desk.deploy(Kind::Graceful, "v2");
    assert_agrees(&host, &v2);
    clients.saw_only(&["v1", "v2"]);

    a_live_one_comes_back(&host, &desk, running(&host));
    // HAProxy's own check may find it a moment later.
    host.wait_for("v2", |host| answer(host) == "v2");
    assert_agrees(&host, &v2);
    if edge == Edge::Nginx {
        edge.install(&host);
        host.root("runuser -u deploy -- ln -sfn $(readlink /opt/acme/live.1.sock) /opt/acme/live.sock")
            .ok();
    }
    desk.write(&edge.yml("0s"));
    a_live_one_comes_back(&host, &desk, running(&host));
    assert_agrees(&host, &v2);
    let v3 = desk.deploy(Kind::Graceful, "v3");
    assert_agrees(&host, &v3);
}

#[test]
fn instances_that_take_turns_behind_nginx_are_tried_idle_and_live() {
    instances_that_take_turns(Edge::Nginx, Suite::Bookworm);
}

#[test]
fn instances_that_take_turns_behind_haproxy_are_tried_idle_and_live() {
    instances_that_take_turns(Edge::Haproxy, Suite::Trixie);
}

#[test]
fn a_service_that_reloads_is_tried_live_and_reloads_afterwards() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Reload, &acme("reload"));
    desk.shipit(&["doctor", "--drain"])
        .leaves(0)
        .says("acme.service was not tested: `reload` has no idle instance");
    a_live_one_comes_back(&host, &desk, "acme.service");
    let life = host.unit("acme.service", "InvocationID");
    let v2 = desk.deploy(Kind::Graceful, "v2");
    assert_eq!((current(&host), host.unit("acme.service", "InvocationID")), (v2, life));
}
