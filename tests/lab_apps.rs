//! The example servers do what their names say, on a real host, under load.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::apps::{self, ACME, BETA, Kind, Migrate, Service};
use crate::lab::{self, Host, Load, Miss, Suite};

fn get(host: &Host, path: &str) -> String {
    host.root(&format!("curl -sS --max-time 60 http://127.0.0.1:{}{path}", ACME.port))
        .ok()
}

/// New connections and kept ones at once, while `turn` takes the app from release to release; no request may fail.
fn nothing_fails(host: &Host, turn: impl Fn(&Host)) {
    let fresh = Load::on(host.web(ACME.port)).rate(200).start();
    let kept = Load::on(host.web(ACME.port)).rate(100).keep_alive(10).start();
    for version in ["v2", "v3", "v4", "v5"] {
        ACME.publish(host, apps::release(Kind::Graceful, version).path(), version);
        turn(host);
        fresh.wait_until(version, |counts| counts.from(version) > 50);
    }
    for counts in [fresh.stop(), kept.stop()] {
        assert_eq!(counts.failures(), 0, "{counts:?}");
        assert!(counts.from("v1") > 0 && counts.from("v5") > 0, "{counts:?}");
    }
}

#[test]
fn a_socket_holds_every_request_over_restarts() {
    for suite in Suite::Trixie.or_both() {
        let host = lab::host!(suite);
        ACME.bring_up(&host, Service::Socket, Kind::Graceful, "v1");
        assert_eq!(
            (get(&host, "/"), get(&host, "/healthz")),
            ("v1".to_owned(), "ok v1".to_owned())
        );
        nothing_fails(&host, |host| drop(host.root("systemctl restart acme").ok()));
    }
}

#[test]
fn a_reload_keeps_process_and_listener_and_runs_the_next_release() {
    for suite in Suite::Bookworm.or_both() {
        let host = lab::host!(suite);
        ACME.bring_up(&host, Service::Reload, Kind::Graceful, "v1");
        let process = host.unit("acme", "MainPID");
        nothing_fails(&host, |host| drop(host.root("systemctl reload acme").ok()));
        assert_eq!(host.unit("acme", "MainPID"), process);
        assert_eq!(host.unit("acme", "NRestarts"), "0");
        assert_eq!(
            host.root(&format!("readlink /proc/{process}/cwd")).ok(),
            "/opt/acme/releases/v5"
        );
        assert_eq!(host.unit("acme", "StatusText"), "version v5");
    }
}

#[test]
fn a_stubborn_process_answers_with_its_old_code_after_a_reload() {
    let host = lab::host!(Suite::Bookworm);
    ACME.bring_up(&host, Service::Reload, Kind::Stubborn, "v1");
    ACME.publish(&host, apps::release(Kind::Stubborn, "v2").path(), "v2");
    host.root("systemctl reload acme").ok();
    let load = Load::on(host.web(ACME.port)).start();
    load.wait_until("answers", |counts| counts.total() > 40);
    let counts = load.stop();
    assert_eq!(
        (counts.from("v1"), counts.from("v2"), counts.failures()),
        (counts.ok, 0, 0)
    );
}

#[test]
fn a_plain_server_drops_what_is_under_way_and_a_graceful_one_does_not() {
    let host = lab::host!(Suite::Bookworm);
    for (kind, dropped) in [(Kind::Plain, true), (Kind::Graceful, false)] {
        ACME.bring_up(&host, Service::Simple, kind, "v1");
        // It is stopped in the 2 s before the first answer; a machine that is too busy for that tries again.
        let counts = (0..20).find_map(|_| {
            host.root("systemctl start acme").ok();
            host.wait_for("an answer", |host| {
                host.root("curl -s http://127.0.0.1:8080/").success()
            });
            let load = Load::on(host.web(ACME.port)).path("/slow").rate(20).start();
            std::thread::sleep(Duration::from_millis(500));
            host.root("systemctl kill acme").ok();
            let early = load.counts().ok == 0;
            host.root("systemctl stop acme").ok();
            let counts = load.stop();
            early.then_some(counts)
        });
        let counts = counts.expect("a moment before the first answer");
        assert_eq!(counts.ok == 0, dropped, "{kind:?}: {counts:?}");
    }
}

#[test]
fn a_draining_server_tells_its_clients_to_come_back_on_a_new_connection() {
    let host = lab::host!(Suite::Bookworm);
    ACME.bring_up(&host, Service::Notify, Kind::Graceful, "v1");
    // It closes the connection when it has answered, and waits for this test to ask.
    host.root("echo 'graceful 300' >/opt/acme/current/behaviour && systemctl restart acme")
        .ok();
    let mut line = TcpStream::connect(host.web(ACME.port)).unwrap();
    let mut ask = |path: &str| {
        write!(line, "GET {path} HTTP/1.1\r\nHost: acme\r\n\r\n").unwrap();
        let mut said = [0; 1024];
        let read = line.read(&mut said).unwrap();
        String::from_utf8_lossy(&said[..read]).into_owned()
    };
    assert!(ask("/").contains("Connection: keep-alive"));
    host.root("systemctl stop --no-block acme").ok();
    let last = ask("/slow");
    assert!(last.contains("Connection: close") && last.ends_with("v1\n"), "{last}");
}

#[test]
fn broken_releases_are_broken_in_their_own_way() {
    let host = lab::host!(Suite::Bookworm);
    ACME.bring_up(&host, Service::Notify, Kind::Graceful, "v1");
    host.root("mkdir -p /etc/systemd/system/acme.service.d").ok();
    host.write_file(
        "/etc/systemd/system/acme.service.d/patience.conf",
        b"[Unit]\nStartLimitIntervalSec=0\n[Service]\nTimeoutStartSec=20s\nTimeoutStopSec=1s\n",
    );
    host.root("systemctl daemon-reload").ok();
    let switch = |kind: Kind| {
        let version = format!("{kind:?}");
        ACME.publish(&host, apps::release(kind, &version).path(), &version);
        host.root("systemctl restart acme")
    };

    assert!(!switch(Kind::CrashAtStart).success());
    host.wait_for("a restart loop", |host| {
        host.unit("acme", "NRestarts").parse::<u32>().unwrap() >= 2
    });
    assert!(host.journal(Some("acme")).contains("cannot open the database"));

    assert!(!switch(Kind::NoProgram).success());
    assert!(!switch(Kind::NeverReady).success(), "the start must time out");
    assert!(host.journal(Some("acme")).contains("timed out") || host.journal(Some("acme")).contains("timeout"));

    switch(Kind::CrashAfter2s).ok();
    let first = host.unit("acme", "InvocationID");
    host.wait_for("an answer", |host| {
        host.root("curl -s --max-time 60 http://127.0.0.1:8080/").stdout == "CrashAfter2s\n"
    });
    host.wait_for("its end", |host| host.unit("acme", "InvocationID") != first);

    switch(Kind::Unhealthy).ok();
    let misses = |load: Load| {
        let load = load.start();
        load.wait_until("a miss", |counts| !counts.missed.is_empty());
        load.stop().missed.into_keys().collect::<Vec<_>>()
    };
    assert_eq!(misses(Load::on(host.web(ACME.port))), [Miss::Status(500)]);

    switch(Kind::Hanging).ok();
    let load = Load::on(host.web(ACME.port)).timeout(Duration::from_millis(300));
    assert_eq!(misses(load), [Miss::Timeout]);

    let start = std::time::Instant::now();
    switch(Kind::SlowStart).ok();
    assert!(start.elapsed() >= Duration::from_millis(1500));
    assert_eq!(get(&host, "/healthz"), "ok SlowStart");
}

#[test]
fn two_apps_live_beside_each_other_and_migrations_are_counted() {
    let host = lab::host!(Suite::Trixie);
    ACME.bring_up(&host, Service::Socket, Kind::Graceful, "v1");
    BETA.bring_up(&host, Service::Simple, Kind::Graceful, "b1");
    host.wait_for("both", |host| {
        host.root("curl -s http://127.0.0.1:8080/ http://127.0.0.1:8081/")
            .stdout
            == "v1\nb1\n"
    });

    for (version, migrate, result) in [
        ("v2", Migrate::Succeeds, "success"),
        ("v3", Migrate::Fails, "exit-code"),
        ("v4", Migrate::Hangs, "timeout"),
    ] {
        let tree = apps::release_migrating(Kind::Graceful, version, migrate);
        ACME.publish(&host, tree.path(), version);
        host.root("cd /opt/acme && ln -sfn \"$(readlink current)\" next").ok();
        let ended = host.root("systemctl start acme-migrate.service");
        assert_eq!(ended.success(), migrate == Migrate::Succeeds);
        assert_eq!(host.unit("acme-migrate.service", "Result"), result);
    }
    assert_eq!(ACME.migrations(&host), ["v2", "v3", "v4"]);
    assert!(BETA.migrations(&host).is_empty());
    host.power_cut();
    host.boot_again();
    host.wait_for("both, by themselves", |host| {
        host.root("curl -s http://127.0.0.1:8080/ http://127.0.0.1:8081/")
            .stdout
            == "v4\nb1\n"
    });
}
