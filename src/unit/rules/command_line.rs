//! How the program is started: through which wrapper, from which release, and what a reload does to it.

use super::runtime::Runtime;
use super::{Severity, rules};
use crate::unit::strategy::Strategy;

/// Whether a path goes into one release instead of through `current` (or a slot).
fn into_a_release(text: &str) -> bool {
    text.split_once("/releases/").is_some_and(|(_, rest)| !rest.is_empty())
}

/// Whether a shell's script sends output through a pipe: the shell waits for its end, `exec` or not.
fn is_piped(script: &str) -> bool {
    script.replace("||", "").contains('|')
}

rules! {
    /// A path into one release
    ///
    /// A unit that names `releases/20260503-094502` starts that release forever, whatever is deployed later.
    ///
    /// In production: every deploy reports success, but the old code keeps running. Once that release is pruned, the
    /// service no longer starts.
    ///
    /// ```ini
    /// [Service]
    /// ExecStart=/opt/acme/current/server
    /// WorkingDirectory=/opt/acme/current
    /// ```
    ///
    /// See shipit's docs/host-layout.md.
    "path-of-release" Error Service path_of_release(view, found) {
        let keys = ["ExecStart", "ExecReload", "ExecStartPre", "WorkingDirectory", "RootDirectory"];
        for entry in view.unit.all("Service", keys) {
            if into_a_release(entry.value) {
                let key = entry.key;
                let message = format!("{key}= names one release, so a deploy has no effect on it; use a path through current");
                found.at(entry, message);
            }
        }
    }

    /// The app's program is not started through current
    ///
    /// A deploy points `current` at the new release. A program that is started from another path does not change.
    ///
    /// In production: the old program keeps running after a deploy, and shipit's check of the running process rejects
    /// it.
    ///
    /// ```ini
    /// [Service]
    /// WorkingDirectory=/opt/acme/current
    /// ExecStart=/usr/bin/node /opt/acme/current/server.js
    /// ```
    ///
    /// See shipit's docs/host-layout.md.
    "path-not-current" Warning Service path_not_current(view, found) {
        let (Some(root), Some((command, entry))) = (view.context.root.as_deref(), view.start())
        else {
            return;
        };
        let live = |text: &str| {
            ["current", "slots/", "next"]
                .iter()
                .any(|link| text.contains(&format!("{root}/{link}")))
        };
        let working = view.unit.service("WorkingDirectory");
        let through = live(&command.program)
            || live(working)
            || command.words().any(live)
            || into_a_release(entry.value);
        if !through && view.context.strategy.is_some() {
            found
                .at(
                    entry,
                    format!("no path goes through {root}/current: a deploy changes nothing"),
                )
                .suggest("Service", "WorkingDirectory", format!("{root}/current"));
        }
    }

    /// WorkingDirectory= is resolved only at start
    ///
    /// systemd resolves `current` when it starts the process. The kernel then keeps the directory of that release, and
    /// an in-place reload stays there.
    ///
    /// In production: with gunicorn and SIGHUP, the first release still answered after ten successful deploys with
    /// `reload`. With `--chdir` through `current` each reload used the new release; with `--preload` added, it did not
    /// (measured).
    ///
    /// ```ini
    /// [Service]
    /// ExecStart=/usr/bin/gunicorn --chdir /opt/acme/current app:app
    /// ExecReload=/bin/kill -HUP $MAINPID
    /// ```
    ///
    /// See systemd.exec(5), `WorkingDirectory=`.
    "reload-stale" Error Service reload_stale(view, found) {
        let reloads = view.context.strategy == Some(Strategy::Reload);
        let Some((command, entry)) = view.start().filter(|_| reloads) else {
            return;
        };
        if command.has(&["--preload"]) {
            found.at(
                entry,
                "--preload: after a reload, the master still serves the code that it loaded at start",
            );
        }
        let names_current = command.words().any(|word| word.contains("/current"));
        if view.runtime() == Runtime::Gunicorn && !names_current {
            let root = view.context.root.as_deref().unwrap_or("/opt/acme");
            let fixed = format!("{} --chdir {root}/current", entry.value);
            let message = "a reload keeps using the release that was current at start: set --chdir to current";
            found.at(entry, message).suggest("Service", "ExecStart", fixed);
        }
    }

    /// Strategy reload without ExecReload=
    ///
    /// `systemctl reload` needs a command to run, or `Type=notify-reload`.
    ///
    /// In production: `reload` exits with status 3. `reload-or-restart` silently restarts the service, and requests
    /// fail.
    ///
    /// ```ini
    /// [Service]
    /// ExecReload=/bin/kill -HUP $MAINPID
    /// ```
    ///
    /// See systemd.service(5), `ExecReload=`.
    "reload-missing" Error Service reload_missing(view, found) {
        let none = !view.unit.sets("Service", "ExecReload") && view.kind() != "notify-reload";
        if view.context.strategy == Some(Strategy::Reload) && none {
            found
                .missing(
                    "Service",
                    "the strategy is reload, but the unit has no ExecReload=",
                )
                .suggest("Service", "ExecReload", "/bin/kill -HUP $MAINPID");
        }
    }

    /// A reload that signals no process
    ///
    /// `kill` needs the process: systemd sets `$MAINPID`.
    ///
    /// In production: the reload fails, and the process keeps its old configuration or its old release.
    ///
    /// ```ini
    /// [Service]
    /// ExecReload=/bin/kill -HUP $MAINPID
    /// ```
    ///
    /// See systemd.service(5), `ExecReload=`.
    "reload-without-pid" Error Service reload_without_pid(view, found) {
        for (command, entry) in view.unit.commands(["ExecReload", "ExecStop"]) {
            let mut words = command.words().peekable();
            let mut targets = 0;
            while let Some(word) = words.next() {
                match word {
                    "-s" | "-n" | "--signal" => _ = words.next(),
                    option if option.starts_with('-') => {}
                    _ => targets += 1,
                }
            }
            if command.name() == "kill" && targets == 0 && !command.has(&["-l", "-L"]) {
                let message = format!("{}=: kill without $MAINPID signals no process, and fails", entry.key);
                let fixed = format!("{} $MAINPID", entry.value);
                found.at(entry, message).suggest("Service", entry.key, fixed);
            }
        }
    }

    /// A reload signal without a handler kills the service
    ///
    /// SIGHUP, SIGUSR1 and SIGUSR2 terminate a process that has no handler for them.
    ///
    /// In production: with node, the first `reload` exits 0 and kills the process. With `RestartSec=5s` the outage
    /// lasted 5.3 s; 1,600 of 6,000 requests failed in three deploys (measured).
    ///
    /// ```ini
    /// [Service]
    /// # no ExecReload=, and strategy: restart or socket
    /// ```
    ///
    /// See signal(7); /proc/PID/status, `SigCgt`.
    "reload-kills" Warning Service reload_kills(view, found) {
        for (command, entry) in view.unit.commands("ExecReload") {
            if command.name() != "kill" {
                continue;
            }
            let signals = [("HUP", 1u64), ("USR1", 10), ("USR2", 12)];
            let named = command.words().find_map(|word| {
                let bare = word
                    .trim_start_matches('-')
                    .trim_start_matches("s ")
                    .trim_start_matches("SIG");
                signals
                    .iter()
                    .find(|(name, number)| bare == *name || bare == number.to_string())
            });
            let Some((name, number)) = named else {
                continue;
            };
            match view.host().and_then(|host| host.caught_signals) {
                Some(caught) if caught & (1 << (number - 1)) == 0 => {
                    let message = format!("the running process has no handler for SIG{name}: a reload kills it");
                    found.at(entry, message).severity(Severity::Error).remove();
                }
                Some(_) => {}
                None if view.runtime().dies_of_hangup() => {
                    let message = format!("unless the program handles SIG{name}, a reload kills it");
                    let finding = found.at(entry, message);
                    if view.kind() == "notify" {
                        finding.severity(Severity::Info); // written for systemd
                    }
                }
                None => {}
            }
        }
    }

    /// A shell, npm or another wrapper is the main process instead of the program
    ///
    /// systemd signals and watches the main process. When npm, or a shell that does not `exec`, is the main process,
    /// the program is only its child.
    ///
    /// In production: SIGTERM ends the wrapper at once, and the program may be cut off. READY=1 comes from the wrong
    /// process, and the exit status is the wrapper's.
    ///
    /// ```ini
    /// [Service]
    /// ExecStart=/usr/bin/node /opt/acme/current/server.js
    /// # or: ExecStart=/bin/sh -c 'exec /opt/acme/current/server'
    /// ```
    ///
    /// See systemd.service(5), `ExecStart=`.
    "exec-wrapper" Warning Service wrapper(view, found) {
        let Some((command, entry)) = view.start().filter(|_| view.stays()) else {
            return;
        };
        if matches!(command.name(), "npm" | "yarn" | "pnpm" | "npx") {
            found.at(
                entry,
                format!(
                    "{} is the main process, not the program: it gets the signals, and its exit status counts",
                    command.name()
                ),
            );
        } else if let Some(script) = command
            .shell_script()
            .filter(|script| !script.contains("exec ") || is_piped(script))
        {
            let simple = !script.contains(['|', '&', ';', '\n']);
            let message = if is_piped(script) {
                "the pipe keeps the shell as the main process: log to the journal, and write exec before the program"
            } else {
                "the shell may be the main process, not the program: write exec before the program"
            };
            let finding = found.at(entry, message);
            if simple {
                finding.severity(Severity::Info); // most shells exec a lone command by themselves
            }
        } else if matches!(
            command.name(),
            "nohup"
                | "screen"
                | "tmux"
                | "forever"
                | "pm2"
                | "supervisord"
                | "daemonize"
                | "start-stop-daemon"
        ) {
            found.at(
                entry,
                format!(
                    "{} does what systemd already does, and hides the program from it",
                    command.name()
                ),
            );
        }
    }

    /// sudo, su or runuser in a unit
    ///
    /// systemd itself switches to the user, without a session, a PAM stack or an extra process.
    ///
    /// In production: an extra process is the main process. sudo fails with `NoNewPrivileges=yes`, and with
    /// `requiretty` it does not start at all.
    ///
    /// ```ini
    /// [Service]
    /// User=acme
    /// ExecStart=/opt/acme/current/server
    /// ```
    ///
    /// See systemd.exec(5), `User=`.
    "exec-sudo" Warning Service sudo(view, found) {
        for (command, entry) in view.unit.commands(["ExecStartPre", "ExecStart", "ExecReload"]) {
            if matches!(
                command.name(),
                "sudo" | "su" | "runuser" | "setuidgid" | "chpst"
            ) {
                found.at(
                    entry,
                    format!(
                        "{} in {}=: use User= instead",
                        command.name(),
                        entry.key
                    ),
                );
            }
        }
    }

    /// A command that runs as root and uses files that others can write
    ///
    /// `+` and `!` run a command as root, regardless of `User=`. Files in the app's directory belong to the deploy
    /// user.
    ///
    /// In production: whoever can deploy can become root.
    ///
    /// ```ini
    /// [Service]
    /// ExecStartPre=/usr/bin/install -d -o acme /run/acme
    /// # better: RuntimeDirectory=acme
    /// ```
    ///
    /// See systemd.service(5), the table of prefixes.
    "exec-privileged" Error(Start) Service privileged(view, found) {
        for (command, entry) in view.unit.every_command() {
            const OWNED_BY_ROOT: [&str; 7] = ["/usr/", "/bin/", "/sbin/", "/lib/", "/lib64/", "/etc/", "%"];
            let in_system = !command.program.contains('/')
                || OWNED_BY_ROOT
                    .iter()
                    .any(|dir| command.program.starts_with(dir));
            let reads_root = view
                .context
                .root
                .as_deref()
                .is_some_and(|root| command.words().any(|word| word.contains(root)));
            if command.is_privileged() && (!in_system || reads_root) {
                let message = format!(
                    "{} runs as root and uses files outside the system directories: \
                     whoever can write to them can become root",
                    command.program
                );
                found.at(entry, message);
            }
        }
    }
}
