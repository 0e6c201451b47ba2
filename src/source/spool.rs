//! An archive's content, unpacked for as long as it is needed: a directory of our own that nobody else can enter,
//! removed when it is dropped. Nothing is ever written through a symlink.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, fchmod, linkat, mkdirat, openat, symlinkat};

use super::links::parent;
use super::walk::{Parents, Tree};

#[derive(Debug)]
pub(super) struct Spool {
    path: PathBuf,
}

impl Spool {
    /// Makes one in a directory for temporary files.
    ///
    /// # Errors
    /// As mkdir(2), and when the system has no random bytes.
    pub(super) fn new(place: &Path) -> io::Result<Self> {
        let mut random = [0u8; 8];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let path = place.join(format!("shipit-{:016x}", u64::from_ne_bytes(random)));
        // Fails when something has that name: what is there is never used.
        mkdirat(CWD, &path, Mode::RWXU)?;
        Ok(Self { path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // Removes symlinks, not what they lead to. What cannot be removed is left to the system's own clean-up.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Writes into a tree of ours. Each path is given once, its directory before it.
pub(super) struct Writer<'t> {
    parents: Parents<'t>,
}

impl<'t> Writer<'t> {
    pub(super) fn new(tree: &'t Tree) -> Self {
        Self {
            parents: Parents::new(tree),
        }
    }

    pub(super) fn dir(&mut self, path: &[u8]) -> io::Result<()> {
        let (dir, name) = self.parents.of(path)?;
        Ok(mkdirat(dir, name, Mode::RWXU)?)
    }

    /// Gives a directory the permissions that it has in the archive; ours are never less than all.
    pub(super) fn dir_mode(&mut self, tree: &Tree, path: &[u8], mode: u32) -> io::Result<()> {
        Ok(fchmod(
            tree.dir(path)?,
            Mode::from_raw_mode(mode & 0o777 | 0o700),
        )?)
    }

    pub(super) fn file(&mut self, path: &[u8], mode: u32) -> io::Result<File> {
        let (dir, name) = self.parents.of(path)?;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file: OwnedFd = openat(dir, name, flags, Mode::RUSR | Mode::WUSR)?;
        fchmod(&file, Mode::from_raw_mode(mode & 0o777 | 0o600))?;
        Ok(File::from(file))
    }

    pub(super) fn link(&mut self, path: &[u8], target: &[u8]) -> io::Result<()> {
        let (dir, name) = self.parents.of(path)?;
        Ok(symlinkat(target, dir, name)?)
    }

    /// A second name for a file of the tree.
    pub(super) fn hard_link(&mut self, tree: &Tree, path: &[u8], target: &[u8]) -> io::Result<()> {
        let from = tree.dir(parent(target))?;
        let last = target.rsplit(|&byte| byte == b'/').next().unwrap_or(target);
        let (dir, name) = self.parents.of(path)?;
        Ok(linkat(
            from.as_fd(),
            last,
            dir,
            name,
            rustix::fs::AtFlags::empty(),
        )?)
    }
}
