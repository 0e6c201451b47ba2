//! `shipit run`: one command in the live release, as a service's user or as the deploy user; `shipit ssh`: a shell there.
//! What they write passes through; only what goes to a terminal without being from one is escaped.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

use serde_json::json;

use super::args::{self, Global};
use crate::config::{Config, RunAs};
use crate::engine::observe;
use crate::engine::run_command::{CommandEnd, Keyboard, Place, Task};
use crate::engine::session::Link as _;
use crate::failure::{Exit, Failure, Next};
use crate::host::terminal::Terminal;
use crate::interrupt::Interrupts;
use crate::observed::Observed;
use crate::remote::{Stream, StreamEvent};
use crate::report::event::Report;
use crate::report::painted;
use crate::text;

/// The longest line that is waited for, in bytes: what is longer is shown in pieces.
const LONGEST: usize = 65_536;

/// Gives the exit status of the command.
pub(super) fn run(global: &Global, args: &args::Run) -> Result<u8, Failure> {
    let has_terminal = !global.json && io::stdin().is_terminal() && io::stdout().is_terminal();
    let interrupts = interrupts(has_terminal)?;
    carry_out(global, args, &interrupts, has_terminal).map_err(|failure| stopped(failure, &interrupts))
}

/// A closed window ends this program, and with that the connection and the terminal on the host. Without a terminal, the
/// host is asked to stop the command first, as for SIGTERM.
fn interrupts(has_terminal: bool) -> Result<Interrupts, Failure> {
    if has_terminal {
        return super::interrupts();
    }
    Interrupts::listen_for_hangups().map_err(super::no_handlers)
}

/// A failure because of a signal exits as a shell reports that signal. What is unknown remains so.
fn stopped(mut failure: Failure, interrupts: &Interrupts) -> Failure {
    if let (Exit::Untouched, Some(number)) = (failure.exit, interrupts.signal()) {
        failure.exit = Exit::Signal(number);
    }
    failure
}

fn carry_out(global: &Global, args: &args::Run, interrupts: &Interrupts, has_terminal: bool) -> Result<u8, Failure> {
    let config = super::configuration(global)?;
    let mut link = super::link(global, &config, interrupts);
    let mut host = link.connect(super::reporter(global).as_mut())?;
    let observed = observe::observe(host.as_mut(), &config)?;
    let task = match unit(&config, &observed, args)? {
        Some(unit) => Task::Service(unit, &args.command),
        None => Task::Deploy(&args.command),
    };
    let mut place = Place {
        link: &mut link,
        host: host.as_mut(),
        config: &config,
        observed: &observed,
    };
    let CommandEnd { release, code } = carry(global, &mut place, &task, has_terminal, args.stdin)?;
    if global.json {
        super::results(&super::object(&json!({"v": 1, "release": release, "code": code})));
    } else if code != 0 {
        let error = painted(global.color.on(io::stderr()), "31;1", "error:");
        let _ = writeln!(io::stderr(), "{error} {} {}", task.name(), how(code));
    }
    // A status that does not fit is none that a process can have.
    Ok(u8::try_from(code).unwrap_or(Exit::Untouched.code()))
}

/// `shipit ssh`. Gives the exit status of the shell.
pub(super) fn shell(global: &Global) -> Result<u8, Failure> {
    let config = super::configuration(global)?;
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(
            Failure::new(Exit::Usage, "`shipit ssh` needs a terminal on stdin and stdout")
                .host("nothing was run")
                .next(Next::shipit("run --as-deploy -- COMMAND").remark("runs one command")),
        );
    }
    let mut link = super::link(global, &config, &super::interrupts()?);
    let mut host = link.connect(super::reporter(global).as_mut())?;
    let observed = observe::observe(host.as_mut(), &config)?;
    let mut place = Place {
        link: &mut link,
        host: host.as_mut(),
        config: &config,
        observed: &observed,
    };
    let ended = carry(global, &mut place, &Task::Shell, true, false)?;
    Ok(u8::try_from(ended.code).unwrap_or(Exit::Untouched.code()))
}

/// The unit whose settings the command gets; `None`: it runs as the deploy user.
fn unit<'a>(config: &'a Config, observed: &Observed, args: &args::Run) -> Result<Option<&'a str>, Failure> {
    if args.as_deploy || (args.service.is_none() && (config.run_as == RunAs::Deploy || config.services.is_empty())) {
        return Ok(None);
    }
    if config.run_as == RunAs::Deploy {
        return Err(Failure::new(
            Exit::Usage,
            "--service runs commands as a service's user, which `run_as: deploy` in deploy.yml turns off",
        )
        .host("nothing was run"));
    }
    let named = args.service.as_deref();
    let units = super::service::chosen(config, named)?;
    let units = super::service::awake(units, observed, named)?;
    Ok(units.first().map(|one| one.unit))
}

fn carry(
    global: &Global,
    place: &mut Place<'_>,
    task: &Task<'_>,
    has_terminal: bool,
    has_stdin: bool,
) -> Result<CommandEnd, Failure> {
    let mut terminal = has_terminal.then(Terminal::open).transpose().map_err(|e| {
        Failure::new(Exit::Usage, "this terminal cannot be used")
            .why(e.to_string())
            .host("nothing was run")
    })?;
    let stdin = io::stdin();
    let keyboard = Keyboard {
        source: (has_terminal || has_stdin).then(|| stdin.as_fd()),
        terminal: terminal.as_mut(),
    };
    let mut out = Output::new(global, Stream::Out, has_terminal);
    let mut err = Output::new(global, Stream::Err, has_terminal);
    let ended = place.run(task, keyboard, &mut |event| match event {
        StreamEvent::Bytes(Stream::Out, bytes) => out.take(bytes),
        StreamEvent::Bytes(Stream::Err, bytes) => err.take(bytes),
        StreamEvent::Interrupted => {}
    });
    out.end();
    err.end();
    // Before anything is printed below it: the terminal gets its settings back.
    drop(terminal);
    ended
}

/// How a command ended, in words. Shells say 128 and the signal.
fn how(code: i32) -> String {
    match code {
        125 => "exited with status 125: it was not started, or exited with 125 itself".into(),
        126 => "exited with status 126: it could not be executed".into(),
        127 => "exited with status 127: the command was not found on the host".into(),
        129..=192 => format!("exited with status {code}: killed by signal {}", code - 128),
        _ => format!("exited with status {code}"),
    }
}

/// One of the command's outputs on its way to ours.
struct Output {
    stream: Stream,
    report: Option<Box<dyn Report>>,
    terminal: bool,
    line: Vec<u8>,
}

impl Output {
    /// `own`: what comes was written for a terminal of the command's own, and passes unchanged.
    fn new(global: &Global, stream: Stream, own: bool) -> Self {
        let terminal = match stream {
            _ if own => false,
            Stream::Out => io::stdout().is_terminal(),
            Stream::Err => io::stderr().is_terminal(),
        };
        Self {
            stream,
            report: global.json.then(|| super::reporter(global)),
            terminal,
            line: Vec::new(),
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        if self.report.is_none() && !self.terminal {
            self.write(bytes);
            return;
        }
        for &b in bytes {
            if b == b'\n' || self.line.len() == LONGEST {
                self.tell();
            }
            if b != b'\n' {
                self.line.push(b);
            }
        }
    }

    fn end(&mut self) {
        if !self.line.is_empty() {
            self.tell();
        }
    }

    fn tell(&mut self) {
        let line = std::mem::take(&mut self.line);
        match &mut self.report {
            Some(report) => report.log(if self.stream == Stream::Out { "stdout" } else { "stderr" }, line),
            None => {
                let line = line.strip_suffix(b"\r").unwrap_or(&line);
                for part in line
                    .chunks(text::LONGEST / 4)
                    .chain(line.is_empty().then_some(&b""[..]))
                {
                    let text = text::shown(part) + "\n";
                    self.write(text.as_bytes());
                }
            }
        }
    }

    /// A reader that went away is no failure of the command.
    fn write(&self, bytes: &[u8]) {
        match self.stream {
            Stream::Out => super::put(&mut io::stdout().lock(), bytes),
            Stream::Err => super::put(&mut io::stderr().lock(), bytes),
        };
    }
}
