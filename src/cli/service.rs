//! `shipit restart`, `stop`, `start`, `reload`: one service after another, each seen through by the conductor's own
//! verdict. Never touches a unit that is not a service of the app, and never a release.

use std::io::Write;
use std::time::Instant;

use serde_json::json;

use super::args::{self, Global};
use crate::config::{Config, Instance};
use crate::engine::held::held;
use crate::engine::{metadata, session};
use crate::failure::{Exit, Failure, Next};
use crate::host::{Host, Lost};
use crate::observed::{Observed, Request};
use crate::plan::needs;
use crate::remote::{Script, exits};
use crate::report::journal::journal_line;
use crate::step::{self, Turn};
use crate::{strategy, text};

/// What is asked of systemd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Restart,
    Stop,
    /// A life, if there is none.
    Start,
    /// The same life, with its configuration read anew.
    Reload,
}

impl Verb {
    fn word(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Reload => "reload",
        }
    }

    fn done(self) -> &'static str {
        match self {
            Self::Restart => "restarted",
            Self::Stop => "stopped",
            Self::Start => "started",
            Self::Reload => "reloaded",
        }
    }
}

pub(super) fn run(global: &Global, wish: &args::Drive, verb: Verb) -> Result<Exit, Failure> {
    let config = super::configuration(global)?;
    let units = chosen(&config, wish.unit.as_deref())?;
    let (mut host, seen) = super::look(global, &config)?;
    services_turn(global, host.as_mut(), &config, &seen, &units, verb)?;
    Ok(Exit::Done)
}

/// The units that are meant: those of the service that is named, or all.
pub(super) fn chosen<'a>(
    config: &'a Config,
    unit: Option<&str>,
) -> Result<Vec<Instance<'a>>, Failure> {
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
    seen: &Observed,
    units: &[Instance<'_>],
    verb: Verb,
) -> Result<(), Failure> {
    for &Instance { unit, .. } in units {
        let state = match seen.unit(unit).text("LoadState") {
            "loaded" => continue,
            "" => "not readable",
            other => other,
        };
        let what = format!("{unit} is {state} on the host");
        return Err(Failure::new(Exit::Untouched, what)
            .host("nothing changed")
            .next(Next::shipit("doctor")));
    }
    for instance in units {
        one(global, host, config, seen, instance, verb)?;
    }
    Ok(())
}

fn one(
    global: &Global,
    host: &mut dyn Host,
    config: &Config,
    seen: &Observed,
    instance: &Instance<'_>,
    verb: Verb,
) -> Result<(), Failure> {
    let began = Instant::now();
    let unit = instance.unit;
    let answer = session::one(host, script(config, seen, instance, verb)).map_err(|lost| {
        let state = format!("systemd continues: {unit} may still be starting or stopping");
        match lost {
            Lost::Left => Failure::new(Exit::Untouched, format!("no longer waiting for {unit}"))
                .why("stopped on request")
                .host(state)
                .next(Next::shipit("status")),
            lost => {
                let mut failure =
                    session::lost_while(&lost, &format!("waiting for {unit}"), &state);
                failure.exit = Exit::Unknown;
                failure.next(Next::shipit("status"))
            }
        }
    })?;
    let text = String::from_utf8_lossy(&answer.out);
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or("").to_owned()
    };
    let (was, state, from) = (field("was "), field("state "), field("from "));
    match answer.code {
        0 => {}
        exits::HELD => return Err(held(&Request::parse(&answer.out), "nothing changed")),
        exits::SUDO_REFUSED => {
            return Err(
                unwell(exits::SUDO_REFUSED, &text, &answer.err, unit, &was, verb).next(
                    config
                        .host
                        .as_root("setup")
                        .remark("the sudo rule gets the line"),
                ),
            );
        }
        code => return Err(unwell(code, &text, &answer.err, unit, &was, verb)),
    }
    let nothing = verb == Verb::Start && was == state;
    let done = if nothing {
        "was running already"
    } else {
        verb.done()
    };
    let release = seen.releases.contains(&from).then_some(from);
    if global.json {
        super::results(&super::object(
            &json!({"v": 1, "command": verb.word(), "unit": unit, "changed": !nothing, "state": state.split(' ').next(),
                "release": release, "seconds": began.elapsed().as_secs_f64()}),
        ));
    } else {
        let release = release.map(|id| format!(", runs {id}")).unwrap_or_default();
        let socket = match (&instance.service.socket, verb) {
            (Some(socket), Verb::Stop) => {
                format!(", and {}: connections are refused", socket.as_str())
            }
            _ => String::new(),
        };
        super::results(&format!(
            "{unit} {done}{release}{socket} ({})\n",
            text::seconds(began.elapsed())
        ));
    }
    Ok(())
}

fn script(config: &Config, seen: &Observed, instance: &Instance<'_>, verb: Verb) -> Script {
    let turn = match verb {
        Verb::Reload => Turn::Reload,
        Verb::Restart | Verb::Stop | Verb::Start => Turn::Restart,
    };
    let socket = instance.service.socket.as_ref();
    let mut args = vec![
        config.root.as_str().to_owned(),
        config.app.as_str().to_owned(),
        needs::access(seen).to_owned(),
        verb.word().to_owned(),
        text::shown(metadata::who().as_bytes()),
        instance.unit.to_owned(),
        socket.map_or("-", |socket| socket.as_str()).to_owned(),
    ];
    args.extend(step::words(&strategy::verdict(instance, turn).arguments()));
    Script::service(args)
}

/// The journal of the lives that were seen goes to stderr, and the cause becomes the failure.
fn unwell(code: i32, text: &str, err: &[Vec<u8>], unit: &str, was: &str, verb: Verb) -> Failure {
    let mut stderr = std::io::stderr().lock();
    for line in text
        .lines()
        .filter_map(|line| line.strip_prefix("journal "))
    {
        if let Some(line) = journal_line(line.as_bytes()) {
            let _ = writeln!(stderr, "    journal: {}", text::shown(line.as_bytes()));
        }
    }
    let (exit, what) = match code {
        exits::SERVICE_UNHEALTHY => (
            Exit::Degraded,
            format!("{unit} is unhealthy after the {}", verb.word()),
        ),
        _ => (
            Exit::Untouched,
            format!("{unit} could not be {}", verb.done()),
        ),
    };
    let mut failure = Failure::new(exit, what);
    let causes = text.lines().filter_map(|line| line.strip_prefix("cause "));
    failure.why = causes.map(|line| text::shown(line.as_bytes())).collect();
    if failure.why.is_empty() {
        failure.why = err.iter().map(|line| text::shown(line)).collect();
        failure = failure.why(format!("exit status {code}"));
    }
    if code != exits::SERVICE_UNHEALTHY && !was.is_empty() {
        failure = failure.host(format!("{unit} was {}", was.replace(' ', ", ")));
    }
    match code {
        exits::SUDO_REFUSED => failure,
        exits::SERVICE_UNHEALTHY => failure
            .next(Next::shipit("logs --unit").arg(unit))
            .next(Next::shipit("status")),
        _ => failure.next(Next::shipit("status")),
    }
}
