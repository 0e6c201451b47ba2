//! The sandboxing directives that `systemd-analyze security` weighs: what each takes away, and what that breaks.
//! Data; `hardening` judges by it and `generate` writes from it. Source: systemd.exec(5), and what was seen to break.

use super::runtime::Runtime;

/// One directive.
#[derive(Clone, Copy, Debug)]
pub struct Directive {
    /// The key in `[Service]`.
    pub key: &'static str,
    /// The value to write; several lines where the key takes several.
    pub values: &'static [&'static str],
    /// What an intruder can no longer do.
    pub takes: &'static str,
    /// What it breaks, for which runtimes.
    pub breaks: &'static str,
}

const fn directive_of(
    key: &'static str,
    values: &'static [&'static str],
    takes: &'static str,
    breaks: &'static str,
) -> Directive {
    Directive {
        key,
        values,
        takes,
        breaks,
    }
}

/// The directives for a service that needs its own directory and the network, the most valuable first.
pub const DIRECTIVES: [Directive; 24] = [
    directive_of(
        "NoNewPrivileges",
        &["yes"],
        "gain rights through setuid programs",
        "sudo, su and ping (without ping_group_range) from inside the service",
    ),
    directive_of(
        "ProtectSystem",
        &["strict"],
        "write anywhere but /dev, /proc, /sys and what ReadWritePaths= and StateDirectory= name",
        "programs that write beside their code, or to /var/log: name the directory in ReadWritePaths=",
    ),
    directive_of(
        "ProtectHome",
        &["yes"],
        "see /home, /root and /run/user",
        "code or virtualenvs under /home, ~/.npm, ~/.cache: put the app under /opt",
    ),
    directive_of(
        "PrivateTmp",
        &["yes"],
        "see the temporary files of others, or be seen",
        "sockets and files in /tmp shared with other services, such as a MySQL socket there",
    ),
    directive_of(
        "PrivateDevices",
        &["yes"],
        "reach disks, memory and other hardware",
        "GPUs, serial lines, FUSE",
    ),
    directive_of(
        "CapabilityBoundingSet",
        &[""],
        "use any right of root, whatever happens",
        "ports below 1024 bound by the app itself (use a .socket, or leave CAP_NET_BIND_SERVICE)",
    ),
    directive_of(
        "AmbientCapabilities",
        &[""],
        "start with a right of root",
        "the same as CapabilityBoundingSet=",
    ),
    directive_of(
        "RestrictAddressFamilies",
        &["AF_UNIX AF_INET AF_INET6"],
        "open raw, packet and other exotic sockets",
        "AF_NETLINK: os.networkInterfaces() in node, net.Interfaces() in Go, getifaddrs(3) in general",
    ),
    directive_of(
        "RestrictNamespaces",
        &["yes"],
        "make namespaces, where most kernel holes are reached from",
        "chromium and puppeteer with their own sandbox, rootless containers, bubblewrap",
    ),
    directive_of(
        "SystemCallFilter",
        &["@system-service", "~@privileged @resources"],
        "call the rarely used parts of the kernel",
        "programs that set their own priority (setpriority, sched_setaffinity) get EPERM; chown is @privileged; so is setuid, \
         which gunicorn's workers call even to stay who they are: SystemCallFilter=setuid as one more line gives it back",
    ),
    directive_of(
        "SystemCallErrorNumber",
        &["EPERM"],
        "(answers a forbidden call with an error instead of killing)",
        "nothing; without it a forbidden call is SIGSYS",
    ),
    directive_of(
        "SystemCallArchitectures",
        &["native"],
        "use the 32-bit system calls",
        "32-bit programs",
    ),
    directive_of(
        "ProtectKernelTunables",
        &["yes"],
        "write to /proc/sys and /sys",
        "programs that set sysctls",
    ),
    directive_of(
        "ProtectKernelModules",
        &["yes"],
        "load kernel modules",
        "nothing that serves",
    ),
    directive_of(
        "ProtectKernelLogs",
        &["yes"],
        "read the kernel's log",
        "nothing that serves",
    ),
    directive_of(
        "ProtectControlGroups",
        &["yes"],
        "write to the control group tree",
        "container managers",
    ),
    directive_of("ProtectClock", &["yes"], "set the clock", "time daemons"),
    directive_of(
        "ProtectHostname",
        &["yes"],
        "change the host's name",
        "nothing that serves",
    ),
    directive_of(
        "ProtectProc",
        &["invisible"],
        "see the processes of other users",
        "monitoring agents",
    ),
    directive_of(
        "ProcSubset",
        &["pid"],
        "read the rest of /proc",
        "programs that read /proc/meminfo, /proc/cpuinfo, /proc/loadavg or /proc/sys: node's os.cpus(), the JVM, Go's and Ruby's memory readings",
    ),
    directive_of(
        "LockPersonality",
        &["yes"],
        "change the execution domain",
        "some old emulators",
    ),
    directive_of(
        "MemoryDenyWriteExecute",
        &["yes"],
        "write machine code into memory and run it",
        "every JIT: node, Java, .NET, PHP 8 with JIT, Erlang, LuaJIT, PyPy, Ruby with YJIT; and libffi closures (some Python and Ruby extensions)",
    ),
    directive_of(
        "RestrictRealtime",
        &["yes"],
        "take a processor for itself",
        "audio, low-latency programs",
    ),
    directive_of(
        "RestrictSUIDSGID",
        &["yes"],
        "make setuid files",
        "package managers",
    ),
];

impl Directive {
    /// Whether a service of this runtime works with it, as far as is known.
    #[must_use]
    pub fn suits(&self, runtime: Runtime) -> bool {
        match self.key {
            // Python's and Ruby's libffi closures need it too, in some packages.
            "MemoryDenyWriteExecute" => matches!(runtime, Runtime::Other | Runtime::Nginx),
            "ProcSubset" => !matches!(
                runtime,
                Runtime::Node
                    | Runtime::Java
                    | Runtime::Ruby
                    | Runtime::Puma
                    | Runtime::Dotnet
                    | Runtime::Beam
            ),
            _ => true,
        }
    }

    /// Whether every program that serves lives with it, as far as is known.
    #[must_use]
    pub fn suits_all(&self) -> bool {
        !matches!(self.key, "MemoryDenyWriteExecute" | "ProcSubset")
    }

    /// Its values for a service of this runtime, one line each.
    pub fn values_for(&self, runtime: Runtime) -> impl Iterator<Item = &'static str> {
        // Measured: without it no worker of gunicorn 20.1 boots (PermissionError from os.setuid).
        let more = (self.key == "SystemCallFilter" && runtime == Runtime::Gunicorn)
            .then_some("setuid setuid32");
        self.values.iter().copied().chain(more)
    }

    /// Its lines, as they stand in a unit.
    #[must_use]
    pub fn lines(&self) -> String {
        self.values
            .iter()
            .map(|value| format!("{}={value}\n", self.key))
            .collect()
    }

    /// Its text, as `shipit unit explain NoNewPrivileges` prints it.
    #[must_use]
    pub fn explanation(&self) -> String {
        let lines: String = self
            .lines()
            .lines()
            .map(|line| format!("    {line}\n"))
            .collect();
        format!(
            "{}\n\nAn intruder in the service can no longer: {}.\nIt breaks: {}.\n\n    [Service]\n{lines}\nSee systemd.exec(5), {}=.\n",
            self.key, self.takes, self.breaks, self.key
        )
    }
}

/// The directive of that name.
#[must_use]
pub fn directive(key: &str) -> Option<&'static Directive> {
    DIRECTIVES.iter().find(|directive| directive.key == key)
}
