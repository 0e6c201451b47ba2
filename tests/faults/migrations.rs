//! A migration that loses its conductor or its power: it is joined, believed where the host knows, and asked
//! about where nobody does. It never runs twice for a release.

use super::{Underway, assert_whole, rest};
use crate::apps::{ACME, Kind, Migrate, Service};
use crate::deploys::desk::{Desk, Ran, acme, answer, assert_live, current};
use crate::lab::{self, Host, Suite};

/// v1 is live; the migration unit may take its time, and has that line more.
pub(super) fn live(host: &Host, line: &str) -> Desk {
    host.write_file(
        "/etc/systemd/system/acme-migrate.service.d/slow.conf",
        format!("[Service]\nTimeoutStartSec=infinity\n{line}\n").as_bytes(),
    );
    let yml = acme("socket").with("migrate: acme-migrate.service");
    Desk::live(host, Service::Socket, &yml)
}

/// How often the migration of that release was started.
pub(super) fn runs(host: &Host, version: &str) -> usize {
    let ran = ACME.migrations(host);
    ran.iter().filter(|noted| *noted == version).count()
}

/// Waits until the migration of that release has begun.
#[track_caller]
pub(super) fn begun(host: &Host, version: &str) {
    host.wait_for("the migration", |host: &Host| runs(host, version) == 1);
}

const KILL: &str =
    "pid=$(systemctl show -p MainPID --value shipit-acme.service); [ \"$pid\" -gt 1 ] && kill -KILL \"$pid\"";

#[test]
fn a_migration_that_still_runs_is_joined_by_the_next_conductor() {
    let host = lab::host!(Suite::Bookworm);
    let desk = live(&host, "");
    desk.tree_migrating(Kind::Graceful, "v2", Migrate::UntilTold);
    let run = Underway::start(&desk, &["deploy"]);
    begun(&host, "v2");
    host.root(KILL).ok();
    let joins = "cat /opt/acme/.shipit/runs/*/events | grep -c 'step switch migrate acme-migrate.service.* started'";
    host.wait_for("the next conductor", |host: &Host| {
        host.root(joins).stdout.trim() == "3"
    });
    host.root("touch /var/lib/acme/told").ok();
    let ran = run.end().leaves(0);
    assert_live(&host, &ran.release(), "v2");
    assert_eq!(runs(&host, "v2"), 1);
}

/// A conductor that was killed comes back to a cancel: the migration is stopped as for any cancel, not left to run without
/// a record and without its directory.
#[test]
fn a_cancel_that_comes_while_no_conductor_runs_stops_the_migration() {
    let host = lab::host!(Suite::Bookworm);
    let desk = live(&host, "");
    let before = current(&host);
    desk.tree_migrating(Kind::Graceful, "v2", Migrate::UntilTold);
    let run = Underway::start(&desk, &["deploy"]);
    begun(&host, "v2");
    host.root("systemctl stop shipit-acme.path").ok();
    host.root(KILL).ok();
    run.signal(rustix::process::Signal::INT);
    host.wait_for("the cancel", |host: &Host| {
        host.root("test -e /opt/acme/.shipit/runs/*/cancel").success()
    });
    assert!(host.root("test -e /opt/acme/next/migrate").success());
    host.root("systemctl start shipit-acme.path").ok();
    run.end().leaves(1).says("the migration was canceled by a user");
    assert_ne!(host.unit("acme-migrate.service", "ActiveState"), "activating");
    assert!(!host.root("test -e /opt/acme/next").success());
    assert_live(&host, &before, "v1");
}

/// The unit still shows how the migration of an earlier release failed.
#[test]
fn a_conductor_that_is_killed_just_before_the_start_starts_the_migration() {
    let host = lab::host!(Suite::Bookworm);
    let desk = live(&host, "");
    desk.tree_migrating(Kind::Graceful, "v2", Migrate::Fails);
    desk.json(&["deploy"]).leaves(1).says("the migration failed");
    host.write_file(
        "/usr/local/bin/sync",
        b"#!/bin/sh\ncase \"$*\" in releases/*)\n\
          read -r word _ <\"$1/migration\" && [ \"$word\" = started ] && mkdir /tmp/struck &&\n\
          kill -KILL \"$(cut -d ' ' -f 4 /proc/$PPID/stat)\" ;;\nesac 2>/dev/null\nexec /usr/bin/sync \"$@\"\n",
    );
    host.root("chmod 0755 /usr/local/bin/sync").ok();
    desk.tree(Kind::Graceful, "v3");
    let ran = desk.json(&["deploy"]).leaves(0);
    assert!(host.root("test -d /tmp/struck").success(), "nothing was killed: {ran}");
    assert_live(&host, &ran.release(), "v3");
    assert_eq!(runs(&host, "v3"), 1);
}

/// The migration ends while no conductor is there to see it.
fn ends_unseen(host: &Host, desk: &Desk) -> Ran {
    desk.tree_migrating(Kind::Graceful, "v2", Migrate::UntilTold);
    let run = Underway::start(desk, &["deploy"]);
    begun(host, "v2");
    host.root("systemctl stop shipit-acme.path").ok();
    host.root(KILL).ok();
    host.root("touch /var/lib/acme/told").ok();
    host.wait_for("its end", |host: &Host| {
        !host.unit("acme-migrate.service", "ActiveState").ends_with("activating")
    });
    host.root("systemctl start shipit-acme.path").ok();
    run.end()
}

#[test]
fn a_migration_that_ended_unseen_is_believed_where_systemd_remembers() {
    let host = lab::host!(Suite::Trixie);
    let desk = live(&host, "RemainAfterExit=yes");
    let ran = ends_unseen(&host, &desk).leaves(0);
    assert_live(&host, &ran.release(), "v2");
    assert_eq!(runs(&host, "v2"), 1);
}

#[test]
fn a_migration_that_ended_unseen_and_forgotten_is_a_question() {
    let host = lab::host!(Suite::Trixie);
    let desk = live(&host, "");
    let before = current(&host);
    ends_unseen(&host, &desk).leaves(1).says("interrupted");
    assert_live(&host, &before, "v1");
    desk.json(&["deploy"]).leaves(1).says("--migration again");
    let ran = desk.json(&["deploy", "--migration", "again"]).leaves(0);
    assert_live(&host, &ran.release(), "v2");
    assert_eq!(runs(&host, "v2"), 2, "another release of the same version");
}

#[test]
fn a_migration_that_was_interrupted_is_a_question_and_never_runs_twice() {
    let host = lab::host!(Suite::Bookworm.that_forgets());
    let desk = live(&host, "");
    host.flush();
    let before = current(&host);
    desk.tree_migrating(Kind::Graceful, "v2", Migrate::UntilTold);
    let run = Underway::start(&desk, &["deploy"]);
    // Power goes while the migration runs: systemd forgets it.
    begun(&host, "v2");
    host.power_cut();
    host.boot_again();
    let ran = run.end().leaves(1).says("interrupted");
    assert_eq!(ran.outcome(), "failed", "{ran}");
    // The app itself is still booting.
    rest(&host);
    assert_whole(&host);
    assert_live(&host, &before, "v1");
    desk.json(&["deploy"]).leaves(1).says("--migration done");
    let ran = desk.json(&["deploy", "--migration", "done"]).leaves(0);
    assert_live(&host, &ran.release(), "v2");
    // What it noted itself went with the power: systemd knows whether it began since.
    let journal = host.journal(Some("acme-migrate.service"));
    assert!(!journal.contains("Start"), "ran again: {journal}");
}

/// The migration unit has these lines more.
fn with_lines(host: &Host, lines: &str) {
    let drop_in = "/etc/systemd/system/acme-migrate.service.d/more.conf";
    host.write_file(drop_in, lines.as_bytes());
    host.root("systemctl daemon-reload").ok();
}

#[test]
fn a_migration_that_systemd_never_started_is_no_success() {
    let host = lab::host!(Suite::Bookworm);
    let desk = live(&host, "");
    let before = current(&host);
    host.write_file(
        "/etc/systemd/system/db.service",
        b"[Service]\nType=oneshot\nExecStart=/bin/false\n",
    );
    // systemd shows how the first one ended after it too, and for the others an inactive unit and "success".
    let never = [
        (
            "[Service]\nExecStart=\nExecStart=/bin/false\n",
            "the migration failed: acme-migrate.service, exit status 1",
        ),
        ("[Unit]\nRequires=db.service\nAfter=db.service\n", "did not run"),
        ("[Unit]\nConditionPathExists=/nowhere\n", "did not run"),
        ("[Unit]\nRequires=db.service\nAfter=db.service\n", "did not run"),
        ("[Unit]\nCollectMode=inactive-or-failed\n", "CollectMode="),
    ];
    for (lines, words) in never {
        with_lines(&host, lines);
        desk.tree(Kind::Graceful, "v2");
        desk.json(&["deploy"]).leaves(1).says(words);
        assert_live(&host, &before, "v1");
    }
    assert_eq!(runs(&host, "v2"), 0);
    // Over before anybody could look: that it ran is told all the same.
    with_lines(&host, "[Service]\nExecStart=\nExecStart=/bin/true\n");
    let v2 = desk.deploy(Kind::Graceful, "v2");
    assert_live(&host, &v2, "v2");
    // Without a journal nobody can tell, and a person is asked.
    host.root("systemctl stop systemd-journald-dev-log.socket systemd-journald.socket systemd-journald.service")
        .ok();
    // On a busy machine it takes long enough to be seen: then its end is known, and the next one is tried.
    let unseen = (3..40).find_map(|n| {
        let live = (current(&host), answer(&host));
        desk.tree(Kind::Graceful, &format!("v{n}"));
        let ran = desk.json(&["deploy"]);
        (ran.code() != Some(0)).then_some((ran, live))
    });
    let (ran, live) = unseen.expect("one that nobody saw");
    ran.leaves(1).says("it is unknown whether");
    assert_live(&host, &live.0, &live.1);
    desk.json(&["deploy"]).leaves(1).says("--migration done");
    desk.json(&["deploy", "--migration", "done"]).leaves(0);
}

#[test]
fn a_migration_that_is_joined_keeps_the_time_it_was_given() {
    let host = lab::host!(Suite::Trixie);
    let desk = live(&host, "");
    let before = current(&host);
    desk.write(&acme("socket").with("migrate: {unit: acme-migrate.service, timeout: 5s}"));
    // The migration itself kills the conductor, within its time. On a machine that is too busy for that, the next one does.
    with_lines(
        &host,
        "[Service]\nExecStartPre=+/bin/sh -c 'kill -KILL $$(systemctl show -p MainPID --value shipit-acme.service)'\n",
    );
    desk.tree_migrating(Kind::Graceful, "v2", Migrate::UntilTold);
    let joined = (0..5).any(|_| {
        desk.json(&["deploy"]).leaves(1).says("stopped after 5s");
        assert_live(&host, &before, "v1");
        host.root("test -e /opt/acme/.shipit/runs/*/attempt-2").success()
    });
    assert!(joined, "no conductor died while the migration ran");
}
