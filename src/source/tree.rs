//! Directories opened one component at a time, so that no symlink is ever followed, whoever replaces what during the
//! read. Nothing but directories and regular files is ever opened; what belongs to a release is decided elsewhere.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, Stat, fstat, openat, readlinkat};

use super::links::parent;
use super::spool::Spool;

/// The source's own directory, held open. A move or removal of its path does not change what is read.
#[derive(Debug)]
pub(crate) struct Tree {
    root: OwnedFd,
    /// Where an archive was unpacked: removed with the tree.
    _spool: Option<Spool>,
}

/// What one inode looked like: when any of it is different later, the file is not the one that was scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    dev: u64,
    ino: u64,
    size: u64,
    /// Seconds and nanoseconds since 1970, as all times here.
    mtime: (i64, i64),
}

impl Stamp {
    /// The stamp of an inode.
    #[allow(
        clippy::cast_sign_loss,
        clippy::unnecessary_cast,
        reason = "the types of stat's fields vary by platform"
    )]
    pub(crate) fn of(stat: &Stat) -> Self {
        let mtime = (stat.st_mtime as i64, stat.st_mtime_nsec as i64);
        Self {
            dev: stat.st_dev as u64,
            ino: stat.st_ino as u64,
            size: stat.st_size as u64,
            mtime,
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn mtime(&self) -> (i64, i64) {
        self.mtime
    }

    /// The device, the inode and the size.
    pub(super) fn numbers(&self) -> [u64; 3] {
        [self.dev, self.ino, self.size]
    }
}

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK);

impl Tree {
    /// Opens a directory. Its own path may lead through symlinks: the person wrote it. Fails as open(2) does.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let root = openat(CWD, path, DIRECTORY.difference(OFlags::NOFOLLOW), Mode::empty())?;
        Ok(Self { root, _spool: None })
    }

    /// Keeps the spool that the tree is in for as long as the tree.
    pub(super) fn keeping(self, spool: Spool) -> Self {
        Self {
            _spool: Some(spool),
            ..self
        }
    }

    /// The directory itself.
    pub(super) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// Opens a directory of the tree; no component may be a symlink.
    /// Fails as openat(2) does; `ENOTDIR` or `ELOOP` where a symlink stands.
    pub(crate) fn dir(&self, path: &[u8]) -> io::Result<OwnedFd> {
        let mut at = openat(&self.root, ".", DIRECTORY, Mode::empty())?;
        for part in path.split(|&byte| byte == b'/').filter(|part| !part.is_empty()) {
            at = openat(&at, part, DIRECTORY, Mode::empty())?;
        }
        Ok(at)
    }
}

/// The directory of the path that was opened last, kept: paths in order mostly share theirs.
pub(crate) struct Parents<'t> {
    tree: &'t Tree,
    last: Option<(Vec<u8>, OwnedFd)>,
}

impl<'t> Parents<'t> {
    pub(crate) fn new(tree: &'t Tree) -> Self {
        Self { tree, last: None }
    }

    /// The directory that a path is in, and its name there.
    pub(crate) fn of<'p>(&mut self, path: &'p [u8]) -> io::Result<(BorrowedFd<'_>, &'p [u8])> {
        let dir = parent(path);
        let name = if dir.is_empty() { path } else { &path[dir.len() + 1..] };
        if self.last.as_ref().is_none_or(|(kept, _)| kept != dir) {
            self.last = Some((dir.to_vec(), self.tree.dir(dir)?));
        }
        match &self.last {
            Some((_, fd)) => Ok((fd.as_fd(), name)),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Opens a regular file, if it is still the one with this stamp; `None` when it is not. A FIFO that has
    /// taken its place is not waited for.
    /// Fails as openat(2) does, unless the error itself says that something else is there now.
    pub(crate) fn file(&mut self, path: &[u8], stamp: &Stamp) -> io::Result<Option<File>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let opened = self
            .of(path)
            .and_then(|(dir, name)| Ok(openat(dir, name, flags, Mode::empty())?));
        let Some(file) = unless_gone(opened)?.map(File::from) else {
            return Ok(None);
        };
        Ok(unchanged(&file, stamp)?.then_some(file))
    }

    /// Where the symlink at a path points; `None` when it is none, or nothing, by now.
    /// Fails as readlinkat(2) does, unless the error itself says that something else is there now.
    pub(crate) fn link(&mut self, path: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let target = self
            .of(path)
            .and_then(|(dir, name)| Ok(readlinkat(dir, name, Vec::new())?.into_bytes()));
        unless_gone(target)
    }
}

/// Whether an open file is still the regular file with this stamp. Fails as fstat(2) does.
pub(crate) fn unchanged(file: &File, stamp: &Stamp) -> io::Result<bool> {
    let stat = fstat(file)?;
    Ok(FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && Stamp::of(&stat) == *stamp)
}

/// `None` for the errors that say that what was there is there no more: `ENXIO` is a socket or an unread FIFO,
/// `EINVAL` comes from readlink on what is no link.
fn unless_gone<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    use rustix::io::Errno;
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) => match Errno::from_io_error(&error) {
            Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NXIO | Errno::INVAL | Errno::STALE) => Ok(None),
            _ => Err(error),
        },
    }
}
