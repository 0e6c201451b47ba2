//! The only way to reach a host: one trait that runs command lines. Nothing here knows what a deploy is.
//! Start reading at [`Host`]; `ssh/` is the built-in implementation, `openssh` runs the ssh program instead.

pub mod openssh;
pub mod ssh;
pub mod stdin;
mod stopper;
pub mod terminal;

use std::io::Read;
use std::time::Duration;

use crate::failure::{Exit, Failure, Next};
use stdin::Live;
use terminal::Terminal;

/// One command line on the host, as sshd hands it to the login shell. Made by `remote`, never by hand.
pub struct Exec<'a> {
    /// The line: printable ASCII without anything that any login shell (dash, bash, fish, tcsh) would change.
    pub line: &'a str,
    /// What the command reads. Its end is sent as end of file; `None` is an empty stdin.
    pub stdin: Option<&'a mut dyn Read>,
    /// For a source of stdin that may have nothing for a while: it then fails with `WouldBlock`.
    pub live: Option<&'a Live<'a>>,
    /// The user's terminal: the command gets one of its own, of the same kind and size.
    pub terminal: Option<&'a Terminal>,
}

impl<'a> Exec<'a> {
    /// A command whose stdin is empty.
    pub fn of(line: &'a str) -> Self {
        Self {
            line,
            stdin: None,
            live: None,
            terminal: None,
        }
    }
}

/// How long a channel may stay open after [`Then::Finish`]: for the rest of stderr, which travels separately.
pub const LINGER: Duration = Duration::from_secs(1);

/// How often a connection needs attention while no command runs.
pub const IDLE: Duration = Duration::from_secs(2);

/// What arrives while a command runs.
#[derive(Debug)]
pub enum ExecEvent<'a> {
    /// Bytes from its standard output, as they came.
    Out(&'a [u8]),
    /// Bytes from its standard error, as they came.
    Err(&'a [u8]),
    /// Bytes of stdin handed to the connection so far.
    Sent(u64),
    /// The user pressed Ctrl-C for the first time. It comes again until the reply is [`Then::Run`]: what makes the command
    /// stop may be known only once the host has printed something.
    Interrupted,
    /// The command of [`Then::Run`] has ended; this is what it printed. `None`: it could not run over this connection,
    /// because the server allows no second session.
    Asked(Option<&'a [u8]>),
}

/// What the caller wants after it heard something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// Continue.
    Listen,
    /// Everything that matters has arrived. Processes that the command left behind may hold its outputs open forever,
    /// so the channel is closed [`LINGER`] later, at the latest.
    Finish,
    /// The host breaks the protocol, in these words: nothing more of it is read.
    Abandon(String),
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
    /// The host sent what no session of shipit sends: the caller's own words.
    Breach(String),
    /// The login worked, and the host ended the session without running the command: what it printed.
    Refused(String),
    /// The login worked, and sshd did not begin the command: what it refused.
    Unbegun(&'static str),
    /// Reading the local source of stdin failed (the file changed, the disk failed): the command was abandoned.
    Source(String),
}

const NO_COMMANDS: &str = "logged in, but this account cannot run commands";

/// Logged in, and no command runs: an expired password, a shell that only refuses, a forced command, SFTP only. The
/// reason is what the host printed last: the message of the day comes before it.
pub fn no_commands(printed: &str) -> Failure {
    let lines = printed.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines: Vec<_> = lines.map(|line| format!("the host printed: {line}")).collect();
    let mut failure = Failure::new(Exit::Unreachable, NO_COMMANDS);
    failure.why = lines[lines.len().saturating_sub(5)..].to_vec();
    if failure.why.is_empty() {
        failure = failure.why("the host printed nothing");
    }
    // Not the message of the day, which comes first.
    let printed = failure.why.concat().to_ascii_lowercase();
    let expired = [
        "password has expired",
        "password change required",
        "change your password",
    ];
    let line = if expired.iter().any(|words| printed.contains(words)) {
        Next::shell("sudo chage --maxdays -1 --lastday \"$(date +%F)\" USER")
    } else if printed.contains("not available") {
        Next::shell("sudo usermod --shell /bin/sh USER")
    } else {
        return failure.next(Next::advice(
            "give it a login shell, no forced command or `ForceCommand`, and startup files (such as ~/.bashrc) that do not end the shell",
        ));
    };
    failure.next(line.remark("on the host; USER is this account"))
}

/// Logged in, and sshd refused to begin a command: usually it could not start a process for this account.
pub fn unbegun(refused: &str) -> Failure {
    Failure::new(Exit::Unreachable, NO_COMMANDS)
        .why(refused)
        .why("a limit of the account (nproc in /etc/security/limits.conf) or a setting of sshd (MaxSessions, PermitTTY) can cause this")
        .next(Next::shell("sudo journalctl -u ssh -n 20").remark("on the host: the reason, from sshd"))
}

/// A host that commands can be run on.
pub trait Host {
    /// Runs one command and reports what arrives, until its channel has closed.
    /// Fails with [`Lost`] when the connection was lost, at the latest 20 s after the last sign of life.
    fn exec(&mut self, exec: Exec<'_>, on_event: &mut dyn FnMut(ExecEvent<'_>) -> Then) -> Result<Ended, Lost>;

    /// Keeps the connection open while no command runs: to be called every [`IDLE`]. Fails with [`Lost`] when it was lost;
    /// this default keeps none.
    fn idle(&mut self) -> Result<(), Lost> {
        Ok(())
    }

    /// Runs several commands that do not depend on each other, at the same time where the transport can; this default
    /// runs one after another. `heard` gets the index of the command. Results are in the order of the commands.
    /// Fails with the first [`Lost`]; the other commands may have run, in whole or in part.
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

    /// A command line that will run soon and takes all its work from stdin: the transport may start it while another
    /// one runs, so that it costs one round trip less. One that is never run reads the end of its stdin.
    fn expect(&mut self, _line: String) {}

    /// Whether the next [`Self::exec`] of this line finds it started.
    fn waits(&self, _line: &str) -> bool {
        false
    }

    /// Bytes that crossed the connection so far: sent, received.
    fn traffic(&self) -> (u64, u64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_that_runs_no_command_is_told_what_changes_that() {
        for (printed, line) in [
            ("Password change required but no TTY available.", "chage --maxdays -1"),
            ("This account is currently not available.", "usermod --shell /bin/sh"),
            ("hello", "startup files"),
        ] {
            let next = format!("{:?}", no_commands(printed).next);
            assert!(next.contains(line), "{printed}: {next}");
        }
    }
}
