//! Work that may block, done on a thread of its own while we stay awake for interrupts and the clock. It is how a
//! dead agent or a silent server never hangs us. What is late is left behind, with everything that it owns.

use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::interrupt::{Interrupts, Wish};

/// Why there is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It took longer than it may.
    Late,
    /// The person asked to stop.
    Interrupted,
}

/// libssh2's own limit for work that may take `limit` here, in milliseconds: later, so that ours is the one that is told,
/// and the thread that was left behind ends soon after.
pub fn backstop(limit: Duration) -> u32 {
    u32::try_from((limit + Duration::from_secs(2)).as_millis()).unwrap_or(u32::MAX)
}

/// A time as poll takes it, never negative.
pub fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}

/// Runs `work` beside; gives its result, unless it is late or the person asks to stop.
///
/// # Errors
/// [`Stopped`]; the work may still run, so what it holds must not be used again.
pub fn aside<T: Send + 'static>(
    interrupts: &Interrupts,
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Stopped> {
    let known = interrupts.known();
    let (sender, result) = channel();
    // The end of this stream is the wake-up: it closes when the thread lets go of it, whatever became of the work.
    let Ok((mut ours, theirs)) = UnixStream::pair() else {
        return Err(Stopped::Late);
    };
    let started = std::thread::Builder::new()
        .name("ssh aside".into())
        .spawn(move || {
            // It is received by nobody when we are late.
            let _ = sender.send(work());
            drop(theirs);
        });
    if started.is_err() {
        return Err(Stopped::Late);
    }
    let until = Instant::now() + limit;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let mut fds = [
            PollFd::from_borrowed_fd(ours.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(interrupts.wake(), PollFlags::IN),
        ];
        let polled = poll(&mut fds, Some(&timespec(left)));
        let finished = !fds[0].revents().is_empty();
        if finished {
            let _ = ours.read(&mut [0u8; 1]);
            return result.try_recv().map_err(|_| Stopped::Late);
        }
        if interrupts.since(known) != Wish::Nothing {
            return Err(Stopped::Interrupted);
        }
        if matches!(polled, Ok(0)) && left.is_zero() {
            return Err(Stopped::Late);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_blocks_for_ever_is_left_behind() {
        let interrupts = Interrupts::never().unwrap();
        let (_keep, mut blocked) = UnixStream::pair().unwrap();
        let late = aside(&interrupts, Duration::from_millis(50), move || {
            blocked.read(&mut [0u8; 1]).is_ok()
        });
        assert_eq!(late, Err(Stopped::Late));
        assert_eq!(aside(&interrupts, Duration::from_secs(60), || 7), Ok(7));
    }
}
