//! What the user of a service meets on a host: directories it may not enter, scripts that cannot start, paths that are
//! read-only. Each defect is made on a real host.

use super::broken;
use crate::apps::Service;
use crate::deploys::desk::acme;
use crate::lab::{self, Suite};

#[test]
fn what_the_user_of_the_service_meets() {
    let host = lab::host!(Suite::Bookworm);
    let desk = broken::well(&host, Service::Notify, &acme("restart"));
    let user = host.unit("acme.service", "User");
    // What `build` runs, and this machine does not have.
    desk.write(&acme("restart").with("build: npm-of-nowhere ci && true"));
    broken::doctor(&desk).first(
        "`build` runs npm-of-nowhere, which this machine does not have",
        "install npm-of-nowhere on this machine, or write its full path under build in deploy.yml",
    );
    // What `prepare` runs, and the deploy user's login does not find.
    desk.write(&acme("restart").with("prepare: npm ci --omit=dev && true"));
    broken::doctor(&desk).first(
        "`prepare` runs npm, which the host does not have",
        "apt-get install npm",
    );
    desk.write(&acme("restart"));
    // A comment at the end of a value is part of it for systemd, and no name for doctor.
    broken::drop_in(&host, "[Service]\nUser=ghost  # the app\nGroup=ghosts # too\n");
    let said = broken::doctor(&desk);
    said.first("systemd reads the comment as part of the value", "");
    for line in ["useradd", "groupadd"] {
        assert!(!said.ran.to_string().contains(line), "{}", said.ran);
    }
    // A directory above that only root may enter.
    host.root("install -d -m 0750 /srv/private && install -d /srv/private/app")
        .ok();
    broken::drop_in(&host, "[Service]\nRestart=no\nWorkingDirectory=/srv/private/app\n");
    let said = broken::doctor(&desk);
    said.first(
        &format!("{user} cannot enter /srv/private (owner root, group root, mode 0750)"),
        "sudo chmod o+x /srv/private",
    );
    said.below("200, CHDIR");
    host.root("chmod o+x /srv/private").ok();
    // A script from Windows.
    host.write_file("/srv/private/run", b"#!/bin/sh\r\nexec sleep infinity\r\n");
    host.root("chmod 0755 /srv/private/run").ok();
    broken::drop_in(
        &host,
        "[Service]\nType=exec\nRestart=no\nExecStart=\nExecStart=/srv/private/run\n",
    );
    let said = broken::doctor(&desk);
    said.first("/srv/private/run has Windows line endings", "Unix line endings");
    said.below("203, EXEC");
    // One for an interpreter that the host does not have.
    host.write_file("/srv/private/run", b"#!/opt/none/bin/node\nsleep(1e9)\n");
    broken::drop_in(
        &host,
        "[Service]\nType=exec\nRestart=no\nExecStart=\nExecStart=/srv/private/run\n",
    );
    let said = broken::doctor(&desk);
    said.first(
        "/srv/private/run needs /opt/none/bin/node, which does not exist",
        "install it as /opt/none/bin/node",
    );
    said.below("203, EXEC");
    // One on a disk where nothing can be executed.
    host.root("mount -t tmpfs -o noexec tmpfs /srv/private").ok();
    host.write_file("/srv/private/run", b"#!/bin/sh\nexec sleep infinity\n");
    host.root("chmod 0755 /srv/private /srv/private/run; systemctl restart acme.service; true")
        .ok();
    let said = broken::doctor(&desk);
    said.first(
        "/srv/private/run is on a file system that is mounted with noexec",
        "findmnt --target /srv/private/run",
    );
}

#[test]
fn a_running_service_that_writes_where_its_sandbox_is_read_only() {
    let host = lab::host!(Suite::Trixie);
    let desk = broken::well(&host, Service::Notify, &acme("restart"));
    let found = |what: &str, next: &str| {
        let said = broken::doctor(&desk);
        let one = said
            .findings()
            .iter()
            .find(|one| one["what"].to_string().contains(what));
        let one = one.unwrap_or_else(|| panic!("{what}: {}", said.ran));
        assert!(
            one["severity"] == "warning" && one["next"].to_string().contains(next),
            "{one:#}"
        );
    };
    broken::drop_in(
        &host,
        "[Service]\nProtectSystem=strict\nExecStartPre=/bin/sh -c 'touch /var/lib/acme-data || true'\n",
    );
    found(
        "acme.service tried to write to a read-only path",
        "ReadWritePaths=/var/lib",
    );
    // Lines of the environment file that systemd cannot read, and only while it ignores some.
    host.write_file("/etc/acme.env", b"export A=1\n");
    broken::drop_in(&host, "[Service]\nEnvironmentFile=/etc/acme.env\n");
    found("systemd ignores lines of /etc/acme.env", "--grep='invalid environment'");
    host.write_file("/etc/acme.env", b"A=1\n");
    host.root("systemctl restart acme.service").ok();
    let said = broken::doctor(&desk);
    assert!(!said.ran.to_string().contains("ignores lines"), "{}", said.ran);
    // No room for another file, although there is space.
    host.root(
        "mount -t tmpfs -o nr_inodes=40 tmpfs /tmp; for i in $(seq 60); do touch /tmp/$i 2>/dev/null; done; true",
    )
    .ok();
    let said = broken::doctor(&desk);
    assert!(said.ran.to_string().contains("/tmp: the disk is full:"), "{}", said.ran);
    host.root("umount -l /tmp").ok();
    // Where the journal is not kept, doctor says what it costs.
    host.root("mkdir -p /etc/systemd/journald.conf.d && printf '[Journal]\\nStorage=none\\n' >/etc/systemd/journald.conf.d/x.conf")
        .ok();
    found("journald.conf has Storage=none", "Storage=auto");
}
