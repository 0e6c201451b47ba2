//! The door: arguments in, exit code out; one file a command. The only place that prints results and the
//! only one that turns a failure into an exit code. Nobody imports it.
#![allow(clippy::print_stdout, clippy::print_stderr)]

pub mod args;
mod attach;
mod complete;
mod connection;
mod deploy;
mod doctor;
mod drain; // the trials of doctor --drain
mod env;
mod history;
mod init;
mod logs;
mod next_line;
mod paper;
mod plan;
mod project;
mod prose;
mod prune;
mod releases;
mod rollback;
mod root;
mod run;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod screen_tests;
mod service;
mod setup;
mod status;
mod timeline;
mod unit;
mod up;

use std::ffi::OsString;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use clap::CommandFactory;

use crate::config::{self, Config};
use crate::engine::service_action::Verb;
use crate::engine::{Run, observe, session};
use crate::failure::{Exit, Failure, Next};
use crate::host::{Host, ssh};
use crate::interrupt::Interrupts;
use crate::observed::Observed;
use crate::report::event::{Ended, Event, Report};
use crate::report::{self, Loudness};
use crate::{step, text};
use args::{Args, Command, ConfigCommand, Global};
use connection::SshLink;
use next_line::typed;

/// Runs the command line. Returns the exit code.
pub fn main() -> u8 {
    if complete::complete() {
        return Exit::Done.code();
    }
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let mut args = match args::parse(&words) {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage.code()
            } else {
                Exit::Done.code()
            };
        }
    };
    let done = identity(&mut args.global).and_then(|()| dispatch(&args));
    let code = done.unwrap_or_else(|failure| {
        tell(&args.global, &failure);
        failure.exit.code()
    });
    let Some(why) = unwritten().take() else { return code };
    // Its last event would go the same way.
    beside(&format!(
        "error: the output could not be written: {}\n",
        text::shown(why.as_bytes())
    ));
    if code == 0 { Exit::Untouched.code() } else { code }
}

/// Refuses an `--identity` that names no key, before anything connects without it.
fn identity(global: &mut Global) -> Result<(), Failure> {
    let Some(path) = &global.identity else { return Ok(()) };
    if ssh::is_key_text(path) {
        // Neither the path nor the words are printed, not even in the next line: they hold the key.
        (global.identity, global.words) = (None, Vec::new());
        let failure = Failure::new(Exit::Usage, "--identity is the text of a key, not the path of its file");
        return Err(failure.next(Next::advice("write the key to a file of mode 600, and name that file")));
    }
    // ssh itself expands `~` and tokens.
    if !global.system_ssh && ssh::is_missing(path) {
        let name = text::shown(path.as_os_str().as_encoded_bytes());
        return Err(Failure::new(Exit::Usage, format!("cannot read the key {name}")).why("file not found"));
    }
    Ok(())
}

fn dispatch(args: &Args) -> Result<u8, Failure> {
    let global = &args.global;
    let exit = match &args.command {
        Command::Init(args) => init::run(global, args),
        Command::Up(args) => up::run(global, args),
        Command::Setup(args) => setup::run(global, args),
        Command::Doctor(args) => doctor::run(global, args),
        Command::Plan(args) => plan::run(global, args),
        Command::Deploy(args) => deploy::run(global, args),
        Command::Rollback(args) => rollback::run(global, args),
        Command::Releases(args) => releases::run(global, args),
        Command::History(args) => history::run(global, args),
        Command::Report(args) => timeline::run(global, args),
        Command::Status => status::run(global),
        Command::Logs(args) => logs::run(global, args),
        Command::Env(command) => env::run(global, command),
        // Their exit status is the command's.
        Command::Run(args) => return run::run(global, args),
        Command::Ssh => return run::shell(global),
        Command::Restart(args) => service::run(global, args, Verb::Restart),
        Command::Stop(args) => service::run(global, args, Verb::Stop),
        Command::Start(args) => service::run(global, args, Verb::Start),
        Command::Reload(args) => service::run(global, args, Verb::Reload),
        Command::Attach => attach::run(global, attach::Word::None),
        Command::Promote => attach::run(global, attach::Word::Promote),
        Command::Abort => attach::run(global, attach::Word::Abort),
        Command::Prune(args) => prune::run(global, args),
        Command::Unit(command) => unit::run(global, command),
        Command::Config(ConfigCommand::Example) => {
            results(config::EXAMPLE);
            Ok(Exit::Done)
        }
        Command::Config(ConfigCommand::Schema) => {
            results(&config::schema());
            Ok(Exit::Done)
        }
        Command::Completions { shell } => {
            results(&complete::script(*shell));
            Ok(Exit::Done)
        }
        Command::Man { dir } => man(dir.as_deref()),
    };
    exit.map(Exit::code)
}

/// Prints the manual page, or writes the pages of all commands to a directory.
fn man(dir: Option<&Path>) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    let written = match dir {
        None => clap_mangen::Man::new(Args::command()).render(&mut text),
        Some(dir) => std::fs::create_dir_all(dir).and_then(|()| clap_mangen::generate_to(Args::command(), dir)),
    };
    written.map_err(|e| Failure::new(Exit::Untouched, "cannot write the manual pages").why(e.to_string()))?;
    results(&String::from_utf8_lossy(&text));
    Ok(Exit::Done)
}

/// A failure that no run has told yet.
fn tell(global: &Global, failure: &Failure) {
    let ended = Ended::new(crate::engine::outcome(failure.exit), Some(failure.clone()));
    reporter(global).event(&Event::Ended(Box::new(ended)));
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
    let mut config = config::load(&path, global.environment.as_deref())?;
    config.identity.clone_from(&global.identity);
    Ok(config)
}

fn interrupts() -> Result<Interrupts, Failure> {
    Interrupts::listen().map_err(no_handlers)
}

fn no_handlers(error: std::io::Error) -> Failure {
    Failure::new(Exit::Untouched, "cannot install signal handlers").why(error.to_string())
}

fn link(global: &Global, config: &Config, interrupts: &Interrupts) -> SshLink {
    SshLink::new(global, config, interrupts.clone())
}

/// Hands what a run of the engine needs to `work`.
fn run<T>(
    global: &Global,
    config: &Config,
    command: step::Command,
    work: impl FnOnce(&mut Run<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let interrupts = interrupts()?;
    let mut link = link(global, config, &interrupts);
    let mut report = reporter(global);
    work(&mut Run::new(config, &mut link, report.as_mut(), &interrupts, command))
}

/// Runs a command that changes the host: what was typed goes to the engine, and from here on events tell the rest.
fn switching(
    global: &Global,
    config: &Config,
    command: step::Command,
    release: Option<&String>,
    carry_out: impl FnOnce(&mut Run<'_>) -> Exit,
) -> Result<Exit, Failure> {
    run(global, config, command, |run| {
        run.started(command.word(), release);
        Ok(carry_out(run))
    })
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

/// A whole text on stderr, where stdout belongs to a program or has to stay empty.
fn beside(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// One result as one line of JSON.
fn object(value: &serde_json::Value) -> String {
    text::in_json(&value.to_string()) + "\n"
}

/// Writes results to stdout; a reader that went away is no failure.
fn results(text: &str) {
    put(&mut std::io::stdout().lock(), text.as_bytes());
}

/// The first error of an output of ours, but for a reader that went away.
static UNWRITTEN: Mutex<Option<String>> = Mutex::new(None);

fn unwritten() -> MutexGuard<'static, Option<String>> {
    UNWRITTEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes to an output of ours, and nothing more after an error: a file must not have a hole. False when its reader went
/// away.
fn put(out: &mut dyn Write, bytes: &[u8]) -> bool {
    let mut unwritten = unwritten();
    if unwritten.is_some() {
        return true;
    }
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => false,
        Err(error) => {
            *unwritten = Some(error.to_string());
            true
        }
    }
}
