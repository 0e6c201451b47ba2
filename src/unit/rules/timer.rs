//! `.timer` units, and the services behind them.

use super::facts::Calendar;
use super::view::triggers;
use super::{Cause, Severity, rules};
use crate::unit::name::UnitName;

/// Whether an expression elapses many times a day, so that one missed time is no loss.
fn is_frequent(calendar: &str) -> bool {
    let time = calendar
        .split_whitespace()
        .find(|word| word.contains(':'))
        .unwrap_or_default();
    let hour = time.split(':').next().unwrap_or_default();
    matches!(calendar, "minutely" | "hourly")
        || hour.contains(['*', '/', ','])
        || time.matches(':').count() == 1 && time.starts_with("*:")
}

rules! {
    /// A time that is missed is lost
    ///
    /// A host that is off, or rebooting, at that minute skips it. `Persistent=yes` remembers the last run on disk and
    /// catches up.
    ///
    /// In production: the nightly reboot falls on the nightly backup; it has not run for weeks.
    ///
    /// ```ini
    /// [Timer]
    /// OnCalendar=daily
    /// Persistent=yes
    /// ```
    ///
    /// See systemd.timer(5), `Persistent=`.
    "timer-persistent" Warning Timer persistent(view, found) {
        let rare = view
            .unit
            .all("Timer", "OnCalendar")
            .into_iter()
            .find(|entry| !is_frequent(entry.value));
        if let Some(entry) = rare.filter(|_| view.unit.get("Timer", "Persistent").is_none()) {
            found.at(entry, format!("OnCalendar={} without Persistent=: a time that falls into a reboot is lost", entry.value)).set("Timer", "Persistent", "yes");
        }
    }

    /// Everybody at the same second
    ///
    /// `daily` is midnight, for every timer on every host.
    ///
    /// In production: at 00:00:00 all hosts ask the same backup server, and all jobs of this one share its disk.
    ///
    /// ```ini
    /// [Timer]
    /// OnCalendar=daily
    /// RandomizedDelaySec=30min
    /// ```
    ///
    /// See systemd.timer(5), `RandomizedDelaySec=`.
    "timer-delay" Info Timer delay(view, found) {
        let round = |text: &str| {
            matches!(
                text,
                "daily"
                    | "weekly"
                    | "monthly"
                    | "quarterly"
                    | "semiannually"
                    | "annually"
                    | "yearly"
                    | "hourly"
            ) || text.contains(" 00:00")
                || text.contains("*-*-* 0:0")
        };
        let entry = view
            .unit
            .all("Timer", "OnCalendar")
            .into_iter()
            .find(|entry| round(entry.value));
        if let Some(entry) =
            entry.filter(|_| view.unit.get("Timer", "RandomizedDelaySec").is_none())
        {
            found
                .at(
                    entry,
                    format!(
                        "OnCalendar={} is the same second for everybody",
                        entry.value
                    ),
                )
                .set("Timer", "RandomizedDelaySec", "30min");
        }
    }

    /// A time that never comes
    ///
    /// systemd takes `*-02-30` without a word. Ask `systemd-analyze calendar EXPRESSION` for the next time.
    ///
    /// In production: the timer is active and waits for ever.
    ///
    /// ```ini
    /// [Timer]
    /// OnCalendar=*-*-* 03:30
    /// ```
    ///
    /// See systemd.time(7), "Calendar events"; systemd-analyze(1), `calendar`.
    "timer-never" Error Timer never(view, found) {
        let unit = view.unit;
        for entry in unit.all("Timer", "OnCalendar") {
            match view.host().and_then(|host| host.named.calendars.get(entry.value)) {
                Some(Calendar::Invalid) => {
                    _ = found.at(
                        entry,
                        format!(
                            "OnCalendar={}: systemd cannot read it and ignores the line",
                            entry.value
                        ),
                    )
                }
                Some(Calendar::Never) => {
                    _ = found.at(entry, format!("OnCalendar={} never comes", entry.value))
                }
                Some(Calendar::Elapses) | None => {}
            }
        }
        const FIRST: [&str; 6] = [
            "OnCalendar",
            "OnActiveSec",
            "OnBootSec",
            "OnStartupSec",
            "OnClockChange",
            "OnTimezoneChange",
        ];
        let first = FIRST.iter().any(|key| unit.get("Timer", key).is_some());
        let later = unit
            .get("Timer", "OnUnitActiveSec")
            .or_else(|| unit.get("Timer", "OnUnitInactiveSec"));
        match later {
            Some(entry) if !first => {
                found
                    .at(
                        entry,
                        format!(
                            "{}= counts from the last run, and nothing makes the first",
                            entry.key
                        ),
                    )
                    .set("Timer", "OnBootSec", "5min");
            }
            None if !first && !unit.is_masked() => {
                _ = found.missing("Timer", "no On…=: it never elapses")
            }
            _ => {}
        }
    }

    /// A timer without its service
    ///
    /// `backup.timer` starts `backup.service`, unless `Unit=` says otherwise.
    ///
    /// In production: systemd refuses to start the timer: `Unit to trigger not loaded`.
    ///
    /// ```ini
    /// [Timer]
    /// Unit=acme-backup.service
    /// ```
    ///
    /// See systemd.timer(5), `Unit=`.
    "timer-without-service" Error Timer without_service(view, found) {
        let started = match view.unit.get("Timer", "Unit") {
            Some(entry) => UnitName::new(entry.value),
            None => view.unit.name.with_kind("service"),
        };
        let Some(started) = started.filter(|_| view.context.peers_complete) else {
            return;
        };
        if !view
            .peers()
            .any(|peer| peer.name == started || started.template().as_ref() == Some(&peer.name))
        {
            found.missing(
                "Timer",
                format!("the timer starts {started}, which does not exist"),
            );
        }
    }

    /// A timer that does not run
    ///
    /// An enabled timer runs from the next boot on; until then somebody has to start it. One that failed waits for nothing.
    ///
    /// In production: the backup is set up, looks right, and has never run.
    ///
    /// ```ini
    /// # systemctl enable --now acme-backup.timer; systemctl list-timers
    /// [Install]
    /// WantedBy=timers.target
    /// ```
    ///
    /// See systemctl(1), `enable --now`, `list-timers`.
    "timer-inactive" Warning Timer inactive(view, found) {
        let state = view.show("ActiveState").filter(|state| *state != "active");
        if let Some(state) = state.filter(|_| view.show("LoadState") == Some("loaded")) {
            found.missing(
                "Timer",
                format!("the timer is {state}: it starts nothing; systemctl enable --now {}", view.unit.name),
            ).cause(Cause::TimerInactive);
        }
    }

    /// The timer's service also starts at boot
    ///
    /// A service that a timer starts needs no `[Install]`; with one it runs at every boot too.
    ///
    /// In production: every reboot runs the backup, while everything else starts.
    ///
    /// ```ini
    /// # acme-backup.service: no [Install]; acme-backup.timer:
    /// [Install]
    /// WantedBy=timers.target
    /// ```
    ///
    /// See systemd.timer(5).
    "timer-service-install" Warning Service service_install(view, found) {
        let timer = view
            .peers()
            .find(|peer| peer.name.kind() == "timer" && triggers(peer, &view.unit.name));
        if let (Some(timer), Some(entry)) = (timer, view.unit.get("Install", "WantedBy"))
            && matches!(
                entry.value,
                "multi-user.target" | "default.target" | "basic.target" | "graphical.target"
            )
        {
            found
                .at(
                    entry,
                    format!(
                        "{} starts it; with [Install] it runs at every boot too",
                        timer.name
                    ),
                )
                .remove();
        }
    }

    /// A timer that pulls its service in
    ///
    /// The timer starts the service at its time. With `Requires=`, `BindsTo=` or `Wants=` the service starts together with
    /// the timer.
    ///
    /// In production: measured: the backup runs at every boot and at every `systemctl start` of the timer; and with
    /// `Requires=` stopping a hung job stops the timer too.
    ///
    /// ```ini
    /// [Timer]
    /// # no Requires=: Unit= is enough, or the same name
    /// Unit=acme-backup.service
    /// ```
    ///
    /// See systemd.timer(5), `Unit=`; systemd.unit(5), `Requires=`.
    "timer-pulls-service" Warning Timer pulls_service(view, found) {
        let keys = ["Requires", "BindsTo", "Wants"].into_iter();
        for (word, entry) in keys.flat_map(|key| view.unit.words("Unit", key)) {
            if UnitName::new(&word).is_some_and(|name| triggers(view.unit, &name)) {
                let message = format!("{}={word} starts it together with the timer, at every boot, not at its time", entry.key);
                let finding = found.at(entry, message);
                if entry.value == word {
                    finding.remove();
                }
            }
        }
    }

    /// The timer's service is restarted by itself
    ///
    /// A timer starts a job again at its time. A job that is always restarted never rests.
    ///
    /// In production: the backup runs without a pause.
    ///
    /// ```ini
    /// [Service]
    /// Type=oneshot
    /// ```
    ///
    /// See systemd.timer(5); systemd.service(5), `Restart=`.
    "timer-service-restart" Warning Service service_restart(view, found) {
        let timed = view
            .peers()
            .any(|peer| peer.name.kind() == "timer" && triggers(peer, &view.unit.name));
        if let Some(entry) = view
            .unit
            .get("Service", "Restart")
            .filter(|entry| timed && entry.value == "always")
        {
            found
                .at(
                    entry,
                    "a timer starts it, and Restart=always starts it again as soon as it is done",
                )
                .suggest("Service", "Restart", "no");
        }
    }

    /// A short timer that is a minute late
    ///
    /// systemd may move a timer by `AccuracySec=`, one minute unless set, to wake the machine less often.
    ///
    /// In production: what should run every 10 s runs once a minute.
    ///
    /// ```ini
    /// [Timer]
    /// OnUnitActiveSec=10s
    /// AccuracySec=1s
    /// ```
    ///
    /// See systemd.timer(5), `AccuracySec=`.
    "timer-accuracy" Warning Timer accuracy(view, found) {
        let accuracy = view.seconds("Timer", "AccuracySec", 60.0);
        for key in ["OnActiveSec", "OnUnitActiveSec", "OnUnitInactiveSec"] {
            if let Some(entry) = view.unit.get("Timer", key) {
                let span = view.seconds("Timer", key, f64::INFINITY);
                if span < accuracy && view.unit.get("Timer", "AccuracySec").is_none() {
                    found
                        .at(entry, format!("{key}={} may be a minute late", entry.value))
                        .severity(Severity::Warning)
                        .set("Timer", "AccuracySec", "1s");
                }
            }
        }
    }
}
