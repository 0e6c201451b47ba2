//! Generated units run a real app on real hosts, sandboxed, with an old and a new systemd.

use shipit::unit::generate::{self, Answers, Job, Program, Ready};
use shipit::unit::strategy::Strategy;

use crate::apps::{ACME, Kind, release};
use crate::lab::{self, Host, Load, Suite};

fn answers(strategy: Strategy) -> Answers {
    let mut answers = Answers::new("acme", Program::Binary);
    answers.strategy = strategy;
    answers.user = "app".into();
    answers.ready = Ready::Notify;
    answers.command = Some("/usr/bin/python3 /opt/acme/current/server.py".into());
    answers.migrate = Some("/usr/bin/test -e /opt/acme/next/server.py".into());
    let job = |name: &str, command: &str| Job {
        name: name.into(),
        command: command.into(),
        calendar: "daily".into(),
    };
    answers.jobs = vec![
        job("backup", "/usr/bin/touch /opt/acme/shared/backup"),
        job("escape", "/usr/bin/touch /opt/acme/open/x"),
    ];
    answers
}

/// Puts the units on the host; its systemd has nothing to say about them, nor much to expose.
fn install(host: &Host, strategy: Strategy) {
    let mut names = Vec::new();
    for unit in generate::units(&answers(strategy)).unwrap() {
        // The clients of these tests are on another machine, and no router stands in front.
        let text = unit.text.replace("ListenStream=127.0.0.1:", "ListenStream=");
        host.write_file(&format!("/etc/systemd/system/{}", unit.name), text.as_bytes());
        names.push(unit.name.replace("@.", "@blue."));
    }
    host.root("systemctl daemon-reload").ok();
    let said = host
        .root(&format!(
            "cd /etc/systemd/system && systemd-analyze verify --man=no {} 2>&1",
            names.join(" ")
        ))
        .ok();
    let said: Vec<&str> = said.lines().filter(|line| line.contains("acme")).collect();
    assert!(said.is_empty(), "{said:#?}");
    for name in names.iter().filter(|name| name.ends_with(".service")) {
        host.root(&format!("systemd-analyze security --no-pager --threshold=20 {name}"))
            .ok();
    }
}

fn live(host: &Host) -> String {
    host.root("curl -s --max-time 60 http://127.0.0.1:8080/")
        .ok()
        .trim()
        .to_owned()
}

fn deploys_without_a_failed_request(suite: Suite) {
    let host = lab::host!(suite);
    ACME.publish(&host, release(Kind::Graceful, "one").path(), "one");
    install(&host, Strategy::Socket);
    host.root("systemctl --quiet enable --now acme.socket && systemctl start acme.service")
        .ok();
    assert_eq!(live(&host), "one");
    let load = Load::on(host.web(8080)).rate(100).start();
    ACME.publish(&host, release(Kind::Graceful, "two").path(), "two");
    host.root("systemctl restart acme.service").ok();
    assert_eq!(live(&host), "two");
    ACME.point_at(&host, "one");
    host.root("systemctl restart acme.service").ok();
    assert_eq!(live(&host), "one");
    assert_eq!(load.stop().failures(), 0);

    host.root("ln -s releases/two /opt/acme/next && systemctl start acme-migrate.service")
        .ok();
    assert_eq!(host.unit("acme-migrate.service", "Result"), "success");
    host.root("chown app: /opt/acme/shared && systemctl start acme-backup.service && test -e /opt/acme/shared/backup")
        .ok();
    host.root("systemctl --quiet enable --now acme-backup.timer").ok();
    assert_eq!(host.unit("acme-backup.timer", "ActiveState"), "active");

    // The sandbox holds: what is not shared/ cannot be written, although the directory's mode would allow it.
    host.root("install -d -m 0777 /opt/acme/open").ok();
    assert!(!host.root("systemctl start acme-escape.service").success());
    assert!(
        host.journal(Some("acme-escape.service"))
            .contains("Read-only file system")
    );
}

#[test]
fn on_systemd_252_no_request_fails_in_a_deploy_and_a_rollback() {
    deploys_without_a_failed_request(Suite::Bookworm);
}

#[test]
fn on_systemd_257_no_request_fails_in_a_deploy_and_a_rollback() {
    deploys_without_a_failed_request(Suite::Trixie);
}

#[test]
fn two_instances_from_the_template_share_the_socket() {
    let host = lab::host!(Suite::Bookworm);
    ACME.publish(&host, release(Kind::Graceful, "one").path(), "one");
    ACME.publish(&host, release(Kind::Graceful, "two").path(), "two");
    install(&host, Strategy::Handover);
    host.root("install -d -o deploy -g deploy /opt/acme/slots && cd /opt/acme/slots && ln -s ../releases/one blue && ln -s ../releases/two green").ok();
    host.root("systemctl --quiet enable --now acme.socket && systemctl start acme@blue.service")
        .ok();
    assert_eq!(live(&host), "one");
    let load = Load::on(host.web(8080)).rate(100).start();
    host.root("systemctl start acme@green.service && systemctl stop acme@blue.service")
        .ok();
    assert_eq!(live(&host), "two");
    assert_eq!(load.stop().failures(), 0);
}
