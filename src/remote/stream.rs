//! One command whose output passes through as it comes, byte for byte, and whose end is still told by its own token:
//! for `shipit run` and for journals. What is in the output is nobody's business here.

use std::io::Read;

use super::exec_line::{self, Again, Way};
use super::frame;
use super::script::Script;
use crate::host::stdin::Live;
use crate::host::terminal::Terminal;
use crate::host::{self, Exec, Host, Lost, Then};
use crate::text;

/// One of the two outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Out,
    Err,
}

/// What is heard of a command.
pub enum StreamEvent<'a> {
    /// The next bytes of one of its outputs.
    Bytes(Stream, &'a [u8]),
    /// The person asked to stop; the command gets SIGTERM.
    Interrupted,
}

/// What goes to a command, and how it is stopped.
#[derive(Default)]
pub struct Input<'a> {
    pub stdin: Option<&'a mut dyn Read>,
    /// Instead of it, a source that may have nothing for a while: it is opened once the session runs.
    pub live: Option<&'a Live<'a>>,
    /// The user's terminal. The command gets one of its own, in which no byte has a meaning until the script sets that.
    pub terminal: Option<&'a Terminal>,
    /// Asks the host to stop the command; by default the session's process group gets SIGTERM.
    pub stop: Option<&'a Script>,
    /// Without a terminal, the host does that too when the connection is lost.
    pub ends: bool,
}

/// Runs one script and hands on what it writes; nothing of that is kept. Gives its exit status, as a shell says it (128 and the
/// number of the signal that ended it).
/// Fails with [`Lost::Interrupted`] when a person stopped it before it had ended by itself; else as the host says it.
/// `again` connects once more for that, where the server allows no second session.
pub fn stream(
    host: &mut dyn Host,
    script: &Script,
    input: Input<'_>,
    mut again: Option<Again<'_>>,
    on_event: &mut dyn FnMut(StreamEvent<'_>),
) -> Result<i32, Lost> {
    let Input {
        stdin,
        live,
        terminal,
        stop,
        ends,
    } = input;
    let nonce = exec_line::nonce()?;
    let mut text = terminal.map(prelude).unwrap_or_default().into_bytes();
    text.extend(format!("n={nonce}\nprintf '%s pid %s\\n' \"$n\" $$\n").bytes());
    let is_watched = ends && terminal.is_none();
    if is_watched {
        text.extend(watch(stop));
    }
    text.extend(b"(\nunset n\n");
    text.extend(script.body());
    text.extend(if stdin.is_some() || live.is_some() {
        &b"\n)"[..]
    } else {
        b"\n) </dev/null"
    });
    // A terminal has one output, and shows each key at once: what is held back begins with a byte that no key makes.
    let mark = if terminal.is_some() { "\x1e" } else { "" };
    text.extend(match terminal {
        Some(_) => &b"\nset -- $?\nprintf '\\036%s end %s\\n' \"$n\" \"$1\"\n"[..],
        None if is_watched => {
            b"\nset -- $?\nkill -KILL $watch\nprintf '%s' \"$n\" >&2\nprintf '%s end %s\\n' \"$n\" \"$1\"\n"
        }
        None => b"\nset -- $?\nprintf '%s' \"$n\" >&2\nprintf '%s end %s\\n' \"$n\" \"$1\"\n",
    });
    let packed = exec_line::packed(&text, exec_line::wants_login(script), Way::Line);
    if terminal.is_some() && !packed.before.is_empty() {
        return Err(Lost::Source("the command is too long for a terminal".into()));
    }
    let stop =
        stop.map(|script| exec_line::exec_line(&nonce, None, std::slice::from_ref(script), false, &|_| false).line);
    // A script prints how it ended; of a signal it is enough that the command that sends it ran.
    let stopped_it = format!("{nonce} end 0 0\n");
    let heard = |printed: &[u8]| stop.is_none() || find(printed, stopped_it.as_bytes()).is_some();
    let mut session = 0;
    let mut out = Passing::new(&format!("{mark}{nonce}"));
    let mut err = Passing::new(&nonce);
    err.over = terminal.is_some();
    let mut begun = false;
    let (mut before, mut messages) = (Vec::new(), 0);
    let too_early = || {
        let most = text::bytes(frame::OUTSIDE as u64);
        Then::Abandon(format!("more than {most} before the first line of the session"))
    };
    let (mut interrupted, mut left, mut stopped, mut asking) = (false, None, false, String::new());
    let mut reader = live.map(Live::reader);
    let reader = reader.as_mut().map(|reader| reader as &mut dyn Read);
    let mut stdin = reader.or(stdin.map(|read| &mut *read as &mut dyn Read));
    let mut stdin = packed.stdin(&mut stdin);
    let exec = Exec {
        stdin: stdin.as_mut().map(|stdin| stdin as &mut dyn Read),
        live,
        terminal,
        ..Exec::of(&packed.line)
    };
    let ended = host.exec(exec, &mut |event| {
        match event {
            host::ExecEvent::Out(bytes) if begun => {
                out.take(bytes, &mut |b| on_event(StreamEvent::Bytes(Stream::Out, b)));
            }
            // What a login shell says of itself comes first, and is not the command's.
            host::ExecEvent::Out(bytes) => {
                let seen = before.len().saturating_sub(nonce.len() + LONGEST_FIRST);
                before.extend_from_slice(bytes);
                if let Some((pid, rest)) = first_line(&before[seen..], &nonce) {
                    session = pid;
                    begun = true;
                    if let Some(live) = live {
                        live.open();
                    }
                    out.take(rest, &mut |b| on_event(StreamEvent::Bytes(Stream::Out, b)));
                    before = Vec::new();
                } else if before.len() > frame::OUTSIDE {
                    return too_early();
                }
            }
            host::ExecEvent::Err(bytes) => {
                err.take(bytes, &mut |b| on_event(StreamEvent::Bytes(Stream::Err, b)));
                // Nothing of the command's: it has not begun.
                messages += if begun { 0 } else { bytes.len() };
                if messages > frame::OUTSIDE {
                    return too_early();
                }
            }
            host::ExecEvent::Sent(_) => {}
            host::ExecEvent::Interrupted => {
                if !interrupted {
                    interrupted = true;
                    on_event(StreamEvent::Interrupted);
                }
                let then = stop.clone().map_or_else(|| exec_line::terminate(session), Then::Run);
                if let Then::Run(line) = &then {
                    asking.clone_from(line);
                }
                return then;
            }
            host::ExecEvent::Asked(printed) => {
                if printed.is_none() && exec_line::elsewhere(&mut again, &asking).is_none() {
                    // The command is left, and nobody says that it was stopped.
                    left = Some("the server allows only one session, and a second connection failed");
                    return Then::Finish;
                }
                if printed.is_some_and(|printed| !heard(printed)) {
                    left = Some("the host did not stop it");
                    return Then::Finish;
                }
                stopped = true;
            }
        }
        match (out.is_forged(), out.status().is_some() && err.over) {
            (true, _) => Then::Abandon("a forged end of the session".into()),
            (false, true) => Then::Finish,
            (false, false) => Then::Listen,
        }
    });
    let ended = match ended {
        // The ssh program ends with 255 when a signal ended the command.
        Err(Lost::Cut(_)) if stopped && out.status().is_none() => return Err(Lost::Interrupted),
        Err(Lost::Interrupted) if begun && !stopped => {
            return Err(Lost::Cut(
                "shipit was interrupted again before the host had stopped the command".into(),
            ));
        }
        // What it had read so far looked to the command like all of it.
        Err(Lost::Source(why)) if begun => return Err(Lost::Cut(format!("reading stdin failed: {why}"))),
        ended => ended?,
    };
    out.rest(&mut |b| on_event(StreamEvent::Bytes(Stream::Out, b)));
    err.rest(&mut |b| on_event(StreamEvent::Bytes(Stream::Err, b)));
    match out.status() {
        // What stops the command leaves it time to report how it ended.
        Some(_) if interrupted && stop.is_some() => Err(Lost::Interrupted),
        Some(status) => Ok(status),
        None if left.is_some() => {
            let why = left.unwrap_or_default();
            Err(Lost::Cut(format!("the command could not be stopped: {why}")))
        }
        None if interrupted => Err(Lost::Interrupted),
        None if !begun && matches!(ended, host::Ended::Code(_)) => Err(Lost::Refused(text::shown_lines(&before))),
        None => Err(Lost::Cut(format!(
            "the session ended without its end token ({ended:?})"
        ))),
    }
}

/// Before the first line, on a terminal: what follows passes unchanged, and a key that ends the command does not end the
/// session's own shell; a lost terminal does, and then the kernel ends the command. Its settings are `SHIPIT_TTY` for the script.
fn prelude(terminal: &Terminal) -> String {
    let (columns, rows) = terminal.size();
    format!("stty sane rows {rows} columns {columns}; SHIPIT_TTY=$(stty -g); stty raw -echo\ntrap : INT QUIT\n")
}

/// What runs beside a command without a terminal, as `$watch`.
fn watch(stop: Option<&Script>) -> Vec<u8> {
    let none: [&str; 0] = [];
    let mut text = b"(\nunset n\n".to_vec();
    match stop {
        Some(script) => {
            text.extend(b"stop() (\n");
            text.extend(script.body());
            text.extend(b"\n)\n");
        }
        None => text.extend(Script::run_end(none).body()),
    }
    text.push(b'\n');
    text.extend(Script::run_watch(none).body());
    text.extend(b"\n) </dev/null >/dev/null 2>&1 &\nwatch=$!\n");
    text
}

/// The rest of the first line: ` pid N`.
const LONGEST_FIRST: usize = 32;

/// `@nonce pid N` as a line, and what follows it.
fn first_line<'a>(bytes: &'a [u8], nonce: &str) -> Option<(i32, &'a [u8])> {
    let token = format!("{nonce} pid ");
    let at = find(bytes, token.as_bytes())? + token.len();
    let end = at + bytes[at..].iter().position(|b| *b == b'\n')?;
    let pid = std::str::from_utf8(&bytes[at..end]).ok()?.parse().ok()?;
    Some((pid, &bytes[end + 1..]))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|w| w == wanted)
}

/// One output on its way through. Held back is only what may be the beginning of the end token.
struct Passing {
    token: Vec<u8>,
    held: Vec<u8>,
    over: bool,
}

impl Passing {
    fn new(nonce: &str) -> Self {
        Self {
            token: nonce.as_bytes().to_vec(),
            held: Vec::new(),
            over: false,
        }
    }

    fn take(&mut self, bytes: &[u8], pass: &mut dyn FnMut(&[u8])) {
        if self.over {
            // The end token's line; what comes after it is nobody's.
            let room = (self.token.len() + LONGEST_FIRST).saturating_sub(self.held.len());
            self.held.extend_from_slice(&bytes[..room.min(bytes.len())]);
            return;
        }
        self.held.extend_from_slice(bytes);
        let upto = find(&self.held, &self.token);
        self.over = upto.is_some();
        let upto = upto.unwrap_or_else(|| {
            let longest = self.held.len().min(self.token.len() - 1);
            let kept = (0..=longest).rev().find(|n| self.held.ends_with(&self.token[..*n]));
            self.held.len() - kept.unwrap_or(0)
        });
        if upto > 0 {
            pass(&self.held[..upto]);
        }
        self.held.drain(..upto);
        if self.over {
            self.held.truncate(self.token.len() + LONGEST_FIRST);
        }
    }

    /// The session is over: what looked like the beginning of a token was none.
    fn rest(&mut self, pass: &mut dyn FnMut(&[u8])) {
        if !self.over && !self.held.is_empty() {
            pass(&std::mem::take(&mut self.held));
        }
    }

    /// Whether the token came, and nothing after it makes it the end.
    fn is_forged(&self) -> bool {
        self.over && self.held.len() >= self.token.len() + LONGEST_FIRST && self.status().is_none()
    }

    fn status(&self) -> Option<i32> {
        let text = std::str::from_utf8(self.held.strip_prefix(self.token.as_slice())?).ok()?;
        let line = text.strip_prefix(" end ")?.split_once('\n')?.0;
        self.over.then(|| line.trim_end_matches('\r').parse().ok()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_passes_once_and_the_token_never_however_the_stream_is_cut() {
        let whole = b"a@0\n\0@01@012@0123\xff\n@01 end 7\n@012345 end 7\nlate";
        let mut text = Vec::new();
        for cut in 0..whole.len() {
            let mut passing = Passing::new("@012345");
            text.clear();
            for part in [&whole[..cut], &whole[cut..]] {
                passing.take(part, &mut |b| text.extend_from_slice(b));
            }
            passing.rest(&mut |b| text.extend_from_slice(b));
            assert_eq!(text, b"a@0\n\0@01@012@0123\xff\n@01 end 7\n", "{cut}");
            assert_eq!(passing.status(), Some(7), "{cut}");
        }
    }

    #[test]
    fn a_stream_without_its_token_has_no_status_and_loses_nothing() {
        let mut text = Vec::new();
        let mut passing = Passing::new("@012345");
        passing.take(b"x@0123", &mut |b| text.extend_from_slice(b));
        assert_eq!(text, b"x");
        passing.rest(&mut |b| text.extend_from_slice(b));
        assert_eq!((text.as_slice(), passing.status()), (&b"x@0123"[..], None));
    }
}
