//! status: what it says of units, processes, timers, health and the past is what is there.

use crate::apps::{Kind, Service};
use crate::deploys::desk::{Desk, acme, current};
use crate::lab::{self, Host, Suite};

#[test]
fn units_processes_timers_health_and_the_past_are_told_as_they_are() {
    for suite in Suite::Trixie.or_both() {
        let host = lab::host!(suite);
        let timer = "[Timer]\nOnCalendar=*-*-* 03:00\n";
        host.write_file("/etc/systemd/system/acme-backup.timer", timer.as_bytes());
        let job = "[Service]\nType=oneshot\nExecStart=/bin/false\n";
        host.write_file("/etc/systemd/system/acme-backup.service", job.as_bytes());
        // Of another app, although its name begins alike.
        host.write_file("/etc/systemd/system/acmeother.timer", timer.as_bytes());
        host.write_file("/etc/systemd/system/acmeother.service", job.as_bytes());
        let boot = b"[Timer]\nOnActiveSec=5h\nUnit=acme.service\n";
        host.write_file("/etc/systemd/system/nightly.timer", boot);
        let desk = Desk::live(&host, Service::Socket, &acme("socket"));
        host.root("systemctl daemon-reload && systemctl start acme-backup.timer acmeother.timer nightly.timer")
            .ok();
        let v1 = current(&host);
        desk.tree(Kind::CrashAtStart, "v2");
        // All is well: one line.
        let line = format!("acme runs {v1} (verified) on deploy@");
        let ran = desk
            .shipit(&["status"])
            .leaves(0)
            .says(&line)
            .says(": acme.service healthy, active for ");
        assert_eq!(ran.stdout.lines().count(), 1, "{ran}");
        desk.json(&["deploy"]).leaves(3);
        desk.shipit(&["status"]).leaves(0).says("failed, reverted, by ann@");
        let ran = desk
            .shipit(&["status", "-v"])
            .leaves(0)
            .says(&format!("acme runs {v1} (verified)"))
            .says("acme.service: active (running) for ")
            .says(&format!("    runs from {v1}\n"))
            .says("    healthy (checked just now, from the host)")
            .says("acme.socket: active (running) for ")
            .says("listens on 0.0.0.0:8080 (Stream)")
            .says("acme-backup.timer: active, next run in ")
            .says("nightly.timer: active, next run in ")
            .says("failed, reverted, by ann@")
            .says("deployed, by ann@")
            .never_says("acmeother")
            // systemd 252 may count the last crash of the bad release to the life that followed it.
            .never_says("restarted 0")
            .never_says("could not be read");
        assert!(ran.stderr.is_empty(), "{ran}");
        let json = desk.json(&["status"]).leaves(0);
        let told: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
        let unit = &told["units"][0];
        assert_eq!(unit["release"], v1.as_str(), "{told}");
        assert_eq!(unit["healthy"], true, "{told}");
        assert!(unit["seconds"].as_i64().unwrap() < 3600, "{told}");
        assert_eq!(told["deploys"][0]["outcome"], "reverted", "{told}");
        assert_eq!(told["deploys"][1]["outcome"], "done", "{told}");
        let now: i64 = host.root("date +%s").ok().trim().parse().unwrap();
        for timer in told["timers"].as_array().unwrap() {
            let next = timer["next"].as_i64().unwrap() - now;
            let most = if timer["timer"] == "nightly.timer" {
                5 * 3600
            } else {
                24 * 3600
            };
            assert!(next > 0 && next <= most, "{told}");
        }

        // A crash that systemd mended, by hand and then seen. A life of its own, whose count begins at 0.
        host.root("systemctl restart acme.service").ok();
        host.root("kill -9 $(systemctl show -P MainPID acme.service)").ok();
        host.wait_for("the next life", |host| {
            host.unit("acme.service", "NRestarts") == "1" && host.unit("acme.service", "ActiveState") == "active"
        });
        desk.shipit(&["status"])
            .leaves(0)
            .says("restarted once by systemd")
            .never_says("# prints the reason")
            .says(&format!("    runs from {v1}\n"));
        host.root("systemctl start --no-block acme-backup.service").ok();
        host.root("echo unhealthy >/opt/acme/current/behaviour").ok();
        desk.shipit(&["restart"]).leaves(4);
        desk.shipit(&["status"])
            .leaves(0)
            .says("    not healthy: http://127.0.0.1:8080/healthz answered 500, not 200")
            .says("    # prints the reason");
        desk.shipit(&["stop"]).leaves(0);
        desk.shipit(&["status"])
            .leaves(0)
            .says("acme: acme.service is not running; ")
            .says("acme.service: inactive (dead)")
            .says("next: shipit start ")
            .says("    # prints why it does not run")
            .says("    not healthy: no connection to http://127.0.0.1:8080/healthz")
            .never_says("runs from");
    }
}

#[test]
fn a_process_that_is_older_than_the_last_flip_is_not_said_to_run_the_live_release() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    let v1 = current(&host);
    let v2 = desk.deploy(Kind::Graceful, "v2");
    // Somebody turned the link back by hand.
    host.root(&format!("cd /opt/acme && ln -sfnT releases/{v1} current"))
        .ok();
    desk.shipit(&["status"])
        .leaves(0)
        .never_says("cannot read: the timers")
        .says(&format!("acme runs {v1}"))
        .says(&format!("    runs from {v2}, which is not live\n"))
        .says("    next: shipit restart acme.service");
}

#[test]
fn what_cannot_be_read_is_said() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    host.root("chown root /opt/acme/.shipit/ledger && chmod 0600 /opt/acme/.shipit/ledger")
        .ok();
    desk.shipit(&["status"]).leaves(0).says("cannot read: ledger");
    let json = desk.json(&["status"]).leaves(0);
    let told: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(told["unreadable"][0], "ledger", "{told}");
}

#[test]
fn a_timer_whose_run_failed_or_was_missed_is_a_finding() {
    for suite in Suite::Bookworm.or_both() {
        let host = lab::host!(suite);
        let unit = |name: &str, text: &str| {
            host.write_file(&format!("/etc/systemd/system/acme-{name}"), text.as_bytes());
        };
        unit(
            "backup.timer",
            "[Timer]\nOnCalendar=*-*-* 03:00\nPersistent=yes\n[Install]\nWantedBy=timers.target\n",
        );
        unit(
            "backup.service",
            "[Service]\nType=oneshot\nExecStart=/bin/sh -c '! test -e /var/tmp/broken'\n",
        );
        let desk = Desk::live(&host, Service::Socket, &acme("socket"));
        host.root("systemctl daemon-reload && systemctl enable --now acme-backup.timer")
            .ok();
        let ran = desk.shipit(&["status"]).leaves(0).never_says("acme-backup");
        assert_eq!(ran.stdout.lines().count(), 1, "{ran}");
        desk.shipit(&["doctor"])
            .never_says("the last run of")
            .never_says("was missed");

        host.root("touch /var/tmp/broken; systemctl start acme-backup.service; true")
            .ok();
        desk.shipit(&["status"])
            .says("acme-backup.timer: active, next run in ")
            .says(", last run failed (exit-code)")
            .says("# prints the reason");
        desk.shipit(&["doctor"])
            .leaves(1)
            .says("acme-backup.service")
            .says("journalctl -u acme-backup.service");

        // It is due every ten seconds, and the first run does not end. A minute later the next one counts as missed.
        host.root("rm /var/tmp/broken; systemctl start acme-backup.service; systemctl stop acme-backup.timer")
            .ok();
        unit(
            "backup.timer",
            "[Timer]\nOnCalendar=*-*-* *:*:0/10\nAccuracySec=1s\nUnit=acme-slow.service\n[Install]\nWantedBy=timers.target\n",
        );
        unit(
            "slow.service",
            "[Service]\nType=oneshot\nTimeoutStartSec=infinity\nExecStart=/bin/sleep infinity\n",
        );
        host.root("systemctl daemon-reload && systemctl start acme-backup.timer")
            .ok();
        host.wait_for("the run", |host: &Host| {
            host.unit("acme-slow.service", "MainPID") != "0"
        });
        // Cheap to ask, unlike `status`.
        host.root("touch /var/tmp/ran").ok();
        host.wait_for("a minute", |host: &Host| {
            host.root("find /var/tmp/ran -mmin +1.1").stdout.contains("ran")
        });
        host.wait_for("the next run to be missed", |_: &Host| {
            desk.shipit(&["status"])
                .stdout
                .contains("acme-backup.timer: active, no next run, running since ")
                && desk
                    .shipit(&["status"])
                    .stdout
                    .contains(", missed the run that was due ")
        });
        desk.shipit(&["doctor"])
            .says("acme-backup.timer: the run that was due ")
            .says("acme-slow.service is still running, and a timer does not start a second run");
        let json = desk.json(&["status"]).leaves(0);
        let told: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
        assert!(told["timers"][0]["missed"].is_i64(), "{told}");
    }
}
