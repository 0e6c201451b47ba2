//! What belongs here: trees and archives as they come from people, packed, unpacked by the tools of a host, and
//! compared byte for byte; and all that must be refused before anything is sent. No host is needed.

mod archives; // an archive as a source
mod changes; // a source that changes under our hands
mod excluded; // what stays at home
mod hostile; // archives that nobody should unpack
mod memory; // how much of it a source takes
mod raw; // archives written by hand
mod refused; // what a host must not get, and what a person is told
mod remembered; // files that are not read again
mod round_trip; // what arrives is what was there

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use shipit::failure::Failure;
use shipit::interrupt::Interrupts;
use shipit::source::{Scanned, Source, scan};
use tempfile::TempDir;

use crate::bounds::Ends as _;

/// The listing that a host makes of a release; `src/release/listing.rs` has the same words.
const LISTING: &str = r"
find . -mindepth 1 \( -type f -printf 'f %m %s %P\0' -o -type d -printf 'd %m %P\0' \
    -o -type l -printf 'l %P//%l\0' -o -printf '? %P\0' \) | sort -z
find . -type f -printf './%P\0' | sort -z | xargs -0 -r sha256sum -z --
";

/// `nobody` of Debian.
pub const NOBODY: u32 = 65534;

/// A directory to fill and to ship.
struct Tree {
    dir: TempDir,
}

impl Tree {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn at(&self, path: impl AsRef<[u8]>) -> PathBuf {
        self.path().join(OsStr::from_bytes(path.as_ref()))
    }

    fn parents(&self, path: &[u8]) -> PathBuf {
        let at = self.at(path);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        at
    }

    fn file(&self, path: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> &Self {
        fs::write(self.parents(path.as_ref()), content).unwrap();
        self
    }

    fn dir(&self, path: impl AsRef<[u8]>) -> &Self {
        fs::create_dir_all(self.at(path)).unwrap();
        self
    }

    fn link(&self, path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> &Self {
        symlink(OsStr::from_bytes(target.as_ref()), self.parents(path.as_ref())).unwrap();
        self
    }

    fn mode(&self, path: impl AsRef<[u8]>, mode: u32) -> &Self {
        fs::set_permissions(self.at(path), fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    fn scan(&self) -> Result<Scanned, Failure> {
        self.scan_without(&[])
    }

    fn scan_without(&self, exclude: &[&str]) -> Result<Scanned, Failure> {
        scan_path(self.path(), exclude)
    }

    /// The lines of the failure that this tree must end in.
    fn refused(&self) -> Vec<String> {
        self.scan().unwrap_err().why
    }
}

fn scan_path(path: &Path, exclude: &[&str]) -> Result<Scanned, Failure> {
    let exclude: Vec<String> = exclude.iter().map(|&pattern| pattern.to_owned()).collect();
    let source = Source {
        path,
        exclude: &exclude,
        allow_secrets: &[],
        identity: None,
        hashes: None,
    };
    scan(&source, &Interrupts::never().unwrap())
}

/// The bytes that a host prints of a directory.
fn listing(dir: &Path) -> Vec<u8> {
    let out = Command::new("sh")
        .args(["-ec", LISTING])
        .env("LC_ALL", "C")
        .current_dir(dir)
        .ends();
    assert!(
        out.status.success() && out.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    out.stdout
}

/// Runs one test again, in a process of its own, as this user or another, and waits for it. True in that process:
/// there the test goes on.
pub fn alone(test: &str, uid: Option<u32>) -> bool {
    const MARK: &str = "SHIPIT_TEST_ALONE";
    if std::env::var_os(MARK).is_some_and(|name| name == test) {
        return true;
    }
    // Another user may not be able to come to where this program is. The copy is made by another process: a
    // descriptor of ours that is open for writing would leak into the children of other tests for a moment, and a
    // file that is being written cannot be run.
    let copy = tempfile::tempdir().unwrap();
    fs::set_permissions(copy.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = copy.path().join("it");
    assert!(
        Command::new("cp")
            .arg(std::env::current_exe().unwrap())
            .arg(&program)
            .status()
            .unwrap()
            .success()
    );
    let mut again = Command::new(program);
    again
        .args(["--exact", test, "--nocapture"])
        .env(MARK, test)
        .current_dir("/");
    if let Some(uid) = uid {
        again.uid(uid).gid(uid);
    }
    let out = again.ends();
    let said = [out.stdout, out.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(out.status.success() && said.contains("1 passed"), "{said}");
    false
}

pub fn am_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Unpacks a stream as a host does, as this user or another; the directory it is in.
fn unpack(stream: impl Read, uid: Option<u32>) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    unpack_in(dir.path(), stream, uid);
    dir
}

fn unpack_in(dir: &Path, mut stream: impl Read, uid: Option<u32>) {
    let line = "umask 022; exec tar -xzf - --no-same-owner --no-same-permissions";
    let mut tar = Command::new("sh");
    tar.args(["-ec", line]).env("LC_ALL", "C").current_dir(dir);
    if let Some(uid) = uid {
        std::os::unix::fs::chown(dir, Some(uid), Some(uid)).unwrap();
        tar.uid(uid).gid(uid);
    }
    let mut tar = tar.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let copied = std::io::copy(&mut stream, &mut tar.stdin.take().unwrap());
    let out = tar.ends();
    assert!(
        out.status.success() && out.stderr.is_empty(),
        "tar: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    copied.unwrap();
}

/// Packs, unpacks with GNU tar and compares what is there with the manifest, by the host's own tools.
fn arrives(scanned: &Scanned) {
    let other = am_root().then_some(NOBODY);
    for uid in std::iter::once(None).chain(other.map(Some)) {
        let host = unpack(scanned.pack(), uid);
        let listing = listing(host.path());
        assert_eq!(
            String::from_utf8_lossy(&listing),
            String::from_utf8_lossy(&scanned.manifest.to_host_bytes()),
            "unpacked as {uid:?}"
        );
        assert_eq!(listing, scanned.manifest.to_host_bytes());
        let read = shipit::release::Manifest::parse_host(&listing).unwrap();
        assert_eq!(read, *scanned.manifest);
        assert_eq!(read.digest(), scanned.manifest.digest());
    }
}
