//! The only way to reach a host: one trait that runs command lines. Nothing here knows what a deploy is.
//! Start reading at [`Host`]; `ssh/` is the built-in implementation, `openssh` runs the ssh program instead.

pub mod openssh;
pub mod ssh;
mod stdin;

use std::io::Read;
use std::time::Duration;

/// One command line on the host, as sshd hands it to the login shell. Made by `remote`, never by hand.
pub struct Exec<'a> {
    /// The line: printable ASCII without anything that any login shell (dash, bash, fish, tcsh) would change.
    pub line: &'a str,
    /// What the command reads. Its end is sent as end of file; `None` is an empty stdin.
    pub stdin: Option<&'a mut dyn Read>,
}

/// How long a channel may stay open after [`Then::Finish`]: for the rest of stderr, which travels separately.
pub const LINGER: Duration = Duration::from_secs(1);

/// What arrives while a command runs.
#[derive(Debug)]
pub enum ExecEvent<'a> {
    /// Bytes from its standard output, as they came.
    Out(&'a [u8]),
    /// Bytes from its standard error, as they came.
    Err(&'a [u8]),
    /// Bytes of stdin handed to the connection so far.
    Sent(u64),
    /// The user pressed Ctrl-C for the first time.
    Interrupted,
}

/// What the caller wants after it heard something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// Continue.
    Listen,
    /// Everything that matters has arrived. Processes that the command left behind may hold its outputs open forever,
    /// so the channel is closed [`LINGER`] later, at the latest.
    Finish,
    /// In reply to [`ExecEvent::Interrupted`]: run this command line at the same time, to make the command stop.
    Run(String),
}

/// How a command ended, as far as the transport can tell. Never proof of success: `remote` waits for the
/// command's own end token (libssh2 reports status 0 where none came).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The channel closed; this is the status the transport reports.
    Code(i32),
    /// The server reported that this signal ended it.
    Signal(String),
}

/// The connection was lost: whether the command ran to its end is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The connection broke; the transport's own words.
    Cut(String),
    /// Nothing arrived for this many seconds although the host was asked for a reply.
    Silent(u64),
    /// The user pressed Ctrl-C twice.
    Interrupted,
    /// Reading the local source of stdin failed (the file changed, the disk failed): the command was abandoned.
    Source(String),
}

/// A host that commands can be run on.
pub trait Host {
    /// Runs one command and reports what arrives, until its channel has closed.
    ///
    /// # Errors
    /// [`Lost`] when the connection was lost, at the latest 20 s after the last sign of life.
    fn exec(&mut self, exec: Exec<'_>, on_event: &mut dyn FnMut(ExecEvent<'_>) -> Then) -> Result<Ended, Lost>;

    /// Runs several commands that do not depend on each other, at the same time where the transport can; this default
    /// runs one after another. `heard` gets the index of the command. Results are in the order of the commands.
    ///
    /// # Errors
    /// The first [`Lost`]; the other commands may have run, in whole or in part.
    fn exec_all(
        &mut self,
        execs: Vec<Exec<'_>>,
        on_event: &mut dyn FnMut(usize, ExecEvent<'_>) -> Then,
    ) -> Result<Vec<Ended>, Lost> {
        let numbered = execs.into_iter().enumerate();
        numbered
            .map(|(i, exec)| self.exec(exec, &mut |event| on_event(i, event)))
            .collect()
    }

    /// Bytes that crossed the connection so far: sent, received.
    fn traffic(&self) -> (u64, u64);
}
