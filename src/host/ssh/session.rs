//! Commands on an open connection: one at a time, each on a channel that was opened while the one before ran, so
//! that it costs one round trip. This is the only place that waits, so interrupts and silence are noticed here.

use std::io::Read as _;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use ssh2::{Channel, ErrorCode, Session};

use super::channel::{Now, Progress, Running, Trouble, now};
use super::handshake::Connection;
use super::liveness::{Liveness, Silence};
use super::pump::Pump;
use crate::host::stdin::Stdin;
use crate::host::terminal::Terminal;
use crate::host::{Ended, Exec, ExecEvent, Host, LINGER, Lost, Then};
use crate::interrupt::{Interrupts, UserRequest};

/// The longest command line, in bytes: libssh2 stalls its channel from 40,000 on; 34,000 pass (measured).
const LONGEST: usize = 33_000;

/// For a channel to open where the server allows only one, and the last one is still closing.
const OPEN: Duration = Duration::from_secs(10);

/// The longest sleep: liveness is checked at least this often.
const TICK: Duration = Duration::from_secs(1);

/// The server refused a channel (LIBSSH2_ERROR_CHANNEL_FAILURE).
const NO_CHANNEL: ErrorCode = ErrorCode::Session(-21);

/// What is kept of the output of the command that makes another one stop, in bytes.
const PRINTED: usize = 4096;

#[derive(Clone, Copy)]
enum Until {
    /// Bytes from the host.
    Readable,
    /// Room for ours: a packet is half sent.
    Writable,
}

/// The channel for the next command.
enum Spare {
    /// Not opened yet, or libssh2 is opening it and continues with the next call.
    Wanted,
    Ready(Channel),
    /// The server allows no second channel: it is opened when it is needed.
    Refused,
}

/// The command that makes the running one stop.
enum Stopper {
    None,
    Wanted(String),
    /// With what it printed.
    Running(Box<Running<'static>>, Vec<u8>),
}

/// A connection that runs commands. Dropping it ends the connection at once.
pub struct Ssh {
    // Dropped in this order: channels, session, pump.
    retired: Vec<Channel>,
    spare: Spare,
    session: Session,
    pump: Pump,
    interrupts: Interrupts,
    /// Interrupts before the command began.
    known: usize,
    /// The server has granted a channel before.
    had_channel: bool,
    /// Why no more commands can run.
    dead: Option<String>,
    liveness: Liveness,
}

impl Ssh {
    /// Takes over a connection that is logged in.
    pub(super) fn new(connection: Connection, interrupts: Interrupts) -> Self {
        let Connection { session, pump } = connection;
        session.set_timeout(0);
        session.set_blocking(false);
        // Then every keepalive_send sends one: `liveness` decides when.
        session.set_keepalive(true, 2);
        Self {
            retired: Vec::new(),
            spare: Spare::Wanted,
            session,
            pump,
            interrupts,
            known: 0,
            had_channel: false,
            dead: None,
            liveness: Liveness::new(),
        }
    }

    fn run(&mut self, exec: Exec<'_>, on_event: &mut dyn FnMut(ExecEvent<'_>) -> Then) -> Result<Ended, Lost> {
        let line = exec.line;
        let terminal = exec.terminal;
        let mut stdin = Stdin::new(exec.stdin, exec.live);
        self.known = self.interrupts.known();
        self.liveness = Liveness::new();
        let mut interrupted = false;
        let mut stopper = Stopper::None;
        let mut running = Running::new(self.channel()?, line, terminal);
        let mut retried = false;
        let mut ended: Option<Instant> = None;
        loop {
            if matches!(&stopper, Stopper::Running(other, _) if other.owes()) {
                self.run_stopper(&mut stopper, &mut running, on_event)?;
                self.wait(Until::Writable, TICK)?;
                continue;
            }
            let progress = match running.advance(&self.session, &self.pump, &mut stdin, on_event) {
                Ok(progress) => progress,
                // The server may have closed the spare channel meanwhile. Nothing has run and no stdin was read, so it is
                // safe to try again, once.
                Err(Trouble::Refused(_)) if !retried => {
                    retried = true;
                    let old = std::mem::replace(&mut running, Running::new(self.channel()?, line, terminal));
                    self.retired.push(old.channel);
                    continue;
                }
                Err(Trouble::Source(e)) => {
                    self.retired.push(running.channel);
                    return Err(Lost::Source(e.to_string()));
                }
                Err(Trouble::Abandoned(why)) => return Err(Lost::Breach(why)),
                Err(Trouble::Refused(why)) => return Err(Lost::Unbegun(why)),
                Err(Trouble::Cut(why)) => return Err(Lost::Cut(self.with_child_messages(why))),
            };
            if running.finished {
                ended.get_or_insert_with(Instant::now);
            }
            let held = ended.is_some_and(|at| at.elapsed() >= LINGER) && !running.owes();
            if held || progress == Progress::Closed {
                let ended = running.ended().map_err(cut)?;
                self.retired.push(running.channel);
                if let Stopper::Running(other, _) = stopper {
                    self.retired.push(other.channel);
                }
                self.retire()?;
                return Ok(ended);
            }
            if running.requested && !running.owes() {
                self.run_stopper(&mut stopper, &mut running, on_event)?;
                if matches!(&stopper, Stopper::Running(other, _) if other.owes()) {
                    continue;
                }
                self.retire()?;
                self.open_spare()?;
            }
            if self.interrupted()?
                && !interrupted
                && let Then::Run(line) = on_event(ExecEvent::Interrupted)
            {
                interrupted = true;
                stopper = Stopper::Wanted(line);
                continue;
            }
            if progress != Progress::Moved {
                let until = match progress {
                    Progress::Full => Until::Writable,
                    _ => Until::Readable,
                };
                let others = [stdin.wake(), terminal.map(Terminal::wake)];
                let others: Vec<_> = others.into_iter().flatten().collect();
                self.wait_beside(&others, until, TICK)?;
            }
        }
    }

    /// A channel for a command: the spare one, or a new one.
    fn channel(&mut self) -> Result<Channel, Lost> {
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

    /// Continues to open the spare channel, if one is wanted.
    fn open_spare(&mut self) -> Result<(), Lost> {
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

    /// Continues the command that makes the running one stop, and hands on what it printed once it has ended.
    fn run_stopper(
        &mut self,
        stopper: &mut Stopper,
        running: &mut Running<'_>,
        on_event: &mut dyn FnMut(ExecEvent<'_>) -> Then,
    ) -> Result<(), Lost> {
        if let Stopper::Wanted(line) = stopper {
            match std::mem::replace(&mut self.spare, Spare::Wanted) {
                Spare::Ready(channel) => {
                    *stopper = Stopper::Running(Box::new(Running::new(channel, line, None)), Vec::new())
                }
                Spare::Wanted => {}
                Spare::Refused => {
                    self.spare = Spare::Refused;
                    *stopper = Stopper::None;
                    running.finished |= on_event(ExecEvent::Asked(None)) == Then::Finish;
                }
            }
        }
        if let Stopper::Running(other, printed) = stopper {
            let mut keep = |event: ExecEvent<'_>| {
                if let ExecEvent::Out(bytes) = event
                    && printed.len() < PRINTED
                {
                    printed.extend_from_slice(bytes);
                }
                Then::Listen
            };
            let ran = match other.advance(&self.session, &self.pump, &mut Stdin::new(None, None), &mut keep) {
                Ok(Progress::Closed) => true,
                Ok(_) => return Ok(()),
                Err(Trouble::Cut(why)) => return Err(Lost::Cut(self.with_child_messages(why))),
                Err(Trouble::Refused(_) | Trouble::Source(_) | Trouble::Abandoned(_)) => false,
            };
            if let Stopper::Running(other, printed) = std::mem::replace(stopper, Stopper::None) {
                self.retired.push(other.channel);
                running.finished |= on_event(ExecEvent::Asked(ran.then_some(&printed[..]))) == Then::Finish;
            }
        }
        Ok(())
    }

    /// Closes channels that are no longer used, without waiting: one whose command still runs stays until it ends.
    fn retire(&mut self) -> Result<(), Lost> {
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
    fn wait(&mut self, until: Until, limit: Duration) -> Result<(), Lost> {
        self.wait_beside(&[], until, limit)
    }

    /// The same; one of the others that can be read ends it too.
    fn wait_beside(&mut self, others: &[BorrowedFd<'_>], until: Until, limit: Duration) -> Result<(), Lost> {
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
    fn interrupted(&self) -> Result<bool, Lost> {
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
    fn with_child_messages(&mut self, why: String) -> String {
        let child = self.pump.child_messages();
        if child.is_empty() {
            why
        } else {
            format!("{why} ({})", child.join("; "))
        }
    }
}

fn cut(e: ssh2::Error) -> Lost {
    Lost::Cut(e.message().to_owned())
}

impl Host for Ssh {
    fn exec(&mut self, exec: Exec<'_>, on_event: &mut dyn FnMut(ExecEvent<'_>) -> Then) -> Result<Ended, Lost> {
        if let Some(why) = &self.dead {
            return Err(Lost::Cut(why.clone()));
        }
        if exec.line.len() > LONGEST || exec.line.contains('\0') {
            let size = exec.line.len();
            return Err(Lost::Source(format!(
                "a command line of {size} bytes is too long: the limit is {LONGEST}"
            )));
        }
        let result = self.run(exec, on_event);
        match &result {
            Ok(_) | Err(Lost::Source(_)) => {}
            Err(lost) => {
                self.dead = Some(match lost {
                    Lost::Cut(why) | Lost::Refused(why) => format!("the connection was lost: {why}"),
                    Lost::Unbegun(why) => format!("the connection was lost: {why}"),
                    Lost::Silent(seconds) => {
                        format!("the connection was closed after {seconds} s of silence")
                    }
                    Lost::Breach(why) => format!("the connection was closed: {why}"),
                    Lost::Interrupted | Lost::Source(_) => "the connection was closed after an interrupt".to_owned(),
                });
                self.pump.shut();
            }
        }
        result
    }

    fn traffic(&self) -> (u64, u64) {
        self.pump.traffic()
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        if self.dead.is_none() && self.pump.has_room() {
            // For the server's log; the pump still sends it after our end is shut.
            let _ = self
                .session
                .disconnect(Some(ssh2::DisconnectCode::ByApplication), "done", None);
        }
        self.pump.shut();
    }
}
