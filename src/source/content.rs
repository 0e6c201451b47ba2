//! What is in the files of a source: their hashes, and what has to be refused or told. Judges nothing.

use std::fs::File;
use std::io::{self, Read};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use sha2::{Digest as _, Sha256};

use super::problem::{Problems, Refusal};
use super::secrets::Key;
use super::tree::{Parents, Tree, unchanged};
use super::walk::{Found, Node};
use crate::interrupt::Interrupts;

/// How many files are read at a time: one on each processor, up to this many.
const THREADS: usize = 16;
/// How a pointer of Git LFS begins.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";

/// What reading a file tells. Empty for everything else.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Content {
    pub(super) sha256: [u8; 32],
    pub(super) capable: bool,
    pub(super) key: Key,
    /// Git LFS has left a pointer in place of the file.
    pub(super) pointer: bool,
}

impl Content {
    /// Whether it tells nothing but its hash.
    pub(super) fn is_plain(&self) -> bool {
        !self.capable && !self.pointer && self.key == Key::None
    }
}

/// Reads every file but those whose hash is known, on [`THREADS`] threads; one [`Content`] for each path, in their order.
/// Of no use once an interrupt came: then what was not read yet stays empty.
pub(super) fn read_all(
    tree: &Tree,
    found: &[Found],
    known: &[Option<[u8; 32]>],
    problems: &mut Problems,
    interrupts: &Interrupts,
) -> Vec<Content> {
    let known = |at: usize| known.get(at).copied().flatten();
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        let mut problems = Problems::default();
        let mut parents = Parents::new(tree);
        let mut buffer = vec![0u8; 128 * 1024];
        loop {
            // A run of neighbours, so that they share the directory that is open.
            let start = next.fetch_add(64, Ordering::Relaxed);
            if start >= found.len() || interrupts.came() {
                return (done, problems);
            }
            for (at, one) in found.iter().enumerate().skip(start).take(64) {
                if one.node != Node::File {
                    continue;
                }
                if let Some(sha256) = known(at) {
                    let content = Content {
                        sha256,
                        ..Content::default()
                    };
                    done.push((at, content));
                    continue;
                }
                match hash(&mut parents, one, &mut buffer, interrupts) {
                    Ok(Some(content)) => done.push((at, content)),
                    Ok(None) => problems.add(&one.path, Refusal::Changed),
                    Err(error) => problems.add(&one.path, Refusal::Unreadable(error)),
                }
            }
        }
    };
    let mut contents = vec![Content::default(); found.len()];
    let threads = thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, THREADS));
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        for worker in workers {
            let (done, found_wrong) = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            problems.append(found_wrong);
            for (at, content) in done {
                contents[at] = content;
            }
        }
    });
    contents
}

/// Reads one file; `None` when it is not what the walk saw, or changes meanwhile.
fn hash(
    parents: &mut Parents<'_>,
    found: &Found,
    buffer: &mut [u8],
    interrupts: &Interrupts,
) -> io::Result<Option<Content>> {
    let Some(mut file) = parents.file(&found.path, &found.stamp)? else {
        return Ok(None);
    };
    let mut hash = Sha256::new();
    let (mut size, mut key, mut pointer) = (0u64, Key::None, false);
    loop {
        match file.read(buffer) {
            Ok(0) => break,
            Ok(n) => {
                if size == 0 {
                    key = Key::of(&buffer[..n]);
                }
                hash.update(&buffer[..n]);
                // A pointer is smaller than 1024 bytes (Git LFS specification), so that one read has its beginning.
                pointer |= size == 0 && found.stamp.size() < 1024 && buffer[..n].starts_with(POINTER);
                size += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if size > found.stamp.size() || interrupts.came() {
            return Ok(None);
        }
    }
    if size != found.stamp.size() || !unchanged(&file, &found.stamp)? {
        return Ok(None);
    }
    Ok(Some(Content {
        sha256: hash.finalize().into(),
        capable: capable(&file),
        key,
        pointer,
    }))
}

/// Whether a file has Linux capabilities. Where that cannot be asked, there are none to lose.
fn capable(file: &File) -> bool {
    rustix::fs::fgetxattr(file, "security.capability", &mut [0u8; 64][..]).is_ok_and(|bytes| bytes > 0)
}
