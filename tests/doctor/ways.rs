//! One host after the other defect: directories on the way to a release that somebody may not enter or write to, a
//! sandbox that forbids something, and what a service said before its fault was mended. Each line is typed, and helps.

use super::broken::{Said, doctor, drop_in, well};
use crate::apps::Service;
use crate::deploys::desk::acme;
use crate::lab::{self, Host, Suite};

/// The first line of that finding, typed on the host as it stands.
#[track_caller]
fn typed(host: &Host, said: &Said, what: &str) {
    let found = said.findings().iter().find(|f| f["what"].to_string().contains(what));
    let line = found.unwrap_or_else(|| panic!("no {what:?}: {}", said.ran))["next"][0].as_str();
    let line = line.unwrap().split("  #").next().unwrap();
    host.root(line).ok();
}

#[test]
fn directories_on_the_way_to_a_release_are_named_with_a_line_that_helps() {
    let host = lab::host!(Suite::Bookworm);
    let desk = well(&host, Service::Notify, &acme("restart"));
    let restart = || host.root("systemctl reset-failed acme.service; systemctl restart acme.service");

    // `releases` is not in the path that the unit names: `current` leads through it.
    host.root("chmod 700 /opt/acme/releases").ok();
    drop(restart());
    let said = doctor(&desk);
    said.first(
        "acme.service: app cannot enter /opt/acme/releases",
        "chmod o+x /opt/acme/releases",
    );
    typed(&host, &said, "cannot enter");
    restart().ok();
    assert_eq!(doctor(&desk).errors(), 0);

    for (part, break_it, what) in [
        (
            "releases",
            "chown root:root",
            "belongs to root and is not writable by deploy",
        ),
        (
            ".shipit",
            "chown root:root",
            "belongs to root and is not writable by deploy",
        ),
        ("releases", "chmod 555", "is not writable by deploy, its owner"),
    ] {
        host.root(&format!("{break_it} /opt/acme/{part}")).ok();
        let said = doctor(&desk);
        said.first(&format!("/opt/acme/{part} {what}"), &format!(" /opt/acme/{part}"));
        let ran = desk.shipit(&["deploy", "--restart"]).leaves(1);
        ran.says(&format!("/opt/acme/{part} {what}")).never_says("setup");
        typed(&host, &said, what);
        host.root(&format!("chmod 755 /opt/acme/{part}")).ok();
        assert_eq!(doctor(&desk).errors(), 0, "{part}");
    }

    // A filter of system calls ends the program with a signal.
    drop_in(&host, "[Service]\nSystemCallFilter=~@network-io\nRestart=no\n");
    let said = doctor(&desk);
    let told = said.ran.to_string();
    assert!(told.contains("SIGSYS: SystemCallFilter="), "{told}");

    // What it said before it was mended is no reason now.
    drop_in(
        &host,
        "[Service]\nExecStartPre=/bin/sh -c 'echo ReadOnlyTest: EROFS: read-only file system, open /srv/x/y; exit 1'\nRestart=no\n",
    );
    let said = doctor(&desk);
    said.below("failed");
    assert!(said.ran.to_string().contains("ReadWritePaths=/srv/x"), "{}", said.ran);
    host.root("rm -r /etc/systemd/system/acme.service.d && systemctl daemon-reload")
        .ok();
    restart().ok();
    host.wait_for("an answer", |host| {
        host.root("curl -fsS http://127.0.0.1:8080/healthz").success()
    });
    let said = doctor(&desk);
    assert_eq!(said.errors(), 0, "{}", said.ran);
    assert!(!said.ran.to_string().contains("EROFS"), "{}", said.ran);
}

#[test]
fn a_socket_that_listens_and_is_not_enabled_is_enabled_without_a_stop() {
    let host = lab::host!(Suite::Trixie);
    let desk = well(&host, Service::Socket, &acme("socket"));
    // A service that requires its socket starts it at boot.
    host.root("sed -i '/^Requires=/d' /etc/systemd/system/acme.service && systemctl daemon-reload && systemctl disable acme.socket")
        .ok();
    let before = host.unit("acme.service", "InvocationID");
    let said = doctor(&desk);
    typed(&host, &said, "will not listen after a reboot");
    assert_eq!(host.unit("acme.service", "InvocationID"), before, "{}", said.ran);
    assert_eq!(host.root("systemctl is-enabled acme.socket").stdout.trim(), "enabled");
    // Where the journal is in memory, only a note says so.
    host.root("journalctl --flush; rm -rf /var/log/journal && systemctl restart systemd-journald")
        .ok();
    let said = doctor(&desk);
    assert_eq!(said.errors(), 0, "{}", said.ran);
    typed(&host, &said, "the journal is in memory only");
    assert!(host.root("test -d /var/log/journal").success());
}

/// systemd itself holds the port: no service has it, and the line shows which socket unit does.
#[test]
fn a_port_that_a_socket_unit_holds_is_shown_with_that_unit() {
    let host = lab::host!(Suite::Bookworm);
    let desk = well(&host, Service::Notify, &acme("restart"));
    host.write_file(
        "/etc/systemd/system/other.socket",
        b"[Socket]\nListenStream=127.0.0.1:8080\n",
    );
    host.write_file(
        "/etc/systemd/system/other.service",
        b"[Service]\nExecStart=/bin/sleep infinity\n",
    );
    host.root("systemctl stop acme.service && systemctl daemon-reload && systemctl start other.socket")
        .ok();
    drop_in(&host, "[Service]\nRestart=no\n");
    let said = doctor(&desk);
    said.first(
        "acme.service cannot listen on 127.0.0.1:8080: a socket unit already does",
        "systemctl list-sockets",
    );
    said.below("acme.service: failed");
    said.shows(&host, "ss -ltnp 'sport = :8080'", "systemd");
    said.shows(&host, "systemctl list-sockets", "other.socket");
    assert!(
        !said.ran.to_string().contains("systemctl status a socket"),
        "{}",
        said.ran
    );
}
