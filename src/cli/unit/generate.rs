//! `shipit unit generate`: what was asked for, deploy.yml and this directory become answers; units come out.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use super::super::args::{Generate, Global, ProgramName};
use super::super::project::{self, Seen};
use crate::config::{Config, StrategyName};
use crate::failure::{Exit, Failure, Next};
use crate::observed;
use crate::unit::generate::{self, Answers, Job, Program, Ready, Written};

pub(super) fn run(global: &Global, wish: &Generate) -> Result<Exit, Failure> {
    let config = super::configuration(global)?;
    let answers = answers(wish, config.as_ref())?;
    let units = generate::units(&answers)
        .map_err(|refused| Failure::new(Exit::Usage, format!("--{refused}")))?;
    if wish.print {
        let texts: Vec<String> = units.into_iter().map(|unit| unit.text).collect();
        super::super::results(&texts.join("\n"));
        return Ok(Exit::Done);
    }
    write(&wish.out, &units)?;
    let names: Vec<String> = units
        .iter()
        .map(|unit| format!("wrote {}\n", wish.out.join(&unit.name).display()))
        .collect();
    super::super::results(&format!(
        "{}next: shipit unit lint {}\n",
        names.concat(),
        wish.out.display()
    ));
    Ok(Exit::Done)
}

fn answers(wish: &Generate, config: Option<&Config>) -> Result<Answers, Failure> {
    let app = wish
        .app
        .clone()
        .or_else(|| config.map(|config| config.app.as_str().to_owned()))
        .ok_or_else(|| {
            Failure::new(Exit::Usage, "no --app, and no deploy.yml that names it")
                .next(Next::shipit("unit generate --app acme"))
        })?;
    let dir = config.map_or(Path::new("."), |config| config.dir.as_path());
    let seen = Seen::read(dir).map_err(|e| {
        Failure::new(Exit::Usage, "this directory could not be looked at").why(e.to_string())
    })?;
    let project = project::recognise(&seen, &app);
    let recognised = project.as_ref().and_then(|project| project.program);
    let program = wish.program.map(program).or(recognised).ok_or_else(|| {
        Failure::new(Exit::Usage, "this directory does not tell what serves").next(Next::shipit(
            format!("unit generate --app {app} --program binary"),
        ))
    })?;
    let mut answers = Answers::new(&app, program);
    if let Some(root) = wish
        .root
        .clone()
        .or_else(|| config.map(|config| config.root.as_str().to_owned()))
    {
        answers.root = root;
    }
    if let Some(service) = config.and_then(|config| config.services.first()) {
        answers.strategy = observed::strategy(service.strategy);
    }
    if let Some(strategy) = wish.strategy {
        answers.strategy = strategy;
    }
    answers.port = if wish.worker {
        None
    } else {
        wish.port.or(answers.port)
    };
    if wish.notify {
        answers.ready = Ready::Notify;
    }
    answers.command.clone_from(&wish.command);
    answers.migrate.clone_from(&wish.migrate);
    if let Some(project) = project.filter(|_| recognised == Some(program)) {
        let line = |line: String| line.replace("{root}", &answers.root);
        let command = answers.command.or(project.command.map(line));
        // A command line that takes a socket is of no use where none is passed.
        let fits = answers.strategy.needs_socket() || project.strategy != StrategyName::Socket;
        answers.command = command.filter(|_| fits || wish.command.is_some());
        if config.is_some_and(|config| config.migrate.is_some()) {
            answers.migrate = answers.migrate.or(project.migrate.map(line));
        }
    }
    answers.needs.clone_from(&wish.needs);
    if let Some(user) = &wish.user {
        answers.user.clone_from(user);
    }
    answers.drain = wish
        .drain
        .map_or(answers.drain, |seconds| Duration::from_secs(seconds.into()));
    answers.memory = wish.memory.map_or(answers.memory, u64::from);
    if let Some(command) = &wish.backup {
        answers.jobs.extend(backups(command, &answers.root));
    }
    Ok(answers)
}

/// A backup every night, and what removes those that are older than two weeks.
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

/// The units for a directory of which nothing is known but its deploy.yml and its files.
pub(in crate::cli) fn proposed(config: &Config) -> Result<Vec<Written>, Failure> {
    let answers = answers(&Generate::default(), Some(config))?;
    generate::units(&answers).map_err(|refused| Failure::new(Exit::Usage, refused.to_string()))
}

/// Writes the units. What is there and differs is never overwritten, and then nothing is written at all.
pub(in crate::cli) fn write(dir: &Path, units: &[Written]) -> Result<(), Failure> {
    let wrong = |path: &Path, e: &std::io::Error| {
        Failure::new(
            Exit::Usage,
            format!("{} could not be written", path.display()),
        )
        .why(e.to_string())
    };
    let mut refused = Failure::new(
        Exit::Usage,
        "these files are there and differ: nothing was written",
    );
    for unit in units {
        let path = dir.join(&unit.name);
        match fs::read(&path) {
            Ok(text) if text != unit.text.as_bytes() => {
                refused = refused.why(path.display().to_string())
            }
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(wrong(&path, &e)),
        }
    }
    if !refused.why.is_empty() {
        return Err(refused.next(Next::advice("the same command with --print shows them")));
    }
    fs::create_dir_all(dir).map_err(|e| wrong(dir, &e))?;
    for unit in units {
        let path = dir.join(&unit.name);
        let file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path);
        match file.and_then(|mut file| file.write_all(unit.text.as_bytes())) {
            Ok(()) => {}
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {} // the same text, as was seen above
            Err(e) => return Err(wrong(&path, &e)),
        }
    }
    Ok(())
}
