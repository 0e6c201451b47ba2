//! What this machine remembers from one run to the next: files below `$XDG_CACHE_HOME/shipit` or `~/.cache/shipit`, of each
//! kind the newest few. All may be removed at any time, and a failure here is as good as an empty cache; so is a directory or
//! a file that somebody else owns or can write to. What is in the files, and when it is believed, is decided elsewhere.

use std::fs::{DirBuilder, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fstat, mkdirat, openat, renameat, statat, unlinkat};
use rustix::process::geteuid;

/// The most bytes that one file may have.
const LONGEST: u64 = 256 << 20;
/// How the name of a file begins while it is written.
const PART: &str = ".part-";
/// No run writes a file for so long: whoever began this one is gone.
const ABANDONED: Duration = Duration::from_secs(3600);

/// The files of one kind, each named by 64 hexadecimal digits, or `*.log` for those that a user opens.
#[derive(Clone, Debug)]
pub struct Shelf {
    top: PathBuf,
    /// A directory in `top`, if the files are not in `top` itself.
    kind: Option<String>,
    kept: usize,
    /// Bytes of all files that survive a write.
    room: u64,
}

impl Shelf {
    /// The user's own, of this kind; `None` for a user without a home.
    pub fn of_user(kind: &str, kept: usize) -> Option<Self> {
        // Unit tests run in the home of whoever develops shipit.
        if cfg!(test) {
            return None;
        }
        let absolute = |name: &str| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
        Some(Self {
            kind: Some(kind.to_owned()),
            ..Self::at(cache.join("shipit"), kept)
        })
    }

    /// In this directory, which need not exist yet; `kept` files of it survive a write.
    pub fn at(dir: PathBuf, kept: usize) -> Self {
        Self {
            top: dir,
            kind: None,
            kept,
            room: u64::MAX,
        }
    }

    /// The same, with at most so many bytes in all files.
    #[must_use]
    pub fn within(self, room: u64) -> Self {
        Self { room, ..self }
    }

    /// The names, the one that was written or used last first.
    pub fn names(&self) -> Vec<String> {
        let files = self.dir(false).map(|dir| files(&dir)).unwrap_or_default();
        let names = files.into_iter().map(|file| file.name);
        names.filter(|name| is_name(name)).collect()
    }

    /// The path of a file, for people: `~` is the home directory.
    pub fn path(&self, name: &str) -> String {
        let mut path = self.top.clone();
        path.extend(&self.kind);
        let path = path.join(name);
        let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
        match home.and_then(|home| path.strip_prefix(home).ok()) {
            Some(below) => format!("~/{}", below.display()),
            None => path.display().to_string(),
        }
    }

    /// The bytes of a file; `None` where there is none that can be read.
    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = self.file(name)?;
        file.take(LONGEST + 1).read_to_end(&mut bytes).ok()?;
        (bytes.len() as u64 <= LONGEST).then_some(bytes)
    }

    /// Writes a file as a whole, or not at all: a reader never has a part of it, however many write it at once. Then removes
    /// all but this one and the newest others.
    pub fn write(&self, name: &str, mut bytes: &[u8]) {
        self.copy(name, &mut bytes);
    }

    /// Writes all that is read, as [`Self::write`] does; nothing if the read fails.
    pub fn copy(&self, name: &str, from: &mut dyn Read) {
        let Some(dir) = self.dir(true) else { return };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let then = i64::try_from(now.saturating_sub(ABANDONED).as_secs()).unwrap_or(0);
        // What others write now is not ours to remove, and does not count among what is kept.
        let abandoned = |file: &Kept| file.name.starts_with(PART) && file.written.0 < then;
        for old in files(&dir).into_iter().filter(abandoned) {
            let _ = unlinkat(&dir, &old.name, AtFlags::empty());
        }
        if put(&dir, name, from).is_none() {
            return;
        }
        let files = files(&dir);
        let mut taken = files.iter().find(|file| file.name == name).map_or(0, |file| file.size);
        let others = files.iter().filter(|file| is_name(&file.name) && file.name != name);
        let over = others.enumerate().filter(|(at, other)| {
            taken = taken.saturating_add(other.size);
            at + 1 >= self.kept || taken > self.room
        });
        for (_, old) in over {
            let _ = unlinkat(&dir, &old.name, AtFlags::empty());
        }
    }

    /// Counts a file as the newest. Whether there is one.
    pub fn used(&self, name: &str) -> bool {
        self.file(name)
            .is_some_and(|file| file.set_modified(SystemTime::now()).is_ok())
    }

    pub fn remove(&self, name: &str) {
        let _ = self.dir(false).map(|dir| unlinkat(dir, name, AtFlags::empty()));
    }

    /// The directory of the files; `None` where there is none that is only ours.
    fn dir(&self, make: bool) -> Option<OwnedFd> {
        if make {
            let mut private = DirBuilder::new();
            private.recursive(true).mode(0o700).create(&self.top).ok()?;
        }
        let top = open(CWD, &self.top, FileType::Directory)?;
        let Some(kind) = &self.kind else {
            return Some(top);
        };
        if make {
            let _ = mkdirat(&top, kind, Mode::RWXU);
        }
        open(top, Path::new(kind), FileType::Directory)
    }

    fn file(&self, name: &str) -> Option<File> {
        open(self.dir(false)?, Path::new(name), FileType::RegularFile).map(File::from)
    }
}

/// Opens what is only ours, and waits for nothing: neither a link that leads elsewhere nor a FIFO in its place.
fn open(dir: impl AsFd, path: &Path, kind: FileType) -> Option<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = openat(dir, path, flags, Mode::empty()).ok()?;
    let stat = fstat(&opened).ok()?;
    is_private(&stat, kind, geteuid().as_raw()).then_some(opened)
}

/// Whether this user owns it and nobody else can write to it. Who can write there could name a hash for each of our files.
fn is_private(stat: &Stat, kind: FileType, user: u32) -> bool {
    let shared = Mode::from_raw_mode(stat.st_mode).intersects(Mode::WGRP | Mode::WOTH);
    FileType::from_raw_mode(stat.st_mode) == kind && stat.st_uid == user && !shared
}

fn put(dir: &OwnedFd, name: &str, from: &mut dyn Read) -> Option<()> {
    let mut random = [0u8; 8];
    getrandom::fill(&mut random).ok()?;
    let part = format!("{PART}{:016x}", u64::from_ne_bytes(random));
    let new = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // Names and hashes of what may be private.
    let mut file = File::from(openat(dir, &part, new, Mode::RUSR | Mode::WUSR).ok()?);
    let written = match io::copy(&mut from.take(LONGEST + 1), &mut file) {
        Ok(bytes) if bytes > LONGEST => Err(io::ErrorKind::FileTooLarge.into()),
        Ok(_) => renameat(dir, &part, dir, name).map_err(io::Error::from),
        Err(error) => Err(error),
    };
    if written.is_err() {
        let _ = unlinkat(dir, &part, AtFlags::empty());
    }
    written.ok()
}

/// A file of ours.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Kept {
    /// Seconds and nanoseconds since 1970.
    written: (i64, i64),
    name: String,
    /// In bytes.
    size: u64,
}

/// What is ours in a directory, the newest first.
fn files(dir: &OwnedFd) -> Vec<Kept> {
    let entries = Dir::read_from(dir).into_iter().flatten().flatten();
    let of = |entry: rustix::fs::DirEntry| {
        let name = entry.file_name().to_str().ok()?.to_owned();
        let stat = statat(dir, &name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        (is_name(&name) || name.starts_with(PART)).then(|| Kept {
            written: written(&stat),
            name,
            size: u64::try_from(stat.st_size).unwrap_or(0),
        })
    };
    let mut files: Vec<_> = entries.filter_map(of).collect();
    files.sort_by(|a, b| b.cmp(a));
    files
}

#[allow(clippy::unnecessary_cast, reason = "the types of stat's fields vary by platform")]
fn written(stat: &Stat) -> (i64, i64) {
    (stat.st_mtime as i64, stat.st_mtime_nsec as i64)
}

fn is_name(name: &str) -> bool {
    let is_log = name.strip_suffix(".log").is_some_and(|rest| !rest.starts_with('.'));
    is_log || name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    #[test]
    fn the_newest_are_kept_and_what_is_not_ours_stays() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::at(dir.path().join("new"), 2);
        let name = |at: u8| format!("{at:064x}");
        assert_eq!((shelf.read(&name(1)), shelf.names()), (None, Vec::new()));
        shelf.write(&name(1), b"one");
        fs::write(dir.path().join("new/note"), "").unwrap();
        // A run that died while it wrote, and one that writes.
        fs::write(dir.path().join("new/.part-0"), "").unwrap();
        fs::write(dir.path().join("new/.part-1"), "").unwrap();
        let age = |file: &str, seconds: u64| {
            let file = File::options()
                .append(true)
                .open(dir.path().join("new").join(file))
                .unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(seconds))
                .unwrap();
        };
        age(&name(1), 100);
        age(".part-0", 4000);
        age(".part-1", 50);
        shelf.used(&name(1));
        shelf.write(&name(2), b"two");
        assert_eq!(shelf.read(&name(1)), Some(b"one".to_vec()));
        assert_eq!(shelf.names().len(), 2);
        age(&name(1), 100);
        shelf.write(&name(3), b"three");
        assert_eq!(shelf.names().len(), 2);
        assert_eq!(shelf.read(&name(1)), None);
        let left: Vec<_> = fs::read_dir(dir.path().join("new"))
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert!(
            left.len() == 4 && left.contains(&"note".into()) && left.contains(&".part-1".into()),
            "{left:?}"
        );
        // What was written last stays, whatever the clock says.
        let ahead = SystemTime::now() + Duration::from_secs(1000);
        for of in [2, 3] {
            shelf.file(&name(of)).unwrap().set_modified(ahead).unwrap();
        }
        shelf.write(&name(4), b"four");
        assert_eq!(shelf.read(&name(4)), Some(b"four".to_vec()));
        assert_eq!(shelf.names().len(), 2);
    }

    #[test]
    fn all_files_together_keep_within_their_room() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::at(dir.path().join("new"), 9).within(10);
        let name = |at: u8| format!("{at:064x}");
        let age = |at: u8, seconds: u64| {
            let file = File::options().append(true).open(dir.path().join("new").join(name(at)));
            file.unwrap()
                .set_modified(SystemTime::now() - Duration::from_secs(seconds))
                .unwrap();
        };
        for (at, bytes) in [(1, "four"), (2, "four"), (3, "two"), (4, "four")] {
            shelf.write(&name(at), bytes.as_bytes());
            age(at, 100 - u64::from(at));
        }
        assert_eq!(shelf.names(), [name(4), name(3)]);
        // What is written now stays, however big; what cannot be read to its end is not there.
        shelf.write(&name(5), &[0; 11]);
        assert_eq!(shelf.names(), [name(5)]);
        struct Fails;
        impl Read for Fails {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::InvalidData.into())
            }
        }
        shelf.copy(&name(6), &mut b"begun".chain(Fails));
        assert_eq!(shelf.names(), [name(5)]);
        assert_eq!(fs::read_dir(dir.path().join("new")).unwrap().count(), 1);
    }

    /// A shelf with one file, as a user has it, and its name.
    fn private() -> (tempfile::TempDir, Shelf, String) {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf {
            kind: Some("hashes".into()),
            ..Shelf::at(dir.path().join("cache/shipit"), 2)
        };
        let name = "0".repeat(64);
        shelf.write(&name, b"text");
        assert_eq!(shelf.read(&name), Some(b"text".to_vec()));
        (dir, shelf, name)
    }

    #[test]
    fn directories_that_others_can_write_to_or_that_are_links_are_not_used() {
        for at in ["cache/shipit", "cache/shipit/hashes"] {
            let (dir, shelf, name) = private();
            let at = dir.path().join(at);
            assert_eq!(fs::metadata(&at).unwrap().mode() & 0o777, 0o700);
            let unused = |why: &str| {
                shelf.write(&"1".repeat(64), b"");
                assert_eq!((shelf.read(&name), shelf.names()), (None, Vec::new()), "{why}");
            };
            for mode in [0o720, 0o702] {
                fs::set_permissions(&at, fs::Permissions::from_mode(mode)).unwrap();
                unused(&format!("{mode:o}"));
            }
            fs::set_permissions(&at, fs::Permissions::from_mode(0o755)).unwrap();
            assert_eq!(shelf.names(), [name.as_str()]);
            fs::rename(&at, dir.path().join("away")).unwrap();
            symlink(dir.path().join("away"), &at).unwrap();
            unused("a link");
        }
    }

    #[test]
    fn files_that_others_can_write_to_or_that_are_none_are_not_read() {
        let (dir, shelf, name) = private();
        let at = dir.path().join("cache/shipit/hashes").join(&name);
        fs::set_permissions(&at, fs::Permissions::from_mode(0o602)).unwrap();
        assert_eq!(shelf.read(&name), None);
        fs::set_permissions(&at, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(shelf.read(&name), Some(b"text".to_vec()));
        fs::rename(&at, dir.path().join("away")).unwrap();
        symlink(dir.path().join("away"), &at).unwrap();
        assert_eq!(shelf.read(&name), None, "a link");
        fs::remove_file(&at).unwrap();
        // Nobody writes to it: a plain open would wait for that.
        rustix::fs::mknodat(CWD, &at, FileType::Fifo, Mode::RWXU, 0).unwrap();
        shelf.used(&name);
        assert_eq!(shelf.read(&name), None, "a FIFO");
        shelf.write(&name, b"new");
        assert_eq!(shelf.read(&name), Some(b"new".to_vec()));
    }

    #[test]
    fn what_somebody_else_owns_is_not_private() {
        let file = tempfile::tempfile().unwrap();
        let (stat, user) = (fstat(&file).unwrap(), geteuid().as_raw());
        assert!(is_private(&stat, FileType::RegularFile, user));
        assert!(!is_private(&stat, FileType::RegularFile, user + 1));
    }

    #[test]
    fn many_writers_of_one_file_leave_one_of_their_texts() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::at(dir.path().to_owned(), 2);
        let name = "0".repeat(64);
        let text = |of: u8| vec![of; 100_000];
        std::thread::scope(|scope| {
            for of in 0..4 {
                let (shelf, name) = (&shelf, &name);
                scope.spawn(move || {
                    for _ in 0..20 {
                        shelf.write(name, &text(of));
                        let read = shelf.read(name).unwrap();
                        assert_eq!(read, text(read[0]));
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
