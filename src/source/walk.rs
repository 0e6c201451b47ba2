//! The walk over a source: every path that belongs to the release, and every path that cannot be shipped. Nothing is
//! opened but directories, and nothing is read from files.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{AtFlags, Dir, FileType, Stat, readlinkat, statat};

use super::exclude::Exclude;
use super::problem::{LONGEST_PATH, Problems, Refusal};
use super::tree::{Stamp, Tree};
use crate::interrupt::Interrupts;

#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) path: Vec<u8>,
    pub(crate) node: Node,
    /// The permission bits with set-id and sticky: `0o7777`.
    pub(crate) mode: u32,
    pub(crate) stamp: Stamp,
    /// When anything of the inode changed last: the kernel's clock sets it, no call does.
    pub(crate) ctime: (i64, i64),
    /// Bytes that it takes here, in whole blocks of 512: less than its size where it has holes.
    pub(crate) taken: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Dir,
    File,
    Link(Vec<u8>),
}

#[allow(
    clippy::cast_sign_loss,
    clippy::unnecessary_cast,
    reason = "the types of stat's fields vary by platform"
)]
fn taken(stat: &Stat) -> u64 {
    stat.st_blocks as u64 * 512
}

#[allow(clippy::unnecessary_cast, reason = "the types of stat's fields vary by platform")]
fn ctime(stat: &Stat) -> (i64, i64) {
    (stat.st_ctime as i64, stat.st_ctime_nsec as i64)
}

/// Everything in the tree but what is excluded and `.git`, in no order. What cannot be shipped goes to
/// `problems`; it is not opened. Ends early when an interrupt comes.
pub(super) fn walk(tree: &Tree, exclude: &Exclude, problems: &mut Problems, interrupts: &Interrupts) -> Vec<Found> {
    let mut found = Vec::new();
    let mut todo = vec![Vec::new()];
    while let Some(path) = todo.pop().filter(|_| !interrupts.came()) {
        let before = found.len();
        let mut list = Listing {
            tree,
            exclude,
            interrupts,
            problems: &mut *problems,
            found: &mut found,
        };
        if let Err(error) = list.directory(&path) {
            problems.add(&path, Refusal::Unreadable(error));
        }
        let dirs = found[before..].iter().filter(|found| found.node == Node::Dir);
        todo.extend(dirs.map(|found| found.path.clone()));
    }
    found
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
                        ctime: ctime(&stat),
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
        FileType::Symlink => Seen::Here(Node::Link(readlinkat(dir, name, Vec::new())?.into_bytes()), stat),
        FileType::Fifo => Seen::Refused(Refusal::Special("FIFO")),
        FileType::Socket => Seen::Refused(Refusal::Special("socket")),
        FileType::BlockDevice => Seen::Refused(Refusal::Special("block device")),
        FileType::CharacterDevice => Seen::Refused(Refusal::Special("character device")),
        FileType::Unknown => Seen::Refused(Refusal::Special("special file of an unknown type")),
    })
}
