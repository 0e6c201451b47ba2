//! restart, stop, start, reload: what systemd shows afterwards, what is said, and what is refused.

use std::process::Stdio;

use super::{noted, set_up_long_ago};
use crate::apps::{Kind, Service};
use crate::bounds::Ends as _;
use crate::deploys::desk::{Desk, Ran, acme, answer};
use crate::deploys::lost_connection::wait_for_step;
use crate::lab::{self, Load, Suite};

#[test]
fn a_service_behind_a_socket_is_driven_by_the_deploy_user_and_a_restart_loses_nothing() {
    for suite in Suite::Bookworm.or_both() {
        let host = lab::host!(suite);
        let desk = Desk::live(&host, Service::Socket, &acme("socket"));
        let ledger = host.read_file("/opt/acme/.shipit/ledger");
        let life = host.unit("acme.service", "InvocationID");
        let load = Load::on(host.web(8080)).rate(100).start();
        load.wait_until("the load runs", |counts| counts.total() > 20);
        desk.shipit(&["restart"]).leaves(0).says("acme.service restarted");
        desk.shipit(&["restart", "acme"]).leaves(0);
        let counts = load.stop();
        assert_eq!(counts.failures(), 0, "{counts:?}");
        let second = host.unit("acme.service", "InvocationID");
        assert_ne!(second, life);

        desk.shipit(&["start"])
            .leaves(0)
            .says("acme.service was already running");
        assert_eq!(host.unit("acme.service", "InvocationID"), second);
        desk.shipit(&["stop"])
            .leaves(0)
            .says("acme.service stopped, and acme.socket: connections are refused");
        assert_eq!(answer(&host), "");
        for unit in ["acme.service", "acme.socket"] {
            assert_eq!(host.unit(unit, "ActiveState"), "inactive", "{unit}");
        }
        let started = desk.json(&["start", "acme.service"]).leaves(0);
        let told: serde_json::Value = serde_json::from_str(&started.stdout).unwrap();
        assert_eq!(told["state"], "active", "{started}");
        assert_eq!(told["changed"], true, "{started}");
        assert_eq!(answer(&host), "v1");

        desk.shipit(&["reload"])
            .leaves(1)
            .says("acme.service has no ExecReload=");
        desk.shipit(&["stop", "ssh.service"])
            .leaves(2)
            .says("ssh.service is not a service of this app");
        assert_eq!(host.read_file("/opt/acme/.shipit/ledger"), ledger);
        let history = desk.json(&["history", "-n", "5"]).leaves(0).stdout;
        let deeds: Vec<serde_json::Value> = history
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let told = |deed: &serde_json::Value| format!("{} {} {}", deed["what"], deed["unit"], deed["outcome"]);
        // Even if the first restart began in the second of the deploy, it stands above it.
        let told: Vec<String> = deeds.iter().map(told).collect();
        let expected =
            ["start", "stop", "restart", "restart"].map(|what| format!("\"{what}\" \"acme.service\" \"done\""));
        let expected = [&expected[..], &["\"deploy\" null \"done\"".to_owned()]].concat();
        assert_eq!(told, expected, "{history}");
        assert!(deeds[0]["by"].as_str().unwrap().starts_with("ann@"), "{history}");
        let noted = noted(&host);
        for verb in ["restart", "stop", "start"] {
            let line = format!("(as deploy) requests: {verb} acme.service");
            assert!(noted.contains(&line), "{noted}");
        }
        assert!(noted.contains("acme: ann@"), "{noted}");
    }
}

#[test]
fn a_reload_keeps_the_life_of_the_process() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Reload, &acme("reload"));
    let life = host.unit("acme.service", "InvocationID");
    desk.shipit(&["reload"]).leaves(0).says("acme.service reloaded");
    assert_eq!(host.unit("acme.service", "InvocationID"), life);
    desk.shipit(&["stop"]).leaves(0);
    desk.shipit(&["reload"])
        .leaves(1)
        .says("acme.service is inactive: there is nothing to reload");
}

#[test]
fn a_restart_that_ends_badly_shows_the_journal_of_that_life_and_start_mends_it() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::live(&host, Service::Simple, &acme("restart"));
    // However long a start takes here, several of them reach the limit.
    let limit = b"[Unit]\nStartLimitIntervalSec=1h\nStartLimitBurst=5\n";
    host.write_file("/etc/systemd/system/acme.service.d/limit.conf", limit);
    host.root("systemctl daemon-reload").ok();
    host.root("echo crash >/opt/acme/current/behaviour").ok();
    for _ in 0..3 {
        desk.shipit(&["restart"])
            .leaves(4)
            .says("acme.service is unhealthy after the restart")
            .says("journal: ")
            .says("cannot open the database")
            .never_says("Deactivated successfully")
            .says("shipit logs --unit acme.service");
    }
    // By now systemd would not start it again by itself.
    host.wait_for("the start limit", |host| {
        host.unit("acme.service", "ActiveState") == "failed"
    });
    host.root("echo graceful >/opt/acme/current/behaviour").ok();
    desk.shipit(&["start"]).leaves(0).says("acme.service started");
    assert_eq!(answer(&host), "v1");

    // It runs, and does not answer well: systemd alone would call it a success.
    host.root("echo unhealthy >/opt/acme/current/behaviour").ok();
    desk.shipit(&["restart"]).leaves(4).says("answered 500, not 200");
}

#[test]
fn nothing_is_driven_while_a_switch_holds_the_host() {
    let host = lab::host!(Suite::Bookworm);
    let yml = acme("socket").health("watch", "5m");
    let desk = Desk::ready(&host, Service::Socket, &yml);
    desk.tree(Kind::Graceful, "v1");
    let args = ["deploy", "--json"];
    let child = desk
        .command(&args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Asking earlier would start the service through its socket, before the switch restarts it.
    wait_for_step(&host, "await");
    host.wait_for("the new life", |host| answer(host) == "v1");
    let life = host.unit("acme.service", "InvocationID");
    for verb in ["restart", "stop", "start", "reload"] {
        desk.shipit(&[verb])
            .leaves(5)
            .says("another switch is in progress: ann@")
            .says("shipit attach");
    }
    assert_eq!(host.unit("acme.service", "InvocationID"), life);
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    Ran::new("deploy", &child.ends()).leaves(3);
    desk.shipit(&["stop"]).leaves(0);
}

#[test]
fn a_host_that_was_set_up_long_ago_takes_deploys_and_says_what_it_lacks_for_the_rest() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    set_up_long_ago(&host);
    desk.deploy(Kind::Graceful, "v2");
    desk.shipit(&["restart"]).leaves(0);
    desk.shipit(&["stop"])
        .leaves(1)
        .says("deploy may not run `sudo /usr/bin/systemctl stop acme.socket`")
        .says("shipit setup --as root@");
    assert_eq!(answer(&host), "v2");
    desk.setup();
    desk.shipit(&["stop"]).leaves(0);
    desk.shipit(&["start"]).leaves(0);
}
