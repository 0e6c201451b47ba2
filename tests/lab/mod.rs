//! Real hosts for tests: Debian with systemd, sshd and sudo, booted in half a second from an image that is
//! built once (`scripts/lab/`, which people use through `scripts/lab.sh` too). And what measures them: [`Load`]
//! counts every failed request, [`DelayProxy`] delays, freezes and cuts the way there.
//!
//! ```ignore
//! let host = lab::host!(Suite::Bookworm);      // returns from the test, loudly, where no host can boot
//! apps::ACME.bring_up(&host, Service::Socket, Kind::Graceful, "v1");
//! let load = Load::on(host.web(8080)).rate(200).start();
//! host.root("systemctl restart acme").ok();
//! assert_eq!(load.stop().failures(), 0);
//! ```

mod boot;
mod client;
mod disk;
mod load;
mod output;
mod power;
mod proxy;

pub use boot::{Builder, Host, Image, Suite};
pub use load::{Load, Miss, Running};
pub use output::Output;
pub use proxy::{DelayProxy, Way};

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::bounds::Ends as _;

/// Boots a host, or leaves the test and says so where no host can boot. With `CI=true` or `SHIPIT_LAB=require`
/// in the environment it fails instead. Takes a [`Suite`], or a [`Builder`].
macro_rules! host {
    ($what:expr) => {
        match $crate::lab::Builder::from($what).boot_if_possible() {
            Some(host) => host,
            None => return,
        }
    };
}
pub(crate) use host;

/// A script of the lab: the one implementation of images and hosts.
pub fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scripts/lab").join(name)
}

/// Why no host of this image can boot here, if none can. Builds the image if it has to, and takes away what
/// dead test runs left; both once a process.
///
/// # Errors
/// A sentence: no root, a missing program, an image that cannot be built.
pub fn available(image: Image) -> Result<(), String> {
    static MACHINE: OnceLock<Result<(), String>> = OnceLock::new();
    static IMAGES: Mutex<BTreeMap<Image, Result<(), String>>> = Mutex::new(BTreeMap::new());
    MACHINE.get_or_init(|| machine().and_then(|()| sweep())).clone()?;
    let mut images = IMAGES.lock().unwrap_or_else(PoisonError::into_inner);
    images.entry(image).or_insert_with(|| built(image)).clone()
}

/// Builds it, if it has to be: from packages that come over a network, so nobody knows how long that takes.
fn built(image: Image) -> Result<(), String> {
    let mut build = Command::new(script("image.sh"));
    let output = build
        .arg(image.name())
        .output()
        .map_err(|error| format!("{build:?}: {error}"))?;
    ended(&build, &output)
}

/// What this machine lacks, if anything.
fn machine() -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Err("booting hosts needs root".to_owned());
    }
    let missing: Vec<_> = [
        "systemd-nspawn",
        "mmdebstrap",
        "ip",
        "nsenter",
        "flock",
        "pgrep",
        "mkfs.ext4",
        "perl",
        "ssh",
    ]
    .into_iter()
    .filter(|program| !on_path(program))
    .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(format!("missing here: {} (scripts/lab/packages)", missing.join(", ")))
    }
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Takes away the hosts of dead owners, and leaves a watcher that does the same for ours: a test run that is
/// killed cleans up within a second, not when somebody runs the tests next.
fn sweep() -> Result<(), String> {
    run(Command::new(script("host.sh")).arg("sweep"))?;
    let watch = Command::new("setsid")
        .arg(script("host.sh"))
        .args(["watch", &std::process::id().to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    watch.map(drop).map_err(|error| format!("cannot start setsid: {error}"))
}

thread_local! {
    /// The directories of the hosts that this test has.
    static HOSTS: RefCell<Vec<PathBuf>> = const { RefCell::new(Vec::new()) };
}

/// What runs on the hosts of this test, for who waits in vain.
pub fn processes() -> String {
    let script =
        "leader=$(\"$0\" leader \"$1\") && nsenter --all --target \"$leader\" ps axf -o pid,etime,stat,wchan:20,args";
    HOSTS
        .with_borrow(|hosts| hosts.clone())
        .iter()
        .fold(String::new(), |said, dir| {
            let shown = Command::new("timeout")
                .args(["-k", "5", "60", "sh", "-c", script])
                .arg(self::script("host.sh"))
                .arg(dir)
                .output();
            let text = shown.map_or_else(
                |error| error.to_string(),
                |out| String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned(),
            );
            format!("{said}processes of {}:\n{text}\n", dir.display())
        })
}

/// Runs a script; its stderr is the reason for a failure.
fn run(command: &mut Command) -> Result<(), String> {
    let output = command.ends();
    ended(command, &output)
}

fn ended(command: &Command, output: &std::process::Output) -> Result<(), String> {
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{command:?}: {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    ))
}

/// Says, past the capture of the test harness, that this test is left out; or fails where all must run, in CI.
pub fn leave_out(why: &str) {
    let required = std::env::var("CI").is_ok_and(|value| value == "true")
        || std::env::var("SHIPIT_LAB").is_ok_and(|value| value == "require");
    assert!(!required, "this run requires every test: {why}");
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let line = format!("LEFT OUT {test}: {why}\n");
    // A failure to say it must not fail the test that is left out.
    drop(std::io::stderr().write_all(line.as_bytes()));
}
