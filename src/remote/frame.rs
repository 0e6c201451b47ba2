//! How steps travel: several scripts in one exec line, each with its own end token. A step succeeded only if
//! its token says so; a missing token means that nobody knows. Transport exit codes are never believed.

use std::io::Read;
use std::time::{Duration, Instant};

use base64::Engine as _;

use super::script::{Keep, Script};
use crate::host::{Exec, ExecEvent, Host, Lost, Then};

/// The longest exec line that libssh2 can send (measured: 34,000 bytes pass, 36,000 do not).
const LONGEST: usize = 33_500;
/// The most that one step may print, in bytes, where its output is read as a whole: the manifest of a million files.
const KEPT: usize = 128 << 20;

/// The longest line that is waited for, in bytes.
const LINE: usize = 1 << 20;

/// How one step of a batch ended.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub code: i32,
    /// What it printed on stdout; all of it, or nothing where [`Script::keep`] says so.
    pub out: Vec<u8>,
    /// The last lines it printed on stderr.
    pub err: Vec<Vec<u8>>,
    /// How long it took, as seen from here.
    pub took: Duration,
}

/// What happens while a batch runs.
pub enum BatchEvent<'a> {
    Began(usize),
    /// A line of its output; not the frame's own.
    Line {
        step: usize,
        /// The line, without its end.
        line: &'a [u8],
        /// Whether it came on stderr.
        err: bool,
    },
    Ended(usize, &'a Answer),
    /// Bytes of stdin handed to the link.
    Sent(u64),
    /// The person asked to stop.
    Interrupted,
}

/// Scripts that run one after the other in one session; the first that fails ends it.
#[derive(Default)]
pub struct Batch<'a> {
    pub steps: &'a [Script],
    /// Runs before them in the session's own shell, so that a lock it takes lasts for all of them.
    pub hold: Option<&'a Script>,
    /// Read by the first step.
    pub stdin: Option<&'a mut dyn Read>,
    /// Asks the host to stop what runs; by default the session's process group gets SIGTERM.
    pub stop: Option<&'a Script>,
}

impl<'a> Batch<'a> {
    #[must_use]
    pub fn new(steps: &'a [Script]) -> Self {
        Self {
            steps,
            ..Self::default()
        }
    }

    /// Runs it; only the answers matter.
    ///
    /// # Errors
    /// Those of [`Self::run`].
    pub fn quiet(self, host: &mut dyn Host) -> Result<Vec<Answer>, Lost> {
        self.run(host, &mut |_| {})
    }

    /// Runs it, and hands on what happens meanwhile.
    ///
    /// # Errors
    /// [`Lost`] when the connection was lost, or the session ended without its tokens.
    pub fn run(self, host: &mut dyn Host, on_event: &mut dyn FnMut(BatchEvent<'_>)) -> Result<Vec<Answer>, Lost> {
        let Batch {
            steps,
            hold,
            stdin,
            stop,
        } = self;
        let nonce = nonce()?;
        let line = exec_line(&nonce, hold, steps, stdin.is_some())?;
        let mut stop_line = match stop {
            Some(script) => Some(exec_line(&nonce, None, std::slice::from_ref(script), false)?),
            None => None,
        };
        let stdin = stdin.map(|read| &mut *read as &mut dyn Read);
        let mut interrupted = false;
        let keeps = steps.iter().map(Script::keep).collect();
        let mut reader = Frame::new(nonce, keeps);
        let ended = host.exec(Exec { line: &line, stdin }, &mut |event| {
            match event {
                ExecEvent::Out(bytes) => reader.out(bytes, on_event),
                ExecEvent::Err(bytes) => reader.err(bytes, on_event),
                ExecEvent::Sent(n) => on_event(BatchEvent::Sent(n)),
                ExecEvent::Interrupted => {
                    interrupted = true;
                    on_event(BatchEvent::Interrupted);
                    let line = stop_line.take();
                    return line.map_or_else(|| terminate(reader.session), Then::Run);
                }
            }
            if reader.over { Then::Finish } else { Then::Listen }
        })?;
        if let Some(i) = reader.too_much {
            let name = steps.get(i).map_or("a step", |step| step.name.word());
            Err(Lost::Cut(format!(
                "`{name}` printed more than {}",
                crate::text::bytes(reader.limit as u64)
            )))
        } else if reader.over {
            Ok(reader.end())
        } else if interrupted && stop.is_none() {
            // The session got the SIGTERM that was asked for.
            Err(Lost::Interrupted)
        } else {
            Err(Lost::Cut(format!(
                "the session ended without its end token ({ended:?}): {}",
                reader.last_words()
            )))
        }
    }
}

/// Sends SIGTERM to the session's process group, whose number the host prints first.
pub(super) fn terminate(session: i32) -> Then {
    if session > 1 {
        Then::Run(format!("exec kill -TERM -- -{session}"))
    } else {
        Then::Listen
    }
}

/// Whether these steps can travel in one session, without a stdin and without a lock.
#[must_use]
pub fn fits(steps: &[Script]) -> bool {
    exec_line(&"@".repeat(25), None, steps, false).is_ok()
}

/// Base64 of the whole text inside one pair of quotes: no login shell (bash, dash, fish, tcsh) finds
/// anything in it to change, and the host gets the whole script or nothing.
fn exec_line(nonce: &str, hold: Option<&Script>, steps: &[Script], has_stdin: bool) -> Result<String, Lost> {
    let mut text =
        format!("LC_ALL=C; export LC_ALL; umask 022; n={nonce}\nprintf '%s pid %s\\n' \"$n\" $$\n").into_bytes();
    text.extend(b"over() { printf '\\n%s end %s %s\\n' \"$n\" \"$1\" \"$2\"; [ \"$2\" = 0 ] || { trap - EXIT; printf '%s over\\n' \"$n\"; exit 0; }; }\n");
    if let Some(hold) = hold {
        text.extend(b"held() {\n");
        text.extend(hold.body());
        // A lock that cannot be had ends the session as the first step's failure.
        text.extend(b"\n}\ntrap 'over 0 $?' EXIT\nprintf '%s begin 0\\n' \"$n\"\nheld\ntrap - EXIT\n");
    }
    for (i, step) in steps.iter().enumerate() {
        let input = if i == 0 && has_stdin { "" } else { "</dev/null" };
        if i > 0 || hold.is_none() {
            text.extend(format!("printf '%s begin {i}\\n' \"$n\"\n").as_bytes());
        }
        text.extend(b"(\n");
        text.extend(step.body());
        text.extend(format!("\n) {input}\nover {i} $?\n").as_bytes());
    }
    text.extend(b"printf '%s over\\n' \"$n\"\n");
    packed(&text)
}

/// A whole text as one exec line: base64 inside one pair of quotes.
pub(super) fn packed(text: &[u8]) -> Result<String, Lost> {
    let packed = base64::engine::general_purpose::STANDARD.encode(text);
    let line = format!("exec sh -c 'eval \"$(echo {packed} | base64 -d)\"'");
    if line.len() > LONGEST {
        return Err(Lost::Source(format!(
            "a step is too long to send: {} bytes",
            line.len()
        )));
    }
    Ok(line)
}

pub(super) fn nonce() -> Result<String, Lost> {
    let mut bytes = [0u8; 12];
    getrandom::fill(&mut bytes).map_err(|e| Lost::Source(format!("no random bytes: {e}")))?;
    Ok(format!(
        "@{}",
        bytes.iter().map(|b| format!("{b:02x}")).collect::<String>()
    ))
}

/// Splits what is heard into lines and the frame's own tokens.
struct Frame {
    nonce: String,
    /// The session's process group; 0 until the host has printed it.
    session: i32,
    answers: Vec<Answer>,
    keeps: Vec<Keep>,
    out: Vec<u8>,
    err: Vec<u8>,
    errs: Vec<Vec<u8>>,
    current: Option<(usize, Instant, Vec<u8>)>,
    /// An empty line that may be the one that sets a token apart.
    blank: bool,
    over: bool,
    /// The most that is kept of one step, in bytes.
    limit: usize,
    /// A step whose output was to be kept, and is too long for it.
    too_much: Option<usize>,
}

impl Frame {
    fn new(nonce: String, keeps: Vec<Keep>) -> Self {
        Self {
            nonce,
            session: 0,
            answers: Vec::new(),
            keeps,
            out: Vec::new(),
            err: Vec::new(),
            errs: Vec::new(),
            current: None,
            blank: false,
            over: false,
            limit: KEPT,
            too_much: None,
        }
    }

    fn out(&mut self, bytes: &[u8], on_event: &mut dyn FnMut(BatchEvent<'_>)) {
        for &b in bytes {
            self.out.push(b);
            // A line without an end is cut, so that no host can fill our memory with one.
            if b == b'\n' || self.out.len() == LINE {
                let line = std::mem::take(&mut self.out);
                self.line(&line, on_event);
            }
        }
    }

    fn line(&mut self, line: &[u8], on_event: &mut dyn FnMut(BatchEvent<'_>)) {
        let token = line
            .strip_prefix(self.nonce.as_bytes())
            .and_then(|rest| std::str::from_utf8(rest).ok());
        if let Some(token) = token {
            self.blank = false;
            let mut words = token.split_ascii_whitespace();
            match (words.next(), words.next(), words.next()) {
                (Some("pid"), Some(pid), None) => self.session = pid.parse().unwrap_or(0),
                (Some("begin"), Some(i), None) => {
                    let i = i.parse().unwrap_or(self.keeps.len());
                    self.current = Some((i, Instant::now(), Vec::new()));
                    on_event(BatchEvent::Began(i));
                }
                (Some("end"), Some(_), Some(code)) => {
                    if let Some((i, began, mut out)) = self.current.take() {
                        // The token starts on a line of its own: this newline is the frame's.
                        if out.last() == Some(&b'\n') {
                            out.pop();
                        }
                        let answer = Answer {
                            code: code.parse().unwrap_or(255),
                            out,
                            err: std::mem::take(&mut self.errs),
                            took: began.elapsed(),
                        };
                        on_event(BatchEvent::Ended(i, &answer));
                        self.answers.push(answer);
                    }
                }
                (Some("over"), None, None) => self.over = true,
                _ => {}
            }
            return;
        }
        if let Some((i, _, out)) = &mut self.current {
            match self.keeps.get(*i) {
                Some(Keep::Nothing) => {}
                // A part must not be taken for the whole.
                _ if out.len() + line.len() > self.limit => self.too_much = Some(*i),
                _ => out.extend(line),
            }
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let held_back = std::mem::replace(&mut self.blank, line.is_empty());
            let lines = [held_back.then_some(&b""[..]), (!line.is_empty()).then_some(line)];
            for line in lines.into_iter().flatten() {
                on_event(BatchEvent::Line {
                    step: *i,
                    line,
                    err: false,
                });
            }
        }
    }

    fn err(&mut self, bytes: &[u8], on_event: &mut dyn FnMut(BatchEvent<'_>)) {
        for &b in bytes {
            if b != b'\n' {
                if self.err.len() < 65_536 {
                    self.err.push(b);
                }
                continue;
            }
            let line = std::mem::take(&mut self.err);
            if let Some((i, _, _)) = &self.current {
                on_event(BatchEvent::Line {
                    step: *i,
                    line: &line,
                    err: true,
                });
            }
            if self.errs.len() == 20 {
                self.errs.remove(0);
            }
            self.errs.push(line);
        }
    }

    /// All answers. What a step said on stderr may arrive after its end token, which came on stdout: by now
    /// both are read to their ends, and only the last step can have failed.
    fn end(mut self) -> Vec<Answer> {
        if !self.err.is_empty() {
            self.errs.push(std::mem::take(&mut self.err));
        }
        if let Some(last) = self.answers.last_mut() {
            last.err.append(&mut self.errs);
        }
        self.answers
    }

    fn last_words(&self) -> String {
        let line = if self.err.is_empty() {
            self.errs.last().cloned().unwrap_or_default()
        } else {
            self.err.clone()
        };
        crate::text::shown(&line)
    }
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
