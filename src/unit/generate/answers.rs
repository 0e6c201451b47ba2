//! What units are generated from: values, their defaults, their checks. Every text ends up in a unit file, so each is
//! checked here; the writers of this directory never check.

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

/// What stands in front of the instances of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Router {
    Nginx,
    Caddy,
    /// Its chroot keeps it from unix sockets.
    Haproxy,
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

/// What runs a new release before it serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// `acme-trial.service`
    pub unit: String,
    /// Where its health check asks, and no client.
    pub port: u16,
    /// As the service's, with this port.
    pub command: Option<String>,
}

/// [`Answers::new`] has the defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers {
    pub app: String,
    /// The app's root: `/opt/acme`.
    pub root: String,
    pub program: Program,
    /// As in `ExecStart=`, with paths through `ROOT/current`; by default the usual one of the program.
    pub command: Option<String>,
    /// The TCP port; `None` for a worker that does not listen.
    pub port: Option<u16>,
    pub strategy: Strategy,
    /// For a strategy that needs one: its configuration is written too.
    pub router: Option<Router>,
    /// Behind nginx or Caddy: each instance listens on its own port, rather than on a unix socket.
    pub ports: bool,
    /// The ports of the instances, as deploy.yml has them.
    pub instance_ports: Option<Vec<u16>>,
    /// The names of the instances, as deploy.yml has them.
    pub instances: Option<Vec<String>>,
    /// The symlink by which nginx or Caddy is turned, as deploy.yml has it; without `.sock`, the file for each port.
    pub link: Option<String>,
    /// The user that deploys.
    pub deployer: String,
    /// Where the app answers whether it is healthy.
    pub health_path: String,
    pub ready: Ready,
    pub user: String,
    /// The app whose environment file it reads: a worker's is its app's.
    pub environment: String,
    /// How long it can take to finish requests after SIGTERM.
    pub drain: Duration,
    /// The most memory it can use, in MiB.
    pub memory: u64,
    /// Units it needs: `postgresql.service`.
    pub needs: Vec<String>,
    /// The command line of the migration, with paths through `ROOT/next`.
    pub migrate: Option<String>,
    pub jobs: Vec<Job>,
    /// The template that notifies of a switch: `acme-notify@.service`.
    pub notify: Option<String>,
    pub trial: Option<Trial>,
    /// Whether paths lead through `ROOT/next`: those of a trial do.
    pub from_next: bool,
}

/// An answer that cannot go into a unit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{answer}: {why}")]
pub struct Refused {
    pub answer: &'static str,
    pub why: String,
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
            router: None,
            ports: false,
            instance_ports: None,
            instances: None,
            link: None,
            deployer: "deploy".to_owned(),
            health_path: "/healthz".to_owned(),
            ready: match program {
                Program::Gunicorn | Program::Static => Ready::Notify,
                Program::Node | Program::Puma | Program::Binary => Ready::Exec,
            },
            user: app.to_owned(),
            environment: app.to_owned(),
            drain: Duration::from_secs(25),
            memory: 512,
            needs: Vec::new(),
            migrate: None,
            notify: None,
            jobs: Vec::new(),
            trial: None,
            from_next: false,
        }
    }

    /// Whether the service is a template for several instances.
    pub fn is_template(&self) -> bool {
        self.strategy.needs_instances()
    }

    /// How systemd learns that the program is ready. The instances of a handover have no other way: both answer at the same
    /// address.
    pub fn ready(&self) -> Ready {
        match self.strategy {
            Strategy::Handover => Ready::Notify,
            _ => self.ready,
        }
    }

    /// Whether each instance listens on its own port, rather than on a unix socket.
    pub fn instances_have_ports(&self) -> bool {
        match self.router {
            Some(Router::Haproxy) => true,
            Some(Router::Nginx | Router::Caddy) => self.ports,
            None => false,
        }
    }

    /// The symlink by which nginx or Caddy is turned.
    pub fn link(&self) -> String {
        self.link.clone().unwrap_or_else(|| format!("{}/live.sock", self.root))
    }

    /// The names of the instances: two that take turns, or three that change one by one, unless deploy.yml has others.
    pub fn instances(&self) -> Vec<String> {
        let usual: &[&str] = match self.strategy {
            Strategy::Rolling => &["1", "2", "3"],
            _ => &["blue", "green"],
        };
        let usual = || usual.iter().copied().map(str::to_owned).collect();
        self.instances.clone().unwrap_or_else(usual)
    }

    /// Their ports: those after the app's, unless deploy.yml has others.
    pub fn instance_ports(&self) -> Vec<u16> {
        if let Some(own) = &self.instance_ports {
            return own.clone();
        }
        let all = self.instances().len();
        let room = u16::try_from(all).unwrap_or(u16::MAX);
        let port = self.port.unwrap_or(8080).min(u16::MAX - room);
        (port..).skip(1).take(all).collect()
    }

    /// Names and ports.
    pub fn named_ports(&self) -> impl Iterator<Item = (String, u16)> {
        self.instances().into_iter().zip(self.instance_ports())
    }

    /// The directory of the running release: `ROOT/current`, or the slot of the instance.
    pub fn live(&self) -> String {
        if self.from_next {
            format!("{}/next", self.root)
        } else if self.is_template() {
            format!("{}/slots/%i", self.root)
        } else {
            format!("{}/current", self.root)
        }
    }

    /// Fails with [`Refused`], for the first answer that cannot go into a unit.
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
        let is_path = |path: &str| {
            path.starts_with('/')
                && path.len() > 1
                && !path.ends_with('/')
                && path.chars().all(plain)
                && path.split('/').all(|part| part != "..")
        };
        if !is_path(&self.root) || !is_path(&self.link()) {
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
        if self.program == Program::Static && self.strategy.needs_socket() {
            let why = "caddy does not accept a socket from systemd; choose --strategy restart, reload or blue-green";
            return refuse("strategy", why.into());
        }
        if self.ports && self.router.is_none() {
            return refuse("ports", "expected a router in front of the instances: --router".into());
        }
        if self.router.is_some() && !self.strategy.takes_router() {
            return refuse(
                "router",
                format!(
                    "`{}` does not use a router; choose --strategy blue-green",
                    self.strategy
                ),
            );
        }
        if self.strategy == Strategy::Rolling
            && (self.router == Some(Router::Caddy) || self.ports && self.router != Some(Router::Haproxy))
        {
            let why = "`rolling` works with haproxy, and with nginx without --ports: only these can stop \
                       sending requests to one of several instances without a reload";
            return refuse("router", why.into());
        }
        if self.strategy == Strategy::Canary && self.router == Some(Router::Caddy) {
            let why = "`canary` works with haproxy and nginx: caddy cannot split the requests without a reload";
            return refuse("router", why.into());
        }
        let legal = |c: char| c.is_ascii_graphic() && !"#;{}'\"\\".contains(c);
        if !self.health_path.starts_with('/') || !self.health_path.chars().all(legal) || !is_login(&self.deployer) {
            return refuse(
                "router",
                "the health path or the deploy user contains characters that the router's configuration does not allow"
                    .into(),
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

/// The name of a user, as a configuration takes it for one word.
fn is_login(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
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
