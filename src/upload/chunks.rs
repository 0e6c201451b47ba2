//! The compressed stream on its way to the thread that sends it: in chunks, of which only a few wait. Measures how long
//! the compression had to wait for that; decides nothing by it.

use std::io::{self, Write};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::{Duration, Instant};

use super::compress::Sink;

/// Compressed bytes that wait for the reader: this many chunks of [`CHUNK`].
pub(super) const CHUNKS: usize = 8;
pub(super) const CHUNK: usize = 64 * 1024;

/// Collects what the compressor writes into chunks, and waits while the reader has enough of them.
pub(super) struct Chunks<P> {
    sender: SyncSender<P>,
    chunk: Vec<u8>,
    pub(super) abandoned: bool,
    /// Chunks since then, and how long they had to wait.
    since: Instant,
    handed: usize,
    waited: Duration,
}

impl<P> Chunks<P> {
    pub(super) fn new(sender: SyncSender<P>) -> Self {
        Self {
            sender,
            chunk: Vec::with_capacity(CHUNK),
            abandoned: false,
            since: Instant::now(),
            handed: 0,
            waited: Duration::ZERO,
        }
    }
}

impl<P: From<Vec<u8>>> Write for Chunks<P> {
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
        self.handed += 1;
        let sent = match self.sender.try_send(chunk.into()) {
            Err(TrySendError::Full(chunk)) => {
                let began = Instant::now();
                let sent = self.sender.send(chunk);
                self.waited += began.elapsed();
                sent.is_ok()
            }
            sent => sent.is_ok(),
        };
        if sent {
            Ok(())
        } else {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }
}

impl<P: From<Vec<u8>>> Sink for Chunks<P> {
    /// The first chunks never wait, however slow the connection is.
    fn busy(&mut self) -> Option<f64> {
        if self.handed < 2 * CHUNKS {
            return None;
        }
        let (waited, all) = (self.waited.as_secs_f64(), self.since.elapsed().as_secs_f64());
        (self.handed, self.since, self.waited) = (0, Instant::now(), Duration::ZERO);
        Some(1.0 - waited / all.max(f64::MIN_POSITIVE))
    }
}
