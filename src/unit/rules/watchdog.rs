//! The watchdog, and exit codes that are taken for failures.

use super::rules;
use super::runtime::Runtime;

rules! {
    /// WatchdogSec= without a program that reports
    ///
    /// The program must send WATCHDOG=1 in time, or it is killed. Programs that know of it use `Type=notify`.
    ///
    /// In production: a healthy service is killed with SIGABRT every `WatchdogSec=`.
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
        let reports = matches!(view.kind(), "notify" | "notify-reload" | "dbus")
            || !matches!(view.unit.service("NotifyAccess"), "" | "none");
        if !reports && view.seconds("Service", "WatchdogSec", 0.0) > 0.0 {
            found.at(entry, format!("WatchdogSec= with Type={}: unless the program sends WATCHDOG=1 it is killed every {}", view.kind(), entry.value)).remove();
        }
    }

    /// A watchdog that kills nobody twice
    ///
    /// The watchdog ends a hung service. Only `Restart=` (always, on-failure, on-abnormal, on-watchdog) brings it back.
    ///
    /// In production: the first hang is the last: killed, and left dead.
    ///
    /// ```ini
    /// [Service]
    /// Restart=always
    /// ```
    ///
    /// See systemd.service(5), the table at `Restart=`.
    "watchdog-without-restart" Warning Service watchdog_without_restart(view, found) {
        if let Some(entry) = view.unit.get("Service", "WatchdogSec") {
            // What a bus or a socket starts comes back with the next request.
            let comes_back = view.is_socket_activated() || !view.unit.service("BusName").is_empty();
            if !comes_back
                && view.seconds("Service", "WatchdogSec", 0.0) > 0.0
                && matches!(
                    view.unit.service("Restart"),
                    "" | "no" | "on-success" | "on-abort"
                )
            {
                found
                    .at(
                        entry,
                        "the watchdog kills a hung service, and no Restart= brings it back",
                    )
                    .set("Service", "Restart", "always");
            }
        }
    }

    /// Java exits with 143 when it is asked to stop
    ///
    /// A Java virtual machine ends with 128+15 after SIGTERM. systemd takes that for a failure.
    ///
    /// In production: every stop and every deploy leaves `failed`, `OnFailure=` fires, and nobody believes the alerts.
    ///
    /// ```ini
    /// [Service]
    /// SuccessExitStatus=143
    /// ```
    ///
    /// See systemd.service(5), `SuccessExitStatus=`.
    "exit-143" Warning Service exit_143(view, found) {
        let knows = view
            .unit
            .words("Service", "SuccessExitStatus")
            .iter()
            .any(|(word, _)| word == "143");
        if view.runtime() == Runtime::Java && view.stays() && !knows {
            found
                .missing(
                    "Service",
                    "java exits with 143 after SIGTERM, and systemd takes that for a failure",
                )
                .add("Service", "SuccessExitStatus", "143");
        }
    }
}
