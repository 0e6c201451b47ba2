//! Looks at everything that `doctor` judges: the host, its units, who answers, what stands in front, what failed
//! last. Read-only, and it goes as far as the host lets it: what was seen before the line was lost is kept.

use std::collections::BTreeMap;
use std::process::{self, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::ask::{collect, run};
use super::journals;
use super::observe::{observe, timers};
use super::session::Link;
use crate::config::{Config, Instance};
use crate::diagnosis::{Evidence, LastSwitch, Missing, Need, Probed, needs as needs_of, of_unit};
use crate::failure::Failure;
use crate::host::Host;
use crate::host::ssh::LoginPreview;
use crate::observed::ledger::PastOutcome;
use crate::observed::lines::lines;
use crate::observed::{HostUnits, Live, Observed};
use crate::plan::needs;
use crate::plan::units::{Purpose, units};
use crate::remote::Script;
use crate::report::event::Report;
use crate::router::Routers;
use crate::step::{self, Check, Command, RunEvent};
use crate::unit::merge::Unit;

/// Seconds that one health request may take: a deploy gives it 2, a person wants to know whether it is slow or dead.
const PATIENCE: &str = "5";

/// Everything that can be seen from here.
pub fn examine(link: &mut dyn Link, config: &Config, login: Option<LoginPreview>, report: &mut dyn Report) -> Evidence {
    let mut evidence = Evidence {
        login,
        missing: on_this_machine(config),
        ..Evidence::default()
    };
    let looked = link
        .connect(report)
        .and_then(|mut host| read_host(host.as_mut(), config, true, &mut evidence));
    evidence.link = looked.err();
    evidence
}

/// The same of a host that is connected already; nothing of the login. `is_daily`: whether this is deploy.yml's own login.
pub fn examine_connected(host: &mut dyn Host, config: &Config, is_daily: bool) -> Result<Evidence, Failure> {
    let mut evidence = Evidence {
        missing: on_this_machine(config),
        ..Evidence::default()
    };
    read_host(host, config, is_daily, &mut evidence)?;
    Ok(evidence)
}

/// Whether this login may check health: a check can be a program of the app's, whose files the deploy user owns. Any
/// other login is root, or can become root: it runs none of them.
fn may_probe(config: &Config, observed: &Observed, is_daily: bool) -> bool {
    is_daily || config.host.user.as_ref() == Some(&observed.user)
}

fn read_host(host: &mut dyn Host, config: &Config, is_daily: bool, evidence: &mut Evidence) -> Result<(), Failure> {
    let before = now();
    let observed = evidence.observed.insert(observe(host, config)?).clone();
    evidence.skew = observed.time.map(|time| skew(time, before, now()));
    let repository = super::units::repository(config);
    let known = repository.as_deref().unwrap_or_default();
    let live = evidence.live.insert(collect(host, config, known)?).clone();
    evidence.missing.extend(on_the_host(host, config, known, &live)?);
    evidence.repository = repository.err();
    evidence.timers = Some(timers(host, config)?);
    let probed = config.instances().filter(|_| may_probe(config, &observed, is_daily));
    for one in probed {
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

/// The programs of `build` that `sh` here does not find.
fn on_this_machine(config: &Config) -> Vec<Missing> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_absent = |need: &Need| {
        let Need::Program(program) = need else { return false };
        let look = process::Command::new("sh")
            .args(["-c", "command -v -- \"$1\"", "sh", program])
            .stdin(Stdio::null())
            .output();
        // What could not be asked is not known.
        look.is_ok_and(|output| !output.status.success())
    };
    let needs = needs_of(config.build.as_deref().unwrap_or_default()).into_iter();
    let missing = |need| Missing {
        by: "build".into(),
        need,
        path: path.to_string_lossy().into_owned(),
    };
    needs.filter(is_absent).map(missing).collect()
}

/// What `prepare` runs, and the units that the host does not have yet, and the deploy user's login does not find.
fn on_the_host(
    host: &mut dyn Host,
    config: &Config,
    repository: &[Unit],
    live: &Live,
) -> Result<Vec<Missing>, Failure> {
    let of_prepare = needs_of(config.prepare.as_ref().map_or("", |prepare| &prepare.run)).into_iter();
    let mut needs: Vec<(String, Need)> = of_prepare.map(|need| ("prepare".into(), need)).collect();
    // Of those that it has, a rule finds out.
    let coming = repository
        .iter()
        .filter(|unit| live.properties(unit.name.as_str()).is_not_found());
    for unit in coming {
        let of_unit = of_unit(unit, config.root.as_str()).into_iter();
        needs.extend(of_unit.map(|need| (unit.name.to_string(), need)));
    }
    if needs.is_empty() {
        return Ok(Vec::new());
    }
    let args = needs.iter().flat_map(|(_, need)| match need {
        Need::Program(name) => ["program", name, "-"],
        Need::Module { python, module, .. } => ["module", python, module],
    });
    let out = run(host, &[Script::program(args)], "looking for the programs")?;
    let mut path = String::new();
    let mut missing = Vec::new();
    for (word, rest) in lines(&out) {
        match word.as_str() {
            "path" => path = rest,
            "missing" => missing.extend(rest.parse().ok().and_then(|n: usize| needs.get(n)).cloned()),
            _ => {}
        }
    }
    let missing = missing.into_iter().map(|(by, need)| Missing {
        by,
        need,
        path: path.clone(),
    });
    Ok(missing.collect())
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
    let out = run(host, &[script], "checking health")?;
    let said = String::from_utf8_lossy(&out);
    let mut words = said.trim_end().splitn(3, ' ');
    let (verdict, took) = (words.next(), words.next().and_then(|took| took.parse::<u64>().ok()));
    Ok(match (verdict, took) {
        (Some("good"), Some(took)) => Some(Probed::Well(Duration::from_millis(took * 10))),
        (Some("bad"), _) => Some(Probed::Badly(words.next().unwrap_or("no answer").to_owned())),
        _ => Some(Probed::Badly("the check could not run".into())),
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
    let known = units(config, Purpose::Journal);
    let unwell: Vec<&str> = known
        .iter()
        .copied()
        .filter(|unit| {
            matches!(
                live.properties(unit).active_state(),
                "failed" | "activating" | "inactive"
            ) || matches!(evidence.probes.get(*unit), Some(Probed::Badly(_)))
        })
        .collect();
    if last.is_none() && known.is_empty() {
        return Ok(());
    }
    let run_id = last.as_ref().map_or("-", |last| last.run.as_str());
    let mut args = vec![config.root.as_str(), needs::access(observed), run_id];
    args.extend(&known);
    let out = run(host, &[Script::evidence(args)], "reading journals")?;
    let mut last = last;
    let mut unit = String::new();
    let mut of_run: Vec<&[u8]> = Vec::new();
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
            (b"journal", Some(_)) => of_run.push(rest),
            _ => {}
        }
    }
    if let Some(last) = &mut last {
        last.journal = journals::excerpt(&of_run);
    }
    evidence.last = last;
    for (unit, lines) in &mut said {
        journals::of_this_start(lines, live.properties(unit));
    }
    for (unit, lines) in &said {
        evidence
            .read_only
            .extend(journals::read_only(lines).map(|line| (unit.clone(), line)));
        evidence
            .ignored_lines
            .extend(journals::ignored_lines(lines).map(|file| (unit.clone(), file)));
    }
    let journals = said.iter().filter(|(unit, _)| unwell.contains(&unit.as_str()));
    evidence.journals = journals
        .map(|(unit, lines)| (unit.clone(), journals::excerpt(lines)))
        .collect();
    Ok(())
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
