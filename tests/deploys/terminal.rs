//! A person at a real terminal: shipit gets one of its own, and what is typed is typed there. Never what is asked.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::desk::Desk;

/// Types each answer as soon as its question is on the screen; all that the screen showed and the exit code.
pub fn at_a_terminal(desk: &Desk, args: &[&str], answers: &[(&str, &str)]) -> (String, Option<i32>) {
    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&person).unwrap();
    unlockpt(&person).unwrap();
    let line = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let program = File::from(rustix::fs::open(ptsname(&person, []).unwrap(), line, Mode::empty()).unwrap());
    let command = desk.command(args);
    // A session with this terminal as its own, or Ctrl-C would be a byte like any other and /dev/tty another's.
    let mut session = Command::new("timeout");
    session
        .args(["--foreground", "--kill-after=5", "120"]) // A question that hears no answer fails, it does not hang.
        .args(["setsid", "--ctty", "--wait"])
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(command.get_current_dir().unwrap())
        .stdin(Stdio::from(program.try_clone().unwrap()))
        .stdout(Stdio::from(program.try_clone().unwrap()))
        .stderr(Stdio::from(program));
    for (name, value) in command.get_envs() {
        session.env(name, value.unwrap());
    }
    let mut child = session.spawn().unwrap();
    drop(session); // It holds the program's side: the screen goes dark when the last one is closed.
    let mut person = File::from(person);
    let (mut shown, mut answers) = (Vec::new(), answers.iter().peekable());
    let mut bytes = [0; 4096];
    while let Ok(n @ 1..) = person.read(&mut bytes) {
        shown.extend_from_slice(&bytes[..n]);
        let text = String::from_utf8_lossy(&shown);
        if let Some((_, answer)) = answers.next_if(|(question, _)| text.contains(question)) {
            person.write_all(answer.as_bytes()).unwrap();
        }
    }
    let text = String::from_utf8_lossy(&shown).into_owned();
    (text, child.wait().unwrap().code())
}
