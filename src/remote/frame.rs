//! How steps travel: several scripts in one exec line, each with its own end token. A step succeeded only if
//! its token says so; a missing token means that nobody knows. Transport exit codes are never believed.

use std::io::Read;
use std::time::{Duration, Instant};

use super::answer::{Answer, Asked, BatchEvent};
use super::exec_line::{Again, elsewhere, exec_line, nonce, terminate};
use super::exits;
use super::script::{Keep, Script, WHOLE};
use crate::host::{Ended, Exec, ExecEvent, Host, Lost, Then};
use crate::text;

/// The most that one step may print, in bytes, where its output is read as a whole: the manifest of a million files.
const KEPT: usize = 128 << 20;

/// The longest line that is waited for, in bytes.
const LINE: usize = 1 << 20;

/// What no honest session comes near; the first breach ends it. Bytes outside of the steps: a login shell's messages.
pub(super) const OUTSIDE: usize = 256 << 10;
/// Bytes of steps whose lines are told one by one, and of stderr.
const TOLD: usize = 256 << 20;
/// How long output may keep coming between the steps.
const PAUSE: Duration = Duration::from_secs(120);

/// Scripts that run one after the other in one session; the first that fails ends it.
#[derive(Default)]
#[must_use]
pub struct Batch<'a> {
    pub steps: &'a [Script],
    /// Runs before them in the session's own shell, so that a lock it takes lasts for all of them.
    pub hold: Option<&'a Script>,
    /// Read by the first step.
    pub stdin: Option<&'a mut dyn Read>,
    /// Asks the host to stop what runs; by default the session's process group gets SIGTERM.
    pub stop: Option<&'a Script>,
    /// Connects once more, where the server allows no second session on this connection.
    pub again: Option<Again<'a>>,
}

impl<'a> Batch<'a> {
    pub fn new(steps: &'a [Script]) -> Self {
        Self {
            steps,
            ..Self::default()
        }
    }

    pub fn one(script: &'a Script) -> Self {
        Self::new(std::slice::from_ref(script))
    }

    pub fn stdin(mut self, stdin: &'a mut dyn Read) -> Self {
        self.stdin = Some(stdin);
        self
    }

    pub fn stop(mut self, script: &'a Script) -> Self {
        self.stop = Some(script);
        self
    }

    pub fn again(mut self, connect: Again<'a>) -> Self {
        self.again = Some(connect);
        self
    }

    /// Runs it; only the answers matter.
    pub fn quiet(self, host: &mut dyn Host) -> Result<Vec<Answer>, Lost> {
        self.run(host, &mut |_| {})
    }

    /// Runs it, and hands on what happens meanwhile.
    /// Fails with [`Lost`] when the connection was lost, or the session ended without its tokens.
    pub fn run(self, host: &mut dyn Host, on_event: &mut dyn FnMut(BatchEvent<'_>)) -> Result<Vec<Answer>, Lost> {
        let Batch {
            steps,
            hold,
            stdin,
            stop,
            mut again,
        } = self;
        let nonce = nonce()?;
        let packed = exec_line(&nonce, hold, steps, stdin.is_some(), &|line| host.waits(line));
        // It runs beside them, without a stdin: a script that is short.
        let stop_line = |script: &Script| exec_line(&nonce, None, std::slice::from_ref(script), false, &|_| false).line;
        let stop_line = stop.map(stop_line);
        let mut stdin = stdin.map(|read| &mut *read as &mut dyn Read);
        let mut stdin = packed.stdin(&mut stdin);
        let (mut interrupted, mut stopped) = (false, false);
        let mut asking = String::new();
        let end = format!("{nonce} end 0 ");
        let heard = |printed: Option<Vec<u8>>| match printed {
            None => Asked::Unheard,
            // Of a signal it is enough that the command that sends it ran.
            Some(_) if stop.is_none() => Asked::Heard,
            // A script prints how it ended.
            Some(printed) => match String::from_utf8_lossy(&printed).split_once(&end) {
                Some((_, rest)) if rest.starts_with("0\n") => Asked::Heard,
                Some((_, rest)) if rest.starts_with(&format!("{}\n", exits::CONFIRMED)) => Asked::TooLate,
                _ => Asked::Unheard,
            },
        };
        let mut reader = Frame::new(
            nonce,
            steps
                .iter()
                .map(|step| (step.name.word(), step.keep(), step.name.within()))
                .collect(),
        );
        let exec = Exec {
            stdin: stdin.as_mut().map(|stdin| stdin as &mut dyn Read),
            ..Exec::of(&packed.line)
        };
        let ended = host.exec(exec, &mut |event| {
            match event {
                ExecEvent::Out(bytes) => reader.out(bytes, on_event),
                ExecEvent::Err(bytes) => reader.err(bytes, on_event),
                ExecEvent::Sent(n) => on_event(BatchEvent::Sent(n)),
                ExecEvent::Interrupted => {
                    if !interrupted {
                        interrupted = true;
                        on_event(BatchEvent::Interrupted);
                    }
                    let then = stop_line.clone().map_or_else(|| terminate(reader.session), Then::Run);
                    if let Then::Run(line) = &then {
                        asking.clone_from(line);
                    }
                    return then;
                }
                ExecEvent::Asked(printed) => {
                    let printed = printed.map(<[u8]>::to_vec);
                    let asked = heard(printed.or_else(|| elsewhere(&mut again, &asking)));
                    stopped = asked == Asked::Heard && stop.is_none();
                    on_event(BatchEvent::Asked(asked));
                    // Nobody can stop the command: it is left alone.
                    if asked == Asked::Unheard && stop.is_none() {
                        return Then::Finish;
                    }
                }
            }
            match reader.breach.take() {
                Some(why) => Then::Abandon(why),
                None if reader.over => Then::Finish,
                None => Then::Listen,
            }
        });
        let ended = match ended {
            // The ssh program ends with 255 when a signal ended the command.
            Err(Lost::Cut(_)) if stopped && !reader.over => return Err(Lost::Interrupted),
            ended => ended?,
        };
        if reader.over {
            Ok(reader.end())
        } else if interrupted && stop.is_none() {
            // The session got the SIGTERM that was asked for, or was left.
            Err(Lost::Interrupted)
        } else if reader.session == 0
            && let Ended::Code(_) = ended
        {
            Err(Lost::Refused(reader.printed()))
        } else {
            Err(Lost::Cut(format!(
                "the session ended without its end token ({ended:?}): {}",
                reader.last_words()
            )))
        }
    }
}

/// Splits what is heard into lines and the frame's own tokens.
struct Frame {
    nonce: String,
    /// The session's process group; 0 until the host has printed it.
    session: i32,
    answers: Vec<Answer>,
    /// Of each step its name, what is kept of its output, and how long output may keep coming.
    steps: Vec<(&'static str, Keep, Duration)>,
    out: Vec<u8>,
    err: Vec<u8>,
    errs: Vec<Vec<u8>>,
    current: Option<(usize, Instant, Vec<u8>)>,
    /// The last lines before the first token: a login shell's own.
    before: Vec<Vec<u8>>,
    /// An empty line that may be the one that sets a token apart.
    blank: bool,
    over: bool,
    /// The most that is kept of all steps, in bytes.
    limit: usize,
    kept: usize,
    told: usize,
    outside: usize,
    /// When the session began, or its last step ended.
    since: Instant,
    /// What the host did that no session of ours does.
    breach: Option<String>,
}

impl Frame {
    fn new(nonce: String, steps: Vec<(&'static str, Keep, Duration)>) -> Self {
        Self {
            nonce,
            session: 0,
            answers: Vec::new(),
            steps,
            out: Vec::new(),
            err: Vec::new(),
            errs: Vec::new(),
            current: None,
            before: Vec::new(),
            blank: false,
            over: false,
            limit: KEPT,
            kept: 0,
            told: 0,
            outside: 0,
            since: Instant::now(),
            breach: None,
        }
    }

    fn out(&mut self, bytes: &[u8], on_event: &mut dyn FnMut(BatchEvent<'_>)) {
        for &b in bytes {
            if self.over || self.breach.is_some() {
                return;
            }
            self.out.push(b);
            // A line without an end is cut, so that no host can fill our memory with one.
            if b == b'\n' || self.out.len() == LINE {
                let line = std::mem::take(&mut self.out);
                self.line(&line, on_event);
            }
        }
        self.watch();
    }

    /// Refuses output that keeps coming for longer than what runs may take.
    fn watch(&mut self) {
        let (what, since, limit) = match &self.current {
            Some((i, began, _)) => (self.steps[*i].0, *began, self.steps[*i].2),
            None => ("the session", self.since, PAUSE),
        };
        if !self.over && since.elapsed() > limit {
            self.refuse(format!("`{what}` printed for more than {}s", limit.as_secs()));
        }
    }

    /// The first breach counts.
    fn refuse(&mut self, why: String) {
        self.breach.get_or_insert(why);
    }

    /// A token of the frame: each comes once, in its order. Only a host that forges them prints others.
    fn token(&mut self, token: &str, on_event: &mut dyn FnMut(BatchEvent<'_>)) -> Option<()> {
        let next = self.answers.len();
        let mut words = token.split_ascii_whitespace();
        match (words.next()?, words.next(), words.next(), words.next()) {
            ("pid", Some(pid), None, None) if self.session == 0 && next == 0 && self.current.is_none() => {
                self.session = pid.parse().ok().filter(|pid| *pid > 1)?;
            }
            ("begin", Some(i), None, None) if self.current.is_none() && next < self.steps.len() => {
                (i.parse() == Ok(next)).then_some(())?;
                self.current = Some((next, Instant::now(), Vec::new()));
                on_event(BatchEvent::Began(next));
            }
            ("end", Some(i), Some(code), None) if i.parse() == Ok(next) => {
                let (i, began, mut out) = self.current.take()?;
                // The token starts on a line of its own: this newline is the frame's.
                if out.last() == Some(&b'\n') {
                    out.pop();
                }
                let mut code = code.parse().ok()?;
                if code == 0 && matches!(self.steps.get(i), Some((_, Keep::Whole, _))) {
                    match out.strip_suffix(WHOLE) {
                        Some(seen) => out.truncate(seen.len()),
                        None => code = exits::NOT_WHOLE,
                    }
                }
                let answer = Answer {
                    code,
                    out,
                    err: std::mem::take(&mut self.errs),
                    took: began.elapsed(),
                };
                on_event(BatchEvent::Ended(i, &answer));
                self.answers.push(answer);
                self.since = Instant::now();
            }
            ("over", None, None, None) if self.current.is_none() => {
                let failed = self.answers.last().is_some_and(|answer| answer.code != 0);
                self.over = (failed || next == self.steps.len()).then_some(true)?;
            }
            _ => return None,
        }
        Some(())
    }

    fn line(&mut self, line: &[u8], on_event: &mut dyn FnMut(BatchEvent<'_>)) {
        if let Some(token) = line.strip_prefix(self.nonce.as_bytes()) {
            self.blank = false;
            let token = std::str::from_utf8(token).unwrap_or_default();
            if self.token(token, on_event).is_none() {
                self.refuse(format!("a forged line: {}", text::shown(token.as_bytes())));
            }
            return;
        }
        if self.session == 0 {
            self.before.drain(..self.before.len().saturating_sub(4));
            self.before.push(line.to_vec());
        }
        let Some((i, _, out)) = &mut self.current else {
            self.outside += line.len();
            if self.outside > OUTSIDE {
                let most = text::bytes(OUTSIDE as u64);
                self.refuse(format!("more than {most} of output outside the steps"));
            }
            return;
        };
        let (name, keep, _) = self.steps[*i];
        let (sum, most) = match keep {
            Keep::Nothing => (&mut self.told, TOLD),
            Keep::All | Keep::Whole => (&mut self.kept, self.limit),
        };
        *sum += line.len();
        // A part must not be taken for the whole.
        if *sum > most {
            let most = text::bytes(most as u64);
            return self.refuse(format!("`{name}` printed more than {most}"));
        }
        if keep != Keep::Nothing {
            out.extend(line);
        }
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let held_back = std::mem::replace(&mut self.blank, line.is_empty());
        let lines = [held_back.then_some(&b""[..]), (!line.is_empty()).then_some(line)];
        for line in lines.into_iter().flatten() {
            let step = *i;
            on_event(BatchEvent::Line { step, line, err: false });
        }
    }

    fn err(&mut self, bytes: &[u8], on_event: &mut dyn FnMut(BatchEvent<'_>)) {
        self.told += bytes.len();
        if self.told > TOLD {
            return self.refuse(format!("more than {} of messages", text::bytes(TOLD as u64)));
        }
        self.watch();
        for part in bytes.split_inclusive(|&b| b == b'\n') {
            let text = part.strip_suffix(b"\n").unwrap_or(part);
            let room = 65_536usize.saturating_sub(self.err.len());
            self.err.extend(&text[..text.len().min(room)]);
            if text.len() == part.len() {
                break;
            }
            let line = std::mem::take(&mut self.err);
            if let Some((step, _, _)) = self.current {
                let line = &line;
                on_event(BatchEvent::Line { step, line, err: true });
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

    /// What came instead of the first token: the last lines of each output.
    fn printed(&self) -> String {
        let lines = self.before.iter().chain([&self.out]);
        let lines = lines.chain(&self.errs).chain([&self.err]);
        lines.map(|line| text::shown(line.trim_ascii()) + "\n").collect()
    }

    fn last_words(&self) -> String {
        let line = if self.err.is_empty() {
            self.errs.last().cloned().unwrap_or_default()
        } else {
            self.err.clone()
        };
        text::shown(&line)
    }
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
