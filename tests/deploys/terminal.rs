//! A person at a real terminal: shipit gets one of its own, and what is typed is typed there. Never what is asked.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::desk::Desk;
use crate::bounds::{Ends as _, Patient};

/// The same for a command of a desk.
pub fn at_a_terminal(desk: &Desk, args: &[&str], answers: &[(&str, &str)]) -> (String, Option<i32>) {
    typed(&desk.command(args), answers)
}

/// Types each answer as soon as its question is on the screen; all that the screen showed and the exit code.
pub fn typed(command: &Command, answers: &[(&str, &str)]) -> (String, Option<i32>) {
    let Screen { mut person, child, .. } = Screen::of(command, (0, 0));
    let (mut shown, mut answers) = (Vec::new(), answers.iter().peekable());
    let mut bytes = [0; 4096];
    while let Ok(n @ 1..) = person.read(&mut bytes) {
        shown.extend_from_slice(&bytes[..n]);
        let text = String::from_utf8_lossy(&shown);
        if let Some((_, answer)) = answers.next_if(|(question, _)| text.contains(question)) {
            person.0.write_all(answer.as_bytes()).unwrap();
        }
    }
    let text = String::from_utf8_lossy(&shown).into_owned();
    (text, child.ends().status.code())
}

/// The lines that stay on the screen: of each, what was printed after it was last taken away.
pub fn stays(shown: &str) -> Vec<&str> {
    let last = |line: &str| line.rfind("\r\x1b[K").map_or(0, |at| at + 4);
    shown
        .split('\n')
        .map(|line| line[last(line)..].trim_end_matches('\r'))
        .filter(|line| !line.is_empty())
        .collect()
}

/// A program at a terminal, and the person before it.
pub struct Screen {
    pub person: Patient<File>,
    child: Child,
    /// What it showed, from the last place that was waited for.
    shown: Vec<u8>,
    whole: Vec<u8>,
}

impl Screen {
    /// Rows and columns.
    pub fn of(command: &Command, (rows, columns): (u16, u16)) -> Self {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&person, size).unwrap();
        let line = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let program = File::from(rustix::fs::open(ptsname(&person, []).unwrap(), line, Mode::empty()).unwrap());
        // A session with this terminal as its own, or Ctrl-C would be a byte like any other and /dev/tty another's.
        // A question that hears no answer fails, it does not hang: the terminal is closed when this test panics.
        let mut session = Command::new("setsid");
        session
            .args(["--ctty", "--wait"])
            .arg(command.get_program())
            .args(command.get_args())
            .current_dir(command.get_current_dir().unwrap())
            .stdin(Stdio::from(program.try_clone().unwrap()))
            .stdout(Stdio::from(program.try_clone().unwrap()))
            .stderr(Stdio::from(program));
        for (name, value) in command.get_envs() {
            session.env(name, value.unwrap());
        }
        if !command.get_envs().any(|(name, _)| name == "TERM") {
            session.env("TERM", "xterm");
        }
        let child = session.spawn().unwrap();
        drop(session); // It holds the program's side: the screen goes dark when the last one is closed.
        Self {
            person: Patient(File::from(person)),
            child,
            shown: Vec::new(),
            whole: Vec::new(),
        }
    }

    pub fn types(&mut self, keys: &str) {
        self.person.0.write_all(keys.as_bytes()).unwrap();
    }

    /// Reads until it shows this, after what was waited for before.
    #[track_caller]
    pub fn wait_for(&mut self, what: &str) {
        let mut bytes = [0; 4096];
        loop {
            if let Some(at) = self
                .shown
                .windows(what.len())
                .position(|window| window == what.as_bytes())
            {
                self.shown.drain(..at + what.len());
                return;
            }
            let n = self.person.read(&mut bytes).unwrap_or(0);
            assert!(n > 0, "no {what}: {}", String::from_utf8_lossy(&self.whole));
            self.shown.extend_from_slice(&bytes[..n]);
            self.whole.extend_from_slice(&bytes[..n]);
        }
    }

    /// The rest until its end: all that it showed, and its exit code.
    pub fn closes(mut self) -> (String, Option<i32>) {
        // An error is the end, when the other side of a terminal is closed.
        let _ = self.person.read_to_end(&mut self.whole);
        let code = self.child.ends().status.code();
        (String::from_utf8_lossy(&self.whole).into_owned(), code)
    }

    /// The person's window is closed.
    pub fn dies(self) {
        let Self { person, child, .. } = self;
        drop(person);
        drop(child.ends());
    }
}
