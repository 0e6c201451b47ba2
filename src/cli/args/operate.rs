//! The arguments of the commands for the time between deploys, such as logs, env, run and prune: clap definitions. Nothing
//! is decided here.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

/// The priorities of syslog(3), the worst first.
const PRIORITIES: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

/// `logs`
#[derive(ClapArgs, Debug)]
pub struct Logs {
    /// Keep showing new lines
    #[arg(short, long)]
    pub follow: bool,
    /// Show only this unit (repeatable)
    #[arg(short, long)]
    pub unit: Vec<String>,
    /// Show only lines logged while this release was live
    #[arg(long, value_name = "ID", conflicts_with_all = ["run", "follow", "since", "until"])]
    pub release: Option<String>,
    /// Show only lines from the processes of this run of a switch
    #[arg(long, value_name = "ID", conflicts_with = "follow")]
    pub run: Option<String>,
    /// Show lines since this time: 2h, 30min, today, "2026-11-21 05:00" (host time)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub since: Option<String>,
    /// Show lines until this time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub until: Option<String>,
    /// Show only lines of this priority or a more severe one
    #[arg(short, long, value_parser = PRIORITIES, value_name = "PRIORITY")]
    pub priority: Option<String>,
    /// Show only lines that match this Perl-compatible pattern (ignores case if the pattern is all lowercase)
    #[arg(short, long, value_name = "PATTERN", allow_hyphen_values = true)]
    pub grep: Option<String>,
    /// Number of most recent lines to show [default: 1000, or 100 with -f]
    #[arg(short = 'n', long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub lines: Option<u32>,
}

/// `env`
#[derive(Subcommand, Debug)]
pub enum EnvCommand {
    /// List the names of the variables, never the values
    #[command(
        long_about = "Example:\n  shipit env list\n\nLists the names of the variables and the services that read them. Values cannot be read back."
    )]
    List,
    /// Set one variable; the value comes from stdin or a prompt
    #[command(
        long_about = "Example:\n  shipit env set DATABASE_URL --restart\n  pass show acme/db | shipit env set DATABASE_URL\n\nReads the value from stdin (and drops one trailing newline), or asks for it on the terminal without echo. \
        Never put a value on the command line: the shell history, ps and logs would show it."
    )]
    Set {
        /// Name of the variable
        name: String,
        /// Restart the services afterwards
        #[arg(long)]
        restart: bool,
    },
    /// Remove variables
    #[command(
        long_about = "Example:\n  shipit env unset OLD_TOKEN\n\nRemoves variables. Names that are not set are reported and ignored, unless a variable with a similar name is set: \
        that may be a typo, so nothing is removed, and shipit exits 1."
    )]
    Unset {
        /// Names of the variables
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// Restart the services afterwards
        #[arg(long)]
        restart: bool,
    },
    /// Replace all variables with those from a file or stdin
    #[command(
        long_about = "Example:\n  shipit env push production.env\n\nReplaces all variables with those from a file, or from stdin, in the syntax of systemd's EnvironmentFile=. Refuses lines that systemd \
        and other programs read differently, and refuses if another user changed the environment in the meantime."
    )]
    Push {
        /// File with the variables [default: stdin]
        file: Option<PathBuf>,
        /// Restart the services afterwards
        #[arg(long)]
        restart: bool,
    },
}

/// `report`
#[derive(ClapArgs, Debug)]
pub struct Report {
    /// Run, or a release for its last run [default: the last deploy or rollback]
    pub run: Option<String>,
    /// File to write the timeline to, as HTML
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// `history`
#[derive(ClapArgs, Debug)]
pub struct History {
    /// Number of entries to show
    #[arg(short = 'n', long, alias = "limit", value_parser = clap::value_parser!(u32).range(1..=1000), default_value_t = 20)]
    pub lines: u32,
}

/// `releases`
#[derive(ClapArgs, Debug)]
pub struct Releases {
    /// Number of releases to show, newest first [default: all]
    #[arg(short = 'n', long, alias = "limit", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub lines: Option<u32>,
}

/// `run`
#[derive(ClapArgs, Debug)]
pub struct Run {
    /// Pass your stdin to the command; a terminal is always passed
    #[arg(long)]
    pub stdin: bool,
    /// Run it with the settings of this service [default: the first service of deploy.yml]
    #[arg(short, long, value_name = "UNIT")]
    pub service: Option<String>,
    /// Run it as the deploy user, without the app's environment and sandbox; overrides --service
    #[arg(long)]
    pub as_deploy: bool,
    /// Command and its arguments; shipit's own options come before it
    #[arg(trailing_var_arg = true, required = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// `restart`, `stop`, `start`, `reload`
#[derive(ClapArgs, Debug)]
pub struct Drive {
    /// Service [default: all services, in the order of deploy.yml]
    pub unit: Option<String>,
}

/// `prune`
#[derive(ClapArgs, Debug)]
pub struct Prune {
    /// Number of verified or left releases, and number of staged ones, to keep [default: keep_releases]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub keep: Option<u32>,
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use crate::cli::args::{Args, Command, parse};

    /// The arguments, and the words of the command behind them.
    fn run(words: &[&str]) -> (Args, Vec<OsString>) {
        let typed: Vec<OsString> = words.iter().map(Into::into).collect();
        let args = parse(&typed).expect("a command line");
        let Command::Run(run) = &args.command else {
            unreachable!("not `run`: {words:?}")
        };
        let command = run.command.clone();
        (args, command)
    }

    #[test]
    fn every_word_after_the_command_of_run_is_its_own() {
        for (words, command) in [
            (&["run", "whoami"][..], &["whoami"][..]),
            (&["run", "-i", "key", "whoami", "-x"], &["whoami", "-x"]),
            (&["run", "-ikey", "--", "whoami", "-x"], &["whoami", "-x"]),
            (&["run", "ls", "--json", "-i", "x"], &["ls", "--json", "-i", "x"]),
            (&["run", "ls", "--help"], &["ls", "--help"]),
            (&["run", "git", "log", "--", "a"], &["git", "log", "--", "a"]),
            (&["run", "--", "git", "log", "--", "a"], &["git", "log", "--", "a"]),
            (&["run", "--", "--", "-x"], &["--", "-x"]),
            (&["run", "--", "-x"], &["-x"]),
            (&["run", "help"], &["help"]),
        ] {
            let (args, got) = run(words);
            assert_eq!(got, command, "{words:?}");
            assert!(!args.global.json, "{words:?}");
            // A line that repeats this one with an option more has the option before the command.
            let typed = args.global.words;
            let (before, after) = typed.split_at(typed.len() - command.len());
            assert!(after == command && before.ends_with(&["--".into()]), "{typed:?}");
            assert_eq!(before.iter().filter(|word| *word == "--").count(), 1, "{typed:?}");
        }
        assert_eq!(
            run(&["run", "-i", "key", "whoami"]).0.global.identity,
            Some("key".into())
        );
        for wrong in [
            &["run"][..],
            &["run", "-x", "ls"],
            &["run", "--"],
            &["run", "--as-deploy"],
        ] {
            let typed: Vec<OsString> = wrong.iter().map(Into::into).collect();
            assert!(parse(&typed).is_err(), "{wrong:?}");
        }
    }
}
