//! Start, stop, restart or reload of one service by hand, with the conductor's own verdict. Never touches a unit that is
//! not a service of the app, and never a release.

use super::held::held;
use super::{metadata, session};
use crate::config::{Config, Instance};
use crate::failure::{Exit, Failure, Next};
use crate::host::{Host, Lost};
use crate::observed::{Observed, Request};
use crate::plan::named_units::real_names;
use crate::plan::needs;
use crate::remote::{Script, exits};
use crate::report::journal::{folded, last_output};
use crate::step::{self, Turn};
use crate::{strategy, text};

text::words! {
    /// What is asked of systemd.
    pub enum Verb {
        Restart = "restart",
        Stop = "stop",
        /// Does nothing to a service that runs.
        Start = "start",
        /// The same process, with its configuration read again.
        Reload = "reload",
    }
}

impl Verb {
    pub fn done(self) -> &'static str {
        match self {
            Self::Restart => "restarted",
            Self::Stop => "stopped",
            Self::Start => "started",
            Self::Reload => "reloaded",
        }
    }
}

/// How a service is after the action.
pub struct Acted {
    /// False for the start of a service that ran already.
    pub changed: bool,
    /// `active running`, as systemd has it.
    pub state: String,
    /// The release that it runs, when that can be read.
    pub release: Option<String>,
}

/// Runs one verb on one service, and waits for the verdict. `journal` gets the lines of a service that failed.
/// Fails when the connection is lost, another switch is in progress, sudo refuses, or the service is not healthy.
pub fn act(
    host: &mut dyn Host,
    config: &Config,
    observed: &Observed,
    instance: &Instance<'_>,
    verb: Verb,
    journal: &mut dyn FnMut(&str),
) -> Result<Acted, Failure> {
    let unit = instance.unit;
    real_names(&[unit], observed)?;
    let answer = session::one(host, script(config, observed, instance, verb)).map_err(|lost| {
        let state = format!("systemd continues: {unit} may still be starting or stopping");
        match lost {
            Lost::Interrupted => Failure::new(Exit::Untouched, format!("no longer waiting for {unit}"))
                .why("shipit received Ctrl-C or SIGTERM")
                .host(state)
                .next(Next::shipit("status")),
            Lost::Source(_) => {
                session::lost_while(&lost, &format!("sending the request for {unit}"), "nothing changed")
            }
            lost => {
                let mut failure = session::lost_while(&lost, &format!("waiting for {unit}"), &state);
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
                unwell(exits::SUDO_REFUSED, &text, &answer.err, unit, &was, verb, journal)
                    .next(config.host.as_root("setup").remark("adds the line to the sudo rule")),
            );
        }
        code => return Err(unwell(code, &text, &answer.err, unit, &was, verb, journal)),
    }
    Ok(Acted {
        changed: verb != Verb::Start || was != state,
        release: observed.releases.contains(&from).then_some(from),
        state,
    })
}

fn script(config: &Config, observed: &Observed, instance: &Instance<'_>, verb: Verb) -> Script {
    let turn = match verb {
        Verb::Reload => Turn::Reload,
        Verb::Restart | Verb::Stop | Verb::Start => Turn::Restart,
    };
    let socket = instance.service.socket.as_ref();
    let mut args = vec![
        config.root.as_str().to_owned(),
        config.app.as_str().to_owned(),
        needs::access(observed).to_owned(),
        verb.word().to_owned(),
        step::encoded(metadata::who().split_whitespace().collect::<String>().as_bytes()),
        socket.map_or("-", |socket| socket.as_str()).to_owned(),
    ];
    args.extend(step::words(&strategy::verdict(instance, turn).arguments()));
    Script::service(args)
}

/// What the script reported, as a failure.
fn unwell(
    code: i32,
    text: &str,
    err: &[Vec<u8>],
    unit: &str,
    was: &str,
    verb: Verb,
    journal: &mut dyn FnMut(&str),
) -> Failure {
    let lines = || {
        text.lines()
            .filter_map(|line| line.strip_prefix("journal ").map(str::as_bytes))
    };
    for line in folded(lines()) {
        journal(&line);
    }
    let (exit, what) = match code {
        exits::SERVICE_UNHEALTHY => (Exit::Degraded, format!("{unit} is unhealthy after the {}", verb.word())),
        _ => (Exit::Untouched, format!("{unit} could not be {}", verb.done())),
    };
    let mut failure = Failure::new(exit, what);
    let causes = text.lines().filter_map(|line| line.strip_prefix("cause "));
    failure.why = causes.map(|line| text::shown(line.as_bytes())).collect();
    failure.why.extend(last_output(lines(), unit));
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
