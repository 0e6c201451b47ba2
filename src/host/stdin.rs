//! What goes to a command's stdin: read from its source in pieces. Sends nothing itself.

use std::io::{self, Read};

/// The size of a piece, in bytes: two full packets of libssh2, which must not be fed crumbs (142 MB/s measured with
/// 4 kB pieces, 360 with these).
pub const PIECE: usize = 2 * 32_700;

pub struct Stdin<'a> {
    /// `None` at its end.
    source: Option<&'a mut dyn Read>,
    piece: Vec<u8>,
    /// How much of the piece was sent.
    at: usize,
    /// Bytes sent so far.
    pub sent: u64,
}

impl<'a> Stdin<'a> {
    pub fn new(source: Option<&'a mut dyn Read>) -> Self {
        Self {
            source,
            piece: Vec::new(),
            at: 0,
            sent: 0,
        }
    }

    /// The bytes to send next, the same ones until they were [`Self::advance`]d over; none at the end.
    ///
    /// # Errors
    /// The source's.
    pub fn next(&mut self) -> io::Result<&[u8]> {
        if let (Some(source), true) = (&mut self.source, self.at == self.piece.len()) {
            self.piece.clear();
            self.at = 0;
            let n = source.take(PIECE as u64).read_to_end(&mut self.piece)?;
            if n < PIECE {
                self.source = None;
            }
        }
        Ok(&self.piece[self.at..])
    }

    pub fn advance(&mut self, n: usize) {
        self.at += n;
        self.sent += n as u64;
    }

    /// Everything was sent.
    pub fn ended(&self) -> bool {
        self.source.is_none() && self.at == self.piece.len()
    }
}
