//! The watchdog, and exit statuses that systemd treats as failures.

use super::rules;
use super::runtime::Runtime;

rules! {
    /// WatchdogSec= with a program that does not report to the watchdog
    ///
    /// The program must send WATCHDOG=1 in time, or systemd kills it. Programs that do this use `Type=notify`.
    ///
    /// In production: systemd kills a healthy service with SIGABRT each time `WatchdogSec=` expires.
    ///
    /// ```ini
    /// [Service]
    /// Type=notify
    /// WatchdogSec=30s
    /// ```
    ///
    /// See systemd.service(5), `WatchdogSec=`; sd_notify(3).
    "watchdog-without-notify" Warning Service watchdog_without_notify(view, found) {
        let Some(entry) = view.unit.get("Service", "WatchdogSec") else {
            return;
        };
        let kind = view.kind();
        let reports = matches!(kind, "notify" | "notify-reload" | "dbus")
            || !matches!(view.unit.service("NotifyAccess"), "" | "none");
        if !reports && view.seconds("Service", "WatchdogSec", 0.0) > 0.0 {
            let message = format!(
                "WatchdogSec= with Type={kind}: unless the program sends WATCHDOG=1, systemd kills it every {}",
                entry.value
            );
            found.at(entry, message).remove();
        }
    }

    /// A watchdog without Restart=
    ///
    /// The watchdog kills a hung service. Only `Restart=` (always, on-failure, on-abnormal or on-watchdog) starts it
    /// again.
    ///
    /// In production: after its first hang the service is killed and stays down.
    ///
    /// ```ini
    /// [Service]
    /// Restart=always
    /// ```
    ///
    /// See systemd.service(5), the table at `Restart=`.
    "watchdog-without-restart" Warning Service watchdog_without_restart(view, found) {
        let Some(entry) = view.unit.get("Service", "WatchdogSec") else {
            return;
        };
        // What a bus or a socket starts comes back with the next request.
        let comes_back = view.is_socket_activated()
            || !view.unit.service("BusName").is_empty()
            || !matches!(view.unit.service("Restart"), "" | "no" | "on-success" | "on-abort");
        if !comes_back && view.seconds("Service", "WatchdogSec", 0.0) > 0.0 {
            found
                .at(entry, "the watchdog kills a hung service, and without Restart= nothing starts it again")
                .suggest("Service", "Restart", "always");
        }
    }

    /// Java exits with status 143 when stopped
    ///
    /// After SIGTERM a Java virtual machine exits with status 143 (128 + 15). systemd treats that as a failure.
    ///
    /// In production: every stop and every deploy leaves the unit `failed` and triggers `OnFailure=`, and you learn to
    /// ignore the alerts.
    ///
    /// ```ini
    /// [Service]
    /// SuccessExitStatus=143
    /// ```
    ///
    /// See systemd.service(5), `SuccessExitStatus=`.
    "exit-143" Warning Service exit_143(view, found) {
        let allowed = view.unit.has("Service", "SuccessExitStatus", "143");
        if view.runtime() == Runtime::Java && view.stays() && !allowed {
            found
                .missing("Service", "java exits with status 143 after SIGTERM, which systemd treats as a failure")
                .add("Service", "SuccessExitStatus", "143");
        }
    }
}
