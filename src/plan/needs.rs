//! What a host must have before anything is changed on it: all that is missing is named at once, each with
//! the line that mends it.

use crate::config::Config;
use crate::failure::{Exit, Failure, Next};
use crate::observed::{Current, Observed, Root, Unreadable};
use crate::strategy;

/// The oldest systemd whose features the units and scripts use.
pub const SYSTEMD: u32 = 247;

/// How units are driven on this host.
#[must_use]
pub fn access(observed: &Observed) -> &'static str {
    if observed.uid == Some(0) { "root" } else { "sudo" }
}

/// One thing that the host lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    pub what: String,
    pub fix: Fix,
}

/// What supplies it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fix {
    /// The package of this tool.
    Install(String),
    /// Something that is not known here: a newer system, for example.
    Manual,
    /// `setup`: layout and guard.
    Setup,
    /// `setup`: a line of the sudo rule.
    Rule,
}

/// Tools, systemd, layout, guard and privileges: all that is missing.
#[must_use]
pub fn lacks(config: &Config, observed: &Observed) -> Vec<Lack> {
    let app = config.app.as_str();
    let mut lacks = Vec::new();
    let mut lack = |what: String, fix| lacks.push(Lack { what, fix });
    let wants_curl = config
        .instances()
        .filter_map(|one| one.health)
        .any(|health| health.check.probe.is_http());
    for tool in &observed.missing {
        if tool != "curl" || wants_curl {
            lack(format!("the host has no `{tool}`"), Fix::Install(tool.clone()));
        }
    }
    match observed.systemd {
        None => lack("cannot read the version of systemd".into(), Fix::Manual),
        Some(version) if version < SYSTEMD => lack(
            format!("systemd {version} is too old: {SYSTEMD} or later is required"),
            Fix::Manual,
        ),
        Some(_) => {}
    }
    let root = config.root.as_str();
    match observed.root {
        Root::Absent => lack(format!("{root} does not exist"), Fix::Setup),
        Root::Bare => lack(format!("{root} is not set up for shipit"), Fix::Setup),
        Root::Unreadable => lack(format!("{root} is not accessible to {}", observed.user), Fix::Setup),
        Root::Foreign => lack(
            format!("{root} belongs to a deploy user other than {}", observed.user),
            Fix::Setup,
        ),
        Root::Unwritable => lack(format!("{root} is not writable by {}", observed.user), Fix::Setup),
        Root::Ready => {}
    }
    let guard = format!("shipit-{app}.path");
    if observed.could_read(&guard) && !observed.unit(&guard).is_active() {
        lack(
            format!("the guard {guard} is not active: nothing would run the switch"),
            Fix::Setup,
        );
    }
    for what in &observed.astray {
        lack(
            format!("{root}/{what}: it must be a directory inside {root}, because releases are renamed within {root}"),
            Fix::Manual,
        );
    }
    for (line, may) in &observed.may {
        if !may {
            lack(format!("{} may not run `sudo {line}`", observed.user), Fix::Rule);
        }
    }
    for what in &observed.unreadable {
        let hint = match what {
            Unreadable::Unit(_) => " (systemctl cannot reach systemd: is dbus.service running?)",
            Unreadable::Other(_) => "",
        };
        lack(format!("cannot read: {what}{hint}"), Fix::Manual);
    }
    lacks
}

/// Refuses a host that lacks something.
///
/// # Errors
/// A [`Failure`] that lists what is missing.
pub fn host(config: &Config, observed: &Observed) -> Result<(), Failure> {
    let lacks = lacks(config, observed);
    if lacks.is_empty() {
        return Ok(());
    }
    let what = format!("the host is not ready for {}", config.app.as_str());
    let mut failure = Failure::new(Exit::Untouched, what).host("nothing changed");
    failure
        .next
        .push(if lacks.iter().any(|lack| matches!(lack.fix, Fix::Setup | Fix::Rule)) {
            config.host.as_root("setup")
        } else {
            Next::shipit("doctor")
        });
    let (rule, others): (Vec<Lack>, Vec<Lack>) = lacks.into_iter().partition(|lack| lack.fix == Fix::Rule);
    failure.why = others.into_iter().map(|lack| lack.what).collect();
    failure.why.extend(refused_lines(&rule));
    Err(failure)
}

/// What sudo refuses, in one sentence: where one line is missing, the whole rule usually is.
#[must_use]
pub fn refused_lines(rule: &[Lack]) -> Option<String> {
    let (first, rest) = rule.split_first()?;
    Some(match rest.len() {
        0 => first.what.clone(),
        1 => format!("{}, and 1 more line", first.what),
        more => format!("{}, and {more} more lines", first.what),
    })
}

/// Why `current` stands in the way of every switch, if it does.
#[must_use]
pub fn current(config: &Config, observed: &Observed) -> Option<Failure> {
    match &observed.current {
        Current::Gone(id) => Some(gone_current(config, observed, id)),
        Current::Odd(what) => Some(odd_current(config, what)),
        Current::Absent | Current::Release(_) => None,
    }
}

/// `current` is not shipit's: it is shown and never touched.
fn odd_current(config: &Config, what: &str) -> Failure {
    Failure::new(Exit::Untouched, format!("{}/current is {what}", config.root.as_str()))
        .why("shipit only replaces a symlink to one of its own releases")
        .host("nothing changed")
        .next(
            config
                .host
                .as_root("setup")
                .remark("adopts a symlink to a release made by another tool"),
        )
}

/// `current` names a release that is not there any more. What still runs cannot be gone back to, so a person
/// says which release counts as live before anything else happens.
fn gone_current(config: &Config, observed: &Observed, id: &str) -> Failure {
    let root = config.root.as_str();
    let failure = Failure::new(
        Exit::Untouched,
        format!("{root}/current is a symlink to release {id}, which does not exist"),
    )
    .why("it was removed by hand; the running services could not start again")
    .host("nothing changed");
    match super::releases::verified(observed).first() {
        Some(newest) => failure
            .next(
                Next::shell(format!(
                    "ssh {} ln -sfnT releases/{newest} {root}/current",
                    config.host.ssh_to()
                ))
                .remark("the newest verified release"),
            )
            .next(Next::shipit("deploy --restart")),
        None => {
            let remove = format!("ssh {} rm {root}/current", config.host.ssh_to());
            let deploy = Next::shipit("deploy").remark("as a first deploy");
            failure.next(Next::shell(remove).then(";", deploy))
        }
    }
}

/// What the host lacks of the migration: a deploy would find out when everything has been sent.
#[must_use]
pub fn migration(config: &Config, observed: &Observed) -> Option<String> {
    let unit = config.migrate.as_ref()?.unit.as_str();
    (observed.unit(unit).is_not_found()).then(|| strategy::not_found(unit))
}

/// The units cannot carry the strategy.
#[must_use]
pub fn units_lack(config: &Config, lacks: Vec<String>) -> Failure {
    let mut failure = Failure::new(Exit::Untouched, "the host's units do not allow this deploy")
        .host("nothing changed")
        .next(
            config
                .host
                .as_root("unit install")
                .remark("if this repository has the missing units"),
        )
        .next(Next::shipit("doctor"));
    failure.why = lacks;
    failure
}
