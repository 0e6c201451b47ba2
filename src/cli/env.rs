//! `shipit env`: the app's environment on the host, in a file of root's. Values come from stdin, a prompt or a file, travel
//! on the session's stdin, and are never shown, logged or read back.

use std::io::{IsTerminal, Read};
use std::path::Path;

use serde_json::json;

use super::args::{EnvCommand, Global};
use super::paper::Paper;
use super::service;
use crate::config::{Config, Instance, Service, nearest};
use crate::engine::environment::{Answered, Environment, file};
use crate::engine::service_action::Verb;
use crate::failure::{Exit, Failure, Next};
use crate::host::ssh::{self, Reply};
use crate::plan::packaged;
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
    let (mut host, observed) = super::observe(global, &config)?;
    let mut place = Environment {
        host: host.as_mut(),
        config: &config,
        observed: &observed,
    };
    let before = match verb {
        "list" | "push" | "unset" => Some(place.ask("list", "any", &[])?),
        _ => None,
    };
    let set = before.as_ref().map_or(Vec::new(), |said| said.names.clone());
    if let EnvCommand::Unset { names, restart } = command {
        mistyped(names, &set, *restart)?;
    }
    if let (Some(said), "list") = (&before, verb) {
        list(global, &config, said);
        return Ok(Exit::Done);
    }
    let version = match (before, verb) {
        (Some(said), "push") => said.version,
        _ => "any".to_owned(),
    };
    let said = place.ask(verb, &version, &content)?;
    let runs = observed.live().is_some();
    // Without a release there is nothing that could be started; the first deploy does.
    let restart = restart && runs;
    changed(global, &config, &said, runs, restart);
    if let (EnvCommand::Unset { names, .. }, false) = (command, global.json || global.quiet) {
        for name in names {
            if !said.changes.iter().any(|(_, changed)| changed == name) {
                let similar = similar(name, &set).map(|other| format!("; {other} is"));
                super::results(&format!("{name} was not set{}\n", similar.unwrap_or_default()));
            }
        }
    }
    let readers: Vec<Instance<'_>> = config
        .instances()
        .filter(|one| said.readers.iter().any(|unit| unit == one.unit) && !observed.is_idle(one))
        .collect();
    if restart && !said.changes.is_empty() {
        service::services_turn(global, host.as_mut(), &config, &observed, &readers, Verb::Restart)?;
    }
    Ok(Exit::Done)
}

fn usage(what: impl Into<String>) -> Failure {
    Failure::new(Exit::Usage, what).host("nothing changed")
}

fn name(given: &str) -> Result<(), Failure> {
    // The text behind the `=` may be a secret: it is not said again.
    if let Some((name, _)) = given.split_once('=') {
        let name = text::shown(name.as_bytes());
        return Err(usage("do not put the value on the command line")
            .why("your shell's history now contains it, and every user of this machine could see it in ps")
            .next(
                Next::shipit("env set")
                    .arg(name)
                    .remark("asks for the value, or reads it from stdin"),
            ));
    }
    if environment::is_name(given) {
        return Ok(());
    }
    Err(usage(format!(
        "{} is not a valid variable name",
        text::shown(given.as_bytes())
    ))
    .why("use only letters, digits and _, and do not begin with a digit"))
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
        return Err(usage(format!("the value for {given} is empty"))
            .why("only `env push` accepts empty values")
            .next(Next::shipit("env set").arg(given).remark("asks for it on a terminal")));
    }
    let line = environment::line(given, &value)
        .map_err(|why| usage(format!("the value of {given} cannot be stored")).why(why))?;
    Ok((line + "\n").into_bytes())
}

fn removed(names: &[String]) -> Result<Vec<u8>, Failure> {
    for given in names {
        name(given)?;
    }
    Ok((names.join("\n") + "\n").into_bytes())
}

/// A name that is not set, and looks like one that is: a typo must not look like a secret that was removed. Names of which
/// only the numbers differ, as of keys that are rotated, are no typo.
fn mistyped(names: &[String], set: &[String], restart: bool) -> Result<(), Failure> {
    let without_digits = |name: &str| name.replace(|c: char| c.is_ascii_digit(), "");
    let meant = |name: &String| {
        let other = similar(name, set).filter(|other| !names.contains(other))?;
        let (one, two) = (name.to_lowercase(), other.to_lowercase());
        let near = strsim::damerau_levenshtein(&one, &two) * 4 <= one.len().max(two.len());
        (near && (one == two || without_digits(&one) != without_digits(&two))).then_some(other)
    };
    let all: Vec<(&String, Option<&String>)> = names
        .iter()
        .map(|name| (name, Some(name).filter(|name| !set.contains(name)).and_then(meant)))
        .collect();
    let Some((name, other)) = all.iter().find_map(|(name, other)| Some((name, (*other)?))) else {
        return Ok(());
    };
    let corrected = all.iter().map(|(name, other)| other.unwrap_or(name));
    let next = corrected.fold(Next::shipit("env unset"), Next::arg);
    let next = if restart { next.arg("--restart") } else { next };
    Err(Failure::new(Exit::Untouched, format!("{name} is not set"))
        .why(format!("a variable with a similar name is set: {other}"))
        .host("nothing changed")
        .next(next.remark(format!("if you mean {other}"))))
}

/// The variable that is set and has the most similar name; not the name itself.
fn similar<'n>(name: &str, set: &'n [String]) -> Option<&'n String> {
    let others: Vec<&String> = set.iter().filter(|other| *other != name).collect();
    let small: Vec<String> = others.iter().map(|other| other.to_lowercase()).collect();
    let near = nearest(name, small.iter().map(String::as_str))?;
    let at = small.iter().position(|other| other == near)?;
    others.get(at).copied()
}

fn pushed(path: Option<&Path>) -> Result<Vec<u8>, Failure> {
    let (mut text, shown) = match path {
        Some(path) => {
            let shown = text::shown(path.as_os_str().as_encoded_bytes());
            let opened =
                std::fs::File::open(path).map_err(|e| usage(format!("{shown} cannot be read")).why(e.to_string()))?;
            (all_of(&mut { opened }, &shown)?, shown)
        }
        None if std::io::stdin().is_terminal() => {
            return Err(usage("no file was given, and stdin is a terminal").next(Next::shipit("env push FILE")));
        }
        None => (all_of(&mut std::io::stdin().lock(), "stdin")?, "stdin".to_owned()),
    };
    match environment::names(&text) {
        Ok(names) if names.is_empty() => {
            Err(usage(format!("{shown} sets no variables")).why("pushing it would remove all variables"))
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
            Err(failure.next(Next::offline("unit explain root-path").remark("how systemd reads such files")))
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

fn list(global: &Global, config: &Config, said: &Answered) {
    if global.json {
        let names = &said.names;
        super::results(&super::object(
            &json!({"v": 1, "file": file(config), "names": names, "read_by": said.readers}),
        ));
        return;
    }
    let name = |name: &String| format!("{}\n", text::shown(name.as_bytes()));
    let mut out: String = said.names.iter().map(name).collect();
    if said.names.is_empty() && !global.quiet {
        out.push_str(&format!("{} sets no variables\n", file(config)));
    }
    super::results(&Paper::new(global).prose(&out));
    // Not among the names, which a script reads.
    super::beside(&unread(global, config, said));
}

/// `runs`: whether a release is live, which could take up what changed.
fn changed(global: &Global, config: &Config, said: &Answered, runs: bool, restart: bool) {
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
    super::results(&Paper::new(global).prose(&in_words(global, config, said, runs, restart)));
}

/// What changed, and what takes it up.
pub(super) fn in_words(global: &Global, config: &Config, said: &Answered, runs: bool, restart: bool) -> String {
    let name = |(what, name): &(String, String)| format!("{what} {}\n", text::shown(name.as_bytes()));
    let mut out: String = said.changes.iter().map(name).collect();
    if said.changes.is_empty() {
        return "nothing to change\n".into();
    }
    out.push_str(&unread(global, config, said));
    if !said.readers.is_empty() && !restart {
        let next = match runs {
            true => Next::shipit("restart").remark("running processes keep their old values"),
            false => Next::shipit("deploy").remark("no release is live yet"),
        };
        out.push_str(&format!("next: {}\n", super::typed(global).line(&next)));
    }
    out
}

/// A file that nobody reads sets nothing. php-fpm clears the environment of its workers, so it passes on what it reads only
/// if the pool has `clear_env = no`.
fn unread(global: &Global, config: &Config, said: &Answered) -> String {
    let is_php = |unit: &str| packaged::php_version(unit).is_some();
    if global.quiet {
        return String::new();
    }
    if !said.readers.is_empty() {
        return match said.readers.iter().find(|unit| is_php(unit)) {
            Some(unit) => format!("{unit} passes it only to pools with `clear_env = no` or `env[NAME] = $NAME`\n"),
            None => String::new(),
        };
    }
    let app = config.app.as_str();
    let mut units = config.services.iter().flat_map(Service::units).peekable();
    if units.peek().is_some() && units.all(is_php) {
        return format!(
            "none of {app}'s services reads it, and php-fpm clears the environment; in the app's pool, add: env[NAME] = VALUE\n"
        );
    }
    format!(
        "none of {app}'s services reads it; under [Service], add: EnvironmentFile=-{}\n",
        file(config)
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_looks_like_one_that_is_set_is_a_typo_and_any_other_is_not() {
        let all = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let set = all(&["SECRET_KEY", "DATABASE_URL", "NEW_TOKEN", "API_KEY_2"]);
        let tried = |names: &[&str]| mistyped(&all(names), &set, false).map_err(|failure| failure.to_string());
        for (typed, meant) in [
            (&["SECRET_KY"][..], "SECRET_KEY"),
            (&["secret_key"], "SECRET_KEY"),
            (&["SECERT_KEY"], "SECRET_KEY"),
            (&["GONE", "DATABSE_URL"], "GONE DATABASE_URL"),
        ] {
            let said = tried(typed).unwrap_err();
            assert!(
                said.contains(&format!("next  shipit env unset {meant}    # ")),
                "{said}"
            );
        }
        for removed in [
            &["NOPE"][..],
            &["SECRET_KEY"],
            &["OLD_TOKEN"],
            &["API_KEY_1"],
            &["DATABASE"],
            &["SECRET_KEYS", "SECRET_KEY"],
        ] {
            assert_eq!(tried(removed), Ok(()), "{removed:?}");
        }
        assert_eq!(similar("DATABASE", &set).map(String::as_str), Some("DATABASE_URL"));
        assert_eq!(similar("NOPE", &set), None);
    }
}
