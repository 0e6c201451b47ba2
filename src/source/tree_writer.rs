//! Writes directories, files and links into a tree of our own, for an archive that is unpacked. Nothing is ever written
//! through a symlink.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags, fchmod, linkat, mkdirat, openat, symlinkat};

use super::links::parent;
use super::tree::{Parents, Tree};

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
        Ok(fchmod(tree.dir(path)?, Mode::from_raw_mode(mode & 0o777 | 0o700))?)
    }

    pub(super) fn file(&mut self, path: &[u8], mode: u32) -> io::Result<File> {
        let (dir, name) = self.parents.of(path)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
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
        Ok(linkat(from.as_fd(), last, dir, name, rustix::fs::AtFlags::empty())?)
    }
}
