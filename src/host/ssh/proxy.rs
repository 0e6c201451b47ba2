//! Connections through a jump host or a ProxyCommand: a child process whose stdin and stdout are one socket. It has a
//! process group of its own, so that Ctrl-C in the terminal does not cut the connection before the host is asked to
//! stop.

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::text::shown;

/// How much of the end of the child's stderr is kept, in bytes.
const KEPT: usize = 4096;

/// The child. It is killed with its group, and waited for, when this is dropped.
pub struct Proxied {
    child: Child,
    printed: Arc<Mutex<Vec<u8>>>,
    /// Disconnected once all of the child's stderr was read.
    finished: Receiver<()>,
}

/// `ssh -W` through a ProxyJump list (`[user@]host[:port]`, separated by commas), as OpenSSH itself does it: the last
/// one is the host for that ssh, those before it are its own jumps.
pub fn jump(list: &str, config: Option<&Path>, host: &str, port: u16) -> Command {
    let (before, last) = match list.rsplit_once(',') {
        Some((before, last)) => (Some(before), last),
        None => (None, list),
    };
    let mut command = Command::new("ssh");
    if let Some(file) = config {
        command.arg("-F").arg(file);
    }
    // The child must not read from the terminal, nor become a shared master, as it is killed at the end.
    command.args(["-oBatchMode=yes", "-oControlMaster=no", "-oConnectTimeout=10"]);
    if let Some(before) = before {
        command.arg("-J").arg(before);
    }
    let last = last.strip_prefix("ssh://").unwrap_or(last);
    let (user, place) = match last.rsplit_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, last),
    };
    let (name, at) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, rest)) => (name, rest.strip_prefix(':')),
        None => match place.split_once(':') {
            Some((name, at)) if !at.contains(':') => (name, Some(at)),
            _ => (place, None),
        },
    };
    if let Some(user) = user {
        command.args(["-l", user]);
    }
    if let Some(at) = at {
        command.args(["-p", at]);
    }
    command.arg("-W").arg(format!("[{host}]:{port}")).arg("--").arg(name);
    command
}

/// A ProxyCommand of the user's own configuration, run as OpenSSH runs it.
pub fn shell(line: &str) -> Command {
    let shell = std::env::var_os("SHELL")
        .filter(|s| !s.is_empty())
        .unwrap_or_else(|| "/bin/sh".into());
    let mut command = Command::new(shell);
    command.arg("-c").arg(format!("exec {line}"));
    command
}

/// Starts the child; gives it and the socket that is connected through it. Fails when it cannot be started.
pub fn start(mut command: Command) -> io::Result<(Proxied, OwnedFd)> {
    let (ours, theirs) = UnixStream::pair()?;
    let mut child = command
        .stdin(Stdio::from(OwnedFd::from(theirs.try_clone()?)))
        .stdout(Stdio::from(OwnedFd::from(theirs)))
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let printed = Arc::new(Mutex::new(Vec::new()));
    let (sender, finished) = channel();
    if let Some(stderr) = child.stderr.take() {
        let printed = Arc::clone(&printed);
        std::thread::spawn(move || listen(stderr, &printed, sender));
    }
    let proxied = Proxied {
        child,
        printed,
        finished,
    };
    Ok((proxied, ours.into()))
}

/// Keeps the end of the child's stderr; drops `_finished` at its end.
fn listen(mut stderr: impl Read, printed: &Mutex<Vec<u8>>, _finished: Sender<()>) {
    let mut bytes = [0u8; 1024];
    while let Ok(n) = stderr.read(&mut bytes) {
        if n == 0 {
            return;
        }
        if let Ok(mut printed) = printed.lock() {
            printed.extend_from_slice(&bytes[..n]);
            let over = printed.len().saturating_sub(KEPT);
            printed.drain(..over);
        }
    }
}

impl Proxied {
    /// Ends the child and gives the last lines of its stderr, safe to show.
    pub fn messages(&mut self) -> Vec<String> {
        self.end();
        // A grandchild that left the group may hold the pipe open forever: it is not waited for.
        let _ = self.finished.recv_timeout(Duration::from_millis(500));
        let printed = self.printed.lock();
        let printed = printed.map(|printed| printed.clone()).unwrap_or_default();
        let lines = printed.split(|b| *b == b'\n').filter(|line| !line.is_empty());
        let lines: Vec<String> = lines.map(|line| shown(line.trim_ascii_end())).collect();
        lines[lines.len().saturating_sub(5)..].to_vec()
    }

    fn end(&mut self) {
        // Not yet waited for, so the pid, which is the group's number too, is not reused.
        if let (Ok(None), Ok(pid)) = (self.child.try_wait(), i32::try_from(self.child.id())) {
            if let Some(group) = rustix::process::Pid::from_raw(pid) {
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
            let _ = self.child.wait();
        }
    }
}

impl Drop for Proxied {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn line(list: &str) -> String {
        let command = jump(list, Some(Path::new("/f")), "10.0.0.7", 22);
        let words: Vec<_> = command.get_args().map(|a| a.to_str().unwrap().to_owned()).collect();
        words
            .join(" ")
            .replace("-F /f -oBatchMode=yes -oControlMaster=no -oConnectTimeout=10 ", "")
    }

    #[test]
    fn every_form_of_a_jump_becomes_its_words() {
        assert_eq!(line("bastion"), "-W [10.0.0.7]:22 -- bastion");
        assert_eq!(line("me@bastion:2222"), "-l me -p 2222 -W [10.0.0.7]:22 -- bastion");
        assert_eq!(line("a,b@c,[fe80::1]:7"), "-J a,b@c -p 7 -W [10.0.0.7]:22 -- fe80::1");
        assert_eq!(line("fe80::1"), "-W [10.0.0.7]:22 -- fe80::1");
        assert_eq!(line("ssh://u@h:1"), "-l u -p 1 -W [10.0.0.7]:22 -- h");
    }

    #[test]
    fn the_child_and_its_group_are_gone_when_it_is_dropped() {
        let (mut proxied, socket) = start(shell("sh -c 'echo sorry >&2; sleep 1000 & echo $!; wait'")).unwrap();
        let mut socket = UnixStream::from(socket);
        let mut text = String::new();
        while !text.ends_with('\n') {
            let mut byte = [0u8; 1];
            socket.read_exact(&mut byte).unwrap();
            text.push(char::from(byte[0]));
        }
        let grandchild = rustix::process::Pid::from_raw(text.trim().parse().unwrap()).unwrap();
        assert!(rustix::process::test_kill_process(grandchild).is_ok());
        proxied.end();
        // The socket ends when the last holder of it has gone.
        assert_eq!(socket.read(&mut [0u8; 1]).unwrap(), 0);
        assert_eq!(proxied.messages(), ["sorry"]);
    }
}
