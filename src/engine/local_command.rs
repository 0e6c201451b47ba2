//! What runs here, on the laptop or in CI: the build and the hooks. Each is one command line for `sh -c`, as
//! written in deploy.yml; what shipit knows reaches it only as SHIPIT_* variables.

use std::io::{self, ErrorKind, PipeReader, Read};
use std::process::{self, Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};

use super::Run;
use crate::failure::{Exit, Failure};
use crate::interrupt::{Interrupts, UserRequest};
use crate::report::event::{Event, Outcome, Phase, Report};
use crate::report::sentence;
use crate::step::{Change, Command};
use crate::text;

/// A command that was interrupted has this long before it gets a SIGTERM: at a terminal Ctrl-C has reached it too,
/// and it may have something to clean up.
const GRACE: Duration = Duration::from_secs(1);

/// How often a command is looked after that neither says anything nor ends.
const TICK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 20_000_000,
};

/// Pieces of output that are taken in before anything else is looked at: 1 MiB, the most that a pipe holds (pipe(7)).
const PIECES: usize = 128;

/// The longest piece of a line that is kept until its end comes, in bytes.
const LONGEST: usize = 64 * 1024;

/// What a hook is told.
#[derive(Clone, Debug)]
pub struct HookContext<'a> {
    /// The release that is to go live, once it has a name.
    pub release: Option<&'a str>,
    /// The one that was live.
    pub previous: Option<&'a str>,
    pub command: Command,
    /// How it ended, once it has.
    pub outcome: Option<Outcome>,
}

impl<'a> HookContext<'a> {
    #[must_use]
    pub fn of(change: &'a Change, outcome: Option<Outcome>) -> Self {
        Self {
            release: Some(&change.next),
            previous: change.previous.as_deref(),
            command: change.command,
            outcome,
        }
    }
}

/// Runs a command line here; its output becomes log lines.
///
/// # Errors
/// A [`Failure`] ([`Exit::Untouched`]) when it cannot be started, does not leave with 0, or a person left it.
pub fn run(
    run: &mut Run<'_>,
    name: &'static str,
    line: &str,
    phase: Phase,
    context: &HookContext<'_>,
) -> Result<(), Failure> {
    let began = Instant::now();
    run.report.event(&Event::step_started(phase, name));
    let result = carry_out(run, name, line, context);
    let ended = Event::step_ended(phase, name, result.is_ok(), began.elapsed());
    run.report.event(&ended);
    result
}

/// How a command ended here.
enum CommandResult {
    Ended(ExitStatus),
    /// After it was asked to stop.
    Stopped,
}

fn carry_out(run: &mut Run<'_>, name: &'static str, line: &str, context: &HookContext<'_>) -> Result<(), Failure> {
    let ran = format!("ran here: {}", text::shown(line.as_bytes()));
    let failed = |why: String| {
        Failure::new(Exit::Untouched, format!("`{name}` failed"))
            .why(ran.clone())
            .why(why)
            .host("nothing live changed")
    };
    let (mut child, out) = start(run, line, context).map_err(|e| failed(format!("it could not be started: {e}")))?;
    let left = listen(&mut child, out, name, run.interrupts, run.report)
        .map_err(|e| failed(format!("cannot read its output: {e}")))?;
    match left {
        CommandResult::Ended(status) if status.success() => Ok(()),
        CommandResult::Ended(status) => Err(failed(match status.code() {
            Some(code) => format!("exit status {code}"),
            None => "it was killed by a signal".into(),
        })),
        CommandResult::Stopped => Err(Failure::new(Exit::Untouched, format!("`{name}` was stopped"))
            .why(ran)
            .why("stopped on request")
            .host("nothing live changed")),
    }
}

/// Starts the command line. It stays in our process group, so that a Ctrl-C at the terminal reaches it too, and so
/// that it may ask there.
fn start(run: &Run<'_>, line: &str, context: &HookContext<'_>) -> io::Result<(Child, PipeReader)> {
    let config = run.config;
    // One pipe for both streams keeps their order.
    let (out, into) = io::pipe()?;
    rustix::io::ioctl_fionbio(&out, true)?;
    let child = process::Command::new("sh")
        .args(["-c", "--", line])
        .current_dir(&config.dir)
        .env("SHIPIT_APP", config.app.as_str())
        .env("SHIPIT_HOST", config.host.to_string())
        .env("SHIPIT_ROOT", config.root.as_str())
        .env("SHIPIT_COMMAND", context.command.word())
        .env("SHIPIT_RELEASE", context.release.unwrap_or(""))
        .env("SHIPIT_PREVIOUS", context.previous.unwrap_or(""))
        .env("SHIPIT_OUTCOME", context.outcome.map_or("", sentence::outcome))
        .env(
            "SHIPIT_ENVIRONMENT",
            config.environment.as_ref().map_or("", |e| e.as_str()),
        )
        .stdin(Stdio::null())
        .stdout(into.try_clone()?)
        .stderr(into)
        .spawn()?;
    Ok((child, out))
}

/// Tells what a command says until it has ended. What it started in the background may hold its output open longer,
/// and is not waited for. The first interrupt asks it to stop, the second kills it.
fn listen(
    child: &mut Child,
    mut out: PipeReader,
    name: &'static str,
    interrupts: &Interrupts,
    report: &mut dyn Report,
) -> io::Result<CommandResult> {
    let known = interrupts.known();
    let mut asked: Option<Instant> = None;
    let mut warned = false;
    let mut lines = Lines::default();
    let mut chunk = [0; 8192];
    loop {
        // First whether it has ended, then what it said: so nothing that it said is missed.
        let ended = child.try_wait()?;
        let mut open = true;
        for _ in 0..PIECES {
            match out.read(&mut chunk) {
                Ok(0) => {
                    open = false;
                    break;
                }
                Ok(n) => lines.take(&chunk[..n], |line| tell(report, name, line)),
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        if let Some(status) = ended {
            lines.end(|line| tell(report, name, line));
            // A Ctrl-C at the terminal reaches both of us: it may have died of it before we looked.
            let stopped = interrupts.since(known) != UserRequest::Nothing && !status.success();
            return Ok(if stopped {
                CommandResult::Stopped
            } else {
                CommandResult::Ended(status)
            });
        }
        let mut fds = vec![PollFd::from_borrowed_fd(interrupts.wake(), PollFlags::IN)];
        if open {
            fds.push(PollFd::new(&out, PollFlags::IN));
        }
        match poll(&mut fds, Some(&TICK)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        match interrupts.since(known) {
            UserRequest::Nothing => {}
            UserRequest::Stop => asked = asked.or_else(|| Some(Instant::now())),
            UserRequest::Abort => {
                // It may have ended just now.
                let _ = child.kill();
                child.wait()?;
                return Ok(CommandResult::Stopped);
            }
        }
        if !warned && asked.is_some_and(|at| at.elapsed() >= GRACE) {
            warned = true;
            let _ = kill_process(Pid::from_child(child), Signal::TERM);
        }
    }
}

fn tell(report: &mut dyn Report, name: &'static str, line: Vec<u8>) {
    report.event(&Event::Log { source: name, line });
}

/// Bytes cut into lines; one that does not end is cut at [`LONGEST`].
#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    fn take(&mut self, mut bytes: &[u8], mut line: impl FnMut(Vec<u8>)) {
        while let Some(at) = bytes.iter().position(|b| *b == b'\n') {
            self.0.extend_from_slice(&bytes[..at]);
            line(std::mem::take(&mut self.0));
            bytes = &bytes[at + 1..];
        }
        self.0.extend_from_slice(bytes);
        if self.0.len() >= LONGEST {
            line(std::mem::take(&mut self.0));
        }
    }

    fn end(&mut self, mut line: impl FnMut(Vec<u8>)) {
        if !self.0.is_empty() {
            line(std::mem::take(&mut self.0));
        }
    }
}

/// Runs a hook if there is one; a failure becomes a warning (the act it follows has happened already).
pub fn hook_after(run: &mut Run<'_>, name: &'static str, line: Option<&str>, context: &HookContext<'_>) {
    let Some(line) = line else { return };
    if let Err(failure) = self::run(run, name, line, Phase::Settle, context) {
        let why = failure.why.last().cloned().unwrap_or_default();
        run.report.event(&Event::Warning {
            text: format!("hook `{name}` failed: {why}"),
        });
    }
}
