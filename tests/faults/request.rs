//! The moment between the last word of the client and the first of the host: a request that is lost there.

use std::time::{Duration, Instant};

use super::{Underway, assert_whole, rest};
use crate::apps::{Kind, Service};
use crate::bounds::AT_ONCE;
use crate::deploys::desk::{Desk, acme, assert_live, current};
use crate::lab::{self, DelayProxy, Host, Suite};

/// Whoever places a request waits for this lock: it holds the moment still.
const HOLD: &str = "systemd-run --quiet --unit=hold flock /opt/acme/.shipit/runs sleep infinity";
const PLACING: &str = "pgrep -f 'flock -w 30 [9]'";

fn held_while_placing(host: &Host) -> (Desk, DelayProxy, Underway, String) {
    let mut desk = Desk::live(host, Service::Socket, &acme("socket"));
    let before = current(host);
    let proxy = DelayProxy::to(host.web(host.ssh_port()), Duration::ZERO);
    desk.by_way_of(host, proxy.address());
    desk.write(&acme("socket"));
    desk.tree(Kind::Graceful, "v2");
    host.root(HOLD).ok();
    let run = Underway::start(&desk, &["deploy"]);
    host.wait_for("the request", |host: &Host| host.root(PLACING).success());
    proxy.cut();
    (desk, proxy, run, before)
}

#[test]
fn a_request_that_is_lost_on_its_way_is_said_to_be_and_never_comes_later() {
    let host = lab::host!(Suite::Bookworm);
    let (desk, proxy, run, before) = held_while_placing(&host);
    // The session's script dies with it, as where logind kills what a session leaves.
    host.root("pkill -KILL -f 'flock -w 30 [9]'; pkill -KILL -u deploy -x sh; systemctl stop hold")
        .ok();
    let began = Instant::now();
    proxy.restore();
    run.end()
        .leaves(1)
        .says("the request did not reach the host")
        .says("nothing live changed");
    assert!(began.elapsed() < AT_ONCE, "guessed by time");
    assert_live(&host, &before, "v1");
    desk.json(&["deploy"]).leaves(0);
    assert_whole(&host);
}

#[test]
fn a_request_that_is_only_late_is_carried_out_or_refused_and_either_is_told() {
    let host = lab::host!(Suite::Trixie);
    let (desk, proxy, run, before) = held_while_placing(&host);
    proxy.restore();
    proxy.wait_for_connections(2);
    host.root("systemctl stop hold").ok();
    let ran = run.end();
    rest(&host);
    assert_whole(&host);
    match ran.code() {
        Some(0) => assert_live(&host, &ran.release(), "v2"),
        Some(1) => {
            ran.says("the request did not reach the host");
            assert_live(&host, &before, "v1");
        }
        _ => panic!("{ran}"),
    }
    a_switch_waits_for_the_conductor_before(&host, &desk);
    // Where the lock stays taken, nothing was placed, and shipit knows it.
    host.root(HOLD).ok();
    desk.tree(Kind::Graceful, "v3");
    let before = current(&host);
    desk.json(&["deploy"])
        .leaves(5)
        .says("another command on the host holds the request lock")
        .says("nothing live changed");
    assert_eq!(current(&host), before);
    host.root("systemctl stop hold").ok();
    desk.json(&["deploy"]).leaves(0);
    assert_whole(&host);
}

/// The last flush of a conductor hangs, on a slow disk, say: the next switch begins when it ends.
fn a_switch_waits_for_the_conductor_before(host: &Host, desk: &Desk) {
    host.write_file(
        "/usr/local/bin/sync",
        b"#!/bin/sh\n[ \"$*\" != . ] || [ -e request ] || ! mkdir /tmp/hung 2>/dev/null || exec sleep 998\n\
          exec /usr/bin/sync \"$@\"\n",
    );
    host.root("chmod 0755 /usr/local/bin/sync").ok();
    desk.tree(Kind::Graceful, "v4");
    desk.json(&["deploy"]).leaves(0);
    desk.tree(Kind::Graceful, "v5");
    let mut run = Underway::start(desk, &["deploy"]);
    assert!(run.until_said("the conductor of the previous switch is still running"));
    host.root("test -d /tmp/hung && pkill -f 'sleep 99[8]'; rm /usr/local/bin/sync")
        .ok();
    let ran = run.end().leaves(0);
    assert_live(host, &ran.release(), "v5");
}

/// The name of the request is there and what comes after it fails: the host switches, so that is followed and told.
#[test]
fn a_request_that_is_in_place_is_followed_whatever_its_script_says() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    for (n, tool, fault) in [
        (2, "ln", r#"/usr/bin/ln "$@"; exit 1"#),
        (3, "sync", "exit 1"),
        (4, "sync", "kill -9 $PPID"),
    ] {
        // At the one call that makes the name or follows it, and never again.
        let shim = format!(
            r#"#!/bin/sh
case "${{0##*/}} $*" in
'ln -T '*' request' | 'sync .')
    [ "${{0##*/}}" = ln ] || [ -e request ] && mkdir /tmp/struck.{n} 2>/dev/null && {{ {fault}; }} ;;
esac
exec /usr/bin/{tool} "$@"
"#
        );
        host.write_file(&format!("/usr/local/bin/{tool}"), shim.as_bytes());
        host.root(&format!("chmod 0755 /usr/local/bin/{tool}")).ok();
        let version = format!("v{n}");
        desk.tree(Kind::Graceful, &version);
        let ran = desk.json(&["deploy"]).leaves(0);
        assert!(
            host.root(&format!("test -e /tmp/struck.{n}")).success(),
            "{tool}: not struck"
        );
        host.root(&format!("rm -f /usr/local/bin/{tool}")).ok();
        assert_live(&host, &ran.release(), &version);
        assert_whole(&host);
    }
    // Nobody begins it, and nobody can take it back: then nobody claims to know.
    let waits = acme("socket").with("prepare: until [ -e /tmp/go ]; do sleep 0.1; done");
    desk.write(&waits);
    desk.tree(Kind::Graceful, "v5");
    let mut run = Underway::start(&desk, &["deploy"]);
    assert!(run.until("prepare", "started"));
    host.write_file(
        "/usr/local/bin/flock",
        b"#!/bin/sh\n[ ! -e request ] || exit 1\nexec /usr/bin/flock \"$@\"\n",
    );
    host.root("chmod 0755 /usr/local/bin/flock; systemctl stop shipit-acme.path; touch /tmp/go")
        .ok();
    run.end().leaves(7).says("may be in place, and could not be withdrawn");
    host.root("rm /usr/local/bin/flock; systemctl start shipit-acme.path")
        .ok();
    rest(&host);
    assert_whole(&host);
}
