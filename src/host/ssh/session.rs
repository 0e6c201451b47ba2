//! Commands on an open connection: one at a time, each on a channel that was opened while the one before ran, so
//! that it costs one round trip. How to wait, and for which channel, is in `channels`.

use std::time::Instant;

use super::channel::{Progress, Running, Trouble};
use super::channels::{Channels, Spare, TICK, Until, cut};
use super::handshake::Connection;
use crate::host::stdin::Stdin;
use crate::host::terminal::Terminal;
use crate::host::{Ended, Exec, ExecEvent, Host, LINGER, Lost, Then};
use crate::interrupt::Interrupts;

/// The longest command line, in bytes: libssh2 stalls its channel from 40,000 on; 34,000 pass (measured).
const LONGEST: usize = 33_000;

/// What is kept of the output of the command that makes another one stop, in bytes.
const PRINTED: usize = 4096;

/// The command that makes the running one stop.
enum Stopper {
    None,
    Wanted(String),
    /// With what it printed.
    Running(Box<Running<'static>>, Vec<u8>),
}

/// A connection that runs commands. Dropping it ends the connection at once.
pub struct Ssh {
    channels: Channels,
    /// Why no more commands can run.
    dead: Option<String>,
}

impl Ssh {
    /// Takes over a connection that is logged in.
    pub(super) fn new(connection: Connection, interrupts: Interrupts) -> Self {
        Self {
            channels: Channels::new(connection, interrupts),
            dead: None,
        }
    }

    fn run(&mut self, exec: Exec<'_>, on_event: &mut dyn FnMut(ExecEvent<'_>) -> Then) -> Result<Ended, Lost> {
        let line = exec.line;
        let terminal = exec.terminal;
        let mut stdin = Stdin::new(exec.stdin, exec.live);
        self.channels.begin();
        let mut interrupted = false;
        let mut stopper = Stopper::None;
        let mut running = match self.channels.take_waiting(line) {
            Some(waiting) => waiting,
            None => Running::new(self.channels.channel()?, line, terminal),
        };
        let mut retried = false;
        let mut ended: Option<Instant> = None;
        loop {
            if matches!(&stopper, Stopper::Running(other, _) if other.owes()) {
                self.run_stopper(&mut stopper, &mut running, on_event)?;
                self.channels.wait(Until::Writable, TICK)?;
                continue;
            }
            let progress = match running.advance(&self.channels.session, &self.channels.pump, &mut stdin, on_event) {
                Ok(progress) => progress,
                // The server may have closed the spare channel meanwhile. Nothing has run and no stdin was read, so it is
                // safe to try again, once.
                Err(Trouble::Refused(_)) if !retried => {
                    retried = true;
                    let old = std::mem::replace(&mut running, Running::new(self.channels.channel()?, line, terminal));
                    self.channels.retired.push(old.channel);
                    continue;
                }
                Err(Trouble::Source(e)) => {
                    self.channels.retired.push(running.channel);
                    return Err(Lost::Source(e.to_string()));
                }
                Err(Trouble::Abandoned(why)) => return Err(Lost::Breach(why)),
                Err(Trouble::Refused(why)) => return Err(Lost::Unbegun(why)),
                Err(Trouble::Cut(why)) => return Err(Lost::Cut(self.channels.with_child_messages(why))),
            };
            if running.finished {
                ended.get_or_insert_with(Instant::now);
            }
            let held = ended.is_some_and(|at| at.elapsed() >= LINGER) && !running.owes();
            if held || progress == Progress::Closed {
                let ended = running.ended().map_err(cut)?;
                self.channels.retired.push(running.channel);
                if let Stopper::Running(other, _) = stopper {
                    self.channels.retired.push(other.channel);
                }
                self.channels.retire()?;
                return Ok(ended);
            }
            if running.requested && !running.owes() {
                self.run_stopper(&mut stopper, &mut running, on_event)?;
                if matches!(&stopper, Stopper::Running(other, _) if other.owes()) {
                    continue;
                }
                self.channels.retire()?;
                self.channels.open_spare()?;
                self.channels.start_expected()?;
            }
            if self.channels.interrupted()?
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
                self.channels.wait_beside(&others, until, TICK)?;
            }
        }
    }

    /// Closes a connection that is of no more use.
    fn lost(&mut self, lost: &Lost) {
        self.dead = Some(match lost {
            Lost::Source(_) => return,
            Lost::Cut(why) | Lost::Refused(why) => format!("the connection was lost: {why}"),
            Lost::Unbegun(why) => format!("the connection was lost: {why}"),
            Lost::Silent(seconds) => format!("the connection was closed after {seconds} s of silence"),
            Lost::Breach(why) => format!("the connection was closed: {why}"),
            Lost::Interrupted => "the connection was closed after an interrupt".to_owned(),
        });
        self.channels.pump.shut();
    }

    /// Continues the command that makes the running one stop, and hands on what it printed once it has ended.
    fn run_stopper(
        &mut self,
        stopper: &mut Stopper,
        running: &mut Running<'_>,
        on_event: &mut dyn FnMut(ExecEvent<'_>) -> Then,
    ) -> Result<(), Lost> {
        if let Stopper::Wanted(line) = stopper {
            match std::mem::replace(&mut self.channels.spare, Spare::Wanted) {
                Spare::Ready(channel) => {
                    *stopper = Stopper::Running(Box::new(Running::new(channel, line, None)), Vec::new())
                }
                Spare::Wanted => {}
                Spare::Refused => {
                    self.channels.spare = Spare::Refused;
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
            let ran = match other.advance(
                &self.channels.session,
                &self.channels.pump,
                &mut Stdin::new(None, None),
                &mut keep,
            ) {
                Ok(Progress::Closed) => true,
                Ok(_) => return Ok(()),
                Err(Trouble::Cut(why)) => return Err(Lost::Cut(self.channels.with_child_messages(why))),
                Err(Trouble::Refused(_) | Trouble::Source(_) | Trouble::Abandoned(_)) => false,
            };
            if let Stopper::Running(other, printed) = std::mem::replace(stopper, Stopper::None) {
                self.channels.retired.push(other.channel);
                running.finished |= on_event(ExecEvent::Asked(ran.then_some(&printed[..]))) == Then::Finish;
            }
        }
        Ok(())
    }
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
        if let Err(lost) = &result {
            self.lost(lost);
        }
        result
    }

    fn idle(&mut self) -> Result<(), Lost> {
        if let Some(why) = &self.dead {
            return Err(Lost::Cut(why.clone()));
        }
        let result = self.channels.idle();
        if let Err(lost) = &result {
            self.lost(lost);
        }
        result
    }

    fn expect(&mut self, line: String) {
        if !self.channels.waits(&line) {
            self.channels.expected = Some(line);
        }
    }

    fn waits(&self, line: &str) -> bool {
        self.channels.waits(line)
    }

    fn traffic(&self) -> (u64, u64) {
        self.channels.pump.traffic()
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        if self.dead.is_none() && self.channels.pump.has_room() {
            // For the server's log; the pump still sends it after our end is shut.
            let _ = self
                .channels
                .session
                .disconnect(Some(ssh2::DisconnectCode::ByApplication), "done", None);
        }
        self.channels.pump.shut();
    }
}
