//! The user's terminal while a command on the host has one: every key goes there, and so does each new size. Decides
//! nothing about the command.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use signal_hook::SigId;
use signal_hook::consts::SIGWINCH;

/// Why a command ends whose user is gone.
pub const GONE: &str = "the terminal was closed";

/// The terminal on stdin. Dropping it gives the terminal its settings back.
pub struct Terminal {
    /// Its name in terminfo, such as `xterm-256color`.
    pub kind: String,
    before: Option<Termios>,
    resized: UnixStream,
    handler: SigId,
}

impl Terminal {
    /// Fails when stdin is no terminal, or no handler can be set.
    pub fn open() -> io::Result<Self> {
        let (resized, sender) = UnixStream::pair()?;
        resized.set_nonblocking(true)?;
        sender.set_nonblocking(true)?;
        tcgetattr(io::stdin())?;
        let kind = std::env::var("TERM").unwrap_or_default();
        let plain = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
        let is_name = kind.starts_with(|c: char| c.is_ascii_alphanumeric()) && kind.chars().all(plain);
        Ok(Self {
            kind: if is_name && kind.len() <= 64 {
                kind
            } else {
                "dumb".into()
            },
            before: None,
            handler: signal_hook::low_level::pipe::register(SIGWINCH, sender)?,
            resized,
        })
    }

    /// From now on no key means anything here: Ctrl-C is the command's.
    pub fn give_all_keys(&mut self) -> io::Result<()> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        self.before = Some(before);
        Ok(())
    }

    /// Columns and rows; a terminal that has none counts as 80 by 24.
    pub fn size(&self) -> (u16, u16) {
        match tcgetwinsize(io::stdin()) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col, size.ws_row),
            _ => (80, 24),
        }
    }

    /// Whether its window was closed: for a program that ignores SIGHUP, as under `nohup`. Every read is at its end then.
    pub fn is_gone(&self) -> bool {
        let stdin = io::stdin();
        let mut fds = [PollFd::new(&stdin, PollFlags::empty())];
        let polled = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        polled.is_ok() && fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
    }

    /// Whether its size has changed since the last call.
    pub fn was_resized(&self) -> bool {
        let mut bytes = [0; 64];
        matches!((&self.resized).read(&mut bytes), Ok(1..))
    }

    /// Readable when its size has changed, until [`Self::was_resized`].
    pub fn wake(&self) -> BorrowedFd<'_> {
        self.resized.as_fd()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        signal_hook::low_level::unregister(self.handler);
        if let Some(before) = &self.before {
            let _ = tcsetattr(io::stdin(), OptionalActions::Drain, before);
        }
    }
}
