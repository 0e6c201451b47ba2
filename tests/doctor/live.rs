//! What a host says of its units reaches the rules: each fact is made true on a real host and found again.

use serde_json::Value;

use crate::apps::{ACME, Kind, Service};
use crate::deploys::desk::{Desk, Ran, acme};
use crate::lab::{self, Host, Suite};

/// The findings of one rule, as `file: message`.
fn found(ran: &Ran, rule: &str) -> Vec<String> {
    let lines = ran.stdout.lines();
    lines
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|finding| finding["rule"] == rule)
        .map(|finding| {
            let word = |key: &str| finding[key].as_str().unwrap().to_owned();
            format!("{}: {}", word("file"), word("message"))
        })
        .collect()
}

#[track_caller]
fn says(ran: &Ran, rule: &str, words: &str) {
    let all = found(ran, rule);
    assert!(
        all.iter().any(|one| one.contains(words)),
        "{rule} does not say {words}: {all:?}\n{ran}"
    );
}

#[track_caller]
fn silent(ran: &Ran, rule: &str) {
    assert_eq!(found(ran, rule), [""; 0], "{ran}");
}

fn drop_in(host: &Host, file: &str, text: &str) {
    let dir = "/etc/systemd/system/acme.service.d";
    host.root(&format!("mkdir -p {dir}")).ok();
    host.write_file(&format!("{dir}/{file}"), text.as_bytes());
}

fn facts_are_found(suite: Suite) {
    let host = lab::host!(suite);
    let yml = acme("socket").with("migrate: acme-migrate.service");
    let desk = Desk::ready(&host, Service::Socket, &yml);
    ACME.bring_up(&host, Service::Socket, Kind::Graceful, "v1");
    let lint = ["unit", "lint", "--host", "--fail-on", "error"];
    let quiet = desk.json(&lint);
    for rule in [
        "drift-reload",
        "drift-load",
        "drift-failed",
        "user-missing",
        "exec-missing",
        "socket-inactive",
        "socket-not-taken",
        "socket-backlog",
        "timer-never",
    ] {
        silent(&quiet, rule);
    }

    // Files, users, calendars, drop-ins with odd names, units that nobody configured: each is looked at.
    drop_in(
        &host,
        "a b.conf",
        "[Service]\nEnvironmentFile=/etc/acme/nothing\nExecStartPre=/opt/acme/bin/check\nUser=ghost\n",
    );
    host.write_file(
        "/etc/systemd/system/acme-backup.timer",
        b"[Timer]\nOnCalendar=*-02-30\n[Install]\nWantedBy=timers.target\n",
    );
    host.root("mkdir -p /etc/acme && chmod 0755 /etc/acme").ok();
    let stale = desk.json(&lint).leaves(1);
    says(&stale, "drift-reload", "/acme.service: changed on disk");
    host.root("systemctl daemon-reload").ok();
    let broken = desk.json(&lint).leaves(1);
    silent(&broken, "drift-reload");
    says(&broken, "user-missing", "a b.conf: User=ghost");
    says(
        &broken,
        "environment-file-optional",
        "/etc/acme/nothing does not exist on the host",
    );
    says(
        &broken,
        "exec-missing",
        "/opt/acme/bin/check does not exist on the host",
    );
    says(
        &broken,
        "timer-never",
        "acme-backup.timer: OnCalendar=*-02-30 never elapses",
    );

    // What the deploy user may not look into is unknown, not absent.
    host.root("chmod 0700 /etc/acme").ok();
    let closed = desk.json(&lint);
    assert!(
        !found(&closed, "environment-file-optional")
            .iter()
            .any(|one| one.contains("does not exist on the host")),
        "{closed}"
    );
    closed.says("cannot read: /etc/acme/nothing");

    // With the repository's units beside them, what differs is named; what does not, is not.
    desk.file(
        "deploy/units/acme.service",
        &host.root("cat /etc/systemd/system/acme.service").ok(),
    );
    let text = host.root("cat /etc/systemd/system/acme.socket").ok();
    desk.file("deploy/units/acme.socket", &text);
    let beside = desk.json(&[&lint[..], &["deploy/units"]].concat());
    says(
        &beside,
        "drift-repository",
        "acme.service: differs from the repository in",
    );
    assert_eq!(found(&beside, "drift-repository").len(), 1, "{beside}");

    host.root("systemctl mask --now acme-migrate.service 2>/dev/null || ln -sf /dev/null /etc/systemd/system/acme-migrate.service; systemctl daemon-reload").ok();
    says(&desk.json(&lint), "drift-load", "acme-migrate.service: masked");
}

#[test]
fn facts_of_a_host_are_found() {
    for suite in Suite::Bookworm.or_both() {
        facts_are_found(suite);
    }
}

#[test]
fn a_service_that_closed_its_socket_is_told_by_root_who_may_see_it() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::ready(&host, Service::Socket, &acme("socket").login("root"));
    ACME.bring_up(&host, Service::Socket, Kind::Graceful, "v1");
    silent(&desk.json(&["unit", "lint", "--host"]), "socket-not-taken");
    drop_in(
        &host,
        "other.conf",
        "[Service]\nType=exec\nExecStart=\nExecStart=/bin/sh -c \"exec sleep infinity 3<&-\"\n",
    );
    host.root("systemctl daemon-reload && systemctl restart acme.service")
        .ok();
    says(
        &desk.json(&["unit", "lint", "--host"]),
        "socket-not-taken",
        "does not hold the socket",
    );
}
