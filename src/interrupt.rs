//! Ctrl-C, SIGTERM and for `run` SIGHUP, counted: the first one asks the work to stop, the second one aborts at once.
//! Handlers only count and wake; the work decides what an interrupt means.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// A second interrupt must be counted within this many checks, a second in all. Checks, not a deadline: after a
/// suspend, the listeners run again as well.
const CHECK: Duration = Duration::from_millis(20);
const CHECKS: usize = 50;

/// A counter of interrupts and a descriptor that becomes readable with each. Cheap to clone.
#[derive(Clone)]
pub struct Interrupts {
    count: Arc<AtomicUsize>,
    wake: Arc<UnixStream>,
    _keep: Arc<UnixStream>,
    /// The number of the last signal.
    signal: Arc<AtomicUsize>,
}

impl Interrupts {
    /// Counts SIGINT and SIGTERM from now on. SIGPIPE stays ignored, the default of Rust.
    ///
    /// A second one that is not counted ends the program as the signal itself does, a second later: Ctrl-C works
    /// wherever the program hangs (a stopped terminal, a dead file system, a name server).
    /// Fails when no socket pair, handler or thread can be created.
    pub fn listen() -> io::Result<Self> {
        Self::listen_for(&[SIGINT, SIGTERM])
    }

    /// The same, and SIGHUP counts too, unless this program was started with SIGHUP ignored, as `nohup` does.
    pub fn listen_for_hangups() -> io::Result<Self> {
        let signals = [SIGINT, SIGTERM, SIGHUP];
        Self::listen_for(&signals[..if ignores_hangups() { 2 } else { 3 }])
    }

    fn listen_for(signals: &[i32]) -> io::Result<Self> {
        let (interrupts, Button(sender)) = Self::by_hand()?;
        sender.set_nonblocking(true)?;
        let (bell, ringer) = UnixStream::pair()?;
        ringer.set_nonblocking(true)?;
        for &signal in signals {
            let number = usize::try_from(signal).unwrap_or_default();
            signal_hook::flag::register_usize(signal, Arc::clone(&interrupts.signal), number)?;
            signal_hook::low_level::pipe::register(signal, sender.try_clone()?)?;
            signal_hook::low_level::pipe::register(signal, ringer.try_clone()?)?;
        }
        let counted = Arc::clone(&interrupts.count);
        thread::Builder::new()
            .name("interrupts".to_owned())
            .spawn(move || abort_uncounted(bell, &counted))?;
        Ok(interrupts)
    }

    /// Interrupts that never come. Fails when no socket pair can be created.
    pub fn never() -> io::Result<Self> {
        Ok(Self::by_hand()?.0)
    }

    /// Interrupts that only the [`Button`] raises. Fails when no socket pair can be created.
    pub fn by_hand() -> io::Result<(Self, Button)> {
        let (wake, sender) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        let sender = Arc::new(sender);
        let interrupts = Self {
            count: Arc::new(AtomicUsize::new(0)),
            wake: Arc::new(wake),
            _keep: Arc::clone(&sender),
            signal: Arc::default(),
        };
        Ok((interrupts, Button(sender)))
    }

    /// How many interrupts have come so far. Drains the wake descriptor: each byte in it is one signal.
    pub fn count(&self) -> usize {
        use std::io::Read;
        let mut bytes = [0u8; 64];
        while let Ok(n) = (&*self.wake).read(&mut bytes) {
            if n == 0 {
                break;
            }
            self.count.fetch_add(n, Ordering::SeqCst);
        }
        self.count.load(Ordering::SeqCst)
    }

    /// What the user wants, if interrupts came after the `known` ones (see [`Self::known`]). The second one of all
    /// aborts, however long ago the first one was.
    pub fn since(&self, known: usize) -> UserRequest {
        match self.count() {
            count if count <= known => UserRequest::Nothing,
            1 => UserRequest::Stop,
            _ => UserRequest::Abort,
        }
    }

    /// Whether any interrupt came: for work that can be abandoned at any time.
    pub fn came(&self) -> bool {
        self.count() > 0
    }

    /// The number of the last signal that came, if any did.
    pub fn signal(&self) -> Option<u8> {
        let number = self.signal.load(Ordering::SeqCst);
        u8::try_from(number).ok().filter(|number| *number > 0)
    }

    /// Sleeps this long, or until a new interrupt comes; whether one did.
    pub fn rest(&self, limit: Duration) -> bool {
        let known = self.known();
        let until = Instant::now() + limit;
        while self.count() == known {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            if self.wait(self.wake(), PollFlags::IN, Some(left)).is_err() {
                thread::sleep(CHECK);
            }
        }
        true
    }

    /// Waits until `fd` is ready, an interrupt comes or the time is over; whether `fd` is ready.
    pub fn wait(&self, fd: BorrowedFd<'_>, ready: PollFlags, limit: Option<Duration>) -> io::Result<bool> {
        self.wait_beside(&[], fd, ready, limit)
    }

    /// The same; it also ends when one of the others can be read.
    pub fn wait_beside(
        &self,
        others: &[BorrowedFd<'_>],
        fd: BorrowedFd<'_>,
        ready: PollFlags,
        limit: Option<Duration>,
    ) -> io::Result<bool> {
        let mut fds = vec![
            PollFd::from_borrowed_fd(fd, ready),
            PollFd::from_borrowed_fd(self.wake(), PollFlags::IN),
        ];
        fds.extend(others.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)));
        // A limit that does not fit into a timespec is none.
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        match poll(&mut fds, limit.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(!fds[0].revents().is_empty()),
            Err(e) => Err(e.into()),
        }
    }

    /// The interrupts counted so far by [`Self::count`]. Ask before a piece of work begins: counting then would lose one
    /// that came just before.
    pub fn known(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Readable after an interrupt, until [`Self::count`]: for `poll`.
    pub fn wake(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

/// Whether this program was started with SIGHUP ignored. No call reads that without changing it, but a child inherits it.
fn ignores_hangups() -> bool {
    let mut child = Command::new("sh");
    child.args(["-c", "kill -HUP $$"]).stdin(Stdio::null());
    let status = child.stdout(Stdio::null()).stderr(Stdio::null()).status();
    !status.is_ok_and(|status| status.signal() == Some(SIGHUP))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserRequest {
    Nothing,
    /// Stop the work in an orderly way.
    Stop,
    Abort,
}

/// Ends the program when a second signal is not counted.
fn abort_uncounted(mut bell: UnixStream, counted: &AtomicUsize) {
    use std::io::Read;
    let mut bytes = [0u8; 64];
    let mut came = 0;
    while let Ok(n @ 1..) = bell.read(&mut bytes) {
        came += n;
        let noticed = || {
            thread::sleep(CHECK);
            counted.load(Ordering::SeqCst) >= came
        };
        if came > 1 && !(0..CHECKS).any(|_| noticed()) {
            let _ = signal_hook::low_level::emulate_default_handler(SIGINT);
        }
    }
}

/// Raises an interrupt each time it is pressed, as Ctrl-C does.
#[derive(Clone)]
pub struct Button(Arc<UnixStream>);

impl Button {
    pub fn press(&self) {
        use std::io::Write;
        // It fails when nothing listens anymore; then there is nothing to interrupt.
        let _ = (&*self.0).write(&[0]);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_interrupt_that_was_not_counted_is_new() {
        let (interrupts, button) = Interrupts::by_hand().unwrap();
        button.press();
        assert_eq!(interrupts.known(), 0);
        assert_eq!(interrupts.clone().count(), 1);
        assert_eq!(interrupts.known(), 1);
        button.press();
        assert_eq!((interrupts.known(), interrupts.count()), (1, 2));
    }

    #[test]
    fn the_first_stops_and_the_second_aborts_however_long_ago_the_first_was() {
        let (interrupts, button) = Interrupts::by_hand().unwrap();
        let begun = interrupts.known();
        assert_eq!(interrupts.since(begun), UserRequest::Nothing);
        button.press();
        assert_eq!(interrupts.since(begun), UserRequest::Stop);
        let later = interrupts.known();
        assert_eq!(interrupts.since(later), UserRequest::Nothing);
        button.press();
        assert_eq!(interrupts.since(later), UserRequest::Abort);
        assert_eq!(interrupts.since(begun), UserRequest::Abort);
    }
}
