//! `shipit unit`: units checked, explained and written. Needs no host, but for `lint --host`; with a
//! deploy.yml in reach it knows more.

mod diff;
pub(super) mod generate;
mod install;
mod lint;
mod repository;

use std::io;

use super::args::{Global, UnitCommand};
use crate::config::{self, Config};
use crate::failure::{Exit, Failure, Next};
use crate::unit::rules;

pub(super) fn run(global: &Global, command: &UnitCommand) -> Result<Exit, Failure> {
    match command {
        UnitCommand::Diff => diff::run(global),
        UnitCommand::Install(wish) => install::run(global, wish),
        UnitCommand::Lint(wish) => lint::run(global, wish),
        UnitCommand::Explain { rule: Some(rule) } => explain(rule),
        UnitCommand::Explain { rule: None } => {
            let list = rules::all()
                .map(|rule| format!("{:<28}{:<9}{}\n", rule.name, rule.severity, rule.title()));
            super::results(&list.collect::<String>());
            Ok(Exit::Done)
        }
        UnitCommand::Generate(wish) => generate::run(global, wish),
    }
}

fn explain(name: &str) -> Result<Exit, Failure> {
    if let Some(text) = rules::explain(name) {
        super::results(&text);
        return Ok(Exit::Done);
    }
    let directives = rules::DIRECTIVES.iter().map(|directive| directive.key);
    let near = rules::all()
        .map(|rule| rule.name)
        .chain(directives)
        .min_by_key(|known| strsim::osa_distance(known, name));
    Err(
        Failure::new(Exit::Usage, format!("there is no rule {name}"))
            .next(Next::offline("unit explain").arg(near.unwrap_or_default()))
            .next(Next::offline("unit explain")),
    )
}

/// The configuration, where there is one: a file that was named must be there, and one that is there must be right.
fn configuration(global: &Global) -> Result<Option<Config>, Failure> {
    let there = global.config.is_some()
        || in_reach().map_err(|e| {
            Failure::new(
                Exit::Usage,
                "it is not known whether a deploy.yml is in reach",
            )
            .why(e.to_string())
        })?;
    there.then(|| super::configuration(global)).transpose()
}

/// Whether a deploy.yml lies here or above, as far as the repository goes.
fn in_reach() -> io::Result<bool> {
    for dir in std::path::absolute(".")?.ancestors() {
        if dir.join(config::FILE_NAME).try_exists()? {
            return Ok(true);
        }
        if dir.join(".git").try_exists()? {
            break;
        }
    }
    Ok(false)
}
