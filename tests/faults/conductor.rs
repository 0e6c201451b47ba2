//! The host's side: the conductor dies, its guard sleeps, its script is broken, going back fails.

use std::time::{Duration, Instant};

use super::point::{Blow, Points};
use super::{Underway, assert_one_at_a_time, assert_whole, everything, rest};
use crate::apps::{ACME, Kind, Service};
use crate::bounds::Ends as _;
use crate::deploys::desk::{Desk, acme, answer, assert_live, current};
use crate::lab::{self, Host, Suite};

/// Kills the conductor right after that step began, and right after it was done. What must come of it is known
/// for each: nothing live had changed, so the next conductor carries the switch out (0); the flip was done, so
/// it goes back (3); it was confirmed, so it stays (0).
fn killed(strategy: &str, step: &str, after_started: i32, after_done: i32) {
    let host = lab::host!(Suite::Bookworm);
    let desk = everything(&host, strategy, "1s");
    let points = Points::on(&host);
    for (state, exit) in [("started", after_started), ("done", after_done)] {
        let before = (current(&host), answer(&host));
        let version = format!("{step}-{state}");
        desk.tree(Kind::Graceful, &version);
        points.strike(Blow::Kill, &format!("step * {step}* {state}"));
        let ran = desk.json(&["deploy"]).leaves(exit);
        points.struck();
        rest(&host);
        assert_whole(&host);
        if exit == 0 {
            assert_live(&host, &ran.release(), &version);
        } else {
            assert_live(&host, &before.0, &before.1);
        }
        assert!(ACME.migrations(&host).iter().filter(|v| **v == version).count() <= 1);
        let ran = desk.json(&["deploy"]).leaves(0);
        assert_live(&host, &ran.release(), &version);
    }
    assert_one_at_a_time(&host);
}

/// A test for each step, so that a failure names it. CI runs some of them, `scripts/faults.sh` all.
macro_rules! killed {
    ($($(#[$ignore:meta])? $test:ident: $strategy:literal, $step:literal, $started:literal, $done:literal;)*) => {
        $(#[test]
        $(#[$ignore])?
        fn $test() {
            killed($strategy, $step, $started, $done);
        })*
    };
}

killed! {
    #[ignore = "scripts/faults.sh"]
    a_conductor_killed_at_baseline_is_followed_by_one_that_finishes: "reload", "baseline", 0, 0;
    a_conductor_killed_at_migrate_is_followed_by_one_that_finishes: "restart", "migrate", 0, 0;
    #[ignore = "scripts/faults.sh"]
    a_conductor_killed_at_measure_is_followed_by_one_that_finishes: "socket", "measure", 0, 0;
    a_conductor_killed_at_flip_is_followed_by_one_that_finishes_or_undoes: "socket", "flip", 0, 3;
    #[ignore = "scripts/faults.sh"]
    a_conductor_killed_at_restart_is_followed_by_one_that_undoes: "restart", "restart", 3, 3;
    #[ignore = "scripts/faults.sh"]
    a_conductor_killed_at_reload_is_followed_by_one_that_undoes: "reload", "reload", 3, 3;
    a_conductor_killed_at_socket_is_followed_by_one_that_undoes: "socket", "socket", 3, 3;
    #[ignore = "scripts/faults.sh"]
    a_conductor_killed_at_slot_is_followed_by_one_that_finishes_or_undoes: "handover", "slot", 0, 3;
    #[ignore = "scripts/faults.sh"]
    a_conductor_killed_at_await_before_the_flip_is_followed_by_one_that_undoes: "handover", "await", 3, 3;
    a_conductor_killed_at_stop_is_followed_by_one_that_undoes: "handover", "stop", 3, 3;
    #[ignore = "scripts/faults.sh"]
    a_conductor_killed_at_await_is_followed_by_one_that_undoes: "reload", "await", 3, 3;
    a_conductor_killed_at_confirm_is_followed_by_one_that_undoes_or_finishes: "restart", "confirm", 3, 0;
    #[ignore = "scripts/faults.sh"]
    a_conductor_killed_at_prune_is_followed_by_one_that_finishes: "restart", "prune", 0, 0;
    a_conductor_killed_at_spare_is_followed_by_one_that_finishes: "socket", "spare", 0, 0;
}

#[test]
fn a_guard_that_sleeps_is_found_out_and_nothing_changes() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    let before = current(&host);
    host.root("systemctl stop shipit-acme.path").ok();
    desk.tree(Kind::Graceful, "v2");
    desk.json(&["deploy"]).leaves(1).says("shipit-acme.path is not active");
    assert_live(&host, &before, "v1");
}

/// As on a loaded host.
#[test]
fn a_conductor_that_starts_late_is_waited_for() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    host.write_file(
        "/etc/systemd/system/shipit-acme.service.d/late.conf",
        b"[Service]\nExecStartPre=/bin/sleep 7\n",
    );
    host.root("systemctl daemon-reload").ok();
    let v2 = desk.deploy(Kind::Graceful, "v2");
    assert_live(&host, &v2, "v2");
}

/// The client that asked for the switch is gone: only the one that attaches is left to wait.
#[test]
fn attach_waits_for_a_switch_that_the_host_begins_late() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    host.write_file(
        "/etc/systemd/system/shipit-acme.service.d/late.conf",
        b"[Service]\nExecStartPre=/bin/sh -c 'until test -e /run/go; do sleep 0.1; done'\n",
    );
    host.root("systemctl daemon-reload").ok();
    desk.tree(Kind::Graceful, "v2");
    let deploy = Underway::start(&desk, &["deploy"]);
    host.wait_for("the request", |host| {
        host.root("test -e /opt/acme/.shipit/request").success()
    });
    deploy.signal(rustix::process::Signal::KILL);
    let mut attached = Underway::start(&desk, &["attach"]);
    assert!(attached.until_said("has not begun this switch yet: shipit-acme.path is stopped"));
    host.root("touch /run/go").ok();
    deploy.end();
    assert_eq!(attached.end().leaves(0).outcome(), "deployed");
    assert_live(&host, &current(&host), "v2");
}

#[test]
fn a_conductor_that_cannot_run_does_not_spin_and_the_request_is_withdrawn() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    let before = current(&host);
    // The unit runs something that fails at once: as with a script that cannot be read.
    host.root(
        "mkdir -p /etc/systemd/system/shipit-acme.service.d && printf '[Service]\\nExecStart=\\nExecStart=/bin/false\\n' \
         >/etc/systemd/system/shipit-acme.service.d/broken.conf && systemctl daemon-reload",
    )
    .ok();
    desk.tree(Kind::Graceful, "v2");
    let began = Instant::now();
    let deploy = Underway::start(&desk, &["deploy"]);
    host.wait_for("the request", |host| {
        host.root("test -e /opt/acme/.shipit/request").success()
    });
    // Whoever waits for it as well hears that it will not come.
    let attached = Underway::start(&desk, &["attach"]);
    deploy.end().leaves(1).says("did not begin the switch within 15s");
    attached
        .end()
        .leaves(1)
        .says("the request was withdrawn before its switch began")
        .never_says("the host continues on its own");
    assert!(began.elapsed() > Duration::from_secs(15));
    let starts = host.root("journalctl -u shipit-acme.service -o cat | grep -c 'Main process exited'");
    let starts: u32 = starts.stdout.trim().parse().unwrap();
    let most = 10 + 2 * u32::try_from(began.elapsed().as_secs()).unwrap();
    assert!((1..most).contains(&starts), "{starts} starts in {:?}", began.elapsed());
    assert_live(&host, &before, "v1");
}

#[test]
fn when_going_back_fails_too_the_host_says_degraded_and_the_next_good_release_mends_it() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Notify, &acme("restart"));
    let before = current(&host);
    // The release that is live cannot start again, and the new one is broken.
    host.root(&format!(
        "mv /opt/acme/releases/{before}/server.py /opt/acme/releases/{before}/gone"
    ))
    .ok();
    desk.tree(Kind::CrashAtStart, "v2");
    let ran = desk.json(&["deploy"]).leaves(4);
    assert_eq!(ran.outcome(), "degraded", "{ran}");
    assert_eq!(current(&host), before);
    assert!(!host.root("test -e /opt/acme/.shipit/request").success());
    desk.shipit(&["status"]).leaves(4).says("degraded");
    let good = desk.deploy(Kind::Graceful, "v3");
    assert_live(&host, &good, "v3");
    desk.shipit(&["status"]).leaves(0).never_says("degraded");
}

#[test]
fn no_reader_ever_misses_current() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    host.write_file(
        "/root/reader.py",
        b"import os,sys,time\nopens=misses=0\nend=time.time()+float(sys.argv[1])\nwhile not os.path.exists('/root/stop'):\n  try:\n    os.close(os.open('/opt/acme/current/version',os.O_RDONLY)); opens+=1\n  except OSError: misses+=1\n  if time.time()>end: break\nprint(opens,misses)\n",
    );
    let reader = host
        .enter()
        .args(["python3", "/root/reader.py", "600"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    for n in 0..4 {
        desk.deploy(Kind::Graceful, &format!("flip-{n}"));
        desk.json(&["rollback"]).leaves(0);
    }
    host.root("touch /root/stop").ok();
    let said = String::from_utf8(reader.ends().stdout).unwrap();
    eprintln!("opens and misses over 8 flips: {said}");
    let mut numbers = said.split_whitespace().map(|n| n.parse::<u64>().unwrap());
    assert!(numbers.next().unwrap() > 10_000);
    assert_eq!(numbers.next(), Some(0));
    rest(&host);
    assert_whole(&host);
}

#[test]
fn a_service_that_crashed_by_itself_before_is_not_taken_for_a_new_crash() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::live(&host, Service::Notify, &acme("restart"));
    host.root("systemctl kill -s KILL --kill-whom=main acme.service").ok();
    host.wait_for("the restart", |host: &Host| {
        host.unit("acme.service", "NRestarts") == "1" && !answer(host).is_empty()
    });
    let release = desk.deploy(Kind::Graceful, "v2");
    assert_live(&host, &release, "v2");
    // The same files made ready in another way are another release.
    desk.write(&acme("restart").with("prepare: touch made-ready"));
    let ran = desk.json(&["deploy"]).leaves(0);
    assert_eq!(ran.outcome(), "deployed");
    assert!(host.root("test -e /opt/acme/current/made-ready").success());
    assert_eq!(desk.json(&["deploy"]).leaves(0).outcome(), "unchanged");
}
