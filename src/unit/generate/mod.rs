//! Generates production-grade units from a few answers: commented, sandboxed, and without findings by any rule. Pure; the
//! command line writes the files. Start reading at [`units`].

mod answers; // what units are generated from
mod job; // the migration, timers and their services
mod router; // the configuration of nginx and HAProxy
mod sandbox; // the directives for a program, as lines
mod service; // the service, plain or as a template
mod text; // a unit under construction
mod trial; // what runs a new release before it serves

pub use answers::{Answers, Job, Program, Ready, Refused, Router, Trial};

use super::merge::Unit;
use super::rules::{self, Context, Finding};
use super::strategy::Strategy;
use text::Text;

/// The text of a unit file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// `acme.service`
    pub name: String,
    pub text: String,
}

/// The units for these answers: the service first.
/// Fails with [`Refused`], for the first answer that cannot go into a unit.
pub fn units(answers: &Answers) -> Result<Vec<Written>, Refused> {
    answers.check()?;
    let mut units = vec![service::service(answers)];
    if answers.strategy.needs_socket() {
        units.push(socket(answers));
    }
    units.extend(answers.trial.iter().flat_map(|trial| trial::units(answers, trial)));
    units.extend(answers.migrate.as_deref().map(|command| job::migrate(answers, command)));
    for each in &answers.jobs {
        units.push(job::service(answers, each));
        units.push(job::timer(answers, each));
    }
    units.extend(answers.notify.as_deref().map(|name| job::notify(answers, name)));
    Ok(units)
}

/// What the rules find in generated units, as for units of the app that the answers are about.
pub fn findings(answers: &Answers, units: &[Written]) -> Vec<Finding> {
    let parsed = units
        .iter()
        .filter_map(|unit| Unit::parse(&unit.name, unit.text.as_bytes()));
    let parsed: Vec<Unit> = parsed.collect();
    let of = |unit: &Unit| {
        let serves = unit.name.prefix() == answers.app && unit.name.kind() == "service";
        let is_trial = answers
            .trial
            .as_ref()
            .is_some_and(|trial| trial.unit.trim_end_matches(".service") == unit.name.stem());
        let context = Context {
            peers: parsed.clone(),
            peers_complete: true,
            root: Some(answers.root.clone()),
            is_trial,
            strategy: serves.then_some(answers.strategy),
            drain: serves.then_some(answers.drain),
            deploy_user: Some(answers.deployer.clone()),
            ..Context::default()
        };
        rules::lint(unit, &context)
    };
    parsed.iter().flat_map(of).collect()
}

/// The configuration of the router in front of them, where they have one.
pub fn router(answers: &Answers) -> Option<Written> {
    Some(router::configuration(answers, answers.router?))
}

fn socket(answers: &Answers) -> Written {
    let app = &answers.app;
    let mut text = Text::new(&format!("{app}.socket"));
    text.section("Unit").set(
        "Description",
        format!("{app}: holds the port while the service restarts"),
    );
    text.section("Socket");
    text.note("systemd listens and passes the socket to the service: during a restart connections wait in the queue and are not refused.");
    text.note("A deploy never changes this unit: closing the socket would drop waiting connections.");
    text.note(
        "Only programs on this host can connect, such as a proxy in front of the app. A port without an address listens on all addresses.",
    );
    text.set(
        "ListenStream",
        format!("127.0.0.1:{}", answers.port.unwrap_or_default()),
    );
    text.note("Must hold the new connections that arrive during a restart: connections per second, times the seconds that a restart takes.");
    text.set("Backlog", "4096").set("NoDelay", "yes");
    if answers.strategy == Strategy::Handover {
        text.note("The instance that systemd starts for the first connection after boot.");
        text.set("Service", format!("{app}@blue.service"));
    }
    text.section("Install").set("WantedBy", "sockets.target");
    text.written()
}
