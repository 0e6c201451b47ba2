//! `Restart=` and start limits: what happens after a crash, and after the fifth.

use super::{Finding, Runtime, Severity, View, rules};
use crate::unit::keys;
use crate::unit::merge::Entry;
use crate::unit::value::Span;

/// Whether the service is started again after a crash.
fn restarts(value: &str) -> bool {
    !matches!(value, "" | "no" | "on-success")
}

/// The `Restart=` that starts the service again after a crash.
fn restart<'a>(view: &View<'a>) -> Option<Entry<'a>> {
    let entry = view.unit.get("Service", "Restart");
    entry.filter(|entry| restarts(entry.value))
}

/// The start limit: interval in seconds, and burst, with systemd's defaults. Two of the keys used to belong in
/// `[Service]` and still work there.
fn start_limit(view: &View<'_>) -> (f64, f64) {
    let keys = [
        ("Unit", "StartLimitIntervalSec"),
        ("Unit", "StartLimitInterval"),
        ("Service", "StartLimitInterval"),
    ];
    let interval = keys.into_iter().find_map(|(section, key)| view.unit.span(section, key));
    let burst = ["Unit", "Service"]
        .into_iter()
        .find_map(|section| view.unit.get(section, "StartLimitBurst"));
    let burst = burst.and_then(|entry| entry.value.parse::<u32>().ok());
    (interval.map_or(10.0, Span::seconds), f64::from(burst.unwrap_or(5)))
}

/// Servers that never end by themselves, and that start at boot. A program that reports READY=1 can end when it is idle.
fn is_server(view: &View<'_>) -> bool {
    use Runtime::{Gunicorn, Nginx, PhpFpm, Puma};
    let boots = view.unit.sets("Install", ["WantedBy", "RequiredBy", "UpheldBy"]);
    boots && matches!(view.runtime(), Gunicorn | Puma | Nginx | PhpFpm)
}

/// Whether it ends when it is idle, and is started again for the next request.
fn ends_when_idle(view: &View<'_>) -> bool {
    let bus = view.kind() == "dbus" || view.unit.sets("Service", "BusName");
    let option = |word: &str| {
        let name = word.split('=').next().unwrap_or_default();
        name.starts_with('-')
            && name.contains("idle")
            && (name.contains("exit") || name.contains("quit") || name.contains("stop"))
    };
    bus || view.start().is_some_and(|(command, _)| command.words().any(option))
}

/// Whether a socket starts it, and hands it all connections: `restart-socket` is about it.
fn is_behind_a_socket(view: &View<'_>) -> bool {
    let accepts = view
        .socket()
        .is_some_and(|socket| socket.yes("Socket", "Accept") == Some(true));
    view.is_socket_activated() && view.stays() && !accepts
}

/// The start limit that suits a service: without one behind a socket, which would fail with it; otherwise one that is
/// wide enough for an outage of its database, with a pause that grows where the host's systemd can.
fn limit(view: &View<'_>, finding: &mut Finding) {
    let socket = view.is_socket_activated();
    let (interval, pause) = if socket { ("0", "500ms") } else { ("10min", "1s") };
    finding.set("Unit", "StartLimitIntervalSec", interval);
    if !socket {
        finding.set("Unit", "StartLimitBurst", "300");
    }
    if !view.unit.sets("Service", "RestartSec") {
        finding.set("Service", "RestartSec", pause);
    }
    let grows = view.unit.sets("Service", ["RestartSteps", "RestartMaxDelaySec"]);
    let can_grow = view.host().and_then(|host| host.systemd) >= Some(254);
    if !socket && !grows && can_grow {
        finding.set("Service", "RestartSteps", "5");
        finding.set("Service", "RestartMaxDelaySec", "30s");
    }
    let old = [
        ("Unit", "StartLimitInterval"),
        ("Service", "StartLimitInterval"),
        ("Service", "StartLimitBurst"),
    ];
    if old.iter().any(|(section, key)| view.unit.sets(section, *key)) {
        finding.decide();
    }
}

rules! {
    /// No Restart=: the service stays down after a crash
    ///
    /// Without `Restart=`, systemd does not start the service again when it dies.
    ///
    /// In production: one out-of-memory kill at night, and the service is down until you notice.
    ///
    /// ```ini
    /// [Service]
    /// Restart=always
    /// RestartSec=1s
    /// ```
    ///
    /// See systemd.service(5), `Restart=`.
    "restart-missing" Warning Service restart_missing(view, found) {
        if !view.stays() || restart(view).is_some() || ends_when_idle(view) || is_behind_a_socket(view) {
            return;
        }
        let finding = match view.unit.get("Service", "Restart") {
            // It was written on purpose, so the user decides.
            Some(entry) => found
                .at(entry, format!("Restart={}: the service stays down after a crash", entry.value))
                .suggest("Service", "Restart", "always"),
            None => {
                let finding = found.missing("Service", "no Restart=: the service stays down after a crash");
                match is_server(view) {
                    true => finding.set("Service", "Restart", "always"),
                    false => finding.suggest("Service", "Restart", "always"),
                }
            }
        };
        limit(view, finding);
    }

    /// Restart= that gives up permanently
    ///
    /// systemd stops restarting a service after `StartLimitBurst=` starts (5) within `StartLimitIntervalSec=` (10 s). A
    /// service that dies at once and is restarted after 100 ms reaches that limit in half a second. A limit is right when
    /// `RestartSec=` times `StartLimitBurst=` is longer than an outage of the database. For a service behind a socket,
    /// write `StartLimitIntervalSec=0`: a service at its limit takes the socket down with it.
    ///
    /// In production: the database restarts, your app cannot connect for two seconds, and then stays down forever with
    /// `start-limit-hit`.
    ///
    /// ```ini
    /// [Unit]
    /// # gives up after five minutes of failed starts
    /// StartLimitIntervalSec=10min
    /// StartLimitBurst=300
    /// [Service]
    /// Restart=always
    /// RestartSec=1s
    /// # with systemd 254 or later, the pause can grow, from 1 s to 30 s:
    /// RestartSteps=5
    /// RestartMaxDelaySec=30s
    /// ```
    ///
    /// See systemd.unit(5), `StartLimitIntervalSec=`.
    "restart-gives-up" Warning Service restart_gives_up(view, found) {
        let Some(entry) = restart(view).filter(|_| view.stays() && !view.is_socket_activated()) else {
            return;
        };
        let (interval, burst) = start_limit(view);
        let pause = view.seconds("Service", "RestartSec", 0.1);
        let outage = burst * pause;
        let grows = view.unit.sets("Service", ["RestartSteps", "RestartMaxDelaySec"]);
        let chosen = view.unit.sets("Unit", "StartLimitBurst") || view.unit.sets("Service", "StartLimitBurst");
        if interval > 0.0 && burst > 0.0 && outage < interval && outage < 20.0 && !grows {
            let message = format!(
                "Restart={} gives up after {burst} starts within {interval} s (RestartSec= is {pause} s): an outage \
                 of a dependency that lasts {outage} s takes the service down permanently",
                entry.value
            );
            let finding = found.at(entry, message);
            limit(view, finding);
            if entry.value != "always" || !view.is_app() || chosen && outage >= 3.0 {
                finding.severity(Severity::Info);
            }
        }
    }

    /// Restarts without a limit and without a pause
    ///
    /// `StartLimitIntervalSec=0` removes the start limit. Only `RestartSec=` then slows down a crash loop.
    ///
    /// In production: a broken release starts ten times a second. It keeps a processor busy, and its messages push
    /// everything else out of the journal.
    ///
    /// ```ini
    /// [Service]
    /// RestartSec=1s
    /// ```
    ///
    /// See systemd.service(5), `RestartSec=`.
    "restart-spins" Warning Service restart_spins(view, found) {
        let (interval, burst) = start_limit(view);
        if let Some(entry) = restart(view)
            && (interval == 0.0 || burst == 0.0)
            && view.seconds("Service", "RestartSec", 0.1) < 0.2
        {
            let message = "no start limit, and less than 200 ms between restarts: a crash loop fills the journal and \
                           keeps a processor busy";
            found.at(entry, message).set("Service", "RestartSec", "1s");
        }
    }

    /// RestartSec= left at its default of 100 ms
    ///
    /// The default is short. A dependency is often not back within 100 ms, and five crashes in half a second reach the
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
        if let Some(entry) = restart(view).filter(|_| !view.unit.sets("Service", "RestartSec")) {
            found
                .at(entry, "RestartSec= is not set: systemd restarts the service after 100 ms")
                .set("Service", "RestartSec", "1s");
        }
    }

    /// RestartSec= so long that users notice the outage
    ///
    /// After every crash the service is down for this long.
    ///
    /// In production: with `RestartSec=5s`, a reload that killed the program caused 5.3 s without a reply (measured).
    /// A health watch shorter than this pause cannot detect a crash loop.
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
                .at(entry, format!("RestartSec={}: after every crash the service is down for that long", entry.value))
                .suggest("Service", "RestartSec", "1s");
        }
    }

    /// Restart= on a job that runs once
    ///
    /// systemd refuses `always` and `on-success` for `Type=oneshot`. It accepts `on-failure` and then repeats a job
    /// that failed halfway; for a migration that is rarely right.
    ///
    /// In production: the unit cannot be started at all, or a half-finished migration runs again and again.
    ///
    /// ```ini
    /// [Service]
    /// Type=oneshot
    /// Restart=no
    /// ```
    ///
    /// See systemd.service(5), `Restart=`.
    "restart-oneshot" Error(Start) Service restart_oneshot(view, found) {
        let Some(entry) = view.unit.get("Service", "Restart").filter(|_| view.kind() == "oneshot") else {
            return;
        };
        let value = entry.value;
        let finding = if matches!(value, "always" | "on-success") {
            found.at(entry, format!("Restart={value} with Type=oneshot: systemd refuses the unit"))
        } else if restarts(value) && view.is_migration() {
            found
                .at(entry, format!("Restart={value} on a migration: systemd runs it again after it failed halfway"))
                .severity(Severity::Warning)
        } else {
            return;
        };
        finding.suggest("Service", "Restart", "no");
    }

    /// StartLimit…= in the wrong section
    ///
    /// The start limit belongs in `[Unit]`. systemd ignores `StartLimitIntervalSec=` in `[Service]`; only the old names
    /// still work there. `shipit unit explain restart-gives-up` has the limit that suits a service.
    ///
    /// In production: you think that there is no limit. There is one, and after the fifth crash the service stays down.
    ///
    /// ```ini
    /// [Unit]
    /// StartLimitIntervalSec=10min
    /// StartLimitBurst=300
    /// ```
    ///
    /// See systemd.unit(5), `StartLimitIntervalSec=`.
    "start-limit-section" Error(Start) Any start_limit_section(view, found) {
        let limits = view.unit.entries().filter(|entry| entry.key.starts_with("StartLimit"));
        for entry in limits.filter(|entry| entry.section != "Unit") {
            let works = keys::find(entry.section, entry.key).is_some();
            let name = match entry.key {
                "StartLimitInterval" => "StartLimitIntervalSec",
                key => key,
            };
            let effect = if works { "works here only for compatibility" } else { "has no effect here" };
            let finding = found.at(entry, format!("{}= belongs in [Unit] and {effect}", entry.key));
            finding.remove().set("Unit", name, entry.value);
            if works {
                finding.severity(Severity::Info);
            }
        }
    }

    /// A socket that fails when its service reaches the start limit
    ///
    /// When a service behind a `.socket` reaches its start limit, the socket fails too, and systemd closes the port.
    ///
    /// In production: a release that crashed at startup was rolled back after 8 s. 2,878 of 4,800 requests failed, and
    /// systemd refused a restart after the rollback (measured). With `StartLimitIntervalSec=0`, `Restart=always` and a
    /// short `RestartSec=`, none failed: they waited in the queue.
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
    "restart-socket" Warning Service restart_socket(view, found) {
        if !is_behind_a_socket(view) || ends_when_idle(view) {
            return;
        }
        let restart = match view.unit.service("Restart") {
            "" => "no",
            set => set,
        };
        let (interval, burst) = start_limit(view);
        // While systemd waits for RestartSec=, no connection starts the service.
        let pause = view.unit.span("Service", "RestartSec").map_or(0.1, Span::seconds);
        let limited = interval > 0.0 && burst > 0.0 && (restart != "always" || pause * burst < interval);
        let finding = if restart != "always" {
            let message = format!(
                "behind a socket with Restart={restart}: if the service keeps crashing, each queued connection starts it \
                 again, until the socket fails too and its port is closed"
            );
            found
                .missing("Service", message)
                .suggest("Service", "Restart", "always")
                .suggest("Service", "RestartSec", "500ms")
        } else if limited {
            let message = format!(
                "behind a socket with a limit of {burst} starts within {interval} s: after that the socket fails too, \
                 and its port is closed"
            );
            found.missing("Unit", message)
        } else {
            return;
        };
        if limited {
            finding.suggest("Unit", "StartLimitIntervalSec", "0");
        }
        if !view.is_app() {
            finding.severity(Severity::Info);
        }
    }
}
