//! Work that may block, on a thread of its own, with a time limit and an eye on Ctrl-C: a dead agent or a silent server
//! never hangs shipit. A thread that is late is abandoned, with everything it owns.

use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

use crate::failure::{Exit, Failure};
use crate::interrupt::{Interrupts, UserRequest};

/// The failure for Ctrl-C while connecting: nothing has run on the connection yet.
pub fn interrupted() -> Failure {
    Failure::new(Exit::Untouched, "interrupted while connecting").why("shipit received Ctrl-C or SIGTERM")
}

/// libssh2's own limit for work that may take `limit` here, in milliseconds: a little longer, so that this limit is the
/// one reported, and an abandoned thread ends soon after.
pub fn backstop(limit: Duration) -> u32 {
    u32::try_from((limit + Duration::from_secs(2)).as_millis()).unwrap_or(u32::MAX)
}

/// Runs `work` on another thread and gives its result; `None` when it is late.
/// Fails with [`interrupted`]; the work may still run then, and when it is late, so what it uses must not be used
/// again.
pub fn with_deadline<T: Send + 'static>(
    interrupts: &Interrupts,
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<Option<T>, Failure> {
    let known = interrupts.known();
    let (sender, result) = channel();
    // The end of this stream wakes us: it closes when the thread drops it, even after a panic.
    let Ok((mut ours, theirs)) = UnixStream::pair() else {
        return Ok(None);
    };
    let started = std::thread::Builder::new().name("ssh deadline".into()).spawn(move || {
        // Nobody receives it when it is late.
        let _ = sender.send(work());
        drop(theirs);
    });
    if started.is_err() {
        return Ok(None);
    }
    let until = Instant::now() + limit;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if let Ok(true) = interrupts.wait(ours.as_fd(), PollFlags::IN, Some(left)) {
            let _ = ours.read(&mut [0u8; 1]);
            return Ok(result.try_recv().ok());
        }
        if interrupts.since(known) != UserRequest::Nothing {
            return Err(interrupted());
        }
        if left.is_zero() {
            return Ok(None);
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
        assert_eq!(late, Ok(None));
        assert_eq!(with_deadline(&interrupts, Duration::from_secs(60), || 7), Ok(Some(7)));
    }
}
