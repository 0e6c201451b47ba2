//! Two instances that take turns on one listening socket: nothing is lost in a switch there and back, a release that does not
//! start costs nobody a request, and a reboot starts the instance that the last confirmed switch left. Workers beside them
//! change one by one. How the conductor behaves when it is killed is in `faults`.

use crate::apps::{Kind, Service};
use crate::deploys::desk::{Desk, acme, answer, assert_rest, current};
use crate::lab::{self, Host, Load, Suite};

/// The one instance that runs, and the release that its slot names. The other one rests, and has no slot.
#[track_caller]
pub(crate) fn only_instance(host: &Host) -> (String, String) {
    let shown = host
        .root("cd /opt/acme/slots && for slot in *; do echo \"$slot $(readlink \"$slot\")\"; done; systemctl is-active acme@blue acme@green")
        .stdout;
    let lines: Vec<&str> = shown.lines().collect();
    let [slot, blue, green] = lines[..] else {
        panic!("not one slot: {shown}")
    };
    let (slot, release) = slot.split_once(' ').unwrap();
    let runs = if slot == "blue" {
        ["active", "inactive"]
    } else {
        ["inactive", "active"]
    };
    assert_eq!([blue, green], runs, "{shown}");
    (slot.to_owned(), release.trim_start_matches("../releases/").to_owned())
}

#[track_caller]
pub(crate) fn assert_serves(host: &Host, release: &str, version: &str) {
    assert_eq!(current(host), release);
    assert_eq!(only_instance(host).1, release);
    assert_eq!(answer(host), version);
    assert_rest(host);
}

#[test]
fn no_request_fails_while_instances_take_turns_on_one_socket_nor_when_the_next_release_cannot_start() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::ready(&host, Service::Handover, &acme("handover"));
    let first = desk.deploy(Kind::Graceful, "v1");
    assert_serves(&host, &first, "v1");
    let fresh = Load::on(host.web(8080)).rate(150).start();
    let kept = Load::on(host.web(8080)).rate(50).keep_alive(5).start();
    for round in 0..3 {
        let version = format!("round-{round}");
        let release = desk.deploy(Kind::SlowStart, &version);
        assert_serves(&host, &release, &version);
        desk.json(&["rollback"]).leaves(0);
        assert_serves(&host, &first, "v1");
    }
    let process = host.unit("acme@green.service", "MainPID");
    let process = (process, host.unit("acme@blue.service", "MainPID"));
    // What starts well may take longer.
    desk.write(&acme("handover").start("20s"));
    for (kind, why) in [
        (Kind::CrashAtStart, "exit status 7"),
        (Kind::Stuck, "was not active after 20s"),
    ] {
        desk.tree(kind, "bad");
        let ran = desk.json(&["deploy"]).leaves(3);
        assert!(ran.stdout.contains(why), "{ran}");
        assert_serves(&host, &first, "v1");
    }
    let still = host.unit("acme@green.service", "MainPID");
    assert_eq!(
        (still, host.unit("acme@blue.service", "MainPID")),
        process,
        "the old one never stopped"
    );
    for (which, counts) in [("new", fresh.stop()), ("kept", kept.stop())] {
        eprintln!(
            "handover, {which} connections: {} requests, {} failed, slowest {:.0?}, longest gap {:.0?}, {:?}",
            counts.total(),
            counts.failures(),
            counts.slowest,
            counts.longest_gap,
            counts.versions
        );
        assert_eq!(counts.failures(), 0, "{:?}", counts.missed);
        assert!(counts.from("round-1") > 0 && counts.from("bad") == 0);
    }
}

#[test]
fn a_release_that_is_refused_when_the_old_instance_has_stopped_serves_until_that_one_is_ready_again() {
    let host = lab::host!(Suite::Bookworm);
    let yml = acme("handover").with("verify: {run: 'sh verdict'}");
    let desk = Desk::ready(&host, Service::Handover, &yml);
    desk.file("verdict", "exit 0");
    let first = desk.deploy(Kind::SlowStart, "v1");
    assert_eq!(only_instance(&host).0, "blue");
    desk.file("verdict", "exit 1");
    let load = Load::on(host.web(8080)).rate(100).start();
    desk.tree(Kind::Graceful, "v2");
    desk.json(&["deploy"]).leaves(3);
    let counts = load.stop();
    assert_serves(&host, &first, "v1");
    assert_eq!(counts.failures(), 0, "{:?}", counts.missed);
    let at = |unit: &str, what: &str| -> u64 { host.unit(unit, what).parse().unwrap() };
    let ready = at("acme@blue.service", "ActiveEnterTimestampMonotonic");
    let stopped = at("acme@green.service", "ActiveExitTimestampMonotonic");
    assert!(
        ready < stopped,
        "nobody served for {} ms",
        ready.saturating_sub(stopped) / 1000
    );

    // The old release cannot start any more: the refused one stays, and the next deploy takes over from it.
    host.root(&format!("echo crash >/opt/acme/releases/{first}/behaviour"))
        .ok();
    desk.tree(Kind::Graceful, "v2-again");
    desk.json(&["deploy"]).leaves(4).says("exit status 7");
    assert_eq!(current(&host), first);
    assert_eq!(answer(&host), "v2-again");
    desk.file("verdict", "exit 0");
    let third = desk.deploy(Kind::Graceful, "v3");
    assert_serves(&host, &third, "v3");
}

#[test]
fn a_reboot_starts_the_instance_that_the_last_switch_left_and_every_command_knows_which_one_it_is() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::live(&host, Service::Handover, &acme("handover"));
    let second = desk.deploy(Kind::Graceful, "v2");
    assert_eq!(only_instance(&host), ("green".to_owned(), second.clone()));
    desk.shipit(&["status", "-v"])
        .leaves(0)
        .says("acme@blue.service: inactive (dead): idle, starts the next release")
        .says(&format!("runs from {second}"));
    desk.shipit(&["doctor"])
        .leaves(0)
        .never_says("acme@blue.service is not running");
    let process = host.unit("acme@green.service", "MainPID");
    desk.shipit(&["restart"]).leaves(0).says("acme@green.service restarted");
    assert_ne!(host.unit("acme@green.service", "MainPID"), process);
    desk.shipit(&["restart", "acme@blue"])
        .leaves(1)
        .says("acme@blue.service is idle");
    host.root("journalctl --sync").ok();
    desk.shipit(&["logs", "--unit", "acme@green"])
        .leaves(0)
        .says("version v2 starts");
    host.flush();
    host.power_cut();
    // Clients that come before the instance does must not start the other one.
    let load = Load::on(host.web(8080)).rate(50).start();
    host.boot_again();
    host.wait_for("an answer", |host: &Host| answer(host) == "v2");
    drop(load.stop());
    assert_serves(&host, &second, "v2");
    desk.shipit(&["stop"]).leaves(0);
    desk.shipit(&["start"]).leaves(0).says("acme@green.service started");
    assert_serves(&host, &second, "v2");
}

/// The release that an instance of the pool runs from, by its process.
#[track_caller]
fn runs(host: &Host, instance: u32) -> String {
    let process = host.unit(&format!("work@{instance}.service"), "MainPID");
    let from = host.root(&format!("readlink /proc/{process}/cwd")).ok();
    from.trim().rsplit('/').next().unwrap().to_owned()
}

#[test]
fn workers_change_one_by_one_and_when_one_fails_all_go_back_with_the_instances_beside_them() {
    let host = lab::host!(Suite::Bookworm);
    host.write_file(
        "/etc/systemd/system/work@.service",
        b"[Unit]\nConditionPathExists=/opt/acme/slots/%i\n[Service]\nType=exec\nUser=app\nRestart=always\n\
          RestartSec=200ms\nWorkingDirectory=/opt/acme/slots/%i\n\
          ExecStart=/bin/sh -c 'if [ %i = 2 ] && grep -q bad version; then exit 9; fi; exec sleep infinity'\n\
          [Install]\nWantedBy=multi-user.target\n",
    );
    host.root("systemctl daemon-reload && systemctl --quiet enable work@1 work@2")
        .ok();
    let pool = "unit: work@.service\n    strategy: rolling\n    instances: 2\n    \
                health: {command: 'test -e version', watch: 1s, successes: 1}\n";
    let desk = Desk::live(&host, Service::Handover, &acme("handover").service(pool));
    let second = desk.deploy(Kind::Graceful, "v2");
    assert_eq!([runs(&host, 1), runs(&host, 2)], [second.clone(), second.clone()]);
    let web = host.unit("acme@green.service", "MainPID");
    desk.tree(Kind::Graceful, "bad");
    desk.json(&["deploy"]).leaves(3).says("work@2.service");
    assert_eq!([runs(&host, 1), runs(&host, 2)], [second.clone(), second.clone()]);
    assert_eq!(host.unit("acme@green.service", "MainPID"), web, "it never stopped");
    assert_eq!(current(&host), second);
    assert_eq!(answer(&host), "v2");
    let slots = host
        .root("cd /opt/acme/slots && for slot in *; do echo \"$slot\"; done")
        .ok();
    assert_eq!(slots.trim(), "1\n2\ngreen");
}
