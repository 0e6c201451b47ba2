//! The ssh program as a transport, for what libssh2 cannot do: FIDO keys, host certificates, GSSAPI. One
//! master connection, one mux session for each command (2 round trips each, measured). Knows nothing of deploys.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

use super::ssh::{Login, Trust, interrupted};
use super::stdin::Stdin;
use super::stopper::Stopper;
use super::terminal::{GONE, Terminal};
use super::{Ended, Exec, ExecEvent, Host, LINGER, Lost, Then, no_commands};
use crate::failure::{Exit, Failure, Next};
use crate::interrupt::{Interrupts, UserRequest};
use crate::text;

/// The most that a login may print, in bytes, and for how long.
const MOST: usize = 256 << 10;
const PATIENCE: Duration = Duration::from_secs(60);

/// How often the command that makes another one stop is looked after.
const TICK: Duration = Duration::from_millis(50);

/// A host reached through the ssh program.
pub struct OpenSsh {
    login: Login,
    interrupts: Interrupts,
    /// Of the control socket.
    directory: PathBuf,
    traffic: (u64, u64),
    /// Until the first command has run.
    logs_in: bool,
    /// Ends the master connection when its stdin ends: when this is dropped, or this program dies of anything.
    guard: Child,
}

/// Logs in once; later commands share the connection.
/// Fails with [`Exit::Unreachable`] with ssh's own messages, [`Exit::Usage`] for a pinned host key.
pub fn connect(login: Login, interrupts: Interrupts) -> Result<OpenSsh, Failure> {
    let to = login.ssh_to();
    let wrong = |why: String| {
        Failure::new(Exit::Unreachable, "the ssh program cannot log in")
            .why(why)
            .next(Next::ssh(format!("-v {to} true")))
    };
    if login.pin.is_some() {
        // ssh has no option for a fingerprint; a pin that is not checked would be worse than none.
        return Err(
            Failure::new(Exit::Usage, "`host_key:` cannot be checked with --system-ssh")
                .why("the ssh program checks host keys against known_hosts only")
                .host("nothing was sent or changed")
                .next(Next::advice("remove host_key: and add the host's key to known_hosts"))
                .next(Next::advice("or omit --system-ssh")),
        );
    }
    let directory = private_directory().map_err(|e| wrong(e.to_string()))?;
    let guard = guard(&directory, &login.host).map_err(|e| wrong(e.to_string()))?;
    let mut ssh = OpenSsh {
        login,
        interrupts,
        directory,
        traffic: (0, 0),
        logs_in: true,
        guard,
    };
    let mut printed = Vec::new();
    let exec = Exec::of("exit 0");
    let (began, mut heard) = (Instant::now(), 0);
    let ended = ssh.exec(exec, &mut |event| {
        if let ExecEvent::Out(bytes) | ExecEvent::Err(bytes) = event {
            heard += bytes.len();
            if heard > MOST || began.elapsed() > PATIENCE {
                return Then::Abandon("the host keeps printing, and does not run the command".into());
            }
            printed.extend(bytes);
        }
        Then::Listen
    });
    let printed = text::shown_lines(&printed);
    ssh.logs_in = false;
    match ended {
        Ok(Ended::Code(0)) => Ok(ssh),
        Err(Lost::Interrupted) => Err(interrupted()),
        // Ctrl-C has ended ssh, which asked something.
        Err(_) if ssh.interrupts.came() => Err(interrupted()),
        Err(Lost::Breach(why)) => Err(wrong(why)),
        Ok(_) => Err(no_commands(&printed)),
        // ssh says so when the server refuses a command on a connection that is logged in.
        Err(_) if printed.contains("request failed on channel") => Err(no_commands(&printed)),
        _ => Err(wrong(printed.trim().to_owned())),
    }
}

/// Without it, the processes of ssh would outlive this program for as long as a command runs on the host.
const GUARD: &str = "read -r _; d=$1; shift; ssh \"$@\"; rmdir \"$d\" 2>/dev/null || { sleep 1; rmdir \"$d\"; }";

fn guard(directory: &Path, host: &str) -> std::io::Result<Child> {
    let mut command = Command::new("sh");
    command.args(["-c", GUARD, "sh"]).arg(directory);
    command.arg(format!("-oControlPath={}/c", directory.display()));
    command.args(["-O", "exit", "--", host]).process_group(0);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

/// A directory for the control socket that no other user can enter; its path is short, as a socket's must be.
fn private_directory() -> std::io::Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt;
    let base = std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let mut tail = [0u8; 6];
    getrandom::fill(&mut tail).map_err(std::io::Error::other)?;
    let tail: String = tail.iter().map(|b| format!("{b:02x}")).collect();
    let directory = base.join(format!("shipit-{tail}"));
    std::fs::DirBuilder::new().mode(0o700).create(&directory)?;
    Ok(directory)
}

impl OpenSsh {
    fn command(&self, terminal: Option<&Terminal>) -> Command {
        let mut command = Command::new("ssh");
        command.envs(terminal.map(|terminal| ("TERM", &terminal.kind)));
        command.args([
            if terminal.is_some() { "-tt" } else { "-T" },
            "-oControlMaster=auto",
            "-oControlPersist=60",
            "-oServerAliveInterval=5",
            "-oServerAliveCountMax=3",
            "-oConnectTimeout=10",
            "-oForwardAgent=no",
            "-oClearAllForwardings=yes",
            "-oRemoteCommand=none",
        ]);
        command.arg(format!("-oControlPath={}/c", self.directory.display()));
        let trust = match self.login.trust {
            Trust::AcceptNew => "accept-new",
            Trust::Ask => "ask",
            Trust::Strict => "yes",
        };
        command.arg(format!("-oStrictHostKeyChecking={trust}"));
        command.args(self.login.options());
        if let Some(file) = &self.login.identity {
            command.arg("-i").arg(file).arg("-oIdentitiesOnly=yes");
        }
        if let Some(file) = &self.login.known_hosts {
            command.arg(format!("-oUserKnownHostsFile={}", file.display()));
        }
        // shipit answers Ctrl-C itself; it must not kill the connection. Only the login stays in the foreground, where it
        // may ask; the master that it leaves behind has a session of its own (daemon(3)).
        if !self.logs_in {
            command.process_group(0);
        }
        command.arg("--").arg(&self.login.host);
        command
    }

    fn spawn(&self, line: &str, terminal: Option<&Terminal>) -> std::io::Result<Child> {
        self.command(terminal)
            .arg(line)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    }
}

impl Host for OpenSsh {
    fn exec(&mut self, exec: Exec<'_>, on_event: &mut dyn FnMut(ExecEvent<'_>) -> Then) -> Result<Ended, Lost> {
        let known = self.interrupts.known();
        let child = self.spawn(exec.line, exec.terminal).map_err(cut)?;
        let mut exchange = Exchange::new(child, Stdin::new(exec.stdin, exec.live))?;
        let (mut interrupted, mut stopper) = (false, None::<Stopper>);
        while exchange.outputs.iter().any(Option::is_some) {
            if exchange.finished.is_some_and(|at| at.elapsed() >= LINGER) {
                // Processes that the command left behind hold its outputs: this ssh would wait for them.
                return Ok(Ended::Code(0));
            }
            if exec.terminal.is_some_and(Terminal::is_gone) {
                return Err(Lost::Source(GONE.into()));
            }
            let second = exchange.finished.map(|_| LINGER).or(exec.terminal.map(|_| LINGER));
            let limit = stopper.as_ref().map(|_| TICK).or(second);
            let [out, err, input] = exchange.wait(self.interrupts.wake(), limit);
            for (i, _) in [out, err].iter().enumerate().filter(|(_, ready)| **ready) {
                self.traffic.1 += exchange.read(i, on_event)?;
            }
            if input {
                self.traffic.0 += exchange.write(on_event)?;
            }
            match self.interrupts.since(known) {
                UserRequest::Abort => return Err(Lost::Interrupted),
                UserRequest::Stop if self.logs_in => return Err(Lost::Interrupted),
                UserRequest::Stop if !interrupted => {
                    if let Then::Run(line) = on_event(ExecEvent::Interrupted) {
                        interrupted = true;
                        stopper = Some(Stopper::new(self.spawn(&line, None)));
                    }
                }
                UserRequest::Stop | UserRequest::Nothing => {}
            }
            if let Some(printed) = stopper.as_mut().and_then(Stopper::ended) {
                stopper = None;
                if on_event(ExecEvent::Asked(printed.as_deref())) == Then::Finish {
                    exchange.finished.get_or_insert_with(Instant::now);
                }
            }
        }
        while let Some(stop) = &mut stopper {
            if let Some(printed) = stop.ended() {
                stopper = None;
                on_event(ExecEvent::Asked(printed.as_deref()));
            } else if self.interrupts.rest(TICK) {
                return Err(Lost::Interrupted);
            }
        }
        exchange.input = None;
        let status = exchange.child.wait().map_err(cut)?;
        match (status.code(), status.signal()) {
            // ssh reports 255 both for its own failures and for a remote 255; the frame can tell them apart.
            (Some(255), _) => Err(Lost::Cut("ssh ended with exit status 255".into())),
            (Some(code), _) => Ok(Ended::Code(code)),
            (None, signal) => Err(Lost::Cut(format!("ssh was killed by signal {}", signal.unwrap_or(0)))),
        }
    }

    fn traffic(&self) -> (u64, u64) {
        self.traffic
    }
}

fn cut(e: impl Into<std::io::Error>) -> Lost {
    Lost::Cut(e.into().to_string())
}

impl Drop for OpenSsh {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// One ssh process and its three streams. Dropping it ends the process.
struct Exchange<'a> {
    child: Child,
    /// stdout and stderr, until they end.
    outputs: [Option<OwnedFd>; 2],
    /// The process's stdin, until everything was written or it was closed.
    input: Option<File>,
    stdin: Stdin<'a>,
    /// Since when the caller has heard everything that matters.
    finished: Option<Instant>,
}

impl<'a> Exchange<'a> {
    fn new(mut child: Child, stdin: Stdin<'a>) -> Result<Self, Lost> {
        let (Some(input), Some(out), Some(err)) = (child.stdin.take(), child.stdout.take(), child.stderr.take()) else {
            return Err(Lost::Cut("the pipes to ssh are missing".into()));
        };
        let input = (!stdin.ended()).then(|| File::from(OwnedFd::from(input)));
        if let Some(input) = &input {
            rustix::io::ioctl_fionbio(input, true).map_err(cut)?;
        }
        Ok(Self {
            child,
            outputs: [Some(out.into()), Some(err.into())],
            input,
            stdin,
            finished: None,
        })
    }

    /// Waits for the streams or an interrupt; gives whether stdout and stderr can be read and stdin written.
    fn wait(&self, wake: BorrowedFd<'_>, limit: Option<Duration>) -> [bool; 3] {
        let [out, err] = &self.outputs;
        let wanted = [
            out.as_ref().map(|fd| (fd.as_fd(), PollFlags::IN)),
            err.as_ref().map(|fd| (fd.as_fd(), PollFlags::IN)),
            match &self.input {
                Some(_) if self.stdin.waits() => self.stdin.wake().map(|fd| (fd, PollFlags::IN)),
                input => input.as_ref().map(|fd| (fd.as_fd(), PollFlags::OUT)),
            },
        ];
        let mut fds: Vec<PollFd<'_>> = wanted
            .iter()
            .flatten()
            .map(|(fd, flags)| PollFd::from_borrowed_fd(*fd, *flags))
            .chain([PollFd::from_borrowed_fd(wake, PollFlags::IN)])
            .collect();
        let limit = limit.and_then(|limit| limit.try_into().ok());
        // After an error, such as EINTR, nothing is ready.
        let _ = poll(&mut fds, limit.as_ref());
        let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
        wanted.map(|slot| slot.is_some() && ready.next() == Some(true))
    }

    /// Reads one of the outputs once; gives the number of bytes.
    fn read(&mut self, i: usize, on_event: &mut dyn FnMut(ExecEvent<'_>) -> Then) -> Result<u64, Lost> {
        let mut bytes = [0u8; 65_536];
        let Some(fd) = &self.outputs[i] else {
            return Ok(0);
        };
        match rustix::io::read(fd, &mut bytes) {
            Ok(0) => self.outputs[i] = None,
            Ok(n) => {
                let bytes = &bytes[..n];
                let then = on_event(if i == 0 {
                    ExecEvent::Out(bytes)
                } else {
                    ExecEvent::Err(bytes)
                });
                match then {
                    Then::Abandon(why) => return Err(Lost::Breach(why)),
                    Then::Finish => _ = self.finished.get_or_insert_with(Instant::now),
                    Then::Listen | Then::Run(_) => {}
                }
                return Ok(n as u64);
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(cut(e)),
        }
        Ok(0)
    }

    /// Writes to stdin what the pipe takes; gives the number of bytes.
    fn write(&mut self, on_event: &mut dyn FnMut(ExecEvent<'_>) -> Then) -> Result<u64, Lost> {
        let Some(input) = &mut self.input else {
            return Ok(0);
        };
        let bytes = self.stdin.peek().map_err(|e| Lost::Source(e.to_string()))?;
        if bytes.is_empty() {
            if self.stdin.ended() {
                self.input = None;
            }
            return Ok(0);
        }
        match input.write(bytes) {
            Ok(n) => {
                self.stdin.advance(n);
                on_event(ExecEvent::Sent(self.stdin.sent));
                return Ok(n as u64);
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            // The command no longer reads; its end tells why.
            Err(_) => self.input = None,
        }
        Ok(0)
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
