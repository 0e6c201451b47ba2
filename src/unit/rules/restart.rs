//! `Restart=`, start limits and the watchdog: what happens after a crash, and after the fifth.

use super::{Severity, View, rules};
use crate::unit::value::Span;

/// Whether the service is started again after a crash.
fn restarts(value: &str) -> bool {
    !matches!(value, "" | "no" | "on-success")
}

/// The start limit: interval in seconds, and burst; systemd's defaults where nothing is set. `[Service]` is the
/// old place of two of the keys, and still works.
fn start_limit(view: &View<'_>) -> (f64, f64) {
    let keys = [
        ("Unit", "StartLimitIntervalSec"),
        ("Unit", "StartLimitInterval"),
        ("Service", "StartLimitInterval"),
    ];
    let interval = keys
        .into_iter()
        .find_map(|(section, key)| view.unit.span(section, key));
    let burst = ["Unit", "Service"]
        .into_iter()
        .find_map(|section| view.unit.get(section, "StartLimitBurst"));
    let burst = burst
        .and_then(|entry| entry.value.parse::<u32>().ok())
        .unwrap_or(5);
    (interval.map_or(10.0, Span::seconds), f64::from(burst))
}

rules! {
    /// No Restart=: a crash is the end
    ///
    /// Without `Restart=` systemd leaves a dead service dead.
    ///
    /// In production: one out-of-memory kill at night, and it is down until somebody looks.
    ///
    /// ```ini
    /// [Service]
    /// Restart=always
    /// RestartSec=1s
    /// ```
    ///
    /// See systemd.service(5), `Restart=`.
    "restart-missing" Warning Service restart_missing(view, found) {
        let value = view.unit.service("Restart");
        if !view.stays() || restarts(value) || view.kind() == "dbus" {
            return;
        }
        let finding = match view.unit.get("Service", "Restart") {
            // Somebody wrote it: a person decides.
            Some(entry) if !entry.value.is_empty() => found
                .at(entry, format!("Restart={}: when it crashes it stays dead", entry.value))
                .suggest("Service", "Restart", "always"),
            _ => found
                .missing("Service", "no Restart=: when it dies it stays dead")
                .set("Service", "Restart", "always"),
        };
        finding.set("Service", "RestartSec", "1s");
        if !view.is_app() {
            finding.severity(Severity::Info);
        }
    }

    /// Restart= that gives up for good
    ///
    /// systemd stops restarting after `StartLimitBurst=` starts (5) within `StartLimitIntervalSec=` (10 s). A service that
    /// dies at once and is restarted after 100 ms uses that up in half a second.
    ///
    /// In production: the database restarts, your app cannot connect for two seconds, and stays down for ever:
    /// `start-limit-hit`. Manual restarts, and deploys, count too.
    ///
    /// ```ini
    /// [Unit]
    /// StartLimitIntervalSec=0
    /// [Service]
    /// Restart=always
    /// RestartSec=1s
    /// ```
    ///
    /// See systemd.unit(5), `StartLimitIntervalSec=`.
    "restart-gives-up" Warning Service restart_gives_up(view, found) {
        let Some(entry) = view
            .unit
            .get("Service", "Restart")
            .filter(|entry| restarts(entry.value))
        else {
            return;
        };
        if !view.stays() || view.is_socket_activated() {
            return;
        }
        let (interval, burst) = start_limit(view);
        let pause = view.seconds("Service", "RestartSec", 0.1);
        if interval > 0.0 && burst > 0.0 && burst * pause < interval {
            let message = format!(
                "Restart={} gives up for good after {burst} quick deaths ({pause} s apart, {interval} s counted): a short outage of something it needs takes it down for ever",
                entry.value
            );
            let finding = found.at(entry, message);
            finding
                .set("Unit", "StartLimitIntervalSec", "0")
                .set("Service", "RestartSec", "1s");
            if entry.value != "always" || !view.is_app() {
                finding.severity(Severity::Info);
            }
        }
    }

    /// Restarts without a limit and without a pause
    ///
    /// `StartLimitIntervalSec=0` takes the limit away; then `RestartSec=` is all that slows a crash loop down.
    ///
    /// In production: a broken release starts ten times a second: a core is busy, the journal rotates everything else away.
    ///
    /// ```ini
    /// [Service]
    /// RestartSec=1s
    /// ```
    ///
    /// See systemd.service(5), `RestartSec=`.
    "restart-spins" Warning Service restart_spins(view, found) {
        let Some(entry) = view
            .unit
            .get("Service", "Restart")
            .filter(|entry| restarts(entry.value))
        else {
            return;
        };
        let (interval, burst) = start_limit(view);
        if (interval == 0.0 || burst == 0.0) && view.seconds("Service", "RestartSec", 0.1) < 0.2 {
            found.at(entry, "no start limit, and less than 200 ms between restarts: a crash loop fills the journal and a core").set("Service", "RestartSec", "1s");
        }
    }

    /// RestartSec= is left at 100 ms
    ///
    /// The default is short: what the program needs is often not back yet, and five deaths in half a second hit the
    /// default start limit.
    ///
    /// In production: `start-limit-hit` after an outage of one second.
    ///
    /// ```ini
    /// [Service]
    /// RestartSec=1s
    /// ```
    ///
    /// See systemd.service(5), `RestartSec=`.
    "restart-sec-default" Info Service restart_sec_default(view, found) {
        if let Some(entry) = view
            .unit
            .get("Service", "Restart")
            .filter(|entry| restarts(entry.value))
            && view.unit.get("Service", "RestartSec").is_none()
        {
            found
                .at(entry, "RestartSec= is left at 100 ms")
                .set("Service", "RestartSec", "1s");
        }
    }

    /// RestartSec= is so long that an outage is noticed
    ///
    /// After every crash nobody serves for this long.
    ///
    /// In production: measured with `RestartSec=5s` and a reload that killed the program: 5.3 s without an answer. A
    /// health watch shorter than this pause cannot see a crash loop.
    ///
    /// ```ini
    /// [Service]
    /// RestartSec=1s
    /// ```
    ///
    /// See systemd.service(5), `RestartSec=`.
    "restart-sec-long" Info Service restart_sec_long(view, found) {
        if let Some(entry) = view.unit.get("Service", "RestartSec")
            && view.seconds("Service", "RestartSec", 0.0) > 10.0
            && view.stays()
        {
            found
                .at(
                    entry,
                    format!(
                        "RestartSec={}: after every crash nobody serves for that long",
                        entry.value
                    ),
                )
                .suggest("Service", "RestartSec", "1s");
        }
    }

    /// Restart= on a job that runs once
    ///
    /// systemd refuses `always` and `on-success` for `Type=oneshot`. `on-failure` is allowed, and repeats a job that has
    /// failed half-way; for a migration that is rarely right.
    ///
    /// In production: the unit cannot be started at all; or a half-done migration runs again and again.
    ///
    /// ```ini
    /// [Service]
    /// Type=oneshot
    /// Restart=no
    /// ```
    ///
    /// See systemd.service(5), `Restart=`.
    "restart-oneshot" Error(Start) Service restart_oneshot(view, found) {
        if view.kind() != "oneshot" {
            return;
        }
        let Some(entry) = view.unit.get("Service", "Restart") else {
            return;
        };
        match entry.value {
            "always" | "on-success" => {
                found
                    .at(
                        entry,
                        format!(
                            "Restart={} with Type=oneshot: systemd refuses the unit",
                            entry.value
                        ),
                    )
                    .suggest("Service", "Restart", "no");
            }
            value if restarts(value) && view.is_migration() => {
                found.at(entry, format!("Restart={value} on a migration: one that failed half-way is run again by itself"))
                    .severity(Severity::Warning)
                    .suggest("Service", "Restart", "no");
            }
            _ => {}
        }
    }

    /// StartLimit…= in the wrong section
    ///
    /// The start limit belongs to `[Unit]`. In `[Service]` systemd ignores `StartLimitIntervalSec=`; the old names
    /// still work there.
    ///
    /// In production: you believe that there is no limit; there is one, and the fifth crash is the last.
    ///
    /// ```ini
    /// [Unit]
    /// StartLimitIntervalSec=0
    /// ```
    ///
    /// See systemd.unit(5), `StartLimitIntervalSec=`.
    "start-limit-section" Error(Start) Any start_limit_section(view, found) {
        for entry in view
            .unit
            .entries()
            .filter(|entry| entry.section != "Unit" && entry.key.starts_with("StartLimit"))
        {
            let works = crate::unit::keys::find(entry.section, entry.key).is_some();
            let name = entry
                .key
                .replace("StartLimitInterval", "StartLimitIntervalSec")
                .replace("SecSec", "Sec");
            let what = if works {
                "works here only for old units' sake"
            } else {
                "is ignored here"
            };
            let finding = found.at(
                entry,
                format!("{}= belongs in [Unit] and {what}", entry.key),
            );
            finding.remove().set("Unit", &name, entry.value);
            if works {
                finding.severity(Severity::Info);
            }
        }
    }

    /// A socket that dies with its service's start limit
    ///
    /// When a service behind a `.socket` hits its start limit, systemd fails the socket as well and closes the port.
    ///
    /// In production: measured: a release that crashes at start, rolled back after 8 s: 2,878 of 4,800 requests failed, and
    /// a restart after the rollback was refused. With `StartLimitIntervalSec=0`, `Restart=always` and a short
    /// `RestartSec=`: none; they queued.
    ///
    /// ```ini
    /// [Unit]
    /// StartLimitIntervalSec=0
    /// [Service]
    /// Restart=always
    /// RestartSec=500ms
    /// ```
    ///
    /// See systemd.unit(5), `StartLimitIntervalSec=`; systemd.socket(5), `TriggerLimitIntervalSec=`.
    "restart-socket" Error Service restart_socket(view, found) {
        if !view.is_socket_activated()
            || !view.stays()
            || view
                .socket()
                .is_some_and(|socket| socket.yes("Socket", "Accept") == Some(true))
        {
            return;
        }
        let (interval, burst) = start_limit(view);
        let restart = view.unit.service("Restart");
        let bad = if view.is_app() {
            Severity::Error
        } else {
            Severity::Info
        };
        if restart != "always" {
            found
                .missing("Service", format!("behind a socket with Restart={}: each queued connection starts it anew, until the socket itself fails (trigger-limit-hit)", if restart.is_empty() { "no" } else { restart }))
                .set("Service", "Restart", "always")
                .set("Service", "RestartSec", "500ms")
                .severity(bad);
        }
        if interval > 0.0 && burst > 0.0 {
            found
                .missing("Unit", format!("behind a socket, but {burst} starts within {interval} s are the limit: then the socket fails too and the port closes"))
                .set("Unit", "StartLimitIntervalSec", "0")
                .severity(bad);
        }
    }

    /// A start limit that counts your deploys
    ///
    /// Manual restarts count as starts. A small burst over a long interval refuses the second deploy, or the rollback.
    ///
    /// In production: measured with 10 deploys in 10 s and the defaults: `start-limit-hit`; systemd had stopped the old
    /// process by then, and the service was down. shipit resets the counter before each start; your fingers don't.
    ///
    /// ```ini
    /// [Unit]
    /// StartLimitIntervalSec=0
    /// ```
    ///
    /// See systemd.unit(5), `StartLimitIntervalSec=`; systemctl(1), `reset-failed`.
    "start-limit-deploys" Warning Service start_limit_deploys(view, found) {
        let (interval, burst) = start_limit(view);
        if view.stays() && interval > 10.0 && burst > 0.0 && burst / interval < 5.0 / 60.0 {
            found
                .missing("Unit", format!("{burst} starts in {interval} s, deploys and rollbacks included: a rollback soon after a deploy may be refused"))
                .suggest("Unit", "StartLimitIntervalSec", "0");
        }
    }
}
