//! The system's ssh as a transport, for what libssh2 cannot do: FIDO keys, host certificates, GSSAPI. One
//! master connection, one mux session for each command (2 round trips each, measured). Knows no deploy.

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::ssh::{Login, Trust};
use super::{Ended, Exec, Heard, Host, LINGER, Lost};
use crate::failure::{Exit, Failure};
use crate::interrupt::{Interrupts, Wish};
use crate::text;

/// A host reached through the `ssh` program.
pub struct System {
    login: Login,
    interrupts: Interrupts,
    room: PathBuf,
    traffic: (u64, u64),
}

/// Logs in once; later commands share the connection.
///
/// # Errors
/// A [`Failure`] with [`Exit::Unreachable`] and ssh's own words.
pub fn connect(login: Login, interrupts: Interrupts) -> Result<System, Failure> {
    let wrong = |why: String| {
        Failure::new(Exit::Unreachable, "the system's ssh could not log in")
            .why(why)
            .next("ssh -v HOST true")
    };
    if login.pin.is_some() {
        // ssh has no option for a fingerprint; a pin that nobody checks would be worse than none.
        return Err(Failure::new(
            Exit::Usage,
            "`host_key:` cannot be checked with --system-ssh",
        )
        .why("the ssh program asks known_hosts alone")
        .host("nothing was sent to it, nothing changed")
        .next("take host_key: out and put the host's key into known_hosts")
        .next("or leave --system-ssh out"));
    }
    let room = private_room().map_err(|e| wrong(e.to_string()))?;
    let mut system = System {
        login,
        interrupts,
        room,
        traffic: (0, 0),
    };
    let mut said = Vec::new();
    let ended = system.exec(
        Exec {
            line: "exit 0",
            stdin: None,
            stop: None,
            over: None,
        },
        &mut |heard| {
            if let Heard::Err(bytes) = heard {
                said.extend(bytes);
            }
        },
    );
    match ended {
        Ok(Ended::Code(0)) => Ok(system),
        _ => Err(wrong(text::shown(said.trim_ascii()))),
    }
}

/// A directory for the control socket that nobody else can enter; its path is short (a socket's is limited).
fn private_room() -> std::io::Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt;
    let base = std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let mut tail = [0u8; 6];
    getrandom::fill(&mut tail).map_err(std::io::Error::other)?;
    let room = base.join(format!(
        "shipit-{}",
        tail.iter().map(|b| format!("{b:02x}")).collect::<String>()
    ));
    std::fs::DirBuilder::new().mode(0o700).create(&room)?;
    Ok(room)
}

impl System {
    fn command(&self) -> Command {
        let mut command = Command::new("ssh");
        command.args([
            "-T",
            "-oControlMaster=auto",
            "-oControlPersist=60",
            "-oServerAliveInterval=5",
            "-oServerAliveCountMax=3",
        ]);
        command.args([
            "-oConnectTimeout=10",
            "-oForwardAgent=no",
            "-oClearAllForwardings=yes",
            "-oRemoteCommand=none",
        ]);
        command.arg(format!("-oControlPath={}/c", self.room.display()));
        let trust = match self.login.trust {
            Trust::AcceptNew => "accept-new",
            _ => "yes",
        };
        command.arg(format!("-oStrictHostKeyChecking={trust}"));
        if let Some(file) = &self.login.config_file {
            command.arg("-F").arg(file);
        }
        if let Some(file) = &self.login.identity {
            command.arg("-i").arg(file).arg("-oIdentitiesOnly=yes");
        }
        if let Some(file) = &self.login.known_hosts {
            command.arg(format!("-oUserKnownHostsFile={}", file.display()));
        }
        if let Some(port) = self.login.port {
            command.args(["-p", &port.to_string()]);
        }
        if let Some(user) = &self.login.user {
            command.args(["-l", user]);
        }
        // Ctrl-C is ours to answer; it must not kill the connection.
        command.process_group(0);
        command.arg("--").arg(&self.login.host);
        command
    }

    fn spawn(&self, line: &str) -> std::io::Result<Child> {
        self.command()
            .arg(line)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    }
}

impl Host for System {
    fn exec(&mut self, exec: Exec<'_>, heard: &mut dyn FnMut(Heard<'_>)) -> Result<Ended, Lost> {
        let cut = |e: std::io::Error| Lost::Cut(e.to_string());
        let mut child = self.spawn(exec.line).map_err(cut)?;
        let (Some(input), Some(out), Some(err)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(Lost::Cut("ssh has no pipes".into()));
        };
        let mut feed = Feed {
            input: exec.stdin.is_some().then(|| OwnedFd::from(input)),
            source: exec.stdin,
            chunk: Vec::new(),
            at: 0,
            sent: 0,
        };
        if let Some(fd) = &feed.input {
            rustix::io::ioctl_fionbio(fd, true).map_err(|e| cut(e.into()))?;
        }
        let mut streams = [Some(OwnedFd::from(out)), Some(OwnedFd::from(err))];
        let known = self.interrupts.known();
        let mut stopped = false;
        let mut stopper: Option<Child> = None;
        let mut ended: Option<Instant> = None;
        while streams.iter().any(Option::is_some) {
            if exec.over.is_some_and(|over| over())
                && ended.get_or_insert_with(Instant::now).elapsed() >= LINGER
            {
                // What it left running holds its outputs: this ssh would wait for that.
                let _ = child.kill();
                let _ = child.wait();
                return Ok(Ended::Code(0));
            }
            let limit = ended.and_then(|_| LINGER.try_into().ok());
            let (ready, woken) = wait(&streams, &feed, &self.interrupts, limit);
            for (i, slot) in streams.iter_mut().enumerate() {
                let Some(fd) = slot.as_ref().filter(|_| ready[i]) else {
                    continue;
                };
                let mut bytes = [0u8; 65_536];
                match rustix::io::read(fd, &mut bytes) {
                    Ok(0) => *slot = None,
                    Ok(n) => {
                        self.traffic.1 += n as u64;
                        heard(if i == 0 {
                            Heard::Out(&bytes[..n])
                        } else {
                            Heard::Err(&bytes[..n])
                        });
                    }
                    Err(rustix::io::Errno::INTR) => {}
                    Err(e) => return Err(cut(e.into())),
                }
            }
            if ready[2] {
                let before = feed.sent;
                if let Err(lost) = feed.go_on() {
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err(lost);
                }
                self.traffic.0 += feed.sent - before;
                heard(Heard::Sent(feed.sent));
            }
            if woken {
                match self.interrupts.since(known) {
                    Wish::Nothing => {}
                    Wish::Stop if !stopped => {
                        stopped = true;
                        heard(Heard::Interrupted);
                        if let Some(line) = exec.stop.and_then(|stop| stop()) {
                            stopper = self.spawn(&line).ok();
                        }
                    }
                    Wish::Stop => {}
                    Wish::Leave => {
                        let _ = child.kill();
                        let _ = child.wait();
                        return Err(Lost::Left);
                    }
                }
            }
        }
        drop(feed);
        if let Some(mut stopper) = stopper {
            let _ = stopper.wait();
        }
        let status = child.wait().map_err(cut)?;
        match status.code() {
            // ssh says 255 for its own failures and for a remote 255 alike; the frame knows better.
            Some(255) => Err(Lost::Cut("ssh left with 255".into())),
            Some(code) => Ok(Ended::Code(code)),
            None => Err(Lost::Cut(format!(
                "ssh was killed by signal {}",
                status.signal().unwrap_or(0)
            ))),
        }
    }

    fn traffic(&self) -> (u64, u64) {
        self.traffic
    }
}

impl Drop for System {
    fn drop(&mut self) {
        let mut command = Command::new("ssh");
        command
            .arg(format!("-oControlPath={}/c", self.room.display()))
            .args(["-O", "exit", "--"])
            .arg(&self.login.host);
        let _ = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        let until = Instant::now() + Duration::from_secs(1);
        while std::fs::remove_dir(&self.room).is_err() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// What goes to the command's stdin.
struct Feed<'a> {
    input: Option<OwnedFd>,
    source: Option<&'a mut dyn Read>,
    chunk: Vec<u8>,
    at: usize,
    sent: u64,
}

impl Feed<'_> {
    fn go_on(&mut self) -> Result<(), Lost> {
        let (Some(fd), Some(source)) = (&self.input, self.source.as_mut()) else {
            return Ok(());
        };
        if self.at == self.chunk.len() {
            self.chunk.resize(262_144, 0);
            let n = source
                .read(&mut self.chunk)
                .map_err(|e| Lost::Source(e.to_string()))?;
            self.chunk.truncate(n);
            self.at = 0;
            if n == 0 {
                self.input = None;
                return Ok(());
            }
        }
        let mut pipe = std::fs::File::from(fd.try_clone().map_err(|e| Lost::Cut(e.to_string()))?);
        match pipe.write(&self.chunk[self.at..]) {
            Ok(n) => {
                self.at += n;
                self.sent += n as u64;
            }
            Err(e)
                if matches!(
                    e.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::Interrupted
                ) => {}
            // The command does not read on; how it ended says why.
            Err(_) => self.input = None,
        }
        Ok(())
    }
}

/// Waits until something can be read, written, a signal came, or the limit is over: (out, err, in), woken.
fn wait(
    streams: &[Option<OwnedFd>; 2],
    feed: &Feed<'_>,
    interrupts: &Interrupts,
    limit: Option<Timespec>,
) -> ([bool; 3], bool) {
    let mut fds = vec![PollFd::from_borrowed_fd(interrupts.wake(), PollFlags::IN)];
    let mut which = vec![3usize];
    for (i, fd) in streams.iter().enumerate() {
        if let Some(fd) = fd {
            fds.push(PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN));
            which.push(i);
        }
    }
    if let Some(fd) = &feed.input {
        fds.push(PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::OUT));
        which.push(2);
    }
    let mut ready = [false; 3];
    let mut woken = false;
    if poll(&mut fds, limit.as_ref()).is_ok() {
        for (fd, at) in fds.iter().zip(which) {
            if !fd.revents().is_empty() {
                if at == 3 {
                    woken = true
                } else {
                    ready[at] = true
                }
            }
        }
    }
    (ready, woken)
}
