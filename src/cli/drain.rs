//! `shipit doctor --drain`: the trials, one after the other, and what is printed of them. What they prove is decided in
//! `diagnosis`.

use serde_json::{Map, Value, json};

use super::args::{DrainTrial, Global};
use super::paper::{Ink, Paper};
use crate::config::{Config, Instance};
use crate::diagnosis::{Diagnosis, Drained, Drains, Trial, Tried};
use crate::engine::as_root::{at_terminal, not_agreed};
use crate::engine::session::Link;
use crate::engine::{drain, held, observe};
use crate::failure::{Exit, Failure, Next, Typed};
use crate::host::ssh::{self, Reply};
use crate::interrupt::Interrupts;
use crate::observed::drain::{Health, Kept, Request, Stopped};
use crate::report::event::Report;
use crate::text::shown;

/// Tries every service. The first instance that does not come back ends it.
pub(super) fn trials(
    global: &Global,
    args: &DrainTrial,
    config: &Config,
    link: &mut dyn Link,
    interrupts: &Interrupts,
    report: &mut dyn Report,
) -> Result<Vec<Trial>, Failure> {
    let mut host = link.connect(report)?;
    let mut observed = observe::observe(host.as_mut(), config)?;
    if let Some(request) = &observed.request {
        return Err(held::held(request, "nothing was tested"));
    }
    if drain::put_back(host.as_mut(), config, &observed)? {
        observed = observe::observe(host.as_mut(), config)?;
    }
    let wanted = drain::trials(config, &observed, args.live);
    if args.live && !args.yes {
        agreed(&wanted, interrupts)?;
    }
    let mut trials = Vec::new();
    for one in wanted {
        let one = match one {
            Ok(one) => one,
            Err(trial) => {
                trials.push(*trial);
                continue;
            }
        };
        if !global.quiet {
            super::note(&format!("testing how {} stops", one.unit));
        }
        let tried = drain::attempt(host.as_mut(), config, &observed, &one, args.live, args.path.as_deref())?;
        let is_back = !matches!(tried, Tried::NotBack(_));
        let unit = one.unit.to_owned();
        trials.push(Trial { unit, tried });
        if !is_back {
            break;
        }
    }
    Ok(trials)
}

/// Asks before instances restart that clients use.
fn agreed(wanted: &[Result<Instance<'_>, Box<Trial>>], interrupts: &Interrupts) -> Result<(), Failure> {
    let exposed = wanted.iter().flatten().filter(|one| drain::is_exposed(one));
    let exposed: Vec<&str> = exposed.map(|one| one.unit).collect();
    if exposed.is_empty() {
        return Ok(());
    }
    if !at_terminal() {
        let units = exposed.join(", ");
        return Err(
            Failure::new(Exit::Usage, "cannot ask for confirmation: there is no terminal")
                .why(format!(
                    "the trial restarts {units}: clients may be refused, or lose requests"
                ))
                .host("nothing was tested")
                .next(Next::again("--yes").remark("confirms it")),
        );
    }
    let question = format!(
        "Restart {}? Clients may be refused, or lose requests.",
        exposed.join(", ")
    );
    match ssh::terminal(interrupts).yes(&question) {
        Reply::Given(true) => Ok(()),
        Reply::Given(false) | Reply::Cancelled | Reply::NoTerminal => Err(not_agreed()),
    }
}

/// A line for each trial that is no finding.
pub(super) fn text(diagnosis: &Diagnosis, typed: &Typed, paper: Paper) -> String {
    let mut out = String::new();
    for one in diagnosis.drained.iter().filter(|one| !is_finding(one)) {
        let line = shown(one.line.as_bytes());
        out.push_str(&paper.line(
            &match one.drains {
                Drains::Yes => paper.paint(Ink::Good, &line),
                _ => line,
            },
            2,
        ));
        for next in typed.lines(&one.next) {
            out.push_str(&paper.command(&format!("  next  {}", shown(next.as_bytes())), 8));
        }
    }
    out
}

fn is_finding(one: &Drained) -> bool {
    one.drains == Drains::No || matches!(one.trial.tried, Tried::NotBack(_))
}

pub(super) fn object(diagnosis: &Diagnosis) -> Value {
    let all = diagnosis.drained.iter().map(|one| {
        let mut object = json!({"verdict": one.drains.word(), "line": one.line});
        if let (Tried::Stopped(stopped, _), Some(object)) = (&one.trial.tried, object.as_object_mut()) {
            object.extend(facts(stopped));
        }
        (one.trial.unit.clone(), object)
    });
    Value::Object(all.collect())
}

fn facts(stopped: &Stopped) -> Map<String, Value> {
    let (request, took) = match &stopped.request {
        Request::None => (None, None),
        Request::Answered(took) => (Some("answered"), Some(took.as_secs_f64())),
        Request::Cut(_) => (Some("cut"), None),
    };
    let kept = match stopped.kept {
        Kept::None => None,
        Kept::Announced => Some("announced"),
        Kept::Closed => Some("closed"),
        Kept::Cut(_) => Some("cut"),
        Kept::Open => Some("open"),
    };
    let health = match stopped.health {
        _ if !stopped.asked => None,
        Health::Good => Some("good"),
        Health::Failed => Some("failed"),
        Health::Refused => Some("refused"),
    };
    let facts = [
        ("request", json!(request)),
        ("request_seconds", json!(took)),
        ("kept_connection", json!(kept)),
        ("health", json!(health)),
        ("signal", json!(stopped.hears.map(|hears| hears.word()))),
        ("stop_seconds", json!(stopped.took.map(|took| took.as_secs_f64()))),
        ("timeout_stop", json!(stopped.timeout)),
        ("result", json!(stopped.result)),
    ];
    facts.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}
