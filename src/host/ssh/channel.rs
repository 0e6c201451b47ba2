//! One command's channel, driven without blocking: request, stdin, both outputs, end. Each call does what can be done
//! now and never waits; `session` does.

use std::io::{self, Read, Write};

use ssh2::{BlockDirections, Channel, ErrorCode, Session};

use super::pump::Pump;
use crate::host::stdin::{PIECE, Stdin};
use crate::host::terminal::{GONE, Terminal};
use crate::host::{Ended, ExecEvent, Then};

/// The call would block (LIBSSH2_ERROR_EAGAIN).
const AGAIN: ErrorCode = ErrorCode::Session(-37);

/// Bytes of one read.
const SLICE: usize = 64 * 1024;

/// Bytes of stdin before everything else is checked again.
const BATCH: u64 = 16 * PIECE as u64;

/// Reads of each output before everything else is checked again.
const READS: usize = 32;

/// The result of a call that must not block.
pub enum Now<T> {
    Done(T),
    /// Nothing can be done before the server replies.
    Later,
    /// A packet is half sent: the same call must be repeated, before any other, once there is room.
    Half,
}

/// Tells "later" from a failure: libssh2 returns both as an error.
pub fn now<T>(session: &Session, result: Result<T, ssh2::Error>) -> Result<Now<T>, ssh2::Error> {
    match result {
        Ok(value) => Ok(Now::Done(value)),
        Err(e) if e.code() == AGAIN && half_sent(session) => Ok(Now::Half),
        Err(e) if e.code() == AGAIN => Ok(Now::Later),
        Err(e) => Err(e),
    }
}

/// Whether the call that would block has left a part of its packet unsent.
fn half_sent(session: &Session) -> bool {
    matches!(
        session.block_directions(),
        BlockDirections::Outbound | BlockDirections::Both
    )
}

/// Why a channel cannot go on.
pub enum Trouble {
    /// The connection is broken: libssh2's message.
    Cut(String),
    /// The server refused the command, or closed the channel before.
    Refused(&'static str),
    /// The source of stdin failed.
    Source(io::Error),
    /// The caller abandoned the command.
    Abandoned(String),
}

impl From<ssh2::Error> for Trouble {
    fn from(e: ssh2::Error) -> Self {
        Self::Cut(e.message().to_owned())
    }
}

impl From<io::Error> for Trouble {
    fn from(e: io::Error) -> Self {
        Self::Cut(e.to_string())
    }
}

/// How far a channel came. Of several, the greatest counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Progress {
    /// Nothing could move: wait for the server.
    Stuck,
    /// Something moved: go on before waiting.
    Moved,
    /// A packet is half sent: wait until the pump has room for the rest.
    Full,
    /// The server has closed the channel.
    Closed,
}

/// A call whose packet is half sent: libssh2 requires it again before any other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owed {
    Terminal,
    Request,
    Resize,
    Out,
    Err,
    Write,
    Eof,
}

/// A channel and the command on it.
pub struct Running<'a> {
    pub channel: Channel,
    pub line: String,
    terminal: Option<&'a Terminal>,
    /// The command has the terminal that it is to have.
    has_terminal: bool,
    /// The size that is not sent yet.
    size: Option<(u32, u32)>,
    /// The server runs it.
    pub accepted: bool,
    /// The request was sent: more may be sent after it, and another channel opened.
    pub requested: bool,
    eof_sent: bool,
    owed: Option<Owed>,
    /// The caller has heard everything that matters.
    pub finished: bool,
    slice: Vec<u8>,
}

impl<'a> Running<'a> {
    pub fn new(channel: Channel, line: &str, terminal: Option<&'a Terminal>) -> Self {
        Self {
            channel,
            line: line.to_owned(),
            terminal,
            has_terminal: terminal.is_none(),
            size: None,
            accepted: false,
            requested: false,
            eof_sent: false,
            owed: None,
            finished: false,
            slice: vec![0; SLICE],
        }
    }

    /// A packet of this channel is half sent: no other call may be made on the session.
    pub fn owes(&self) -> bool {
        self.owed.is_some()
    }

    /// Does everything that can be done now. Fails with [`Trouble`]; the channel can no longer be used.
    pub fn advance(
        &mut self,
        session: &Session,
        pump: &Pump,
        stdin: &mut Stdin<'_>,
        on_event: &mut dyn FnMut(ExecEvent<'_>) -> Then,
    ) -> Result<Progress, Trouble> {
        if self.terminal.is_some_and(Terminal::is_gone) {
            return Err(Trouble::Source(io::Error::other(GONE)));
        }
        if let Some(owed) = self.owed {
            if !pump.has_room() {
                return Ok(Progress::Full);
            }
            let progress = match owed {
                Owed::Terminal | Owed::Request => self.request(session, pump)?,
                Owed::Resize => self.resize(session, pump)?,
                Owed::Out => self.read(session, 0, on_event)?,
                Owed::Err => self.read(session, ssh2::EXTENDED_DATA_STDERR, on_event)?,
                Owed::Write | Owed::Eof => self.feed(session, pump, stdin, on_event)?,
            };
            if self.owed.is_some() {
                return Ok(progress);
            }
        }
        let mut progress = Progress::Stuck;
        if !self.accepted {
            progress = progress.max(self.request(session, pump)?);
            if !self.requested || self.owes() {
                return Ok(progress);
            }
        }
        if self.accepted {
            progress = progress.max(self.resize(session, pump)?);
            if self.owes() {
                return Ok(progress);
            }
        }
        for stream in [0, ssh2::EXTENDED_DATA_STDERR] {
            progress = progress.max(self.read(session, stream, on_event)?);
            if self.owes() {
                return Ok(progress);
            }
        }
        if self.channel.eof() {
            if !self.accepted {
                // The reply to the request may have come with the end.
                self.request(session, pump)?;
                if !self.accepted {
                    return Err(Trouble::Refused("the server closed the channel before the command ran"));
                }
            }
            // Not `close`: that would take the streams from a command that closed its outputs early and still runs.
            match now(session, self.channel.wait_close())? {
                Now::Done(()) => return Ok(Progress::Closed),
                Now::Later | Now::Half => {}
            }
        }
        // Not before the server has accepted the command: sshd grants no window until then, and an end of file that
        // overtakes the request (during a key exchange, for example) would be ignored.
        if !self.accepted {
            return Ok(progress);
        }
        Ok(progress.max(self.feed(session, pump, stdin, on_event)?))
    }

    /// Sends the command, and continues to.
    pub fn request(&mut self, session: &Session, pump: &Pump) -> Result<Progress, Trouble> {
        if !self.requested && !pump.has_room() {
            return Ok(Progress::Full);
        }
        if let Some(terminal) = self.terminal.filter(|_| !self.has_terminal) {
            let (columns, rows) = terminal.size();
            let size = Some((u32::from(columns), u32::from(rows), 0, 0));
            let result = self.channel.request_pty(&terminal.kind, None, size);
            if result.as_ref().is_err_and(|e| e.code() == ErrorCode::Session(-22)) {
                return Err(Trouble::Refused(
                    "the server did not allocate a terminal for the command (PermitTTY?)",
                ));
            }
            self.owed = None;
            match now(session, result)? {
                Now::Done(()) => self.has_terminal = true,
                Now::Later => return Ok(Progress::Stuck),
                Now::Half => {
                    self.owed = Some(Owed::Terminal);
                    return Ok(Progress::Full);
                }
            }
            if !pump.has_room() {
                return Ok(Progress::Full);
            }
        }
        let result = self.channel.exec(&self.line);
        let refused = result.as_ref().is_err_and(|e| e.code() == ErrorCode::Session(-22));
        if refused {
            return Err(Trouble::Refused("the server refused to run a command"));
        }
        match now(session, result)? {
            Now::Done(()) => {
                self.accepted = true;
                self.requested = true;
                self.owed = None;
                Ok(Progress::Moved)
            }
            Now::Later => {
                self.requested = true;
                self.owed = None;
                Ok(Progress::Stuck)
            }
            Now::Half => {
                self.owed = Some(Owed::Request);
                Ok(Progress::Full)
            }
        }
    }

    fn read(
        &mut self,
        session: &Session,
        stream: i32,
        on_event: &mut dyn FnMut(ExecEvent<'_>) -> Then,
    ) -> Result<Progress, Trouble> {
        let mut progress = Progress::Stuck;
        for _ in 0..READS {
            match self.channel.stream(stream).read(&mut self.slice) {
                Ok(0) => break,
                Ok(n) => {
                    progress = Progress::Moved;
                    let bytes = &self.slice[..n];
                    let then = on_event(if stream == 0 {
                        ExecEvent::Out(bytes)
                    } else {
                        ExecEvent::Err(bytes)
                    });
                    match then {
                        Then::Abandon(why) => return Err(Trouble::Abandoned(why)),
                        then => self.finished |= then == Then::Finish,
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    if half_sent(session) {
                        // libssh2 wanted to widen the window, and that packet is half sent.
                        self.owed = Some(if stream == 0 { Owed::Out } else { Owed::Err });
                        return Ok(Progress::Full);
                    }
                    break;
                }
                Err(e) => return Err(e.into()),
            }
        }
        self.owed = None;
        Ok(progress)
    }

    fn feed(
        &mut self,
        session: &Session,
        pump: &Pump,
        stdin: &mut Stdin<'_>,
        on_event: &mut dyn FnMut(ExecEvent<'_>) -> Then,
    ) -> Result<Progress, Trouble> {
        let mut progress = Progress::Stuck;
        let before = stdin.sent;
        while stdin.sent - before < BATCH {
            let bytes = stdin.peek().map_err(Trouble::Source)?;
            if bytes.is_empty() {
                break;
            }
            if !pump.has_room() {
                progress = Progress::Full;
                break;
            }
            match self.channel.write(bytes) {
                // The window is full.
                Ok(0) => break,
                Ok(n) => {
                    self.owed = None;
                    progress = Progress::Moved;
                    stdin.advance(n);
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    if half_sent(session) {
                        self.owed = Some(Owed::Write);
                        progress = Progress::Full;
                    }
                    break;
                }
                Err(e) => return Err(e.into()),
            }
        }
        if stdin.sent > before {
            self.finished |= on_event(ExecEvent::Sent(stdin.sent)) == Then::Finish;
        }
        if stdin.ended() && !self.eof_sent && self.owed != Some(Owed::Write) {
            progress = progress.max(self.end_of_file(session, pump)?);
        }
        Ok(progress)
    }

    /// Sends the new size of the user's terminal, if it has one.
    fn resize(&mut self, session: &Session, pump: &Pump) -> Result<Progress, Trouble> {
        if let Some(terminal) = self.terminal.filter(|terminal| terminal.was_resized()) {
            let (columns, rows) = terminal.size();
            self.size = Some((columns.into(), rows.into()));
        }
        let Some((columns, rows)) = self.size else {
            return Ok(Progress::Stuck);
        };
        if !pump.has_room() {
            return Ok(Progress::Full);
        }
        let result = self.channel.request_pty_size(columns, rows, None, None);
        self.owed = None;
        match now(session, result)? {
            Now::Done(()) => {
                self.size = None;
                Ok(Progress::Moved)
            }
            Now::Later => Ok(Progress::Stuck),
            Now::Half => {
                self.owed = Some(Owed::Resize);
                Ok(Progress::Full)
            }
        }
    }

    fn end_of_file(&mut self, session: &Session, pump: &Pump) -> Result<Progress, Trouble> {
        if !pump.has_room() {
            return Ok(Progress::Full);
        }
        match now(session, self.channel.send_eof())? {
            Now::Done(()) => {
                self.eof_sent = true;
                self.owed = None;
                Ok(Progress::Moved)
            }
            Now::Later => Ok(Progress::Stuck),
            Now::Half => {
                self.owed = Some(Owed::Eof);
                Ok(Progress::Full)
            }
        }
    }

    /// How the command ended, once the channel has closed. libssh2 gives 0 where no status came, so this proves nothing.
    pub fn ended(&self) -> Result<Ended, ssh2::Error> {
        match self.channel.exit_signal()?.exit_signal {
            Some(signal) => Ok(Ended::Signal(signal)),
            None => Ok(Ended::Code(self.channel.exit_status()?)),
        }
    }
}
