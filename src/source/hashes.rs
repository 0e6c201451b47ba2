//! The hashes of a source that this machine remembers, so that files that nobody touched are not read again. A file is known
//! by its stat: device, inode, size, mode, and the times when it was written and when its inode changed last, to the
//! nanosecond. A file that was touched so late that the next change might not show in these is not remembered, as in git's
//! index. What was remembered wrongly cannot be sent: what is packed is hashed while it is sent.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest as _, Sha256};

use super::content::Content;
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

/// Another version may find in a file what this one does not: it reads all of them.
const HEAD: &str = concat!("shipit ", env!("CARGO_PKG_VERSION"), " hashes 1");

/// What is remembered of one source. After the head one record for each file, `HASH STAT PATH`, and at last the hash of all
/// before; each ends in NUL. A file that is cut or changed is as good as none.
pub(super) struct Remembered<'a> {
    hashes: Hashes<'a>,
    name: String,
    bytes: Vec<u8>,
}

impl<'a> Remembered<'a> {
    /// The memory of a directory; `None` when there is none to have.
    pub(super) fn of(path: &Path, exclude: &[String], hashes: Hashes<'a>) -> Option<Self> {
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
        let known = |found: &Found| Some(Digest::parse(records.get(key(found)?.as_slice())?)?.0);
        found.iter().map(known).collect()
    }

    /// Remembers what a look that began then has found; without a word where that fails.
    pub(super) fn renew(&self, found: &[Found], contents: &[Content], began: SystemTime) {
        let mut bytes = [HEAD.as_bytes(), &[0]].concat();
        let head = bytes.len();
        for (found, content) in found.iter().zip(contents) {
            if let Some(key) = key(found).filter(|_| content.is_plain() && is_settled(found, began, self.hashes.coarse))
            {
                bytes.extend_from_slice(Digest(content.sha256).to_string().as_bytes());
                bytes.push(b' ');
                bytes.extend_from_slice(&key);
                bytes.push(0);
            }
        }
        if bytes.len() == head {
            return self.hashes.shelf.remove(&self.name);
        }
        let sum = Digest(Sha256::digest(&bytes).into()).to_string();
        bytes.extend_from_slice(sum.as_bytes());
        bytes.push(0);
        if bytes == self.bytes {
            self.hashes.shelf.used(&self.name);
        } else {
            self.hashes.shelf.write(&self.name, &bytes);
        }
    }
}

/// The stat of a file and its path; `None` for what is none.
fn key(found: &Found) -> Option<Vec<u8>> {
    let [dev, ino, size] = found.stamp.numbers();
    let ((written, written_ns), (changed, changed_ns)) = (found.stamp.mtime(), found.ctime);
    let stat = format!(
        "{dev} {ino} {size} {:o} {written}.{written_ns:09} {changed}.{changed_ns:09} ",
        found.mode
    );
    (found.node == Node::File).then(|| [stat.as_bytes(), &found.path].concat())
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
