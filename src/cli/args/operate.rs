//! What can be typed from day to day: logs, env, run, restart and its kin: clap definitions. Nothing is decided here.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

/// `logs`
#[derive(ClapArgs, Debug)]
pub struct Logs {
    /// Go on with new lines
    #[arg(short, long)]
    pub follow: bool,
    /// Only this unit; can be given more than once
    #[arg(short, long)]
    pub unit: Vec<String>,
    /// Only what was said while this release was live
    #[arg(long, value_name = "ID", conflicts_with_all = ["run", "follow", "since", "until"])]
    pub release: Option<String>,
    /// Only the lives that this run of a switch saw
    #[arg(long, value_name = "ID", conflicts_with = "follow")]
    pub run: Option<String>,
    /// From then on: 2h, 30min, today, "2026-11-21 05:00" (by the host's clock)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub since: Option<String>,
    /// Until then
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub until: Option<String>,
    /// Only lines of this priority and worse
    #[arg(short, long, value_enum, value_name = "WORD")]
    pub priority: Option<Priority>,
    /// Only lines that match this pattern (Perl's; without capitals, case does not matter)
    #[arg(short, long, value_name = "PATTERN", allow_hyphen_values = true)]
    pub grep: Option<String>,
    /// The newest so many lines; by default 1000, with -f 100
    #[arg(short = 'n', long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub lines: Option<u32>,
}

/// The priorities of syslog(3), the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "syslog(3) explains them")]
pub enum Priority {
    Emerg,
    Alert,
    Crit,
    Err,
    Warning,
    Notice,
    Info,
    Debug,
}

/// `env`
#[derive(Subcommand, Debug)]
pub enum EnvCommand {
    /// The names that are set; never the values
    #[command(
        long_about = "Example:\n  shipit env list\n\nThe names that are set, and which services read them. Values are never read back."
    )]
    List,
    /// Set one variable; its value comes from stdin or is asked for
    #[command(
        long_about = "Example:\n  shipit env set DATABASE_URL --restart\n  pass show acme/db | shipit env set DATABASE_URL\n\nThe value is read from stdin (one line end at its end is dropped), \
        or asked for on the terminal without echo. Never write it into the command line: history, ps and logs keep that."
    )]
    Set {
        /// The variable's name
        name: String,
        /// Restart the services then
        #[arg(long)]
        restart: bool,
    },
    /// Remove variables
    #[command(long_about = "Example:\n  shipit env unset OLD_TOKEN")]
    Unset {
        /// Their names
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// Restart the services then
        #[arg(long)]
        restart: bool,
    },
    /// Replace all variables by those of a file, or of stdin
    #[command(
        long_about = "Example:\n  shipit env push production.env\n\nReplaces the whole by a file in the syntax of systemd's EnvironmentFile=, or by stdin. Lines that systemd \
        would read in another way than you may think are refused. Refused too if somebody else changed the environment meanwhile."
    )]
    Push {
        /// The file; stdin when not given
        file: Option<PathBuf>,
        /// Restart the services then
        #[arg(long)]
        restart: bool,
    },
}

/// `run`
#[derive(ClapArgs, Debug)]
pub struct Run {
    /// Give the command what is on stdin here, once all of it has been read
    #[arg(long)]
    pub stdin: bool,
    /// The command and its arguments, behind `--`
    #[arg(last = true, required = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// `restart`, `stop`, `start`, `reload`
#[derive(ClapArgs, Debug)]
pub struct Drive {
    /// One service; by default all of them, in the order of deploy.yml
    pub unit: Option<String>,
}
