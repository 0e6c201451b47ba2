//! A scanned source as a gzip-compressed tar stream, of exactly the bytes that its manifest says, or an error
//! that names the file that changed. A thread reads and compresses while the reader sends; memory stays flat.
//!
//! The modification time of everything is the second in which the scan began: with one
//! time for every release, a file that changed without changing its length would keep its ETag and
//! Last-Modified (nginx makes both of mtime and size), and browsers would keep the old one. Times from the
//! source are no better: some build tools set them all to the same second. A host that extracts with
//! `tar --touch` puts its own time in their place, which serves the same end.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

use super::tar_write::{Member, Type, pad};
use crate::failure::{Exit, Failure, Next};
use crate::release::{Kind, Manifest};
use crate::source::Scanned;
use crate::source::{Parents, Stamp, Tree, unchanged};
use crate::text;

/// Compressed bytes that wait for the reader: this many chunks of [`CHUNK`].
const CHUNKS: usize = 8;
const CHUNK: usize = 64 * 1024;

/// The source changed since it was scanned: what was to be shipped is no longer there to be read. The inner error
/// of the [`io::Error`] that [`Pack::read`] returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Which path, as in the manifest.
    pub path: Vec<u8>,
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} changed while it was packed", text::shown(&self.path))
    }
}

impl std::error::Error for Changed {}

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
    /// Starts packing. May be called again, for a second try.
    #[must_use]
    pub fn pack(&self) -> Pack {
        let (sender, parts) = sync_channel(CHUNKS);
        let consumed = Arc::new(AtomicU64::new(0));
        let job = Job {
            tree: Arc::clone(&self.tree),
            manifest: Arc::clone(&self.manifest),
            stamps: Arc::clone(&self.stamps),
            mtime: self.began,
            consumed: Arc::clone(&consumed),
        };
        let thread = thread::Builder::new().name("pack".to_owned()).spawn(move || {
            let chunks = Chunks {
                sender: sender.clone(),
                chunk: Vec::with_capacity(CHUNK),
                abandoned: false,
            };
            let ended = job.write(chunks);
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
    /// Bytes of file content read so far; [`Manifest::bytes`] is where it ends. Goes on counting while the pack
    /// is read elsewhere. Ahead of what was handed out by what waits compressed: half a MiB at most.
    #[must_use]
    pub fn consumed(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.consumed)
    }

    /// The file that changed since the scan, when that is why the stream broke off: a new scan may help.
    #[must_use]
    pub fn changed(&self) -> Option<&Changed> {
        match self.ended.as_ref()? {
            Err(Broken::Changed(changed)) => Some(changed),
            _ => None,
        }
    }

    /// Why the stream broke off, once a read has failed.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        let failure = match self.ended.as_ref()?.as_ref().err()? {
            Broken::Changed(changed) => Failure::new(Exit::Untouched, changed.to_string())
                .why("a release must not mix old and new content")
                .next(Next::advice(
                    "wait until nothing writes to the source, then deploy again",
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

/// Collects what the compressor writes into chunks, and waits while the reader has enough of them.
struct Chunks {
    sender: SyncSender<Part>,
    chunk: Vec<u8>,
    abandoned: bool,
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.abandoned {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let n = bytes.len().min(CHUNK - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..n]);
        if self.chunk.len() == CHUNK {
            self.flush()?;
        }
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK));
        self.sender
            .send(Part::Bytes(chunk))
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// What the packing thread works from.
struct Job {
    tree: Arc<Tree>,
    manifest: Arc<Manifest>,
    stamps: Arc<Vec<Stamp>>,
    mtime: u64,
    consumed: Arc<AtomicU64>,
}

impl Job {
    fn write(&self, chunks: Chunks) -> Result<(), Broken> {
        let mut out = GzEncoder::new(chunks, Compression::new(6));
        if let Err(broken) = self.members(&mut out) {
            // An encoder that is dropped writes the end of a gzip stream: half a release must not look whole.
            out.get_mut().abandoned = true;
            return Err(broken);
        }
        out.finish().and_then(|mut chunks| chunks.flush()).map_err(sink)
    }

    /// Writes every member and the end of the archive.
    fn members(&self, out: &mut impl Write) -> Result<(), Broken> {
        let mut parents = Parents::new(&self.tree);
        let mut buffer = vec![0u8; 128 * 1024];
        for (entry, stamp) in self.manifest.entries().iter().zip(self.stamps.iter()) {
            let path = &entry.path;
            let unread = |error: io::Error| Broken::read(path, &error);
            let changed = || Broken::Changed(Changed { path: path.clone() });
            let member = |kind| Member {
                path,
                kind,
                mtime: self.mtime,
            };
            match &entry.kind {
                Kind::Dir => member(Type::Dir).write(out).map_err(sink)?,
                Kind::Link { target } => {
                    if parents.link(path).map_err(unread)?.as_ref() != Some(target) {
                        return Err(changed());
                    }
                    member(Type::Link(target)).write(out).map_err(sink)?;
                }
                &Kind::File { size, sha256, exec } => {
                    let file = parents.file(path, stamp).map_err(unread)?;
                    let mut file = file.ok_or_else(changed)?;
                    member(Type::File { size, exec }).write(out).map_err(sink)?;
                    let read = self.content(out, &mut file, path, size, &mut buffer)?;
                    if read != Some(sha256) || !unchanged(&file, stamp).map_err(unread)? {
                        return Err(changed());
                    }
                }
            }
        }
        out.write_all(&[0; 1024]).map_err(sink)
    }

    /// Writes exactly `size` bytes of content and says their hash; `None` when there are fewer, or more.
    fn content(
        &self,
        out: &mut impl Write,
        file: &mut File,
        path: &[u8],
        size: u64,
        buffer: &mut [u8],
    ) -> Result<Option<[u8; 32]>, Broken> {
        let mut hash = Sha256::new();
        let mut left = size;
        loop {
            let n = match file.read(buffer) {
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Broken::read(path, &error)),
            };
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
        }
        pad(out, size).map_err(sink)?;
        Ok(Some(hash.finalize().into()))
    }
}
