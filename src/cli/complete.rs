//! What the shell completes: commands, options, and values. Environments and services come from deploy.yml, rules from
//! the program, releases and runs from the host, which is asked for two seconds at most and remembered for a minute.
//! Never asks the user and never prints a failure: a shell that completes shows nothing then.

use std::ffi::OsString;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Command, CommandFactory, FromArgMatches};
use clap_complete::CompleteEnv;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::{EnvCompleter, Shells};
use sha2::{Digest, Sha256};

use super::args::{Args, Global};
use super::connection::SshLink;
use crate::cache::Shelf;
use crate::config::{self, Config};
use crate::engine::observe;
use crate::engine::session::{Link, Quiet};
use crate::interrupt::Interrupts;
use crate::observed::Observed;
use crate::observed::ledger::State;
use crate::text;
use crate::unit::rules;

/// Set by the scripts of `shipit completions`; not a name that another program's completion could have set.
const VARIABLE: &str = "SHIPIT_COMPLETE";
/// How long the host may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long its answer counts as new, in seconds.
const FRESH: u64 = 60;
/// The answers that are remembered, one for each app.
const KEPT: usize = 32;

type Candidates = fn() -> Vec<CompletionCandidate>;

/// The values that are completed: the command, its argument, and what it may be.
const VALUES: &[(&[&str], &str, Candidates)] = &[
    (&[], "environment", environments),
    (&["deploy"], "release", releases),
    (&["rollback"], "release", releases),
    (&["logs"], "release", releases),
    (&["logs"], "run", runs),
    (&["report"], "run", runs),
    (&["logs"], "unit", units),
    (&["run"], "service", units),
    (&["restart"], "unit", units),
    (&["stop"], "unit", units),
    (&["start"], "unit", units),
    (&["reload"], "unit", units),
    (&["unit", "explain"], "rule", rules),
];

/// Completes, if a shell asks for that.
pub(super) fn complete() -> bool {
    let here = std::env::current_dir().ok();
    std::env::var_os(VARIABLE).is_some()
        && CompleteEnv::with_factory(command)
            .var(VARIABLE)
            .bin("shipit")
            .completer("shipit")
            .try_complete(std::env::args_os(), here.as_deref())
            .unwrap_or(true)
}

/// The script that makes a shell ask; empty for a shell that is not known.
pub(super) fn script(shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    if let Some(shell) = Shells::builtins().completer(&shell.to_string()) {
        let _ = EnvCompleter::write_registration(shell, VARIABLE, "shipit", "shipit", "shipit", &mut script);
    }
    String::from_utf8_lossy(&script).into_owned()
}

fn command() -> Command {
    let all = VALUES.iter();
    all.fold(Args::command(), |command, (path, argument, values)| {
        with(command, path, argument, *values)
    })
}

fn with(command: Command, path: &[&'static str], argument: &'static str, values: Candidates) -> Command {
    match path {
        [] => command.mut_arg(argument, |one| one.add(ArgValueCandidates::new(values))),
        [first, rest @ ..] => command.mut_subcommand(first, |sub| with(sub, rest, argument, values)),
    }
}

/// What was typed so far, as far as it can be read.
fn typed() -> Option<Global> {
    let words: Vec<OsString> = std::env::args_os().skip_while(|word| word != "--").skip(1).collect();
    let matches = Args::command().ignore_errors(true).try_get_matches_from(words).ok()?;
    Global::from_arg_matches(&matches).ok()
}

fn configuration() -> Option<(Global, Config)> {
    let global = typed()?;
    let config = super::configuration(&global).ok()?;
    Some((global, config))
}

/// Only what no shell could read as more than a word: some of it comes from the host.
fn candidates<'a>(words: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<CompletionCandidate> {
    let plain = |word: &str| {
        let good = |c: char| c.is_ascii_alphanumeric() || "._-@:".contains(c);
        !word.is_empty() && !word.starts_with('-') && word.chars().all(good)
    };
    let words = words.into_iter().filter(|(word, _)| plain(word)).enumerate();
    let candidate = |(at, (word, about)): (usize, (&str, &str))| {
        let about = text::shown(about.as_bytes());
        CompletionCandidate::new(word)
            .help((!about.is_empty()).then(|| about.into()))
            .display_order(Some(at))
    };
    words.map(candidate).collect()
}

fn environments() -> Vec<CompletionCandidate> {
    let named = typed().and_then(|global| global.config);
    let path = named.or_else(|| config::find(Path::new(".")).ok());
    let names = path.map(|path| config::environment_names(&path)).unwrap_or_default();
    candidates(names.iter().map(|name| (name.as_str(), "")))
}

fn units() -> Vec<CompletionCandidate> {
    let config = configuration();
    let services = config.iter().flat_map(|(_, config)| &config.services);
    let units: Vec<&str> = services.flat_map(|service| service.units()).collect();
    candidates(units.into_iter().map(|unit| (unit, "")))
}

fn rules() -> Vec<CompletionCandidate> {
    candidates(rules::all().map(|rule| (rule.name, rule.title())))
}

fn releases() -> Vec<CompletionCandidate> {
    of_host("release ")
}

fn runs() -> Vec<CompletionCandidate> {
    of_host("run ")
}

/// The lines of that kind in the host's answer, without their first word.
fn of_host(kind: &str) -> Vec<CompletionCandidate> {
    let answer = configuration()
        .and_then(|(global, config)| answer(global, config))
        .unwrap_or_default();
    let lines = answer.lines().filter_map(|line| line.strip_prefix(kind));
    candidates(lines.map(|line| line.split_once(' ').unwrap_or((line, ""))))
}

/// The host's answer: `release ID STATE` and `run ID WHAT` lines. An old one if it does not answer now.
fn answer(global: Global, config: Config) -> Option<String> {
    let shelf = Shelf::of_user("completions", KEPT);
    let name: String = Sha256::digest(format!("{}\n{}", config.host, config.root.as_str()))
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let remembered = shelf
        .as_ref()
        .and_then(|shelf| String::from_utf8(shelf.read(&name)?).ok());
    let (at, old) = remembered
        .as_deref()
        .and_then(|text| text.split_once('\n'))
        .unwrap_or_default();
    if at
        .parse()
        .is_ok_and(|at: u64| (at..at.saturating_add(FRESH)).contains(&now))
    {
        return Some(old.to_owned());
    }
    let (sender, receiver) = mpsc::channel();
    // It is left behind when it takes too long: the process ends.
    std::thread::spawn(move || sender.send(ask(&global, &config)));
    let Some(answer) = receiver.recv_timeout(PATIENCE).ok().flatten() else {
        return remembered.is_some().then(|| old.to_owned());
    };
    if let Some(shelf) = shelf {
        shelf.write(&name, format!("{now}\n{answer}").as_bytes());
    }
    Some(answer)
}

fn ask(global: &Global, config: &Config) -> Option<String> {
    let interrupts = Interrupts::never().ok()?;
    let mut link = SshLink::new(global, config, interrupts).unasked();
    let mut host = link.connect(&mut Quiet).ok()?;
    observe::observe(host.as_mut(), config)
        .ok()
        .map(|observed| lines(&observed))
}

fn lines(observed: &Observed) -> String {
    let mut ids: Vec<&String> = observed.releases.iter().collect();
    ids.sort_by_key(|id| std::cmp::Reverse(observed.ledger.rank(id)));
    let state = |id: &str| match observed.live() == Some(id) {
        true => "live",
        false => observed.ledger.state(id).map_or("unknown", State::word),
    };
    let releases = ids.iter().map(|id| format!("release {id} {}\n", state(id)));
    let runs = observed.ledger.pasts();
    let runs = runs.map(|past| format!("run {} {} of {}\n", past.run, past.command.word(), past.release));
    releases.chain(runs).collect()
}
