//! `shipit env`: the app's environment on the host, in a file of root's. Values come from stdin, a prompt or a file, travel
//! on the session's stdin, and are never shown, logged or read back.

use std::io::{IsTerminal, Read};
use std::path::Path;

use serde_json::json;

use super::args::{EnvCommand, Global};
use super::service::{self, Verb};
use crate::config::{Config, Instance};
use crate::engine::{metadata, session};
use crate::failure::{Exit, Failure, Next};
use crate::host::ssh::{self, Reply};
use crate::host::{Host, Lost};
use crate::observed::Observed;
use crate::plan::needs;
use crate::remote::{Batch, ENV_HELPER, Script, exits};
use crate::text;
use crate::unit::environment::{self, LONGEST};

pub(super) fn run(global: &Global, command: &EnvCommand) -> Result<Exit, Failure> {
    let config = super::configuration(global)?;
    // What is wrong with what was typed is said before anything is asked of the host.
    let (verb, content, restart) = match command {
        EnvCommand::List => ("list", Vec::new(), false),
        EnvCommand::Set { name, restart } => ("set", assignment(name)?, *restart),
        EnvCommand::Unset { names, restart } => ("unset", removed(names)?, *restart),
        EnvCommand::Push { file, restart } => ("push", pushed(file.as_deref())?, *restart),
    };
    let (mut host, seen) = super::look(global, &config)?;
    let mut place = Place {
        host: host.as_mut(),
        config: &config,
        seen: &seen,
    };
    let before = match verb {
        "list" | "push" => Some(place.ask("list", "any", &[])?),
        _ => None,
    };
    if let (Some(said), "list") = (&before, verb) {
        list(global, &config, said);
        return Ok(Exit::Done);
    }
    let version = before.map_or("any".to_owned(), |said| said.version);
    let said = place.ask(verb, &version, &content)?;
    let runs = match seen.live() {
        Some(_) => Runs::Release,
        None => Runs::Nothing,
    };
    // Without a release there is nothing that could be started; the first deploy does.
    let restart = restart && runs == Runs::Release;
    changed(global, &config, &said, runs, restart);
    if let (EnvCommand::Unset { names, .. }, false) = (command, global.json || global.quiet) {
        for name in names {
            if !said.changes.iter().any(|(_, changed)| changed == name) {
                super::results(&format!("{name} was not set\n"));
            }
        }
    }
    let readers: Vec<Instance<'_>> = config
        .instances()
        .filter(|one| said.readers.iter().any(|unit| unit == one.unit))
        .collect();
    if restart && !said.changes.is_empty() {
        service::services_turn(
            global,
            host.as_mut(),
            &config,
            &seen,
            &readers,
            Verb::Restart,
        )?;
    }
    Ok(Exit::Done)
}

/// Whether anything runs that could take up what changed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Runs {
    Release,
    Nothing,
}

/// The file on the host.
fn file(config: &Config) -> String {
    format!("/etc/{}/env", config.app.as_str())
}

fn usage(what: impl Into<String>) -> Failure {
    Failure::new(Exit::Usage, what).host("nothing changed")
}

fn name(given: &str) -> Result<(), Failure> {
    // The text behind the `=` may be a secret: it is not said again.
    if let Some((name, _)) = given.split_once('=') {
        let name = text::shown(name.as_bytes());
        return Err(usage("a value does not belong into the command line")
            .why("it is in your shell's history now, and every user of this machine could see it in ps")
            .next(Next::shipit("env set").arg(name).remark("asks for the value, or reads it from stdin")));
    }
    if environment::is_name(given) {
        return Ok(());
    }
    Err(usage(format!(
        "{} is not a valid variable name",
        text::shown(given.as_bytes())
    ))
    .why("letters, digits and _ alone, no digit first"))
}

fn assignment(given: &str) -> Result<Vec<u8>, Failure> {
    name(given)?;
    let value = if std::io::stdin().is_terminal() {
        let mut person = ssh::terminal(&super::interrupts()?);
        let Reply::Given(value) = person.secret(&format!("value of {given}: ")) else {
            let stopped = Failure::new(Exit::Untouched, format!("no value was given for {given}"));
            return Err(stopped.host("nothing changed"));
        };
        value.into_bytes()
    } else {
        let mut value = all_of(&mut std::io::stdin().lock(), "stdin")?;
        if value.ends_with(b"\n") {
            value.pop();
        }
        value
    };
    if value.is_empty() {
        return Err(usage(format!("no value came for {given}"))
            .why("an empty value can only be pushed")
            .next(
                Next::shipit("env set")
                    .arg(given)
                    .remark("asks for it on a terminal"),
            ));
    }
    let line = environment::line(given, &value)
        .map_err(|why| usage(format!("the value of {given} cannot be kept")).why(why))?;
    Ok((line + "\n").into_bytes())
}

fn removed(names: &[String]) -> Result<Vec<u8>, Failure> {
    for given in names {
        name(given)?;
    }
    Ok((names.join("\n") + "\n").into_bytes())
}

fn pushed(path: Option<&Path>) -> Result<Vec<u8>, Failure> {
    let (mut text, shown) = match path {
        Some(path) => {
            let shown = text::shown(path.as_os_str().as_encoded_bytes());
            let opened = std::fs::File::open(path)
                .map_err(|e| usage(format!("{shown} cannot be read")).why(e.to_string()))?;
            (all_of(&mut { opened }, &shown)?, shown)
        }
        None if std::io::stdin().is_terminal() => {
            return Err(usage("which file?").next(Next::shipit("env push FILE")));
        }
        None => (
            all_of(&mut std::io::stdin().lock(), "stdin")?,
            "stdin".to_owned(),
        ),
    };
    match environment::names(&text) {
        Ok(names) if names.is_empty() => {
            Err(usage(format!("{shown} sets nothing")).why("that would remove every variable"))
        }
        Ok(_) => {
            if !text.ends_with(b"\n") {
                text.push(b'\n');
            }
            Ok(text)
        }
        Err(wrong) => {
            let mut failure = usage(format!("{shown} was not pushed"));
            failure.why = wrong.iter().take(20).map(ToString::to_string).collect();
            Err(failure.next(
                Next::offline("unit explain environment-file-place")
                    .remark("how systemd reads such files"),
            ))
        }
    }
}

fn all_of(source: &mut dyn Read, shown: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let mut upto = source.take(LONGEST as u64 + 1);
    upto.read_to_end(&mut bytes)
        .map_err(|e| usage(format!("{shown} cannot be read")).why(e.to_string()))?;
    if bytes.len() > LONGEST {
        return Err(usage(format!("{shown} is longer than 64 KiB")));
    }
    Ok(bytes)
}

#[derive(Debug, Default)]
struct Said {
    version: String,
    names: Vec<String>,
    /// `added`, `changed` or `removed`, and the name.
    changes: Vec<(String, String)>,
    /// The units that read the file.
    readers: Vec<String>,
}

/// The line was lost. Who only asked for the names knows that nothing changed.
fn lost_while(verb: &str, lost: &Lost) -> Failure {
    if verb == "list" {
        return session::lost_while(lost, "reading the environment", "nothing changed");
    }
    let state = "it is changed, or it is not: never half";
    let mut failure = session::lost_while(lost, "changing the environment", state);
    failure.exit = Exit::Unknown;
    failure.next(Next::shipit("env list"))
}

/// The environment of one app on one host.
struct Place<'a> {
    host: &'a mut dyn Host,
    config: &'a Config,
    seen: &'a Observed,
}

impl Place<'_> {
    fn ask(&mut self, verb: &str, version: &str, content: &[u8]) -> Result<Said, Failure> {
        let by: String = metadata::who().split_whitespace().collect();
        let mut sent = format!("1 {verb} {by} {version} {}\n", content.len()).into_bytes();
        sent.extend(content);
        let mut args = vec![
            needs::access(self.seen),
            self.config.app.as_str(),
            ENV_HELPER,
        ];
        args.extend(self.config.instances().map(|one| one.unit));
        let mut stdin = sent.as_slice();
        let script = Script::env(args);
        let batch = Batch {
            stdin: Some(&mut stdin),
            ..Batch::new(std::slice::from_ref(&script))
        };
        let answers = batch
            .quiet(self.host)
            .map_err(|lost| lost_while(verb, &lost))?;
        let answer = answers.into_iter().next().unwrap_or_default();
        if answer.code != 0 {
            return Err(self.refused(verb, answer.code, &answer.err));
        }
        let mut said = Said::default();
        let read = format!("{} (", file(self.config));
        for line in String::from_utf8_lossy(&answer.out).lines() {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "version" => said.version = rest.into(),
                "name" => said.names.push(rest.into()),
                "added" | "changed" | "removed" => said.changes.push((word.into(), rest.into())),
                "reads" => {
                    if let Some((unit, path)) = rest.split_once(' ')
                        && path.starts_with(&read)
                    {
                        said.readers.push(unit.into());
                    }
                }
                _ => {}
            }
        }
        Ok(said)
    }

    fn refused(&self, verb: &str, code: i32, err: &[Vec<u8>]) -> Failure {
        let file = file(self.config);
        let what = match verb {
            "list" => format!("{file} could not be read"),
            _ => format!("{file} was not changed"),
        };
        let setup = self
            .config
            .host
            .as_root("setup")
            .remark("again: it installs the helper");
        let failure = match code {
            exits::NO_HELPER => Failure::new(
                Exit::Untouched,
                "the host has no helper for `shipit env` yet",
            )
            .why(format!(
                "{file} is root-owned; setup installs the helper that lets {} change it",
                self.seen.user
            ))
            .next(setup),
            exits::ENV_CHANGED => {
                Failure::new(Exit::Untouched, what).next(Next::shipit("env list"))
            }
            exits::NOT_UNDERSTOOD => Failure::new(
                Exit::Untouched,
                "the helper on the host is of another version",
            )
            .next(setup),
            _ => Failure::new(Exit::Untouched, what),
        };
        let mut failure = failure.host("nothing changed");
        failure.why.extend(err.iter().map(|line| text::shown(line)));
        if failure.why.is_empty() {
            failure = failure.why(format!("the helper exited with status {code}"));
        }
        failure
    }
}

fn list(global: &Global, config: &Config, said: &Said) {
    if global.json {
        let names = &said.names;
        super::results(&super::object(
            &json!({"v": 1, "file": file(config), "names": names, "read_by": said.readers}),
        ));
        return;
    }
    for name in &said.names {
        super::results(&format!("{}\n", text::shown(name.as_bytes())));
    }
    if said.names.is_empty() && !global.quiet {
        super::results(&format!("{} sets nothing\n", file(config)));
    }
    unread(global, config, said);
}

fn changed(global: &Global, config: &Config, said: &Said, runs: Runs, restart: bool) {
    let of = |word: &str| -> Vec<&str> {
        let all = said.changes.iter().filter(|(what, _)| what == word);
        all.map(|(_, name)| name.as_str()).collect()
    };
    if global.json {
        super::results(&super::object(
            &json!({"v": 1, "file": file(config), "added": of("added"), "changed": of("changed"), "removed": of("removed"),
                "read_by": said.readers}),
        ));
        return;
    }
    for (what, name) in &said.changes {
        super::results(&format!("{what} {}\n", text::shown(name.as_bytes())));
    }
    if said.changes.is_empty() {
        super::results("nothing to change\n");
    } else {
        unread(global, config, said);
        if !said.readers.is_empty() && !restart {
            let next = match runs {
                Runs::Release => Next::shipit("restart")
                    .remark("running processes keep what they were started with"),
                Runs::Nothing => Next::shipit("deploy").remark("no release is live yet"),
            };
            let next = super::typed(global).line(&next);
            super::results(&format!("next: {next}\n"));
        }
    }
}

/// A file that nobody reads sets nothing.
fn unread(global: &Global, config: &Config, said: &Said) {
    if said.readers.is_empty() && !global.quiet {
        super::results(&format!(
            "no service of {} reads it; under [Service] write: EnvironmentFile=-{}\n",
            config.app.as_str(),
            file(config)
        ));
    }
}
