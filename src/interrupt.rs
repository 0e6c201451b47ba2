//! Ctrl-C and SIGTERM, counted: the first asks what runs to stop, the second leaves at once.
//! Handlers only count and wake; what an interrupt means is decided where the work is.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGINT, SIGTERM};

/// How often it is looked whether a second interrupt was heard, and how often before it counts as unheard: a second. Looks, not
/// a deadline: on a machine that stood still meanwhile, those who listen get their turn as well.
const LOOK: Duration = Duration::from_millis(20);
const LOOKS: usize = 50;

/// A counter of interrupts and a descriptor that becomes readable with each. Cheap to clone.
#[derive(Clone)]
pub struct Interrupts {
    count: Arc<AtomicUsize>,
    wake: Arc<UnixStream>,
    _keep: Arc<UnixStream>,
}

impl Interrupts {
    /// Counts SIGINT and SIGTERM from now on. SIGPIPE stays ignored, as Rust has it.
    ///
    /// A second one that nobody counts ends the program as the signal itself does, a second later: whatever it hangs
    /// in (a terminal that was stopped, a dead file system, a name server), a person can leave.
    ///
    /// # Errors
    /// When no socket pair, handler or thread can be had.
    pub fn listen() -> io::Result<Self> {
        let (wake, sender) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        sender.set_nonblocking(true)?;
        let count = Arc::new(AtomicUsize::new(0));
        let (bell, ringer) = UnixStream::pair()?;
        ringer.set_nonblocking(true)?;
        for signal in [SIGINT, SIGTERM] {
            signal_hook::low_level::pipe::register(signal, sender.try_clone()?)?;
            signal_hook::low_level::pipe::register(signal, ringer.try_clone()?)?;
        }
        let counted = Arc::clone(&count);
        thread::Builder::new()
            .name("interrupts".to_owned())
            .spawn(move || leave_unheard(bell, &counted))?;
        Ok(Self {
            count,
            wake: Arc::new(wake),
            _keep: Arc::new(sender),
        })
    }

    /// Interrupts that never come: for runs that must not be stopped.
    ///
    /// # Errors
    /// When no socket pair can be had.
    pub fn never() -> io::Result<Self> {
        Ok(Self::by_hand()?.0)
    }

    /// Interrupts that no signal raises but the [`Button`] does.
    ///
    /// # Errors
    /// When no socket pair can be had.
    pub fn by_hand() -> io::Result<(Self, Button)> {
        let (wake, sender) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        let sender = Arc::new(sender);
        let interrupts = Self {
            count: Arc::new(AtomicUsize::new(0)),
            wake: Arc::new(wake),
            _keep: Arc::clone(&sender),
        };
        Ok((interrupts, Button(sender)))
    }

    /// How many interrupts have come so far. Drains the wake descriptor: each byte in it is one signal.
    #[must_use]
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

    /// What a person wants who pressed Ctrl-C on top of the interrupts that were [`Self::known`] at the beginning.
    /// The second of all leaves, whenever the first was.
    #[must_use]
    pub fn since(&self, known: usize) -> Wish {
        match self.count() {
            count if count <= known => Wish::Nothing,
            1 => Wish::Stop,
            _ => Wish::Leave,
        }
    }

    /// Whether a person wants out, said once or more often: for work that is given up at any time.
    #[must_use]
    pub fn came(&self) -> bool {
        self.count() > 0
    }

    /// Sleeps this long, or until an interrupt comes that nobody has counted yet; whether one did.
    #[must_use]
    pub fn rest(&self, limit: Duration) -> bool {
        let known = self.known();
        let until = Instant::now() + limit;
        while self.count() == known {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(left) = Timespec::try_from(left) else {
                return false;
            };
            if left == Timespec::default() {
                return false;
            }
            let mut fds = [PollFd::from_borrowed_fd(self.wake(), PollFlags::IN)];
            match poll(&mut fds, Some(&left)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => thread::sleep(LOOK),
            }
        }
        true
    }

    /// How many interrupts somebody has been told of by [`Self::count`]. What comes on top of it is news: to be asked
    /// before a piece of work begins, since counting then would swallow one that came just before.
    #[must_use]
    pub fn known(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Readable when an interrupt came that [`Self::count`] has not drained yet: for `poll`.
    #[must_use]
    pub fn wake(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

/// What a person wants since some point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    Nothing,
    /// To stop what runs, in good order.
    Stop,
    Leave,
}

/// Ends the program when a second signal stays uncounted.
fn leave_unheard(mut bell: UnixStream, counted: &AtomicUsize) {
    use std::io::Read;
    let mut bytes = [0u8; 64];
    let mut came = 0;
    while let Ok(n @ 1..) = bell.read(&mut bytes) {
        came += n;
        let heard = || {
            thread::sleep(LOOK);
            counted.load(Ordering::SeqCst) >= came
        };
        if came > 1 && !(0..LOOKS).any(|_| heard()) {
            let _ = signal_hook::low_level::emulate_default_handler(SIGINT);
        }
    }
}

/// Raises one interrupt each time it is pressed, as Ctrl-C does.
#[derive(Clone)]
pub struct Button(Arc<UnixStream>);

impl Button {
    pub fn press(&self) {
        use std::io::Write;
        // It fails when nobody listens any more, and then there is nothing to interrupt.
        let _ = (&*self.0).write(&[0]);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_nobody_asked_for_yet_is_news() {
        let (interrupts, button) = Interrupts::by_hand().unwrap();
        button.press();
        assert_eq!(interrupts.known(), 0);
        assert_eq!(interrupts.clone().count(), 1);
        assert_eq!(interrupts.known(), 1);
        button.press();
        assert_eq!((interrupts.known(), interrupts.count()), (1, 2));
    }

    #[test]
    fn the_first_stops_and_the_second_leaves_also_when_the_first_came_long_before() {
        let (interrupts, button) = Interrupts::by_hand().unwrap();
        let begun = interrupts.known();
        assert_eq!(interrupts.since(begun), Wish::Nothing);
        button.press();
        assert_eq!(interrupts.since(begun), Wish::Stop);
        let later = interrupts.known();
        assert_eq!(interrupts.since(later), Wish::Nothing);
        button.press();
        assert_eq!(interrupts.since(later), Wish::Leave);
        assert_eq!(interrupts.since(begun), Wish::Leave);
    }
}
