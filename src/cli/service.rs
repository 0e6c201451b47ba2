//! `shipit restart`, `stop`, `start`, `reload`: one service after another, each seen through by the conductor's own
//! verdict. Never touches a unit that is not a service of the app, and never a release.

use std::time::Instant;

use serde_json::json;

use super::args::{self, Global};
use super::paper::Paper;
use crate::config::{Config, Instance};
use crate::engine::service_action::{Verb, act};
use crate::failure::{Exit, Failure, Next};
use crate::host::Host;
use crate::observed::{Current, Observed};
use crate::text;

pub(super) fn run(global: &Global, args: &args::Drive, verb: Verb) -> Result<Exit, Failure> {
    let config = super::configuration(global)?;
    let units = chosen(&config, args.unit.as_deref())?;
    let (mut host, observed) = super::observe(global, &config)?;
    let units = match verb {
        Verb::Stop => units,
        Verb::Restart | Verb::Start | Verb::Reload => awake(units, &observed, args.unit.as_deref())?,
    };
    services_turn(global, host.as_mut(), &config, &observed, &units, verb)?;
    Ok(Exit::Done)
}

/// Those that have a release to run. An instance that rests has none; one that was named must have one.
pub(super) fn awake<'a>(
    units: Vec<Instance<'a>>,
    observed: &Observed,
    named: Option<&str>,
) -> Result<Vec<Instance<'a>>, Failure> {
    let (idle, awake): (Vec<_>, Vec<_>) = units.into_iter().partition(|one| observed.is_idle(one));
    match (idle.first(), named) {
        (Some(one), Some(_)) if awake.is_empty() => Err(Failure::new(
            Exit::Untouched,
            format!("{} is idle: the other instance runs the live release", one.unit),
        )
        .why("an instance runs only while its symlink in slots/ names a release; the next deploy starts it")
        .host("nothing changed")
        .next(Next::shipit("status"))),
        // Before the first deploy all are idle: there is another message for that.
        _ if awake.is_empty() => Ok(idle),
        _ => Ok(awake),
    }
}

/// The units that are meant: those of the service that is named, or all.
pub(super) fn chosen<'a>(config: &'a Config, unit: Option<&str>) -> Result<Vec<Instance<'a>>, Failure> {
    let all: Vec<Instance<'_>> = config.instances().collect();
    let Some(unit) = unit else {
        if all.is_empty() {
            return Err(Failure::new(
                Exit::Usage,
                format!("{} has no services", config.app.as_str()),
            ));
        }
        return Ok(all);
    };
    let typed = [unit.to_owned(), format!("{unit}.service")];
    let meant = |name: &str| typed.iter().any(|typed| typed == name);
    let chosen: Vec<_> = all
        .iter()
        .copied()
        .filter(|one| meant(one.unit) || meant(one.service.name()))
        .collect();
    if !chosen.is_empty() {
        return Ok(chosen);
    }
    let unit = text::shown(unit.as_bytes());
    let mut failure = Failure::new(Exit::Usage, format!("{unit} is not a service of this app"));
    failure.why = all.iter().map(|one| format!("{} is", one.unit)).collect();
    Err(failure)
}

/// Turns each in order; the first that is not well ends it.
pub(super) fn services_turn(
    global: &Global,
    host: &mut dyn Host,
    config: &Config,
    observed: &Observed,
    units: &[Instance<'_>],
    verb: Verb,
) -> Result<(), Failure> {
    for &Instance { unit, .. } in units {
        let state = match observed.unit(unit).text("LoadState") {
            "loaded" => continue,
            "" => "not readable",
            other => other,
        };
        let what = format!("{unit} is {state} on the host");
        return Err(Failure::new(Exit::Untouched, what)
            .host("nothing changed")
            .next(Next::shipit("doctor")));
    }
    if verb != Verb::Stop && observed.current == Current::Absent {
        let what = format!("no release is live: there is nothing to {}", verb.word());
        return Err(Failure::new(Exit::Untouched, what)
            .host("nothing changed")
            .next(Next::shipit("deploy")));
    }
    for instance in units {
        one(global, host, config, observed, instance, verb)?;
    }
    Ok(())
}

fn one(
    global: &Global,
    host: &mut dyn Host,
    config: &Config,
    observed: &Observed,
    instance: &Instance<'_>,
    verb: Verb,
) -> Result<(), Failure> {
    let began = Instant::now();
    let unit = instance.unit;
    let acted = act(host, config, observed, instance, verb, &mut |line| {
        super::note(&format!("    journal: {line}"));
    })?;
    let done = if !acted.changed {
        "was already running"
    } else {
        verb.done()
    };
    if global.json {
        super::results(&super::object(
            &json!({"v": 1, "command": verb.word(), "unit": unit, "changed": acted.changed, "state": acted.state.split(' ').next(),
                "release": acted.release, "seconds": began.elapsed().as_secs_f64()}),
        ));
    } else {
        let release = acted.release.map(|id| format!(", runs {id}")).unwrap_or_default();
        let socket = match (&instance.service.socket, verb) {
            (Some(socket), Verb::Stop) => {
                format!(", and {}: connections are refused", socket.as_str())
            }
            _ => String::new(),
        };
        let next = match verb {
            Verb::Stop => format!(
                "next: {}\n",
                super::typed(global).line(&Next::shipit("start").arg(unit))
            ),
            _ => String::new(),
        };
        super::results(&Paper::new(global).prose(&format!(
            "{unit} {done}{release}{socket} ({})\n{next}",
            text::seconds(began.elapsed())
        )));
    }
    Ok(())
}
