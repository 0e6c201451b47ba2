//! Writes production-grade units from a few answers: commented, sandboxed, and free of findings by every rule.
//! Pure; who writes them to a disk is the command line. Start reading at [`units`].

mod answers; // what is asked
mod job; // migrate, timers and what they start
mod sandbox; // the directives for a program, as lines
mod service; // the service, plain or as a template
mod text; // a unit under construction

pub use answers::{Answers, Job, Program, Ready, Refused};

use super::strategy::Strategy;
use text::Text;

/// A unit file that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its name: `acme.service`.
    pub name: String,
    pub text: String,
}

/// The units for these answers: the service first.
///
/// # Errors
/// [`Refused`], for the first answer that cannot go into a unit.
pub fn units(answers: &Answers) -> Result<Vec<Written>, Refused> {
    answers.check()?;
    let mut units = vec![service::service(answers)];
    if answers.strategy.needs_socket() {
        units.push(socket(answers));
    }
    units.extend(
        answers
            .migrate
            .as_deref()
            .map(|command| job::migrate(answers, command)),
    );
    for each in &answers.jobs {
        units.push(job::service(answers, each));
        units.push(job::timer(answers, each));
    }
    Ok(units)
}

/// The `.socket` that holds the port while the service changes.
fn socket(answers: &Answers) -> Written {
    let app = &answers.app;
    let mut text = Text::new(&format!("{app}.socket"));
    text.section("Unit").set(
        "Description",
        format!("{app}: the port, held while the service restarts"),
    );
    text.section("Socket");
    text.note("PID 1 listens, and hands the socket over: connections wait in the queue instead of being refused.");
    text.note("Changing the address later cuts it: no deploy touches this file.");
    text.set("ListenStream", answers.port.unwrap_or_default().to_string());
    text.note("New connections a second, times the seconds of drain and start, must fit in here.");
    text.set("Backlog", "4096").set("NoDelay", "yes");
    if answers.strategy == Strategy::Handover {
        text.note("The instance that is started for the first connection after a boot.");
        text.set("Service", format!("{app}@blue.service"));
    }
    text.section("Install").set("WantedBy", "sockets.target");
    text.written()
}
