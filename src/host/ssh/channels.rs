//! A connection's channels beside the one whose command runs: the next one, opened in advance; a command that was
//! started in advance; those that are closing. This is the only place that waits, so interrupts and silence are noticed
//! here. Runs no command to its end.

use std::io::{ErrorKind, Read as _};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use ssh2::{Channel, ErrorCode, Session};

use super::channel::{Now, Running, Trouble, now};
use super::handshake::Connection;
use super::liveness::{Liveness, Silence};
use super::pump::Pump;
use crate::host::Lost;
use crate::interrupt::{Interrupts, UserRequest};

/// For a channel to open where the server allows only one, and the last one is still closing.
const OPEN: Duration = Duration::from_secs(10);

/// The server refused a channel (LIBSSH2_ERROR_CHANNEL_FAILURE).
const NO_CHANNEL: ErrorCode = ErrorCode::Session(-21);

/// The longest sleep: liveness is checked at least this often.
pub(super) const TICK: Duration = Duration::from_secs(1);

#[derive(Clone, Copy)]
pub(super) enum Until {
    /// Bytes from the host.
    Readable,
    /// Room for ours: a packet is half sent.
    Writable,
}

/// The channel for the next command.
pub(super) enum Spare {
    /// Not opened yet, or libssh2 is opening it and continues with the next call.
    Wanted,
    Ready(Channel),
    /// The server allows no second channel: it is opened when it is needed.
    Refused,
}

/// A connection that is logged in, and its channels.
pub(super) struct Channels {
    // Dropped in this order: channels, session, pump.
    pub(super) retired: Vec<Channel>,
    pub(super) spare: Spare,
    /// A command that was started before it is run.
    waiting: Option<Running<'static>>,
    /// The line of one that is to be started.
    pub(super) expected: Option<String>,
    pub(super) session: Session,
    pub(super) pump: Pump,
    interrupts: Interrupts,
    /// Interrupts before the command began.
    known: usize,
    /// The server has granted a channel before.
    had_channel: bool,
    liveness: Liveness,
}

impl Channels {
    pub(super) fn new(connection: Connection, interrupts: Interrupts) -> Self {
        let Connection { session, pump } = connection;
        session.set_timeout(0);
        session.set_blocking(false);
        // Then every keepalive_send sends one: `liveness` decides when.
        session.set_keepalive(true, 2);
        Self {
            retired: Vec::new(),
            spare: Spare::Wanted,
            waiting: None,
            expected: None,
            session,
            pump,
            interrupts,
            known: 0,
            had_channel: false,
            liveness: Liveness::new(),
        }
    }

    /// A command begins.
    pub(super) fn begin(&mut self) {
        self.known = self.interrupts.known();
        self.liveness = Liveness::new();
        // The server may allow now what it refused before: the last command has ended.
        if matches!(self.spare, Spare::Refused) {
            self.spare = Spare::Wanted;
        }
    }

    /// Whether a command with this line was started in advance, and its channel is still open.
    pub(super) fn waits(&self, line: &str) -> bool {
        let waiting = self.waiting.as_ref();
        waiting.is_some_and(|waiting| waiting.line == line && !waiting.channel.eof())
    }

    /// That command.
    pub(super) fn take_waiting(&mut self, line: &str) -> Option<Running<'static>> {
        if self.waits(line) { self.waiting.take() } else { None }
    }

    /// A channel for a command: the spare one, or a new one.
    pub(super) fn channel(&mut self) -> Result<Channel, Lost> {
        let until = Instant::now() + OPEN;
        let mut pause = Duration::from_millis(1);
        // The server may allow now what it refused before: the last command has ended.
        if matches!(self.spare, Spare::Refused) {
            self.spare = Spare::Wanted;
        }
        loop {
            self.retire()?;
            self.open_spare()?;
            let limit = match std::mem::replace(&mut self.spare, Spare::Wanted) {
                Spare::Ready(mut channel) => {
                    // Processes what has arrived; a server may close idle channels (ChannelTimeout).
                    let _ = channel.read(&mut [0u8; 1]);
                    if channel.eof() {
                        self.retired.push(channel);
                        continue;
                    }
                    self.had_channel = true;
                    return Ok(channel);
                }
                Spare::Wanted => TICK,
                // sshd frees a closed channel a moment after its reply: try again, less and less often.
                Spare::Refused if self.had_channel && Instant::now() < until => {
                    pause = (pause * 2).min(TICK / 4);
                    pause
                }
                Spare::Refused if self.had_channel => {
                    return Err(Lost::Cut("the server refused to open a session channel".into()));
                }
                Spare::Refused => {
                    return Err(Lost::Unbegun("the server refused to open a session channel"));
                }
            };
            self.wait(Until::Readable, limit)?;
        }
    }

    /// Reads what the server sent while no command runs, which answers its questions, and asks it for a sign of life. Fails
    /// when the connection is of no more use.
    pub(super) fn idle(&mut self) -> Result<(), Lost> {
        self.retire()?;
        self.open_spare()?;
        if let Spare::Ready(channel) = &mut self.spare {
            match channel.read(&mut [0u8; 1]) {
                Err(e) if e.kind() != ErrorKind::WouldBlock => return Err(Lost::Cut(e.to_string())),
                _ if !channel.eof() => {}
                _ => {
                    if let Spare::Ready(channel) = std::mem::replace(&mut self.spare, Spare::Wanted) {
                        self.retired.push(channel);
                    }
                }
            }
        }
        self.check_liveness()
    }

    /// Continues to open the spare channel, if one is wanted.
    pub(super) fn open_spare(&mut self) -> Result<(), Lost> {
        if !matches!(self.spare, Spare::Wanted) || !self.pump.has_room() {
            return Ok(());
        }
        loop {
            match self.session.channel_session() {
                Err(e) if e.code() == NO_CHANNEL => self.spare = Spare::Refused,
                result => match now(&self.session, result).map_err(cut)? {
                    Now::Done(channel) => self.spare = Spare::Ready(channel),
                    Now::Later => {}
                    Now::Half => {
                        self.wait(Until::Writable, TICK)?;
                        continue;
                    }
                },
            }
            return Ok(());
        }
    }

    /// Starts the command that is expected, and continues to. What the server refuses is run as any other, when its time
    /// comes.
    pub(super) fn start_expected(&mut self) -> Result<(), Lost> {
        if !self.pump.has_room() {
            return Ok(());
        }
        if self.expected.is_some() && matches!(self.spare, Spare::Ready(_)) {
            let old = self.waiting.take().map(|waiting| waiting.channel);
            self.retired.extend(old);
            if let (Some(line), Spare::Ready(channel)) =
                (self.expected.take(), std::mem::replace(&mut self.spare, Spare::Wanted))
            {
                self.waiting = Some(Running::new(channel, &line, None));
            }
        }
        while let Some(waiting) = self.waiting.as_mut().filter(|waiting| !waiting.accepted) {
            match waiting.request(&self.session, &self.pump) {
                Ok(_) if waiting.owes() => self.wait(Until::Writable, TICK)?,
                Ok(_) => break,
                Err(Trouble::Cut(why)) => return Err(Lost::Cut(self.with_child_messages(why))),
                Err(_) => {
                    let refused = self.waiting.take().map(|waiting| waiting.channel);
                    self.retired.extend(refused);
                }
            }
        }
        Ok(())
    }

    /// Closes channels that are no longer used, without waiting: one whose command still runs stays until it ends.
    pub(super) fn retire(&mut self) -> Result<(), Lost> {
        let mut at = 0;
        while at < self.retired.len() {
            if !self.pump.has_room() {
                return Ok(());
            }
            match self.retired[at].close() {
                Ok(()) => drop(self.retired.swap_remove(at)),
                Err(e) => match now::<()>(&self.session, Err(e)).map_err(cut)? {
                    Now::Half => self.wait(Until::Writable, TICK)?,
                    Now::Done(()) | Now::Later => at += 1,
                },
            }
        }
        Ok(())
    }

    /// Sleeps until the pump is ready, an interrupt comes or the time is over; fails when the connection is of no more use.
    pub(super) fn wait(&mut self, until: Until, limit: Duration) -> Result<(), Lost> {
        self.wait_beside(&[], until, limit)
    }

    /// The same; one of the others that can be read ends it too.
    pub(super) fn wait_beside(&mut self, others: &[BorrowedFd<'_>], until: Until, limit: Duration) -> Result<(), Lost> {
        let events = match until {
            Until::Readable => PollFlags::IN,
            Until::Writable => PollFlags::OUT,
        };
        let waited = self
            .interrupts
            .wait_beside(others, self.pump.near(), events, Some(limit));
        waited.map_err(|e| Lost::Cut(format!("poll: {e}")))?;
        self.interrupted()?;
        self.check_liveness()
    }

    /// Whether an interrupt came since the command began; a second one ends the connection.
    pub(super) fn interrupted(&self) -> Result<bool, Lost> {
        match self.interrupts.since(self.known) {
            UserRequest::Nothing => Ok(false),
            UserRequest::Stop => Ok(true),
            UserRequest::Abort => Err(Lost::Interrupted),
        }
    }

    /// Asks a silent host for a sign of life; fails when it stays silent.
    fn check_liveness(&mut self) -> Result<(), Lost> {
        match self.liveness.check(self.pump.alive()) {
            Silence::GiveUp(seconds) => Err(Lost::Silent(seconds)),
            Silence::Ask if self.pump.has_room() => {
                self.liveness.asked();
                self.session.keepalive_send().map_err(cut)?;
                Ok(())
            }
            Silence::Ask | Silence::Short => Ok(()),
        }
    }

    /// Why the connection broke, with the last messages of the child that carried it.
    pub(super) fn with_child_messages(&mut self, why: String) -> String {
        let child = self.pump.child_messages();
        if child.is_empty() {
            why
        } else {
            format!("{why} ({})", child.join("; "))
        }
    }
}

pub(super) fn cut(e: ssh2::Error) -> Lost {
    Lost::Cut(e.message().to_owned())
}
