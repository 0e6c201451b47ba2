//! Reads the journal of the app's units on the host: all of it, that of one run, that of a release. Changes nothing, and
//! prints nothing.

mod invocations; // which lines belong to a release

use std::collections::VecDeque;

use self::invocations::{DRAIN, Life, Span, owners, spans};
use super::session;
use crate::config::Config;
use crate::failure::{Exit, Failure, Next};
use crate::host::{Host, Lost};
use crate::observed::Observed;
use crate::plan::needs;
use crate::plan::units::{Purpose, units};
use crate::remote::{self, JOURNAL_HELPER, Script, Stream, StreamEvent, exits};
use crate::text;

/// The journal of one host.
pub struct Reader<'a> {
    pub config: &'a Config,
    pub observed: &'a Observed,
    pub host: &'a mut dyn Host,
}

impl Reader<'_> {
    /// One question to the helper; [`exits::NO_HELPER`] or 0.
    ///
    /// # Errors
    /// When the connection is lost, or the journal cannot be read.
    pub fn read(&mut self, asked: &str, on_line: &mut dyn FnMut(&[u8])) -> Result<i32, Failure> {
        let mut args = vec![needs::access(self.observed), self.config.app.as_str(), JOURNAL_HELPER];
        args.extend(units(self.config, Purpose::Journal));
        self.stream(&Script::journal(args), &format!("{asked}end\n"), on_line)
    }

    /// Runs a script, and hands each line of its stdout on.
    ///
    /// # Errors
    /// When the connection is lost, or it fails.
    pub fn stream(&mut self, script: &Script, stdin: &str, on_line: &mut dyn FnMut(&[u8])) -> Result<i32, Failure> {
        let (mut line, mut err, mut said) = (Vec::new(), Vec::new(), false);
        let mut stdin = stdin.as_bytes();
        let ended = remote::stream(self.host, script, Some(&mut stdin), &mut |event| match event {
            StreamEvent::Bytes(Stream::Out, bytes) => {
                for &b in bytes {
                    if b == b'\n' {
                        said = true;
                        on_line(&std::mem::take(&mut line));
                    } else {
                        line.push(b);
                    }
                }
            }
            StreamEvent::Bytes(Stream::Err, bytes) if err.len() < 65_536 => err.extend_from_slice(bytes),
            StreamEvent::Bytes(..) | StreamEvent::Interrupted => {}
        });
        match ended {
            // With a pattern that nothing matches, journalctl leaves with 1 and says nothing.
            Ok(1) if err.is_empty() && !said => Ok(0),
            Ok(code @ (0 | exits::NO_HELPER)) => Ok(code),
            Err(Lost::Interrupted) => Ok(0),
            Ok(code) => {
                let mut failure = Failure::new(Exit::Untouched, "the journal could not be read");
                let lines = err.split(|b| *b == b'\n').filter(|line| !line.is_empty());
                failure.why = lines.map(text::shown).collect();
                failure = failure.why(format!("exit status {code}"));
                Err(failure
                    .next(Next::shipit("doctor").remark("is the sudo rule installed?"))
                    .next(Next::shipit("logs --help")))
            }
            Err(lost) => Err(session::lost_while(&lost, "reading the journal", "nothing changed")),
        }
    }

    /// The lives that one run saw, or (`-`) those of all runs.
    ///
    /// # Errors
    /// For a run that the host does not have.
    pub fn lives(&mut self, run: &str) -> Result<Vec<Life>, Failure> {
        let root = self.config.root.as_str();
        let answer = session::one(self.host, Script::invocations([root, run]))
            .map_err(|lost| session::lost_while(&lost, "reading the runs", "nothing changed"))?;
        match answer.code {
            0 => {}
            exits::NO_RUN => {
                return Err(
                    Failure::new(Exit::Usage, format!("there is no run {}", text::shown(run.as_bytes())))
                        .why("the newest 50 are kept")
                        .next(Next::shipit("status").remark("lists the latest ones")),
                );
            }
            _ => {
                let mut failure = Failure::new(Exit::Untouched, "the runs could not be read");
                failure.why = answer.err.iter().map(|line| text::shown(line)).collect();
                return Err(failure);
            }
        }
        let text = String::from_utf8_lossy(&answer.out).into_owned();
        let lives = text.lines().filter_map(|line| {
            let mut words = line.strip_prefix("invocation ")?.split(' ').map(str::to_owned);
            let (run, found, invocation) = (words.next()?, words.next()?, words.next()?);
            let failed = found == "failed";
            (invocation.len() == 32).then_some(Life {
                run,
                failed,
                invocation,
            })
        });
        Ok(lives.collect())
    }

    /// From each flip to the release until the next flip, without the lives that belong to other releases alone.
    ///
    /// # Errors
    /// For a release that was never live, and a host without the helper.
    pub fn of_release(
        &mut self,
        asked: &str,
        release: &str,
        lines: Option<u32>,
        show: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Failure> {
        let spans = spans(self.observed, release);
        if spans.is_empty() {
            return Err(Failure::new(
                Exit::Usage,
                format!(
                    "{} was never live, as far as the ledger goes back",
                    text::shown(release.as_bytes())
                ),
            )
            .next(Next::shipit("releases")));
        }
        let lives = self.lives("-")?;
        let owners = owners(&self.observed.ledger, &lives);
        let most = lines.unwrap_or(1000) as usize;
        let mut kept: VecDeque<Vec<u8>> = VecDeque::new();
        for (since, until) in spans {
            let mut asked = format!("{asked}since @{since}\n");
            if let Some(until) = until {
                asked.push_str(&format!("until @{}\n", until + DRAIN));
            }
            let mut span = Span::new(release, until, &owners);
            let code = self.read(&asked, &mut |line| {
                if span.takes(line) {
                    kept.push_back(line.to_vec());
                    if kept.len() > most {
                        kept.pop_front();
                    }
                }
            })?;
            if code == exits::NO_HELPER {
                return Err(
                    Failure::new(Exit::Untouched, "so far, this host can only show the whole journal")
                        .next(
                            self.config
                                .host
                                .as_root("setup")
                                .remark("run it again to install a helper for that"),
                        )
                        .next(Next::shipit("logs")),
                );
            }
        }
        for line in kept {
            show(&line);
        }
        Ok(())
    }
}
