//! Looks at everything that `doctor` judges: the host, its units, who answers, what stands in front, what failed
//! last. Read-only, and it goes as far as the host lets it: what was seen before the line was lost is kept.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::ask::{collect, run};
use super::observe::observe;
use super::session::Link;
use crate::config::{Config, Instance};
use crate::diagnosis::{Evidence, LastSwitch, Probed};
use crate::failure::Failure;
use crate::host::Host;
use crate::host::ssh::LoginPreview;
use crate::observed::Observed;
use crate::observed::ledger::PastOutcome;
use crate::observed::{HostUnits, Live};
use crate::plan::needs;
use crate::plan::units::{Purpose, units};
use crate::remote::Script;
use crate::report::event::Report;
use crate::report::journal::journal_line;
use crate::router::Routers;
use crate::step::{self, Check, Command, RunEvent};

/// Seconds that one health request may take: a deploy gives it 2, a person wants to know whether it is slow or dead.
const PATIENCE: &str = "5";
/// The most lines of a journal that are shown with a finding.
const LINES: usize = 8;

/// Everything that can be seen from here.
pub fn examine(link: &mut dyn Link, config: &Config, login: Option<LoginPreview>, report: &mut dyn Report) -> Evidence {
    let mut evidence = Evidence {
        login,
        ..Evidence::default()
    };
    let looked = link
        .connect(report)
        .and_then(|mut host| read_host(host.as_mut(), config, &mut evidence));
    evidence.link = looked.err();
    evidence
}

fn read_host(host: &mut dyn Host, config: &Config, evidence: &mut Evidence) -> Result<(), Failure> {
    let before = now();
    let observed = evidence.observed.insert(observe(host, config)?).clone();
    evidence.skew = observed.time.map(|time| skew(time, before, now()));
    let repository = super::units::repository(config);
    let known = repository.as_deref().unwrap_or_default();
    let live = evidence.live.insert(collect(host, config, known)?).clone();
    evidence.repository = repository.err();
    for one in config.instances() {
        if let Some(probed) = ask(host, config, one, &observed, &live)? {
            evidence.probes.insert(one.unit.to_owned(), probed);
        }
    }
    if evidence.probes.values().any(|one| matches!(one, Probed::Badly(_))) {
        let out = run(host, &[Script::listening([""; 0])], "reading the listening sockets")?;
        evidence.listening = HostUnits::parse(&out).listening;
    }
    let routers = in_front(host)?;
    if let Some(live) = &mut evidence.live {
        live.unreadable.extend(routers.unreadable());
    }
    evidence.routers = Some(routers);
    explain(host, config, &observed, &live, evidence)
}

/// The routers, their files, and the files that these include, in as many rounds as it takes.
fn in_front(host: &mut dyn Host) -> Result<Routers, Failure> {
    let (mut routers, mut args) = Routers::begin();
    while !args.is_empty() {
        let out = run(host, &[Script::routers(&args)], "reading the routers' files")?;
        args = routers.take(&out);
    }
    Ok(routers)
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// How far the host's clock is from the moments between which it was read.
fn skew(time: i64, before: i64, after: i64) -> i64 {
    if time < before {
        time - before
    } else {
        (time - after).max(0)
    }
}

/// Asks a service's health address once, as the conductor does. Only one that runs is asked: a connection to the socket
/// of one that does not would start it.
fn ask(
    host: &mut dyn Host,
    config: &Config,
    one: Instance<'_>,
    observed: &Observed,
    live: &Live,
) -> Result<Option<Probed>, Failure> {
    let properties = live.properties(one.unit);
    let runs = properties.is_active() && properties.get("MainPID") != Some("0");
    let Some(health) = one.health.filter(|_| runs) else {
        return Ok(None);
    };
    let check = &health.check;
    let release = observed.live().filter(|_| check.release).unwrap_or("-");
    let mut args = vec![config.root.to_string(), PATIENCE.into(), release.into()];
    args.extend(step::words(&Check::arguments(Some(check))));
    let script = Script::ask(args);
    let out = run(host, &[script], "asking for health")?;
    let said = String::from_utf8_lossy(&out);
    let mut words = said.trim_end().splitn(3, ' ');
    let (verdict, took) = (words.next(), words.next().and_then(|took| took.parse::<u64>().ok()));
    Ok(match (verdict, took) {
        (Some("good"), Some(took)) => Some(Probed::Well(Duration::from_millis(took * 10))),
        (Some("bad"), _) => Some(Probed::Badly(words.next().unwrap_or("no answer").to_owned())),
        _ => Some(Probed::Badly("the check could not be run".into())),
    })
}

/// Reads what explains the failures that were seen: journals, and the record of the last switch.
fn explain(
    host: &mut dyn Host,
    config: &Config,
    observed: &Observed,
    live: &Live,
    evidence: &mut Evidence,
) -> Result<(), Failure> {
    let last = failed(observed);
    let known = units(config, Purpose::Journal).into_iter();
    let unwell: Vec<&str> = known
        .filter(|unit| {
            matches!(
                live.properties(unit).active_state(),
                "failed" | "activating" | "inactive"
            ) || matches!(evidence.probes.get(*unit), Some(Probed::Badly(_)))
        })
        .collect();
    if last.is_none() && unwell.is_empty() {
        return Ok(());
    }
    let run_id = last.as_ref().map_or("-", |last| last.run.as_str());
    let mut args = vec![config.root.as_str(), needs::access(observed), run_id];
    args.extend(unwell);
    let out = run(host, &[Script::evidence(args)], "reading journals")?;
    let mut last = last;
    let mut unit = String::new();
    let mut said: BTreeMap<String, Vec<&[u8]>> = BTreeMap::new();
    for line in out.split(|&b| b == b'\n') {
        let split = line.iter().position(|&b| b == b' ').unwrap_or(line.len());
        let rest = line.get(split + 1..).unwrap_or_default();
        match (&line[..split], &mut last) {
            (b"unit", _) => unit = String::from_utf8_lossy(rest).into_owned(),
            // The evidence says nothing of it, and why.
            (b"unreadable", _) => {
                let live = evidence.live.as_mut().map(|live| &mut live.unreadable);
                let what = String::from_utf8_lossy(rest).into_owned();
                live.into_iter().for_each(|all| all.push(what.clone()));
            }
            (b"line", _) => said.entry(unit.clone()).or_default().push(rest),
            (b"event", Some(last)) => {
                if let Some(RunEvent::Ended(Some(end))) = RunEvent::parse(&String::from_utf8_lossy(rest)) {
                    last.cause = end.cause;
                }
            }
            (b"journal", Some(last)) => last.journal.extend(journal_line(rest)),
            _ => {}
        }
    }
    evidence.last = last;
    let journals = said.into_iter().map(|(unit, lines)| (unit, excerpt(&lines)));
    evidence.journals = journals.collect();
    Ok(())
}

/// The end of a journal: what the service said for itself, or what systemd said of it when it said nothing.
fn excerpt(lines: &[&[u8]]) -> Vec<String> {
    let of_systemd = |line: &[u8]| {
        let fields: Option<serde_json::Value> = serde_json::from_slice(line).ok();
        fields.is_some_and(|fields| fields["_PID"] == "1")
    };
    let own: Vec<_> = lines.iter().filter(|line| !of_systemd(line)).collect();
    let chosen = if own.is_empty() { lines.iter().collect() } else { own };
    let end = chosen.len().saturating_sub(LINES);
    chosen[end..].iter().filter_map(|line| journal_line(line)).collect()
}

/// The last switch, if it failed and none has gone well since. One that is under way has not ended.
fn failed(observed: &Observed) -> Option<LastSwitch> {
    let degraded = |run: &str| observed.is_degraded() && observed.degraded.as_deref() == Some(run);
    let last = observed.ledger.pasts().find_map(|past| {
        let outcome = match past.outcome {
            // One that was killed again and again could not write its end down.
            PastOutcome::Open if degraded(&past.run) => PastOutcome::Degraded,
            outcome => outcome,
        };
        let ended = past.command != Command::Prune && outcome != PastOutcome::Open;
        ended.then_some((past, outcome))
    });
    let (past, outcome) = last.filter(|(_, outcome)| *outcome != PastOutcome::Done)?;
    Some(LastSwitch {
        run: past.run,
        at: past.at,
        release: past.release,
        outcome,
        cause: String::new(),
        journal: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_wrong_only_outside_of_the_time_it_took_to_read_it() {
        assert_eq!(skew(100, 99, 103), 0);
        assert_eq!(skew(103, 99, 103), 0);
        assert_eq!((skew(50, 99, 103), skew(203, 99, 103)), (-49, 100));
    }

    #[test]
    fn what_a_service_said_for_itself_comes_before_what_systemd_says_of_it() {
        let line = |pid: &str, text: &str| {
            format!(r#"{{"_PID":"{pid}","MESSAGE":"{text}","SYSLOG_IDENTIFIER":"x"}}"#).into_bytes()
        };
        let own = line("7", "no database");
        let systemd = line("1", "Failed with result");
        assert!(excerpt(&[&own, &systemd])[0].contains("no database"));
        assert_eq!(excerpt(&[&own, &systemd]).len(), 1);
        assert!(excerpt(&[&systemd])[0].contains("Failed with result"));
    }

    #[test]
    fn only_a_failure_that_nothing_good_followed_is_told() {
        let observed = |lines: &str| Observed::parse(lines.as_bytes());
        let bad = "ledger t 1 r1 begin a\nledger t 1 r1 failed a\nledger t 1 r1 reverted a\n";
        assert_eq!(failed(&observed(bad)).map(|last| last.run), Some("r1".into()));
        // A switch under way and a prune say nothing of it yet; one that failed before the flip is a failure too.
        let later = format!("{bad}ledger t 2 r2 begin a command=prune\nledger t 3 r3 begin b\n");
        assert_eq!(failed(&observed(&later)).map(|last| last.run), Some("r1".into()));
        let early = format!("{later}ledger t 3 r3 unswitched b\n");
        let last = failed(&observed(&early)).map(|last| (last.run, last.outcome));
        assert_eq!(last, Some(("r3".into(), PastOutcome::Failed)));
        let killed = format!("{later}degraded r3\n");
        let last = failed(&observed(&killed)).map(|last| (last.run, last.outcome));
        assert_eq!(last, Some(("r3".into(), PastOutcome::Degraded)));
        let mended = format!("{bad}ledger t 2 r2 begin b\nledger t 2 r2 verified b\n");
        assert_eq!(failed(&observed(&mended)), None);
        assert_eq!(failed(&observed("ledger t 0 - adopted a\n")), None);
    }
}
