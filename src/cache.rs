//! What this machine remembers from one run to the next: files below `$XDG_CACHE_HOME/shipit` or `~/.cache/shipit`, of each
//! kind the newest few. All may be removed at any time, and a failure here is as good as an empty cache. What is in them,
//! and when it is believed, is decided elsewhere.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::SystemTime;

/// The most bytes that one file may have.
const LONGEST: u64 = 256 << 20;
/// How the name of a file begins while it is written.
const PART: &str = ".part-";

/// The files of one kind, each named by 64 hexadecimal digits.
#[derive(Clone, Debug)]
pub struct Shelf {
    dir: PathBuf,
    kept: usize,
}

impl Shelf {
    /// The user's own, of this kind; `None` for a user without a home.
    pub fn of_user(kind: &str, kept: usize) -> Option<Self> {
        let absolute = |name: &str| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
        Some(Self::at(cache.join("shipit").join(kind), kept))
    }

    /// In this directory, which need not exist yet; `kept` files of it survive a write.
    pub fn at(dir: PathBuf, kept: usize) -> Self {
        Self { dir, kept }
    }

    /// The names, the one that was written or used last first.
    pub fn names(&self) -> Vec<String> {
        self.files().into_iter().filter(|name| is_name(name)).collect()
    }

    /// The bytes of a file; `None` where there is none that can be read.
    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = File::open(self.dir.join(name)).ok()?;
        file.take(LONGEST + 1).read_to_end(&mut bytes).ok()?;
        (bytes.len() as u64 <= LONGEST).then_some(bytes)
    }

    /// Writes a file as a whole, or not at all: a reader never has a part of it, however many write it at once. Then removes
    /// all but the newest ones.
    pub fn write(&self, name: &str, bytes: &[u8]) {
        let _ = self.put(name, bytes);
        for old in self.files().into_iter().skip(self.kept) {
            self.remove(&old);
        }
    }

    /// Counts a file as the newest.
    pub fn used(&self, name: &str) {
        let opened = OpenOptions::new().append(true).open(self.dir.join(name));
        let _ = opened.and_then(|file| file.set_modified(SystemTime::now()));
    }

    pub fn remove(&self, name: &str) {
        let _ = fs::remove_file(self.dir.join(name));
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Option<()> {
        if bytes.len() as u64 > LONGEST {
            return None;
        }
        fs::create_dir_all(&self.dir).ok()?;
        let mut random = [0u8; 8];
        getrandom::fill(&mut random).ok()?;
        let part = format!("{PART}{:016x}", u64::from_ne_bytes(random));
        // Names and hashes of what may be private.
        let mut new = OpenOptions::new();
        let mut file = new
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.dir.join(&part))
            .ok()?;
        let written = file
            .write_all(bytes)
            .and_then(|()| fs::rename(self.dir.join(&part), self.dir.join(name)));
        if written.is_err() {
            self.remove(&part);
        }
        written.ok()
    }

    /// What is ours in the directory, the newest first.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let of = |entry: fs::DirEntry| {
            let name = entry.file_name().into_string().ok()?;
            let ours = is_name(&name) || name.starts_with(PART);
            Some((entry.metadata().ok()?.modified().ok()?, name)).filter(|_| ours)
        };
        let mut files: Vec<_> = entries.filter_map(of).collect();
        files.sort_by(|a, b| b.cmp(a));
        files.into_iter().map(|(_, name)| name).collect()
    }
}

fn is_name(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn the_newest_are_kept_and_what_is_not_ours_stays() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::at(dir.path().join("new"), 2);
        let name = |at: u8| format!("{at:064x}");
        assert_eq!((shelf.read(&name(1)), shelf.names()), (None, Vec::new()));
        shelf.write(&name(1), b"one");
        fs::write(dir.path().join("new/note"), "").unwrap();
        // A run that died while it wrote.
        fs::write(dir.path().join("new/.part-0"), "").unwrap();
        let age = |file: &str, seconds: u64| {
            let file = File::options()
                .append(true)
                .open(dir.path().join("new").join(file))
                .unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(seconds))
                .unwrap();
        };
        age(&name(1), 100);
        age(".part-0", 50);
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
        assert!(left.len() == 3 && left.contains(&"note".into()), "{left:?}");
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
