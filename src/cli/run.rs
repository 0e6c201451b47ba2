//! `shipit run`: one command in the live release, as the deploy user. What it writes passes through; only what goes to a
//! terminal is escaped. Knows nothing of the app's environment, which is root's.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Seek, Write};
use std::os::fd::AsFd;

use rustix::fs::{Mode, OFlags};

use serde_json::json;

use super::args::{self, Global};
use crate::engine::run_command::{self, CommandEnd};
use crate::failure::{Exit, Failure};
use crate::remote::{Stream, StreamEvent};
use crate::report::event::{Event, Report};
use crate::text;

/// The longest line that is waited for, in bytes: what is longer is shown in pieces.
const LONGEST: usize = 65_536;

pub(super) fn run(global: &Global, args: &args::Run) -> Result<Exit, Failure> {
    let config = super::configuration(global)?;
    // Before signals are counted: Ctrl-C ends a wait for somebody who types.
    let mut input = args.stdin.then(given).transpose().map_err(|e| {
        Failure::new(Exit::Usage, "stdin could not be read")
            .why(e.to_string())
            .host("nothing was run")
    })?;
    let (mut host, observed) = super::observe(global, &config)?;
    let mut out = Output::new(global, Stream::Out);
    let mut err = Output::new(global, Stream::Err);
    let ended = run_command::run_command(
        host.as_mut(),
        &config,
        &observed,
        &args.command,
        input.as_mut().map(|file| file as &mut dyn Read),
        &mut |event| match event {
            StreamEvent::Bytes(Stream::Out, bytes) => out.take(bytes),
            StreamEvent::Bytes(Stream::Err, bytes) => err.take(bytes),
            StreamEvent::Interrupted => {}
        },
    );
    out.end();
    err.end();
    let CommandEnd { release, code } = ended?;
    if global.json {
        super::results(&super::object(&json!({"v": 1, "release": release, "code": code})));
    } else if code != 0 {
        let name = run_command::name(&args.command);
        let _ = writeln!(io::stderr(), "error: {name} {}", how(code));
    }
    Ok(if code == 0 { Exit::Done } else { Exit::Untouched })
}

/// All of stdin, as a file: the link is not left alone while somebody takes time to write. What is no file yet becomes one
/// without a name.
fn given() -> io::Result<File> {
    let stdin = io::stdin();
    let mut stdin = File::from(stdin.as_fd().try_clone_to_owned()?);
    if stdin.metadata()?.is_file() {
        return Ok(stdin);
    }
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let kept = rustix::fs::open(std::env::temp_dir(), flags, Mode::RUSR | Mode::WUSR)?;
    let mut kept = File::from(kept);
    io::copy(&mut stdin, &mut kept)?;
    kept.rewind()?;
    Ok(kept)
}

/// How a command ended, in words. Shells say 128 and the signal.
fn how(code: i32) -> String {
    match code {
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
    fn new(global: &Global, stream: Stream) -> Self {
        let terminal = match stream {
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
            Some(report) => report.event(&Event::Log {
                source: if self.stream == Stream::Out { "stdout" } else { "stderr" },
                line,
            }),
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
        let _ = match self.stream {
            Stream::Out => {
                let mut out = io::stdout().lock();
                out.write_all(bytes).and_then(|()| out.flush())
            }
            Stream::Err => io::stderr().lock().write_all(bytes),
        };
    }
}
