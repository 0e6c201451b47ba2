//! A host that is busy, stuck or read-only for a while: systemd that executes itself again, a command that hangs, a disk
//! that takes nothing. The switch waits, or is ended and undone; nobody waits forever.

use rustix::process::Signal;

use super::migrations::{begun, live, runs};
use super::{Underway, assert_whole, rest};
use crate::apps::{ACME, Kind, Migrate, Service};
use crate::deploys::desk::{Desk, acme, assert_live, current};
use crate::deploys::held::{go, hold, may_hold};
use crate::lab::{self, Host, Suite};

#[test]
fn a_migration_goes_on_while_systemd_executes_itself_again() {
    let host = lab::host!(Suite::Bookworm);
    let desk = live(&host, "");
    desk.tree_migrating(Kind::Graceful, "v2", Migrate::UntilTold);
    let run = Underway::start(&desk, &["deploy"]);
    begun(&host, "v2");
    host.root("for n in 1 2 3; do systemctl daemon-reexec; done").ok();
    host.root("touch /var/lib/acme/told").ok();
    let ran = run.end().leaves(0);
    assert_live(&host, &ran.release(), "v2");
    assert_eq!(runs(&host, "v2"), 1);

    // A start that works and fails, and one that does neither; then twenty looks that fail.
    let shims = [("v3", "/usr/bin/sudo \"$@\""), ("v4", ":")];
    host.write_file(
        "/usr/local/bin/systemctl",
        b"#!/bin/sh\ncase \"$*\" in *show*acme-migrate*) for n in $(seq 20); do
            [ ! -e /tmp/struck ] || ! mkdir /tmp/look.$n 2>/dev/null || exit 1; done ;; esac\nexec /usr/bin/systemctl \"$@\"\n",
    );
    for (version, does) in shims {
        let shim = format!(
            "#!/bin/sh\ncase \"$*\" in *'start acme-migrate.service')
                ! mkdir /tmp/struck 2>/dev/null || {{ {does}; exit 1; }} ;; esac\nexec /usr/bin/sudo \"$@\"\n"
        );
        host.write_file("/usr/local/bin/sudo", shim.as_bytes());
        host.root("chmod 0755 /usr/local/bin/*; rm -rf /tmp/struck /tmp/look.*")
            .ok();
        desk.tree(Kind::Graceful, version);
        let ran = desk.json(&["deploy"]).leaves(0);
        host.root("test -e /tmp/struck && test -e /tmp/look.20").ok();
        assert_live(&host, &ran.release(), version);
        assert_eq!(runs(&host, version), 1);
    }
}

/// Somebody started it by hand: it ends by itself, and only then the release's own begins.
#[test]
fn a_migration_that_runs_already_is_waited_for_and_not_stopped() {
    let host = lab::host!(Suite::Trixie);
    let desk = live(&host, "");
    let drop_in = "/etc/systemd/system/acme-migrate.service.d/first.conf";
    host.write_file(
        drop_in,
        b"[Service]\nWorkingDirectory=/\nExecStart=\nExecStart=/bin/sh -c 'until [ -e /var/lib/acme/go ]; do sleep 0.1; done; touch /var/lib/acme/whole'\n",
    );
    host.root(&format!(
        "systemctl daemon-reload && systemctl --no-block start acme-migrate.service && rm {drop_in} && systemctl daemon-reload"
    ))
    .ok();
    desk.tree(Kind::Graceful, "v2");
    let run = Underway::start(&desk, &["deploy"]);
    let waits = "grep -q 'already running' /opt/acme/.shipit/runs/*/events";
    host.wait_for("the switch to wait", |host: &Host| host.root(waits).success());
    host.root("touch /var/lib/acme/go").ok();
    let ran = run.end().leaves(0);
    assert_live(&host, &ran.release(), "v2");
    host.root("test -e /var/lib/acme/whole").ok();
    assert_eq!(ACME.migrations(&host).len(), 2, "v1 and v2");
}

#[test]
fn good_releases_go_live_while_systemd_executes_itself_again() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Socket, &may_hold(acme("socket")));
    desk.tree(Kind::Graceful, "v2");
    hold(&desk, "v2");
    let mut run = Underway::start(&desk, &["deploy"]);
    assert!(run.until("flip", "started"));
    host.root("for n in 1 2 3; do systemctl daemon-reexec; done").ok();
    go(&host, "v2");
    let ran = run.end().leaves(0);
    assert_live(&host, &ran.release(), "v2");
}

/// Before the flip and while a release is awaited; forward, by a rollback, and when a release that crashes is reverted.
#[test]
fn a_restart_a_rollback_and_a_revert_go_on_while_systemd_executes_itself_again() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::ready(&host, Service::Notify, &may_hold(acme("restart")));
    let tree = |kind: Kind, version: &str| {
        desk.tree(kind, version);
        hold(&desk, version);
    };
    tree(Kind::Graceful, "v1");
    go(&host, "v1");
    let v1 = desk.json(&["deploy"]).leaves(0).release();
    // The release that is awaited is held meanwhile.
    let meanwhile = |args: &[&str], version: &str, step: &str, code: i32| {
        host.root(&format!("rm -f /run/go-{version}")).ok();
        let mut run = Underway::start(&desk, args);
        assert!(run.until(step, "started"), "{args:?} has no step {step}");
        host.root("for n in 1 2 3; do systemctl daemon-reexec; done").ok();
        go(&host, version);
        run.end().leaves(code)
    };
    for (version, step) in [("v2", "baseline"), ("v3", "await")] {
        tree(Kind::Graceful, version);
        let ran = meanwhile(&["deploy"], version, step, 0);
        assert_live(&host, &ran.release(), version);
    }
    for (version, step) in [("v2", "flip"), ("v1", "await")] {
        let ran = meanwhile(&["rollback"], version, step, 0);
        assert_live(&host, &ran.release(), version);
    }
    tree(Kind::CrashAtStart, "v4");
    meanwhile(&["deploy"], "v4", "await", 3);
    assert_live(&host, &v1, "v1");
}

/// `sudo` hangs, which the conductor cannot end: systemd kills it, and the next conductor reverts.
#[test]
fn a_switch_that_hangs_is_ended_by_the_watchdog_and_reverted() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    let before = current(&host);
    let drop_in = "/etc/systemd/system/shipit-acme.service.d/soon.conf";
    host.write_file(drop_in, b"[Service]\nWatchdogSec=40s\n");
    host.write_file(
        "/usr/local/bin/sudo",
        b"#!/bin/sh\ncase \"$*\" in *-l*) ;; *restart*) rm /var/lib/hang/now 2>/dev/null && sleep 600 ;; esac\nexec /usr/bin/sudo \"$@\"\n",
    );
    host.root(
        "chmod 755 /usr/local/bin/sudo && install -d -o deploy /var/lib/hang && touch /var/lib/hang/now && systemctl daemon-reload",
    )
    .ok();
    desk.tree(Kind::Graceful, "v2");
    desk.json(&["deploy"]).leaves(3);
    rest(&host);
    assert_whole(&host);
    assert_live(&host, &before, "v1");
    let journal = host.journal(Some("shipit-acme.service"));
    assert!(journal.contains("Watchdog timeout"), "{journal}");
    let good = desk.deploy(Kind::Graceful, "v3");
    assert_live(&host, &good, "v3");
}

/// A first deploy: nothing measures, so no file is open for writing, and the disk can be remounted.
#[test]
fn a_disk_that_turns_read_only_is_told_and_the_switch_waits_for_it() {
    let host = lab::host!(Suite::Bookworm.with_small_disk("60M"));
    let desk = Desk::ready(&host, Service::Notify, &may_hold(acme("restart")));
    desk.tree(Kind::Graceful, "v1");
    hold(&desk, "v1");
    let mut run = Underway::start(&desk, &["deploy"]);
    assert!(run.until("await", "started"));
    host.root("n=0; until mount -o remount,ro /opt; do n=$((n + 1)); [ $n -lt 500 ] || exit 1; sleep 0.01; done")
        .ok();
    go(&host, "v1");
    run.end().leaves(7).says("is read-only");
    let waits = |host: &Host| {
        let lines = "journalctl -u shipit-acme.service -o cat | grep -c 'waiting until it is writable'";
        host.root(lines).stdout.trim().to_owned()
    };
    host.wait_for("the conductor to wait", |host| waits(host) != "0");
    desk.shipit(&["status"]).leaves(7).says("is read-only");
    // Who cancels now leaves a word that waits for the disk.
    let watcher = Underway::start(&desk, &["attach"]);
    host.wait_for("the watcher", |host| {
        host.root("pgrep -u deploy -f '^tail .* events$'").success()
    });
    watcher.signal(Signal::INT);
    host.wait_for("the word", |host| {
        host.root("pgrep -u deploy -x -f 'sleep 0.2'").success()
    });
    // One that ended would be started again each second.
    host.root("sleep 3").ok();
    assert_eq!(waits(&host), "1", "the conductor starts again and again");
    host.root("mount -o remount,rw /opt").ok();
    host.wait_for("the end of the switch", |host: &Host| {
        !host.root("test -e /opt/acme/.shipit/request").success()
    });
    let ledger = host.read_file("/opt/acme/.shipit/ledger");
    assert!(ledger.contains(" reverted "), "{ledger}");
    assert_eq!(current(&host), "", "nothing was confirmed");
    watcher.end();
    let good = desk.deploy(Kind::Graceful, "v2");
    assert_live(&host, &good, "v2");
}

/// An error of the file system, in the middle of a switch, with files open: nothing can be written until the host was
/// off and the disk repaired. Then the host undoes what was not confirmed.
#[test]
fn a_disk_that_fails_is_told_and_the_switch_is_undone_after_the_repair() {
    let host = lab::host!(Suite::Trixie.with_small_disk("60M"));
    let desk = Desk::live(&host, Service::Notify, &may_hold(acme("restart")));
    let before = current(&host);
    desk.tree(Kind::Graceful, "v2");
    hold(&desk, "v2");
    let mut run = Underway::start(&desk, &["deploy"]);
    assert!(run.until("await", "started"));
    assert_ne!(current(&host), before);
    host.break_disk();
    go(&host, "v2");
    assert!(!host.root("touch /opt/acme/new").success());
    run.end().leaves(7).says("is read-only");
    desk.shipit(&["status"]).leaves(7).says("is read-only");
    desk.tree(Kind::Graceful, "v3");
    desk.shipit(&["deploy"]).leaves(5).says("is read-only");
    host.power_cut();
    host.repair_disk();
    host.boot_again();
    rest(&host);
    assert_whole(&host);
    assert_live(&host, &before, "v1");
    let good = desk.deploy(Kind::Graceful, "v4");
    assert_live(&host, &good, "v4");
}
