//! A connection that goes silent, as after a suspend or a lost route: how soon it is noticed, what is reported, what the
//! host does meanwhile, and how a client gets the outcome afterwards.

use std::io::Read;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::desk::{Desk, Ran, Yml, acme, assert_live, current};
use super::held::{go, hold, may_hold};
use crate::apps::{Kind, Service};
use crate::bounds::{AT_ONCE, Ends as _};
use crate::faults::Underway;
use crate::lab::{self, DelayProxy, Host, Suite, Way};

/// Two users: ann comes through the proxy, bob directly.
fn two_ways(host: &Host, yml: &Yml) -> (Desk, Desk, DelayProxy) {
    let bob = Desk::live(host, Service::Socket, &acme("socket"));
    let proxy = DelayProxy::to(host.web(host.ssh_port()), Duration::ZERO);
    let mut ann = Desk::at(host, "ann");
    ann.by_way_of(host, proxy.address());
    ann.write(yml);
    (ann, bob, proxy)
}

/// Files of a megabyte that do not compress, different each time.
fn noise(desk: &Desk, megabytes: u64) {
    for number in 0..megabytes {
        let mut source = std::fs::File::open("/dev/urandom").unwrap().take(1 << 20);
        let mut file = std::fs::File::create(desk.path(&format!("source/noise-{number}"))).unwrap();
        std::io::copy(&mut source, &mut file).unwrap();
    }
}

fn start(desk: &Desk) -> Child {
    let mut command = desk.command(&["deploy", "--json"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Waits until the current switch has begun `step`.
pub fn wait_for_step(host: &Host, step: &str) {
    host.wait_for(step, |host| {
        // Only the current run has its request in place.
        let begun = "cd /opt/acme/.shipit && for run in runs/*; do \
             [ request -ef $run/request ] && exec cat $run/events; done";
        let events = host.root(begun).stdout;
        events.contains(&format!(" step switch {step} "))
    });
}

#[test]
fn a_connection_that_dies_during_the_upload_is_noticed_and_changes_nothing() {
    let host = lab::host!(Suite::Bookworm);
    let (ann, _, proxy) = two_ways(&host, &acme("socket"));
    let before = current(&host);
    ann.tree(Kind::Graceful, "v2");
    noise(&ann, 24);
    proxy.freeze_after(Way::Up, 6 << 20);
    let child = start(&ann);
    proxy.wait_for_bytes(Way::Up, 6 << 20);
    let frozen = Instant::now();
    let ran = Ran::new("deploy", &child.ends()).leaves(1);
    assert!(frozen.elapsed() < AT_ONCE, "{:?}", frozen.elapsed());
    ran.clone()
        .says("the host stopped responding while sending the release")
        .says("received nothing for ")
        .says("nothing live changed; the next deploy sends only what did not arrive");
    assert_eq!(ran.ended()["live"], before.as_str(), "{ran}");
    assert_live(&host, &before, "v1");
    let listed = host.root("ls /opt/acme/releases").ok();
    assert_eq!(listed.trim(), before, "a cut upload is listed");

    proxy.thaw();
    // What arrived is not sent again.
    let ran = ann.json(&["deploy"]).leaves(0);
    let good = ran.release();
    assert_live(&host, &good, "v2");
    let saved = ran.ended()["bytes_saved"].as_u64().unwrap();
    assert!(saved >= 3 << 20, "{saved}");
    ran.says("arrived with an interrupted upload");
    let left = host.root("ls -d /opt/acme/releases/.in-* /opt/acme/.shipit/releases/.in-*");
    assert_eq!(left.stdout, "");
    let hidden = host.root("ls -A /opt/acme/releases | grep '^[.]'").stdout;
    assert_eq!(hidden, "", "what was half sent is still there");
}

#[test]
fn a_connection_that_dies_during_the_switch_is_opened_again_and_continues_where_it_broke() {
    let host = lab::host!(Suite::Trixie);
    let (ann, bob, proxy) = two_ways(&host, &may_hold(acme("socket")));
    ann.tree(Kind::Graceful, "v2");
    hold(&ann, "v2");
    let child = start(&ann);
    wait_for_step(&host, "await");
    proxy.freeze();
    let frozen = Instant::now();
    // Any client can follow the same switch to its end.
    let mut watched = Underway::start(&bob, &["attach"]);
    assert!(watched.until("await", "started"));
    go(&host, "v2");
    let watched = watched.end().leaves(0);
    assert_eq!(watched.outcome(), "deployed");
    // The second connection is the first sign that the silence was noticed.
    proxy.wait_for_connections(2);
    assert!(frozen.elapsed() < AT_ONCE, "{:?}", frozen.elapsed());
    proxy.thaw();
    let ran = Ran::new("deploy", &child.ends()).leaves(0);
    assert_eq!(ran.outcome(), "deployed");
    assert_eq!(ran.release(), watched.release());
    ran.clone()
        .says("the host stopped responding while following the switch; the host continues on its own; reconnecting");
    let steps = ran.steps();
    for step in ["switch await acme.service", "switch confirm"] {
        let times = steps.iter().filter(|name| *name == step).count();
        assert_eq!(times, 1, "{step} is told once: {ran}");
    }
    assert_live(&host, &ran.release(), "v2");
}

#[test]
fn a_connection_that_stays_dead_during_the_switch_ends_as_unknown_and_the_host_finishes_alone() {
    let host = lab::host!(Suite::Bookworm);
    let (ann, bob, proxy) = two_ways(&host, &may_hold(acme("socket")));
    ann.tree(Kind::Graceful, "v2");
    hold(&ann, "v2");
    let child = start(&ann);
    wait_for_step(&host, "await");
    proxy.freeze();
    go(&host, "v2");
    let ran = thread::spawn(move || Ran::new("deploy", &child.ends()));
    host.wait_for("the end of the switch", |host| {
        host.root("test ! -e /opt/acme/.shipit/request").success()
    });
    let live = current(&host);
    assert_live(&host, &live, "v2");
    let ran = ran.join().unwrap().leaves(7);
    assert_eq!(ran.outcome(), "unknown");
    assert_eq!(ran.release(), live);
    assert!(ran.ended()["live"].is_null(), "it does not know: {ran}");
    assert_eq!(ran.ended()["live_known"], false, "{ran}");
    ran.says("the outcome is unknown")
        .says("the host does not respond")
        .says("the host finishes the switch or undoes it on its own")
        .says("shipit status")
        .says("shipit attach");
    bob.shipit(&["attach"])
        .leaves(0)
        .says(&format!("no switch is in progress; {live} is live"));
    proxy.thaw();
    ann.json(&["deploy"]).leaves(0).says("unchanged");
}
