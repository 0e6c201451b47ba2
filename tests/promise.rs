//! The promise in numbers: what clients of the app see while it goes from release to release, there and back,
//! measured from outside by a client that never retries. `SHIPIT_ROUNDS` asks for another number of rounds.

use std::time::Instant;

use crate::apps::{Kind, Service};
use crate::deploys::desk::{Desk, acme, assert_live};
use crate::lab::{self, Host, Load, Suite};

/// How often there and back.
fn rounds(default: usize) -> usize {
    std::env::var("SHIPIT_ROUNDS").map_or(default, |rounds| rounds.parse().unwrap())
}

/// Deploys and rollbacks in turn under 200 new connections a second, and some that are kept.
fn nothing_fails(host: &Host, desk: &Desk, rounds: usize) {
    let fresh = Load::on(host.web(8080)).rate(200).start();
    let kept = Load::on(host.web(8080)).rate(50).keep_alive(5).start();
    let began = Instant::now();
    for round in 0..rounds {
        let version = format!("round-{round}");
        let release = desk.deploy(Kind::Graceful, &version);
        fresh.wait_until(&version, |counts| counts.from(&version) > 0);
        assert_live(host, &release, &version);
        let ran = desk.json(&["rollback"]).leaves(0);
        assert_live(host, &ran.release(), "v1");
        let before = fresh.counts().from("v1");
        fresh.wait_until("the first release again", |counts| counts.from("v1") > before);
    }
    let took = began.elapsed();
    for (which, counts) in [("new", fresh.stop()), ("kept", kept.stop())] {
        let line = format!(
            "{rounds} deploys and {rounds} rollbacks in {took:.1?}, {which} connections: {} requests, {} failed, \
             slowest {:.0?}, longest gap {:.0?}, idle closed {}",
            counts.total(),
            counts.failures(),
            counts.slowest,
            counts.longest_gap,
            counts.idle_closed
        );
        eprintln!("{}: {line}", std::thread::current().name().unwrap_or(""));
        assert_eq!(counts.failures(), 0, "{line}: {:?}", counts.missed);
        assert!(counts.ok > took.as_secs() * 40, "{line}");
    }
}

#[test]
fn no_request_fails_over_deploys_and_rollbacks_behind_a_socket() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    nothing_fails(&host, &desk, rounds(10));
}

#[test]
fn no_request_fails_over_deploys_and_rollbacks_by_reload() {
    let host = lab::host!(Suite::Trixie);
    let yml = acme("reload")
        .health("url", "\"http://127.0.0.1:8080/release\"")
        .health("release", "true");
    let desk = Desk::live(&host, Service::Reload, &yml);
    let process = host.unit("acme.service", "MainPID");
    nothing_fails(&host, &desk, rounds(5));
    assert_eq!(host.unit("acme.service", "MainPID"), process, "the process stayed");
}

#[test]
fn a_restart_says_how_long_nobody_answered() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Notify, &acme("restart"));
    let mut differences = Vec::new();
    let is_good = |difference: &&u64| **difference <= 100;
    // A busy machine may hold up any one measurement on either side, but not most of them.
    for round in 0..15 {
        if round >= 5 && differences.iter().filter(is_good).count() >= 2 {
            break;
        }
        let version = format!("v{}", round + 2);
        desk.tree(Kind::SlowStart, &version);
        let load = Load::on(host.web(8080)).rate(200).start();
        load.wait_until("an answer", |counts| counts.ok > 20);
        let ran = desk.json(&["deploy"]).leaves(0);
        load.wait_until(&version, |counts| counts.from(&version) > 20);
        let counts = load.stop();
        let downtime = &ran.ended()["downtime"];
        let said = downtime["longest_gap_ms"].as_u64().unwrap();
        let seen = u64::try_from(counts.longest_gap.as_millis()).unwrap();
        assert!(
            counts.failures() > 0 && downtime["failed_by_kind"]["refused"].as_u64() > Some(0),
            "{downtime}"
        );
        // It is ready after 1.5 s.
        assert!(downtime["services"][0]["start_ms"].as_u64() >= Some(1400), "{downtime}");
        eprintln!("restart: shipit says {said} ms, the client saw {seen} ms: {downtime}");
        differences.push(said.abs_diff(seen).saturating_sub(seen / 10));
    }
    differences.sort_unstable();
    assert!(differences[1] <= 100, "{differences:?} ms beyond a tenth");
}

#[test]
fn behind_a_socket_shipit_says_as_the_client_does_that_no_request_failed_and_how_long_one_waited() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    let mut differences = Vec::new();
    for round in 0..15 {
        if round >= 3 && differences.iter().any(|difference| *difference <= 100) {
            break;
        }
        let version = format!("v{}", round + 2);
        desk.tree(Kind::SlowStart, &version);
        let load = Load::on(host.web(8080)).rate(200).start();
        load.wait_until("an answer", |counts| counts.ok > 20);
        let ran = desk.json(&["deploy"]).leaves(0);
        load.wait_until(&version, |counts| counts.from(&version) > 20);
        let counts = load.stop();
        let downtime = &ran.ended()["downtime"];
        assert_eq!(
            (counts.failures(), downtime["failed"].as_u64()),
            (0, Some(0)),
            "{downtime}"
        );
        let said = downtime["longest_wait_ms"].as_u64().unwrap();
        let seen = u64::try_from(counts.slowest.as_millis()).unwrap();
        eprintln!("socket: shipit says {said} ms, the client saw {seen} ms: {downtime}");
        // The slowest one is of the switch, unless the machine paused before or after it.
        let slowest = ["before", "during", "after"].map(|when| downtime["latency"][when]["max_ms"].as_u64());
        assert_eq!(slowest.iter().max(), Some(&Some(said)), "{downtime}");
        assert!(slowest[1] >= Some(1000), "{downtime}");
        differences.push(said.abs_diff(seen).saturating_sub(seen / 10));
    }
    differences.sort_unstable();
    assert!(differences[0] <= 100, "{differences:?} ms beyond a tenth");
}
