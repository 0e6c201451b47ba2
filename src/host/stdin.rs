//! What goes to a command's stdin: read from its source in pieces. Sends nothing itself.

use std::cell::{Cell, RefCell};
use std::io::{self, Read};
use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The size of a piece, in bytes: two full packets of libssh2, which must not be fed crumbs (142 MB/s measured with
/// 4 kB pieces, 360 with these).
pub const PIECE: usize = 2 * 32_700;

/// A source that may have nothing for a while, such as a keyboard or a pipe: it is read only when it has something, so
/// that the connection is never left alone.
pub struct Live<'a> {
    /// What goes before it and is not sent yet.
    first: RefCell<Vec<u8>>,
    /// `None`: nothing follows.
    source: Option<BorrowedFd<'a>>,
    /// Nothing is read before this.
    open: Cell<bool>,
}

impl<'a> Live<'a> {
    /// Closed: see [`Self::open`].
    pub fn new(first: Vec<u8>, source: Option<BorrowedFd<'a>>) -> Self {
        Self {
            first: RefCell::new(first),
            source,
            open: Cell::new(false),
        }
    }

    /// From now on it is read.
    pub fn open(&self) {
        self.open.set(true);
    }

    /// Whether a read gets something, or the end, at once.
    fn is_ready(&self) -> bool {
        self.open.get() && (self.source.is_none() || !self.first.borrow().is_empty())
    }

    /// What becomes readable when there is more.
    fn wake(&self) -> Option<BorrowedFd<'_>> {
        self.source.filter(|_| self.open.get())
    }

    /// Reads from it without waiting.
    pub fn reader(&self) -> impl Read {
        struct Reader<'r>(&'r Live<'r>);
        impl Read for Reader<'_> {
            fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
                if !self.0.open.get() {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                let first = &mut *self.0.first.borrow_mut();
                if !first.is_empty() {
                    let n = first.as_slice().read(to)?;
                    first.drain(..n);
                    return Ok(n);
                }
                let Some(source) = self.0.source else {
                    return Ok(0);
                };
                let mut fds = [PollFd::from_borrowed_fd(source, PollFlags::IN)];
                match poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
                    Ok(0) | Err(rustix::io::Errno::INTR) => Err(io::ErrorKind::WouldBlock.into()),
                    Ok(_) => Ok(rustix::io::read(source, to)?),
                    Err(e) => Err(e.into()),
                }
            }
        }
        Reader(self)
    }
}

pub struct Stdin<'a> {
    /// `None` at its end.
    source: Option<&'a mut dyn Read>,
    piece: Vec<u8>,
    /// How much of the piece was sent.
    at: usize,
    pub sent: u64,
    live: Option<&'a Live<'a>>,
}

impl<'a> Stdin<'a> {
    pub fn new(source: Option<&'a mut dyn Read>, live: Option<&'a Live<'a>>) -> Self {
        Self {
            source,
            piece: Vec::new(),
            at: 0,
            sent: 0,
            live,
        }
    }

    /// What becomes readable when there is more to send, if that is what it waits for.
    pub fn wake(&self) -> Option<BorrowedFd<'_>> {
        self.live.filter(|_| self.waits()).and_then(Live::wake)
    }

    /// Whether it waits for its source.
    pub fn waits(&self) -> bool {
        let dry = self.source.is_some() && self.at == self.piece.len();
        dry && self.live.is_some_and(|live| !live.is_ready())
    }

    /// The bytes to send next, the same ones until they were [`Self::advance`]d over; none at the end, or when the source
    /// has nothing now.
    pub fn peek(&mut self) -> io::Result<&[u8]> {
        if let (Some(source), true) = (&mut self.source, self.at == self.piece.len()) {
            self.piece.clear();
            self.at = 0;
            match source.take(PIECE as u64).read_to_end(&mut self.piece) {
                Ok(n) if n < PIECE => self.source = None,
                Err(e) if e.kind() != io::ErrorKind::WouldBlock => return Err(e),
                // What was read before that is in the piece.
                Ok(_) | Err(_) => {}
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
