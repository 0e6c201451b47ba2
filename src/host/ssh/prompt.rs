//! Questions to the user at the terminal. Decides nothing, keeps nothing.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::PollFlags;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use crate::interrupt::{Interrupts, UserRequest};
use crate::terminal as screen;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply<T> {
    Given(T),
    /// The user pressed Ctrl-C or Ctrl-D, or closed the terminal.
    Cancelled,
    NoTerminal,
}

/// Asks the user. Prompts are already safe to show.
pub trait Ask {
    /// A passphrase, a password or another answer to the server; not echoed.
    fn secret(&mut self, prompt: &str) -> Reply<String>;
    /// Only a typed "yes" or "y" counts as yes; an empty line is no.
    fn yes(&mut self, question: &str) -> Reply<bool>;
    /// A line that is shown while it is typed.
    fn line(&mut self, _question: &str) -> Reply<String> {
        Reply::NoTerminal
    }
}

/// No terminal: in CI, in a pipe, under cron.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unattended;

impl Ask for Unattended {
    fn secret(&mut self, _: &str) -> Reply<String> {
        Reply::NoTerminal
    }
    fn yes(&mut self, _: &str) -> Reply<bool> {
        Reply::NoTerminal
    }
}

#[derive(Clone)]
pub struct Terminal(Interrupts);

/// [`Terminal`] when stdin and stderr are a terminal, else [`Unattended`].
pub fn terminal(interrupts: &Interrupts) -> Box<dyn Ask> {
    if std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
        Box::new(Terminal(interrupts.clone()))
    } else {
        Box::new(Unattended)
    }
}

impl Ask for Terminal {
    /// Asks on the terminal itself, so that stdin and stdout stay free. Input is not echoed; what was typed before the
    /// question appeared is discarded.
    fn secret(&mut self, prompt: &str) -> Reply<String> {
        let _still = screen::question();
        let tty = File::options().read(true).write(true).open("/dev/tty");
        let Ok((mut terminal, shown)) = tty.and_then(|tty| {
            let shown = tcgetattr(&tty)?;
            Ok((tty, shown))
        }) else {
            return Reply::NoTerminal;
        };
        let mut hidden = shown.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        if tcsetattr(&terminal, OptionalActions::Flush, &hidden).is_err() {
            return Reply::NoTerminal;
        }
        let known = self.0.known();
        let reply = if write!(terminal, "{prompt}").is_ok() && self.typed(terminal.as_fd(), known) {
            line(&mut BufReader::new(&terminal))
        } else {
            Reply::Cancelled
        };
        let _ = tcsetattr(&terminal, OptionalActions::Now, &shown);
        drop(writeln!(terminal));
        reply
    }

    fn line(&mut self, question: &str) -> Reply<String> {
        self.text(question)
    }

    fn yes(&mut self, question: &str) -> Reply<bool> {
        loop {
            let Reply::Given(answer) = self.text(&format!("{question} (yes/no) [no] ")) else {
                return Reply::Cancelled;
            };
            // Anything else may be a mistyped yes.
            match answer.trim().to_lowercase().as_str() {
                "y" | "yes" => return Reply::Given(true),
                "" | "n" | "no" => return Reply::Given(false),
                _ => {}
            }
        }
    }
}

impl Terminal {
    /// Asks for a line that is shown while it is typed.
    fn text(&self, question: &str) -> Reply<String> {
        let _still = screen::question();
        let mut terminal = std::io::stderr();
        let known = self.0.known();
        let asked = write!(terminal, "{question}").and_then(|()| terminal.flush());
        if asked.is_err() || !self.typed(rustix::stdio::stdin(), known) {
            drop(writeln!(terminal));
            return Reply::Cancelled;
        }
        line(&mut std::io::stdin().lock())
    }

    /// Waits for a line; false when Ctrl-C came instead. `known` is from before the question was shown, or a Ctrl-C
    /// pressed right at its sight would count as an old one and be ignored.
    fn typed(&self, from: BorrowedFd<'_>, known: usize) -> bool {
        loop {
            let answered = self.0.wait(from, PollFlags::IN, None);
            if self.0.since(known) != UserRequest::Nothing {
                return false;
            }
            match answered {
                Ok(false) => {}
                answered => return answered.is_ok(),
            }
        }
    }
}

/// One line, without its end.
fn line(from: &mut impl BufRead) -> Reply<String> {
    let mut line = String::new();
    match from.read_line(&mut line) {
        Ok(1..) => Reply::Given(line.trim_end_matches(['\n', '\r']).to_owned()),
        Ok(0) | Err(_) => Reply::Cancelled,
    }
}
