//! Reads the journal of the app's units on the host: all of it, that of one run, that of a release. Changes nothing,
//! and
//! prints nothing.

mod invocations; // which lines belong to a release

use std::collections::VecDeque;

use self::invocations::{DRAIN, Life, Span, owners, spans};
use super::session;
use crate::config::Config;
use crate::failure::{Exit, Failure, Next};
use crate::host::Host;
use crate::observed::Observed;
use crate::plan::units::{Purpose, units};
use crate::plan::{needs, releases};
use crate::release::Id;
use crate::remote::{self, Input, JOURNAL_HELPER, Script, Stream, StreamEvent, exits};
use crate::text;

/// The longest line that is read as a whole, in bytes.
const LONGEST: usize = 8 << 20;
/// The most bytes of lines that are kept to find the last ones of a release.
const KEPT: usize = 64 << 20;

pub struct Reader<'a> {
    pub config: &'a Config,
    pub observed: &'a Observed,
    pub host: &'a mut dyn Host,
}

impl Reader<'_> {
    /// One question to the helper; [`exits::NO_HELPER`] or 0.
    /// Fails when the connection is lost, or the journal cannot be read.
    pub fn read(&mut self, asked: &str, on_line: &mut dyn FnMut(&[u8])) -> Result<i32, Failure> {
        let mut args = vec![needs::access(self.observed), self.config.app.as_str(), JOURNAL_HELPER];
        args.extend(units(self.config, Purpose::Journal));
        self.stream(&Script::journal(args), &format!("{asked}end\n"), on_line)
    }

    /// Runs a script, and hands each line of its stdout on.
    pub fn stream(&mut self, script: &Script, stdin: &str, on_line: &mut dyn FnMut(&[u8])) -> Result<i32, Failure> {
        let (mut line, mut err, mut said, mut stopped) = (Vec::new(), Vec::new(), false, false);
        let mut stdin = stdin.as_bytes();
        let input = Input {
            stdin: Some(&mut stdin),
            ..Input::default()
        };
        let ended = remote::stream(self.host, script, input, None, &mut |event| match event {
            StreamEvent::Bytes(Stream::Out, bytes) => {
                for &b in bytes {
                    // No host may fill our memory with one line.
                    if b == b'\n' || line.len() == LONGEST {
                        said = true;
                        on_line(&std::mem::take(&mut line));
                    }
                    if b != b'\n' {
                        line.push(b);
                    }
                }
            }
            StreamEvent::Bytes(Stream::Err, bytes) if err.len() < 65_536 => err.extend_from_slice(bytes),
            StreamEvent::Bytes(..) => {}
            StreamEvent::Interrupted => stopped = true,
        });
        match ended {
            // With a pattern that nothing matches, journalctl leaves with 1 and says nothing.
            Ok(1) if err.is_empty() && !said => Ok(0),
            Ok(code @ (0 | exits::NO_HELPER)) => Ok(code),
            // The user is done; that the server let nobody stop journalctl changes nothing.
            Err(_) if stopped => Ok(0),
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

    /// Why the helper that filters the journal could not be run.
    pub fn cannot_filter(&self) -> Failure {
        let failure = Failure::new(
            Exit::Untouched,
            "this host cannot filter the journal; it can only show all of it",
        );
        let failure = match needs::stale_rule(self.config, self.observed) {
            Some(whys) => failure.whys(whys),
            None => failure.why("setup installs a helper that filters it"),
        };
        failure
            .next(self.config.host.as_root("setup").remark("again"))
            .next(Next::shipit("logs"))
    }

    /// The lives that one run saw, or (`-`) those of all runs. Fails for a run that the host does not have.
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
                        .next(Next::shipit("status -v").remark("lists the latest ones")),
                );
            }
            _ => return Err(Failure::new(Exit::Untouched, "the runs could not be read").whys(answer.errors())),
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
    /// Fails for a release that was never live, and a host without the helper.
    pub fn of_release(
        &mut self,
        asked: &str,
        release: &str,
        lines: Option<u32>,
        show: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Failure> {
        let (mut release, mut spans) = (release, spans(self.observed, release));
        // The same words name it as for a rollback. A whole name that is gone is not the beginning of its
        // neighbor of the same second.
        if spans.is_empty() && Id::parse(release).is_none() {
            let known = self.observed.releases.iter();
            let known = known.filter(|id| releases::means(self.observed, release, id));
            let lived: Vec<_> = known
                .map(|id| (id.as_str(), invocations::spans(self.observed, id)))
                .filter(|(_, spans)| !spans.is_empty())
                .collect();
            if lived.len() > 1 {
                let names: Vec<_> = lived.iter().map(|(id, _)| *id).collect();
                let what = format!("{} matches {} releases", text::shown(release.as_bytes()), names.len());
                return Err(Failure::new(Exit::Usage, what)
                    .why(names.join(", "))
                    .next(Next::shipit("releases")));
            }
            if let Some((id, of)) = lived.into_iter().next() {
                (release, spans) = (id, of);
            }
        }
        if spans.is_empty() {
            return Err(Failure::new(
                Exit::Usage,
                format!(
                    "no release {} was ever live on this host",
                    text::shown(release.as_bytes())
                ),
            )
            .next(Next::shipit("releases")));
        }
        let lives = self.lives("-")?;
        let owners = owners(&self.observed.ledger, &lives);
        let most = lines.unwrap_or(1000) as usize;
        let (mut kept, mut size) = (VecDeque::<Vec<u8>>::new(), 0);
        for (since, until) in spans {
            let mut asked = format!("{asked}since @{since}\n");
            if let Some(until) = until {
                asked.push_str(&format!("until @{}\n", until + DRAIN));
            }
            let mut span = Span::new(release, until, &owners);
            let code = self.read(&asked, &mut |line| {
                if span.takes(line) {
                    size += line.len();
                    kept.push_back(line.to_vec());
                    while kept.len() > most || size > KEPT {
                        size -= kept.pop_front().map_or(size, |line| line.len());
                    }
                }
            })?;
            if code == exits::NO_HELPER {
                return Err(self.cannot_filter());
            }
        }
        for line in kept {
            show(&line);
        }
        Ok(())
    }
}
