//! The members of an archive, one after another, written into a spool: paths checked, nothing written twice, nothing
//! written through a link. Whether links lead outside is checked later, as for any directory.

use std::collections::HashMap;
use std::io::{self, Read, Write};

use super::exclude::Exclude;
use super::problem::{LONGEST_PATH, Problems, Refusal};
use super::tar_read::{Kind, Member, Members, Unreadable};
use super::tree::Tree;
use super::tree_writer::Writer;
use crate::text;

/// How far an archive may grow. Beyond it, it is taken for a bomb, or for a mistake.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Bytes of the unpacked stream.
    pub(super) bytes: u64,
    pub(super) members: usize,
    /// Times the archive's own size; gzip itself cannot exceed 1032.
    pub(super) ratio: u64,
    /// Bytes from which the ratio counts.
    pub(super) ratio_from: u64,
}

/// What stands at a path of the spool.
#[derive(Clone, Copy, PartialEq, Eq)]
enum There {
    Dir,
    File,
    Link,
}

pub(super) enum Stop {
    Archive(Unreadable),
    /// A limit was met: which, in words.
    Bomb(String),
    /// Writing to the spool failed: at which path.
    Spool(Vec<u8>, io::Error),
}

impl From<Unreadable> for Stop {
    fn from(unreadable: Unreadable) -> Self {
        Self::Archive(unreadable)
    }
}

/// Unpacks members, one after another.
pub(super) struct Unpacking<'a> {
    tree: &'a Tree,
    writer: Writer<'a>,
    exclude: &'a Exclude,
    limits: Limits,
    there: HashMap<Vec<u8>, There>,
    special: Vec<Vec<u8>>,
    problems: Problems,
    buffer: Vec<u8>,
}

impl<'a> Unpacking<'a> {
    pub(super) fn new(tree: &'a Tree, exclude: &'a Exclude, limits: Limits) -> Self {
        let buffer = vec![0; 128 * 1024];
        let (there, special, problems) = (HashMap::new(), Vec::new(), Problems::default());
        Self {
            tree,
            writer: Writer::new(tree),
            exclude,
            limits,
            there,
            special,
            problems,
            buffer,
        }
    }

    /// Unpacks them all; what cannot be shipped is noted and left out.
    pub(super) fn all(&mut self, members: &mut Members<impl Read>) -> Result<(), Stop> {
        let mut count = 0;
        while let Some(member) = members.next()? {
            count += 1;
            if count > self.limits.members {
                return Err(Stop::Bomb(format!("it has more than {} members", self.limits.members)));
            }
            let path = match path(&member) {
                Ok([]) => continue,
                Ok(path) => path.to_vec(),
                Err(refusal) => {
                    self.problems.add(&member.name, refusal);
                    continue;
                }
            };
            let is_dir = matches!(member.kind, Ok(Kind::Dir));
            if self.left_out(&path, is_dir) {
                continue;
            }
            if member.size > self.limits.bytes {
                let (name, size) = (text::shown(&path), text::bytes(member.size));
                return Err(Stop::Bomb(format!("{name} alone is {size}")));
            }
            let taken = match member.kind {
                Ok(kind) => self.one(&path, kind, member.mode, members)?,
                Err(refusal) => Err(refusal),
            };
            if let Err(refusal) = taken {
                self.problems.add(&path, refusal);
            }
        }
        Ok(())
    }

    /// What was noted: paths whose set-id or sticky bit was dropped, and all that cannot be shipped.
    pub(super) fn done(self) -> (Vec<Vec<u8>>, Problems) {
        (self.special, self.problems)
    }

    fn one(
        &mut self,
        path: &[u8],
        kind: Kind,
        mode: u32,
        members: &mut Members<impl Read>,
    ) -> Result<Result<(), Refusal>, Stop> {
        let spool = |error: io::Error| Stop::Spool(path.to_vec(), error);
        let there = match kind {
            Kind::Dir => There::Dir,
            Kind::File | Kind::HardLink(_) => There::File,
            Kind::Link(_) => There::Link,
        };
        if let Err(refusal) = self.way_to(path).map_err(spool)? {
            return Ok(Err(refusal));
        }
        let before = self.there.get(path).copied();
        if before.is_some() && (before, there) != (Some(There::Dir), There::Dir) {
            return Ok(Err(Refusal::Twice));
        }
        match kind {
            Kind::Dir => {
                if before.is_none() {
                    self.writer.dir(path).map_err(spool)?;
                }
                self.writer.dir_mode(self.tree, path, mode).map_err(spool)?;
            }
            Kind::File => {
                let mut file = self.writer.file(path, mode).map_err(spool)?;
                loop {
                    match members.read(&mut self.buffer)? {
                        0 => break,
                        n => file.write_all(&self.buffer[..n]).map_err(spool)?,
                    }
                }
            }
            Kind::Link(target) if target.is_empty() || target.contains(&0) || target.len() > LONGEST_TARGET => {
                return Ok(Err(Refusal::BadTarget));
            }
            Kind::Link(target) => self.writer.link(path, &target).map_err(spool)?,
            Kind::HardLink(target) => {
                let first = relative(target.strip_prefix(b"./").unwrap_or(&target));
                if first.is_some_and(|first| self.left_out(first, false)) {
                    return Ok(Err(Refusal::LinkToExcluded(target)));
                }
                let Some(first) = first.filter(|first| self.there.get(*first) == Some(&There::File)) else {
                    return Ok(Err(Refusal::HardLink(target)));
                };
                self.writer.hard_link(self.tree, path, first).map_err(spool)?;
            }
        }
        if mode & 0o7000 != 0 && there != There::Link {
            self.special.push(path.to_vec());
        }
        self.there.insert(path.to_vec(), there);
        Ok(Ok(()))
    }

    /// Makes the directories above a path that no member has made. Only directories may stand there.
    fn way_to(&mut self, path: &[u8]) -> io::Result<Result<(), Refusal>> {
        for above in above(path) {
            match self.there.get(above) {
                Some(There::Dir) => {}
                Some(There::File) => return Ok(Err(Refusal::Through("file", above.to_vec()))),
                Some(There::Link) => return Ok(Err(Refusal::Through("symlink", above.to_vec()))),
                None => {
                    self.writer.dir(above)?;
                    self.writer.dir_mode(self.tree, above, 0o755)?;
                    self.there.insert(above.to_vec(), There::Dir);
                }
            }
        }
        Ok(Ok(()))
    }

    /// Whether the walk over the spool would leave it out: then it is not unpacked, nor looked at.
    fn left_out(&self, path: &[u8], is_dir: bool) -> bool {
        let repository = |path: &[u8]| path == b".git" || path.ends_with(b"/.git");
        let whole = if is_dir {
            self.exclude.leaves_out_directory(path)
        } else {
            self.exclude.leaves_out(path)
        };
        whole
            || repository(path)
            || above(path).any(|above| repository(above) || self.exclude.leaves_out_directory(above))
    }
}

/// PATH_MAX without the final NUL: symlink(2) takes no more.
const LONGEST_TARGET: usize = 4095;

/// The paths of the directories that a path is in, from the top.
fn above(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'/')
        .map(|(at, _)| &path[..at])
}

/// A member's path in the release; empty for the release itself.
fn path(member: &Member) -> Result<&[u8], Refusal> {
    let name = match member.kind {
        Ok(Kind::Dir) => member.name.strip_suffix(b"/").unwrap_or(&member.name),
        _ => &member.name,
    };
    if matches!(name, b"." | b"./") && matches!(member.kind, Ok(Kind::Dir)) {
        return Ok(b"");
    }
    if name.contains(&0) {
        return Err(Refusal::Nul);
    }
    if name.starts_with(b"/") {
        return Err(Refusal::Absolute);
    }
    let path = name.strip_prefix(b"./").unwrap_or(name);
    if path.len() > LONGEST_PATH {
        return Err(Refusal::TooLong(path.len()));
    }
    if path.split(|&byte| byte == b'/').any(|part| part == b"..") {
        return Err(Refusal::Climbs);
    }
    if path.split(|&byte| byte == b'/').any(|part| part.len() > 255) {
        return Err(Refusal::NameTooLong);
    }
    relative(path).ok_or(Refusal::Ambiguous("a name with an empty or `.` component"))
}

/// A name, if it is a path in the release as it stands.
fn relative(name: &[u8]) -> Option<&[u8]> {
    name.split(|&byte| byte == b'/')
        .all(|part| !matches!(part, b"" | b"." | b".."))
        .then_some(name)
}
