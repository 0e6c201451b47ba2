//! A dump that loses its conductor or its power, or that somebody else started. Its migration runs only after a dump that
//! was seen to succeed; a dump that was cut counts for nothing, and the next one begins from its start.

use super::{Underway, assert_whole, rest};
use crate::apps::Kind;
use crate::deploys::backups::{configuration, live, migrations, notes};
use crate::deploys::desk::{assert_live, current};
use crate::lab::{self, Host, Suite};

const KILL: &str =
    "pid=$(systemctl show -p MainPID --value shipit-acme.service); [ \"$pid\" -gt 1 ] && kill -KILL \"$pid\"";

fn hold(host: &Host) {
    host.root("touch /var/lib/acme-dump/hold").ok();
}

fn release(host: &Host) {
    host.root("rm /var/lib/acme-dump/hold").ok();
}

/// Waits until that many dumps have begun.
#[track_caller]
fn begun(host: &Host, count: usize) {
    host.wait_for("the dump", |host: &Host| {
        notes(host).iter().filter(|note| note.starts_with("begun")).count() == count
    });
}

/// Waits until the step has started so often.
#[track_caller]
fn attempts(host: &Host, count: &str) {
    let started = "cat /opt/acme/.shipit/runs/*/events | grep -c 'step switch backup acme-dump.service started'";
    host.wait_for("the conductor", |host: &Host| host.root(started).stdout.trim() == count);
}

#[test]
fn a_dump_that_still_runs_is_joined_by_the_next_conductor() {
    let host = lab::host!(Suite::Bookworm);
    let desk = live(&host, "5m");
    hold(&host);
    desk.tree(Kind::Graceful, "v2");
    let run = Underway::start(&desk, &["deploy"]);
    begun(&host, 2);
    host.root(KILL).ok();
    attempts(&host, "3");
    assert_eq!(migrations(&host, "v2"), 0);
    release(&host);
    let ran = run.end().leaves(0);
    assert_live(&host, &ran.release(), "v2");
    assert_eq!(notes(&host)[2..], ["begun 1", "whole 1"], "one dump");
    assert_eq!(migrations(&host, "v2"), 1);
}

#[test]
fn a_dump_that_ended_unseen_is_made_again_and_one_that_was_seen_is_not() {
    let host = lab::host!(Suite::Trixie);
    let desk = live(&host, "5m");
    hold(&host);
    desk.tree(Kind::Graceful, "v2");
    let run = Underway::start(&desk, &["deploy"]);
    begun(&host, 2);
    host.root("systemctl stop shipit-acme.path").ok();
    host.root(KILL).ok();
    release(&host);
    host.wait_for("its end", |host: &Host| notes(host).len() == 4);
    assert_eq!(migrations(&host, "v2"), 0);
    host.root("systemctl start shipit-acme.path").ok();
    let ran = run.end().leaves(0);
    assert_live(&host, &ran.release(), "v2");
    assert_eq!(notes(&host)[2..], ["begun 1", "whole 1", "begun 1", "whole 1"]);
    assert_eq!(migrations(&host, "v2"), 1);
}

#[test]
fn a_dump_that_the_power_ended_counts_for_nothing() {
    let host = lab::host!(Suite::Bookworm.that_forgets());
    let desk = live(&host, "5m");
    let before = current(&host);
    hold(&host);
    host.flush();
    desk.tree(Kind::Graceful, "v2");
    let run = Underway::start(&desk, &["deploy"]);
    begun(&host, 2);
    host.power_cut();
    host.boot_again();
    // The host goes on by itself: with another dump, from its start.
    host.wait_for("the next dump", |host: &Host| {
        host.unit("acme-dump.service", "ActiveState") == "activating"
    });
    assert_eq!(current(&host), before);
    assert_eq!(migrations(&host, "v2"), 0);
    // That one fails: the deploy ends, and nothing has changed.
    host.root("touch /var/lib/acme-dump/fail").ok();
    release(&host);
    run.end()
        .leaves(1)
        .says("the backup failed")
        .says("the migration did not run");
    rest(&host);
    assert_whole(&host);
    assert_live(&host, &before, "v1");
    assert_eq!(migrations(&host, "v2"), 0);
    // The next deploy asks nothing, and begins with a dump.
    host.root("rm /var/lib/acme-dump/fail").ok();
    let ran = desk.json(&["deploy"]).leaves(0);
    assert_live(&host, &ran.release(), "v2");
    assert_eq!(migrations(&host, "v2"), 1);
    assert_eq!(notes(&host).last().map(String::as_str), Some("whole 1"));
}

/// A timer's dump, which a deploy meets: it is joined, and no deploy ends it.
#[test]
fn a_dump_that_runs_already_is_joined_and_never_stopped() {
    let host = lab::host!(Suite::Trixie);
    let desk = live(&host, "5m");
    desk.write(&configuration("3s"));
    let before = current(&host);
    hold(&host);
    host.root("systemctl --no-block start acme-dump.service").ok();
    begun(&host, 2);
    let process = host.unit("acme-dump.service", "MainPID");
    desk.tree(Kind::Graceful, "v2");
    desk.json(&["deploy"])
        .leaves(1)
        .says("acme-dump.service is still running after 3s: this deploy did not start it, and did not stop it; the migration did not run");
    assert_live(&host, &before, "v1");
    assert_eq!(host.unit("acme-dump.service", "MainPID"), process);
    desk.write(&configuration("5m"));
    let run = Underway::start(&desk, &["deploy"]);
    attempts(&host, "3");
    release(&host);
    let ran = run.end().leaves(0);
    assert_live(&host, &ran.release(), "v2");
    assert_eq!(notes(&host)[2..], ["begun 1", "whole 1"], "one dump");
    host.root(&format!("test -s /opt/acme/.shipit/releases/{}/backup", ran.release()))
        .ok();
}

#[test]
fn a_canceled_dump_is_stopped_and_the_next_deploy_begins_another() {
    let host = lab::host!(Suite::Bookworm);
    let desk = live(&host, "5m");
    let before = current(&host);
    hold(&host);
    desk.tree(Kind::Graceful, "v2");
    let run = Underway::start(&desk, &["deploy"]);
    begun(&host, 2);
    run.signal(rustix::process::Signal::INT);
    run.end()
        .leaves(1)
        .says("the backup was canceled by a user; the migration did not run");
    assert_live(&host, &before, "v1");
    assert_eq!(host.unit("acme-dump.service", "MainPID"), "0");
    release(&host);
    let ran = desk.json(&["deploy"]).leaves(0);
    assert_live(&host, &ran.release(), "v2");
    assert_eq!(migrations(&host, "v2"), 1);
}

/// The start fails by its exit status and works, or works not at all; then twenty looks at it fail.
#[test]
fn a_systemd_that_does_not_answer_does_not_end_the_dump() {
    let host = lab::host!(Suite::Bookworm);
    let desk = live(&host, "5m");
    host.write_file(
        "/usr/local/bin/systemctl",
        b"#!/bin/sh\ncase \"$*\" in *show*acme-dump*) for n in $(seq 20); do
            [ ! -e /tmp/struck ] || ! mkdir /tmp/look.$n 2>/dev/null || exit 1; done ;; esac\nexec /usr/bin/systemctl \"$@\"\n",
    );
    for (version, does) in [("v2", "/usr/bin/sudo \"$@\""), ("v3", ":")] {
        let shim = format!(
            "#!/bin/sh\ncase \"$*\" in *'start acme-dump.service')
                ! mkdir /tmp/struck 2>/dev/null || {{ {does}; exit 1; }} ;; esac\nexec /usr/bin/sudo \"$@\"\n"
        );
        host.write_file("/usr/local/bin/sudo", shim.as_bytes());
        host.root("chmod 0755 /usr/local/bin/*; rm -rf /tmp/struck /tmp/look.*")
            .ok();
        desk.tree(Kind::Graceful, version);
        let ran = desk.json(&["deploy"]).leaves(0);
        host.root("test -e /tmp/struck && test -e /tmp/look.20").ok();
        assert_live(&host, &ran.release(), version);
        assert_eq!(migrations(&host, version), 1);
    }
    assert_eq!(notes(&host).len(), 6, "three dumps");
}
