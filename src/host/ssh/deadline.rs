//! Work that may block, on a thread of its own, with a time limit and an eye on Ctrl-C: a dead agent or a silent server
//! never hangs shipit. A thread that is late is abandoned, with everything it owns.

use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::failure::{Exit, Failure};
use crate::interrupt::{Interrupts, UserRequest};

/// Why there is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    Late,
    /// The user pressed Ctrl-C.
    Interrupted,
}

/// The failure for [`Stopped::Interrupted`] while connecting: nothing has run on the connection yet.
pub fn interrupted() -> Failure {
    Failure::new(Exit::Untouched, "stopped while connecting").why("stopped on request")
}

/// libssh2's own limit for work that may take `limit` here, in milliseconds: a little longer, so that this limit is the
/// one reported, and an abandoned thread ends soon after.
pub fn backstop(limit: Duration) -> u32 {
    u32::try_from((limit + Duration::from_secs(2)).as_millis()).unwrap_or(u32::MAX)
}

/// A duration for `poll`.
pub fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}

/// Runs `work` on another thread and gives its result.
///
/// # Errors
/// [`Stopped`]; the work may still run, so what it uses must not be used again.
pub fn with_deadline<T: Send + 'static>(
    interrupts: &Interrupts,
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Stopped> {
    let known = interrupts.known();
    let (sender, result) = channel();
    // The end of this stream wakes us: it closes when the thread drops it, even after a panic.
    let Ok((mut ours, theirs)) = UnixStream::pair() else {
        return Err(Stopped::Late);
    };
    let started = std::thread::Builder::new().name("ssh deadline".into()).spawn(move || {
        // Nobody receives it when it is late.
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
        if interrupts.since(known) != UserRequest::Nothing {
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
    fn work_that_blocks_forever_is_abandoned() {
        let interrupts = Interrupts::never().unwrap();
        let (_keep, mut blocked) = UnixStream::pair().unwrap();
        let late = with_deadline(&interrupts, Duration::from_millis(50), move || {
            blocked.read(&mut [0u8; 1]).is_ok()
        });
        assert_eq!(late, Err(Stopped::Late));
        assert_eq!(with_deadline(&interrupts, Duration::from_secs(60), || 7), Ok(7));
    }
}
