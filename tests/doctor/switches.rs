//! doctor of a host that is not at rest: a switch under way, one that was interrupted, one that could not revert; and of
//! a clock that is off. Each is made on a real host and looked at as a person would.

use std::process::Stdio;

use serde_json::Value;

use super::broken::{Said, doctor};
use crate::apps::{Kind, Service};
use crate::bounds::Ends as _;
use crate::deploys::desk::{Desk, acme, current};
use crate::faults::point::{Blow, Points};
use crate::lab::{self, Host, Suite};

/// The finding that says this.
#[track_caller]
fn finding<'a>(said: &'a Said, what: &str) -> &'a Value {
    let mut all = said.findings().iter();
    let found = all.find(|one| one["what"].to_string().contains(what));
    found.unwrap_or_else(|| panic!("nothing says {what:?}: {}", said.ran))
}

#[test]
fn a_switch_under_way_one_that_was_interrupted_and_one_that_could_not_go_back() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::live(&host, Service::Notify, &acme("restart"));
    let before = current(&host);

    // Under way: the conductor stands still behind its flip.
    let points = Points::on(&host);
    points.strike(Blow::Hold, "step switch await * started");
    desk.tree(Kind::Graceful, "v2");
    let mut deploy = desk.command(&["deploy"]);
    let deploy = deploy.stdout(Stdio::null()).stderr(Stdio::piped());
    let deploy = deploy.spawn().unwrap();
    points.struck();
    let next = current(&host);
    assert_ne!(next, before);
    let said = doctor(&desk);
    let held = finding(&said, "a switch is in progress");
    assert!(
        held["what"].to_string().contains(&format!("deploy to {next} by ann@")),
        "{held:#}"
    );
    let attach = held["next"][0].as_str().unwrap_or_default();
    assert!(attach.starts_with("shipit attach"), "{held:#}");
    assert_eq!(held["severity"], "warning");
    assert_eq!(said.object["deploy"], "later");
    desk.shipit(&["doctor"])
        .says("a deploy can start when the switch in progress ends");

    // It is killed there: PID 1 starts it again, and it goes back.
    host.root("systemctl kill -s KILL shipit-acme.service").ok();
    let ended = deploy.ends();
    assert_eq!(ended.status.code(), Some(3), "{ended:?}");
    let said = doctor(&desk);
    let last = finding(&said, "the last switch failed");
    let what = last["what"].to_string();
    assert!(
        what.contains(&format!("{next} was reverted: the switch was interrupted on the host")),
        "{last:#}"
    );
    assert_eq!((said.errors(), said.ran.code()), (0, Some(0)), "{}", said.ran);

    // The way back is barred: the release that is live cannot start again, and the new one is broken.
    let server = format!("/opt/acme/releases/{before}/server.py");
    host.root(&format!("mv {server} {server}.gone")).ok();
    desk.tree(Kind::CrashAtStart, "v3");
    let run = desk.json(&["deploy"]).leaves(4);
    let said = doctor(&desk);
    let first = said.findings()[0].to_string();
    assert!(
        first.contains("server.py") && first.contains("does not exist on the host"),
        "the cause is not first: {first}\n{}",
        said.ran
    );
    let degraded = finding(&said, "could not revert, and the host is degraded");
    let what = degraded["what"].to_string();
    assert!(
        what.contains(&format!("current points to {before}, which is not verified")),
        "{what}"
    );
    assert!(what.contains("the revert failed too: acme.service"), "{what}\n{run}");
    assert!(
        degraded["log"].to_string().contains("version v3 starts"),
        "{degraded:#}"
    );
    assert_eq!(degraded["next"].as_array().unwrap().len(), 2);
    // doctor leaves as status does.
    assert_eq!((said.ran.code(), &said.object["exit"]), (Some(4), &4.into()));
    desk.shipit(&["doctor"]).leaves(4);
    desk.shipit(&["status"]).leaves(4).says("degraded since run");

    // The next release that goes well ends it.
    desk.deploy(Kind::Graceful, "v4");
    let said = doctor(&desk);
    said.ran.leaves(0).never_says("the last switch").never_says("degraded");
}

/// All hosts of the lab have this machine's clock, which nobody may turn back. So a host's `date` says another time: that
/// is the one thing of its clock that is asked.
fn turn_clock(host: &Host, to: &str) {
    let script = format!("#!/bin/sh\nexec /usr/bin/date.real --date='{to}' \"$@\"\n");
    host.root("test -e /usr/bin/date.real || cp /usr/bin/date /usr/bin/date.real")
        .ok();
    host.write_file("/usr/bin/date", script.as_bytes());
    host.root("chmod 0755 /usr/bin/date").ok();
}

#[test]
fn a_clock_that_is_off() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Notify, &acme("restart"));
    for (to, seconds, way) in [
        ("3 days ago", -259_200, "behind this machine's"),
        ("3 days", 259_200, "ahead of this machine's"),
    ] {
        turn_clock(&host, to);
        let said = doctor(&desk).ran.leaves(0);
        let object: Value = serde_json::from_str(said.stdout.trim()).unwrap();
        let skew = object["clock_skew_seconds"].as_i64().unwrap();
        // What passes while the host is asked is no skew: it may only make it smaller.
        assert!((seconds - skew).abs() < 300, "{skew} is not {seconds}");
        said.says("the host's clock is").says(way);
    }
}
