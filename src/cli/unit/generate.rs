//! `shipit unit generate`: turns options, deploy.yml and this directory into answers, and writes the units. Never
//! overwrites a file; the text of units comes from `unit::generate`.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use crate::cli;
use crate::cli::args::{Generate, Global, ProgramName, RouterName};
use crate::cli::paper::Paper;
use crate::cli::project::{self, Directory};
use crate::config::{self, Config};
use crate::failure::{Exit, Failure, Next};
use crate::step::{Address, Lever, Probe, Proxy};
use crate::text;
use crate::unit::generate::{self, Answers, Job, Program, Ready, Router, Trial, Written};
use crate::unit::rules::{Finding, Severity};
use crate::unit::strategy::Strategy;

pub(super) fn run(global: &Global, options: &Generate) -> Result<Exit, Failure> {
    let config = super::configuration(global)?;
    let answers = answers(options, config.as_ref())?;
    let mut units = generate::units(&answers).map_err(|refused| Failure::new(Exit::Usage, format!("--{refused}")))?;
    let findings = generate::findings(&answers, &units);
    units.extend(generate::router(&answers));
    if let Some(only) = &options.only {
        let names: Vec<String> = units.iter().map(|unit| unit.name.clone()).collect();
        units.retain(|unit| unit.name == *only);
        if units.is_empty() {
            return Err(Failure::new(Exit::Usage, "--only: no generated unit has this name")
                .why(format!("the names are {}", names.join(", "))));
        }
    }
    judged(&findings, &units).map_err(|failure| failure.host("nothing was written"))?;
    if options.print {
        let texts: Vec<String> = units.into_iter().map(|unit| unit.text).collect();
        cli::results(&texts.join("\n"));
        return Ok(Exit::Done);
    }
    write(&options.out, &units, Next::again(""))?;
    let names: Vec<String> = units
        .iter()
        .map(|unit| format!("wrote {}\n", options.out.join(&unit.name).display()))
        .collect();
    let lint = cli::typed(global).line(&Next::offline("unit lint").arg(&options.out));
    cli::results(&Paper::new(global).prose(&format!("{}next: {lint}\n", names.concat())));
    Ok(Exit::Done)
}

fn answers(options: &Generate, config: Option<&Config>) -> Result<Answers, Failure> {
    let app = options
        .app
        .clone()
        .or_else(|| config.map(|config| config.app.as_str().to_owned()))
        .ok_or_else(|| {
            Failure::new(
                Exit::Usage,
                "the app has no name: no --app was given, and there is no deploy.yml",
            )
            .next(Next::shipit("unit generate --app acme"))
        })?;
    let dir = config.map_or(Path::new("."), |config| config.dir.as_path());
    let files =
        Directory::read(dir).map_err(|e| Failure::new(Exit::Usage, "cannot read this directory").why(e.to_string()))?;
    let project = project::detect(&files, &app);
    // The command that was detected serves requests.
    if options.worker && options.command.is_none() && project.as_ref().is_some_and(|project| project.listens) {
        return Err(
            Failure::new(Exit::Usage, "--worker: the command line of the worker is missing").next(Next::advice(
                "add --command with its line, for example --command '/usr/bin/node /opt/acme/current/worker.js'",
            )),
        );
    }
    let configured = config.and_then(|config| Some(config.services.first()?.strategy));
    let configured = configured.filter(|_| !options.worker);
    let strategy = options.strategy.or(configured);
    // Pages beside an app that has a socket: caddy takes none from systemd.
    let has_socket = strategy.is_some_and(|strategy| strategy.needs_socket());
    let detected = project.as_ref().and_then(|project| project.program);
    let detected = detected.filter(|program| *program != Program::Static || !has_socket);
    // The socket and the unit that notifies are the same for each; a migration and a worker have a command line of their own.
    let notify = config.and_then(|config| Some(config.notify.as_ref()?.to_string()));
    let migrates = options.only.as_ref() == Some(&migration(&app));
    let notifies = options.only.is_some() && options.only == notify;
    let is_socket = options.only.as_deref().and_then(|name| name.strip_suffix(".socket")) == Some(app.as_str());
    let unneeded = notifies || is_socket || migrates || options.worker && options.command.is_some();
    let unneeded = || unneeded.then_some(Program::Binary);
    let program = options
        .program
        .map(program)
        .or(detected)
        .or_else(unneeded)
        .ok_or_else(|| {
            Failure::new(Exit::Usage, "cannot detect the program in this directory")
                .next(Next::shipit(format!("unit generate --app {app} --program binary")))
        })?;
    let mut answers = Answers::new(&app, program);
    if let Some(root) = options
        .root
        .clone()
        .or_else(|| config.map(|config| config.root.as_str().to_owned()))
    {
        answers.root = root;
    }
    answers.strategy = strategy.unwrap_or(answers.strategy);
    let own = config.and_then(|config| config.services.first()?.router.as_ref());
    let lever = own.map(|router| match &router.lever {
        Lever::Parts(one) => one,
        lever => lever,
    });
    answers.router = match (options.router, lever) {
        (Some(RouterName::Nginx), _) => Some(Router::Nginx),
        (Some(RouterName::Caddy), _) => Some(Router::Caddy),
        (Some(RouterName::Haproxy), _) | (None, Some(Lever::Haproxy { .. })) => Some(Router::Haproxy),
        (None, Some(Lever::Link { proxy, .. } | Lever::Port { proxy, .. })) => Some(match proxy {
            Proxy::Nginx => Router::Nginx,
            Proxy::Caddy => Router::Caddy,
        }),
        (None, Some(Lever::Parts(_)) | None) => None,
    }
    .filter(|_| options.router.is_some() || answers.strategy.takes_router());
    if let Some(Lever::Link { live, .. } | Lever::Port { live, .. }) = lever {
        answers.link = Some(live.clone());
    }
    let ports: Option<Vec<u16>> =
        config.and_then(|config| config.services.first()?.instances().map(|one| one.port).collect());
    // Those of the other strategies that take turns are two.
    let configured = config.and_then(|config| config.services.first()).filter(|service| {
        let count = answers.strategy.instances();
        service.strategy.needs_instances() && count.is_none_or(|count| count == service.instances().count())
    });
    if let Some(service) = configured {
        answers.instances = service.instances().map(|one| one.slot.map(str::to_owned)).collect();
        answers.instance_ports = ports.filter(|ports| !ports.is_empty() && options.port.is_none());
    }
    let by_port = matches!(lever, Some(Lever::Port { .. }));
    answers.ports = options.ports || by_port && answers.router.is_some();
    if let Some(user) = config.and_then(|config| config.host.user.clone()) {
        answers.deployer = user;
    }
    if let Some(path) = own.and_then(|router| path(&router.url)) {
        answers.health_path = path;
    }
    // The port that the health check asks is the one that the app listens on.
    let checked = config.and_then(|config| config.services.first()?.health()?.check.probe.address());
    let checked = checked.and_then(|address| match address {
        Address::Tcp(_, port) => Some(port),
        Address::Unix(_) => None,
    });
    answers.port = if options.worker {
        None
    } else {
        options.port.or(checked).or(answers.port)
    };
    let reports = project
        .as_ref()
        .is_some_and(|project| project.reports && detected == Some(program));
    if options.notify || reports && !options.worker && options.command.is_none() {
        answers.ready = Ready::Notify;
    } else if options.worker {
        answers.ready = Ready::Exec;
    }
    answers.command.clone_from(&options.command);
    answers.migrate.clone_from(&options.migrate);
    // The app itself can run in a unit of the distribution.
    if let Some(project) = project.filter(|project| detected == Some(program) || project.unit.is_some()) {
        let line = |line: String| {
            let line = line.replace("{root}", &answers.root);
            on_port(&line, project.port, answers.port.unwrap_or(project.port))
        };
        let command = answers.command.or(project.command.map(line));
        // A command line that expects a socket fails where none is passed.
        let fits = answers.strategy.needs_socket() || project.strategy != Strategy::Socket;
        answers.command = command.filter(|_| fits || options.command.is_some());
        if !options.worker && config.is_some_and(|config| config.migrate.is_some()) {
            answers.migrate = answers.migrate.or(project.migrate.map(line));
        }
    }
    if migrates && detected.is_none() {
        answers.command.clone_from(&answers.migrate); // decides the sandbox
    }
    if let Some(config) = config.filter(|_| options.worker) {
        answers.user = config.app.as_str().to_owned();
        answers.environment.clone_from(&answers.user);
    }
    answers.notify = notify.filter(|_| !options.worker);
    let tried = config.and_then(|config| config.services.first()?.trial.as_ref());
    if let Some(trial) = tried.filter(|_| !options.worker) {
        answers.trial = trial_of(&answers, trial);
        if answers.trial.is_none() {
            cli::note(&format!(
                "{}: not generated, because the health check of the trial does not use a port; write it yourself",
                trial.unit
            ));
        }
    }
    answers.needs.clone_from(&options.needs);
    if let Some(user) = &options.user {
        answers.user.clone_from(user);
    }
    answers.drain = options
        .drain
        .map_or(answers.drain, |seconds| Duration::from_secs(seconds.into()));
    answers.memory = options.memory.map_or(answers.memory, u64::from);
    if let Some(command) = &options.backup {
        answers.jobs.extend(backups(command, &answers.root));
    }
    Ok(answers)
}

/// What the trial of deploy.yml is generated from; `None` where its address is none that every program can be given.
fn trial_of(answers: &Answers, trial: &config::Trial) -> Option<Trial> {
    let Some(Address::Tcp(_, port)) = trial.health.check.probe.address() else {
        return None;
    };
    let command = answers.command.as_deref();
    let command = command.map(|line| on_port(line, answers.port.unwrap_or(port), port));
    let unit = trial.unit.to_string();
    Some(Trial { unit, port, command })
}

/// A command line with another port in place of the one that was proposed with it.
fn on_port(line: &str, proposed: u16, port: u16) -> String {
    let proposed = proposed.to_string();
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(&proposed) {
        let (before, after) = (&rest[..at], &rest[at + proposed.len()..]);
        let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        let own = !digit(before.chars().next_back()) && !digit(after.chars().next());
        out.push_str(before);
        out.push_str(if own { "" } else { &proposed });
        if own {
            out.push_str(&port.to_string());
        }
        rest = after;
    }
    out + rest
}

/// The path that a probe asks for.
fn path(probe: &Probe) -> Option<String> {
    match probe {
        Probe::Http { url } => Some(url::Url::parse(url).ok()?.path().to_owned()),
        Probe::Unix { path, .. } => Some(path.clone()),
        _ => None,
    }
}

/// A nightly backup, and a job that removes backups older than two weeks.
fn backups(command: &str, root: &str) -> [Job; 2] {
    [
        Job {
            name: "backup".into(),
            command: command.to_owned(),
            calendar: "*-*-* 03:30".into(),
        },
        Job {
            name: "prune".into(),
            command: format!("/usr/bin/find {root}/shared/backups -type f -mtime +14 -delete"),
            calendar: "*-*-* 04:30".into(),
        },
    ]
}

fn program(name: ProgramName) -> Program {
    match name {
        ProgramName::Node => Program::Node,
        ProgramName::Gunicorn => Program::Gunicorn,
        ProgramName::Puma => Program::Puma,
        ProgramName::Binary => Program::Binary,
        ProgramName::Static => Program::Static,
    }
}

/// Prints the warnings of the rules about units that are about to be written. Fails with a [`Failure`] for an error.
fn judged(findings: &[Finding], units: &[Written]) -> Result<(), Failure> {
    let mut refused = Failure::new(Exit::Usage, "the generated units would not work");
    let written = |finding: &&Finding| units.iter().any(|unit| unit.name == finding.file);
    for finding in findings.iter().filter(written) {
        let text = text::shown(finding.message.as_bytes());
        let line = format!("{}: {text} [{}]", finding.file, finding.rule);
        match finding.severity {
            Severity::Error => {
                refused.next.clear();
                refused = refused.why(line).next(Next::advice(format!(
                    "write the command as systemd reads it: `shipit unit explain {}`",
                    finding.rule
                )));
            }
            Severity::Warning => cli::note(&format!(
                "{}:{}: warning: {text} [{}]",
                finding.file, finding.line, finding.rule
            )),
            Severity::Info => {}
        }
    }
    if refused.why.is_empty() { Ok(()) } else { Err(refused) }
}

/// The unit of the migration.
fn migration(app: &str) -> String {
    format!("{app}-migrate.service")
}

/// The units for a directory, from its deploy.yml and its files alone. `hosted`: the app itself runs in a unit of the
/// distribution.
pub(in crate::cli) fn proposed(config: &Config, hosted: bool) -> Result<Vec<Written>, Failure> {
    let options = Generate {
        only: hosted.then(|| migration(config.app.as_str())),
        ..Generate::default()
    };
    let answers = answers(&options, Some(config))?;
    let mut units = generate::units(&answers).map_err(|refused| Failure::new(Exit::Usage, refused.to_string()))?;
    units.retain(|unit| options.only.as_ref().is_none_or(|only| unit.name == *only));
    judged(&generate::findings(&answers, &units), &units)?;
    Ok(units)
}

/// Writes all units, or none when one of the files exists with another text.
/// `again`: what writes them once those that differ are removed.
pub(in crate::cli) fn write(dir: &Path, units: &[Written], again: Next) -> Result<(), Failure> {
    let wrong = |path: &Path, e: &std::io::Error| {
        Failure::new(Exit::Usage, format!("cannot write {}", path.display())).why(e.to_string())
    };
    let mut refused = Failure::new(Exit::Usage, "these files exist and differ; nothing was written");
    let mut differing = Vec::new();
    for unit in units {
        let path = dir.join(&unit.name);
        match fs::read(&path) {
            Ok(text) if text != unit.text.as_bytes() => {
                refused = refused.why(path.display().to_string());
                differing.push(path);
            }
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(wrong(&path, &e)),
        }
    }
    if !refused.why.is_empty() {
        let remove = differing.iter().fold(Next::shell("rm"), Next::arg);
        return Err(refused.next(Next::again("--print").remark("shows the new files")).next(
            remove
                .then("&&", again)
                .remark("replaces them: changes made by hand are lost"),
        ));
    }
    fs::create_dir_all(dir).map_err(|e| wrong(dir, &e))?;
    for unit in units {
        let path = dir.join(&unit.name);
        let file = fs::OpenOptions::new().write(true).create_new(true).open(&path);
        match file.and_then(|mut file| file.write_all(unit.text.as_bytes())) {
            Ok(()) => {}
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {} // with the same text, as checked above
            Err(e) => return Err(wrong(&path, &e)),
        }
    }
    Ok(())
}
