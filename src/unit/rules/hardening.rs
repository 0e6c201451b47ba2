//! Sandboxing: directives that are missing, and directives that break the program.

use super::{Cause, DIRECTIVES, Severity, rules, runtime};
use crate::unit::command::Command;

/// Whether a sandbox setting makes `path` writable again, or a directory above it.
fn writable(view: &super::View<'_>, path: &str) -> bool {
    let covers = |dir: &str| path == dir || path.starts_with(&format!("{}/", dir.trim_end_matches('/')));
    let named = |key: &str| {
        let words = view.unit.words("Service", key).into_iter();
        words.map(|(word, _)| word.trim_start_matches(['-', '+']).to_owned())
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

/// Whether the unit is the app's, by deploy.yml or by what it runs: another one has nothing to write in the app's root.
fn of_app(view: &super::View<'_>, root: &str) -> bool {
    let keys = ["ExecStart", "ExecStartPre", "WorkingDirectory", "RootDirectory"];
    let inside = |key: &&str| {
        view.unit
            .all("Service", key)
            .iter()
            .any(|entry| entry.value.contains(root))
    };
    view.context.strategy.is_some() || keys.iter().any(inside)
}

/// The paths that the command line names.
fn paths(command: &Command) -> impl Iterator<Item = &str> {
    std::iter::once(command.program.as_str())
        .chain(command.words())
        .map(|word| word.rsplit(['=', ':']).next().unwrap_or(word))
        .filter(|word| word.starts_with('/'))
}

/// A path that the service uses below a home directory, which `ProtectHome=yes` hides.
fn in_a_home(view: &super::View<'_>) -> Option<String> {
    let hidden = |path: &&str| {
        let homes = ["/home/", "/root/", "/run/user/"];
        homes.iter().any(|dir| path.starts_with(dir))
    };
    let start = view.start();
    let named = start.and_then(|(command, _)| paths(command).find(hidden).map(str::to_owned));
    let directory = view.unit.service("WorkingDirectory");
    let directory = directory.trim_start_matches('-');
    named.or_else(|| Some(directory).filter(hidden).map(str::to_owned))
}

/// A socket in /tmp that the command line names; other processes have to find it.
fn socket_in_tmp(view: &super::View<'_>) -> Option<String> {
    let temporary =
        |path: &&str| (path.starts_with("/tmp/") || path.starts_with("/var/tmp/")) && path.ends_with(".sock");
    let (command, _) = view.start()?;
    paths(command).find(temporary).map(str::to_owned)
}

rules! {
    /// Sandboxing directives that suit every service are missing
    ///
    /// Each line removes access that a server does not need but an intruder does. `shipit unit explain NoNewPrivileges`
    /// (or any other directive) explains what it breaks, and for which programs.
    ///
    /// In production: a vulnerability in a library gives an intruder a shell on the host instead of a crash.
    /// `systemd-analyze security UNIT` rates a plain unit 9.2 out of 10; the units that shipit generates are below 2.
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
            // It is not known here which of its capabilities the program needs.
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
        let finding = found.missing("Service", format!("missing: {names}{score}"));
        for directive in missing {
            let mut values = directive.values_for(view.runtime());
            let first = values.next().unwrap_or_default();
            let value = match directive.key {
                "CapabilityBoundingSet" => view.unit.service("AmbientCapabilities"),
                "ProtectHome" if in_a_home(view).is_some() => "read-only",
                _ => first,
            };
            finding.suggest("Service", directive.key, value);
            // A program with root privileges uses some of the calls that need them.
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

    /// MemoryDenyWriteExecute= breaks programs that compile at run time
    ///
    /// node, Java, .NET, PHP with its JIT and others write machine code into memory and run it. This directive forbids
    /// it. Erlang's JIT runs under it (measured).
    ///
    /// In production: the program dies at startup, with SIGSEGV or `Fatal process out of memory`; or its JIT is
    /// silently disabled, and it runs five times slower.
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
            let message = format!(
                "{:?} compiles at run time: with MemoryDenyWriteExecute=yes it does not start",
                view.runtime()
            );
            found.at(entry, message).set("Service", "MemoryDenyWriteExecute", "no");
        }
    }

    /// ProtectSystem=strict makes the app's own files read-only
    ///
    /// With `strict`, everything is read-only except the paths in `ReadWritePaths=`, `StateDirectory=` and similar
    /// settings.
    ///
    /// In production: uploads, logs and SQLite files fail with `Read-only file system`; the health check may still
    /// pass.
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
        if !of_app(view, root) {
            return;
        }
        let shared = format!("{root}/shared");
        if entry.value == "strict" && !writable(view, &shared) {
            found
                .at(entry, format!("{shared} is read-only for the app"))
                .add("Service", "ReadWritePaths", format!("-{shared}"));
        }
    }

    /// ProtectHome= hides the app itself
    ///
    /// With `yes` or `tmpfs`, the directories /home, /root and /run/user are empty for the service.
    ///
    /// In production: the start fails with `203/EXEC` or `200/CHDIR`, although the file exists.
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
    /// With `PrivateTmp=yes`, the service has its own /tmp.
    ///
    /// In production: nginx reports `connect() to unix:/tmp/acme.sock failed (2: No such file or directory)`.
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
        let private = view.unit.yes("Service", "PrivateTmp") == Some(true);
        if let Some(path) = socket_in_tmp(view).filter(|_| private) {
            let name = view.unit.name.prefix();
            let run = format!("/run/{name}/");
            let moved = path.replace("/var/tmp/", "/tmp/").replace("/tmp/", &run);
            let message =
                format!("{path} is in a /tmp that only this service sees (PrivateTmp=yes): use RuntimeDirectory=");
            found
                .at(entry, message)
                .suggest("Service", "RuntimeDirectory", name)
                .suggest("Service", "ExecStart", entry.value.replace(&path, &moved));
        }
    }

    /// The sandbox blocks the network that the program needs
    ///
    /// `PrivateNetwork=yes` leaves only a private loopback interface. `RestrictAddressFamilies=` without AF_INET
    /// forbids TCP; without AF_UNIX the program cannot report READY=1.
    ///
    /// In production: the program listens where no client can reach it, or `Type=notify` times out after 90 s.
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
                    format!("PrivateNetwork=yes: clients outside the service cannot reach port {port}"),
                )
                .suggest("Service", "PrivateNetwork", "no");
        }
        const KEY: &str = "RestrictAddressFamilies";
        const ALL: &str = "AF_UNIX AF_INET AF_INET6";
        let families = view.unit.words("Service", KEY);
        let Some((_, entry)) = families.first().filter(|(word, _)| !word.starts_with('~')) else {
            return;
        };
        let has = |family: &str| families.iter().any(|(word, _)| word == family);
        if matches!(view.kind(), "notify" | "notify-reload") && !has("AF_UNIX") {
            let message = "without AF_UNIX the program cannot report READY=1 (Type=notify)";
            found.at(*entry, message).suggest("Service", KEY, ALL);
        }
        let blocked = (has("none") || !has("AF_INET")) && !view.is_socket_activated();
        if let Some(port) = port.filter(|_| blocked) {
            let message = format!("without AF_INET it cannot listen on port {port}");
            found.at(*entry, message).suggest("Service", KEY, ALL);
        }
    }

    /// A port below 1024 without the capability to bind it
    ///
    /// Only root, or a process with CAP_NET_BIND_SERVICE, may bind it. With a `.socket`, PID 1 binds the port, and the
    /// service needs neither.
    ///
    /// In production: `Permission denied` at startup; it works when tested as root.
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
            let message = format!("{user} cannot bind port {port}: use a .socket, or grant CAP_NET_BIND_SERVICE");
            found
                .at(entry, message)
                .suggest("Service", "AmbientCapabilities", "CAP_NET_BIND_SERVICE");
        }
    }

    /// A system call filter that kills the program
    ///
    /// Without `SystemCallErrorNumber=`, a forbidden call ends the program with SIGSYS, often in a rarely used part of
    /// a library.
    ///
    /// In production: the program dies once a week, with `code=killed, signal=SYS`.
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
                .suggest("Service", "SystemCallErrorNumber", "EPERM");
        }
    }

    /// The measured exposure is high
    ///
    /// `systemd-analyze security` adds up the privileges that the service could do without: 0 means none, 10 means all.
    ///
    /// In production: the number proves nothing, but above 5 an intruder has access to most of the host.
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
                format!("systemd-analyze security rates it {score:.1} out of 10"),
            );
            finding.cause(Cause::Exposure);
            if view.is_app() && score > 8.0 {
                finding.severity(Severity::Warning);
            }
        }
    }
}
