//! What the pages promise of their apps, on a real host: started means ready; a restart behind the socket cuts no
//! client, also none that keeps its connection on a slow line; who hangs is killed and started again.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use super::app::{App, open};
use crate::apps::ACME;
use crate::bounds::PATIENCE;
use crate::deploys::desk::Desk;
use crate::lab::{self, DelayProxy, Host, Load, Suite};

/// Puts the units on the host that `shipit unit generate` writes for that strategy.
fn install(host: &Host, app: App, strategy: &str) {
    let desk = Desk::at(host, "ann");
    let generate = ["unit", "generate", "--app", "acme", "--user", "app"];
    desk.shipit(&[&generate, app.answers(), &["--strategy", strategy]].concat())
        .leaves(0);
    open(&desk);
    host.copy_in(&desk.path("deploy/units"), "/etc/systemd/system");
    host.root("systemctl daemon-reload").ok();
}

/// `systemctl start` returns when the app is loaded and listens, not before.
fn ready_when_started(host: &Host, app: App) {
    install(host, app, "restart");
    let tree = app.release(host, "slow");
    if let Some((file, line)) = app.slow_start() {
        let path = tree.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("{line}\n{text}")).unwrap();
    }
    ACME.publish(host, tree.path(), "slow");
    let loaded = match app.slow_start() {
        Some(_) => "test -e /run/acme/loaded",
        None => "true",
    };
    // No second try: who is told too early is refused here.
    let said = host.root(&format!(
        "systemctl start acme.service && {loaded} && curl -sS http://127.0.0.1:8080/"
    ));
    assert_eq!(said.ok(), "slow");
    assert_eq!(host.unit("acme.service", "StatusText"), "serving");
    host.root("systemctl stop acme.service").ok();
}

/// Restarts behind the socket, for clients with new and with kept connections, 20 ms away.
fn cuts_nobody(host: &Host, app: App) {
    install(host, app, "socket");
    for id in ["one", "two"] {
        ACME.publish(host, app.release(host, id).path(), id);
    }
    host.root("systemctl start acme.socket acme.service").ok();
    let line = DelayProxy::to(host.web(8080), Duration::from_millis(20));
    for round in 0..5 {
        let load = Load::on(line.address()).timeout(PATIENCE);
        let new = load.clone().rate(20).start();
        let kept = load.rate(200).keep_alive(20).start();
        for id in ["one", "two", "one", "two"] {
            ACME.point_at(host, id);
            host.root("systemctl restart acme.service").ok();
            let before = kept.counts().from(id);
            kept.wait_until("the kept clients are back", |counts| counts.from(id) > before + 40);
        }
        // The kept ones first: on a busy machine they would take all of a small server while the new ones wait.
        let all = [kept.stop(), new.stop()];
        if all
            .iter()
            .all(|counts| counts.failures() == 0 && counts.idle_closed == 0)
        {
            break;
        }
        // The pages give clients one second. Where an answer takes several, the clients themselves were late: once more.
        let late = all.iter().any(|counts| counts.slowest > Duration::from_secs(3));
        assert!(late && round < 4, "{app:?}: {all:?}");
    }
    let said = host.journal(Some("acme.service"));
    assert!(!said.contains("Traceback"), "{app:?}: {said}");
}

/// With a watchdog: it lives as long as it works, and not when it hangs.
fn killed_when_it_hangs(host: &Host, app: App) {
    host.write_file(
        "/etc/systemd/system/acme.service.d/watchdog.conf",
        b"[Service]\nWatchdogSec=12s\n",
    );
    host.root("systemctl daemon-reload && systemctl restart acme.service && sleep 13")
        .ok();
    assert_eq!(host.unit("acme.service", "NRestarts"), "0", "{app:?}");
    let mut hanging = Vec::new();
    host.wait_for("systemd kills it", |host| {
        if hanging.len() < app.hangs_after() {
            let mut client = TcpStream::connect(host.web(8080)).unwrap();
            client.write_all(b"GET /hang HTTP/1.1\r\nHost: acme\r\n\r\n").unwrap();
            hanging.push(client);
        }
        host.journal(Some("acme.service")).contains("Watchdog timeout")
    });
    drop(hanging);
    host.wait_for("it serves again", |host| {
        host.root("curl -s --max-time 60 http://127.0.0.1:8080/").stdout == "two\n"
    });
}

fn keeps_what_the_page_promises(app: App, suite: Suite) {
    let host = lab::host!(suite.with_apps());
    ready_when_started(&host, app);
    cuts_nobody(&host, app);
    killed_when_it_hangs(&host, app);
}

#[test]
fn node_18() {
    keeps_what_the_page_promises(App::Node, Suite::Bookworm);
}

#[test]
fn node_20() {
    keeps_what_the_page_promises(App::Node, Suite::Trixie);
}

#[test]
fn gunicorn_20() {
    keeps_what_the_page_promises(App::Python, Suite::Bookworm);
}

#[test]
fn gunicorn_23() {
    keeps_what_the_page_promises(App::Python, Suite::Trixie);
}

#[test]
fn puma_5() {
    keeps_what_the_page_promises(App::Ruby, Suite::Bookworm);
}

#[test]
fn puma_6() {
    keeps_what_the_page_promises(App::Ruby, Suite::Trixie);
}

#[test]
fn rust() {
    keeps_what_the_page_promises(App::Rust, Suite::Bookworm);
}

#[test]
fn go() {
    keeps_what_the_page_promises(App::Go, Suite::Bookworm);
}
