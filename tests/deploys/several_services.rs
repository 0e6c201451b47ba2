//! Several services in one app go over together, all or none.

use super::desk::{Desk, Yml, acme, assert_live, current};
use crate::apps::{self, BETA, Kind, Service};
use crate::lab::{self, Host, Suite};

fn two() -> Yml {
    acme("socket").service(
        "unit: beta.service\n    strategy: restart\n    start_timeout: 40s\n    \
         health: {url: \"http://127.0.0.1:8081/healthz\", timeout: 40s, successes: 1, watch: 0s}\n",
    )
}

/// beta runs from the folder `beta` of the same release.
fn install_beta(host: &Host) {
    for (name, text) in BETA.units(Service::Notify) {
        let text = text.replace("/opt/beta/current/", "/opt/acme/current/beta/");
        host.write_file(&format!("/etc/systemd/system/{name}"), text.as_bytes());
    }
    host.root("systemctl daemon-reload").ok();
}

fn tree(desk: &Desk, acme: Kind, beta: Kind, version: &str) {
    desk.tree(acme, version);
    let tree = apps::release(beta, version);
    for file in ["behaviour", "version", "server.py"] {
        let text = std::fs::read_to_string(tree.path().join(file)).unwrap();
        desk.file(&format!("source/beta/{file}"), &text);
    }
}

fn beta(host: &Host) -> String {
    host.root("curl -s --max-time 60 http://127.0.0.1:8081/")
        .stdout
        .trim()
        .to_owned()
}

#[test]
fn two_services_go_over_together_and_come_back_together() {
    let host = lab::host!(Suite::Trixie);
    install_beta(&host);
    let desk = Desk::ready(&host, Service::Socket, &two());
    tree(&desk, Kind::Graceful, Kind::Graceful, "v1");
    let v1 = desk.json(&["deploy"]).leaves(0).release();
    assert_eq!(beta(&host), "v1");
    tree(&desk, Kind::Graceful, Kind::Graceful, "v2");
    let v2 = desk.json(&["deploy"]).leaves(0).release();
    assert_live(&host, &v2, "v2");
    assert_eq!(beta(&host), "v2");

    for (good, bad) in [(Kind::Graceful, Kind::Unhealthy), (Kind::CrashAtStart, Kind::Graceful)] {
        tree(&desk, good, bad, "v3");
        let ran = desk.json(&["deploy"]).leaves(3);
        assert_live(&host, &v2, "v2");
        assert_eq!(beta(&host), "v2", "{ran}");
    }
    desk.json(&["rollback"]).leaves(0);
    assert_live(&host, &v1, "v1");
    assert_eq!(beta(&host), "v1");
}

#[test]
fn a_first_deploy_with_one_broken_service_stops_both() {
    let host = lab::host!(Suite::Bookworm);
    install_beta(&host);
    let desk = Desk::ready(&host, Service::Socket, &two());
    tree(&desk, Kind::Graceful, Kind::Unhealthy, "v1");
    desk.json(&["deploy"]).leaves(3);
    assert_eq!(current(&host), "");
    for unit in ["acme.service", "beta.service"] {
        assert_ne!(host.unit(unit, "ActiveState"), "active", "{unit}");
    }
    tree(&desk, Kind::Graceful, Kind::Graceful, "v2");
    let v2 = desk.json(&["deploy"]).leaves(0).release();
    assert_live(&host, &v2, "v2");
    assert_eq!(beta(&host), "v2");
}

/// Healthy as soon as it is active.
const AT_ONCE: &str = "health: {command: \"true\", successes: 1, watch: 0s}";

#[test]
fn fifty_services_are_set_up_by_every_way_to_the_host_and_go_over_together() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::at(&host, "ann");
    let unit = "[Service]\nUser=app\nExecStart=/usr/bin/sleep infinity\n";
    // Names as long as they are in real life: what travels is several command lines long.
    let names = (1..=50).map(|n| format!("acme-background-worker-for-queue-number-{n}.service"));
    let mut services = Vec::new();
    for name in names {
        host.write_file(&format!("/etc/systemd/system/{name}"), unit.as_bytes());
        services.push(format!("unit: {name}\n    strategy: restart\n    {AT_ONCE}\n"));
    }
    let yml = acme("restart").service(&services.join("  - "));
    host.write_file("/etc/systemd/system/acme.service", unit.as_bytes());
    host.root("systemctl daemon-reload").ok();
    desk.write(&yml);
    let yml = std::fs::read_to_string(desk.path("deploy.yml")).unwrap();
    let url = yml.lines().find(|line| line.contains("127.0.0.1:8080")).unwrap();
    desk.file("deploy.yml", &yml.replace(url.trim_start(), AT_ONCE));
    let (root, admin) = (format!("root@{}", host.address()), format!("admin@{}", host.address()));
    let ready = |args: &[&str], words: &str| {
        desk.shipit(&[&["setup", "--yes", "--as"], args].concat())
            .leaves(0)
            .says("is ready for acme")
            .says(words);
        let rule = host.read_file("/etc/sudoers.d/shipit-acme");
        assert!(
            rule.len() > 33_000 && rule.contains("-number-50.service"),
            "{}",
            rule.len()
        );
    };
    ready(&[&root], "wrote /etc/sudoers.d/shipit-acme");
    ready(&[&admin], "nothing to change");
    ready(&[&root, "--system-ssh"], "nothing to change");
    host.root("rm /etc/sudoers.d/shipit-acme /etc/systemd/system/shipit-acme.path")
        .ok();
    ready(&[&admin, "--system-ssh"], "wrote /etc/sudoers.d/shipit-acme");
    desk.tree(Kind::Graceful, "v1");
    for command in [&["status"][..], &["plan"], &["env", "list"]] {
        desk.shipit(command).leaves(0);
    }
    for name in ["acme.service", "acme-background-worker-for-queue-number-50.service"] {
        desk.file(&format!("deploy/units/{name}"), unit);
    }
    // No command has a limit to what it sends.
    for command in [
        &["doctor"][..],
        &["unit", "diff"],
        &["unit", "lint", "--host"],
        &["logs", "--lines", "1"],
    ] {
        for system in [&[][..], &["--system-ssh"]] {
            let ran = desk.shipit(&[command, system].concat());
            let ran = ran
                .never_says("cannot be sent")
                .never_says("too long")
                .never_says("the connection");
            assert!(matches!(ran.code(), Some(0 | 1)), "{ran}");
        }
    }
    // As the deploy user, all of them go over and come back: from a release of one service, which is soon there.
    let all = std::fs::read_to_string(desk.path("deploy.yml")).unwrap();
    let (one, _) = all.split_once("  - unit: acme-background").unwrap();
    desk.file("deploy.yml", one);
    let v1 = desk.json(&["deploy"]).leaves(0).release();
    desk.file("deploy.yml", &all);
    let started = |from: &str| {
        let ids = host.root("systemctl show -p InvocationID --value 'acme*-number-*.service' | sort -u");
        let ids = ids.ok();
        let ids: Vec<String> = ids.lines().filter(|id| !id.is_empty()).map(str::to_owned).collect();
        assert_eq!(ids.len(), 50, "{from}");
        ids
    };
    desk.deploy(Kind::Graceful, "v2");
    let before = started("v2");
    desk.json(&["rollback"]).leaves(0);
    assert_eq!(current(&host), v1);
    assert!(started("v1").iter().all(|id| !before.contains(id)));
}
