//! One host: booted, spoken to, cut off, powered off and on, taken away when the value is dropped.

use std::fs;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use super::{HOSTS, Output, available, leave_out, run, script};
use crate::bounds::{self, Ends as _};

/// The port that sshd listens on, on every host.
const SSH_PORT: u16 = 22;

/// Which Debian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Suite {
    /// Debian 12, systemd 252.
    Bookworm,
    /// Debian 13, systemd 257.
    Trixie,
}

impl Suite {
    /// Both, for loops.
    pub const ALL: [Self; 2] = [Self::Bookworm, Self::Trixie];

    /// For what must hold on both: this one in CI, which must end in time, and both with `SHIPIT_LAB_SUITES=all`.
    pub fn or_both(self) -> Vec<Self> {
        if std::env::var_os("SHIPIT_LAB_SUITES").is_some_and(|suites| suites == "all") {
            Self::ALL.to_vec()
        } else {
            vec![self]
        }
    }

    /// A host of this suite with an ext4 of that size (`40M`) and 2048 inodes over `/opt`, which can be filled.
    pub fn with_small_disk(self, size: &str) -> Builder {
        Builder {
            disk: Some(size.to_owned()),
            ..Builder::from(self)
        }
    }

    /// A host of this suite with an ext4 of its own under all that it writes, mounted so that nothing lasts by
    /// chance: what was not flushed is lost in a power cut. The disk's own cache is not, as by a disk that keeps
    /// its word.
    pub fn that_forgets(self) -> Builder {
        Builder::from(self).that_forgets()
    }

    /// A host of this suite with the runtimes of real apps on it: node, gunicorn, puma, caddy, Go.
    pub fn with_apps(self) -> Builder {
        Builder {
            image: Image(self, Packages::Apps),
            ..Builder::from(self)
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
        }
    }
}

/// What is installed on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Packages {
    /// What every test may count on.
    Plain,
    /// The runtimes of real apps too.
    Apps,
}

/// What a host is booted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Image(Suite, Packages);

impl Image {
    /// The word that `scripts/lab/image.sh` takes.
    pub(super) fn name(self) -> String {
        match self.1 {
            Packages::Plain => self.0.name().to_owned(),
            Packages::Apps => format!("{}+apps", self.0.name()),
        }
    }
}

/// What to boot.
#[derive(Clone, Debug)]
pub struct Builder {
    image: Image,
    disk: Option<String>,
}

impl From<Suite> for Builder {
    fn from(suite: Suite) -> Self {
        Self {
            image: Image(suite, Packages::Plain),
            disk: None,
        }
    }
}

impl Builder {
    /// See [`Suite::that_forgets`].
    pub fn that_forgets(self) -> Self {
        Self {
            disk: Some("all:400M".to_owned()),
            ..self
        }
    }

    /// Boots it. `None`, said loudly, where no host can boot; [`super::host`] is the way to call this.
    pub fn boot_if_possible(self) -> Option<Host> {
        if let Err(why) = available(self.image) {
            leave_out(&format!("no lab host can boot here: {why}"));
            return None;
        }
        Some(self.boot())
    }

    /// Boots it; panics where that is impossible.
    pub fn boot(self) -> Host {
        let mut up = Command::new(script("host.sh"));
        up.args(["up", &self.image.name(), &std::process::id().to_string()])
            .args(self.disk);
        let output = Output::of("host.sh up", &up.ends());
        // scripts/test.sh tells by these words that the lab failed, and not what is tested.
        assert!(output.success(), "LAB FAILED: {output}");
        let dir = PathBuf::from(output.ok());
        HOSTS.with_borrow_mut(|hosts| hosts.push(dir.clone()));
        let read = |file: &str| fs::read_to_string(dir.join(file)).unwrap().trim().to_owned();
        Host {
            address: read("address").parse().unwrap(),
            suite: self.image.0,
            dir,
        }
    }
}

/// A running host. Dropped, it is gone with its mounts and links, also when the test panics; with
/// `SHIPIT_LAB_KEEP=1` the host of a failed test stays for `scripts/lab.sh ssh`.
#[derive(Debug)]
pub struct Host {
    dir: PathBuf,
    address: IpAddr,
    suite: Suite,
}

impl Host {
    /// Boots a plain host; panics where that is impossible. Tests want [`super::host`].
    pub fn boot(suite: Suite) -> Self {
        Builder::from(suite).boot()
    }

    /// Which Debian it runs.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// Its address, reachable from this machine only.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Where its sshd listens.
    pub fn ssh_port(&self) -> u16 {
        SSH_PORT
    }

    /// A TCP port on it.
    pub fn web(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.address, port)
    }

    /// Its name, which `scripts/lab.sh` takes, and its own host name.
    pub fn name(&self) -> &str {
        self.dir.file_name().and_then(|name| name.to_str()).unwrap()
    }

    /// Its state directory; `scripts/lab/lib.sh` says what is in there.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The private key that opens root, admin (may sudo anything), deploy (bash, no sudo), deploydash,
    /// deployfish and deploytcsh.
    pub fn identity(&self) -> PathBuf {
        self.dir.join("id_ed25519")
    }

    /// A known_hosts file with its ed25519 and ecdsa keys under its address.
    pub fn known_hosts(&self) -> PathBuf {
        self.dir.join("known_hosts")
    }

    /// The same keys under another address, for a way through a proxy; `[ADDRESS]:PORT` unless the port is 22.
    pub fn known_hosts_at(&self, at: SocketAddr) -> PathBuf {
        let name = if at.port() == SSH_PORT {
            at.ip().to_string()
        } else {
            format!("[{}]:{}", at.ip(), at.port())
        };
        let known = fs::read_to_string(self.known_hosts())
            .unwrap()
            .replace(&self.address.to_string(), &name);
        let path = self.dir.join(format!("known_hosts-{}-{}", at.ip(), at.port()));
        fs::write(&path, known).unwrap();
        path
    }

    /// Runs a shell command on the host as root: no ssh, no login, so it works whatever state sshd is in.
    pub fn root(&self, command: &str) -> Output {
        self.root_reading(command, &[])
    }

    /// The same with something on its stdin.
    pub fn root_reading(&self, command: &str, stdin: &[u8]) -> Output {
        feed(command, self.enter().args(["/bin/sh", "-c", command]), stdin)
    }

    /// The program that runs its arguments inside the host as root, in a clean environment.
    pub fn enter(&self) -> Command {
        let mut command = Command::new("nsenter");
        // No process has the number 0: on a host that is off every command fails, as it should.
        command.args([
            "--all",
            "--wd=/",
            "--target",
            &self.leader().unwrap_or(0).to_string(),
            "env",
            "-i",
        ]);
        command.args([
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME=/root",
            "LANG=C.UTF-8",
        ]);
        command
    }

    /// The process of this machine that is number 1 on the host, if the host is on: the child of systemd-nspawn.
    /// Read here and not by `host.sh leader`, since each command that a test runs as root asks.
    pub fn leader(&self) -> Option<u32> {
        let read = |path: PathBuf| fs::read_to_string(path).ok();
        let cgroup = read(self.dir.join("cgroup"))?;
        let nspawn = read(Path::new(cgroup.trim()).join("supervisor/cgroup.procs"))?;
        let nspawn = nspawn.lines().next()?;
        let children = read(PathBuf::from(format!("/proc/{nspawn}/task/{nspawn}/children")))?;
        children.split_whitespace().next()?.parse().ok()
    }

    /// Runs a command over the system's ssh as that user, through the user's login shell.
    pub fn ssh(&self, user: &str, command: &str) -> Output {
        feed(command, self.ssh_command(user).arg(command), &[])
    }

    /// The ssh command that logs in as that user; the remote command is to be added.
    pub fn ssh_command(&self, user: &str) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.args([
            "-F",
            "/dev/null",
            "-o",
            "BatchMode=yes",
            "-o",
            "IdentitiesOnly=yes",
            "-o",
            "StrictHostKeyChecking=yes",
        ]);
        ssh.arg("-i")
            .arg(self.identity())
            .arg("-o")
            .arg(format!("UserKnownHostsFile={}", self.known_hosts().display()));
        ssh.arg(format!("{user}@{}", self.address));
        ssh
    }

    /// Writes a file as root, mode 0644, folders included.
    pub fn write_file(&self, path: &str, bytes: &[u8]) {
        let command = format!("umask 022; mkdir -p \"$(dirname '{path}')\" && cat >'{path}'");
        self.root_reading(&command, bytes).ok();
    }

    /// The bytes of a file, as text.
    pub fn read_file(&self, path: &str) -> String {
        let output = self.root(&format!("cat '{path}'"));
        assert!(output.success(), "{output}");
        output.stdout
    }

    /// Copies a directory of this machine there, contents to contents, owned by root.
    pub fn copy_in(&self, from: &Path, to: &str) {
        let tar = Command::new("tar")
            .args(["--owner=0", "--group=0", "-C"])
            .arg(from)
            .args(["-cf", "-", "."])
            .ends();
        assert!(tar.status.success(), "tar: {}", String::from_utf8_lossy(&tar.stderr));
        self.root_reading(&format!("mkdir -p '{to}' && tar -C '{to}' -xpf -"), &tar.stdout)
            .ok();
    }

    /// One property of a unit, as `systemctl show` has it.
    pub fn unit(&self, unit: &str, property: &str) -> String {
        self.root(&format!("systemctl show --value -p {property} -- {unit}"))
            .ok()
    }

    /// The whole journal of this boot, or of one unit.
    pub fn journal(&self, unit: Option<&str>) -> String {
        let only = unit.map(|unit| format!("-u {unit}")).unwrap_or_default();
        self.root(&format!(
            "journalctl --sync; journalctl --no-pager -o short-precise -b {only}"
        ))
        .ok()
    }

    /// Waits until that holds; panics with the name of what did not come.
    #[track_caller]
    pub fn wait_for(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        bounds::wait_for(&format!("{what}, on {}", self.name()), || holds(self));
    }

    /// One verb of `host.sh` for this host.
    pub(super) fn script(&self, verb: &str) {
        run(Command::new(script("host.sh")).arg(verb).arg(&self.dir)).unwrap();
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        HOSTS.with_borrow_mut(|hosts| hosts.retain(|dir| *dir != self.dir));
        if thread::panicking() && std::env::var_os("SHIPIT_LAB_KEEP").is_some() {
            // From now on it is a person's: nobody sweeps it.
            drop(fs::write(self.dir.join("owner"), "person\n"));
            drop(writeln!(
                std::io::stderr(),
                "kept: scripts/lab.sh ssh {0} root; scripts/lab.sh down {0}",
                self.name()
            ));
        } else if let Err(why) = run(Command::new(script("host.sh")).arg("down").arg(&self.dir)) {
            assert!(thread::panicking(), "cannot take {} away: {why}", self.name());
        }
    }
}

/// Runs a command with those bytes on its stdin.
#[track_caller]
fn feed(said: &str, command: &mut Command, stdin: &[u8]) -> Output {
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    Output::of(said, &bounds::given(child, said, stdin.to_vec()))
}
