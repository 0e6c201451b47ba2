//! Commands on an open connection: one at a time, each on a channel that was opened while the one before ran, so
//! that it costs one round trip. Here is the only place that waits, so here interrupts and silence are seen.

use std::io::Read;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use ssh2::{Channel, ErrorCode, Session};

use super::aside::timespec;
use super::channel::{Now, Running, Trouble, Turn, now};
use super::door::Open;
use super::link::Link;
use crate::host::stdin::Stdin;
use crate::host::{Ended, Exec, Heard, Host, LINGER, Lost, Then};
use crate::interrupt::{Interrupts, Wish};

/// The longest command line, in bytes: libssh2 stalls its channel from 40,000 on (measured), and 34,000 went.
const LONGEST: usize = 33_000;

/// After this long without a sign of life the host is asked for one, and again each time it has passed.
const ASK: Duration = Duration::from_secs(5);

/// After this long without a sign of life the line is dead: three questions went unanswered.
const SILENT: Duration = Duration::from_secs(18);

/// Between two turns of ours there is never more than this, unless we were stopped or our caller was busy.
const AWAY: Duration = Duration::from_secs(3);

/// How long a channel may take to open where the server has room for one alone and the last has yet to go.
const ROOM: Duration = Duration::from_secs(10);

/// The longest sleep: the clock is looked at this often.
const TICK: Duration = Duration::from_secs(1);

/// libssh2's "the server refused a channel" (LIBSSH2_ERROR_CHANNEL_FAILURE).
const NO_CHANNEL: ErrorCode = ErrorCode::Session(-21);

/// Whether the link must take bytes before we can go on.
#[derive(Clone, Copy)]
enum Room {
    Needed,
    NotNeeded,
}

/// The channel for the next command.
enum Spare {
    /// None is wanted yet, or its opening is under way inside libssh2, which goes on when asked again.
    Wanted,
    Ready(Channel),
    /// The server allows no second channel: the next one is opened when it is needed.
    Refused,
}

/// The command that asks the running one to stop.
enum Beside {
    Nothing,
    Wanted(String),
    Running(Box<Running>),
}

/// A connection that commands are run on. Dropping it ends the connection at once.
pub struct Ssh {
    // Channels go before the session, and the session before the link below it.
    retired: Vec<Channel>,
    spare: Spare,
    session: Session,
    link: Link,
    interrupts: Interrupts,
    /// Interrupts that somebody knew of when the command began.
    known: usize,
    /// The server has granted a channel before.
    had_channel: bool,
    /// Why nothing more can be run.
    dead: Option<String>,
    /// From here on silence counts, if nothing was heard since.
    listening: Instant,
    asked: Instant,
    turned: Instant,
}

impl Ssh {
    /// Takes over a connection that is logged in.
    pub(super) fn new(open: Open, interrupts: Interrupts) -> Self {
        let Open { session, link } = open;
        session.set_timeout(0);
        session.set_blocking(false);
        // Every call sends one: when to ask is decided here.
        session.set_keepalive(true, 2);
        let now = Instant::now();
        Self {
            retired: Vec::new(),
            spare: Spare::Wanted,
            session,
            link,
            interrupts,
            known: 0,
            had_channel: false,
            dead: None,
            listening: now,
            asked: now,
            turned: now,
        }
    }

    fn run(
        &mut self,
        exec: Exec<'_>,
        heard: &mut dyn FnMut(Heard<'_>) -> Then,
    ) -> Result<Ended, Lost> {
        let line = exec.line;
        let mut stdin = Stdin::new(exec.stdin);
        // What somebody has been told of already is no news; what comes from now on is.
        self.known = self.interrupts.known();
        (self.listening, self.asked, self.turned) =
            (Instant::now(), Instant::now(), Instant::now());
        let mut told = false;
        let mut beside = Beside::Nothing;
        let mut running = Running::new(self.channel()?, line);
        let mut fresh = false;
        let mut ended: Option<Instant> = None;
        loop {
            if matches!(&beside, Beside::Running(other) if other.owes()) {
                self.beside(&mut beside)?;
                self.wait(Room::Needed, TICK)?;
                continue;
            }
            let turn = match running.turn(&self.session, &self.link, &mut stdin, heard) {
                Ok(turn) => turn,
                // The server may have closed the spare channel meanwhile. Nothing has run and nothing of stdin was
                // taken, so it is safe to try anew, once.
                Err(Trouble::Refused(_)) if !fresh => {
                    fresh = true;
                    let old = std::mem::replace(&mut running, Running::new(self.channel()?, line));
                    self.retired.push(old.into_channel());
                    continue;
                }
                Err(Trouble::Source(e)) => {
                    self.retired.push(running.into_channel());
                    return Err(Lost::Source(e.to_string()));
                }
                Err(Trouble::Link(why) | Trouble::Refused(why)) => {
                    return Err(Lost::Cut(self.words(why)));
                }
            };
            if running.finished() {
                ended.get_or_insert_with(Instant::now);
            }
            let held = ended.is_some_and(|at| at.elapsed() >= LINGER) && !running.owes();
            if held || turn == Turn::Closed {
                let ended = running.ended().map_err(cut)?;
                self.retired.push(running.into_channel());
                if let Beside::Running(other) = beside {
                    self.retired.push(other.into_channel());
                }
                self.retire()?;
                return Ok(ended);
            }
            if running.requested() && !running.owes() {
                self.beside(&mut beside)?;
                if matches!(&beside, Beside::Running(other) if other.owes()) {
                    continue;
                }
                self.retire()?;
                self.open_spare()?;
            }
            if self.news()? && !told {
                told = true;
                if let Then::Run(line) = heard(Heard::Interrupted) {
                    beside = Beside::Wanted(line);
                    continue;
                }
            }
            if turn != Turn::Moved {
                let full = turn == Turn::Full;
                self.wait(if full { Room::Needed } else { Room::NotNeeded }, TICK)?;
            }
        }
    }

    /// A channel for a command: the spare one, or a new one.
    fn channel(&mut self) -> Result<Channel, Lost> {
        let until = Instant::now() + ROOM;
        let mut pause = Duration::from_millis(1);
        // What was refused before may be granted now: the command that took the room has ended.
        if matches!(self.spare, Spare::Refused) {
            self.spare = Spare::Wanted;
        }
        loop {
            self.retire()?;
            self.open_spare()?;
            let limit = match std::mem::replace(&mut self.spare, Spare::Wanted) {
                Spare::Ready(mut channel) => {
                    // Takes in what has arrived; a server may close idle channels (ChannelTimeout).
                    let _ = channel.read(&mut [0u8; 1]);
                    if channel.eof() {
                        self.retired.push(channel);
                        continue;
                    }
                    self.had_channel = true;
                    return Ok(channel);
                }
                Spare::Wanted => TICK,
                // sshd lets go of a closed channel a moment after it has answered: try again, less and less often.
                Spare::Refused if self.had_channel && Instant::now() < until => {
                    pause = (pause * 2).min(TICK / 4);
                    pause
                }
                Spare::Refused => {
                    return Err(Lost::Cut(
                        "the server refused to open a session channel".into(),
                    ));
                }
            };
            self.wait(Room::NotNeeded, limit)?;
        }
    }

    /// Goes on opening the spare channel, if one is wanted.
    fn open_spare(&mut self) -> Result<(), Lost> {
        if !matches!(self.spare, Spare::Wanted) || !self.link.roomy() {
            return Ok(());
        }
        loop {
            match self.session.channel_session() {
                Err(e) if e.code() == NO_CHANNEL => self.spare = Spare::Refused,
                result => match now(&self.session, result).map_err(|e| cut(e.into()))? {
                    Now::Done(channel) => self.spare = Spare::Ready(channel),
                    Now::Later => {}
                    Now::Half => {
                        self.wait(Room::Needed, TICK)?;
                        continue;
                    }
                },
            }
            return Ok(());
        }
    }

    /// Goes on with the command that asks the running one to stop. What it says and how it ends is not looked at: the
    /// running one's own end is what counts.
    fn beside(&mut self, beside: &mut Beside) -> Result<(), Lost> {
        if let Beside::Wanted(line) = beside
            && let Spare::Ready(channel) = std::mem::replace(&mut self.spare, Spare::Wanted)
        {
            *beside = Beside::Running(Box::new(Running::new(channel, line)));
        }
        if let Beside::Running(other) = beside {
            let over = match other.turn(
                &self.session,
                &self.link,
                &mut Stdin::new(None),
                &mut |_| Then::Listen,
            ) {
                Ok(turn) => turn == Turn::Closed,
                Err(Trouble::Link(why)) => return Err(Lost::Cut(self.words(why))),
                Err(Trouble::Refused(_) | Trouble::Source(_)) => true,
            };
            if over && let Beside::Running(other) = std::mem::replace(beside, Beside::Nothing) {
                self.retired.push(other.into_channel());
            }
        }
        Ok(())
    }

    /// Closes channels that are done with. One whose command still runs stays until it ends; none is waited for.
    fn retire(&mut self) -> Result<(), Lost> {
        let mut at = 0;
        while at < self.retired.len() {
            if !self.link.roomy() {
                return Ok(());
            }
            match self.retired[at].close() {
                Ok(()) => drop(self.retired.swap_remove(at)),
                Err(e) => match now::<()>(&self.session, Err(e)).map_err(|e| cut(e.into()))? {
                    Now::Half => self.wait(Room::Needed, TICK)?,
                    Now::Done(()) | Now::Later => at += 1,
                },
            }
        }
        Ok(())
    }

    /// Sleeps until the link, a person or the clock has something for us; fails when it is no use to go on.
    fn wait(&mut self, room: Room, limit: Duration) -> Result<(), Lost> {
        let events = match room {
            Room::Needed => PollFlags::OUT,
            Room::NotNeeded => PollFlags::IN,
        };
        let mut fds = [
            PollFd::from_borrowed_fd(self.link.near(), events),
            PollFd::from_borrowed_fd(self.interrupts.wake(), PollFlags::IN),
        ];
        match poll(&mut fds, Some(&timespec(limit))) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(Lost::Cut(format!("poll: {e}"))),
        }
        self.news()?;
        self.judge()
    }

    /// Whether an interrupt came that nobody knew of when the command began; a second one leaves.
    fn news(&self) -> Result<bool, Lost> {
        match self.interrupts.since(self.known) {
            Wish::Nothing => Ok(false),
            Wish::Stop => Ok(true),
            Wish::Leave => Err(Lost::Left),
        }
    }

    /// Asks a silent host for a sign of life, and gives the line up when none comes.
    fn judge(&mut self) -> Result<(), Lost> {
        let now = Instant::now();
        if now.duration_since(self.turned) > AWAY {
            // We were not there to hear or to ask: silence counts from now on.
            self.listening = now;
        }
        self.turned = now;
        let silent = now.saturating_duration_since(self.link.alive().max(self.listening));
        if silent >= SILENT {
            return Err(Lost::Silent(silent.as_secs()));
        }
        if silent >= ASK && now.duration_since(self.asked) >= ASK && self.link.roomy() {
            self.asked = now;
            self.session.keepalive_send().map_err(|e| cut(e.into()))?;
        }
        Ok(())
    }

    /// Why the link broke, with the last words of the child that carried it.
    fn words(&mut self, why: String) -> String {
        let child = self.link.child_words();
        if child.is_empty() {
            why
        } else {
            format!("{why} ({})", child.join("; "))
        }
    }
}

fn cut(trouble: Trouble) -> Lost {
    match trouble {
        Trouble::Link(why) | Trouble::Refused(why) => Lost::Cut(why),
        Trouble::Source(e) => Lost::Source(e.to_string()),
    }
}

impl Host for Ssh {
    fn exec(
        &mut self,
        exec: Exec<'_>,
        heard: &mut dyn FnMut(Heard<'_>) -> Then,
    ) -> Result<Ended, Lost> {
        if let Some(why) = &self.dead {
            return Err(Lost::Cut(why.clone()));
        }
        if exec.line.len() > LONGEST || exec.line.contains('\0') {
            let size = exec.line.len();
            return Err(Lost::Source(format!(
                "a command line of {size} bytes cannot be sent, {LONGEST} at most can"
            )));
        }
        let result = self.run(exec, heard);
        match &result {
            Ok(_) | Err(Lost::Source(_)) => {}
            Err(lost) => {
                self.dead = Some(match lost {
                    Lost::Cut(why) => format!("the connection is gone: {why}"),
                    Lost::Silent(seconds) => {
                        format!("the connection was given up after {seconds} s of silence")
                    }
                    Lost::Left | Lost::Source(_) => "the connection was left".to_owned(),
                });
                self.link.shut();
            }
        }
        result
    }

    fn traffic(&self) -> (u64, u64) {
        self.link.traffic()
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        if self.dead.is_none() && self.link.roomy() {
            // A word of goodbye for the server's log; the pump sends it on after we have shut our end.
            let _ =
                self.session
                    .disconnect(Some(ssh2::DisconnectCode::ByApplication), "done", None);
        }
        self.link.shut();
    }
}
