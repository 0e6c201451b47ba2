//! The power goes, at every step of a switch: at boot `current` is a confirmed release, and it runs.

use super::conductor::when;
use super::{Underway, assert_whole, rest};
use crate::apps::{Kind, Service};
use crate::deploys::desk::{Desk, acme, answer, assert_live, current};
use crate::lab::{self, Suite};

#[test]
fn after_a_power_cut_at_any_step_the_host_comes_up_on_a_confirmed_release() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(
        &host,
        Service::Socket,
        &acme("socket").health("watch", "1s"),
    );
    for (step, state) in [
        ("measure", "started"),
        ("flip", "started"),
        ("flip", "done"),
        ("socket", "done"),
        ("await", "started"),
        ("confirm", "done"),
        ("spare", "started"),
    ] {
        let before = (current(&host), answer(&host));
        let version = format!("{step}-{state}");
        desk.tree(Kind::Graceful, &version);
        let run = Underway::start(&desk, &["deploy"]);
        assert!(
            when(&host, &format!("step [a-z]* {step}.* {state}"), ":"),
            "{version} never came: {}",
            run.end()
        );
        host.power_cut();
        host.boot_again();
        let ran = run.end();
        rest(&host);
        assert_whole(&host);
        match ran.code() {
            Some(0) => assert_live(&host, &ran.release(), &version),
            Some(3) => assert_live(&host, &before.0, &before.1),
            _ => panic!("{version}: {ran}"),
        }
        desk.shipit(&["status"]).leaves(0).says("(verified)");
        desk.json(&["deploy"]).leaves(0);
    }
}

/// A cycle among the units of a boot costs one of them its start, now and then another one.
#[test]
fn the_guard_stands_in_nobodys_way_at_boot() {
    for suite in [Suite::Bookworm, Suite::Trixie] {
        let host = lab::host!(suite);
        let yml = acme("socket").with("migrate: acme-migrate.service");
        let _desk = Desk::live(&host, Service::Socket, &yml);
        let said = host.root("systemd-analyze verify --man=no default.target 2>&1");
        let ours: Vec<&str> = said
            .stdout
            .lines()
            .filter(|line| line.contains("acme") || line.contains("cycle"))
            .collect();
        assert!(ours.is_empty(), "{ours:#?}");
        host.power_cut();
        host.boot_again();
        rest(&host);
        assert_whole(&host);
    }
}

#[test]
fn a_second_power_cut_during_the_way_back_changes_nothing() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::live(
        &host,
        Service::Socket,
        &acme("socket").health("watch", "2s"),
    );
    let before = current(&host);
    desk.tree(Kind::Graceful, "v2");
    let run = Underway::start(&desk, &["deploy"]);
    assert!(when(&host, "step switch await.* started", ":"));
    host.power_cut();
    host.boot_again();
    assert!(when(&host, "step revert await.* started", ":"));
    host.power_cut();
    host.boot_again();
    run.end().leaves(3);
    rest(&host);
    assert_live(&host, &before, "v1");
}
