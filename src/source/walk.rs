//! Directories opened one component at a time, so that no symlink is ever followed, whoever swaps what while we
//! read; and the walk over all of them. Nothing but directories and regular files is ever opened.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fstat, openat, readlinkat, statat,
};

use super::exclude::Exclude;
use super::links::parent;
use super::problem::{Problems, Refusal};
use super::spool::Spool;
use crate::interrupt::Interrupts;

/// The longest path that is shipped, in bytes: PATH_MAX is 4096 with the final NUL, and the host's sha256sum is
/// given `./` in front.
pub(crate) const LONGEST_PATH: usize = 4093;

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
    mtime: (i64, i64),
}

/// One path that the walk found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) path: Vec<u8>,
    pub(crate) node: Node,
    /// The permission bits with set-id and sticky: `0o7777`.
    pub(crate) mode: u32,
    pub(crate) stamp: Stamp,
    /// Bytes that it takes here, in whole blocks of 512: less than its size where it has holes.
    pub(crate) taken: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Dir,
    File,
    Link(Vec<u8>),
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
}

#[allow(
    clippy::cast_sign_loss,
    clippy::unnecessary_cast,
    reason = "the types of stat's fields vary by platform"
)]
fn taken(stat: &Stat) -> u64 {
    stat.st_blocks as u64 * 512
}

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK);

impl Tree {
    /// Opens a directory. Its own path may lead through symlinks: the person wrote it.
    ///
    /// # Errors
    /// As open(2).
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let root = openat(
            CWD,
            path,
            DIRECTORY.difference(OFlags::NOFOLLOW),
            Mode::empty(),
        )?;
        Ok(Self { root, _spool: None })
    }

    /// Keeps the spool that the tree is in for as long as the tree.
    pub(super) fn keeping(self, spool: Spool) -> Self {
        Self {
            _spool: Some(spool),
            ..self
        }
    }

    /// Opens a directory of the tree; no component may be a symlink.
    ///
    /// # Errors
    /// As openat(2); `ENOTDIR` or `ELOOP` where a symlink stands.
    pub(crate) fn dir(&self, path: &[u8]) -> io::Result<OwnedFd> {
        let mut at = openat(&self.root, ".", DIRECTORY, Mode::empty())?;
        for part in path
            .split(|&byte| byte == b'/')
            .filter(|part| !part.is_empty())
        {
            at = openat(&at, part, DIRECTORY, Mode::empty())?;
        }
        Ok(at)
    }

    /// Everything in the tree but what is excluded and `.git`, in no order. What cannot be shipped goes to
    /// `problems`; it is not opened. Ends early when an interrupt comes.
    pub(super) fn walk(
        &self,
        exclude: &Exclude,
        problems: &mut Problems,
        interrupts: &Interrupts,
    ) -> Vec<Found> {
        let mut found = Vec::new();
        let mut todo = vec![Vec::new()];
        while let Some(path) = todo.pop().filter(|_| !interrupts.came()) {
            let before = found.len();
            let mut list = Listing {
                tree: self,
                exclude,
                interrupts,
                problems: &mut *problems,
                found: &mut found,
            };
            if let Err(error) = list.directory(&path) {
                problems.add(&path, Refusal::Unreadable(error));
            }
            let dirs = found[before..]
                .iter()
                .filter(|found| found.node == Node::Dir);
            todo.extend(dirs.map(|found| found.path.clone()));
        }
        found
    }
}

/// What a walk looks for, and where it writes down what it finds.
struct Listing<'w> {
    tree: &'w Tree,
    exclude: &'w Exclude,
    interrupts: &'w Interrupts,
    problems: &'w mut Problems,
    found: &'w mut Vec<Found>,
}

impl Listing<'_> {
    /// Notes everything in one directory.
    fn directory(&mut self, path: &[u8]) -> io::Result<()> {
        let dir = self.tree.dir(path)?;
        for entry in Dir::read_from(&dir)? {
            if self.interrupts.came() {
                return Ok(());
            }
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b".." | b".git") {
                continue;
            }
            let mut path = path.to_vec();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(name);
            match look(dir.as_fd(), name, self.exclude, &path) {
                Ok(Seen::Here(node, stat)) => {
                    self.found.push(Found {
                        path,
                        node,
                        mode: stat.st_mode & 0o7777,
                        stamp: Stamp::of(&stat),
                        taken: taken(&stat),
                    });
                }
                Ok(Seen::Refused(refusal)) => self.problems.add(&path, refusal),
                Ok(Seen::LeftOut) => {}
                Err(error) => self.problems.add(&path, Refusal::Unreadable(error)),
            }
        }
        Ok(())
    }
}

/// What a look at a name tells.
enum Seen {
    /// It belongs to the release.
    Here(Node, Stat),
    Refused(Refusal),
    /// A pattern leaves it out.
    LeftOut,
}

/// Looks at a name in a directory without opening it.
fn look(dir: BorrowedFd<'_>, name: &[u8], exclude: &Exclude, path: &[u8]) -> io::Result<Seen> {
    let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    let left_out = if kind == FileType::Directory {
        exclude.leaves_out_directory(path)
    } else {
        exclude.leaves_out(path)
    };
    Ok(match kind {
        _ if left_out => Seen::LeftOut,
        _ if path == b".shipit" => Seen::Refused(Refusal::Reserved),
        _ if path.len() > LONGEST_PATH => Seen::Refused(Refusal::TooLong(path.len())),
        FileType::Directory => Seen::Here(Node::Dir, stat),
        FileType::RegularFile => Seen::Here(Node::File, stat),
        FileType::Symlink => Seen::Here(
            Node::Link(readlinkat(dir, name, Vec::new())?.into_bytes()),
            stat,
        ),
        FileType::Fifo => Seen::Refused(Refusal::Special("FIFO")),
        FileType::Socket => Seen::Refused(Refusal::Special("socket")),
        FileType::BlockDevice => Seen::Refused(Refusal::Special("block device")),
        FileType::CharacterDevice => Seen::Refused(Refusal::Special("character device")),
        FileType::Unknown => Seen::Refused(Refusal::Special("node of an unknown type")),
    })
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
    ///
    /// # Errors
    /// As [`Tree::dir`].
    pub(crate) fn of<'p>(&mut self, path: &'p [u8]) -> io::Result<(BorrowedFd<'_>, &'p [u8])> {
        let dir = parent(path);
        let name = if dir.is_empty() {
            path
        } else {
            &path[dir.len() + 1..]
        };
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
    ///
    /// # Errors
    /// As openat(2), unless the error itself says that something else is there now.
    pub(crate) fn file(&mut self, path: &[u8], stamp: &Stamp) -> io::Result<Option<File>> {
        let flags =
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let opened = self
            .of(path)
            .and_then(|(dir, name)| Ok(openat(dir, name, flags, Mode::empty())?));
        let Some(file) = unless_gone(opened)?.map(File::from) else {
            return Ok(None);
        };
        Ok(unchanged(&file, stamp)?.then_some(file))
    }

    /// Where the symlink at a path points; `None` when it is none, or nothing, by now.
    ///
    /// # Errors
    /// As readlinkat(2), unless the error itself says that something else is there now.
    pub(crate) fn link(&mut self, path: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let target = self
            .of(path)
            .and_then(|(dir, name)| Ok(readlinkat(dir, name, Vec::new())?.into_bytes()));
        unless_gone(target)
    }
}

/// Whether an open file is still the regular file with this stamp.
///
/// # Errors
/// As fstat(2).
pub(crate) fn unchanged(file: &File, stamp: &Stamp) -> io::Result<bool> {
    let stat = fstat(file)?;
    Ok(
        FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
            && Stamp::of(&stat) == *stamp,
    )
}

/// `None` for the errors that say that what was there is there no more: `ENXIO` is a socket or an unread FIFO,
/// `EINVAL` comes from readlink on what is no link.
fn unless_gone<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    use rustix::io::Errno;
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) => match Errno::from_io_error(&error) {
            Some(
                Errno::NOENT
                | Errno::NOTDIR
                | Errno::LOOP
                | Errno::NXIO
                | Errno::INVAL
                | Errno::STALE,
            ) => Ok(None),
            _ => Err(error),
        },
    }
}
