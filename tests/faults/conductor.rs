//! The host's side: the conductor dies, its guard sleeps, its script is broken, going back fails.

use std::time::{Duration, Instant};

use super::{Underway, assert_whole, rest};
use crate::apps::{Kind, Service};
use crate::deploys::desk::{Desk, acme, answer, assert_live, current};
use crate::lab::{self, Host, Suite};

/// Kills the conductor once its events say this; false when that never came.
pub(super) fn when(host: &Host, event: &str, deed: &str) -> bool {
    let script = format!(
        "n=0; until grep -qs '{event}' /opt/acme/.shipit/runs/\"$(sed -n 's/^run //p' /opt/acme/.shipit/request 2>/dev/null)\"/events; do
            n=$((n + 1)); [ $n -lt 20000 ] || exit 9
         done; {deed}"
    );
    host.root(&script).success()
}

const KILL: &str = "pid=$(systemctl show -p MainPID --value shipit-acme.service); [ \"$pid\" -gt 1 ] && kill -KILL \"$pid\" || :";

#[test]
fn a_conductor_killed_at_any_step_is_followed_by_one_that_finishes_or_undoes() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(
        &host,
        Service::Socket,
        &acme("socket").health("watch", "1s"),
    );
    let mut slowest = Duration::ZERO;
    for step in ["measure", "flip", "socket", "await", "confirm", "spare"] {
        for state in ["started", "done"] {
            let before = (current(&host), answer(&host));
            let version = format!("{step}-{state}");
            desk.tree(Kind::Graceful, &version);
            let run = Underway::start(&desk, &["deploy"]);
            let event = format!("step [a-z]* {step}.* {state}");
            assert!(
                when(&host, &event, KILL),
                "{version} never came: {}",
                run.end()
            );
            let killed = Instant::now();
            let ran = run.end();
            slowest = slowest.max(killed.elapsed());
            match ran.code() {
                Some(0) => assert_live(&host, &ran.release(), &version),
                Some(3) => assert_live(&host, &before.0, &before.1),
                _ => panic!("{version}: {ran}"),
            }
            desk.json(&["deploy"]).leaves(0);
        }
    }
    eprintln!(
        "conductor killed 12 times: at rest at the latest {slowest:?} after, a watch of 1s included"
    );
}

#[test]
fn a_guard_that_sleeps_is_found_out_and_nothing_changes() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    let before = current(&host);
    host.root("systemctl stop shipit-acme.path").ok();
    desk.tree(Kind::Graceful, "v2");
    desk.json(&["deploy"])
        .leaves(1)
        .says("shipit-acme.path is not active");
    assert_live(&host, &before, "v1");
}

#[test]
fn a_conductor_that_cannot_run_does_not_spin_and_the_request_is_withdrawn() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    let before = current(&host);
    // The unit runs something that fails at once: as with a script that cannot be read.
    host.root(
        "mkdir -p /etc/systemd/system/shipit-acme.service.d && printf '[Service]\\nExecStart=\\nExecStart=/bin/false\\n' \
         >/etc/systemd/system/shipit-acme.service.d/broken.conf && systemctl daemon-reload",
    )
    .ok();
    desk.tree(Kind::Graceful, "v2");
    desk.json(&["deploy"])
        .leaves(1)
        .says("did not take the request up");
    let starts =
        host.root("journalctl -u shipit-acme.service -o cat | grep -c 'Main process exited'");
    let starts: u32 = starts.stdout.trim().parse().unwrap();
    assert!((1..20).contains(&starts), "{starts} starts in 5s");
    assert_live(&host, &before, "v1");
}

#[test]
fn when_going_back_fails_too_the_host_says_degraded_and_the_next_good_release_mends_it() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(
        &host,
        Service::Notify,
        &acme("restart").health("timeout", "2s"),
    );
    let before = current(&host);
    // The release that is live cannot start again, and the new one is broken.
    host.root(&format!(
        "mv /opt/acme/releases/{before}/server.py /opt/acme/releases/{before}/gone"
    ))
    .ok();
    desk.tree(Kind::CrashAtStart, "v2");
    let ran = desk.json(&["deploy"]).leaves(4);
    assert_eq!(ran.outcome(), "degraded", "{ran}");
    assert_eq!(current(&host), before);
    assert!(!host.root("test -e /opt/acme/.shipit/request").success());
    desk.shipit(&["status"]).leaves(4).says("degraded");
    let good = desk.deploy(Kind::Graceful, "v3");
    assert_live(&host, &good, "v3");
    desk.shipit(&["status"]).leaves(0).never_says("degraded");
}

#[test]
fn a_migration_that_was_interrupted_is_a_question_and_never_runs_twice() {
    use crate::apps::{ACME, Migrate};
    let host = lab::host!(Suite::Bookworm);
    let yml = acme("socket").with("migrate: acme-migrate.service");
    let desk = Desk::live(&host, Service::Socket, &yml);
    let before = current(&host);
    let ran_before = ACME.migrations(&host).len();
    desk.tree_migrating(Kind::Graceful, "v2", Migrate::Takes(3));
    let run = Underway::start(&desk, &["deploy"]);
    // Power goes while the migration runs: systemd forgets it.
    assert!(when(
        &host,
        "step switch migrate.* started",
        "until systemctl is-active -q acme-migrate.service || [ \"$(systemctl show -p ActiveState --value acme-migrate.service)\" = activating ]; do :; done; sync"
    ));
    host.power_cut();
    host.boot_again();
    let ran = run.end().leaves(1).says("interrupted");
    assert_eq!(ran.outcome(), "failed", "{ran}");
    // The app itself is still booting.
    rest(&host);
    assert_whole(&host);
    assert_live(&host, &before, "v1");
    assert_eq!(ACME.migrations(&host).len(), ran_before + 1);
    desk.json(&["deploy"]).leaves(1).says("--migration done");
    let ran = desk.json(&["deploy", "--migration", "done"]).leaves(0);
    assert_live(&host, &ran.release(), "v2");
    assert_eq!(ACME.migrations(&host).len(), ran_before + 1, "ran again");
}

#[test]
fn no_reader_ever_misses_current() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    host.write_file(
        "/root/reader.py",
        b"import os,sys,time\nopens=misses=0\nend=time.time()+float(sys.argv[1])\nwhile not os.path.exists('/root/stop'):\n  try:\n    os.close(os.open('/opt/acme/current/version',os.O_RDONLY)); opens+=1\n  except OSError: misses+=1\n  if time.time()>end: break\nprint(opens,misses)\n",
    );
    let reader = host
        .enter()
        .args(["python3", "/root/reader.py", "60"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    for n in 0..4 {
        desk.deploy(Kind::Graceful, &format!("flip-{n}"));
        desk.json(&["rollback"]).leaves(0);
    }
    host.root("touch /root/stop").ok();
    let said = String::from_utf8(reader.wait_with_output().unwrap().stdout).unwrap();
    eprintln!("opens and misses over 8 flips: {said}");
    let mut numbers = said.split_whitespace().map(|n| n.parse::<u64>().unwrap());
    assert!(numbers.next().unwrap() > 10_000);
    assert_eq!(numbers.next(), Some(0));
    rest(&host);
    assert_whole(&host);
}

#[test]
fn a_service_that_crashed_by_itself_before_is_not_taken_for_a_new_crash() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::live(&host, Service::Notify, &acme("restart"));
    host.root("systemctl kill -s KILL --kill-whom=main acme.service")
        .ok();
    host.wait_for("the restart", Duration::from_secs(10), |host: &Host| {
        host.unit("acme.service", "NRestarts") == "1" && !answer(host).is_empty()
    });
    let release = desk.deploy(Kind::Graceful, "v2");
    assert_live(&host, &release, "v2");
    // The same files made ready in another way are another release.
    desk.write(&acme("restart").with("prepare: touch made-ready"));
    let ran = desk.json(&["deploy"]).leaves(0);
    assert_eq!(ran.outcome(), "deployed");
    assert!(host.root("test -e /opt/acme/current/made-ready").success());
    assert_eq!(desk.json(&["deploy"]).leaves(0).outcome(), "unchanged");
}
