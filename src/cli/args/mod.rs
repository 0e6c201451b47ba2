//! The command line: clap definitions, each help with an example first. Nothing is decided here.

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
    about = "Zero-downtime deploys to one Linux server over SSH",
    long_about = "Example:\n  shipit init && shipit setup --as root@app.example.com && shipit deploy\n\n\
        Zero-downtime deploys to one Linux server over SSH. Once the switch begins, the host finishes it or undoes \
        it, whatever happens to your laptop, the connection or the power.\n\n\
        Exit codes: 0 done, 1 failed before the flip (nothing live changed), 2 usage or configuration, \
        3 the new release failed and the host is back on the previous one, 4 the host needs manual repair, 5 another switch \
        holds the host, 6 cannot reach the host, 7 outcome unknown (run `shipit status`)."
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
#[command(next_help_heading = "Options for every command")]
pub struct Global {
    /// Configuration file [default: deploy.yml in this directory or above]
    #[arg(short, long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Use this environment of deploy.yml
    #[arg(short, long, global = true, value_name = "ENV")]
    pub environment: Option<String>,
    /// Print one JSON object per line on stdout
    #[arg(long, global = true)]
    pub json: bool,
    /// Show every line of every step
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Show only failures and the result
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Color on stderr
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto)]
    pub color: Colour,
    /// Accept an unknown host key and add it to known_hosts
    #[arg(long, global = true)]
    pub accept_new: bool,
    /// Private key to log in with
    #[arg(short, long, global = true, value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// File of known host keys
    #[arg(long, global = true, value_name = "FILE")]
    pub known_hosts: Option<PathBuf>,
    /// Use the ssh program (for FIDO keys and host certificates)
    #[arg(long, global = true)]
    pub system_ssh: bool,
    /// ssh configuration that resolves host names
    #[arg(short = 'F', long, global = true, value_name = "FILE")]
    pub ssh_config: Option<PathBuf>,
    /// Every word that was typed after `shipit`, for the line to type next
    #[arg(skip)]
    pub words: Vec<std::ffi::OsString>,
}

/// The commands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Write a deploy.yml for this directory
    #[command(
        long_about = "Example:\n  shipit init --host deploy@app.example.com --units\n\nDetects the kind of project in this directory (Node.js, Rails and other Ruby, Django and other Python, PHP, Go, Rust, Elixir, static files) and writes a deploy.yml for it: \
        source, build, prepare, migrate, strategy. With --units it also writes systemd units; without --units, on a terminal, it asks. It never overwrites a file."
    )]
    Init(Init),
    /// Prepare the host, once
    #[command(
        long_about = "Example:\n  shipit setup --as root@app.example.com\n\nCreates the directories, the guard units and the sudo rule (checked by visudo). \
        Shows what root will do and asks first. You can run it again at any time. It adopts the releases of Capistrano and similar tools."
    )]
    Setup(Setup),
    /// Find out why a deploy does not work; change nothing
    #[command(
        long_about = "Example:\n  shipit doctor\n\nChecks keys, connection, host, disk space, clock, sudo lines, guard, units (by all rules), listening sockets, \
        health checks and the last failed switch. Lists causes before their consequences, each with a command that fixes it, \
        and the strategies that each service can use. Changes nothing. Exits 1 if there is an error, 4 if the host is degraded, 6 if the host cannot be reached."
    )]
    Doctor,
    /// Show what deploy would do
    #[command(
        long_about = "Example:\n  shipit plan\n\nShows the files that a deploy adds, changes and removes, the bytes it sends, every step of the switch and of a revert, and the releases it prunes. Changes nothing."
    )]
    Plan,
    /// Deploy a new release
    #[command(
        long_about = "Example:\n  shipit deploy\n  shipit deploy -e staging --wait --json\n\nBuilds on this machine, uploads the release, and requests the switch, which the host performs. \
        If the release is not healthy, the host goes back to the previous one by itself."
    )]
    Deploy(Deploy),
    /// Go back to an earlier release
    #[command(
        long_about = "Example:\n  shipit rollback\n  shipit rollback 20260503-094502\n\nGoes back to the newest verified release before the live one, or to the release you name. \
        Needs no upload, no working tree and no free disk space."
    )]
    Rollback(Rollback),
    /// List the releases on the host
    #[command(
        long_about = "Example:\n  shipit releases\n\nLists the releases on the host, newest first, with the state of each."
    )]
    Releases,
    /// Show what is live and whether it is healthy
    #[command(
        long_about = "Example:\n  shipit status\n\nShows the live release, the state of each unit and the release its process runs from, the current health, the timers, the last deploys, \
        and a switch in progress. Exits 4 if the host is degraded."
    )]
    Status,
    /// Show the journal of the app's services
    #[command(
        long_about = "Example:\n  shipit logs -f\n  shipit logs --since 2h -p warning --grep timeout\n\nShows the journal of the app's services: of all, of one unit, of one release, or of one run."
    )]
    Logs(Logs),
    /// Manage the app's environment variables
    #[command(
        subcommand,
        long_about = "Example:\n  shipit env set DATABASE_URL\n\nKeeps the app's secrets and settings in /etc/APP/env on the host: root-owned, mode 0600, read by systemd (EnvironmentFile=). \
        Values come from stdin or a prompt, travel over ssh's stdin, and are never shown."
    )]
    Env(EnvCommand),
    /// Run one command in the live release
    #[command(
        long_about = "Example:\n  shipit run -- bin/console --version\n  shipit run --stdin -- sh -c 'exec psql acme' <changes.sql\n\nRuns one command on the host, in `current`, as the deploy user. The command has no terminal. Its stdin is empty, \
        or with --stdin your stdin. Its output passes through unchanged, except that control characters are escaped on a terminal. \
        The app's environment is not set: only root can read it. Exits 0 if the command exits 0; otherwise prints the command's exit status and exits 1. Ctrl-C stops the command."
    )]
    Run(Run),
    /// Restart the services and wait until they are healthy
    #[command(
        long_about = "Example:\n  shipit restart\n  shipit restart acme.service\n\nRestarts the services one after another and waits until each passes the same checks as a deploy. No connection to a service behind a socket is refused. \
        Not possible during a switch. If a service is not healthy afterwards, shows its journal and exits 4."
    )]
    Restart(Drive),
    /// Stop the services
    #[command(
        long_about = "Example:\n  shipit stop\n\nStops the services, and the sockets that would start them again. `shipit start` starts them; at boot, enabled ones start too."
    )]
    Stop(Drive),
    /// Start the services and wait until they are healthy
    #[command(
        long_about = "Example:\n  shipit start\n\nStarts the services that are not running, sockets first, and waits until each is healthy."
    )]
    Start(Drive),
    /// Reload the services and wait until they are healthy
    #[command(
        long_about = "Example:\n  shipit reload\n\nMakes each service reload its configuration (its ExecReload=) and waits until it is healthy."
    )]
    Reload(Drive),
    /// Follow the switch in progress
    #[command(
        long_about = "Example:\n  shipit attach\n\nFollows the switch in progress, from its first event. If this client ends, the switch continues. Ctrl-C asks the host to go back, as during `shipit deploy`; \
        a second Ctrl-C only ends the client."
    )]
    Attach,
    /// Remove old releases
    #[command(
        long_about = "Example:\n  shipit prune --keep 2\n\nKeeps the newest keep_releases verified releases, the same number of staged ones, and the newest that failed. Removes the others; \
        never the live release, a release in use, or the release that a rollback goes to."
    )]
    Prune(Prune),
    /// Check, explain and write systemd units
    #[command(
        subcommand,
        long_about = "Example:\n  shipit unit lint deploy/units\n\nReads systemd units as systemd does, finds defects before they cause an outage, and writes good units. Needs no host, except for `lint --host`, `diff` and `install`."
    )]
    Unit(UnitCommand),
    /// Print shell completions
    #[command(long_about = "Example:\n  shipit completions bash > ~/.local/share/bash-completion/completions/shipit")]
    Completions {
        /// Shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    #[command(long_about = "Example:\n  shipit man | man -l -")]
    Man,
}

/// `init`
#[derive(ClapArgs, Debug)]
pub struct Init {
    /// Host to deploy to
    #[arg(long, value_name = "USER@HOST")]
    pub host: Option<String>,
    /// App name [default: the name of this directory]
    #[arg(long)]
    pub app: Option<String>,
    /// Also write systemd units to deploy/units
    #[arg(long)]
    pub units: bool,
    /// Print the files instead of writing them
    #[arg(long)]
    pub print: bool,
}

/// `setup`
#[derive(ClapArgs, Debug)]
pub struct Setup {
    /// Login that is root or can use sudo
    #[arg(long = "as", value_name = "USER@HOST")]
    pub login: Option<String>,
    /// Only print what root would do
    #[arg(long)]
    pub print: bool,
    /// Do not ask for confirmation
    #[arg(short, long)]
    pub yes: bool,
}

/// `deploy`
#[derive(ClapArgs, Debug)]
pub struct Deploy {
    /// Upload and prepare the release; change nothing live
    #[arg(long)]
    pub stage_only: bool,
    /// Deploy a release that is already on the host
    #[arg(long, value_name = "ID", conflicts_with = "stage_only")]
    pub release: Option<String>,
    /// Wait until another switch ends
    #[arg(long)]
    pub wait: bool,
    /// Switch even if nothing changed
    #[arg(long)]
    pub restart: bool,
    /// Deploy even if the live release fails the health check
    #[arg(long)]
    pub despite_health: bool,
    /// How to continue after an interrupted migration
    #[arg(long, value_enum, default_value_t = Migration::Ask)]
    pub migration: Migration,
}

/// `rollback`
#[derive(ClapArgs, Debug)]
pub struct Rollback {
    /// Release id, or an unambiguous prefix of one [default: the previous verified release]
    pub release: Option<String>,
    /// Wait until another switch ends
    #[arg(long)]
    pub wait: bool,
}

/// `prune`
#[derive(ClapArgs, Debug)]
pub struct Prune {
    /// Number of releases to keep, for verified and for staged ones each [default: keep_releases]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub keep: Option<u32>,
}
