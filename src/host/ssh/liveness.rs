//! How long a silent connection is trusted: one clock for all channels of a connection. Waits for nothing, sends
//! nothing.

use std::time::{Duration, Instant};

/// After this long without a sign of life the host is asked for one, and again each time it has passed.
const ASK: Duration = Duration::from_secs(5);

/// After this long without a sign of life the connection is dead: three requests got no reply.
const SILENT: Duration = Duration::from_secs(18);

/// The session checks more often than this, unless the process was stopped or the caller was busy.
const AWAY: Duration = Duration::from_secs(3);

/// How long the host has been silent, and what to do about it.
pub enum Silence {
    Short,
    /// Ask the host for a sign of life, and call [`Liveness::asked`].
    Ask,
    /// Give up: silent for this many seconds.
    GiveUp(u64),
}

pub struct Liveness {
    /// Silence counts from here, if nothing arrived since.
    listening: Instant,
    asked: Instant,
    checked: Instant,
}

impl Liveness {
    /// Silence counts from now on.
    pub fn new() -> Self {
        let now = Instant::now();
        Self {
            listening: now,
            asked: now,
            checked: now,
        }
    }

    /// `alive`: the host's last sign of life.
    pub fn check(&mut self, alive: Instant) -> Silence {
        let now = Instant::now();
        if now.duration_since(self.checked) > AWAY {
            // Nobody was there to listen or to ask: silence counts from now on.
            self.listening = now;
        }
        self.checked = now;
        let silent = now.saturating_duration_since(alive.max(self.listening));
        if silent >= SILENT {
            Silence::GiveUp(silent.as_secs())
        } else if silent >= ASK && now.duration_since(self.asked) >= ASK {
            Silence::Ask
        } else {
            Silence::Short
        }
    }

    pub fn asked(&mut self) {
        self.asked = Instant::now();
    }
}
