//! What can be typed: clap definitions, each help with an example first. Nothing is decided here.

mod operate;
mod unit;

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};

use crate::plan::Migration;
use crate::report::Colour;
pub use operate::{Drive, EnvCommand, Logs, Priority, Run};
pub use unit::{FailOn, Format, Generate, Install, Lint, ProgramName, UnitCommand};

/// shipit
#[derive(Parser, Debug)]
#[command(
    name = "shipit",
    version,
    about = "Zero-downtime deploys to one Linux box over SSH",
    long_about = "Example:\n  shipit init && shipit setup --as root@app.example.com && shipit deploy\n\n\
        Zero-downtime deploys to one Linux box over SSH. Once the switch begins, the host finishes it or undoes \
        it, whatever happens to the laptop, the link or the power.\n\n\
        Exit codes: 0 done, 1 failed before the flip (nothing live changed), 2 usage or configuration, \
        3 the new release failed and the host is back on the previous one, 4 needs a person, 5 another switch \
        holds the host, 6 cannot reach the host, 7 outcome unknown (ask `shipit status`)."
)]
pub struct Args {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(ClapArgs, Clone, Debug)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// The configuration; by default deploy.yml here or above
    #[arg(short, long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// An environment of deploy.yml
    #[arg(short, long, global = true, value_name = "ENV")]
    pub environment: Option<String>,
    /// One JSON object a line on stdout
    #[arg(long, global = true)]
    pub json: bool,
    /// Every line of every step
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Only what went wrong and the last lines
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Colour on stderr
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto)]
    pub color: Colour,
    /// Trust a host key that was never seen before, and remember it
    #[arg(long, global = true)]
    pub accept_new: bool,
    /// The private key to log in with
    #[arg(short, long, global = true, value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// The file of known host keys
    #[arg(long, global = true, value_name = "FILE")]
    pub known_hosts: Option<PathBuf>,
    /// Log in with the system's ssh (FIDO keys, host certificates)
    #[arg(long, global = true)]
    pub system_ssh: bool,
    /// The ssh configuration to resolve names with
    #[arg(short = 'F', long, global = true, value_name = "FILE")]
    pub ssh_config: Option<PathBuf>,
    /// Every word that was typed after `shipit`, for the line to type next
    #[arg(skip)]
    pub words: Vec<std::ffi::OsString>,
}

/// The commands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Look at this directory and write deploy.yml
    #[command(
        long_about = "Example:\n  shipit init --host deploy@app.example.com --units\n\nLooks at this directory (Node.js, Rails and other Ruby, Django and other Python, PHP, Go, Rust, Elixir, plain pages), and writes a deploy.yml for it: \
        source, build, prepare, migrate, strategy. With --units also systemd units; on a terminal it asks. Never overwrites."
    )]
    Init(Init),
    /// Make the host ready, once
    #[command(
        long_about = "Example:\n  shipit setup --as root@app.example.com\n\nMakes the layout, the guard units and the sudo rule (checked by visudo). \
        Shows first what root will do; run it again any time. Adopts a tree that Capistrano or the like made."
    )]
    Setup(Setup),
    /// Look at everything, change nothing
    #[command(
        long_about = "Example:\n  shipit doctor\n\nLooks at everything: keys, connection, host, room, clock, sudo lines, guard, units by all rules, who listens, \
        whether health answers, the last switch that failed. Names causes before what follows from them, each with the line to type; \
        says which strategies each service can use. Changes nothing. Exits 1 when something is broken, 4 when the host is degraded, 6 when the host is not reached."
    )]
    Doctor,
    /// Show what deploy would do
    #[command(
        long_about = "Example:\n  shipit plan\n\nShows files added, changed and removed, bytes, the steps, the revert list, what would be pruned. Changes nothing."
    )]
    Plan,
    /// Put a new release live
    #[command(
        long_about = "Example:\n  shipit deploy\n  shipit deploy -e staging --wait --json\n\nBuilds here, sends the release, and lets the host switch to it. \
        The host goes back by itself when the release is not healthy."
    )]
    Deploy(Deploy),
    /// Go back to an earlier release
    #[command(
        long_about = "Example:\n  shipit rollback\n  shipit rollback 20260503-094502\n\nGoes back to the newest verified release before the live one, or to the one named. \
        Needs no upload, no working tree and no free disk."
    )]
    Rollback(Rollback),
    /// List the releases on the host
    #[command(
        long_about = "Example:\n  shipit releases\n\nLists the releases on the host, newest first, with what became of each."
    )]
    Releases,
    /// Say what is live and how it is
    #[command(
        long_about = "Example:\n  shipit status\n\nSays what is live, how each unit is and since when, from which release its process runs, whether it answers well now, when timers run, how the last deploys ended, \
        and whether a switch is under way. Exits 4 when the host is degraded."
    )]
    Status,
    /// Show the journal of the app's services
    #[command(
        long_about = "Example:\n  shipit logs -f\n  shipit logs --since 2h -p warning --grep timeout\n\nShows the journal of the app's services: all of them, some, those of a release, or those of one run."
    )]
    Logs(Logs),
    /// Set what the app finds in its environment
    #[command(
        subcommand,
        long_about = "Example:\n  shipit env set DATABASE_URL\n\nKeeps the app's secrets and settings in /etc/APP/env on the host: root's, mode 0600, read by systemd (EnvironmentFile=). \
        Values come from stdin or a prompt, go there over ssh's stdin, and are never shown."
    )]
    Env(EnvCommand),
    /// Run one command in the live release
    #[command(
        long_about = "Example:\n  shipit run -- bin/console --version\n  shipit run --stdin -- sh -c 'exec psql acme' <changes.sql\n\nRuns one command on the host, in `current`, as the deploy user. It has no terminal, and its stdin is empty, \
        or with --stdin what is on stdin here. What it writes passes through; only what goes to a terminal is escaped. \
        The app's environment is not there: it is root's, and the deploy user does not get it. Exits 0 when the command ends with 0, else 1 and says how it ended. Ctrl-C stops it."
    )]
    Run(Run),
    /// Restart the services, and see them well
    #[command(
        long_about = "Example:\n  shipit restart\n  shipit restart acme.service\n\nRestarts the services one after another and waits until each is well, by the same verdict as a deploy. A service behind a socket loses nothing. \
        Refused while a switch holds the host. Exits 4 when a service is not well then, with its journal."
    )]
    Restart(Drive),
    /// Stop the services
    #[command(
        long_about = "Example:\n  shipit stop\n\nStops the services, and the sockets that would start them again. They start again with `shipit start`, or at boot if they are enabled."
    )]
    Stop(Drive),
    /// Start the services, and see them well
    #[command(
        long_about = "Example:\n  shipit start\n\nStarts the services that are not running, sockets first, and waits until each is well."
    )]
    Start(Drive),
    /// Reload the services, and see them well
    #[command(
        long_about = "Example:\n  shipit reload\n\nLets each service read its configuration anew (its ExecReload=) and waits until it is well."
    )]
    Reload(Drive),
    /// Watch the switch that is under way
    #[command(
        long_about = "Example:\n  shipit attach\n\nWatches the switch that is under way, from its first event on. Leaving changes nothing."
    )]
    Attach,
    /// Remove old releases
    #[command(
        long_about = "Example:\n  shipit prune --keep 2\n\nRemoves what is older than the newest keep_releases verified releases; never the live one, one in use, \
        or the one to roll back to. As many staged ones stay, and the newest that failed."
    )]
    Prune(Prune),
    /// Check, explain and write systemd units
    #[command(
        subcommand,
        long_about = "Example:\n  shipit unit lint deploy/units\n\nReads systemd units as systemd does, says what is wrong with them before it hurts, and writes good ones. Needs no host."
    )]
    Unit(UnitCommand),
    /// Print shell completions
    #[command(
        long_about = "Example:\n  shipit completions bash > ~/.local/share/bash-completion/completions/shipit"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    #[command(long_about = "Example:\n  shipit man | man -l -")]
    Man,
}

/// `init`
#[derive(ClapArgs, Debug)]
pub struct Init {
    /// The host: user@host
    #[arg(long)]
    pub host: Option<String>,
    /// The app's name; by default this directory's
    #[arg(long)]
    pub app: Option<String>,
    /// Also write systemd units, to deploy/units
    #[arg(long)]
    pub units: bool,
    /// Print it instead of writing
    #[arg(long)]
    pub print: bool,
}

/// `setup`
#[derive(ClapArgs, Debug)]
pub struct Setup {
    /// The login with root or sudo: user@host
    #[arg(long = "as", value_name = "USER@HOST")]
    pub login: Option<String>,
    /// Only print what root would do
    #[arg(long)]
    pub print: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

/// `deploy`
#[derive(ClapArgs, Debug)]
pub struct Deploy {
    /// Send and prepare the release, change nothing live
    #[arg(long)]
    pub stage_only: bool,
    /// A release that is on the host already
    #[arg(long, value_name = "ID", conflicts_with = "stage_only")]
    pub release: Option<String>,
    /// Wait for another switch to end
    #[arg(long)]
    pub wait: bool,
    /// Switch even when nothing changed
    #[arg(long)]
    pub restart: bool,
    /// Go on although the live release fails the health check: this one mends it, or brings what the check asks for
    #[arg(long)]
    pub despite_health: bool,
    /// What became of a migration that was interrupted
    #[arg(long, value_enum, default_value_t = Migration::Ask)]
    pub migration: Migration,
}

/// `rollback`
#[derive(ClapArgs, Debug)]
pub struct Rollback {
    /// The release to go back to, or a beginning that only it has
    pub release: Option<String>,
    /// Wait for another switch to end
    #[arg(long)]
    pub wait: bool,
}

/// `prune`
#[derive(ClapArgs, Debug)]
pub struct Prune {
    /// How many verified and how many staged releases stay; by default keep_releases
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub keep: Option<u32>,
}
