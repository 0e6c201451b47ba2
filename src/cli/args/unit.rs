//! The arguments of `shipit unit`: clap definitions. Nothing is decided here.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args as ClapArgs, Subcommand};

use crate::unit::strategy::Strategy;

/// `unit`
#[derive(Subcommand, Debug)]
pub enum UnitCommand {
    /// Check units and report defects
    #[command(
        long_about = "Example:\n  shipit unit lint\n  shipit unit lint --fix acme.service acme.socket\n  shipit unit lint --host\n\nChecks the given files together, each with the drop-ins beside it; without files, those of the repository (deploy/units, or `units` in deploy.yml). \
        With --host, checks the units installed on the host named in deploy.yml, using facts from that host (users, files, processes, sockets), and compares them with the repository's units (`units` in deploy.yml) or with the given files. Exits 1 if a finding reaches --fail-on. A comment `# shipit: allow RULE` in a unit disables that rule for the unit."
    )]
    Lint(Lint),
    /// Explain a rule, or a sandboxing directive
    #[command(
        long_about = "Example:\n  shipit unit explain restart-gives-up\n  shipit unit explain NoNewPrivileges\n\nExplains what the rule or directive means, what happens in production, and which lines to write. Without a name, lists all rules."
    )]
    Explain {
        /// Name of a rule (in brackets after a finding) or of a directive
        rule: Option<String>,
    },
    /// Compare the host's units with the repository's
    #[command(
        long_about = "Example:\n  shipit unit diff\n\nCompares each unit of the repository (deploy/units, or `units` in deploy.yml) with the host's: its file, its drop-ins, \
        whether systemd has loaded it, and whether it is masked or not enabled. Changes nothing and does not need root. Exits 1 if something differs."
    )]
    Diff,
    /// Install the repository's units on the host
    #[command(
        long_about = "Example:\n  shipit unit install --as root@app.example.com\n\nShows what root will do and asks first. Checks the units with shipit's rules and with the host's systemd, copies them to \
        /etc/systemd/system, and enables new ones. Restarts nothing; prints what you have to do for units that are running. Installs all or none: if systemd refuses one, restores the old files."
    )]
    Install(Install),
    /// Write units that pass every rule
    #[command(
        long_about = "Example:\n  shipit unit generate --program node --strategy socket --port 8080\n  shipit unit generate --strategy blue-green --router nginx\n\nWrites commented, sandboxed units that pass every rule: service, socket, migration, timers. \
        Values that you do not specify come from deploy.yml and this directory. Never overwrites a file."
    )]
    Generate(Box<Generate>),
}

/// `unit lint`
#[derive(ClapArgs, Debug)]
pub struct Lint {
    /// Unit files, directories with unit files, or environment files [default: the repository's units]
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Check the units installed on the host, using facts from that host
    #[arg(long, conflicts_with_all = ["fix", "drop_in"])]
    pub host: bool,
    /// Apply the safe fixes to the files
    #[arg(long)]
    pub fix: bool,
    /// Print the safe fixes as a drop-in, for files you do not maintain
    #[arg(long, conflicts_with = "fix")]
    pub drop_in: bool,
    /// Lowest severity that causes exit status 1
    #[arg(long, value_enum, default_value_t = FailOn::Warning)]
    pub fail_on: FailOn,
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// `unit lint --fail-on`
#[derive(clap::ValueEnum, Clone, Copy, Debug)]
pub enum FailOn {
    /// It does not work, or it is a security hole.
    Error,
    /// It will eventually cause an outage.
    Warning,
    /// It could be better.
    Info,
}

/// `unit lint --format`
#[derive(clap::ValueEnum, Clone, Copy, Debug)]
pub enum Format {
    /// Plain text.
    Text,
    /// Annotations for a GitHub workflow.
    Github,
}

/// `unit install`
#[derive(ClapArgs, Debug)]
pub struct Install {
    /// Login that is root or can use sudo
    #[arg(long = "as", value_name = "USER@HOST")]
    pub login: Option<String>,
    /// Also start sockets, timers and paths: new ones, and enabled ones that are not running
    #[arg(long)]
    pub now: bool,
    /// Only print what root would do
    #[arg(long)]
    pub print: bool,
    /// Do not ask for confirmation
    #[arg(short, long)]
    pub yes: bool,
}

/// `unit generate`
#[derive(ClapArgs, Debug, Default)]
pub struct Generate {
    /// App name [default: from deploy.yml]
    #[arg(long)]
    pub app: Option<String>,
    /// Directory of the app on the host [default: from deploy.yml]
    #[arg(long, value_name = "DIR")]
    pub root: Option<String>,
    /// Kind of program [default: detected in this directory]
    #[arg(long, value_enum)]
    pub program: Option<ProgramName>,
    /// Command line for ExecStart=, with the path through ROOT/current
    #[arg(long, value_name = "LINE")]
    pub command: Option<String>,
    /// TCP port
    #[arg(long, conflicts_with = "worker")]
    pub port: Option<u16>,
    /// The service does not listen on a port; with deploy.yml, it runs as the app's user and reads the app's environment file
    #[arg(long)]
    pub worker: bool,
    /// Strategy that the units must support [default: from deploy.yml]
    #[arg(long, value_parser = strategy())]
    pub strategy: Option<Strategy>,
    /// Router in front of the instances; writes its configuration too [default: from deploy.yml]
    #[arg(long, value_enum)]
    pub router: Option<RouterName>,
    /// With nginx and caddy: instances listen on ports, not on unix sockets [default: from deploy.yml]
    #[arg(long)]
    pub ports: bool,
    /// The program sends READY=1 (Type=notify)
    #[arg(long)]
    pub notify: bool,
    /// User that the service runs as [default: the app name]
    #[arg(long)]
    pub user: Option<String>,
    /// Seconds to finish requests after SIGTERM
    #[arg(long, value_name = "SECONDS")]
    pub drain: Option<u32>,
    /// Memory limit in MiB
    #[arg(long, value_name = "MIB")]
    pub memory: Option<u32>,
    /// Unit to start before the service, with Wants= and After= (repeatable)
    #[arg(long, value_name = "UNIT")]
    pub needs: Vec<String>,
    /// Command line of the migration, with the path through ROOT/next
    #[arg(long, value_name = "LINE")]
    pub migrate: Option<String>,
    /// Command line that writes a backup to ROOT/shared/backups; a second timer removes old ones
    #[arg(long, value_name = "LINE")]
    pub backup: Option<String>,
    /// Write only this unit, such as the one of `notify`
    #[arg(long, value_name = "UNIT")]
    pub only: Option<String>,
    /// Directory to write the units to
    #[arg(long, value_name = "DIR", default_value = "deploy/units")]
    pub out: PathBuf,
    /// Print the units instead of writing them
    #[arg(long)]
    pub print: bool,
}

/// `unit generate --program`
#[derive(clap::ValueEnum, Clone, Copy, Debug)]
pub enum ProgramName {
    /// Node.js.
    Node,
    /// Python with gunicorn.
    Gunicorn,
    /// Ruby with puma.
    Puma,
    /// A compiled program.
    Binary,
    /// Static files, served by caddy.
    Static,
}

/// `unit generate --router`
#[derive(clap::ValueEnum, Clone, Copy, Debug)]
pub enum RouterName {
    /// nginx.
    Nginx,
    /// Caddy.
    Caddy,
    /// HAProxy; instances always listen on ports.
    Haproxy,
}

/// The names of all strategies, each with a line of help.
fn strategy() -> impl TypedValueParser<Value = Strategy> {
    let name = |strategy: Strategy| {
        let also = Strategy::ALSO.into_iter().filter(move |(_, is)| *is == strategy);
        let value = PossibleValue::new(strategy.as_str()).help(strategy.summary());
        value.aliases(also.map(|(name, _)| name))
    };
    PossibleValuesParser::new(Strategy::ALL.map(name)).try_map(|name| Strategy::named(&name).ok_or("not a strategy"))
}
