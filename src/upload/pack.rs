//! A scanned source as a compressed tar stream, of exactly the bytes that its manifest says, or an error
//! that names the file that changed. A thread reads and compresses while the reader sends; memory stays flat.
//!
//! The modification time of everything is the second in which the scan began: with one
//! time for every release, a file that changed without changing its length would keep its ETag and
//! Last-Modified (nginx makes both of mtime and size), and browsers would keep the old one. Times from the
//! source are no better: some build tools set them all to the same second. A host that extracts with
//! `tar --touch` puts its own time in their place, which serves the same end.

use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};

use sha2::{Digest as _, Sha256};

use super::chunks::{CHUNK, CHUNKS, Chunks};
use super::compress::Members;
use super::tar_write::{Member, Type, pad};
use crate::failure::{Exit, Failure, Next};
use crate::release::{Delta, Kind, Manifest, Way};
use crate::source::Scanned;
use crate::source::{Parents, Stamp, Tree, unchanged};
use crate::text;

/// The source changed since it was scanned: what was to be shipped is no longer there to be read. The inner error
/// of the [`io::Error`] that [`Pack::read`] returns.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} {}", text::shown(.path), .how.words())]
pub struct Changed {
    /// Which path, as in the manifest.
    pub path: Vec<u8>,
    pub how: How,
}

/// What tells that a file changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Its stat, or its length.
    Seen,
    /// Nothing but its content.
    Unseen,
}

impl How {
    fn words(self) -> &'static str {
        match self {
            Self::Seen => "changed while it was being packed",
            Self::Unseen => "has different content than when it was read, although its size and time are the same",
        }
    }
}

/// The stream. End of file comes only after the last byte of a whole archive; after an error every read fails.
#[derive(Debug)]
pub struct Pack {
    parts: Option<Receiver<Part>>,
    thread: Option<JoinHandle<()>>,
    chunk: io::Cursor<Vec<u8>>,
    consumed: Arc<AtomicU64>,
    ended: Option<Result<(), Broken>>,
}

#[derive(Debug)]
enum Part {
    Bytes(Vec<u8>),
    End(Result<(), Broken>),
}

impl From<Vec<u8>> for Part {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

/// Why the stream broke off; kept, to be said again.
#[derive(Clone, Debug)]
enum Broken {
    Changed(Changed),
    /// Reading failed: the path, the kind of error and its words.
    Read(Vec<u8>, io::ErrorKind, String),
    /// The packing thread went away without a word.
    Gone,
}

impl Scanned {
    /// Starts packing all of it. May be called again, for a second try.
    pub fn pack(&self) -> Pack {
        self.pack_delta(Delta::whole(&self.manifest))
    }

    /// Starts packing what travels: the files that are sent, every new directory and every symlink, and a hard link in
    /// the place of each file that the host copies from the base or from an upload that was cut.
    pub fn pack_delta(&self, delta: Delta) -> Pack {
        let (sender, parts) = sync_channel(CHUNKS);
        let consumed = Arc::new(AtomicU64::new(0));
        let job = Job {
            tree: Arc::clone(&self.tree),
            manifest: Arc::clone(&self.manifest),
            stamps: Arc::clone(&self.stamps),
            mtime: self.began,
            delta,
            consumed: Arc::clone(&consumed),
        };
        let thread = thread::Builder::new().name("pack".to_owned()).spawn(move || {
            let ended = job.write(Chunks::new(sender.clone()));
            // The reader may be gone: then nobody asks.
            let _ = sender.send(Part::End(ended));
        });
        let (thread, ended) = match thread {
            Ok(thread) => (Some(thread), None),
            Err(error) => (
                None,
                Some(Err(Broken::Read(Vec::new(), error.kind(), error.to_string()))),
            ),
        };
        Pack {
            parts: Some(parts),
            thread,
            chunk: io::Cursor::default(),
            consumed,
            ended,
        }
    }
}

impl Pack {
    /// Bytes of file content read so far; [`Delta::sent`] is where it ends. Goes on counting while the pack
    /// is read elsewhere. Ahead of what was handed out by what waits compressed: half a MiB at most.
    pub fn consumed(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.consumed)
    }

    /// The file that changed since the scan, when that is why the stream broke off: a new scan may help.
    pub fn changed(&self) -> Option<&Changed> {
        match self.ended.as_ref()? {
            Err(Broken::Changed(changed)) => Some(changed),
            _ => None,
        }
    }

    /// Why the stream broke off, once a read has failed.
    pub fn failure(&self) -> Option<Failure> {
        let failure = match self.ended.as_ref()?.as_ref().err()? {
            Broken::Changed(changed) => Failure::new(Exit::Untouched, changed.to_string())
                .why("a release must not mix old and new content")
                .next(Next::advice(
                    "wait until nothing is writing to the source, then deploy again",
                )),
            Broken::Read(path, _, words) => {
                Failure::new(Exit::Untouched, format!("{} cannot be read", text::shown(path))).why(words)
            }
            Broken::Gone => Failure::new(Exit::Untouched, "packing stopped unexpectedly"),
        };
        Some(failure)
    }
}

impl Read for Pack {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let n = self.chunk.read(buffer)?;
            if n > 0 || buffer.is_empty() {
                return Ok(n);
            }
            match &self.ended {
                Some(Ok(())) => return Ok(0),
                Some(Err(broken)) => return Err(broken.error()),
                None => {}
            }
            match self.parts.as_ref().map(Receiver::recv) {
                Some(Ok(Part::Bytes(bytes))) => self.chunk = io::Cursor::new(bytes),
                Some(Ok(Part::End(ended))) => self.ended = Some(ended),
                Some(Err(_)) | None => self.ended = Some(Err(Broken::Gone)),
            }
        }
    }
}

impl Drop for Pack {
    fn drop(&mut self) {
        // Without a receiver the thread's next send fails, and it ends.
        self.parts = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Broken {
    fn error(&self) -> io::Error {
        match self {
            Self::Changed(changed) => io::Error::other(changed.clone()),
            Self::Read(path, kind, text) => io::Error::new(*kind, format!("{}: {text}", text::shown(path))),
            Self::Gone => io::Error::from(io::ErrorKind::BrokenPipe),
        }
    }

    fn read(path: &[u8], error: &io::Error) -> Self {
        Self::Read(path.to_vec(), error.kind(), error.to_string())
    }
}

/// An error of the sink means that the reader is gone: what is said then is heard by nobody.
fn sink(error: io::Error) -> Broken {
    Broken::read(b"", &error)
}

/// What the packing thread works from.
struct Job {
    tree: Arc<Tree>,
    manifest: Arc<Manifest>,
    stamps: Arc<Vec<Stamp>>,
    mtime: u64,
    delta: Delta,
    consumed: Arc<AtomicU64>,
}

impl Job {
    fn write(&self, chunks: Chunks<Part>) -> Result<(), Broken> {
        let mut out = Members::new(chunks, self.delta.encoding, self.delta.sent).map_err(sink)?;
        if let Err(broken) = self.members(&mut out) {
            // A gzip encoder that is dropped writes the end of its stream: half a release must not look whole.
            if let Some(sink) = out.sink() {
                sink.abandoned = true;
            }
            return Err(broken);
        }
        out.finish().and_then(|mut chunks| chunks.flush()).map_err(sink)
    }

    /// Writes every member and the end of the archive.
    fn members(&self, out: &mut Members<Chunks<Part>>) -> Result<(), Broken> {
        let mut parents = Parents::new(&self.tree);
        let mut buffer = vec![0u8; 128 * 1024];
        let base = self.delta.base.as_deref().unwrap_or_default();
        let cut = self.delta.cut.as_deref().unwrap_or_default();
        let entries = self.manifest.entries().iter().zip(self.stamps.iter());
        for ((entry, stamp), way) in entries.zip(&self.delta.ways) {
            let path = &entry.path;
            let unread = |error: io::Error| Broken::read(path, &error);
            let changed = |how| {
                Broken::Changed(Changed {
                    path: path.clone(),
                    how,
                })
            };
            let member = |kind| Member {
                path,
                kind,
                mtime: self.mtime,
            };
            match (way, &entry.kind) {
                (Way::Same, _) => {}
                (Way::Copied(from), _) => {
                    let target = [b"../", base.as_bytes(), b"/", from].concat();
                    member(Type::HardLink(&target)).write(out).map_err(sink)?;
                }
                (Way::Arrived(from), _) => {
                    let target = [b"../", cut.as_bytes(), b"/", from].concat();
                    member(Type::HardLink(&target)).write(out).map_err(sink)?;
                }
                (Way::Patched { patch, .. }, _) => {
                    let size = patch.len() as u64;
                    out.file(size, patch).map_err(sink)?;
                    member(Type::File { size, exec: false }).write(out).map_err(sink)?;
                    for part in patch.chunks(CHUNK) {
                        out.write_all(part).map_err(sink)?;
                        self.consumed.fetch_add(part.len() as u64, Ordering::Relaxed);
                    }
                    pad(out, size).map_err(sink)?;
                }
                (Way::Sent, Kind::Dir) => member(Type::Dir).write(out).map_err(sink)?,
                (Way::Sent, Kind::Link { target }) => {
                    if parents.link(path).map_err(unread)?.as_ref() != Some(target) {
                        return Err(changed(How::Seen));
                    }
                    member(Type::Link(target)).write(out).map_err(sink)?;
                }
                (Way::Sent, &Kind::File { size, sha256, exec }) => {
                    let file = parents.file(path, stamp).map_err(unread)?;
                    let mut file = file.ok_or_else(|| changed(How::Seen))?;
                    let first = read(&mut file, &mut buffer).map_err(unread)?;
                    out.file(size, &buffer[..first]).map_err(sink)?;
                    member(Type::File { size, exec }).write(out).map_err(sink)?;
                    let read = self.content(out, &mut file, (path, size), &mut buffer, first)?;
                    if read.is_none() || !unchanged(&file, stamp).map_err(unread)? {
                        return Err(changed(How::Seen));
                    }
                    if read != Some(sha256) {
                        return Err(changed(How::Unseen));
                    }
                }
            }
        }
        out.write_all(&[0; 1024]).map_err(sink)
    }

    /// Writes exactly `size` bytes of content, the first of which are in the buffer, and says their hash; `None` when there are fewer, or more.
    fn content(
        &self,
        out: &mut impl Write,
        file: &mut File,
        (path, size): (&[u8], u64),
        buffer: &mut [u8],
        first: usize,
    ) -> Result<Option<[u8; 32]>, Broken> {
        let mut hash = Sha256::new();
        let mut left = size;
        let mut n = first;
        loop {
            if n == 0 && left == 0 {
                break;
            }
            if n == 0 || n as u64 > left {
                return Ok(None);
            }
            hash.update(&buffer[..n]);
            out.write_all(&buffer[..n]).map_err(sink)?;
            left -= n as u64;
            self.consumed.fetch_add(n as u64, Ordering::Relaxed);
            n = read(file, buffer).map_err(|error| Broken::read(path, &error))?;
        }
        pad(out, size).map_err(sink)?;
        Ok(Some(hash.finalize().into()))
    }
}

/// Reads what comes next; nothing at the end.
fn read(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}
