//! `shipit logs`: the journal of the app's units: all, some, those of a release, of one run. Changes nothing.

mod invocations; // which lines belong to a release

use std::collections::VecDeque;

use self::invocations::{DRAIN, Life, Span, owners, spans};
use super::args::{self, Global, Priority};
use crate::config::Config;
use crate::engine::session;
use crate::failure::{Exit, Failure, Next};
use crate::host::{Host, Lost};
use crate::observed::Observed;
use crate::plan::needs;
use crate::plan::units::{Purpose, units};
use crate::remote::{self, Heard, JOURNAL_HELPER, Script, Stream, exits};
use crate::report::journal::journal_line;
use crate::text;

/// The helper is not there, or may not be run.
const NO_HELPER: i32 = 54;

pub(super) fn run(global: &Global, wish: &args::Logs) -> Result<Exit, Failure> {
    let config = super::configuration(global)?;
    let known = units(&config, Purpose::Journal);
    let units = chosen(&known, &wish.unit)?;
    let asked = asked(wish, &units)?;
    let (mut host, seen) = super::look(global, &config)?;
    let mut reader = Reader {
        global,
        config: &config,
        seen: &seen,
        host: host.as_mut(),
    };
    if let Some(release) = &wish.release {
        return reader.of_release(&asked, release, wish.lines);
    }
    let mut asked = asked;
    if let Some(run) = &wish.run {
        let lives = reader.lives(run)?;
        if lives.is_empty() {
            return Err(
                untouched(format!("no service process belongs to run {run}"))
                    .next(Next::shipit("logs")),
            );
        }
        for life in lives {
            asked.push_str(&format!("invocation {}\n", life.invocation));
        }
    }
    let code = reader.read(&asked, &mut |line| show(global, line))?;
    // What every host can do: the sudo rule has had these lines from the beginning.
    let plain = wish.run.is_none()
        && wish.since.is_none()
        && wish.until.is_none()
        && wish.priority.is_none()
        && wish.grep.is_none()
        && wish.lines.is_none();
    match code {
        NO_HELPER if plain => {
            let first = if wish.follow { 1 } else { units.len() };
            for unit in &units[..first.min(units.len())] {
                let follow = if wish.follow { "yes" } else { "no" };
                let script = Script::logs([needs::access(&seen), unit, follow]);
                reader.stream(&script, "", &mut |line| show(global, line))?;
            }
            Ok(Exit::Done)
        }
        NO_HELPER => Err(untouched("this host can only show the whole journal yet")
            .why("setup installs a helper that reads it as asked")
            .next(config.host.as_root("setup").remark("again"))
            .next(Next::shipit("logs"))),
        _ => Ok(Exit::Done),
    }
}

fn untouched(what: impl Into<String>) -> Failure {
    Failure::new(Exit::Untouched, what)
}

/// The units that are meant, all of them the app's.
fn chosen<'a>(known: &[&'a str], wanted: &[String]) -> Result<Vec<&'a str>, Failure> {
    if known.is_empty() {
        return Err(Failure::new(
            Exit::Usage,
            "the app has no units, and so no journal",
        ));
    }
    if wanted.is_empty() {
        return Ok(known.to_vec());
    }
    let one = |unit: &String| {
        let found = known
            .iter()
            .find(|k| *k == unit || **k == format!("{unit}.service"));
        found.copied().ok_or_else(|| {
            Failure::new(
                Exit::Usage,
                format!("{} is not a unit of this app", text::shown(unit.as_bytes())),
            )
            .next(Next::shipit("logs --unit").arg(known[0]))
        })
    };
    wanted.iter().map(one).collect()
}

/// What was typed, as the helper reads it: a word and its value on each line.
fn asked(wish: &args::Logs, units: &[&str]) -> Result<String, Failure> {
    let mut out = String::new();
    let mut add = |key: &str, value: &str| {
        if value.is_empty() || value.contains(|c: char| c.is_control()) {
            return Err(Failure::new(
                Exit::Usage,
                format!(
                    "--{key} {} cannot be asked for",
                    text::shown(value.as_bytes())
                ),
            ));
        }
        out.push_str(&format!("{key} {value}\n"));
        Ok(())
    };
    for unit in units {
        add("unit", unit)?;
    }
    let lines = wish.lines.unwrap_or(if wish.follow { 100 } else { 1000 });
    add("lines", &lines.to_string())?;
    for (key, given) in [("since", &wish.since), ("until", &wish.until)] {
        if let Some(time) = given {
            add(key, &point(time))?;
        }
    }
    if let Some(priority) = wish.priority {
        add("priority", word(priority))?;
    }
    if let Some(pattern) = &wish.grep {
        add("grep", pattern)?;
    }
    if wish.follow {
        out.push_str("follow\n");
    }
    Ok(out)
}

/// `2h` is two hours ago: journalctl wants a minus there (systemd.time(7)).
fn point(time: &str) -> String {
    let span = time.starts_with(|c: char| c.is_ascii_digit())
        && time.contains(|c: char| c.is_ascii_alphabetic())
        && time.bytes().all(|b| b.is_ascii_alphanumeric() || b == b' ')
        && !time.ends_with("ago");
    if span {
        format!("-{time}")
    } else {
        time.to_owned()
    }
}

fn word(priority: Priority) -> &'static str {
    match priority {
        Priority::Emerg => "emerg",
        Priority::Alert => "alert",
        Priority::Crit => "crit",
        Priority::Err => "err",
        Priority::Warning => "warning",
        Priority::Notice => "notice",
        Priority::Info => "info",
        Priority::Debug => "debug",
    }
}

fn show(global: &Global, line: &[u8]) {
    if global.json {
        // systemd's own objects, as they are; what is none is not passed off as one.
        let text = String::from_utf8_lossy(line);
        let is_object = !text.contains(|c: char| c.is_ascii_control())
            && matches!(
                serde_json::from_str(&text),
                Ok(serde_json::Value::Object(_))
            );
        if is_object {
            super::results(&(text::in_json(&text) + "\n"));
        }
    } else if let Some(text) = journal_line(line) {
        super::results(&format!("{}\n", text::shown(text.as_bytes())));
    }
}

/// The journal of one host.
struct Reader<'a> {
    global: &'a Global,
    config: &'a Config,
    seen: &'a Observed,
    host: &'a mut dyn Host,
}

impl Reader<'_> {
    /// One question to the helper; [`NO_HELPER`] or 0.
    fn read(&mut self, asked: &str, told: &mut dyn FnMut(&[u8])) -> Result<i32, Failure> {
        let mut args = vec![
            needs::access(self.seen),
            self.config.app.as_str(),
            JOURNAL_HELPER,
        ];
        args.extend(units(self.config, Purpose::Journal));
        self.stream(&Script::journal(args), &format!("{asked}end\n"), told)
    }

    fn stream(
        &mut self,
        script: &Script,
        stdin: &str,
        told: &mut dyn FnMut(&[u8]),
    ) -> Result<i32, Failure> {
        let (mut line, mut err, mut said) = (Vec::new(), Vec::new(), false);
        let mut stdin = stdin.as_bytes();
        let ended = remote::stream(
            self.host,
            script,
            Some(&mut stdin),
            &mut |heard| match heard {
                Heard::Bytes(Stream::Out, bytes) => {
                    for &b in bytes {
                        if b == b'\n' {
                            said = true;
                            told(&std::mem::take(&mut line));
                        } else {
                            line.push(b);
                        }
                    }
                }
                Heard::Bytes(Stream::Err, bytes) if err.len() < 65_536 => {
                    err.extend_from_slice(bytes)
                }
                Heard::Bytes(..) | Heard::Interrupted => {}
            },
        );
        match ended {
            // With a pattern that nothing matches, journalctl leaves with 1 and says nothing.
            Ok(1) if err.is_empty() && !said => Ok(0),
            Ok(code @ (0 | NO_HELPER)) => Ok(code),
            Err(Lost::Left) => Ok(0),
            Ok(code) => {
                let mut failure = untouched("the journal could not be read");
                let lines = err.split(|b| *b == b'\n').filter(|line| !line.is_empty());
                failure.why = lines.map(text::shown).collect();
                failure = failure.why(format!("exit status {code}"));
                Err(failure
                    .next(Next::shipit("doctor").remark("is the sudo rule there?"))
                    .next(Next::shipit("logs --help")))
            }
            Err(lost) => Err(session::lost_while(
                &lost,
                "reading the journal",
                "nothing changed",
            )),
        }
    }

    /// The lives that one run saw, or (`-`) those of all runs.
    fn lives(&mut self, run: &str) -> Result<Vec<Life>, Failure> {
        let root = self.config.root.as_str();
        let answer = session::one(self.host, Script::invocations([root, run]))
            .map_err(|lost| session::lost_while(&lost, "reading the runs", "nothing changed"))?;
        match answer.code {
            0 => {}
            exits::NO_RUN => {
                return Err(Failure::new(
                    Exit::Usage,
                    format!("there is no run {}", text::shown(run.as_bytes())),
                )
                .why("the newest 50 are kept")
                .next(Next::shipit("status").remark("names the last ones")));
            }
            _ => {
                let mut failure = untouched("the runs could not be read");
                failure.why = answer.err.iter().map(|line| text::shown(line)).collect();
                return Err(failure);
            }
        }
        let text = String::from_utf8_lossy(&answer.out).into_owned();
        let lives = text.lines().filter_map(|line| {
            let mut words = line
                .strip_prefix("invocation ")?
                .split(' ')
                .map(str::to_owned);
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
    fn of_release(
        &mut self,
        asked: &str,
        release: &str,
        lines: Option<u32>,
    ) -> Result<Exit, Failure> {
        let spans = spans(self.seen, release);
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
        let owners = owners(&self.seen.ledger, &lives);
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
            if code == NO_HELPER {
                return Err(untouched("this host can only show the whole journal yet")
                    .next(
                        self.config
                            .host
                            .as_root("setup")
                            .remark("again: it installs a helper for that"),
                    )
                    .next(Next::shipit("logs")));
            }
        }
        for line in kept {
            show(self.global, &line);
        }
        Ok(Exit::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_a_time_ago_and_a_point_in_time_is_not() {
        for (typed, sent) in [
            ("2h", "-2h"),
            ("30 min", "-30 min"),
            ("2 hours ago", "2 hours ago"),
            ("today", "today"),
            ("2026-11-21 05:00", "2026-11-21 05:00"),
            ("@5", "@5"),
            ("-5min", "-5min"),
        ] {
            assert_eq!(point(typed), sent);
        }
    }
}
