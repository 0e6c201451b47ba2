//! How a service stops: signals, timeouts, and the processes left behind.

use super::runtime::Runtime;
use super::{Severity, rules};

rules! {
    /// The service may take forever to stop
    ///
    /// With `TimeoutStopSec=0` or `infinity`, systemd never kills the service.
    ///
    /// In production: a program that hangs during shutdown blocks every restart, every deploy and the reboot of the
    /// host.
    ///
    /// ```ini
    /// [Service]
    /// TimeoutStopSec=30s
    /// ```
    ///
    /// See systemd.service(5), `TimeoutStopSec=`.
    "stop-timeout-infinite" Warning Service stop_timeout_infinite(view, found) {
        let set = view.unit.get("Service", "TimeoutStopSec");
        let job = set.is_none() && view.kind() == "oneshot";
        if !job && view.seconds("Service", "TimeoutStopSec", 90.0).is_infinite() {
            let message = "no stop timeout: a hang during shutdown blocks deploys and reboots";
            match set.or_else(|| view.unit.get("Service", "TimeoutSec")) {
                Some(entry) => found.at(entry, message),
                None => found.missing("Service", message),
            }
            .suggest("Service", "TimeoutStopSec", "30s");
        }
    }

    /// The service is killed before it finishes its requests
    ///
    /// After `TimeoutStopSec=`, systemd sends SIGKILL. The app must drain in less time than that.
    ///
    /// In production: a server that needs longer to drain loses its open requests at every deploy (measured).
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
        let option = |name| command.option(&[name]).and_then(|seconds| seconds.parse().ok());
        let of_command = || match view.runtime() {
            Runtime::Gunicorn => Some(option("--graceful-timeout").unwrap_or(30.0)),
            Runtime::Python => option("--timeout-graceful-shutdown"),
            _ => None,
        };
        let drain = view.context.drain.map(|drain| drain.as_secs_f64()).or_else(of_command);
        let stop = view.seconds("Service", "TimeoutStopSec", 90.0);
        if let Some(drain) = drain.filter(|drain| stop <= *drain) {
            let message = format!(
                "systemd kills the service {stop} s after SIGTERM, but it may need {drain} s to finish its requests"
            );
            found
                .at(view.unit.get("Service", "TimeoutStopSec").unwrap_or(entry), message)
                .set("Service", "TimeoutStopSec", format!("{}s", drain + 5.0));
        }
    }

    /// TimeoutStopSec= left at its default of 90 s
    ///
    /// systemd waits this long for a stop that hangs.
    ///
    /// In production: a release that ignored SIGTERM during startup delayed the rollback by 90 s (measured).
    ///
    /// ```ini
    /// [Service]
    /// TimeoutStopSec=30s
    /// ```
    ///
    /// See systemd.service(5), `TimeoutStopSec=`.
    "stop-timeout-default" Info Service stop_timeout_default(view, found) {
        let set = view.unit.sets("Service", ["TimeoutStopSec", "TimeoutSec"]);
        if view.stays() && view.is_app() && !set {
            let message = "TimeoutStopSec= is not set: a stop that hangs delays every deploy and rollback by 90 s";
            // A worker's jobs may take longer.
            found.missing("Service", message).suggest("Service", "TimeoutStopSec", "30s");
        }
    }

    /// KillMode=none: systemd kills no process
    ///
    /// The processes keep running when the unit stops. systemd calls this setting unsafe and deprecated.
    ///
    /// In production: after a deploy the old release still holds the port and answers. Memory use grows with every
    /// deploy.
    ///
    /// ```ini
    /// [Service]
    /// KillMode=mixed
    /// ```
    ///
    /// See systemd.kill(5), `KillMode=`.
    "kill-mode-none" Error Service kill_mode_none(view, found) {
        if let Some(entry) = view.unit.get("Service", "KillMode").filter(|entry| entry.value == "none") {
            let finding =
                found.at(entry, "KillMode=none: when the unit stops, old processes keep running and keep the port");
            finding.suggest("Service", "KillMode", "mixed");
            if !view.is_of_an_app() {
                finding.severity(Severity::Warning);
            }
        }
    }

    /// KillMode=process: child processes are left behind
    ///
    /// systemd signals and kills only the main process. That is right for ssh, whose sessions should survive a restart,
    /// and wrong for a server with workers.
    ///
    /// In production: workers of the old release keep answering alongside the new one, indefinitely.
    ///
    /// ```ini
    /// [Service]
    /// # SIGTERM to the main process, SIGKILL to every process that is left
    /// KillMode=mixed
    /// ```
    ///
    /// See systemd.kill(5), `KillMode=`.
    "kill-mode-process" Warning Service kill_mode_process(view, found) {
        if let Some(entry) = view.unit.get("Service", "KillMode").filter(|entry| entry.value == "process") {
            let message = "KillMode=process: workers outlive the stop and keep serving the old release";
            let finding = found.at(entry, message).suggest("Service", "KillMode", "mixed");
            if view.unit.sets("Service", "Delegate") {
                finding.severity(Severity::Info); // a container manager, whose containers outlive it
            }
        }
    }

    /// SendSIGKILL=no: a hung process is left running
    ///
    /// systemd gives up after `TimeoutStopSec=` and leaves the process running.
    ///
    /// In production: the port stays in use, and the new release cannot start.
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
            found
                .at(entry, "SendSIGKILL=no: a process that hangs during shutdown keeps running and keeps its port")
                .set("Service", "SendSIGKILL", "yes");
        }
    }

    /// The stop signal cuts off requests
    ///
    /// Each server has one signal for a graceful stop. For gunicorn and puma it is SIGTERM. For nginx and php-fpm it is
    /// SIGQUIT; SIGTERM stops them quickly. SIGKILL is never graceful.
    ///
    /// In production: open requests are cut off at every deploy.
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
        match (view.runtime(), entry) {
            (_, Some(entry)) if matches!(signal, "KILL" | "9") => {
                found
                    .at(entry, "KillSignal=SIGKILL: no request can finish")
                    .severity(Severity::Error)
                    .suggest("Service", "KillSignal", "SIGTERM");
            }
            (Runtime::Gunicorn | Runtime::Puma, Some(entry)) if matches!(signal, "QUIT" | "INT" | "3" | "2") => {
                let program = view.start().map_or("the program", |(command, _)| command.name());
                found
                    .at(entry, format!("{program} stops quickly on SIG{signal}; SIGTERM lets requests finish"))
                    .set("Service", "KillSignal", "SIGTERM");
            }
            (Runtime::Nginx | Runtime::PhpFpm, _)
                if view.stays()
                    && matches!(signal, "" | "TERM" | "15")
                    && !view.unit.sets("Service", "ExecStop") =>
            {
                let message = "SIGTERM stops this server quickly and cuts off requests; SIGQUIT lets them finish";
                found.missing("Service", message).suggest("Service", "KillSignal", "SIGQUIT");
            }
            _ => {}
        }
    }

    /// ExecStop= that kills processes
    ///
    /// systemd itself sends SIGTERM, and later SIGKILL, to exactly the processes of this unit. `kill -9` leaves them no
    /// time to finish; `pkill` and `killall` also hit processes of other units.
    ///
    /// In production: requests are cut off, and `pkill node` also stops the other apps on the host.
    ///
    /// ```ini
    /// [Service]
    /// # no ExecStop=: systemd sends SIGTERM itself
    /// KillMode=mixed
    /// ```
    ///
    /// See systemd.service(5), `ExecStop=`; systemd.kill(5).
    "exec-stop-kills" Warning Service exec_stop_kills(view, found) {
        for (command, entry) in view.unit.commands("ExecStop") {
            let text = command.shell_script().unwrap_or_default();
            let hard = command.name() == "kill" && command.has(&["-9", "-KILL", "-SIGKILL"])
                || ["kill -9", "kill -KILL"].iter().any(|kill| text.contains(kill));
            let broad = ["pkill", "killall"].iter().any(|kill| command.name() == *kill || text.contains(kill));
            let message = if hard {
                "ExecStop= kills immediately, so no request can finish; systemd itself sends SIGTERM"
            } else if broad {
                "ExecStop= kills processes by name, including those of other units; systemd itself stops only this unit"
            } else {
                continue;
            };
            found.at(entry, message).remove();
        }
    }
}
