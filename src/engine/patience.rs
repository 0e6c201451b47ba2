//! How long a host that does not answer is waited for, and the pauses in it.

use std::time::{Duration, Instant};

use crate::interrupt::Interrupts;

/// How long a host that does not answer is waited for: a reboot fits in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Away(pub(super) Duration);

impl Default for Away {
    fn default() -> Self {
        Self(Duration::from_secs(90))
    }
}

/// How a pause ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pause {
    Over,
    /// The user interrupted it.
    Interrupted,
    /// There was none: the time is up.
    None,
}

/// What is left of that time, and the pauses in it.
pub(super) struct Patience {
    until: Instant,
    pause: Duration,
}

impl Patience {
    pub(super) fn new(away: Away) -> Self {
        Self {
            until: Instant::now() + away.0,
            pause: Duration::from_millis(250),
        }
    }

    pub(super) fn pause(&mut self, interrupts: &Interrupts) -> Pause {
        if Instant::now() + self.pause > self.until {
            return Pause::None;
        }
        let pause = self.pause;
        self.pause = (self.pause * 2).min(Duration::from_secs(4));
        if interrupts.rest(pause) {
            Pause::Interrupted
        } else {
            Pause::Over
        }
    }
}
