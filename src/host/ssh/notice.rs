//! What a person should hear while a connection is made, as values; and how a person is asked.
//! Nothing here decides anything.

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use crate::interrupt::{Interrupts, Wish};

/// Something worth a line on the screen that is no reason to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A host key was written to known_hosts because the policy said so.
    Recorded {
        /// The host as it stands in known_hosts.
        host: String,
        /// `SHA256:…`.
        fingerprint: String,
        /// The file that got the line.
        file: PathBuf,
    },
    /// A part of the ssh configuration that the built-in reader does not understand.
    ConfigIgnored {
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        what: String,
    },
    /// A way to log in that could not be used; the next one is tried.
    Skipped {
        /// The key file or agent.
        what: String,
        why: String,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recorded {
                host,
                fingerprint,
                file,
            } => {
                write!(
                    f,
                    "recorded the host key of {host}: {fingerprint} ({})",
                    file.display()
                )
            }
            Self::ConfigIgnored { file, line, what } => {
                write!(
                    f,
                    "{}:{line}: {what} is not read without the ssh program",
                    file.display()
                )
            }
            Self::Skipped { what, why } => write!(f, "{what}: {why}"),
        }
    }
}

/// What came of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply<T> {
    Given(T),
    /// The person left, with Ctrl-C or by closing the terminal.
    Left,
    /// There is nobody to be asked.
    Nobody,
}

/// A person at a terminal, or nobody. Prompts are complete sentences, already safe to show.
pub trait Ask {
    /// A passphrase for a key.
    fn passphrase(&mut self, prompt: &str) -> Reply<String>;
    /// A password or another answer that the server wants; not echoed.
    fn password(&mut self, prompt: &str) -> Reply<String>;
    /// A question that only a written "yes" or "y" answers with yes.
    fn yes(&mut self, question: &str) -> Reply<bool>;
}

/// Nobody is there: in CI, in a pipe, under cron.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoOne;

impl Ask for NoOne {
    fn passphrase(&mut self, _: &str) -> Reply<String> {
        Reply::Nobody
    }
    fn password(&mut self, _: &str) -> Reply<String> {
        Reply::Nobody
    }
    fn yes(&mut self, _: &str) -> Reply<bool> {
        Reply::Nobody
    }
}

/// The person at the terminal, who may answer with Ctrl-C.
#[derive(Clone)]
pub struct Terminal(Interrupts);

/// The person, when stdin and stderr are a terminal; else nobody.
#[must_use]
pub fn terminal(interrupts: &Interrupts) -> Box<dyn Ask> {
    if std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
        Box::new(Terminal(interrupts.clone()))
    } else {
        Box::new(NoOne)
    }
}

impl Terminal {
    /// Asks on the terminal itself, so that stdin and stdout stay free. Nothing that is typed is shown, not even what
    /// was typed before the question stood there.
    fn secret(&self, prompt: &str) -> Reply<String> {
        let tty = File::options().read(true).write(true).open("/dev/tty");
        let Ok((mut terminal, shown)) = tty.and_then(|tty| {
            let shown = tcgetattr(&tty)?;
            Ok((tty, shown))
        }) else {
            return Reply::Nobody;
        };
        let mut hidden = shown.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        if tcsetattr(&terminal, OptionalActions::Flush, &hidden).is_err() {
            return Reply::Nobody;
        }
        let known = self.0.known();
        let reply = if write!(terminal, "{prompt}").is_ok() && self.typed(terminal.as_fd(), known) {
            line(&mut BufReader::new(&terminal))
        } else {
            Reply::Left
        };
        let _ = tcsetattr(&terminal, OptionalActions::Now, &shown);
        drop(writeln!(terminal));
        reply
    }

    /// Waits for a line; false when Ctrl-C came instead. `known` is from before the question was shown, or one
    /// that is pressed at its sight would be taken for an old one and never be heard.
    fn typed(&self, from: BorrowedFd<'_>, known: usize) -> bool {
        loop {
            let mut fds = [
                PollFd::from_borrowed_fd(from, PollFlags::IN),
                PollFd::from_borrowed_fd(self.0.wake(), PollFlags::IN),
            ];
            let polled = poll(&mut fds, None);
            let answered = !fds[0].revents().is_empty();
            if self.0.since(known) != Wish::Nothing {
                return false;
            }
            match polled {
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return false,
                Ok(_) if answered => return true,
                Ok(_) => {}
            }
        }
    }
}

/// One line, without its end. Where input has ended instead, the terminal was closed or the person typed Ctrl-D.
fn line(from: &mut impl BufRead) -> Reply<String> {
    let mut line = String::new();
    match from.read_line(&mut line) {
        Ok(1..) => Reply::Given(line.trim_end_matches(['\n', '\r']).to_owned()),
        Ok(0) | Err(_) => Reply::Left,
    }
}

impl Ask for Terminal {
    fn passphrase(&mut self, prompt: &str) -> Reply<String> {
        self.secret(prompt)
    }
    fn password(&mut self, prompt: &str) -> Reply<String> {
        self.secret(prompt)
    }
    fn yes(&mut self, question: &str) -> Reply<bool> {
        let mut terminal = std::io::stderr();
        let known = self.0.known();
        let asked = write!(terminal, "{question} (yes/no) ").and_then(|()| terminal.flush());
        if asked.is_err() || !self.typed(rustix::stdio::stdin(), known) {
            drop(writeln!(terminal));
            return Reply::Left;
        }
        match line(&mut std::io::stdin().lock()) {
            Reply::Given(answer) => {
                Reply::Given(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
            }
            Reply::Left | Reply::Nobody => Reply::Left,
        }
    }
}
