//! The command line: clap definitions, each help with an example first. Nothing is decided here.

pub(super) mod help; // that of shipit itself, and tips
mod operate;
mod switch;
mod unit;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args as ClapArgs, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::report::{Colour, layout};
pub use operate::{Drive, EnvCommand, History, Logs, Prune, Releases, Report, Run};
pub use switch::{Deploy, Plan, Rollback};
pub use unit::{FailOn, Format, Generate, Install, Lint, ProgramName, RouterName, UnitCommand};

/// shipit
#[derive(Parser, Debug)]
#[command(
    name = "shipit",
    version,
    about = "Zero-downtime deploys to one Linux server over SSH",
    long_about = "Example:\n  shipit init && shipit up --as root@app.example.com\n\n\
        Zero-downtime deploys to one Linux server over SSH. Once the switch begins, the host finishes or undoes \
        it, whatever happens to your laptop, the connection or the power.\n\n\
        Exit codes: 0 done, 1 failed before the flip (nothing live changed), 2 usage or configuration, \
        3 the new release failed and the host reverted to the previous one, 4 the host needs manual repair, 5 another \
        switch is in progress, 6 cannot reach the host, 7 outcome unknown (run `shipit status`)."
)]
pub struct Args {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Reads what was typed after `shipit`. The help of a command has its own options; those of every command are in
/// `shipit --help`.
pub fn parse(words: &[OsString]) -> Result<Args, clap::Error> {
    let mut command = Args::command();
    let names: Vec<&str> = command.get_subcommands().map(|one| one.get_name()).collect();
    if words.iter().any(|word| names.iter().any(|name| word == name)) {
        let global = command.get_arguments().filter(|option| option.is_global_set());
        for id in global.map(|option| option.get_id().clone()).collect::<Vec<_>>() {
            command = command.mut_arg(id, |option| option.hide(true));
        }
        command = command.mut_subcommands(own_help);
    }
    let typed = std::iter::once(OsString::from("shipit")).chain(words.iter().cloned());
    let columns = layout::size(std::io::stdout()).map(|(columns, _)| columns);
    let command = help::grouped(command, columns);
    let matches = command
        .try_get_matches_from(typed)
        .map_err(|error| help::with_tip(error, words))?;
    let mut args = Args::from_arg_matches(&matches)?;
    args.global.words = words.to_vec();
    if let Command::Run(run) = &args.command {
        // For a next line that repeats this one with an option more: what comes after `--` is not shipit's.
        let command = words.len().saturating_sub(run.command.len());
        if !words[..command].ends_with(&["--".into()]) {
            args.global.words.insert(command, "--".into());
        }
    }
    Ok(args)
}

fn own_help(command: clap::Command) -> clap::Command {
    let command = command.mut_subcommands(own_help);
    command.after_help("Options for every command (-e ENV, -c FILE, -i FILE, -v, -q, --json, and more): shipit --help")
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
    /// Color on a terminal
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
    pub words: Vec<OsString>,
}

/// The commands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Write a deploy.yml for this directory
    #[command(
        long_about = "Example:\n  shipit init --host deploy@app.example.com --units\n\nDetects the kind of project in this directory (Node.js, Rails and other Ruby, Django and other Python, PHP, Go, Rust, Elixir, static files) and writes a deploy.yml for it: \
        source, build, prepare, migrate, strategy. The app's name is that of the directory, or --app NAME. Also writes deploy.schema.json, so that editors complete and check deploy.yml. With --units it also writes systemd units; without --units, on a terminal, it asks. \
        If it can log in to the host (as the deploy user or as root) without asking you, it proposes a port that is free there. It never overwrites a file."
    )]
    Init(Init),
    /// Do everything for the first release: install units, set up, deploy
    #[command(
        long_about = "Example:\n  shipit up --as root@app.example.com\n\nChecks what a first deploy needs on this machine and on the host, and whether the source can be shipped; then runs `unit install --now`, `setup` and `deploy`. \
        Shows all that root will do and asks once. You can run it again at any time: it continues with what is left. When nothing is left for root to do, it only deploys."
    )]
    Up(Up),
    /// Prepare the host, once
    #[command(
        long_about = "Example:\n  shipit setup --as root@app.example.com\n\nCreates the directories, the guard units and the sudo rule (checked by visudo). \
        Shows what root will change and asks first. You can run it again at any time. It adopts the releases of Capistrano and similar tools."
    )]
    Setup(Setup),
    /// Find out why a deploy does not work; change nothing
    #[command(
        long_about = "Example:\n  shipit doctor\n  shipit doctor --drain --path /slow\n\nChecks keys, connection, host, disk space, clock, sudo lines, guard, units (against all rules), listening sockets, health checks and the last failed switch. Lists causes before their consequences, each with a command that fixes it, and then the strategies that each service can use. Changes nothing without --drain, which tests how the services stop: on idle instances or, with --live, on the live ones. \
        Exits 1 if there is an error, 4 if the host is degraded, 6 if the host cannot be reached."
    )]
    Doctor(Doctor),
    /// Show what deploy would do
    #[command(
        long_about = "Example:\n  shipit plan\n\nShows the files that a deploy adds, changes and removes, the bytes it sends, every step of the switch and of a revert, and the releases it prunes. Changes nothing."
    )]
    Plan(Plan),
    /// Deploy a new release
    #[command(
        long_about = "Example:\n  shipit deploy\n  shipit deploy -e staging --wait --json\n\nBuilds on this machine, uploads the release, and requests the switch, which the host performs. \
        If the release is unhealthy, the host automatically reverts to the previous one."
    )]
    Deploy(Deploy),
    /// Go back to an earlier release
    #[command(
        long_about = "Example:\n  shipit rollback\n  shipit rollback 20260503-094502\n\nSwitches to the newest verified release before the live one, or to the release you name. \
        Needs no upload, no working tree and no free disk space. The release that you leave is marked `left`: only a rollback or a deploy --release that names it returns to it."
    )]
    Rollback(Rollback),
    /// List the releases on the host
    #[command(
        long_about = "Example:\n  shipit releases -n 10\n\nLists the releases on the host, newest first, with the state of each, its age (since it was staged) and its commit."
    )]
    Releases(Releases),
    /// Show what was done to the app, by whom, and how it ended
    #[command(
        long_about = "Example:\n  shipit history\n  shipit history -n 100 --json\n\nShows deploys, rollbacks and prunes, restarts, stops, starts and reloads, and changes to the environment, newest first: when, who, how long, the commit, the downtime, and the reason for a failure. On a terminal, times are ages; in a file or a pipe, and with --json, they are UTC. \
        The host keeps this record; `shipit report RUN` shows one switch in detail."
    )]
    History(History),
    /// Show the timeline of one switch
    #[command(
        long_about = "Example:\n  shipit report\n  shipit report --html switch.html\n\nShows one switch as the host recorded it: each step, each probe with its response time, failed probes, and which release answered at which time. \
        --html also writes it as one HTML file that needs no network and no script."
    )]
    Report(Report),
    /// Show what is live and whether it is healthy
    #[command(
        long_about = "Example:\n  shipit status\n\nShows the live release, the state of each unit and the release its process runs from, the current health, the timers, the last deploys, \
        and a switch in progress. Exits 4 if the host is degraded; a service that is not running or not healthy does not change the exit status; in that case, `shipit doctor` exits 1."
    )]
    Status,
    /// Show the journal of the app's services
    #[command(
        long_about = "Example:\n  shipit logs -f\n  shipit logs --since 2h -p warning --grep timeout\n\nShows the journal of the app's services. Options limit it to a unit, a release, a run or a time. Times are shown in UTC; --since and --until read the host's local time: write '2026-12-02 04:40 UTC' for a time that is shown."
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
        long_about = "Example:\n  shipit run bin/rails console\n  shipit run --stdin psql acme <changes.sql\n\nRuns one command in the live release, as a service's user, with the environment, working directory and sandbox of its unit. Options before the command are shipit's; all words after it are its own, such as -x in `shipit run -e staging ls -x`. You can put -- before the command. If you are at a terminal, the command has one too: Ctrl-C and changes to the window size reach it. \
        Otherwise its stdin is empty; with --stdin, it is your stdin. \
        Ctrl-C, SIGTERM or SIGHUP then stops the command, and shipit exits with 128 plus the number of the signal. If the terminal is closed or the connection is lost, the host ends the command. With --as-deploy, or with `run_as: deploy` in deploy.yml, the command runs as the deploy user with the environment of its login. Exits with the command's exit status, and prints it if it is not 0."
    )]
    Run(Run),
    /// Open a shell in the live release, as the deploy user
    #[command(
        long_about = "Example:\n  shipit ssh\n\nOpens a shell on the host, in `current`, as the deploy user, with the same key, host key and jump host as a deploy. Before the first deploy, the shell starts in the app's root. \
        Needs a terminal. Exits with the exit status of the shell."
    )]
    Ssh,
    /// Restart the services and wait until they are healthy
    #[command(
        long_about = "Example:\n  shipit restart\n  shipit restart acme.service\n\nRestarts the services one after another and waits until each passes the same checks as a deploy. No connection to a service behind a socket is refused. \
        Not possible during a switch. If a service is not healthy afterwards, shows its journal and exits 4."
    )]
    Restart(Drive),
    /// Stop the services
    #[command(
        long_about = "Example:\n  shipit stop\n\nStops the services, and the sockets that would start them again. `shipit start` starts them again; at boot, systemd starts the enabled ones."
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
        long_about = "Example:\n  shipit attach\n\nFollows the switch in progress, from its first event. If this client ends, the switch continues. Ctrl-C asks the host to revert, as during `shipit deploy`; \
        a second Ctrl-C only ends the client."
    )]
    Attach,
    /// End the canary in progress: all requests go to the new release
    #[command(
        long_about = "Example:\n  shipit promote\n\nSkips the remaining shares of a canary in progress: the router sends every request to the new release. Then follows the switch to its end. \
        The new release is still checked through the router, and the host still reverts if it is unhealthy."
    )]
    Promote,
    /// Ask the host to revert the switch in progress
    #[command(
        long_about = "Example:\n  shipit abort\n\nAsks the host to revert the switch in progress, even if another client began it, and follows it to its end. Exits as the deploy does: 3 if the host reverted, 1 if it had not changed anything yet. \
        A release that is already confirmed stays live: `shipit rollback` returns to the previous release."
    )]
    Abort,
    /// Remove old releases
    #[command(
        long_about = "Example:\n  shipit prune --keep 2\n\nKeeps the newest releases that are verified or left, up to keep_releases, the same number of staged ones, and the newest failed one. Removes the others; \
        never the live release, a release in use, or the release that a rollback would use."
    )]
    Prune(Prune),
    /// Check, explain and write systemd units
    #[command(
        subcommand,
        long_about = "Example:\n  shipit unit lint deploy/units\n\nReads systemd units as systemd does, finds defects before they cause an outage, and writes units that pass every rule. Needs no host, except for `lint --host`, `diff` and `install`."
    )]
    Unit(UnitCommand),
    /// Print the documented deploy.yml, and its schema for editors
    #[command(
        subcommand,
        long_about = "Example:\n  shipit config example | less\n\nPrints an example of deploy.yml with every key, or the JSON Schema of deploy.yml. Needs no host and no deploy.yml."
    )]
    Config(ConfigCommand),
    /// Print shell completions
    #[command(
        long_about = "Example:\n  shipit completions bash > ~/.local/share/bash-completion/completions/shipit\n\nPrints a script for the shell. It completes commands, options, environments, services and rules. For releases and runs, shipit queries the host: it waits at most two seconds, never asks for a password, and keeps the answer for a minute. \
        The script also works with later versions."
    )]
    Completions {
        /// Shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one for each command
    #[command(
        long_about = "Example:\n  shipit man | man -l -\n  shipit man --dir ~/.local/share/man/man1\n\nPrints the manual page of shipit. With --dir, writes that page and one for each command, shipit-deploy.1 and so on; creates the directory and replaces pages of the same name."
    )]
    Man {
        /// Directory for the pages
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

/// `config`
#[derive(Subcommand, Clone, Copy, Debug)]
pub enum ConfigCommand {
    /// Print a deploy.yml with an explanation of every key
    #[command(
        long_about = "Example:\n  shipit config example | less\n\nPrints a deploy.yml with an explanation of every key."
    )]
    Example,
    /// Print the JSON Schema of deploy.yml
    #[command(
        long_about = "Example:\n  shipit config schema > deploy.schema.json\n\nPrints the JSON Schema of deploy.yml. `shipit init` writes it to deploy.schema.json. The first line of deploy.yml names that file: \
        editors with a YAML language server then complete keys, show their documentation and mark mistakes. Run this after an upgrade of shipit."
    )]
    Schema,
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
    /// Port that the app listens on [default: 8080, or the next one that is free on the host]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// Also write systemd units to deploy/units
    #[arg(long)]
    pub units: bool,
    /// Print the files instead of writing them
    #[arg(long)]
    pub print: bool,
}

/// `up`
#[derive(ClapArgs, Debug)]
pub struct Up {
    /// Login that is root or can use sudo; needed until the deploy user can log in
    #[arg(long = "as", value_name = "USER@HOST")]
    pub login: Option<String>,
    /// Only print what root would do
    #[arg(long)]
    pub print: bool,
    /// Do not ask for confirmation
    #[arg(short, long)]
    pub yes: bool,
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

/// `doctor`
#[derive(ClapArgs, Debug)]
pub struct Doctor {
    /// Login that is root or can use sudo: finds out why the deploy user cannot log in
    #[arg(long = "as", value_name = "USER@HOST")]
    pub login: Option<String>,
    #[command(flatten)]
    pub drain: DrainTrial,
}

/// `doctor --drain`
#[derive(ClapArgs, Debug)]
pub struct DrainTrial {
    /// Test how each service stops: starts its idle instance, sends requests, and stops it again
    #[arg(long, conflicts_with = "login")]
    pub drain: bool,
    /// Test the live instances instead, one after the other; each restarts
    #[arg(long, requires = "drain")]
    pub live: bool,
    /// Path of a request that takes the app a second or longer, such as /slow [default: that of the health check]
    #[arg(long, requires = "drain", value_name = "PATH", value_parser = path)]
    pub path: Option<String>,
    /// Do not ask for confirmation before --live
    #[arg(short, long, requires = "live")]
    pub yes: bool,
}

/// A path of the app as a request has it.
fn path(text: &str) -> Result<String, String> {
    let is_plain = text.bytes().all(|b| b.is_ascii_graphic());
    match text.starts_with('/') && is_plain {
        true => Ok(text.to_owned()),
        false => Err("a path begins with / and has neither spaces nor control characters".into()),
    }
}
