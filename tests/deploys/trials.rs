//! A trial: before a new release serves, the host runs it in a unit of its own. One that crashes after it was ready, or
//! answers wrongly, costs no request, and nothing of a trial is left behind, however it ends.

use rustix::process::Signal;

use super::desk::{Desk, acme, answer, current};
use crate::apps::{ACME, Kind, Service};
use crate::faults::Underway;
use crate::handover::{assert_serves, only_instance};
use crate::lab::{self, Host, Load, Suite};

const KILL: &str =
    "pid=$(systemctl show -p MainPID --value shipit-acme.service); [ \"$pid\" -gt 1 ] && kill -KILL \"$pid\"";

/// A desk whose deploy.yml has a trial.
fn desk(host: &Host) -> Desk {
    ACME.install_units(host, Service::Handover);
    let desk = Desk::at(host, "ann");
    desk.write(&acme(
        "handover\n    trial: {unit: acme-trial.service, health: {url: \"http://127.0.0.1:8079/healthz\", timeout: 120s, watch: 8s}}",
    ));
    install(host, &desk);
    desk.setup();
    desk
}

/// Puts the units of the trial on the host, as shipit generates them for deploy.yml.
pub fn install(host: &Host, desk: &Desk) {
    let generate = "unit generate --program binary --notify --user app --print --command";
    let mut generate: Vec<&str> = generate.split(' ').collect();
    generate.extend(["/usr/bin/python3 /opt/acme/current/server.py", "--only"]);
    for unit in ["acme-trial.service", "acme-trial.socket"] {
        let printed = desk.shipit(&[&generate[..], &[unit]].concat()).leaves(0).stdout.clone();
        host.write_file(&format!("/etc/systemd/system/{unit}"), printed.as_bytes());
    }
    host.root("systemctl daemon-reload").ok();
}

/// Nothing of a trial runs, is failed, or listens.
#[track_caller]
fn assert_over(host: &Host) {
    for unit in ["acme-trial.service", "acme-trial.socket"] {
        assert_eq!(host.unit(unit, "ActiveState"), "inactive", "{unit}");
    }
    host.root("test ! -e /run/acme-trial && test ! -L /opt/acme/next").ok();
}

#[test]
fn a_release_that_is_tried_first_costs_no_request_when_it_crashes_after_it_was_ready_or_answers_wrongly() {
    let host = lab::host!(Suite::Bookworm);
    let desk = desk(&host);
    desk.tree(Kind::Graceful, "v1");
    // Also where the socket of the trial is not active, which it is only during one.
    let root = format!("root@{}", host.address());
    desk.shipit(&["up", "--as", &root, "--yes"]).leaves(0).says("tried");
    let first = current(&host);
    desk.shipit(&["doctor"]).never_says("acme-trial.socket");
    assert_serves(&host, &first, "v1");
    assert_over(&host);
    let load = || Load::on(host.web(8080));
    let clients = [
        load().rate(148).start(),
        load().rate(148).keep_alive(10).start(),
        load().rate(4).path("/slow").start(),
    ];
    let instance = only_instance(&host).0;
    let life = || host.unit(&format!("acme@{instance}.service"), "InvocationID");
    let before = life();
    for (kind, why) in [
        (Kind::CrashAfter2s, "the trial failed: acme-trial.service"),
        (
            Kind::Unhealthy,
            "acme-trial.service is not healthy: http://127.0.0.1:8079/healthz answered 500",
        ),
        (Kind::CrashAtStart, "acme-trial.service failed: "),
    ] {
        desk.tree(kind, "bad");
        desk.shipit(&["deploy"])
            .leaves(1)
            .says(why)
            .says("nothing live changed")
            .says("shipit logs --unit acme-trial.service");
        assert_serves(&host, &first, "v1");
        assert_over(&host);
    }
    assert_eq!(life(), before, "the one that serves restarted");
    desk.tree(Kind::Graceful, "v2");
    desk.shipit(&["deploy"])
        .leaves(0)
        .says("tried")
        .says("acme-trial.service");
    let second = current(&host);
    assert_serves(&host, &second, "v2");
    desk.json(&["rollback"]).leaves(0).never_says("trial");
    assert_serves(&host, &first, "v1");
    assert_over(&host);
    for running in clients {
        let counts = running.stop();
        eprintln!("{} requests, {} failed", counts.total(), counts.failures());
        assert_eq!(counts.failures(), 0, "{counts:?}");
        assert_eq!(counts.from("bad"), 0, "{counts:?}");
    }
    desk.shipit(&["status"]).leaves(0).never_says("failed");
}

#[test]
fn requests_that_a_crash_lost_are_reported_although_no_probe_need_have_seen_it() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Handover, &acme("handover").health("watch", "8s"));
    desk.tree(Kind::CrashAfter2s, "bad");
    let ran = desk.json(&["deploy"]).leaves(3);
    let last: serde_json::Value = serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
    let crashed = &last["downtime"]["crashed"];
    assert!(
        crashed[0].as_str().is_some_and(|unit| unit.starts_with("acme@")),
        "{last}"
    );
    desk.tree(Kind::CrashAfter2s, "bad again");
    desk.shipit(&["deploy"])
        .leaves(3)
        .says("ended while it served: requests in progress there may be lost")
        .never_says("no request failed");
    // One that never served lost nothing.
    desk.tree(Kind::CrashAtStart, "dead");
    desk.shipit(&["deploy"]).leaves(3).says("no request failed");
}

#[test]
fn a_trial_that_is_canceled_or_whose_conductor_is_killed_leaves_nothing_running() {
    let host = lab::host!(Suite::Bookworm);
    let desk = desk(&host);
    let first = desk.deploy(Kind::Graceful, "v1");
    desk.tree(Kind::Graceful, "v2");
    let mut run = Underway::start(&desk, &["deploy"]);
    assert!(run.until("trial", "started"), "{}", run.end());
    host.wait_for("the trial runs", |host| {
        host.unit("acme-trial.service", "ActiveState") == "active"
    });
    run.signal(Signal::INT);
    run.end().leaves(1).says("was canceled");
    assert_serves(&host, &first, "v1");
    assert_over(&host);

    // PID 1 starts the conductor again, and the trial begins again.
    let mut run = Underway::start(&desk, &["deploy"]);
    assert!(run.until("trial", "started"), "{}", run.end());
    host.wait_for("the trial runs", |host| {
        host.unit("acme-trial.service", "ActiveState") == "active"
    });
    host.root(KILL).ok();
    run.end().leaves(0);
    assert_eq!(answer(&host), "v2");
    assert_over(&host);

    // Killed, and then canceled before it begins again.
    desk.tree(Kind::Graceful, "v3");
    let mut run = Underway::start(&desk, &["deploy"]);
    assert!(run.until("trial", "started"), "{}", run.end());
    host.wait_for("the trial runs", |host| {
        host.unit("acme-trial.service", "ActiveState") == "active"
    });
    host.root(&format!(
        "for f in /opt/acme/.shipit/runs/*/attempt-1; do :; done; touch \"${{f%/*}}/cancel\"; {KILL}"
    ))
    .ok();
    run.end();
    host.wait_for("the host is free", |host| {
        host.root("test ! -e /opt/acme/.shipit/request").code == Some(0)
    });
    assert_eq!(answer(&host), "v2");
    assert_over(&host);
}
