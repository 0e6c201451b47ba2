//! `shipit attach`, `promote` and `abort`: follows the switch in progress, after a word to it or without one.

use super::args::Global;
use crate::engine::word::{self, give};
use crate::engine::{Run, ended, observe, switch};
use crate::failure::{Exit, Failure, Next};
use crate::observed::Current;
use crate::report::event::{Ended, Outcome};
use crate::step::Command;

/// What the switch is told first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    None,
    Promote,
    Abort,
}

impl Word {
    fn command(self) -> &'static str {
        match self {
            Self::None => "attach",
            Self::Promote => "promote",
            Self::Abort => "abort",
        }
    }
}

pub(super) fn run(global: &Global, word: Word) -> Result<Exit, Failure> {
    let config = super::configuration(global)?;
    super::run(global, &config, Command::default(), |run| attach(run, word))
}

fn attach(run: &mut Run<'_>, word: Word) -> Result<Exit, Failure> {
    let mut host = run.link.connect(run.report)?;
    let observed = observe::observe(host.as_mut(), run.config)?;
    let live = observed.live().map(str::to_owned);
    let Some(request) = observed.request else {
        if word != Word::None {
            return Err(Failure::new(Exit::Untouched, "no switch is in progress")
                .host("nothing live changed")
                .next(Next::shipit("status")));
        }
        run.release.clone_from(&live);
        run.nothing_live = observed.current == Current::Absent;
        return Ok(run.end(Ended {
            next: vec![Next::shipit("status")],
            ..run.ended(Outcome::Unchanged, live, None)
        }));
    };
    run.command = Command::of(&request.command).unwrap_or_default();
    run.started(word.command(), Some(&request.next));
    let root = run.config.root.as_str();
    match word {
        Word::None => {}
        Word::Promote => give(host.as_mut(), root, &request.run, word::PROMOTE, run.command)?,
        Word::Abort => give(host.as_mut(), root, &request.run, word::CANCEL, run.command)?,
    }
    let mut followed = switch::attach(run, host, &request.run);
    run.previous = live.filter(|id| *id != request.next);
    run.release = Some(request.next);
    match followed.end.take() {
        Some(last) => {
            let ended = ended::ended(run, &followed, &last);
            Ok(ended::tell(run, &followed, &last, ended))
        }
        None => Err(switch::unended(run.config, &followed)),
    }
}
