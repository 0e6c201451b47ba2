//! A session's scripts as one command line, which no login shell changes. What comes back is read by `frame` and `stream`.

use std::io::{Read, Write as _};
use std::time::{Duration, Instant};

use base64::Engine as _;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::script::{Name, Script};
use crate::host::{Ended, Exec, ExecEvent, Host, Lost, Then};

/// The longest exec line that is sent as one: what is longer travels on stdin. libssh2 can send 34,000 bytes and not
/// 36,000 (measured); `host::ssh` takes 33,000.
const LONGEST: usize = 33_000;

/// Base64 of the whole text inside quotes: no login shell (bash, dash, fish, tcsh) finds
/// anything in it to change, and the host gets the whole script or nothing. If a shell [waits](waiting) there, it goes to
/// its stdin.
pub(super) fn exec_line(
    nonce: &str,
    hold: Option<&Script>,
    steps: &[Script],
    has_stdin: bool,
    waits: &dyn Fn(&str) -> bool,
) -> Packed {
    let with_login = steps.iter().any(wants_login);
    let way = if steps.iter().any(|step| step.name.is_private()) || waits(&waiting(with_login)) {
        Way::Stdin
    } else {
        Way::Line
    };
    let mut text = format!("umask 022; n={nonce}\n").into_bytes();
    if has_stdin && way == Way::Line {
        text.extend(
            format!("IFS= read -r first; [ \"$first\" = \"$n\" ] || {{ echo '{EATEN}'; exit 0; }}\n").as_bytes(),
        );
    }
    text.extend(b"printf '\\n%s pid %s\\n' \"$n\" $$\n");
    text.extend(b"over() { printf '\\n%s end %s %s\\n' \"$n\" \"$1\" \"$2\"; [ \"$2\" = 0 ] || { trap - EXIT; printf '%s over\\n' \"$n\"; exit 0; }; }\n");
    if let Some(hold) = hold {
        text.extend(b"held() {\n");
        text.extend(hold.body());
        // A lock that cannot be had ends the session as the first step's failure.
        text.extend(b"\n}\ntrap 'over 0 $?' EXIT\nprintf '%s begin 0\\n' \"$n\"\nheld\ntrap - EXIT\n");
    }
    for (i, step) in steps.iter().enumerate() {
        let reads = has_stdin && (i == 0 || step.name == Name::Request);
        let input = if reads { "" } else { "</dev/null" };
        if i > 0 || hold.is_none() {
            text.extend(format!("printf '%s begin {i}\\n' \"$n\"\n").as_bytes());
        }
        text.extend(b"(\n");
        text.extend(step.body());
        text.extend(format!("\n) {input}\nover {i} $?\n").as_bytes());
    }
    text.extend(b"printf '%s over\\n' \"$n\"\n");
    let mut packed = packed(&text, with_login, way);
    if has_stdin && way == Way::Line {
        packed.before.extend(format!("{nonce}\n").as_bytes());
    }
    packed
}

/// What the host prints where the beginning of stdin did not arrive. Without it an upload would fail as damaged.
pub(super) const EATEN: &str =
    "a startup file of this login (such as ~/.bashrc) reads stdin, which shipit needs for its commands";
/// What a script on stdin begins with.
const MARK: &str = "shipit:";

/// A text on its way: one exec line, and what goes before the session's stdin.
pub(super) struct Packed {
    pub line: String,
    pub(super) before: Vec<u8>,
}

impl Packed {
    /// What the session reads: the rest of the script, then the payload.
    pub fn stdin<'a>(&'a self, payload: &'a mut Option<&mut dyn Read>) -> Option<Box<dyn Read + 'a>> {
        match payload {
            None if self.before.is_empty() => None,
            None => Some(Box::new(self.before.as_slice())),
            Some(payload) => Some(Box::new(self.before.as_slice().chain(&mut **payload))),
        }
    }
}

/// What a script gets of the login's environment. All else (CDPATH, proxies, `TAR_OPTIONS`, `POSIXLY_CORRECT`, …) could
/// steer it.
const LET_IN: &str =
    r#""PATH=${PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}" "HOME=${HOME:-/}""#;
/// The environment as the login made it, as a text that sh reads back: for the app's own commands.
const LOGIN: &str = r#" "SHIPIT_LOGIN=$(export -p)""#;

/// Whether this script runs a command of the app's, or looks for its program: it gets the login's environment back.
pub(super) fn wants_login(script: &Script) -> bool {
    matches!(script.name, Name::Prepare | Name::Run | Name::Shell | Name::Program)
}

/// How a text travels.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// On the command line, which every user of the host can read, if it is short enough.
    Line,
    /// On stdin: one round trip more where nothing else goes there.
    Stdin,
}

/// What runs the command: a shell in an environment of its own.
fn own(with_login: bool) -> String {
    let login = if with_login { LOGIN } else { "" };
    format!("exec sh -c 'exec env -i {LET_IN}{login} LANG=C LC_ALL=C sh -c \"$1\" sh' sh")
}

/// The exec line of a shell that takes its script from stdin, as one line: `read` takes not a byte more from there, and
/// fails if the line is incomplete. It is the same for every script, so a transport can start it in advance.
pub(crate) fn waiting(with_login: bool) -> String {
    format!(
        "{} 'IFS= read -r s && case $s in {MARK}*) eval \"$(printf %s \"${{s#{MARK}}}\" | {UNPACK})\"; exit ;; esac; echo \"{EATEN}\"'",
        own(with_login)
    )
}

/// What turns the word of a line into the text again. On a fresh TCP connection, ten packets arrive with the first round
/// trip: what observes a host fits in there only compressed.
const UNPACK: &str = "base64 -d | gzip -dc";

/// The text as one word that every shell leaves alone.
fn word(text: &[u8]) -> String {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to memory does not fail; without its end nothing of the text runs.
    let _ = gzip.write_all(text);
    base64::engine::general_purpose::STANDARD.encode(gzip.finish().unwrap_or_default())
}

/// A whole text as one exec line: three words in quotes, the last one with the text. A text that is too long for a line,
/// or not for everybody's eyes, goes before the payload.
pub(super) fn packed(text: &[u8], with_login: bool, way: Way) -> Packed {
    let word = word(text);
    let line = format!("{} 'eval \"$(echo {word} | {UNPACK})\"'", own(with_login));
    if way == Way::Line && line.len() <= LONGEST {
        let before = Vec::new();
        return Packed { line, before };
    }
    Packed {
        line: waiting(with_login),
        before: format!("{MARK}{word}\n").into_bytes(),
    }
}

/// The text of a line that was packed, for the tests' hosts.
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) fn unpacked(line: &str) -> String {
    let word = line.split(' ').find(|word| word.len() > 100).unwrap();
    let gzip = base64::engine::general_purpose::STANDARD.decode(word).unwrap();
    std::io::read_to_string(flate2::read::GzDecoder::new(gzip.as_slice())).unwrap()
}

pub(super) fn nonce() -> Result<String, Lost> {
    let mut bytes = [0u8; 12];
    getrandom::fill(&mut bytes).map_err(|e| Lost::Source(format!("no random bytes: {e}")))?;
    Ok(format!(
        "@{}",
        bytes.iter().map(|b| format!("{b:02x}")).collect::<String>()
    ))
}

/// Sends SIGTERM to the session's process group, whose number the host prints first.
pub(super) fn terminate(session: i32) -> Then {
    if session > 1 {
        Then::Run(format!("exec kill -TERM -- -{session}"))
    } else {
        Then::Listen
    }
}

/// Connects once more, where the server allows no second session on a connection.
pub type Again<'a> = &'a mut dyn FnMut() -> Option<Box<dyn Host>>;

/// The most that an answer over another connection may have, in bytes.
const ANSWER: usize = 65_536;
/// How long such an answer may keep coming.
const ANSWERS: Duration = Duration::from_secs(20);

/// Runs a command line over another connection. What it printed; `None` where it did not run to a good end.
pub(super) fn elsewhere(again: &mut Option<Again<'_>>, line: &str) -> Option<Vec<u8>> {
    answer(again.as_mut()?()?.as_mut(), line, ANSWERS)
}

/// The answer to a short command line. No host is heard longer or at greater length.
fn answer(host: &mut dyn Host, line: &str, within: Duration) -> Option<Vec<u8>> {
    let (began, mut printed, mut heard) = (Instant::now(), Vec::new(), 0);
    let ended = host.exec(Exec::of(line), &mut |event| {
        match event {
            ExecEvent::Out(bytes) => {
                printed.extend_from_slice(bytes);
                heard += bytes.len();
            }
            ExecEvent::Err(bytes) => heard += bytes.len(),
            _ => {}
        }
        if heard > ANSWER || began.elapsed() > within {
            return Then::Abandon("the answer did not end within the limit".into());
        }
        Then::Listen
    });
    (ended == Ok(Ended::Code(0))).then_some(printed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Lost;

    /// A host that prints the same again and again, for as long as it is heard.
    struct Endless(&'static [u8]);
    impl Host for Endless {
        fn exec(&mut self, _: Exec<'_>, on_event: &mut dyn FnMut(ExecEvent<'_>) -> Then) -> Result<Ended, Lost> {
            for _ in 0..100_000 {
                if let Then::Abandon(why) = on_event(ExecEvent::Out(self.0)) {
                    return Err(Lost::Breach(why));
                }
            }
            Ok(Ended::Code(0))
        }
        fn traffic(&self) -> (u64, u64) {
            (0, 0)
        }
    }

    #[test]
    fn an_answer_over_another_connection_ends() {
        assert_eq!(answer(&mut Endless(b"hello\n"), "true", ANSWERS), None, "too much");
        assert_eq!(answer(&mut Endless(b""), "true", Duration::ZERO), None, "too long");
        assert_eq!(answer(&mut Endless(b""), "true", ANSWERS), Some(Vec::new()));
    }
}
