//! The only way to a machine. One trait with one method; faults are injected by wrapping it.
//! Nothing here knows what a deploy is. Start reading at [`Host`]; `ssh/` is the real one.

pub mod ssh;
pub mod system;

use std::io::Read;
use std::time::Duration;

/// One command line on the host, as sshd hands it to the login shell. Made by `remote`, never by hand.
pub struct Exec<'a> {
    /// The line: printable ASCII without anything that any login shell (dash, bash, fish, tcsh) would change.
    pub line: &'a str,
    /// What the command reads. The end of it is sent as end of file; `None` is an empty stdin.
    pub stdin: Option<&'a mut dyn Read>,
    /// Asked once, at the first interrupt: a command line to run beside this one, that asks it to stop.
    pub stop: Option<&'a dyn Fn() -> Option<String>>,
    /// Asked while the channel is open: true once all that matters was heard. What the command left running may hold
    /// its outputs open for ever; [`LINGER`] later the channel is let go.
    pub over: Option<&'a dyn Fn() -> bool>,
}

/// How long a channel may stay open after its command is over: for the last of stderr, which travels on its own.
pub const LINGER: Duration = Duration::from_secs(1);

/// What is heard while a command runs.
#[derive(Debug)]
pub enum Heard<'a> {
    /// Bytes from its standard output, as they came.
    Out(&'a [u8]),
    /// Bytes from its standard error, as they came.
    Err(&'a [u8]),
    /// This many bytes of stdin have been handed to the link so far.
    Sent(u64),
    /// The person asked to stop; the `stop` line, if there is one, is on its way.
    Interrupted,
}

/// How a command ended, as far as the transport can tell. Never proof of success: `remote` waits for the
/// command's own end token (libssh2 reports status 0 where none came).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The channel closed; this is the status the transport reports.
    Code(i32),
    /// The server said that a signal ended it.
    Signal(String),
}

/// The line went away: it is not known whether the command ran to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The connection broke; the transport's own words.
    Cut(String),
    /// Nothing was heard for this many seconds although the host was asked.
    Silent(u64),
    /// The person asked twice and we left.
    Left,
    /// Reading the local stdin source failed (the file changed, the disk failed): the command was abandoned.
    Source(String),
}

/// A machine that commands can be run on.
pub trait Host {
    /// Runs one command and reports what is heard, until its channel has closed.
    ///
    /// # Errors
    /// [`Lost`] when the line went away, at the latest 20 s after the last sign of life.
    fn exec(&mut self, exec: Exec<'_>, heard: &mut dyn FnMut(Heard<'_>)) -> Result<Ended, Lost>;
    /// Bytes that crossed the link so far: sent, received. For `ended.bytes_sent` and the bench.
    fn traffic(&self) -> (u64, u64);
}
