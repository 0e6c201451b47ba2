//! The tree becomes a [`Config`]: environments are merged in, every key is read, and what the values mean
//! together is checked. Every problem is collected; a [`Config`] comes out only when there is none.

use std::collections::BTreeSet;
use std::path::Path;

use super::Config;
use super::environments::{self, known, list, merge};
use super::reader::Problems;
use super::top;
use super::tree::{Mark, Node, Problem};

/// Checks a whole file, every environment of it, and gives the one that is asked for.
/// Fails with every problem, in the file's order: also those of environments that were not asked for, so that a file is
/// either right or wrong and does not turn wrong on the day that `-e` changes.
pub(super) fn config(root: &Node, dir: &Path, wanted: Option<&str>) -> Result<Config, Vec<Problem>> {
    let problems = Problems::default();
    let mut chosen = None;
    let environments = environments::read(root, &problems);
    let wanted_name = wanted.and_then(|wanted| known(wanted, &environments));

    // The values at the top alone: they are the config when no environment is asked for. With environments in
    // the file they may lack something, as long as nobody asks for them.
    let base = Problems::default();
    let config = top::read(root, dir, None, &base);
    problems.wrong.borrow_mut().extend(base.wrong.into_inner());
    let missing = base.missing.into_inner();
    if wanted.is_none() {
        chosen = config;
        problems.missing.borrow_mut().extend(missing);
        if environments::complete(root, &environments) {
            let list = list(&environments);
            let text = format!("some keys are set only under `environments`; choose an environment with -e: {list}");
            let problem = Problem::new(Mark::START, text);
            problems.missing.borrow_mut().push(problem);
        }
    } else if environments.is_empty() {
        problems.missing.borrow_mut().extend(missing);
    }
    for environment in &environments {
        let merged = merge(root, environment.node);
        let config = top::read(&merged, dir, Some(&environment.name), &problems);
        if wanted_name.as_ref() == Some(&environment.name) {
            chosen = config;
        }
    }

    let mut all = problems.wrong.into_inner();
    all.extend(problems.missing.into_inner());
    all.sort_by_key(|problem| problem.at);
    let mut told = BTreeSet::new();
    all.retain(|problem| told.insert((problem.at, problem.text.clone())));
    match chosen {
        Some(config) if all.is_empty() => Ok(config),
        _ => Err(all),
    }
}
