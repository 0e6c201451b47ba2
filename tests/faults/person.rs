//! The person's side: the client is killed, interrupted, loses its line.

use rustix::process::Signal;

use super::{Underway, assert_one_at_a_time, assert_whole, everything, rest};
use crate::apps::{ACME, Kind, Service};
use crate::deploys::desk::{Desk, acme, assert_live, current};
use crate::lab::{self, Suite};

/// Kills the client when it has said that a step began, at each of these in turn. The same command then goes
/// through, with no unlocking; what the host finished by itself is unchanged.
fn killed(strategy: &str, steps: &[&str]) {
    let host = lab::host!(Suite::Bookworm);
    let desk = everything(&host, strategy, "0s");
    for step in steps {
        let version = format!("killed-at-{step}");
        desk.tree(Kind::Graceful, &version);
        let mut run = Underway::start(&desk, &["deploy"]);
        assert!(run.until(step, "started"), "{step} never began: {}", run.end());
        run.signal(Signal::KILL);
        drop(run.end());
        rest(&host);
        assert_whole(&host);
        let ran = desk.json(&["deploy"]).leaves(0);
        assert_live(&host, &ran.release(), &version);
        let ran = ACME.migrations(&host).into_iter().filter(|v| *v == version);
        assert_eq!(ran.count(), 1, "{version} migrated");
        for file in ["prepared", "logs/", "env"] {
            host.root(&format!("test -e /opt/acme/current/{file}")).ok();
        }
    }
    assert_one_at_a_time(&host);
}

#[test]
fn a_client_killed_while_staging_costs_nothing_but_its_own_report() {
    killed("socket", &["receive", "verify", "link", "prepare", "publish"]);
}

#[test]
fn a_client_killed_before_the_flip_costs_nothing_but_its_own_report() {
    killed("socket", &["migrate", "measure", "flip", "socket"]);
}

#[test]
fn a_client_killed_after_the_flip_costs_nothing_but_its_own_report() {
    killed("restart", &["restart", "await", "confirm", "prune", "spare"]);
}

#[test]
fn a_client_killed_at_a_reload_costs_nothing_but_its_own_report() {
    killed("reload", &["flip", "reload", "await"]);
}

#[test]
fn ctrl_c_while_sending_ends_it_with_nothing_live_changed() {
    let host = lab::host!(Suite::Bookworm);
    let yml = acme("socket").with("prepare: sleep 30");
    let desk = Desk::ready(&host, Service::Socket, &acme("socket"));
    let before = desk.deploy(Kind::Graceful, "v1");
    desk.write(&yml);
    desk.tree(Kind::Graceful, "v2");
    let mut run = Underway::start(&desk, &["deploy"]);
    assert!(run.until("prepare", "started"));
    run.signal(Signal::INT);
    let ran = run.end().leaves(1);
    assert_live(&host, &before, "v1");
    assert!(ran.ended()["live"].is_null() || ran.ended()["live"] == before, "{ran}");
    let sleeping = host.root("pgrep -x -u deploy sleep");
    assert_eq!(sleeping.stdout, "", "prepare runs on");
}

#[test]
fn ctrl_c_during_the_switch_goes_back_and_twice_leaves_while_the_host_goes_on() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::live(&host, Service::Socket, &acme("socket").health("watch", "3s"));
    let before = current(&host);

    desk.tree(Kind::Graceful, "v2");
    let mut run = Underway::start(&desk, &["deploy"]);
    assert!(run.until("await", "started"));
    run.signal(Signal::INT);
    let ran = run.end().leaves(3).says("stopped on request");
    assert_eq!(ran.outcome(), "reverted");
    assert_live(&host, &before, "v1");

    desk.tree(Kind::Graceful, "v3");
    let mut run = Underway::start(&desk, &["deploy"]);
    assert!(run.until("await", "started"));
    run.signal(Signal::INT);
    run.signal(Signal::TERM);
    run.end().leaves(7);
    rest(&host);
    assert_whole(&host);
}

#[test]
fn a_session_that_is_killed_is_taken_up_again_and_the_end_is_heard() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Socket, &acme("socket").health("watch", "2s"));
    for step in ["flip", "await"] {
        desk.tree(Kind::Graceful, step);
        let mut run = Underway::start(&desk, &["deploy"]);
        assert!(run.until(step, "started"));
        host.root("pkill -KILL -u deploy sshd").ok();
        let ran = run.end().leaves(0);
        assert_live(&host, &ran.release(), step);
    }
    // A second person sees the same switch.
    desk.tree(Kind::Graceful, "watched");
    let mut run = Underway::start(&desk, &["deploy"]);
    assert!(run.until("await", "started"));
    let watched = desk.json(&["attach"]).leaves(0);
    let ran = run.end().leaves(0);
    assert_eq!(watched.release(), ran.release());
}
