//! `Type=forking` and `PIDFile=`: programs that should go to the background, and do or do not.

use super::process_state::{First, LastStart, Left, Since};
use super::rules;

rules! {
    /// Type=forking with a program that stays in the foreground
    ///
    /// systemd waits for the first process to exit before it considers the service started. A program that stays in the
    /// foreground does not exit.
    ///
    /// In production: the unit stays `activating (start)` with `MainPID=0` until `TimeoutStartSec=` (90 s). Then
    /// systemd kills it and, with `Restart=`, starts it again, forever. It serves requests in the meantime, which hides the mistake.
    ///
    /// ```ini
    /// [Service]
    /// Type=exec
    /// ```
    ///
    /// See systemd.service(5), `Type=`.
    "type-forking-stays" Error(Type) Service forking_stays(view, found) {
        if view.kind() != "forking" {
            return;
        }
        let Some((command, start)) = view.start() else {
            return;
        };
        let entry = view.unit.get("Service", "Type").unwrap_or(start);
        let better = view.kind_that_stays();
        let life = view.last_start();
        if let LastStart::Unready(First::Stays, since) = life {
            let shown = match since {
                Since::Waits => "the unit is activating with MainPID=0",
                Since::TimedOut => "the start timed out, and systemd killed the first process",
            };
            found
                .at(
                    entry,
                    format!("Type=forking, but {shown}: the program stays in the foreground; write Type={better}"),
                )
                .suggest("Service", "Type", better);
            return;
        }
        let daemonizes = command
            .words()
            .any(|w| matches!(w, "-D" | "-d" | "--daemon" | "--daemonize" | "start"));
        let guess = life == LastStart::Unknown
            && view.runtime().stays_in_foreground()
            && !daemonizes
            && command.shell_script().is_none();
        if guess {
            let message = format!(
                "Type=forking, but {} stays in the foreground: the start times out",
                command.name()
            );
            found.at(entry, message).suggest("Service", "Type", better);
        }
    }

    /// Type=forking with a job that ends
    ///
    /// systemd waits for the first process to exit, and then looks for the daemon that it left behind. A job leaves
    /// none.
    ///
    /// In production: `systemctl start` exits 0, and the unit is `inactive (dead)` with `Result=success` and
    /// `ExecMainPID=0`. With `PIDFile=` it is `failed (protocol)`; with `Restart=always` the job runs again and again
    /// (measured).
    ///
    /// ```ini
    /// [Service]
    /// Type=oneshot
    /// ```
    ///
    /// See systemd.service(5), `Type=`.
    "type-forking-ends" Error(Ended) Service forking_ends(view, found) {
        if view.kind() != "forking" || view.last_start() != LastStart::Ended(Left::Nothing) {
            return;
        }
        let Some((_, start)) = view.start() else {
            return;
        };
        let entry = view.unit.get("Service", "Type").unwrap_or(start);
        let finding = found.at(
            entry,
            "Type=forking, but the program ended successfully and left no daemon behind: it is a job; \
             write Type=oneshot",
        );
        finding.suggest("Service", "Type", "oneshot");
        if matches!(view.unit.service("Restart"), "always" | "on-success") {
            finding.suggest("Service", "Restart", "no");
        }
    }

    /// Type=forking without PIDFile=
    ///
    /// After the fork, systemd has to guess which process is the main one. If more than one is left, the guess may be
    /// wrong.
    ///
    /// In production: `systemctl reload` signals a worker, a crash of the real main process goes unnoticed, and
    /// `Restart=` does nothing.
    ///
    /// ```ini
    /// [Service]
    /// PIDFile=/run/acme/acme.pid
    /// RuntimeDirectory=acme
    /// ```
    ///
    /// See systemd.service(5), `PIDFile=` and `GuessMainPID=`.
    "type-forking-pidfile" Warning Service forking_pidfile(view, found) {
        if view.kind() == "forking"
            && !view.unit.sets("Service", "PIDFile")
            && view.start().is_some()
        {
            let entry = view.unit.get("Service", "Type");
            let message =
                "Type=forking without PIDFile=: systemd has to guess the main process";
            match entry {
                Some(entry) => found.at(entry, message),
                None => found.missing("Service", message),
            };
        }
    }

    /// PIDFile= that the daemon does not write, or fills with another PID
    ///
    /// After the fork, systemd waits until the file exists and names a process of this service. It rejects a process of
    /// another service and, if the file belongs to an ordinary user, every process outside this service.
    ///
    /// In production: the first process exits and the daemon serves requests, but the unit stays `activating (start)`
    /// with `MainPID=0` and `ControlPID=0` until `TimeoutStartSec=`. Then systemd kills the daemon, with
    /// `Result=timeout` (measured).
    ///
    /// ```ini
    /// [Service]
    /// PIDFile=/run/acme/acme.pid
    /// RuntimeDirectory=acme
    /// # set the same path in the program's own configuration
    /// ```
    ///
    /// See systemd.service(5), `PIDFile=`.
    "pidfile-not-written" Error(Type) Service pidfile_not_written(view, found) {
        let Some(entry) = view.unit.get("Service", "PIDFile") else {
            return;
        };
        let LastStart::Unready(First::Gone, since) = view.last_start() else {
            return;
        };
        let shown = match since {
            Since::Waits => "systemd waits for it (activating, MainPID=0)",
            Since::TimedOut => "systemd waited for it until the start timed out, then killed the daemon",
        };
        let path = entry.value;
        // systemd removes the file when it stops the service.
        let there = view.file(path).map(|file| file.exists).filter(|_| since == Since::Waits);
        let why = match there {
            Some(true) => format!("{path} exists, but does not name a process of this service"),
            Some(false) => format!("{path} is never written"),
            None => format!("{path} is not written, or does not name a process of this service"),
        };
        let message = format!("{why}: {shown}; set the same path in the program's configuration, or remove PIDFile=");
        found.at(entry, message);
    }

    /// PIDFile= with a program that does not fork
    ///
    /// Only `Type=forking` needs it. With other types, a stale file, or one written by a second master (gunicorn's
    /// USR2), makes systemd follow the wrong process.
    ///
    /// In production: with gunicorn's USR2 and `Type=simple`, systemd sees the old master exit and kills the new one
    /// (measured).
    ///
    /// ```ini
    /// [Service]
    /// Type=exec
    /// # without PIDFile=
    /// ```
    ///
    /// See systemd.service(5), `PIDFile=`.
    "pidfile-without-forking" Info Service pidfile_without_forking(view, found) {
        if let Some(entry) = view.unit.get("Service", "PIDFile")
            && !matches!(view.kind(), "forking" | "oneshot")
        {
            let kind = view.kind();
            found.at(
                entry,
                format!("PIDFile= with Type={kind}: it is not needed, and a wrong PID misleads systemd"),
            );
        }
    }
}
