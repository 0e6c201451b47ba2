//! One command whose output passes through as it comes, byte for byte, and whose end is still told by its own token:
//! for `shipit run` and for journals. What is in the output is nobody's business here.

use std::io::Read;

use super::frame;
use super::script::Script;
use crate::host::{self, Exec, Host, Lost, Then};

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

/// Runs one script and hands on what it writes; nothing of that is kept. Gives its exit status, as a shell says it (128 and the
/// number of the signal that ended it).
///
/// # Errors
/// [`Lost::Interrupted`] when a person stopped it before it had ended by itself; else as the host says it.
pub fn stream(
    host: &mut dyn Host,
    script: &Script,
    stdin: Option<&mut dyn Read>,
    on_event: &mut dyn FnMut(StreamEvent<'_>),
) -> Result<i32, Lost> {
    let nonce = frame::nonce()?;
    let mut text = format!("n={nonce}\nprintf '%s pid %s\\n' \"$n\" $$\n(\nunset n\n").into_bytes();
    text.extend(script.body());
    text.extend(if stdin.is_some() {
        &b"\n)"[..]
    } else {
        b"\n) </dev/null"
    });
    text.extend(b"\nset -- $?\nprintf '%s' \"$n\" >&2\nprintf '%s end %s\\n' \"$n\" \"$1\"\n");
    let line = frame::packed(&text)?;
    let mut session = 0;
    let mut out = Passing::new(&nonce);
    let mut err = Passing::new(&nonce);
    let mut begun = false;
    let mut before = Vec::new();
    let mut interrupted = false;
    let stdin = stdin.map(|read| &mut *read as &mut dyn Read);
    let ended = host.exec(Exec { line: &line, stdin }, &mut |event| {
        match event {
            host::ExecEvent::Out(bytes) if begun => {
                out.take(bytes, &mut |b| on_event(StreamEvent::Bytes(Stream::Out, b)));
            }
            // What a login shell says of itself comes first, and is not the command's.
            host::ExecEvent::Out(bytes) => {
                before.extend_from_slice(bytes);
                if let Some((pid, rest)) = first_line(&before, &nonce) {
                    session = pid;
                    begun = true;
                    out.take(rest, &mut |b| on_event(StreamEvent::Bytes(Stream::Out, b)));
                    before = Vec::new();
                }
            }
            host::ExecEvent::Err(bytes) => err.take(bytes, &mut |b| on_event(StreamEvent::Bytes(Stream::Err, b))),
            host::ExecEvent::Sent(_) => {}
            host::ExecEvent::Interrupted => {
                interrupted = true;
                on_event(StreamEvent::Interrupted);
                return frame::terminate(session);
            }
        }
        Then::Listen
    })?;
    out.rest(&mut |b| on_event(StreamEvent::Bytes(Stream::Out, b)));
    err.rest(&mut |b| on_event(StreamEvent::Bytes(Stream::Err, b)));
    match out.status() {
        Some(status) => Ok(status),
        None if interrupted => Err(Lost::Interrupted),
        None => Err(Lost::Cut(format!(
            "the session ended without its end token ({ended:?})"
        ))),
    }
}

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
        self.held.extend_from_slice(bytes);
        if self.over {
            return;
        }
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
    }

    /// The session is over: what looked like the beginning of a token was none.
    fn rest(&mut self, pass: &mut dyn FnMut(&[u8])) {
        if !self.over && !self.held.is_empty() {
            pass(&std::mem::take(&mut self.held));
        }
    }

    fn status(&self) -> Option<i32> {
        let text = std::str::from_utf8(self.held.strip_prefix(self.token.as_slice())?).ok()?;
        let line = text.strip_prefix(" end ")?.split_once('\n')?.0;
        self.over.then(|| line.parse().ok()).flatten()
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
