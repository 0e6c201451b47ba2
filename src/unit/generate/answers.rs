//! What units are generated from: values, their defaults, their checks. Every text ends up in a unit file, so each is
//! checked here; the writers of this directory never check.

use std::fmt;
use std::time::Duration;

use crate::unit::command;
use crate::unit::strategy::Strategy;
use crate::unit::value;

/// What serves requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    Node,
    Gunicorn,
    Puma,
    /// A compiled program: Go, Rust, C.
    Binary,
    Static,
}

/// How systemd learns that the program is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// The program sends READY=1.
    Notify,
    /// systemd started the program file; the health check finds out more.
    Exec,
}

/// A job that a timer starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The unit is `APP-NAME.service`.
    pub name: String,
    /// As in `ExecStart=`.
    pub command: String,
    /// As in `OnCalendar=`.
    pub calendar: String,
}

/// [`Answers::new`] has the defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers {
    /// The app's name.
    pub app: String,
    /// The app's root: `/opt/acme`.
    pub root: String,
    pub program: Program,
    /// As in `ExecStart=`, with paths through `ROOT/current`; by default the usual one of the program.
    pub command: Option<String>,
    /// The TCP port; `None` for a worker that does not listen.
    pub port: Option<u16>,
    pub strategy: Strategy,
    pub ready: Ready,
    /// The user it runs as.
    pub user: String,
    /// How long it can take to finish requests after SIGTERM.
    pub drain: Duration,
    /// The most memory it can use, in MiB.
    pub memory: u64,
    /// Units it needs: `postgresql.service`.
    pub needs: Vec<String>,
    /// The command line of the migration, with paths through `ROOT/next`.
    pub migrate: Option<String>,
    pub jobs: Vec<Job>,
}

/// An answer that cannot go into a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub answer: &'static str,
    pub why: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.answer, self.why)
    }
}

impl Answers {
    /// The defaults for an app.
    #[must_use]
    pub fn new(app: &str, program: Program) -> Self {
        Self {
            app: app.to_owned(),
            root: format!("/opt/{app}"),
            program,
            command: None,
            port: Some(8080),
            strategy: Strategy::Restart,
            ready: match program {
                Program::Gunicorn | Program::Static => Ready::Notify,
                Program::Node | Program::Puma | Program::Binary => Ready::Exec,
            },
            user: app.to_owned(),
            drain: Duration::from_secs(25),
            memory: 512,
            needs: Vec::new(),
            migrate: None,
            jobs: Vec::new(),
        }
    }

    /// Whether the service is a template for several instances.
    #[must_use]
    pub fn is_template(&self) -> bool {
        self.strategy.needs_instances()
    }

    /// The directory of the running release: `ROOT/current`, or the slot of the instance.
    #[must_use]
    pub fn live(&self) -> String {
        if self.is_template() {
            format!("{}/slots/%i", self.root)
        } else {
            format!("{}/current", self.root)
        }
    }

    /// # Errors
    /// [`Refused`], for the first answer that cannot go into a unit.
    pub fn check(&self) -> Result<(), Refused> {
        let refuse = |answer, why: String| Err(Refused { answer, why });
        if !is_name(&self.app) {
            return refuse(
                "app",
                "expected a-z, 0-9 and dashes, starting with a letter, at most 32 characters".into(),
            );
        }
        if !is_name(&self.user) || self.user == "root" {
            return refuse(
                "user",
                "expected a dedicated user: a-z, 0-9 and dashes, not root".into(),
            );
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.');
        let path = &self.root;
        if !path.starts_with('/')
            || path.len() < 2
            || path.ends_with('/')
            || !path.chars().all(plain)
            || path.split('/').any(|part| part == "..")
        {
            return refuse(
                "root",
                "expected an absolute path of letters, digits, dots and dashes".into(),
            );
        }
        if self.port == Some(0) || self.port.is_none() && self.strategy.needs_socket() {
            return refuse(
                "port",
                "expected a port from 1 to 65535; a .socket unit needs one".into(),
            );
        }
        if self.memory < 64 {
            return refuse("memory", "expected at least 64 MiB".into());
        }
        if self.command.is_none() && matches!(self.program, Program::Binary) && self.port.is_none() {
            return refuse("command", "required for a worker".into());
        }
        let jobs = self.jobs.iter().map(|job| ("job", &job.command));
        let commands = self
            .command
            .iter()
            .map(|line| ("command", line))
            .chain(self.migrate.iter().map(|line| ("migrate", line)))
            .chain(jobs);
        for (answer, line) in commands {
            is_command(line).or_else(|why| refuse(answer, why))?;
        }
        for job in &self.jobs {
            if !is_name(&job.name)
                || job.calendar.is_empty()
                || job.calendar.chars().any(char::is_control)
                || value::span(&job.calendar).is_some()
            {
                return refuse(
                    "job",
                    format!(
                        "{}: expected a name of a-z, 0-9 and dashes, and a time such as daily or *-*-* 03:30",
                        job.name.escape_debug()
                    ),
                );
            }
        }
        for need in &self.needs {
            if crate::unit::name::UnitName::new(need).is_none() {
                return refuse("needs", format!("{} is not a valid unit name", need.escape_debug()));
            }
        }
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    name.len() <= 32
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn is_command(line: &str) -> Result<(), String> {
    if line.chars().any(char::is_control) || line.ends_with('\\') {
        return Err("expected one line without control characters".into());
    }
    match command::parse(line).as_deref() {
        Ok([one]) if one.program.starts_with('/') => Ok(()),
        Ok(_) => Err(format!(
            "{}: expected one command with the full path of the program",
            line.escape_debug()
        )),
        Err(_) => Err(format!("{}: systemd would refuse it", line.escape_debug())),
    }
}
