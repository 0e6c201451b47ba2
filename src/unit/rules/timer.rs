//! `.timer` units, and the services behind them.

use super::facts::Calendar;
use super::view::triggers;
use super::{Cause, Severity, View, rules};
use crate::unit::merge::Unit;
use crate::unit::name::UnitName;

/// Whether an expression elapses many times a day, so that one missed time does not matter.
fn is_frequent(calendar: &str) -> bool {
    let mut words = calendar.split_whitespace();
    let time = words.find(|word| word.contains(':')).unwrap_or_default();
    let hour = time.split(':').next().unwrap_or_default();
    matches!(calendar, "minutely" | "hourly") || hour.contains(['*', '/', ','])
}

/// Whether an expression is a time that many others choose too.
fn is_round(calendar: &str) -> bool {
    const NAMES: &str = "daily weekly monthly quarterly semiannually annually yearly hourly";
    NAMES.split(' ').any(|name| name == calendar) || calendar.contains(" 00:00") || calendar.contains("*-*-* 0:0")
}

/// The timers among the peers that start this service, or an instance of it.
fn timers_of<'a>(view: &View<'a>) -> impl Iterator<Item = &'a Unit> {
    let name = &view.unit.name;
    view.peers().filter(move |peer| {
        let instance = || started(peer).and_then(|started| started.template()).as_ref() == Some(name);
        peer.name.kind() == "timer" && (triggers(peer, name) || instance())
    })
}

fn timer_of<'a>(view: &View<'a>) -> Option<&'a Unit> {
    timers_of(view).next()
}

/// The unit that a timer starts.
fn started(timer: &Unit) -> Option<UnitName> {
    match timer.get("Timer", "Unit") {
        Some(entry) => UnitName::new(entry.value),
        None => timer.name.with_kind("service"),
    }
}

/// Whether a timer is to start its unit again and again; `2027-01-31 03:00` comes once.
fn repeats(timer: &Unit) -> bool {
    let calendars = timer.all("Timer", "OnCalendar");
    let once = |date: &str| date.starts_with(|c: char| c.is_ascii_digit()) && date.matches('-').count() == 2;
    let fixed = |value: &str| value.split(' ').any(once) && !value.contains(['*', '/', ',']) && !value.contains("..");
    timer.sets("Timer", ["OnUnitActiveSec", "OnUnitInactiveSec"]) || calendars.iter().any(|entry| !fixed(entry.value))
}

rules! {
    /// A missed run is lost
    ///
    /// A host that is off or rebooting at the scheduled time skips the run. With `Persistent=yes`, systemd stores the
    /// time of the last run on disk and catches up.
    ///
    /// In production: the nightly reboot coincides with the nightly backup, so the backup has not run for weeks.
    ///
    /// ```ini
    /// [Timer]
    /// OnCalendar=daily
    /// Persistent=yes
    /// ```
    ///
    /// See systemd.timer(5), `Persistent=`.
    "timer-persistent" Warning Timer persistent(view, found) {
        let calendars = view.unit.all("Timer", "OnCalendar");
        if let Some(entry) = calendars.into_iter().find(|entry| !is_frequent(entry.value))
            && !view.unit.sets("Timer", "Persistent")
        {
            let message = "without Persistent=: a run missed during a reboot is lost";
            found.at(entry, format!("OnCalendar={} {message}", entry.value)).suggest("Timer", "Persistent", "yes");
        }
    }

    /// A timer that elapses in the same second on every host
    ///
    /// `daily` means midnight, for every timer on every host.
    ///
    /// In production: at 00:00:00 all hosts contact the same backup server, and all jobs on each host compete for its
    /// disk.
    ///
    /// ```ini
    /// [Timer]
    /// OnCalendar=daily
    /// RandomizedDelaySec=30min
    /// ```
    ///
    /// See systemd.timer(5), `RandomizedDelaySec=`.
    "timer-delay" Info Timer delay(view, found) {
        let calendars = view.unit.all("Timer", "OnCalendar");
        if let Some(entry) = calendars.into_iter().find(|entry| is_round(entry.value))
            && !view.unit.sets("Timer", "RandomizedDelaySec")
        {
            found
                .at(entry, format!("OnCalendar={} elapses in the same second on every host", entry.value))
                .suggest("Timer", "RandomizedDelaySec", "30min");
        }
    }

    /// A timer that never elapses
    ///
    /// systemd accepts `*-02-30` without a warning. `systemd-analyze calendar EXPRESSION` shows the next time.
    ///
    /// In production: the timer is active and waits forever.
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
            let effect = match view.host().and_then(|host| host.named.calendars.get(entry.value)) {
                Some(Calendar::Invalid) => ": systemd cannot parse it and ignores the line",
                Some(Calendar::Never) => " never elapses",
                Some(Calendar::Elapses) | None => continue,
            };
            found.at(entry, format!("OnCalendar={}{effect}", entry.value));
        }
        const FIRST: [&str; 6] =
            ["OnCalendar", "OnActiveSec", "OnBootSec", "OnStartupSec", "OnClockChange", "OnTimezoneChange"];
        if unit.sets("Timer", FIRST) {
            return;
        }
        let repeats = ["OnUnitActiveSec", "OnUnitInactiveSec"];
        if let Some(entry) = repeats.iter().find_map(|key| unit.get("Timer", key)) {
            found
                .at(entry, format!("{}= counts from the last run, and nothing triggers the first one", entry.key))
                .suggest("Timer", "OnBootSec", "5min");
        } else if !unit.is_masked() {
            found.missing("Timer", "no On…=: the timer never elapses");
        }
    }

    /// A timer without its service
    ///
    /// `backup.timer` starts `backup.service`, unless `Unit=` names another one.
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
        let Some(started) = started(view.unit) else { return };
        if view.peers().any(|peer| peer.name == started || started.template().as_ref() == Some(&peer.name)) {
            return;
        }
        // Other files show that the units of an app are checked together. A unit of the system is elsewhere.
        let own = started.kind() == "service" && !started.as_str().starts_with("systemd-");
        if view.context.peers_complete {
            found.missing("Timer", format!("the timer starts {started}, which does not exist"));
        } else if own && view.host().is_none() && view.peers().next().is_some() {
            let message = format!("the timer starts {started}, which is not among these files");
            found.missing("Timer", message).severity(Severity::Info);
        }
    }

    /// A timer that is not active
    ///
    /// An enabled timer starts at the next boot; until then it must be started by hand. A failed timer starts nothing.
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
            let message = format!("the timer is {state}: it starts nothing; systemctl enable --now {}", view.unit.name);
            found.missing("Timer", message).cause(Cause::TimerInactive);
        }
    }

    /// The timer's service also starts at boot
    ///
    /// A service that a timer starts needs no `[Install]` section. With one, it also runs at every boot.
    ///
    /// In production: every reboot runs the backup while everything else is starting.
    ///
    /// ```ini
    /// # acme-backup.service: no [Install]; acme-backup.timer:
    /// [Install]
    /// WantedBy=timers.target
    /// ```
    ///
    /// See systemd.timer(5).
    "timer-service-install" Warning Service service_install(view, found) {
        const BOOT: [&str; 4] = ["multi-user.target", "default.target", "basic.target", "graphical.target"];
        if let (Some(timer), Some(entry)) = (timer_of(view), view.unit.get("Install", "WantedBy"))
            && BOOT.contains(&entry.value)
        {
            found
                .at(entry, format!("{} starts this service; with [Install] it also runs at every boot", timer.name))
                .remove();
        }
    }

    /// A timer that pulls in its service
    ///
    /// The timer starts the service at the scheduled time. With `Requires=`, `BindsTo=` or `Wants=`, the service also
    /// starts whenever the timer itself starts.
    ///
    /// In production: the backup runs at every boot and at every `systemctl start` of the timer (measured). With
    /// `Requires=`, stopping a hung job also stops the timer.
    ///
    /// ```ini
    /// [Timer]
    /// # no Requires=: Unit= is enough, or the same name
    /// Unit=acme-backup.service
    /// ```
    ///
    /// See systemd.timer(5), `Unit=`; systemd.unit(5), `Requires=`.
    "timer-pulls-service" Warning Timer pulls_service(view, found) {
        for (word, entry) in view.unit.words("Unit", ["Requires", "BindsTo", "Wants"]) {
            if UnitName::new(&word).is_some_and(|name| triggers(view.unit, &name)) {
                let message = format!(
                    "{}={word} starts the service together with the timer, and therefore at every boot instead of at the scheduled time",
                    entry.key
                );
                let finding = found.at(entry, message);
                if entry.value == word {
                    finding.remove();
                }
            }
        }
    }

    /// The timer's service has Restart=always
    ///
    /// The timer starts the job again at the scheduled time. With `Restart=always`, systemd starts it again as soon as
    /// it ends.
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
        if let Some(entry) = view.unit.get("Service", "Restart").filter(|entry| entry.value == "always")
            && timer_of(view).is_some()
        {
            found
                .at(entry, "a timer starts this service, and Restart=always starts it again as soon as it ends")
                .suggest("Service", "Restart", "no");
        }
    }

    /// The timer's service stays active after its first run
    ///
    /// A timer starts a unit; one that is active already is not started again. With `RemainAfterExit=yes`, the service
    /// stays active when its process has ended.
    ///
    /// In production: the backup runs once after each boot and never again. `systemctl list-timers` shows no next time
    /// (measured).
    ///
    /// ```ini
    /// [Service]
    /// Type=oneshot
    /// RemainAfterExit=no
    /// ```
    ///
    /// See systemd.timer(5); systemd.service(5), `RemainAfterExit=`.
    "timer-service-remains" Error Service service_remains(view, found) {
        let unit = view.unit;
        let Some(entry) = unit.get("Service", "RemainAfterExit") else { return };
        let remains = unit.yes("Service", "RemainAfterExit") == Some(true) && unit.yes("Unit", "StopWhenUnneeded") != Some(true);
        if let Some(timer) = timers_of(view).find(|timer| remains && repeats(timer)) {
            let message = format!("the service stays active after its first run, and {} does not start it again", timer.name);
            found.at(entry, message).suggest("Service", "RemainAfterExit", "no");
        }
    }

    /// A frequent timer that may be a minute late
    ///
    /// systemd may delay a timer by up to `AccuracySec=` (default: one minute) so that the processor wakes less often.
    ///
    /// In production: a job meant to run every 10 s runs once a minute.
    ///
    /// ```ini
    /// [Timer]
    /// OnUnitActiveSec=10s
    /// AccuracySec=1s
    /// ```
    ///
    /// See systemd.timer(5), `AccuracySec=`.
    "timer-accuracy" Warning Timer accuracy(view, found) {
        if view.unit.sets("Timer", "AccuracySec") {
            return;
        }
        for key in ["OnUnitActiveSec", "OnUnitInactiveSec"] {
            if let Some(entry) = view.unit.get("Timer", key)
                && view.seconds("Timer", key, f64::INFINITY) < 60.0
            {
                found
                    .at(entry, format!("{key}={} may elapse up to a minute late", entry.value))
                    .set("Timer", "AccuracySec", "1s");
            }
        }
    }
}
