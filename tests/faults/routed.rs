//! The conductor dies, and the power goes, while a router is turned: the router, `current` and the slots end at one
//! release, and clients of the router notice nothing of a conductor that died.

use super::Underway;
use super::point::{Blow, Points};
use crate::apps::{Kind, Service};
use crate::deploys::blue_green::{Clients, Edge, assert_agrees};
use crate::deploys::desk::{Desk, current};
use crate::deploys::rolling;
use crate::lab::{self, Builder, Host, Suite};

/// Each step of a switch from the first that changes something, with what must come of a conductor that dies right after
/// it began, and right after it was done.
const STEPS: [(&str, i32, i32); 9] = [
    ("slot", 0, 3),
    ("restart", 3, 3),
    ("await", 3, 3),
    ("flip", 3, 3),
    ("route", 3, 3),
    ("drain", 3, 3),
    ("stop", 3, 3),
    ("confirm", 3, 0),
    ("spare", 0, 0),
];

/// The points of those steps, with the exit code: all of them if `SHIPIT_ROUNDS` is set, else the sample.
fn points(sample: &[(&str, &str)]) -> Vec<(&'static str, &'static str, i32)> {
    let all = std::env::var_os("SHIPIT_ROUNDS").is_some();
    let points = STEPS
        .iter()
        .flat_map(|(step, started, done)| [(*step, "started", *started), (*step, "done", *done)]);
    points
        .filter(|(step, state, _)| all || sample.contains(&(step, state)))
        .collect()
}

fn at_rest(host: &Host) {
    host.wait_for("the end of the switch", |host: &Host| {
        host.root("test ! -e /opt/acme/.shipit/request").success()
    });
}

fn a_conductor_dies(edge: Edge, suite: Suite) {
    let host = lab::host!(suite);
    edge.install(&host);
    let desk = Desk::live(&host, Service::Routed, &edge.yml("0s"));
    let points = Points::on(&host);
    let clients = Clients::of(&host);
    for (step, state, exit) in self::points(&[("route", "done"), ("stop", "done")]) {
        let before = current(&host);
        desk.tree(Kind::Graceful, &format!("{step}-{state}"));
        points.strike(Blow::Kill, &format!("step * {step}* {state}"));
        let ran = desk.json(&["deploy"]).leaves(exit);
        points.struck();
        at_rest(&host);
        assert_agrees(&host, &if exit == 0 { ran.release() } else { before });
    }
    clients.saw_no_failure();
}

#[test]
fn clients_of_nginx_do_not_notice_a_conductor_that_dies() {
    a_conductor_dies(Edge::Nginx, Suite::Trixie);
}

#[test]
fn clients_of_haproxy_do_not_notice_a_conductor_that_dies() {
    a_conductor_dies(Edge::Haproxy, Suite::Bookworm);
}

fn the_power_goes(edge: Edge, suite: impl Into<Builder>) {
    let host = lab::host!(suite.into().that_forgets());
    edge.install(&host);
    host.root(
        "systemctl --quiet enable nginx haproxy && { ! id caddy >/dev/null 2>&1 || systemctl --quiet enable caddy; }",
    )
    .ok();
    let desk = Desk::live(&host, Service::Routed, &edge.yml("0s"));
    let points = Points::on(&host);
    for (step, state, exit) in self::points(&[("stop", "done")]) {
        let before = current(&host);
        desk.tree(Kind::Graceful, &format!("{step}-{state}"));
        points.strike(Blow::Hold, &format!("step * {step}* {state}"));
        let run = Underway::start(&desk, &["deploy"]);
        points.cut_power();
        host.boot_again();
        let ran = run.end().leaves(exit);
        at_rest(&host);
        assert_agrees(&host, &if exit == 0 { ran.release() } else { before });
    }
}

#[test]
fn after_a_power_cut_nginx_leads_to_what_is_confirmed() {
    the_power_goes(Edge::Nginx, Suite::Bookworm);
}

#[test]
fn after_a_power_cut_caddy_leads_to_what_is_confirmed() {
    the_power_goes(Edge::CaddyPorts, Suite::Bookworm.with_apps());
}

#[test]
fn after_a_power_cut_haproxy_leads_to_what_is_confirmed() {
    the_power_goes(Edge::Haproxy, Suite::Trixie);
}

/// Of three instances that change one by one: before anything changed, and while the second one has left the router.
#[test]
fn clients_of_several_instances_do_not_notice_a_conductor_that_dies() {
    let (edge, host) = (Edge::Haproxy, lab::host!(Suite::Trixie));
    let desk = rolling::live(edge, &host);
    let points = Points::on(&host);
    let clients = Clients::of(&host);
    for (point, exit) in [
        ("drain acme/1 started", 0),
        ("drain acme/2 done", 3),
        ("restart acme@2.service done", 3),
        ("route acme/3 done", 3),
    ] {
        let before = current(&host);
        desk.tree(Kind::Graceful, "next");
        desk.file("source/public/point", point);
        points.strike(Blow::Kill, &format!("step switch {point}"));
        let ran = desk.json(&["deploy"]).leaves(exit);
        points.struck();
        at_rest(&host);
        let live = if exit == 0 { ran.release() } else { before };
        rolling::assert_all_run(edge, &host, &live);
    }
    clients.saw_no_failure();
}

#[test]
fn after_a_power_cut_all_of_several_instances_run_what_is_confirmed_and_nginx_leads_to_each() {
    let (edge, host) = (Edge::Nginx, lab::host!(Builder::from(Suite::Bookworm).that_forgets()));
    let desk = rolling::live(edge, &host);
    host.root("systemctl --quiet enable nginx").ok();
    let points = Points::on(&host);
    let before = current(&host);
    desk.tree(Kind::Graceful, "next");
    points.strike(Blow::Hold, "step switch restart acme@2.service done");
    let run = Underway::start(&desk, &["deploy"]);
    points.cut_power();
    host.boot_again();
    run.end().leaves(3);
    at_rest(&host);
    rolling::assert_all_run(edge, &host, &before);
}
