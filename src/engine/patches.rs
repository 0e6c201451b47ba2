//! Copies of big files that were sent, kept on this machine, and the patches that are made from them when a file changes.
//! Without a copy a file travels whole; a copy that is not what its name says is removed.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use super::base::Found;
use crate::cache::Shelf;
use crate::interrupt::Interrupts;
use crate::observed::Observed;
use crate::release::{Delta, Digest, Kind, PATCHABLE, Way};
use crate::source::Scanned;
use crate::upload;

/// How many are kept, and the bytes of all.
const KEPT: usize = 64;
const ROOM: u64 = 512 << 20;
/// Bytes of all patches of one upload: they wait in memory.
const MOST: usize = 64 << 20;
/// After so long no further patch is begun: the connection is idle meanwhile.
const LONGEST: Duration = Duration::from_secs(4);
/// How long the end of a run waits for copies.
const PATIENCE: Duration = Duration::from_secs(5);

fn shelf() -> Option<Shelf> {
    Some(Shelf::of_user("files", KEPT)?.within(ROOM))
}

/// The delta, with patches in the place of files whose old content is remembered here, as far as they are smaller. On the
/// host at most half of the memory that is available is used. None after an upload that was cut: a patch that the host has
/// no memory for may have been the reason.
pub fn patch(
    mut delta: Delta,
    found: Option<&Found>,
    scanned: &Scanned,
    observed: &Observed,
    interrupts: &Interrupts,
) -> Delta {
    let (Some(found), Some(kb), Some(shelf), []) = (found, observed.patch_kb, shelf(), &observed.uploads[..]) else {
        return delta;
    };
    let mut pairs = delta.pairs(&found.base, &scanned.manifest);
    pairs.retain(|pair| pair.memory / 1024 <= kb / 2);
    pairs.sort_by_key(|pair| (std::cmp::Reverse(pair.memory), pair.old));
    let (began, mut left) = (Instant::now(), MOST);
    // Several new files may come from one.
    let mut read: ([u8; 32], Option<Vec<u8>>) = Default::default();
    for pair in pairs {
        if began.elapsed() > LONGEST || interrupts.came() {
            break;
        }
        if read.0 != pair.old {
            read = (pair.old, copy_of(&shelf, pair.old));
        }
        let mut new = Vec::new();
        // What changed meanwhile is found when it is packed.
        let content = scanned.content(pair.at).filter(|_| read.1.is_some());
        let whole = content.is_some_and(|mut content| content.read_to_end(&mut new).is_ok());
        if let Some(old) = read.1.as_ref().filter(|_| whole)
            && let Some(patch) = upload::patch(old, &new)
            && patch.len() <= left
        {
            left -= patch.len();
            delta.patch(pair, patch, &scanned.manifest);
        }
    }
    delta
}

/// What is remembered with this sha256.
fn copy_of(shelf: &Shelf, sha256: [u8; 32]) -> Option<Vec<u8>> {
    let name = Digest(sha256).to_string();
    let copy = shelf.read(&name);
    let copy = copy.filter(|bytes| <[u8; 32]>::from(Sha256::digest(bytes)) == sha256);
    if copy.is_none() {
        shelf.remove(&name);
    }
    copy
}

/// The big files that will be copied once they are on the host.
pub struct Uncopied {
    scanned: Scanned,
    /// Their places in the manifest, and their names here.
    files: Vec<(usize, String)>,
}

/// The copying, beside the deploy. Waited for when it is dropped, but not long.
pub struct Copying {
    ended: Receiver<()>,
    stop: Arc<AtomicBool>,
    interrupts: Interrupts,
}

/// What is not remembered yet: all that this delta sends, and of the rest as much as there is room for beside it. `None` if
/// that is nothing, or if the host cannot take patches.
pub fn uncopied(scanned: &Scanned, delta: &Delta, observed: &Observed) -> Option<Uncopied> {
    observed.patch_kb?;
    let shelf = shelf()?;
    let (mut left, mut count) = (ROOM, KEPT);
    let mut take = |size: u64| {
        let fits = size <= left && count > 0;
        if fits {
            left -= size;
            count -= 1;
        }
        fits
    };
    let (mut sent, mut rest) = (Vec::new(), Vec::new());
    for (at, (entry, way)) in scanned.manifest.entries().iter().zip(&delta.ways).enumerate() {
        let Kind::File { size, sha256, .. } = entry.kind else {
            continue;
        };
        if PATCHABLE.contains(&size) {
            let file = (at, Digest(sha256).to_string(), size);
            let is_sent = matches!(way, Way::Sent | Way::Patched { .. } | Way::Arrived(_));
            if is_sent { &mut sent } else { &mut rest }.push(file);
        }
    }
    let mut files = Vec::new();
    for (at, name, size) in sent {
        if take(size) && !shelf.used(&name) {
            files.push((at, name));
        }
    }
    // What is known needs no copy, and its room is taken.
    rest.retain(|(_, name, size)| !shelf.used(name) || !take(*size));
    for (at, name, size) in rest {
        if take(size) {
            files.push((at, name));
        }
    }
    let scanned = scanned.clone();
    (!files.is_empty()).then_some(Uncopied { scanned, files })
}

impl Uncopied {
    /// Copies them in a thread of its own.
    pub fn copy(self, interrupts: &Interrupts) -> Copying {
        let (end, ended) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let copy = move || {
            for (at, name) in self.files {
                if let (Some(shelf), Some(content)) = (shelf(), self.scanned.content(at)) {
                    let mut content = Until(content, &stopped);
                    shelf.copy(&name, &mut content);
                }
            }
            drop(end);
        };
        // Without a thread, `ended` ends at once.
        let _ = thread::Builder::new().name("copies".into()).spawn(copy);
        let interrupts = interrupts.clone();
        Copying {
            ended,
            stop,
            interrupts,
        }
    }
}

/// Reads until it is told to stop.
struct Until<'a, R>(R, &'a AtomicBool);

impl<R: Read> Read for Until<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.1.load(Ordering::Relaxed) {
            true => Err(io::ErrorKind::TimedOut.into()),
            false => self.0.read(buffer),
        }
    }
}

impl Drop for Copying {
    fn drop(&mut self) {
        // A source that hangs does not hold the run.
        let began = Instant::now();
        while began.elapsed() < PATIENCE && !self.interrupts.came() {
            if self.ended.recv_timeout(Duration::from_millis(50)) != Err(RecvTimeoutError::Timeout) {
                break;
            }
        }
        self.stop.store(true, Ordering::Relaxed);
    }
}
