//! The sandboxing directives that `systemd-analyze security` rates: what each forbids, and what that breaks. Data, from
//! systemd.exec(5) and from what broke in tests; `hardening` judges by it and `generate` writes from it.

use super::runtime::Runtime;

#[derive(Clone, Copy, Debug)]
pub struct Directive {
    /// The key in `[Service]`.
    pub key: &'static str,
    /// The value to write; several lines where the key takes several.
    pub values: &'static [&'static str],
    /// What it protects from, as a sentence.
    effect: &'static str,
    /// The programs that stop working.
    breaks: &'static str,
}

/// A table: key, values, what it denies an attacker (or a sentence of its own), what it breaks.
macro_rules! directives {
    (@effect denies $what:literal) => { concat!("An attacker who controls the service cannot ", $what, ".") };
    (@effect says $what:literal) => { $what };
    ($($key:ident $values:tt $effect:ident $what:literal, breaks $breaks:literal;)+) => {
        [$(Directive {
            key: stringify!($key),
            values: &$values,
            effect: directives!(@effect $effect $what),
            breaks: $breaks,
        }),+]
    };
}

/// The directives for a service that needs its own directory and the network, the most valuable first.
pub const DIRECTIVES: [Directive; 24] = directives! {
    NoNewPrivileges ["yes"]
        denies "gain privileges through setuid programs",
        breaks "sudo, su, and ping (without ping_group_range) when the service runs them";
    ProtectSystem ["strict"]
        denies "write outside /dev, /proc, /sys and the directories of ReadWritePaths= and StateDirectory=",
        breaks "programs that write next to their code or to /var/log, unless ReadWritePaths= names that directory";
    ProtectHome ["yes"]
        denies "see /home, /root or /run/user",
        breaks "code and virtualenvs under /home, ~/.npm and ~/.cache (put the app under /opt)";
    PrivateTmp ["yes"]
        says "The service has its own /tmp and /var/tmp: services cannot see each other's temporary files.",
        breaks "sockets and files in /tmp that several services use, such as MySQL's socket";
    PrivateDevices ["yes"]
        denies "access disks, physical memory or other hardware",
        breaks "GPUs, serial ports, FUSE";
    CapabilityBoundingSet [""]
        denies "use any of root's capabilities, even as root",
        breaks "apps that bind a port below 1024 themselves (use a .socket, or keep CAP_NET_BIND_SERVICE)";
    AmbientCapabilities [""]
        says "The service starts without any of root's capabilities.",
        breaks "the same programs as CapabilityBoundingSet=";
    RestrictAddressFamilies ["AF_UNIX AF_INET AF_INET6"]
        denies "open raw, packet or other unusual sockets",
        breaks "anything that needs AF_NETLINK: node's os.networkInterfaces(), Go's net.Interfaces(), getifaddrs(3) in general";
    RestrictNamespaces ["yes"]
        denies "create namespaces, through which most kernel vulnerabilities are reached",
        breaks "chromium and puppeteer with their own sandbox, rootless containers, bubblewrap";
    SystemCallFilter ["@system-service", "~@privileged @resources"]
        denies "call rarely used parts of the kernel",
        breaks "programs that set their own priority (setpriority, sched_setaffinity), which get EPERM, and programs \
                that call chown or setuid, which are in @privileged. gunicorn's workers call setuid even to keep their \
                own user; one more line, SystemCallFilter=setuid, allows it";
    SystemCallErrorNumber ["EPERM"]
        says "A forbidden system call returns an error instead of killing the program.",
        breaks "nothing; without it, a forbidden call kills the program with SIGSYS";
    SystemCallArchitectures ["native"]
        denies "use 32-bit system calls",
        breaks "32-bit programs";
    ProtectKernelTunables ["yes"]
        denies "write to /proc/sys or /sys",
        breaks "programs that set sysctls";
    ProtectKernelModules ["yes"]
        denies "load kernel modules",
        breaks "nothing that serves requests";
    ProtectKernelLogs ["yes"]
        denies "read the kernel log",
        breaks "nothing that serves requests";
    ProtectControlGroups ["yes"]
        denies "write to the control group tree",
        breaks "container managers";
    ProtectClock ["yes"]
        denies "set the clock",
        breaks "time synchronization daemons";
    ProtectHostname ["yes"]
        denies "change the hostname",
        breaks "nothing that serves requests";
    ProtectProc ["invisible"]
        denies "see the processes of other users",
        breaks "monitoring agents";
    ProcSubset ["pid"]
        denies "read the parts of /proc that are not about processes",
        breaks "programs that read /proc/meminfo, /proc/cpuinfo, /proc/loadavg or /proc/sys: node's os.cpus(), the \
                JVM, memory statistics in Go and Ruby";
    LockPersonality ["yes"]
        denies "change the execution domain",
        breaks "some old emulators";
    MemoryDenyWriteExecute ["yes"]
        denies "write machine code into memory and run it",
        breaks "most JITs (node, Java, .NET, PHP 8 with JIT, LuaJIT, PyPy, Ruby with YJIT; not Erlang's, measured) and libffi \
                closures (some Python and Ruby extensions)";
    RestrictRealtime ["yes"]
        denies "monopolize a processor with real-time scheduling",
        breaks "audio and other low-latency programs";
    RestrictSUIDSGID ["yes"]
        denies "create setuid files",
        breaks "package managers";
};

impl Directive {
    /// Whether a service of this runtime works with it, as far as is known.
    pub fn suits(&self, runtime: Runtime) -> bool {
        use Runtime::{Beam, Dotnet, Java, Nginx, Node, Other, Puma, Ruby};
        match self.key {
            // Python's and Ruby's libffi closures need it too, in some packages.
            "MemoryDenyWriteExecute" => matches!(runtime, Other | Nginx | Beam),
            "ProcSubset" => !matches!(runtime, Node | Java | Ruby | Puma | Dotnet | Beam),
            _ => true,
        }
    }

    /// Whether every program that serves requests works with it, as far as is known.
    pub fn suits_all(&self) -> bool {
        !matches!(self.key, "MemoryDenyWriteExecute" | "ProcSubset")
    }

    /// Its values for a service of this runtime, one line each.
    pub fn values_for(&self, runtime: Runtime) -> impl Iterator<Item = &'static str> {
        // Measured: without it no worker of gunicorn 20.1 boots (PermissionError from os.setuid).
        let more = (self.key == "SystemCallFilter" && runtime == Runtime::Gunicorn).then_some("setuid setuid32");
        self.values.iter().copied().chain(more)
    }

    /// Its text, as `shipit unit explain NoNewPrivileges` prints it.
    pub fn explanation(&self) -> String {
        let Self {
            key,
            values,
            effect,
            breaks,
        } = self;
        let lines: String = values.iter().map(|value| format!("    {key}={value}\n")).collect();
        format!("{key}\n\n{effect}\nIt breaks: {breaks}.\n\n    [Service]\n{lines}\nSee systemd.exec(5), {key}=.\n")
    }
}

pub fn directive(key: &str) -> Option<&'static Directive> {
    DIRECTIVES.iter().find(|directive| directive.key == key)
}
