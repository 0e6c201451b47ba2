//! The unit that must succeed before a migration: a dump, what comes of one that fails, and where a rollback says that
//! it is. What cuts and kills do to it is in `faults::backups`.

use serde_json::Value;

use super::desk::{Desk, Ran, Yml, acme, answer, assert_live, current};
use crate::apps::{ACME, Kind, Service};
use crate::lab::{self, Host, Suite};

/// `acme-dump.service`: notes when it began and when it was whole, with the number of migrations before. A file `hold`
/// beside its notes keeps it from ending, one named `fail` makes it fail, and `line` is what it prints at its end.
const UNIT: &str = "[Unit]\nDescription=acme's database dump\n[Service]\nType=oneshot\nUser=app\n\
    StateDirectory=acme-dump\nWorkingDirectory=/var/lib/acme-dump\nTimeoutStartSec=infinity\n\
    ExecStart=/usr/local/bin/acme-dump\n";
const PROGRAM: &str = "#!/bin/sh\n\
    migrated() { cat /var/lib/acme/migrations 2>/dev/null | wc -l; }\n\
    echo \"begun $(migrated)\" >>notes\n\
    while [ -e hold ]; do sleep 0.1; done\n\
    [ ! -e fail ] || { echo 'no space left for the dump' >&2; exit 4; }\n\
    echo \"whole $(migrated)\" >>notes\n\
    [ ! -e line ] || cat line\n";

pub const PLACE: &str = "/var/lib/acme-dump/acme.dump";

/// The dump unit is there, and says where its dump is.
pub fn install(host: &Host) {
    host.write_file("/etc/systemd/system/acme-dump.service", UNIT.as_bytes());
    host.write_file("/usr/local/bin/acme-dump", PROGRAM.as_bytes());
    host.root("chmod 755 /usr/local/bin/acme-dump").ok();
    prints(host, &format!("dumping\nbackup: {PLACE}\n"));
}

/// A dump and a migration that may take so long together.
pub fn configuration(timeout: &str) -> Yml {
    acme("socket").with(&format!(
        "migrate: {{unit: acme-migrate.service, before: acme-dump.service, timeout: {timeout}}}"
    ))
}

/// The unit is installed, and v1 is live.
pub fn live(host: &Host, timeout: &str) -> Desk {
    install(host);
    Desk::live(host, Service::Socket, &configuration(timeout))
}

/// What the dump prints at its end.
fn prints(host: &Host, lines: &str) {
    host.write_file("/var/lib/acme-dump/line", lines.as_bytes());
}

/// The dump's notes: `begun N` and `whole N`, N the migrations before.
pub fn notes(host: &Host) -> Vec<String> {
    let noted = host.root("cat /var/lib/acme-dump/notes").ok();
    noted.lines().map(str::to_owned).collect()
}

pub fn migrations(host: &Host, version: &str) -> usize {
    let ran = ACME.migrations(host);
    ran.iter().filter(|noted| *noted == version).count()
}

fn kept(host: &Host, release: &str) -> Option<String> {
    let path = format!("/opt/acme/.shipit/releases/{release}/backup");
    let there = host.root(&format!("test -e {path}")).success();
    there.then(|| host.read_file(&path))
}

/// The result that the last deploy gave of its backup.
fn note(ran: &Ran) -> Option<String> {
    let events = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap());
    let done = events
        .filter(|event: &Value| event["name"] == "backup acme-dump.service")
        .find(|event| event["state"] == "done");
    done.expect("a backup")["note"].as_str().map(str::to_owned)
}

#[test]
fn a_dump_is_made_before_the_migration_and_a_rollback_says_where_it_is() {
    for suite in Suite::Bookworm.or_both() {
        let host = lab::host!(suite);
        let desk = live(&host, "5m");
        let v1 = current(&host);
        assert_eq!(notes(&host), ["begun 0", "whole 0"], "the first deploy");
        desk.tree(Kind::Graceful, "v2");
        desk.shipit(&["plan"])
            .leaves(0)
            .says("backup    acme-dump.service, at most 300s, before the migration");
        let ran = desk.json(&["deploy"]).leaves(0);
        let v2 = ran.release();
        assert_live(&host, &v2, "v2");
        assert_eq!(note(&ran).as_deref(), Some(PLACE));
        assert_eq!(notes(&host)[2..], ["begun 1", "whole 1"], "before the second migration");
        assert_eq!(kept(&host, &v2), Some(format!("{PLACE}\n")));
        desk.shipit(&["status", "-v"]).leaves(0).says("acme-dump.service");
        host.root("journalctl --sync").ok();
        desk.shipit(&["logs", "--unit", "acme-dump.service"])
            .leaves(0)
            .says("dumping");
        desk.json(&["releases"])
            .leaves(0)
            .says(&format!("\"backup\":\"{PLACE}\""));
        // It fails after its migration, which does not run again: nor does the dump.
        desk.tree(Kind::Unhealthy, "v3");
        let v3 = desk.json(&["deploy"]).leaves(3).release();
        desk.json(&["deploy", "--release", &v3]).leaves(3);
        assert_eq!((notes(&host).len(), migrations(&host, "v3")), (6, 1));
        desk.shipit(&["rollback", &v1])
            .leaves(0)
            .says(&format!("{v2}, {v3} migrated the database after {v1}"))
            .says("the schema stays")
            // It has replaced the one of v2.
            .says(&format!("the backup from before the migration of {v3}: {PLACE}"))
            .never_says(&format!("migration of {v2}:"));
        assert_live(&host, &v1, "v1");
        assert_eq!(notes(&host).len(), 6, "a rollback makes none");
    }
}

#[test]
fn a_dump_that_fails_keeps_the_migration_from_running() {
    for suite in Suite::Trixie.or_both() {
        let host = lab::host!(suite);
        let desk = live(&host, "5m");
        let before = current(&host);
        host.root("touch /var/lib/acme-dump/fail").ok();
        desk.tree(Kind::Graceful, "v2");
        let said = desk.shipit(&["deploy"]).leaves(1);
        said.says("the backup failed: acme-dump.service, exit status 4; the migration did not run")
            .says("no space left for the dump")
            .says("nothing live changed")
            .says("logs --unit acme-dump.service");
        assert_live(&host, &before, "v1");
        assert_eq!(migrations(&host, "v2"), 0);
        // What systemd does not start is no success either.
        host.write_file(
            "/etc/systemd/system/acme-dump.service.d/never.conf",
            b"[Unit]\nConditionPathExists=/nowhere\n",
        );
        host.root("rm /var/lib/acme-dump/fail; systemctl daemon-reload").ok();
        desk.json(&["deploy"])
            .leaves(1)
            .says("acme-dump.service did not run: ")
            .says("the migration did not run");
        assert_eq!(migrations(&host, "v2"), 0);
        host.root("rm -r /etc/systemd/system/acme-dump.service.d; systemctl daemon-reload")
            .ok();
        let ran = desk.json(&["deploy"]).leaves(0);
        assert_live(&host, &ran.release(), "v2");
        assert_eq!(migrations(&host, "v2"), 1);
    }
}

#[test]
fn doctor_knows_the_unit_as_a_job_and_a_deploy_needs_it() {
    let host = lab::host!(Suite::Bookworm);
    let desk = live(&host, "5m");
    desk.shipit(&["doctor", "-v"])
        .says("acme-dump.service")
        .never_says("acme-dump.service is inactive");
    let drop_in = "/etc/systemd/system/acme-dump.service.d/type.conf";
    host.write_file(drop_in, b"[Service]\nType=simple\n");
    host.root("systemctl daemon-reload").ok();
    desk.shipit(&["doctor"]).says("acme-dump.service").says("Type=oneshot");
    host.root("rm -r /etc/systemd/system/acme-dump.service*; systemctl daemon-reload")
        .ok();
    desk.shipit(&["doctor"])
        .leaves(1)
        .says("docs/migrations.md has an example");
    desk.tree(Kind::Graceful, "v2");
    desk.json(&["deploy"])
        .leaves(1)
        .says("acme-dump.service does not exist on the host")
        .never_says("\"progress\"");
}

#[test]
fn a_dump_that_takes_too_long_is_stopped_and_the_migration_does_not_run() {
    let host = lab::host!(Suite::Bookworm);
    let desk = live(&host, "5m");
    desk.write(&configuration("2s"));
    let before = current(&host);
    host.root("touch /var/lib/acme-dump/hold").ok();
    desk.tree(Kind::Graceful, "v2");
    desk.json(&["deploy"])
        .leaves(1)
        .says("the backup was stopped after 2s (timeout); the migration did not run");
    assert_live(&host, &before, "v1");
    assert_eq!(host.unit("acme-dump.service", "MainPID"), "0");
    assert_eq!(migrations(&host, "v2"), 0);
}

#[test]
fn what_a_dump_prints_is_only_data() {
    let host = lab::host!(Suite::Trixie);
    let desk = live(&host, "5m");
    let odd = "/b/$(touch /tmp/ran);`id` \"q\" \\n 'ü' 9 step switch migrate failed 3 x ended";
    for (version, lines, place) in [
        (
            "v2",
            format!("backup: /first\nbackup:   {odd}  \nbackup:\nno backup: /x\n"),
            Some(odd),
        ),
        ("v3", "backup: /b/\u{1b}[31mred\n".to_owned(), None),
        ("v3.1", "backup: /b/a\ttab\n".to_owned(), None),
        ("v4", format!("backup: /{}\n", "x".repeat(5000)), None),
        ("v5", "dumped\n".to_owned(), None),
    ] {
        prints(&host, &lines);
        desk.tree(Kind::Graceful, version);
        let ran = desk.json(&["deploy"]).leaves(0);
        assert_eq!(note(&ran).as_deref(), place, "{version}");
        assert_eq!(
            kept(&host, &ran.release()),
            place.map(|place| format!("{place}\n")),
            "{version}"
        );
        desk.shipit(&["history"]).leaves(0);
    }
    host.root("test ! -e /tmp/ran").ok();
    // Others than the conductor may write there.
    let path = format!("/opt/acme/.shipit/releases/{}/backup", current(&host));
    host.write_file(&path, b"/b/\x1b[31mred\n");
    let said = desk.shipit(&["rollback"]).leaves(0);
    assert!(!said.stderr.contains("\u{1b}[31mred"), "{said}");
    assert_eq!(answer(&host), "v4");
}
