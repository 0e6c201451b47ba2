//! `shipit unit`: checks, explains, compares, installs and writes units, with what a deploy.yml adds where there is one.
//! Rules and texts of units are never here: those are in `unit`.

pub(super) mod diff;
pub(super) mod generate;
pub(super) mod install;
pub(super) mod lint;
mod repository;
pub(super) mod source;

use std::io;
use std::path::{Path, PathBuf};

use super::args::{Global, UnitCommand};
use super::paper::Paper;
use crate::config::{self, Config};
use crate::failure::{Exit, Failure, Next};
use crate::unit::rules;

pub(super) fn run(global: &Global, command: &UnitCommand) -> Result<Exit, Failure> {
    match command {
        UnitCommand::Diff => diff::run(global),
        UnitCommand::Install(options) => install::run(global, options),
        UnitCommand::Lint(options) => lint::run(global, options),
        UnitCommand::Explain { rule: Some(rule) } => explain(Paper::new(global), rule),
        UnitCommand::Explain { rule: None } => {
            let paper = Paper::new(global);
            let list = rules::all().map(|rule| listed(paper, rule));
            super::results(&list.collect::<String>());
            Ok(Exit::Done)
        }
        UnitCommand::Generate(options) => generate::run(global, options),
    }
}

/// One line of the list of rules.
pub(super) fn listed(paper: Paper, rule: &rules::Rule) -> String {
    let (name, severity, title) = (rule.name, rule.severity, rule.title());
    if paper.columns().is_some_and(|columns| columns < 60) {
        return format!("{name} ({severity})\n{}", paper.line(&format!("    {title}"), 4));
    }
    paper.line(&format!("{name:<28}{severity:<9}{title}"), 37)
}

fn explain(paper: Paper, name: &str) -> Result<Exit, Failure> {
    if let Some(text) = rules::explain(name) {
        super::results(&paper.paragraphs(&text));
        return Ok(Exit::Done);
    }
    let directives = rules::DIRECTIVES.iter().map(|directive| directive.key);
    // Any name is nearest to something: a different rule would be read as the answer.
    let near = rules::all()
        .map(|rule| rule.name)
        .chain(directives)
        .map(|known| (strsim::osa_distance(known, name), known))
        .filter(|(far, known)| far * 3 <= known.len().min(name.len()))
        .min();
    let mut failure = Failure::new(Exit::Usage, format!("unknown rule: {name}"));
    if let Some((_, near)) = near {
        failure = failure.next(Next::offline("unit explain").arg(near));
    }
    Err(failure.next(Next::offline("unit explain").remark("lists all rules")))
}

/// The configuration, if there is one. A named file must exist, and an existing one must be valid.
fn configuration(global: &Global) -> Result<Option<Config>, Failure> {
    let exists = global.config.is_some() || nearest(Path::new("."))?.is_some();
    exists.then(|| super::configuration(global)).transpose()
}

/// The deploy.yml of this directory, or the nearest one above it, up to the root of the repository.
pub(super) fn nearest(dir: &Path) -> Result<Option<PathBuf>, Failure> {
    let search = || -> io::Result<Option<PathBuf>> {
        for dir in std::path::absolute(dir)?.ancestors() {
            let file = dir.join(config::FILE_NAME);
            if file.try_exists()? {
                return Ok(Some(file));
            }
            if dir.join(".git").try_exists()? {
                break;
            }
        }
        Ok(None)
    };
    search().map_err(|e| Failure::new(Exit::Usage, "cannot search for a deploy.yml").why(e.to_string()))
}
