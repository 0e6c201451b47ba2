//! Drain trials: how an instance stops is tried on the host, one instance after the other, and what a trial left that did
//! not end is put back. Judges nothing.

use super::held::{held, locked};
use super::{metadata, session};
use crate::config::{Config, Instance, Service};
use crate::diagnosis::{Trial, Tried};
use crate::failure::{Exit, Failure, Next};
use crate::host::{Host, Lost};
use crate::observed::drain::{Stopped, causes};
use crate::observed::{Current, Observed, Request};
use crate::plan::needs;
use crate::remote::{Answer, Script, exits};
use crate::step::{self, Lever, Probe, Turn};
use crate::strategy;
use crate::unit::strategy::Strategy;

/// Puts back what an interrupted trial left. True if there was one.
/// Fails when the lock of the requests is held: the trial is in progress.
pub fn put_back(host: &mut dyn Host, config: &Config, observed: &Observed) -> Result<bool, Failure> {
    let Some(unit) = observed.trial.as_deref() else {
        return Ok(false);
    };
    let mut args = head(config, observed, "back");
    args.extend(["-", "-", "-", "-"].map(str::to_owned));
    let answer = session::one(host, Script::drain(args)).map_err(|lost| lost_while(&lost, unit))?;
    refused(config, &answer)?;
    if answer.code == 0 {
        return Ok(true);
    }
    let mut failure = Failure::new(
        Exit::Untouched,
        format!("{unit} could not be restored after a drain trial"),
    );
    failure.why = why(&answer);
    Err(failure.next(Next::shipit("status")))
}

/// What is to be tried: without `live` only what nobody uses.
pub fn trials<'a>(config: &'a Config, observed: &Observed, live: bool) -> Vec<Result<Instance<'a>, Box<Trial>>> {
    let mut all = Vec::new();
    for service in &config.services {
        let not = |tried| {
            let unit = service.name().to_owned();
            Err(Box::new(Trial { unit, tried }))
        };
        let runs = |one: &Instance<'_>| observed.unit(one.unit).is_active();
        let before = all.len();
        if observed.current == Current::Absent {
            all.push(not(Tried::Not("no release is live".into())));
        } else if live {
            all.extend(service.instances().filter(runs).map(Ok));
        } else if matches!(service.strategy, Strategy::BlueGreen | Strategy::Canary) {
            let idle = |one: &Instance<'_>| observed.is_idle(one) && !runs(one);
            all.extend(service.instances().find(idle).map(Ok));
        } else {
            all.push(not(Tried::OnlyLive(service.strategy.as_str())));
        }
        if all.len() == before {
            let what = if live {
                "it is not running"
            } else {
                "it has no idle instance"
            };
            all.push(not(Tried::Not(what.into())));
        }
    }
    all
}

/// Tries one instance. Fails when it could not begin for a reason that is none of this instance's.
pub fn attempt(
    host: &mut dyn Host,
    config: &Config,
    observed: &Observed,
    one: &Instance<'_>,
    live: bool,
    path: Option<&str>,
) -> Result<Tried, Failure> {
    let (path, unasked) = match asks(one, path) {
        Ok(path) => (path, None),
        Err(why) => ("-".to_owned(), Some(why)),
    };
    let mut args = head(config, observed, if live { "live" } else { "idle" });
    let (server, socket) = server(one, live).unwrap_or_else(|| ("-".into(), "-".into()));
    args.extend([one.slot.unwrap_or("-").to_owned(), server, socket, path]);
    args.extend(step::words(&strategy::verdict(one, Turn::Restart).arguments()));
    let answer = session::one(host, Script::drain(args)).map_err(|lost| lost_while(&lost, one.unit))?;
    refused(config, &answer)?;
    Ok(match answer.code {
        0 => Tried::Stopped(Stopped::parse(&answer.out), unasked),
        exits::NOT_PUT_BACK => Tried::NotBack(why(&answer)),
        _ => Tried::Not(why(&answer).join("; ")),
    })
}

fn head(config: &Config, observed: &Observed, mode: &str) -> Vec<String> {
    let by = metadata::who().split_whitespace().collect::<String>();
    vec![
        config.root.as_str().to_owned(),
        config.app.as_str().to_owned(),
        needs::access(observed).to_owned(),
        step::encoded(by.as_bytes()),
        mode.to_owned(),
    ]
}

/// What clients ask it for, or why they do not.
fn asks(one: &Instance<'_>, path: Option<&str>) -> Result<String, &'static str> {
    if shares(one.service) {
        return Err("its instances share one address");
    }
    let health = one.health.ok_or("it has no health check")?;
    let own = match &health.check.probe {
        Probe::Unix { path, .. } => path.clone(),
        Probe::Http { url } => match url::Url::parse(url) {
            Ok(url) if url.scheme() == "http" => url[url::Position::BeforePath..url::Position::AfterQuery].to_owned(),
            _ => return Err("its health check is https"),
        },
        Probe::Tcp { .. } | Probe::Command { .. } => return Err("its health check is not an HTTP request"),
    };
    Ok(path.map_or(own, str::to_owned))
}

fn shares(service: &Service) -> bool {
    service.instances().count() > 1 && service.shares_health()
}

/// What HAProxy calls it, and HAProxy's socket: an idle one gets no requests, and a live one of several leaves first.
fn server(one: &Instance<'_>, live: bool) -> Option<(String, String)> {
    match one.service.lever(one)? {
        Lever::Haproxy { socket, .. } if !live || one.service.strategy == Strategy::Rolling => {
            Some((one.service.place(one)?, socket))
        }
        _ => None,
    }
}

/// Whether clients may lose requests while it restarts.
pub fn is_exposed(one: &Instance<'_>) -> bool {
    server(one, true).is_none()
}

/// Another command or switch holds the host, or sudo refuses.
fn refused(config: &Config, answer: &Answer) -> Result<(), Failure> {
    match answer.code {
        exits::HELD => Err(held(&Request::parse(&answer.out), "nothing was tested")),
        exits::REQUESTS_LOCKED => Err(locked()),
        exits::SUDO_REFUSED => {
            let mut failure = Failure::new(Exit::Untouched, "the trial needs sudo");
            failure.why = why(answer);
            Err(failure.next(config.host.as_root("setup").remark("adds the line to the sudo rule")))
        }
        _ => Ok(()),
    }
}

fn why(answer: &Answer) -> Vec<String> {
    let mut why = causes(&answer.out);
    if why.is_empty() {
        why = answer.errors();
        why.push(format!("exit status {}", answer.code));
    }
    why
}

fn lost_while(lost: &Lost, unit: &str) -> Failure {
    let state = format!("the host ends the trial, and restores {unit}");
    let mut failure = session::lost_while(lost, &format!("testing how {unit} stops"), &state);
    if !matches!(lost, Lost::Interrupted | Lost::Source(_)) {
        failure.exit = Exit::Unknown;
    }
    failure.next(Next::shipit("status"))
}
