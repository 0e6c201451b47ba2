//! The hashes of a source that this machine remembers, so that files that nobody touched are not read again. A file is known
//! by its stat: device, inode, size, mode, and the times when it was written and when its inode changed last, to the
//! nanosecond. Only where these tell each change, and only on the file system of the source's own directory. A file that was
//! touched so late that the next change might not show in these is not remembered, as in git's
//! index. What was remembered wrongly cannot be sent: what is packed is hashed while it is sent.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::fstat;
use sha2::{Digest as _, Sha256};

use super::content::Content;
use super::file_system::is_local;
use super::tree::{Stamp, Tree};
use super::walk::{Found, Node};
use crate::cache::Shelf;
use crate::release::Digest;

/// Where hashes are remembered, and which of them count.
#[derive(Clone, Copy, Debug)]
pub struct Hashes<'a> {
    pub shelf: &'a Shelf,
    /// Whether every file is read, also those that nobody touched.
    pub read_all: bool,
    /// The time in which a file can change without a new time: some file systems count in twos of seconds.
    pub coarse: Duration,
}

impl<'a> Hashes<'a> {
    pub fn new(shelf: &'a Shelf) -> Self {
        Self {
            shelf,
            read_all: false,
            coarse: Duration::from_secs(2),
        }
    }
}

/// Another version may find in a file what this one does not, and so may one of this version that was built from other
/// rules: it reads all of them.
static HEAD: LazyLock<String> = LazyLock::new(|| head(&[include_bytes!("secrets.rs"), include_bytes!("content.rs")]));

fn head(rules: &[&[u8]]) -> String {
    let rules = Digest(Sha256::digest(rules.concat()).into());
    format!("shipit {} hashes 1 {rules}", env!("CARGO_PKG_VERSION"))
}

/// What is remembered of one source. After the head one record for each file, `HASH STAT PATH`, and at last the hash of all
/// before; each ends in NUL. A file that is cut or changed is as good as none.
pub(super) struct Remembered<'a> {
    hashes: Hashes<'a>,
    /// The device of the source's own directory.
    dev: u64,
    name: String,
    bytes: Vec<u8>,
}

impl<'a> Remembered<'a> {
    /// The memory of a directory that is open as this tree; `None` when there is none to have.
    pub(super) fn of(tree: &Tree, path: &Path, exclude: &[String], hashes: Hashes<'a>) -> Option<Self> {
        if !is_local(tree.root()) {
            return None;
        }
        let [dev, ..] = Stamp::of(&fstat(tree.root()).ok()?).numbers();
        // What is left out belongs to the name: two environments may ship one directory.
        let mut name = Sha256::new();
        name.update(std::fs::canonicalize(path).ok()?.as_os_str().as_bytes());
        for pattern in exclude {
            name.update([0]);
            name.update(pattern);
        }
        let name = Digest(name.finalize().into()).to_string();
        let bytes = hashes.shelf.read(&name).filter(|bytes| is_whole(bytes));
        Some(Self {
            hashes,
            dev,
            name,
            bytes: bytes.unwrap_or_default(),
        })
    }

    /// The hash of each file that is as it was when it was read, in the order of `found`.
    pub(super) fn known(&self, found: &[Found]) -> Vec<Option<[u8; 32]>> {
        if self.hashes.read_all {
            return Vec::new();
        }
        let records = self.bytes.split(|&byte| byte == 0);
        // The head and the last line have no space there.
        let records = records.filter_map(|record| {
            let (hash, rest) = record.split_at_checked(64)?;
            Some((rest.strip_prefix(b" ")?, hash))
        });
        let records: HashMap<&[u8], &[u8]> = records.collect();
        let known = |found: &Found| Some(Digest::parse(records.get(key(found, self.dev)?.as_slice())?)?.0);
        found.iter().map(known).collect()
    }

    /// Remembers what a look that began then has found; without a word where that fails.
    pub(super) fn renew(&self, found: &[Found], contents: &[Content], began: SystemTime) {
        let mut bytes = [HEAD.as_bytes(), &[0]].concat();
        let empty = bytes.len();
        for (found, content) in found.iter().zip(contents) {
            let lasts = content.is_plain() && is_settled(found, began, self.hashes.coarse);
            if let Some(key) = key(found, self.dev).filter(|_| lasts) {
                bytes.extend_from_slice(Digest(content.sha256).to_string().as_bytes());
                bytes.push(b' ');
                bytes.extend_from_slice(&key);
                bytes.push(0);
            }
        }
        if bytes.len() == empty {
            return self.hashes.shelf.remove(&self.name);
        }
        let sum = Digest(Sha256::digest(&bytes).into()).to_string();
        bytes.extend_from_slice(sum.as_bytes());
        bytes.push(0);
        if bytes == self.bytes {
            let _ = self.hashes.shelf.used(&self.name);
        } else {
            self.hashes.shelf.write(&self.name, &bytes);
        }
    }
}

/// The stat of a file and its path; `None` for what is none, or is on another file system than the source's directory.
fn key(found: &Found, root: u64) -> Option<Vec<u8>> {
    let [dev, ino, size] = found.stamp.numbers();
    let ((written, written_ns), (changed, changed_ns)) = (found.stamp.mtime(), found.ctime);
    let stat = format!(
        "{dev} {ino} {size} {:o} {written}.{written_ns:09} {changed}.{changed_ns:09} ",
        found.mode
    );
    (found.node == Node::File && dev == root).then(|| [stat.as_bytes(), &found.path].concat())
}

/// Whether a change after this moment has another time than the file had then. A time in the future never has: nothing
/// is known of the clock that set it.
fn is_settled(found: &Found, began: SystemTime, coarse: Duration) -> bool {
    let Some(last) = began
        .checked_sub(coarse)
        .and_then(|last| last.duration_since(UNIX_EPOCH).ok())
    else {
        return false;
    };
    let last = (
        i64::try_from(last.as_secs()).unwrap_or(0),
        i64::from(last.subsec_nanos()),
    );
    found.stamp.mtime().max(found.ctime) < last
}

/// Whether these are all bytes that this version has written.
fn is_whole(bytes: &[u8]) -> bool {
    let Some((body, sum)) = bytes.len().checked_sub(65).map(|at| bytes.split_at(at)) else {
        return false;
    };
    let head = body
        .strip_prefix(HEAD.as_bytes())
        .is_some_and(|rest| rest.starts_with(&[0]));
    head && sum.strip_suffix(&[0]).and_then(Digest::parse) == Some(Digest(Sha256::digest(body).into()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::exclude::Exclude;
    use super::super::problem::Problems;
    use super::super::walk::walk;
    use super::*;
    use crate::interrupt::Interrupts;

    #[test]
    fn only_files_of_a_file_system_that_tells_each_change_are_remembered() {
        let cache = tempfile::tempdir().unwrap();
        let shelf = Shelf::at(cache.path().to_owned(), 1);
        let source = tempfile::tempdir().unwrap();
        std::fs::write(source.path().join("a"), "a").unwrap();
        let of = |path: &Path| Remembered::of(&Tree::open(path).unwrap(), path, &[], Hashes::new(&shelf));
        assert!(of(Path::new("/proc")).is_none(), "its files change without a new time");
        let dev = of(source.path()).unwrap().dev;
        let found = walk(
            &Tree::open(source.path()).unwrap(),
            &Exclude::new::<&str>(&[]).unwrap(),
            &mut Problems::default(),
            &Interrupts::never().unwrap(),
        );
        assert!(key(&found[0], dev).is_some() && key(&found[0], dev + 1).is_none());
    }

    #[test]
    fn other_rules_have_another_head() {
        assert_ne!(head(&[b"rules", b"flags"]), head(&[b"rules", b"others"]));
        assert!(HEAD.len() > 64 && is_whole(&whole(&HEAD)) && !is_whole(&whole(&head(&[b"others"]))));
    }

    fn whole(head: &str) -> Vec<u8> {
        let body = format!("{head}\0");
        format!("{body}{}\0", Digest(Sha256::digest(&body).into())).into_bytes()
    }
}
