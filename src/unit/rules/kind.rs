//! `Type=`: what systemd waits for at start, and what the program really does. From the text where it can be known,
//! from the running host where it shows.

use super::rules;
use super::runtime::Runtime;

rules! {
    /// Type=simple, exec or notify with a program that goes to the background
    ///
    /// systemd takes the process it starts as the main one. A program that forks and exits ends it, and systemd then
    /// kills what is left, the daemon included.
    ///
    /// In production: `systemctl start` exits 0, the unit is `inactive (dead)` with `Result=success`, nothing listens. With
    /// `Type=notify` the start fails at once with `Result=protocol`.
    ///
    /// ```ini
    /// [Service]
    /// Type=exec
    /// # and start the program without its --daemon option
    /// ```
    ///
    /// See systemd.service(5), `Type=`.
    "type-simple-forks" Error Service simple_forks(look, found) {
        let Some((command, entry)) = look.start() else {
            return;
        };
        let kind = look.kind();
        if !matches!(
            kind,
            "simple" | "exec" | "notify" | "notify-reload" | "idle"
        ) {
            return;
        }
        let flag = match look.runtime() {
            Runtime::Gunicorn => command.words().find(|w| matches!(*w, "-D" | "--daemon")),
            Runtime::Puma => command.words().find(|w| matches!(*w, "-d" | "--daemon")),
            Runtime::Nginx => (!command.words().any(|w| w.contains("daemon off")))
                .then_some("without `daemon off;`"),
            _ if command.name() == "apachectl" => command.words().find(|w| *w == "start"),
            _ => command.words().find(|w| {
                matches!(
                    *w,
                    "--daemon" | "--daemonize" | "--background" | "--daemonize=yes" | "--fork"
                )
            }),
        };
        let stays = command.has(&["--no-detach", "--foreground", "--nodaemon", "-F"]);
        if let Some(flag) = flag.filter(|_| !stays) {
            let message = format!(
                "Type={kind}, but {} goes to the background ({flag}): systemd sees its main process exit and kills the rest",
                command.name()
            );
            found.at(entry, message);
            return;
        }
        let died =
            look.show("ActiveState") == Some("inactive") && look.show("Result") == Some("success");
        if died && look.stays() && kind != "notify" && look.show("ExecMainStartTimestamp").is_some()
        {
            let message = format!(
                "Type={kind}, and the main process has exited with success: it daemonizes (write Type=forking, or better an option that keeps it in the foreground) or does one job (Type=oneshot)"
            );
            found.missing("Service", message);
        }
    }

    /// Type=forking with a program that stays in the foreground
    ///
    /// systemd waits for the first process to exit before it believes that the service runs. A program that stays never
    /// lets it.
    ///
    /// In production: `activating (start)` with `MainPID=0` until `TimeoutStartSec=` (90 s), then it is killed and, with
    /// `Restart=`, started again, for ever. It serves in between, which hides it.
    ///
    /// ```ini
    /// [Service]
    /// Type=exec
    /// ```
    ///
    /// See systemd.service(5), `Type=`.
    "type-forking-stays" Error Service forking_stays(look, found) {
        if look.kind() != "forking" {
            return;
        }
        let entry = look.unit.get("Service", "Type");
        let Some((command, start)) = look.start() else {
            return;
        };
        let daemonizes = command
            .words()
            .any(|w| matches!(w, "-D" | "-d" | "--daemon" | "--daemonize" | "start"));
        if look.runtime().stays_in_foreground() && !daemonizes && command.shell_script().is_none() {
            let message = format!(
                "Type=forking, but {} stays in the foreground: the start times out",
                command.name()
            );
            found
                .at(entry.unwrap_or(start), message)
                .suggest("Service", "Type", "exec");
        } else if look.show("ActiveState") == Some("activating")
            && look.show("MainPID") == Some("0")
            && look.show("SubState") == Some("start")
        {
            found.at(entry.unwrap_or(start), "Type=forking and the unit is activating with MainPID=0: the program does not fork; write Type=exec, or notify if it tells when it is ready")
                .suggest("Service", "Type", "exec");
        }
    }

    /// Type=forking without PIDFile=
    ///
    /// After the fork systemd has to guess which process is the main one. With more than one left it may guess wrong.
    ///
    /// In production: `systemctl reload` signals a worker, a crash of the real main process goes unseen, `Restart=` does
    /// nothing.
    ///
    /// ```ini
    /// [Service]
    /// PIDFile=/run/acme/acme.pid
    /// RuntimeDirectory=acme
    /// ```
    ///
    /// See systemd.service(5), `PIDFile=` and `GuessMainPID=`.
    "type-forking-pidfile" Warning Service forking_pidfile(look, found) {
        if look.kind() == "forking"
            && look.unit.get("Service", "PIDFile").is_none()
            && look.start().is_some()
        {
            let entry = look.unit.get("Service", "Type");
            let message =
                "Type=forking without PIDFile=: systemd guesses which process is the main one";
            match entry {
                Some(entry) => found.at(entry, message),
                None => found.missing("Service", message),
            };
        }
    }

    /// PIDFile= with a program that does not fork
    ///
    /// Only `Type=forking` needs it. Elsewhere a stale file, or one written by a second master (gunicorn's USR2), makes
    /// systemd follow the wrong process.
    ///
    /// In production: measured with gunicorn USR2 under `Type=simple`: systemd sees the old master exit and kills the new one.
    ///
    /// ```ini
    /// [Service]
    /// Type=exec
    /// # no PIDFile=
    /// ```
    ///
    /// See systemd.service(5), `PIDFile=`.
    "pidfile-without-forking" Info Service pidfile_without_forking(look, found) {
        if let Some(entry) = look.unit.get("Service", "PIDFile")
            && !matches!(look.kind(), "forking" | "oneshot")
        {
            found.at(
                entry,
                format!(
                    "PIDFile= with Type={}: nothing needs it, and a wrong one misleads systemd",
                    look.kind()
                ),
            );
        }
    }

    /// Type=oneshot with a program that stays
    ///
    /// oneshot means: starting is done when the program has exited. A server never exits.
    ///
    /// In production: `systemctl start` hangs; the unit is `activating (start)` with a MainPID, by default for ever, because
    /// `TimeoutStartSec=` is infinite for oneshot. Units ordered after it never start.
    ///
    /// ```ini
    /// [Service]
    /// Type=exec
    /// ```
    ///
    /// See systemd.service(5), `Type=`.
    "type-oneshot-stays" Error Service oneshot_stays(look, found) {
        if look.unit.service("Type") != "oneshot" {
            return;
        }
        let Some((command, start)) = look.start() else {
            return;
        };
        let entry = look.unit.get("Service", "Type").unwrap_or(start);
        let server = matches!(look.runtime(), Runtime::Puma | Runtime::Gunicorn)
            && !command.has(&["--check-config"])
            || command.has(&["runserver", "daemon off;"]);
        if server || look.unit.get("Service", "WatchdogSec").is_some() {
            let message = format!(
                "Type=oneshot, but {} stays: the start never ends",
                command.name()
            );
            found.at(entry, message).suggest("Service", "Type", "exec");
        }
        let long = look
            .host()
            .and_then(|host| host.activating_for)
            .is_some_and(|time| time.as_secs() >= 60);
        let running = look.show("MainPID").is_some_and(|pid| pid != "0");
        if long && running && look.show("ActiveState") == Some("activating") {
            found.at(entry, "Type=oneshot has been activating for over a minute with a running main process: it is a daemon (write Type=exec), or a job that hangs")
                .suggest("Service", "Type", "exec");
        }
    }

    /// A job that ends, declared as a service that stays
    ///
    /// With `Type=simple` the start is over before the job has begun; who waits for it waits for nothing, and its exit code
    /// is lost.
    ///
    /// In production: `systemctl start acme-migrate` exits 0 at once; the deploy goes on while the migration still runs, or
    /// has failed. Measured: afterwards `inactive (dead)`, `Result=success`.
    ///
    /// ```ini
    /// [Service]
    /// Type=oneshot
    /// TimeoutStartSec=10min
    /// ```
    ///
    /// See systemd.service(5), `Type=`.
    "type-simple-ends" Warning Service simple_ends(look, found) {
        if !matches!(look.kind(), "simple" | "exec" | "idle") {
            return;
        }
        let Some((command, start)) = look.start() else {
            return;
        };
        let entry = look.unit.get("Service", "Type").unwrap_or(start);
        const JOBS: [&str; 12] = [
            "pg_dump",
            "pg_dumpall",
            "mysqldump",
            "rsync",
            "certbot",
            "borg",
            "restic",
            "tar",
            "find",
            "cp",
            "logrotate",
            "true",
        ];
        let job = JOBS.contains(&command.name()) && !command.has(&["--daemon"])
            || command.words().any(|word| {
                matches!(
                    word,
                    "migrate" | "db:migrate" | "db:prepare" | "collectstatic"
                )
            })
            || look.is_migration();
        if job {
            found
                .at(
                    entry,
                    format!(
                        "{} does a job and ends, but Type={} counts it as started at once",
                        command.name(),
                        look.kind()
                    ),
                )
                .suggest("Service", "Type", "oneshot");
        } else if look.unit.yes("Service", "RemainAfterExit") == Some(true) {
            found.at(entry, format!("RemainAfterExit=yes with Type={}: for a job that ends write Type=oneshot; a service that stays needs neither", look.kind()))
                .suggest("Service", "Type", "oneshot");
        }
    }

    /// Type=simple: started means only forked
    ///
    /// With `simple` (the default) systemd reports success before the program file was even opened. `exec` waits for
    /// execve, `notify` for the program's own word.
    ///
    /// In production: measured: `systemctl restart` exits 0 when the binary is missing, the user does not exist or the
    /// program dies at once. Only the health check tells.
    ///
    /// ```ini
    /// [Service]
    /// Type=exec
    /// ```
    ///
    /// See systemd.service(5), `Type=`.
    "type-simple" Info Service simple(look, found) {
        if look.kind() != "simple" || !look.stays() || look.start().is_none() {
            return;
        }
        let message = "Type=simple: systemctl reports success before the program was started; exec waits for that, notify for its readiness";
        match look.unit.get("Service", "Type") {
            Some(entry) => found.at(entry, message),
            None => found.missing("Service", message),
        }
        .set("Service", "Type", "exec");
    }
}
