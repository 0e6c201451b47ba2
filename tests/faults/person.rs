//! The person's side: the client is killed, interrupted, loses its line.

use std::io::Read;
use std::process::Stdio;

use rustix::process::Signal;

use super::{Underway, assert_one_at_a_time, assert_whole, everything, rest};
use crate::apps::{ACME, Kind, Service};
use crate::bounds::{Ends as _, Patient};
use crate::deploys::desk::{Desk, Ran, acme, assert_live, current};
use crate::deploys::held::{go, hold, may_hold};
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
    let yml = acme("socket").with("prepare: sleep 3000");
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
    host.wait_for("the end of prepare", |host| {
        host.root("pgrep -x -u deploy sleep").stdout.is_empty()
    });
}

#[test]
fn ctrl_c_during_the_switch_goes_back_and_twice_leaves_while_the_host_goes_on() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    let before = current(&host);
    desk.write(&may_hold(acme("socket")));

    desk.tree(Kind::Graceful, "v2");
    hold(&desk, "v2");
    let mut run = Underway::start(&desk, &["deploy"]);
    assert!(run.until("await", "started"));
    run.signal(Signal::INT);
    let ran = run.end().leaves(3).says("canceled by a user");
    assert_eq!(ran.outcome(), "reverted");
    assert_live(&host, &before, "v1");

    desk.tree(Kind::Graceful, "v3");
    hold(&desk, "v3");
    let mut run = Underway::start(&desk, &["deploy"]);
    assert!(run.until("await", "started"));
    run.signal(Signal::INT);
    run.signal(Signal::TERM);
    run.end().leaves(7);
    go(&host, "v3");
    rest(&host);
    assert_whole(&host);
}

/// Nothing is left to revert then, and nothing else may be claimed.
#[test]
fn a_cancel_that_comes_after_the_confirmation_is_reported_as_too_late() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Socket, &acme("socket").health("watch", "0s"));
    // The last step of a run waits.
    let waiting = "#!/bin/sh\nwhile test -e /run/wait; do sleep 0.1; done\nexec /usr/bin/fallocate \"$@\"\n";
    host.write_file("/usr/local/sbin/fallocate", waiting.as_bytes());
    host.root("chmod 0755 /usr/local/sbin/fallocate").ok();
    desk.tree(Kind::Graceful, "v2");
    for (args, said) in [
        (
            &["deploy"][..],
            "already confirmed: it stays live; `shipit rollback` returns to the previous release",
        ),
        (&["prune", "--keep", "1"], "a prune cannot be reverted"),
        (&["rollback"], "already confirmed: it stays live"),
    ] {
        host.root("touch /run/wait").ok();
        let mut run = Underway::start(&desk, args);
        assert!(run.until("spare", "started"), "{}", run.end());
        run.signal(Signal::INT);
        assert!(run.until_said(said), "{}", run.end());
        host.root("rm /run/wait").ok();
        run.end().leaves(0).never_says("canceled by");
    }
    assert_eq!(crate::deploys::desk::answer(&host), "v1");
}

#[test]
fn a_session_that_is_killed_is_taken_up_again_and_the_end_is_heard() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    desk.write(&may_hold(acme("socket")));
    for step in ["flip", "await"] {
        desk.tree(Kind::Graceful, step);
        hold(&desk, step);
        let mut run = Underway::start(&desk, &["deploy"]);
        assert!(run.until(step, "started"));
        host.root("pkill -KILL -u deploy sshd").ok();
        go(&host, step);
        let ran = run.end().leaves(0);
        assert_live(&host, &ran.release(), step);
    }
    // A second person sees the same switch.
    desk.tree(Kind::Graceful, "watched");
    hold(&desk, "watched");
    let mut run = Underway::start(&desk, &["deploy"]);
    assert!(run.until("await", "started"));
    let mut watched = Underway::start(&desk, &["attach"]);
    assert!(watched.until("await", "started"));
    go(&host, "watched");
    let watched = watched.end().leaves(0);
    let ran = run.end().leaves(0);
    assert_eq!(watched.release(), ran.release());
}

/// A second session is refused: what stops the first one travels over another connection.
#[test]
fn ctrl_c_reaches_the_host_where_the_server_allows_one_session_only() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    let before = current(&host);
    host.write_file("/etc/ssh/sshd_config.d/00-one.conf", b"MaxSessions 1\n");
    host.root("systemctl restart ssh").ok();
    for system in [&[][..], &["--system-ssh"]] {
        let args: Vec<&str> = ["deploy"].iter().chain(system).copied().collect();
        desk.write(&may_hold(acme("socket")));
        desk.tree(Kind::Graceful, &format!("v2{}", system.concat()));
        hold(&desk, "v2");
        let mut run = Underway::start(&desk, &args);
        assert!(run.until("await", "started"));
        run.signal(Signal::INT);
        let ran = run
            .end()
            .leaves(3)
            .says("asking the host to revert")
            .says("canceled by a user");
        assert_eq!(ran.outcome(), "reverted");
        assert_eq!(ran.ended()["canceled"], true);
        assert_live(&host, &before, "v1");

        desk.write(&acme("socket").with("prepare: sleep 3000"));
        desk.tree(Kind::Graceful, &format!("v3{}", system.concat()));
        let mut run = Underway::start(&desk, &args);
        assert!(run.until("prepare", "started"));
        run.signal(Signal::INT);
        run.end().leaves(1).never_says("could not be stopped");
        assert_live(&host, &before, "v1");
        let mut command = desk.command(&["run"]);
        command
            .args(system)
            .args(["--", "sh", "-c", "echo on; exec sleep 4321"]);
        let mut running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut on = [0; 3];
        Patient(running.stdout.as_mut().unwrap()).read_exact(&mut on).unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_child(&running), Signal::INT).unwrap();
        let ran = Ran::new("run", &running.ends());
        ran.leaves(130).says("sh was interrupted");

        host.wait_for("the end of prepare and of the command", |host| {
            host.root("pgrep -x -u deploy sleep").stdout.is_empty()
        });
    }
}
