//! `shipit report`: the timeline of one switch, from the host's record of its run.

use super::args::{Global, Report};
use super::paper::Paper;
use crate::engine::session;
use crate::failure::{Exit, Failure, Next};
use crate::remote::{Script, exits};
use crate::report::timeline::{Timeline, html, terminal};
use crate::step::Command;

pub(super) fn run(global: &Global, args: &Report) -> Result<Exit, Failure> {
    let config = super::configuration(global)?;
    let (mut host, observed) = super::observe(global, &config)?;
    let last = || {
        observed
            .ledger
            .pasts()
            .find(|past| past.command != Command::Prune)
            .map(|past| past.run)
    };
    // A release stands for the last run that switched to it.
    let of_release = |name: &String| {
        let switches = observed.ledger.pasts().filter(|past| past.command != Command::Prune);
        let mut of = switches.filter(|past| past.release == *name);
        of.next().map_or_else(|| name.clone(), |past| past.run)
    };
    let Some(id) = args.run.as_ref().map(of_release).or_else(last) else {
        return Err(Failure::new(Exit::Untouched, "the host has no run to report")
            .why("no deploy or rollback is in its ledger")
            .next(Next::shipit("deploy")));
    };
    let record = session::one(host.as_mut(), Script::record([config.root.as_str(), &id]))
        .map_err(|lost| session::lost_while(&lost, "reading the run", "nothing changed"))?;
    if record.code == exits::NO_RUN {
        return Err(
            Failure::new(Exit::Untouched, format!("the host has no record of the run {id}"))
                .why("the newest 50 runs are kept")
                .next(Next::shipit("status -v").remark("lists the last runs")),
        );
    }
    if record.code != 0 {
        let mut failure = Failure::new(Exit::Untouched, format!("the run {id} could not be read"));
        failure.why = record.errors();
        return Err(failure.next(Next::shipit("doctor")));
    }
    let timeline = Timeline::read(&id, &String::from_utf8_lossy(&record.out));
    if let Some(file) = &args.html {
        let page = html::page(&timeline, config.app.as_str());
        std::fs::write(file, page).map_err(|error| {
            Failure::new(Exit::Untouched, format!("cannot write {}", file.display())).why(error.to_string())
        })?;
    }
    super::results(&printed(&timeline, Paper::new(global)));
    Ok(Exit::Done)
}

pub(super) fn printed(timeline: &Timeline, paper: Paper) -> String {
    // A picture stays whole.
    let line = |line: &String| match line.contains('|') {
        true => format!("{line}\n"),
        false => paper.line(line, 2),
    };
    terminal::lines(timeline, paper.columns()).iter().map(line).collect()
}
