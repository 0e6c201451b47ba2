//! What a person is asked before units are written: values, their defaults, and what is refused.
//! Every text ends up in a unit file, so each is checked here; the writers trust them.

use std::fmt;
use std::time::Duration;

use crate::unit::command;
use crate::unit::strategy::Strategy;
use crate::unit::value;

/// What kind of program serves.
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
    /// When the program file was started; the health check tells the rest.
    Exec,
}

/// A job that a timer starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its name: the unit is `APP-NAME.service`.
    pub name: String,
    /// Its command line, as in `ExecStart=`.
    pub command: String,
    /// When, as in `OnCalendar=`.
    pub calendar: String,
}

/// Everything that is asked. [`Answers::new`] has the defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers {
    /// The app's name: a-z, 0-9 and dashes.
    pub app: String,
    /// Its root: `/opt/acme`.
    pub root: String,
    pub program: Program,
    /// The command line, as in `ExecStart=`, through `ROOT/current`; the program's usual one where not given.
    pub command: Option<String>,
    /// The TCP port; `None` for a worker that listens nowhere.
    pub port: Option<u16>,
    /// How a release is turned over.
    pub strategy: Strategy,
    /// How systemd learns that it is ready.
    pub ready: Ready,
    /// The user that it runs as.
    pub user: String,
    /// How long it may finish requests after SIGTERM.
    pub drain: Duration,
    /// The most memory it may take, in MiB.
    pub memory: u64,
    /// Units that it needs: `postgresql.service`.
    pub needs: Vec<String>,
    /// The command line that migrates, through `ROOT/next`.
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
    /// The answers for an app of which nothing but the name is known.
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

    /// Whether there are two instances or more, from a template.
    #[must_use]
    pub fn is_template(&self) -> bool {
        self.strategy.needs_instances()
    }

    /// The directory of the release that runs: `ROOT/current`, or the instance's slot.
    #[must_use]
    pub fn live(&self) -> String {
        if self.is_template() {
            format!("{}/slots/%i", self.root)
        } else {
            format!("{}/current", self.root)
        }
    }

    /// Checks every answer.
    ///
    /// # Errors
    /// [`Refused`], for the first that cannot go into a unit.
    pub fn check(&self) -> Result<(), Refused> {
        let refuse = |answer, why: String| Err(Refused { answer, why });
        if !is_name(&self.app) {
            return refuse(
                "app",
                "a-z, 0-9 and dashes, beginning with a letter, at most 32".into(),
            );
        }
        if !is_name(&self.user) || self.user == "root" {
            return refuse(
                "user",
                "a user of its own: a-z, 0-9 and dashes, not root".into(),
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
                "an absolute path of letters, digits, dots and dashes".into(),
            );
        }
        if self.port == Some(0) || self.port.is_none() && self.strategy.needs_socket() {
            return refuse("port", "a port from 1 to 65535; a socket needs one".into());
        }
        if self.memory < 64 {
            return refuse("memory", "at least 64 MiB".into());
        }
        if self.command.is_none() && matches!(self.program, Program::Binary) && self.port.is_none()
        {
            return refuse("command", "a worker needs its command line".into());
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
                        "{}: a name of a-z, 0-9 and dashes, and a time such as daily or *-*-* 03:30",
                        job.name.escape_debug()
                    ),
                );
            }
        }
        for need in &self.needs {
            if crate::unit::name::UnitName::new(need).is_none() {
                return refuse(
                    "needs",
                    format!("{} is no unit's name", need.escape_debug()),
                );
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
        return Err("one line, without control characters".into());
    }
    match command::parse(line).as_deref() {
        Ok([one]) if one.program.starts_with('/') => Ok(()),
        Ok(_) => Err(format!(
            "{}: one command, with the program's full path",
            line.escape_debug()
        )),
        Err(_) => Err(format!("{}: systemd would refuse it", line.escape_debug())),
    }
}
