//! The door: arguments in, exit code out; one file a command. The only place that prints results and the
//! only one that turns a failure into an exit code. Nobody imports it.
#![allow(clippy::print_stdout, clippy::print_stderr)]

pub mod args;
mod attach;
mod connection;
mod deploy;
mod doctor;
mod env;
mod init;
mod logs;
mod next_line;
mod plan;
mod project;
mod prune;
mod releases;
mod rollback;
mod root;
mod run;
mod service;
mod setup;
mod status;
mod unit;

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use clap::{CommandFactory, Parser};

use crate::config::{self, Config};
use crate::engine::service_action::Verb;
use crate::engine::{Run, observe, session};
use crate::failure::{Exit, Failure};
use crate::host::Host;
use crate::interrupt::Interrupts;
use crate::observed::Observed;
use crate::report::event::Report;
use crate::report::{self, Loudness};
use crate::text;
use args::{Args, Command, Global};
use connection::SshLink;
use next_line::typed;

/// Runs the command line. Returns the exit code.
#[must_use]
pub fn main() -> u8 {
    let args = match Args::try_parse() {
        Ok(mut args) => {
            args.global.words = std::env::args_os().skip(1).collect();
            args
        }
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage.code()
            } else {
                Exit::Done.code()
            };
        }
    };
    let exit = match dispatch(&args) {
        Ok(exit) => exit,
        Err(failure) => {
            tell(&args.global, &failure);
            failure.exit
        }
    };
    exit.code()
}

fn dispatch(args: &Args) -> Result<Exit, Failure> {
    let global = &args.global;
    match &args.command {
        Command::Init(args) => init::run(global, args),
        Command::Setup(args) => setup::run(global, args),
        Command::Doctor => doctor::run(global),
        Command::Plan => plan::run(global),
        Command::Deploy(args) => deploy::run(global, args),
        Command::Rollback(args) => rollback::run(global, args),
        Command::Releases => releases::run(global),
        Command::Status => status::run(global),
        Command::Logs(args) => logs::run(global, args),
        Command::Env(command) => env::run(global, command),
        Command::Run(args) => run::run(global, args),
        Command::Restart(args) => service::run(global, args, Verb::Restart),
        Command::Stop(args) => service::run(global, args, Verb::Stop),
        Command::Start(args) => service::run(global, args, Verb::Start),
        Command::Reload(args) => service::run(global, args, Verb::Reload),
        Command::Attach => attach::run(global),
        Command::Prune(args) => prune::run(global, args),
        Command::Unit(command) => unit::run(global, command),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Args::command(), "shipit", &mut script);
            results(&String::from_utf8_lossy(&script));
            Ok(Exit::Done)
        }
        Command::Man => {
            let page = clap_mangen::Man::new(Args::command());
            let mut text = Vec::new();
            page.render(&mut text)
                .map_err(|e| Failure::new(Exit::Untouched, "the page could not be written").why(e.to_string()))?;
            results(&String::from_utf8_lossy(&text));
            Ok(Exit::Done)
        }
    }
}

/// A failure that no run has told yet.
fn tell(global: &Global, failure: &Failure) {
    if global.json {
        let ended = report::event::Ended {
            outcome: crate::engine::outcome(failure.exit),
            exit: failure.exit,
            release: None,
            previous: None,
            live: None,
            took: std::time::Duration::ZERO,
            live_after: None,
            bytes_sent: 0,
            downtime: None,
            failure: Some(failure.clone()),
            next: Vec::new(),
        };
        reporter(global).event(&report::event::Event::Ended(Box::new(ended)));
        return;
    }
    let lines = report::sentence::failure(failure, &typed(global));
    let _ = writeln!(std::io::stderr().lock(), "error: {lines}");
}

fn reporter(global: &Global) -> Box<dyn Report> {
    let loudness = match (global.quiet, global.verbose) {
        (true, _) => Loudness::Quiet,
        (_, true) => Loudness::Verbose,
        _ => Loudness::Normal,
    };
    report::choose(global.json, loudness, global.color, typed(global))
}

fn configuration(global: &Global) -> Result<Config, Failure> {
    let path = match &global.config {
        Some(path) => path.clone(),
        None => config::find(Path::new("."))?,
    };
    config::load(&path, global.environment.as_deref())
}

fn interrupts() -> Result<Interrupts, Failure> {
    Interrupts::listen().map_err(|e| Failure::new(Exit::Untouched, "cannot install signal handlers").why(e.to_string()))
}

fn link(global: &Global, config: &Config, interrupts: &Interrupts) -> SshLink {
    SshLink::new(global, config, interrupts.clone())
}

/// Runs a command that changes the host: what was typed goes to the engine, and from here on events tell the rest.
fn switching(
    global: &Global,
    config: &Config,
    command: &'static str,
    release: Option<&String>,
    carry_out: impl FnOnce(&mut Run<'_>) -> Exit,
) -> Result<Exit, Failure> {
    let began = Instant::now();
    let mut report = reporter(global);
    report.event(&report::event::Event::Started {
        command,
        app: config.app.as_str().into(),
        host: config.host.to_string(),
        release: release.cloned(),
    });
    let interrupts = interrupts()?;
    Ok(carry_out(&mut Run {
        config,
        link: &mut link(global, config, &interrupts),
        report: report.as_mut(),
        began,
        interrupts: &interrupts,
    }))
}

fn connect(global: &Global, config: &Config) -> Result<Box<dyn Host>, Failure> {
    let mut link = link(global, config, &interrupts()?);
    session::Link::connect(&mut link, reporter(global).as_mut())
}

/// Connects and reads the host's state: what most commands begin with.
fn observe(global: &Global, config: &Config) -> Result<(Box<dyn Host>, Observed), Failure> {
    let mut host = connect(global, config)?;
    let observed = observe::observe(host.as_mut(), config)?;
    Ok((host, observed))
}

/// One line on stderr, beside the results.
fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", text::shown(text.as_bytes()));
}

/// One result as one line of JSON.
fn object(value: &serde_json::Value) -> String {
    text::in_json(&value.to_string()) + "\n"
}

/// Writes results to stdout; a reader that went away is no failure.
fn results(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
