//! `shipit logs`: the journal of the app's units: all, some, those of a release, of one run. Changes nothing.

use std::cell::Cell;
use std::io::{IsTerminal, stderr, stdout};
use std::sync::Once;

use rustix::process::{Signal, getpid, kill_process};

use super::args::{self, Global};
use crate::engine::journal::Reader;
use crate::failure::{Exit, Failure, Next};
use crate::plan::named_units::real_names;
use crate::plan::needs;
use crate::plan::units::{Purpose, units};
use crate::remote::{Script, exits};
use crate::report::journal::shown_line;
use crate::text;

pub(super) fn run(global: &Global, args: &args::Logs) -> Result<Exit, Failure> {
    let any = Cell::new(false);
    let exit = printed(global, args, &mut |line| {
        any.set(true);
        show(global, line);
    })?;
    // A program that reads the lines, or a screen that shows new ones, sees that there are none.
    if !any.get() && !args.follow && !global.json && stderr().is_terminal() {
        super::note("no line matches");
    }
    Ok(exit)
}

fn printed(global: &Global, args: &args::Logs, show: &mut dyn FnMut(&[u8])) -> Result<Exit, Failure> {
    let config = super::configuration(global)?;
    let known = units(&config, Purpose::Journal);
    let units = chosen(&known, &args.unit)?;
    let asked = asked(args, &units)?;
    let (mut host, observed) = super::observe(global, &config)?;
    real_names(&units, &observed)?;
    let mut reader = Reader {
        config: &config,
        observed: &observed,
        host: host.as_mut(),
    };
    if let Some(release) = &args.release {
        let read = reader.of_release(&asked, release, args.lines, show);
        return match read {
            Err(failure) if failure.exit == Exit::Untouched => Err(refused(&mut reader, args, &units, failure)),
            read => read.map(|()| Exit::Done),
        };
    }
    let mut asked = asked;
    if let Some(run) = &args.run {
        let lives = reader.lives(run)?;
        if lives.is_empty() {
            return Err(untouched(format!("run {run} has no service process")).next(Next::shipit("logs")));
        }
        for life in lives {
            // The helper is on the host since its last setup: an older one knows an invocation by this word only.
            asked.push_str(&format!("life {}\n", life.invocation));
        }
    }
    let code = match reader.read(&asked, show) {
        Err(failure) if failure.exit == Exit::Untouched => return Err(refused(&mut reader, args, &units, failure)),
        code => code?,
    };
    // What every host can do: the sudo rule has had these lines from the beginning.
    let plain = args.run.is_none()
        && args.since.is_none()
        && args.until.is_none()
        && args.priority.is_none()
        && args.grep.is_none()
        && args.lines.is_none();
    match code {
        exits::NO_HELPER if plain => {
            let first = if args.follow { 1 } else { units.len() };
            for unit in &units[..first.min(units.len())] {
                let follow = if args.follow { "yes" } else { "no" };
                let script = Script::logs([needs::access(&observed), unit, follow]);
                reader.stream(&script, "", show)?;
            }
            Ok(Exit::Done)
        }
        exits::NO_HELPER => Err(reader.cannot_filter()),
        _ => Ok(Exit::Done),
    }
}

/// Why journalctl refused: because of the time or the pattern that was typed, if the journal can be read without it.
fn refused(reader: &mut Reader<'_>, args: &args::Logs, units: &[&str], failure: Failure) -> Failure {
    let unit = units.first().unwrap_or(&"");
    let mut reads = |filter: &str| {
        let asked = format!("unit {unit}\nlines 1\n{filter}");
        reader.read(&asked, &mut |_| ()).is_ok_and(|code| code == 0)
    };
    let since = args.since.as_ref().map(|time| ("since", time, point(time)));
    let until = args.until.as_ref().map(|time| ("until", time, point(time)));
    let pattern = args.grep.as_ref().map(|pattern| ("grep", pattern, pattern.clone()));
    let filters: Vec<_> = [since, until, pattern].into_iter().flatten().collect();
    if filters.is_empty() || !reads("") {
        return failure;
    }
    let wrong = filters.iter().find(|(key, _, sent)| !reads(&format!("{key} {sent}\n")));
    let usage = |what: String| Failure {
        what,
        next: Vec::new(),
        exit: Exit::Usage,
        ..failure.clone()
    };
    match wrong {
        Some(("grep", typed, _)) => {
            usage(format!("`--grep {typed}` is not a pattern that the host can read")).next(Next::shipit("logs --help"))
        }
        Some((key, typed, _)) => usage(format!("`--{key} {typed}` is not a time"))
            .next(Next::again(format!("--{key} '2 hours ago'")).remark("or today, or \"2026-11-21 05:00\"")),
        // A time that is later than the other.
        None if args.since.is_some() && args.until.is_some() => {
            usage("--since and --until contradict each other".into()).next(Next::shipit("logs --help"))
        }
        None => failure,
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
            "the app has no units and therefore no journal",
        ));
    }
    if wanted.is_empty() {
        return Ok(known.to_vec());
    }
    let one = |unit: &String| {
        let found = known.iter().find(|k| *k == unit || **k == format!("{unit}.service"));
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
fn asked(args: &args::Logs, units: &[&str]) -> Result<String, Failure> {
    let mut out = String::new();
    let mut add = |key: &str, value: &str| {
        if value.is_empty() || value.contains(|c: char| c.is_control()) {
            return Err(Failure::new(
                Exit::Usage,
                format!("--{key} {} is not a valid filter", text::shown(value.as_bytes())),
            ));
        }
        out.push_str(&format!("{key} {value}\n"));
        Ok(())
    };
    for unit in units {
        add("unit", unit)?;
    }
    let lines = args.lines.unwrap_or(if args.follow { 100 } else { 1000 });
    add("lines", &lines.to_string())?;
    for (key, given) in [("since", &args.since), ("until", &args.until)] {
        if let Some(time) = given {
            add(key, &point(time))?;
        }
    }
    if let Some(priority) = &args.priority {
        add("priority", priority)?;
    }
    if let Some(pattern) = &args.grep {
        add("grep", pattern)?;
    }
    if args.follow {
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
    if span { format!("-{time}") } else { time.to_owned() }
}

fn show(global: &Global, line: &[u8]) {
    let mut read = true;
    if global.json {
        // systemd's own objects, as they are; what is none is not passed off as one.
        let text = String::from_utf8_lossy(line);
        let is_object = !text.contains(|c: char| c.is_ascii_control())
            && matches!(serde_json::from_str(&text), Ok(serde_json::Value::Object(_)));
        if is_object {
            read = super::put(&mut stdout().lock(), (text::in_json(&text) + "\n").as_bytes());
        }
    } else if let Some(text) = shown_line(line, global.color.on(stdout())) {
        read = super::put(&mut stdout().lock(), (text + "\n").as_bytes());
    }
    if !read {
        UNREAD.call_once(|| _ = kill_process(getpid(), Signal::INT));
    }
}

/// Whoever read the lines has enough of them (`| head`): then this ends as by Ctrl-C.
static UNREAD: Once = Once::new();

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
