//! Sandboxing: what is missing, and what is there and breaks the program.

use super::{Cause, DIRECTIVES, Severity, rules, runtime};
use crate::unit::command::Command;

/// Whether a mount of the sandbox makes `path` writable again: it or a directory above it is named.
fn writable(view: &super::View<'_>, path: &str) -> bool {
    let covers =
        |dir: &str| path == dir || path.starts_with(&format!("{}/", dir.trim_end_matches('/')));
    let named = |key: &str| {
        view.unit
            .words("Service", key)
            .into_iter()
            .map(|(word, _)| word.trim_start_matches(['-', '+']).to_owned())
    };
    let of_state = |key: &str, base: &str| {
        named(key)
            .map(|dir| format!("{base}/{}", dir.split(':').next().unwrap_or_default()))
            .collect::<Vec<_>>()
    };
    named("ReadWritePaths")
        .chain(named("BindPaths").map(|bind| bind.split(':').nth(1).unwrap_or(&bind).to_owned()))
        .any(|dir| covers(&dir))
        || of_state("StateDirectory", "/var/lib")
            .iter()
            .chain(&of_state("LogsDirectory", "/var/log"))
            .chain(&of_state("CacheDirectory", "/var/cache"))
            .any(|dir| covers(dir))
}

/// The paths that the command line names.
fn paths(command: &Command) -> impl Iterator<Item = &str> {
    std::iter::once(command.program.as_str())
        .chain(command.words())
        .map(|word| word.rsplit(['=', ':']).next().unwrap_or(word))
        .filter(|word| word.starts_with('/'))
}

/// What the service uses below a home directory, which `ProtectHome=yes` hides.
fn in_a_home(view: &super::View<'_>) -> Option<String> {
    let hidden = |path: &&str| {
        let homes = ["/home/", "/root/", "/run/user/"];
        homes.iter().any(|dir| path.starts_with(dir))
    };
    let named = view
        .start()
        .and_then(|(command, _)| paths(command).find(hidden).map(str::to_owned));
    let directory = view
        .unit
        .service("WorkingDirectory")
        .trim_start_matches('-');
    named.or_else(|| Some(directory).filter(hidden).map(str::to_owned))
}

/// A socket in /tmp that the command line names, for others to find.
fn socket_in_tmp(view: &super::View<'_>) -> Option<String> {
    let temporary = |path: &&str| {
        (path.starts_with("/tmp/") || path.starts_with("/var/tmp/")) && path.ends_with(".sock")
    };
    let (command, _) = view.start()?;
    paths(command).find(temporary).map(str::to_owned)
}

rules! {
    /// Sandboxing that costs nothing is missing
    ///
    /// Each line takes away something that a server does not need and an intruder does. `shipit unit explain
    /// NoNewPrivileges` (or any other directive) tells what it breaks, for whom.
    ///
    /// In production: a hole in a library is a shell on the host instead of a crash. `systemd-analyze security UNIT`
    /// gives 9.2 of 10 for a plain unit; the units that shipit writes are below 2.
    ///
    /// ```ini
    /// [Service]
    /// NoNewPrivileges=yes
    /// ProtectSystem=strict
    /// ReadWritePaths=/opt/acme/shared
    /// PrivateTmp=yes
    /// CapabilityBoundingSet=
    /// ```
    ///
    /// See systemd.exec(5), "Sandboxing"; systemd-analyze(1), `security`.
    "sandbox-missing" Info Service sandbox_missing(view, found) {
        if view.start().is_none() {
            return;
        }
        let capable = view.is_root() || view.unit.sets("Service", "AmbientCapabilities");
        let missing: Vec<_> = DIRECTIVES
            .iter()
            .filter(|directive| {
                directive.suits_all() && view.unit.written("Service", directive.key).is_empty()
            })
            // Which rights it needs of those it has is not known here.
            .filter(|directive| !(capable && directive.key.ends_with("Capabilities")))
            .filter(|directive| !(view.is_root() && directive.key == "CapabilityBoundingSet"))
            .filter(|directive| !(directive.key == "PrivateTmp" && socket_in_tmp(view).is_some()))
            .collect();
        if missing.is_empty() {
            return;
        }
        let names = missing
            .iter()
            .map(|directive| directive.key)
            .collect::<Vec<_>>()
            .join(", ");
        let score = view
            .host()
            .and_then(|host| host.exposure)
            .map_or(String::new(), |score| {
                format!(" (exposure {score:.1} of 10)")
            });
        let finding = found.missing("Service", format!("no {names}{score}"));
        for directive in missing {
            let mut values = directive.values_for(view.runtime());
            let first = values.next().unwrap_or_default();
            let value = match directive.key {
                "CapabilityBoundingSet" => view.unit.service("AmbientCapabilities"),
                "ProtectHome" if in_a_home(view).is_some() => "read-only",
                _ => first,
            };
            finding.suggest("Service", directive.key, value);
            // A program with rights of root uses some of the calls that need them.
            for value in values.filter(|value| !(capable && value.starts_with("~@privileged"))) {
                finding.add("Service", directive.key, value);
            }
            if let (Some(root), "ProtectSystem") = (&view.context.root, directive.key) {
                let shared = format!("{root}/shared");
                if !writable(view, &shared) {
                    finding.add("Service", "ReadWritePaths", shared);
                }
            }
        }
    }

    /// MemoryDenyWriteExecute= kills programs that compile as they run
    ///
    /// node, Java, .NET, PHP with its JIT, Erlang and others write machine code into memory and run it. This forbids it.
    ///
    /// In production: it dies at start, with SIGSEGV or `Fatal process out of memory`; or the JIT falls silent and it is
    /// five times slower.
    ///
    /// ```ini
    /// [Service]
    /// MemoryDenyWriteExecute=no
    /// ```
    ///
    /// See systemd.exec(5), `MemoryDenyWriteExecute=`.
    "sandbox-jit" Error(Start) Service jit(view, found) {
        if let Some(entry) = view.unit.get("Service", "MemoryDenyWriteExecute")
            && view.unit.yes("Service", entry.key) == Some(true)
            && view.runtime().compiles_at_run_time()
        {
            found.at(entry, format!("{:?} compiles as it runs: with MemoryDenyWriteExecute=yes it does not start", view.runtime())).set("Service", "MemoryDenyWriteExecute", "no");
        }
    }

    /// ProtectSystem=strict, and the app cannot write its own files
    ///
    /// With `strict` everything is read-only, except what `ReadWritePaths=`, `StateDirectory=` and their kin name.
    ///
    /// In production: uploads, logs and sqlite files fail with `Read-only file system`; health may be green all the same.
    ///
    /// ```ini
    /// [Service]
    /// ProtectSystem=strict
    /// ReadWritePaths=/opt/acme/shared
    /// ```
    ///
    /// See systemd.exec(5), `ProtectSystem=` and `ReadWritePaths=`.
    "sandbox-read-only" Warning Service read_only(view, found) {
        let (Some(entry), Some(root)) = (
            view.unit.get("Service", "ProtectSystem"),
            view.context.root.as_deref(),
        ) else {
            return;
        };
        let shared = format!("{root}/shared");
        if entry.value == "strict" && !writable(view, &shared) {
            found
                .at(entry, format!("{shared} is read-only for the app"))
                .add("Service", "ReadWritePaths", shared);
        }
    }

    /// ProtectHome= hides the app itself
    ///
    /// With `yes` the directories /home, /root and /run/user are empty for the service; with `tmpfs` too.
    ///
    /// In production: `203/EXEC` or `200/CHDIR`: a file that is there, and is not.
    ///
    /// ```ini
    /// [Service]
    /// WorkingDirectory=/opt/acme/current
    /// ProtectHome=yes
    /// ```
    ///
    /// See systemd.exec(5), `ProtectHome=`.
    "sandbox-home" Error(Start) Service home(view, found) {
        let Some(entry) = view.unit.get("Service", "ProtectHome") else {
            return;
        };
        if !(matches!(entry.value, "tmpfs")
            || view.unit.yes("Service", "ProtectHome") == Some(true))
        {
            return;
        }
        if let Some(path) = in_a_home(view) {
            found
                .at(
                    entry,
                    format!("ProtectHome={} hides {path} from the service", entry.value),
                )
                .suggest("Service", "ProtectHome", "read-only");
        }
    }

    /// A socket in /tmp that only the service sees
    ///
    /// With `PrivateTmp=yes` the service has a /tmp of its own.
    ///
    /// In production: nginx says `connect() to unix:/tmp/acme.sock failed (2: No such file or directory)`.
    ///
    /// ```ini
    /// [Service]
    /// RuntimeDirectory=acme
    /// ExecStart=/usr/bin/gunicorn --bind unix:/run/acme/acme.sock app:app
    /// ```
    ///
    /// See systemd.exec(5), `PrivateTmp=` and `RuntimeDirectory=`.
    "sandbox-tmp-socket" Error(Start) Service tmp_socket(view, found) {
        let Some((_, entry)) = view.start() else {
            return;
        };
        if let Some(path) = socket_in_tmp(view).filter(|_| view.unit.yes("Service", "PrivateTmp") == Some(true)) {
            found.at(entry, format!("{path} is in a /tmp that only this service sees (PrivateTmp=yes): use RuntimeDirectory="))
                .suggest("Service", "RuntimeDirectory", view.unit.name.prefix())
                .suggest("Service", "ExecStart", entry.value.replace(&path, &path.replace("/var/tmp/", "/tmp/").replace("/tmp/", &format!("/run/{}/", view.unit.name.prefix()))));
        }
    }

    /// The network it needs is taken away
    ///
    /// `PrivateNetwork=yes` leaves only a loopback of its own; `RestrictAddressFamilies=` without AF_INET forbids TCP, and
    /// without AF_UNIX the report READY=1.
    ///
    /// In production: it listens where nobody can reach it, or `Type=notify` times out after 90 s.
    ///
    /// ```ini
    /// [Service]
    /// RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
    /// ```
    ///
    /// See systemd.exec(5), `PrivateNetwork=` and `RestrictAddressFamilies=`.
    "sandbox-network" Error(Start) Service network(view, found) {
        let Some((command, _)) = view.start() else {
            return;
        };
        let port = runtime::port(command);
        if let (Some(entry), Some(port)) = (view.unit.get("Service", "PrivateNetwork"), port)
            && view.unit.yes("Service", "PrivateNetwork") == Some(true)
            && !view.is_socket_activated()
        {
            found
                .at(
                    entry,
                    format!("PrivateNetwork=yes: nobody outside can reach port {port}"),
                )
                .suggest("Service", "PrivateNetwork", "no");
        }
        let families = view.unit.words("Service", "RestrictAddressFamilies");
        let Some((_, entry)) = families.first().filter(|(word, _)| !word.starts_with('~')) else {
            return;
        };
        let has = |family: &str| families.iter().any(|(word, _)| word == family);
        let none = families.iter().any(|(word, _)| word == "none");
        if matches!(view.kind(), "notify" | "notify-reload") && !has("AF_UNIX") {
            found
                .at(
                    *entry,
                    "without AF_UNIX the program cannot report READY=1 (Type=notify)",
                )
                .suggest(
                    "Service",
                    "RestrictAddressFamilies",
                    "AF_UNIX AF_INET AF_INET6",
                );
        }
        if let Some(port) =
            port.filter(|_| (none || !has("AF_INET")) && !view.is_socket_activated())
        {
            found
                .at(
                    *entry,
                    format!("without AF_INET it cannot listen on port {port}"),
                )
                .suggest(
                    "Service",
                    "RestrictAddressFamilies",
                    "AF_UNIX AF_INET AF_INET6",
                );
        }
    }

    /// A port below 1024 without the right to bind it
    ///
    /// Only root, or CAP_NET_BIND_SERVICE, may bind it. A `.socket` binds it in PID 1 and needs neither.
    ///
    /// In production: `Permission denied` at start; works when tried as root.
    ///
    /// ```ini
    /// # acme.socket
    /// [Socket]
    /// ListenStream=80
    /// ```
    ///
    /// See systemd.exec(5), `AmbientCapabilities=`; systemd.socket(5).
    "sandbox-low-port" Error(Start) Service low_port(view, found) {
        let Some((command, entry)) = view.start() else {
            return;
        };
        let user = view.unit.service("User");
        let may = view.unit.has("Service", "AmbientCapabilities", "CAP_NET_BIND_SERVICE");
        if let Some(port) = runtime::port(command).filter(|port| *port < 1024 && *port > 0)
            && !view.is_root()
            && !may
            && !view.is_socket_activated()
        {
            found.at(entry, format!("{user} may not bind port {port}: let a .socket listen, or give CAP_NET_BIND_SERVICE"))
                    .suggest("Service", "AmbientCapabilities", "CAP_NET_BIND_SERVICE");
        }
    }

    /// A system call filter that kills
    ///
    /// Without `SystemCallErrorNumber=` a forbidden call ends the program with SIGSYS, often in a rarely used corner of a
    /// library.
    ///
    /// In production: it dies once a week, with `code=killed, signal=SYS`.
    ///
    /// ```ini
    /// [Service]
    /// SystemCallFilter=@system-service
    /// SystemCallErrorNumber=EPERM
    /// ```
    ///
    /// See systemd.exec(5), `SystemCallErrorNumber=`.
    "sandbox-sigsys" Info Service sigsys(view, found) {
        let filter = view.unit.get("Service", "SystemCallFilter");
        if let Some(entry) =
            filter.filter(|_| !view.unit.sets("Service", "SystemCallErrorNumber"))
        {
            found
                .at(entry, "a forbidden system call kills the program (SIGSYS)")
                .set("Service", "SystemCallErrorNumber", "EPERM");
        }
    }

    /// The measured exposure is high
    ///
    /// `systemd-analyze security` adds up what the service could do that it need not: 0 is nothing, 10 everything.
    ///
    /// In production: the number is no proof of anything, but above 5 most of the doors are open.
    ///
    /// ```ini
    /// [Service]
    /// # shipit unit explain sandbox-missing
    /// NoNewPrivileges=yes
    /// ```
    ///
    /// See systemd-analyze(1), `security`.
    "sandbox-exposure" Info Service exposure(view, found) {
        if let Some(score) = view
            .host()
            .and_then(|host| host.exposure)
            .filter(|score| *score > 5.0)
        {
            let finding = found.missing(
                "Service",
                format!("systemd-analyze security gives it {score:.1} of 10"),
            );
            finding.cause(Cause::Exposure);
            if view.is_app() && score > 8.0 {
                finding.severity(Severity::Warning);
            }
        }
    }
}
