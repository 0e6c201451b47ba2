//! Hosts broken on purpose, one cause each. `doctor` names the cause before everything that follows from it, and gives
//! the line to type. A host that is well, seen before each break, keeps these tests from passing by themselves.

use serde_json::Value;

use crate::apps::Service;
use crate::deploys::desk::{Desk, Ran, Yml, acme};
use crate::lab::{self, Host, Suite};

/// What `doctor --json` says.
pub(super) struct Said {
    pub(super) ran: Ran,
    pub(super) object: Value,
}

pub(super) fn doctor(desk: &Desk) -> Said {
    let ran = desk.json(&["doctor"]);
    let object = serde_json::from_str(ran.stdout.trim()).unwrap_or_else(|error| panic!("one object? {error}: {ran}"));
    Said { ran, object }
}

impl Said {
    pub(super) fn findings(&self) -> &[Value] {
        self.object["findings"].as_array().unwrap()
    }

    pub(super) fn errors(&self) -> usize {
        let errors = self.findings().iter();
        errors.filter(|finding| finding["severity"] == "error").count()
    }

    /// The first finding is this error, with this line to type; the exit code says so.
    #[track_caller]
    pub(super) fn first(&self, what: &str, next: &str) {
        let first = &self.findings()[0];
        let text = |key: &str| first[key].to_string();
        assert!(
            first["severity"] == "error" && text("what").contains(what),
            "the first is not {what:?} but {first:#}\n{}",
            self.ran
        );
        assert!(text("next").contains(next), "no {next:?}: {first:#}");
        assert_eq!((self.ran.code(), &self.object["exit"]), (Some(1), &1.into()));
    }

    /// The line of the first finding that has these words shows something on the host, as it stands.
    #[track_caller]
    pub(super) fn shows(&self, host: &Host, line: &str, words: &str) {
        let lines = self.findings()[0]["next"].as_array().unwrap().iter();
        let mut lines = lines.filter_map(|next| next.as_str());
        let line = lines
            .find(|next| next.contains(line))
            .unwrap_or_else(|| panic!("no {line:?}: {}", self.ran));
        let shown = host.root(line).ok();
        assert!(shown.contains(words), "{line}: no {words:?} in {shown}");
    }

    /// Something that follows from the cause is said too, further below.
    #[track_caller]
    pub(super) fn below(&self, what: &str) {
        let mut rest = self.findings()[1..].iter();
        assert!(
            rest.any(|finding| finding["what"].to_string().contains(what)),
            "nothing below says {what:?}: {}",
            self.ran
        );
    }
}

/// A host with acme live and well, in doctor's eyes too.
pub(super) fn well(host: &Host, service: Service, yml: &Yml) -> Desk {
    let desk = Desk::live(host, service, yml);
    let said = doctor(&desk);
    assert_eq!((said.errors(), said.ran.code()), (0, Some(0)), "{}", said.ran);
    desk
}

/// A drop-in for acme.service, loaded, and the service started anew, which may fail.
pub(super) fn drop_in(host: &Host, text: &str) {
    host.root("mkdir -p /etc/systemd/system/acme.service.d").ok();
    host.write_file("/etc/systemd/system/acme.service.d/10-broken.conf", text.as_bytes());
    host.root("systemctl daemon-reload; systemctl restart acme.service; journalctl --sync; true")
        .ok();
}

#[test]
fn a_service_that_does_not_listen() {
    let host = lab::host!(Suite::Bookworm);
    let desk = well(&host, Service::Notify, &acme("restart"));
    drop_in(
        &host,
        "[Service]\nType=exec\nExecStart=\nExecStart=/bin/sleep infinity\n",
    );
    let said = doctor(&desk);
    said.first(
        "acme.service is running, but nothing is listening on 127.0.0.1:8080",
        "ss -ltnp",
    );
    said.shows(&host, "ss -ltnp", "sshd");
}

#[test]
fn a_user_that_is_not_on_the_host() {
    let host = lab::host!(Suite::Trixie);
    let desk = well(&host, Service::Notify, &acme("restart"));
    drop_in(&host, "[Service]\nUser=ghost\n");
    let said = doctor(&desk);
    said.first(
        "User=ghost: does not exist on the host",
        "useradd --system --shell /usr/sbin/nologin ghost",
    );
    said.below("217, USER");
    let first = &said.findings()[0];
    assert_eq!(
        (first["file"].as_str(), first["line"].as_u64()),
        (Some("/etc/systemd/system/acme.service.d/10-broken.conf"), Some(2))
    );
    // The line is typed as it stands, and that was it.
    host.root("useradd --system --shell /usr/sbin/nologin ghost && systemctl reset-failed acme.service; systemctl restart acme.service").ok();
    assert_eq!(doctor(&desk).errors(), 0);
}

#[test]
fn a_program_that_is_not_there() {
    let host = lab::host!(Suite::Bookworm);
    let desk = well(&host, Service::Notify, &acme("restart"));
    drop_in(
        &host,
        "[Service]\nExecStart=\nExecStart=/opt/acme/current/bin/acme --serve\n",
    );
    let said = doctor(&desk);
    said.first("/opt/acme/current/bin/acme does not exist on the host", "shipit deploy");
    said.below("203, EXEC");
}

#[test]
fn a_unit_that_was_changed_without_a_reload() {
    let host = lab::host!(Suite::Trixie);
    let desk = well(&host, Service::Notify, &acme("restart"));
    host.root("echo '# changed' >>/etc/systemd/system/acme.service").ok();
    doctor(&desk).first(
        "acme.service: changed on disk since systemd read it",
        "sudo systemctl daemon-reload",
    );
}

#[test]
fn a_service_that_hit_its_start_limit() {
    let host = lab::host!(Suite::Bookworm);
    let desk = well(&host, Service::Notify, &acme("restart"));
    drop_in(
        &host,
        "[Unit]\nStartLimitIntervalSec=60\nStartLimitBurst=3\n[Service]\nType=exec\nRestart=always\nRestartSec=100ms\nExecStart=\n\
         ExecStart=/bin/sh -c \"echo the database is gone; exit 3\"\n",
    );
    host.wait_for("the start limit", |host| {
        host.unit("acme.service", "ActiveState") == "failed"
    });
    let said = doctor(&desk);
    said.first("gave up at the start limit", "sudo systemctl reset-failed acme.service");
    let log = said.findings()[0]["log"].to_string();
    assert!(log.contains("the database is gone"), "{log}");
}

#[test]
fn a_masked_service() {
    let host = lab::host!(Suite::Trixie);
    let desk = well(&host, Service::Notify, &acme("restart"));
    host.root(
        "mv /etc/systemd/system/acme.service /root/ && systemctl daemon-reload && systemctl mask --now acme.service",
    )
    .ok();
    doctor(&desk).first("acme.service: masked", "sudo systemctl unmask acme.service");
}

#[test]
fn a_health_address_with_the_wrong_port() {
    let host = lab::host!(Suite::Bookworm);
    for (service, strategy) in [(Service::Notify, "restart"), (Service::Socket, "socket")] {
        let desk = well(&host, service, &acme(strategy));
        desk.write(&acme(strategy).health("url", "\"http://127.0.0.1:8081/healthz\""));
        doctor(&desk).first(
            "the health check uses 127.0.0.1:8081, where nothing listens; acme.service listens on",
            "set `url` under health of acme.service in deploy.yml",
        );
        host.root("systemctl stop acme.service acme.socket; rm -rf /opt/acme /etc/systemd/system/acme.*; systemctl daemon-reload").ok();
    }
}

#[test]
fn an_environment_file_that_the_app_cannot_read() {
    let host = lab::host!(Suite::Trixie);
    let yml = acme("restart").with("shared: {files: [\"env?\"]}");
    let desk = well(&host, Service::Notify, &yml);
    host.root("install -o deploy -g deploy -m 0600 /dev/null /opt/acme/shared/env")
        .ok();
    // It is a warning as long as the app runs; once it dies of it, it is the cause.
    let said = doctor(&desk);
    assert_eq!(said.errors(), 0, "{}", said.ran);
    said.ran.says("cannot read /opt/acme/shared/env");
    drop_in(
        &host,
        "[Service]\nRestart=no\nExecStartPre=/bin/cat /opt/acme/shared/env\n",
    );
    let user = host.unit("acme.service", "User");
    let said = doctor(&desk);
    said.first(
        &format!("{user} cannot read /opt/acme/shared/env (owner deploy, group deploy, mode 0600)"),
        &format!(
            "sudo setpriv --reuid deploy --regid {user} --clear-groups chgrp {user} /opt/acme/shared/env && \
             sudo -u deploy chmod 0640"
        ),
    );
    said.below("acme.service: failed");
    // The line is typed as it stands. It leads root to no other file, whatever the deploy user puts there.
    let next = said.findings()[0]["next"][0].as_str().unwrap();
    let line = next.split("  #").next().unwrap();
    host.root("cd /opt/acme/shared && mv env kept && ln -s /etc/shadow env")
        .ok();
    let shadow = host.root("stat -c '%U %G %a' /etc/shadow").ok();
    assert!(!host.root(line).success(), "{line}");
    assert_eq!(host.root("stat -c '%U %G %a' /etc/shadow").ok(), shadow);
    host.root("cd /opt/acme/shared && mv -T kept env").ok();
    host.root(&format!("{line} && systemctl restart acme.service")).ok();
    assert_eq!(doctor(&desk).errors(), 0);
}

#[test]
fn an_environment_file_that_is_missing() {
    let host = lab::host!(Suite::Bookworm);
    let desk = well(&host, Service::Notify, &acme("restart"));
    drop_in(&host, "[Service]\nRestart=no\nEnvironmentFile=/etc/acme/env\n");
    let said = doctor(&desk);
    said.first(
        "/etc/acme/env does not exist on the host: the start fails",
        "shipit env set NAME",
    );
    said.below("failed (resources)");
    // Root creates nothing in a directory that others can change.
    drop_in(&host, "[Service]\nRestart=no\nEnvironmentFile=/opt/acme/shared/none\n");
    let said = doctor(&desk);
    let missing = |finding: &&Value| finding["what"].to_string().contains("shared/none does not exist");
    let finding = said
        .findings()
        .iter()
        .find(missing)
        .unwrap_or_else(|| panic!("{}", said.ran));
    let next = finding["next"].to_string();
    assert!(
        next.contains("shipit env set NAME") && next.contains("EnvironmentFile=-/etc/acme/env"),
        "{next}"
    );
    said.ran.never_says("install -D");
    // The names that root did not list are refused where a line runs as root with that file.
    drop_in(
        &host,
        "[Service]\nEnvironmentFile=-/etc/acme/env\nExecStartPre=+/usr/bin/true\n",
    );
    doctor(&desk).ran.says("ExecStartPre= runs as root");
}

#[test]
fn a_socket_without_its_service() {
    let host = lab::host!(Suite::Trixie);
    let desk = well(&host, Service::Socket, &acme("socket"));
    host.root("systemctl stop acme.service && rm /etc/systemd/system/acme.service && systemctl daemon-reload")
        .ok();
    doctor(&desk).first("acme.service: unit not found", "shipit unit generate");
}

#[test]
fn a_service_that_does_not_take_its_socket() {
    let host = lab::host!(Suite::Bookworm);
    let desk = well(&host, Service::Socket, &acme("socket"));
    drop_in(
        &host,
        "[Service]\nType=exec\nExecStart=\nExecStart=/bin/sleep infinity\n",
    );
    doctor(&desk).first(
        "acme.service is running, but does not accept connections from systemd's socket",
        "shipit unit explain socket-not-taken",
    );
}

#[test]
fn a_full_disk() {
    let host = lab::host!(Suite::Bookworm.with_small_disk("60M"));
    let desk = well(&host, Service::Notify, &acme("restart"));
    host.fill_disk_blocks();
    let said = doctor(&desk);
    said.first("/opt/acme: the disk is full", "sudo du -xh /opt/acme");
}

#[test]
fn units_that_the_repository_has_otherwise_are_told_but_break_nothing() {
    let host = lab::host!(Suite::Bookworm);
    let desk = well(&host, Service::Notify, &acme("restart"));
    let unit = host.read_file("/etc/systemd/system/acme.service");
    desk.file("deploy/units/acme.service", &format!("{unit}\n[Service]\nNice=5\n"));
    desk.file(
        "deploy/units/acme-backup.timer",
        "[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n",
    );
    let said = doctor(&desk);
    assert_eq!((said.errors(), said.ran.code()), (0, Some(0)), "{}", said.ran);
    let told = |what: &str, next: &str| {
        let found = said.findings().iter().find(|f| f["what"].to_string().contains(what));
        let found = found.unwrap_or_else(|| panic!("{what}: {}", said.ran));
        assert!(
            found["severity"] == "warning" && found["next"].to_string().contains(next),
            "{found:#}"
        );
    };
    told("acme.service: differs from the repository in Nice", "shipit unit diff");
    told("acme-backup.timer: unit not found", "shipit unit install");
    // What is written on the host only, the next install takes back.
    let next: String = said.findings().iter().map(|found| found["next"].to_string()).collect();
    assert!(next.contains("in deploy/units/acme.service: [Service]"), "{next}");
}

#[test]
fn a_port_that_somebody_else_holds() {
    let host = lab::host!(Suite::Trixie);
    let desk = well(&host, Service::Notify, &acme("restart"));
    host.root("systemctl stop acme.service && systemd-run --quiet --unit=squatter python3 -m http.server 8080")
        .ok();
    host.wait_for("the squatter", |host| host.root("ss -Hltn").stdout.contains(":8080 "));
    drop_in(&host, "[Service]\nRestart=no\n");
    let said = doctor(&desk);
    said.first(
        "acme.service cannot listen on 127.0.0.1:8080: squatter.service already does",
        "ss -ltnp",
    );
    said.below("acme.service: failed");
    said.shows(&host, "ss -ltnp 'sport = :8080'", "python3");
    said.shows(&host, "systemctl status squatter.service", "Active: active");
}

#[test]
fn a_directory_that_is_not_there_and_a_script_that_the_release_has_not() {
    let host = lab::host!(Suite::Bookworm);
    let desk = well(&host, Service::Notify, &acme("restart"));
    drop_in(&host, "[Service]\nRestart=no\nWorkingDirectory=/srv/acme\n");
    let said = doctor(&desk);
    said.first(
        "WorkingDirectory=/srv/acme does not exist on the host",
        "unit explain directory-missing",
    );
    said.below("200, CHDIR");
    let script = "ExecStart=\nExecStart=/usr/bin/python3 /opt/acme/current/serve.py";
    drop_in(&host, &format!("[Service]\nRestart=no\n{script}\n"));
    doctor(&desk).first(
        "/opt/acme/current/serve.py, which python3 should run, does not exist on the host",
        "unit explain exec-script-missing",
    );
}

#[test]
fn what_keeps_a_start_from_beginning() {
    let host = lab::host!(Suite::Bookworm);
    let desk = well(&host, Service::Notify, &acme("restart"));
    let broken = |text: &str| {
        drop_in(&host, text);
        // A start that was refused leaves the old process alone; what is asked here is a stopped service, at rest.
        host.root(
            "systemctl stop acme.service; systemctl reset-failed acme.service; systemctl start acme.service
             n=0; while [ $n -lt 600 ]; do
                 case $(systemctl show -P ActiveState acme.service) in failed | inactive) exit 0 ;; esac
                 sleep 0.1; n=$((n + 1))
             done; exit 1",
        )
        .ok();
        doctor(&desk)
    };
    let place = |said: &Said| said.findings()[0]["line"].as_u64();
    let said = broken("[Unit]\nConditionPathExists=/srv/nothere\n");
    said.first(
        "ConditionPathExists=/srv/nothere was not met",
        "systemctl start acme.service",
    );
    assert_eq!((place(&said), said.errors()), (Some(2), 1), "{}", said.ran);
    let said = broken("[Unit]\nRequires=nosuch.service\nAfter=nosuch.service\n");
    said.first(
        "Requires=nosuch.service: the unit cannot start without it",
        "or is removed from",
    );
    assert_eq!(place(&said), Some(2));
    let said = broken("[Service]\nExecStartPre=/bin/false\n");
    said.first("a command of ExecStartPre= failed", "reset-failed");
    host.write_file("/usr/local/bin/script", b"#!/usr/bin/nosuch\n");
    host.root("chmod 755 /usr/local/bin/script").ok();
    let said = broken("[Service]\nType=exec\nExecStart=\nExecStart=/usr/local/bin/script\n");
    said.first(
        "/usr/local/bin/script needs /usr/bin/nosuch, which does not exist",
        "install it as /usr/bin/nosuch",
    );
    host.root("rm -r /etc/systemd/system/acme.service.d && systemctl daemon-reload && systemctl reset-failed acme.service && systemctl start acme.service").ok();
    assert_eq!(doctor(&desk).errors(), 0);
}
