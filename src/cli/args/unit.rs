//! What can be typed behind `shipit unit`: clap definitions. Nothing is decided here.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args as ClapArgs, Subcommand};

use crate::unit::strategy::Strategy;

/// `unit`
#[derive(Subcommand, Debug)]
pub enum UnitCommand {
    /// Say what is wrong with units before it hurts
    #[command(
        long_about = "Example:\n  shipit unit lint deploy/units\n  shipit unit lint --fix acme.service acme.socket\n  shipit unit lint --host\n\nFiles that are given together are looked at together; drop-ins beside a unit are read with it. \
        With --host the units that the host of deploy.yml has are judged, with what is so there: users, files, processes, sockets; \
        they are held against the repository's units (`units` in deploy.yml), or against the files that are given too. Exits 1 when a finding reaches --fail-on. A comment `# shipit: allow RULE` in a unit silences a rule there."
    )]
    Lint(Lint),
    /// Explain a rule, or a sandboxing directive
    #[command(
        long_about = "Example:\n  shipit unit explain restart-gives-up\n  shipit unit explain NoNewPrivileges\n\nWhat it is, why, what happens in production, the lines to write. Without a name: all rules."
    )]
    Explain {
        /// The name in brackets behind a finding
        rule: Option<String>,
    },
    /// Compare the host's units with the repository's
    #[command(
        long_about = "Example:\n  shipit unit diff\n\nCompares each unit of the repository (deploy/units, or `units` in deploy.yml) with the host's: its file, its drop-ins, \
        whether systemd has read it, whether it is masked or not enabled. Changes nothing and needs no root. Exits 1 when something differs."
    )]
    Diff,
    /// Put the repository's units on the host
    #[command(
        long_about = "Example:\n  shipit unit install --as root@app.example.com\n\nShows what root will do, has the units checked by shipit's rules and by the host's systemd, puts them in \
        /etc/systemd/system, and enables new ones. Restarts nothing; says what running units need. All or none: when systemd refuses one, the old files come back."
    )]
    Install(Install),
    /// Write production-grade units
    #[command(
        long_about = "Example:\n  shipit unit generate --program node --strategy socket --port 8080\n\nWrites commented, sandboxed units that pass every rule: service, socket, migration, timers. \
        deploy.yml and this directory answer what is not given. Never overwrites."
    )]
    Generate(Generate),
}

/// `unit lint`
#[derive(ClapArgs, Debug)]
pub struct Lint {
    /// Unit files, directories of them, or environment files
    #[arg(required_unless_present = "host", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Judge the units that the host has, as they are and run there
    #[arg(long, conflicts_with_all = ["fix", "drop_in"])]
    pub host: bool,
    /// Write the safe fixes into the files
    #[arg(long)]
    pub fix: bool,
    /// Print the safe fixes as a drop-in, for files that are not yours
    #[arg(long, conflicts_with = "fix")]
    pub drop_in: bool,
    /// The mildest finding that makes it exit 1
    #[arg(long, value_enum, default_value_t = FailOn::Warning)]
    pub fail_on: FailOn,
    /// For people, or as annotations of a GitHub workflow
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// `unit lint --fail-on`
#[derive(clap::ValueEnum, Clone, Copy, Debug)]
pub enum FailOn {
    /// What does not work, or is a hole.
    Error,
    /// What will hurt one day.
    Warning,
    /// What could be better.
    Info,
}

/// `unit lint --format`
#[derive(clap::ValueEnum, Clone, Copy, Debug)]
pub enum Format {
    /// For people.
    Text,
    /// GitHub's workflow commands.
    Github,
}

/// `unit install`
#[derive(ClapArgs, Debug)]
pub struct Install {
    /// The login with root or sudo: user@host
    #[arg(long = "as", value_name = "USER@HOST")]
    pub login: Option<String>,
    /// Also start new sockets, timers and paths
    #[arg(long)]
    pub now: bool,
    /// Only print what root would do
    #[arg(long)]
    pub print: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

/// `unit generate`
#[derive(ClapArgs, Debug, Default)]
pub struct Generate {
    /// The app's name; by default deploy.yml's
    #[arg(long)]
    pub app: Option<String>,
    /// The app's directory on the host; by default deploy.yml's
    #[arg(long, value_name = "DIR")]
    pub root: Option<String>,
    /// What serves; by default what this directory looks like
    #[arg(long, value_enum)]
    pub program: Option<ProgramName>,
    /// Its command line, as in ExecStart=, through ROOT/current
    #[arg(long, value_name = "LINE")]
    pub command: Option<String>,
    /// The TCP port
    #[arg(long, conflicts_with = "worker")]
    pub port: Option<u16>,
    /// It listens nowhere
    #[arg(long)]
    pub worker: bool,
    /// How a release is turned over; by default deploy.yml's
    #[arg(long, value_parser = strategy())]
    pub strategy: Option<Strategy>,
    /// The program reports READY=1
    #[arg(long)]
    pub notify: bool,
    /// The user it runs as; by default the app's name
    #[arg(long)]
    pub user: Option<String>,
    /// Seconds to finish requests after SIGTERM
    #[arg(long, value_name = "SECONDS")]
    pub drain: Option<u32>,
    /// The most memory it may take, in MiB
    #[arg(long, value_name = "MIB")]
    pub memory: Option<u32>,
    /// A unit that it needs; may be given several times
    #[arg(long, value_name = "UNIT")]
    pub needs: Vec<String>,
    /// The command line that migrates, through ROOT/next
    #[arg(long, value_name = "LINE")]
    pub migrate: Option<String>,
    /// The command line that backs up into ROOT/shared/backups; old ones are pruned
    #[arg(long, value_name = "LINE")]
    pub backup: Option<String>,
    /// Where the units are written
    #[arg(long, value_name = "DIR", default_value = "deploy/units")]
    pub out: PathBuf,
    /// Print them instead of writing
    #[arg(long)]
    pub print: bool,
}

/// `unit generate --program`
#[derive(clap::ValueEnum, Clone, Copy, Debug)]
pub enum ProgramName {
    /// Node.js.
    Node,
    /// Python behind gunicorn.
    Gunicorn,
    /// Ruby behind puma.
    Puma,
    /// A compiled program.
    Binary,
    /// Files, served by caddy.
    Static,
}

/// The names of all strategies, each with a line of help.
fn strategy() -> impl TypedValueParser<Value = Strategy> {
    let name = |strategy: Strategy| PossibleValue::new(strategy.as_str()).help(strategy.summary());
    PossibleValuesParser::new(Strategy::ALL.map(name))
        .try_map(|name| Strategy::named(&name).ok_or("not a strategy"))
}
