//! How a service ends: signals, time, and who is left behind.

use super::runtime::Runtime;
use super::{Severity, rules};

rules! {
    /// It may take for ever to stop
    ///
    /// `TimeoutStopSec=0` and `infinity` mean that systemd never kills it.
    ///
    /// In production: a program that hangs in its shutdown blocks every restart, the deploy, and the reboot of the host.
    ///
    /// ```ini
    /// [Service]
    /// TimeoutStopSec=30s
    /// ```
    ///
    /// See systemd.service(5), `TimeoutStopSec=`.
    "stop-timeout-infinite" Warning Service stop_timeout_infinite(view, found) {
        let job = view.unit.get("Service", "TimeoutStopSec").is_none() && view.kind() == "oneshot";
        if !job
            && view
                .seconds("Service", "TimeoutStopSec", 90.0)
                .is_infinite()
        {
            let entry = view
                .unit
                .get("Service", "TimeoutStopSec")
                .or_else(|| view.unit.get("Service", "TimeoutSec"));
            let message = "it may take for ever to stop: a hang blocks deploys and reboots";
            match entry {
                Some(entry) => found.at(entry, message),
                None => found.missing("Service", message),
            }
            .suggest("Service", "TimeoutStopSec", "30s");
        }
    }

    /// It is killed before it has finished its requests
    ///
    /// After `TimeoutStopSec=` systemd sends SIGKILL. The app's own time to drain must be shorter.
    ///
    /// In production: measured: a server that drains for longer than this has its open requests cut at every deploy.
    ///
    /// ```ini
    /// [Service]
    /// # longest request + 5 s
    /// TimeoutStopSec=35s
    /// ```
    ///
    /// See systemd.service(5), `TimeoutStopSec=`.
    "stop-timeout-drain" Warning Service stop_timeout_drain(view, found) {
        let Some((command, entry)) = view.start() else {
            return;
        };
        let of_command = match view.runtime() {
            Runtime::Gunicorn => Some(
                command
                    .option(&["--graceful-timeout"])
                    .and_then(|n| n.parse().ok())
                    .unwrap_or(30.0),
            ),
            Runtime::Python => command
                .option(&["--timeout-graceful-shutdown"])
                .and_then(|n| n.parse().ok()),
            _ => None,
        };
        let drain: Option<f64> = view
            .context
            .drain
            .map(|drain| drain.as_secs_f64())
            .or(of_command);
        let stop = view.seconds("Service", "TimeoutStopSec", 90.0);
        if let Some(drain) = drain.filter(|drain| stop <= *drain) {
            let place = view.unit.get("Service", "TimeoutStopSec").unwrap_or(entry);
            found
                .at(place, format!("systemd kills it {stop} s after SIGTERM, but it may take {drain} s to finish its requests"))
                .set("Service", "TimeoutStopSec", format!("{}s", drain + 5.0));
        }
    }

    /// TimeoutStopSec= is left at 90 s
    ///
    /// A stop that hangs is waited for this long.
    ///
    /// In production: measured: a release that ignored SIGTERM while starting held the rollback for 90 s.
    ///
    /// ```ini
    /// [Service]
    /// TimeoutStopSec=30s
    /// ```
    ///
    /// See systemd.service(5), `TimeoutStopSec=`.
    "stop-timeout-default" Info Service stop_timeout_default(view, found) {
        let set = ["TimeoutStopSec", "TimeoutSec"]
            .iter()
            .any(|key| view.unit.get("Service", key).is_some());
        if view.stays() && view.is_app() && !set {
            found.missing("Service", "TimeoutStopSec= is left at 90 s: a hung stop holds every deploy and rollback that long").set("Service", "TimeoutStopSec", "30s");
        }
    }

    /// KillMode=none: systemd kills nobody
    ///
    /// Processes stay when the unit stops. systemd calls this setting unsafe and deprecated.
    ///
    /// In production: the old release keeps the port, and answers, after you deployed the new one; memory grows with each
    /// deploy.
    ///
    /// ```ini
    /// [Service]
    /// KillMode=mixed
    /// ```
    ///
    /// See systemd.kill(5), `KillMode=`.
    "kill-mode-none" Error Service kill_mode_none(view, found) {
        if let Some(entry) = view
            .unit
            .get("Service", "KillMode")
            .filter(|entry| entry.value == "none")
        {
            found
                .at(
                    entry,
                    "KillMode=none: old processes stay when the unit stops, and keep the port",
                )
                .suggest("Service", "KillMode", "mixed");
        }
    }

    /// KillMode=process: children are left behind
    ///
    /// Only the main process is signalled and killed. Right for ssh, whose sessions should live on; wrong for a server with
    /// workers.
    ///
    /// In production: workers of the old release live on and answer beside the new one, as long as they like.
    ///
    /// ```ini
    /// [Service]
    /// # SIGTERM to the main process, SIGKILL to all that is left
    /// KillMode=mixed
    /// ```
    ///
    /// See systemd.kill(5), `KillMode=`.
    "kill-mode-process" Warning Service kill_mode_process(view, found) {
        if let Some(entry) = view
            .unit
            .get("Service", "KillMode")
            .filter(|entry| entry.value == "process")
        {
            let finding = found.at(
                entry,
                "KillMode=process: workers outlive the stop and serve the old release",
            );
            finding.suggest("Service", "KillMode", "mixed");
            if !view.is_app() {
                finding.severity(Severity::Info);
            }
        }
    }

    /// SendSIGKILL=no: a hung process stays
    ///
    /// systemd gives up after `TimeoutStopSec=` and leaves the process where it is.
    ///
    /// In production: the port stays taken and the new release cannot start.
    ///
    /// ```ini
    /// [Service]
    /// SendSIGKILL=yes
    /// ```
    ///
    /// See systemd.kill(5), `SendSIGKILL=`.
    "send-sigkill" Warning Service send_sigkill(view, found) {
        if let Some(entry) = view.unit.get("Service", "SendSIGKILL")
            && view.unit.yes("Service", "SendSIGKILL") == Some(false)
        {
            found.at(entry, "SendSIGKILL=no: a process that hangs in its shutdown is left running, with its port").set("Service", "SendSIGKILL", "yes");
        }
    }

    /// The stop signal cuts requests
    ///
    /// Each server has one signal for a graceful end. gunicorn and puma: SIGTERM. nginx and php-fpm: SIGQUIT, and
    /// SIGTERM is the quick one. SIGKILL is never graceful.
    ///
    /// In production: open requests are cut at every deploy.
    ///
    /// ```ini
    /// [Service]
    /// KillSignal=SIGTERM
    /// ```
    ///
    /// See systemd.kill(5), `KillSignal=`, and the server's page on signals.
    "kill-signal" Warning Service kill_signal(view, found) {
        let signal = view.unit.service("KillSignal").trim_start_matches("SIG");
        let entry = view.unit.get("Service", "KillSignal");
        if let Some(entry) = entry.filter(|_| matches!(signal, "KILL" | "9")) {
            found
                .at(entry, "KillSignal=SIGKILL: nothing can finish its work")
                .severity(Severity::Error)
                .suggest("Service", "KillSignal", "SIGTERM");
            return;
        }
        match view.runtime() {
            Runtime::Gunicorn | Runtime::Puma => {
                if let Some(entry) = entry.filter(|_| matches!(signal, "QUIT" | "INT" | "3" | "2"))
                {
                    found
                        .at(
                            entry,
                            format!(
                                "{} ends quickly on SIG{signal}; SIGTERM lets requests finish",
                                view.start().map_or("it", |(c, _)| c.name())
                            ),
                        )
                        .set("Service", "KillSignal", "SIGTERM");
                }
            }
            Runtime::Nginx | Runtime::PhpFpm
                if view.stays()
                    && matches!(signal, "" | "TERM" | "15")
                    && view.unit.all("Service", "ExecStop").is_empty() =>
            {
                found.missing("Service", "SIGTERM is the quick stop of this server and cuts requests; SIGQUIT lets them finish").suggest("Service", "KillSignal", "SIGQUIT");
            }
            _ => {}
        }
    }

    /// ExecStop= that kills
    ///
    /// systemd sends SIGTERM and, in the end, SIGKILL, to exactly the processes of this unit. `kill -9`, `pkill` and
    /// `killall` do it worse: at once, or to processes of others.
    ///
    /// In production: requests are cut; `pkill node` ends the neighbour's app as well.
    ///
    /// ```ini
    /// [Service]
    /// # no ExecStop=: systemd sends SIGTERM by itself
    /// KillMode=mixed
    /// ```
    ///
    /// See systemd.service(5), `ExecStop=`; systemd.kill(5).
    "exec-stop-kills" Warning Service exec_stop_kills(view, found) {
        for (command, entry) in view.unit.commands("ExecStop") {
            let text = command.shell_script().unwrap_or_default();
            let hard = command.name() == "kill" && command.has(&["-9", "-KILL", "-SIGKILL"])
                || text.contains("kill -9")
                || text.contains("kill -KILL");
            let broad = matches!(command.name(), "pkill" | "killall")
                || text.contains("pkill")
                || text.contains("killall");
            if hard {
                found.at(entry, "ExecStop= kills at once: no request can finish; systemd sends SIGTERM by itself").remove();
            } else if broad {
                found.at(entry, "ExecStop= kills by name, also processes of other units; systemd stops exactly this one by itself").remove();
            }
        }
    }
}
