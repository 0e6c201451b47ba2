//! A power cut between commands: what a person was told holds afterwards, though the machine lost all that nobody
//! flushed. `power` has the cuts within a switch.

use super::point::{Blow, Points};
use super::{Underway, assert_as_sent, assert_whole, rest};
use crate::apps::{ACME, Kind, Service};
use crate::days::fed;
use crate::deploys::desk::{Desk, acme, answer, assert_live, current};
use crate::lab::{self, Host, Suite};

/// The power goes and comes back. The app may have been live before: then it runs again.
fn lose_what_was_not_flushed(host: &Host) {
    host.power_cut();
    host.boot_again();
    if !current(host).is_empty() {
        rest(host);
        assert_whole(host);
    }
}

/// Sets up a host that has nothing, and cuts its power after that and after the units are installed.
fn set_up(host: &Host) -> Desk {
    let desk = Desk::at(host, "ann");
    desk.write(&acme("socket"));
    for (name, text) in ACME.units(Service::Socket) {
        desk.file(&format!("deploy/units/{name}"), &text);
    }
    let root = format!("root@{}", host.address());
    desk.setup();
    lose_what_was_not_flushed(host);
    desk.shipit(&["setup", "--yes", "--as", &root])
        .leaves(0)
        .says("nothing to change");
    desk.shipit(&["unit", "install", "--yes", "--as", &root])
        .leaves(0)
        .says("wrote /etc/systemd/system/acme.socket");
    lose_what_was_not_flushed(host);
    desk.shipit(&["unit", "install", "--yes", "--as", &root])
        .leaves(0)
        .never_says("wrote");
    for (unit, state) in [("acme.service", "enabled"), ("acme.socket", "enabled")] {
        assert_eq!(host.unit(unit, "UnitFileState"), state, "{unit}");
    }
    desk
}

#[test]
fn what_was_told_holds_after_a_power_cut() {
    let host = lab::host!(Suite::Bookworm.that_forgets());
    let desk = set_up(&host);
    let first = desk.deploy(Kind::Graceful, "v1");
    lose_what_was_not_flushed(&host);
    assert_live(&host, &first, "v1");
    desk.shipit(&["status"]).leaves(0).says("(verified)");

    fed(&desk, &["env", "set", "TOKEN"], b"sesame\n").leaves(0);
    lose_what_was_not_flushed(&host);
    desk.shipit(&["env", "list"]).leaves(0).says("TOKEN");

    desk.tree(Kind::Graceful, "v2");
    let staged = desk.json(&["deploy", "--stage-only"]).leaves(0).release();
    lose_what_was_not_flushed(&host);
    assert_live(&host, &first, "v1");
    let ran = desk.json(&["deploy"]).leaves(0).says("nothing to send");
    assert_eq!(ran.release(), staged);
    lose_what_was_not_flushed(&host);
    assert_live(&host, &staged, "v2");

    desk.json(&["rollback"]).leaves(0);
    lose_what_was_not_flushed(&host);
    assert_live(&host, &first, "v1");
    desk.shipit(&["releases"]).leaves(0).says("left");
}

#[test]
fn a_release_that_was_not_published_when_the_power_went_is_sent_again() {
    let host = lab::host!(Suite::Trixie.that_forgets());
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    host.flush();
    let before = current(&host);
    desk.write(&acme("socket").with("prepare: while test -e /run/wait; do sleep 0.1; done"));
    desk.tree(Kind::Graceful, "v2");
    host.root("touch /run/wait").ok();
    let mut run = Underway::start(&desk, &["deploy"]);
    assert!(run.until("prepare", "started"));
    lose_what_was_not_flushed(&host);
    assert_live(&host, &before, "v1");
    let ran = run.end();
    assert_ne!(ran.code(), Some(0), "{ran}");
    let listed = desk.shipit(&["releases"]).leaves(0).stdout;
    assert_eq!(listed.lines().count(), 2, "its heads, and the one: {listed}");
    let ran = desk.json(&["deploy"]).leaves(0);
    assert_live(&host, &ran.release(), "v2");
    assert_as_sent(&host);
    let there = host.root("ls -A /opt/acme/releases").ok();
    assert_eq!(there.lines().count(), 2, "{there}");
}

/// A request is the last thing that goes when a switch has ended. One that a power cut brings back must not begin
/// what was told to be over.
#[test]
fn a_deploy_that_ended_without_a_switch_does_not_begin_again_after_a_power_cut() {
    let host = lab::host!(Suite::Bookworm.that_forgets());
    let yml = acme("socket").only_health("{command: \"test ! -e /run/ill\", timeout: 10s, watch: 0s}");
    let desk = Desk::live(&host, Service::Socket, &yml);
    host.flush();
    let before = current(&host);
    desk.tree(Kind::Graceful, "v2");
    host.root("touch /run/ill").ok();
    // Right when it is told, while the request is still there; a boot makes the host well.
    let points = Points::on(&host);
    points.strike(Blow::Hold, "ended failed");
    let run = Underway::start(&desk, &["deploy"]);
    points.cut_power();
    host.boot_again();
    run.end().leaves(1);
    rest(&host);
    assert_whole(&host);
    assert_live(&host, &before, "v1");

    // The guard stands still: the client takes its request back.
    host.write_file(
        "/run/systemd/system/shipit-acme.service.d/still.conf",
        b"[Unit]\nConditionPathExists=/run/nothing\n",
    );
    host.root("systemctl daemon-reload").ok();
    desk.json(&["deploy"]).leaves(1).says("guard");
    // A boot takes the condition away, too.
    lose_what_was_not_flushed(&host);
    assert_live(&host, &before, "v1");
    host.wait_for("the same answer", |host: &Host| answer(host) == "v1");
    let ran = desk.json(&["deploy"]).leaves(0);
    assert_live(&host, &ran.release(), "v2");
}
