//! The machine's side: the power goes, and with it all that nobody flushed. Whatever was on its way, the host
//! comes up on a confirmed release that is whole to the last byte, and it runs.

use super::point::{Blow, Points};
use super::{Underway, assert_one_at_a_time, assert_whole, everything, rest};
use crate::apps::{ACME, Kind, Service};
use crate::deploys::desk::{Desk, acme, answer, assert_live, current};
use crate::lab::{self, Suite};

/// Cuts the power right after that step began, and right after it was done; the exit codes as in `conductor`.
fn cut(suite: Suite, strategy: &str, step: &str, after_started: i32, after_done: i32) {
    let host = lab::host!(suite.that_forgets());
    let desk = everything(&host, strategy, "1s");
    let points = Points::on(&host);
    for (state, exit) in [("started", after_started), ("done", after_done)] {
        let before = (current(&host), answer(&host));
        let version = format!("{step}-{state}");
        desk.tree(Kind::Graceful, &version);
        points.strike(Blow::Hold, &format!("step * {step}* {state}"));
        let run = Underway::start(&desk, &["deploy"]);
        points.cut_power();
        host.boot_again();
        let ran = run.end().leaves(exit);
        rest(&host);
        assert_whole(&host);
        host.root("grep -qx ready /opt/acme/current/prepared").ok();
        if exit == 0 {
            assert_live(&host, &ran.release(), &version);
        } else {
            assert_live(&host, &before.0, &before.1);
        }
        assert!(ACME.migrations(&host).iter().filter(|v| **v == version).count() <= 1);
        desk.shipit(&["status"]).leaves(0).says("(verified)");
        let ran = desk.json(&["deploy"]).leaves(0);
        assert_live(&host, &ran.release(), &version);
    }
    assert_one_at_a_time(&host);
}

/// A test for each step, so that a failure names it. CI runs some of them, `scripts/faults.sh` all.
macro_rules! cut {
    ($($(#[$ignore:meta])? $test:ident: $suite:ident, $strategy:literal, $step:literal, $started:literal, $done:literal;)*) => {
        $(#[test]
        $(#[$ignore])?
        fn $test() {
            cut(Suite::$suite, $strategy, $step, $started, $done);
        })*
    };
}

cut! {
    #[ignore = "scripts/faults.sh"]
    after_a_power_cut_at_baseline_the_host_goes_on: Bookworm, "restart", "baseline", 0, 0;
    after_a_power_cut_at_migrate_the_host_goes_on: Trixie, "restart", "migrate", 0, 0;
    #[ignore = "scripts/faults.sh"]
    after_a_power_cut_at_measure_the_host_goes_on: Bookworm, "socket", "measure", 0, 0;
    after_a_power_cut_at_flip_the_host_goes_on_or_back: Bookworm, "socket", "flip", 0, 3;
    after_a_power_cut_at_restart_the_host_goes_back: Bookworm, "restart", "restart", 3, 3;
    #[ignore = "scripts/faults.sh"]
    after_a_power_cut_at_reload_the_host_goes_back: Bookworm, "reload", "reload", 3, 3;
    #[ignore = "scripts/faults.sh"]
    after_a_power_cut_at_socket_the_host_goes_back: Trixie, "socket", "socket", 3, 3;
    #[ignore = "scripts/faults.sh"]
    after_a_power_cut_at_slot_the_host_goes_on_or_back: Bookworm, "handover", "slot", 0, 3;
    after_a_power_cut_at_stop_the_host_goes_back: Trixie, "handover", "stop", 3, 3;
    #[ignore = "scripts/faults.sh"]
    after_a_power_cut_at_await_the_host_goes_back: Bookworm, "socket", "await", 3, 3;
    after_a_power_cut_at_confirm_the_host_goes_back_or_on: Bookworm, "socket", "confirm", 3, 0;
    #[ignore = "scripts/faults.sh"]
    after_a_power_cut_at_prune_the_host_goes_on: Trixie, "socket", "prune", 0, 0;
    #[ignore = "scripts/faults.sh"]
    after_a_power_cut_at_spare_the_host_goes_on: Bookworm, "reload", "spare", 0, 0;
}

/// A cycle among the units of a boot costs one of them its start, now and then another one.
#[test]
fn the_guard_stands_in_nobodys_way_at_boot() {
    for suite in [Suite::Bookworm, Suite::Trixie] {
        let host = lab::host!(suite.that_forgets());
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
    let host = lab::host!(Suite::Trixie.that_forgets());
    let desk = everything(&host, "socket", "2s");
    let points = Points::on(&host);
    let before = current(&host);
    desk.tree(Kind::Graceful, "v3");
    points.strike(Blow::Hold, "step switch await* started");
    let run = Underway::start(&desk, &["deploy"]);
    for next in ["step revert flip* done", "step revert await* started"] {
        points.cut_power();
        points.strike(Blow::Hold, next);
        host.boot_again();
    }
    points.cut_power();
    host.boot_again();
    run.end().leaves(3);
    rest(&host);
    assert_live(&host, &before, "v2");
}
