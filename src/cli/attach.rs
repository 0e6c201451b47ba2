//! `shipit attach`: watches the switch that is under way. Only listens.

use std::time::Instant;

use super::args::Global;
use crate::engine::follow::{Followed, follow};
use crate::engine::{Run, Summary, observe, session, switch};
use crate::failure::{Exit, Failure, Next};
use crate::report::event::{Event, Outcome};
use crate::step::{Change, Command};

pub(super) fn run(global: &Global) -> Result<Exit, Failure> {
    let began = Instant::now();
    let config = super::configuration(global)?;
    let mut report = super::reporter(global);
    let interrupts = super::interrupts()?;
    let mut link = super::link(global, &config, &interrupts);
    let mut host = session::Link::connect(&mut link, report.as_mut())?;
    let observed = observe::observe(host.as_mut(), &config)?;
    let mut run = Run {
        config: &config,
        link: &mut link,
        report: report.as_mut(),
        began,
        interrupts: &interrupts,
    };
    let Some(request) = observed.request.clone() else {
        let live = observed.live().map(str::to_owned);
        let summary = Summary {
            live: live.clone(),
            release: live,
            next: vec![Next::shipit("status")],
            ..Summary::default()
        };
        return Ok(run.end(Outcome::Unchanged, summary, None, 0));
    };
    run.report.event(&Event::Started {
        command: "attach",
        app: config.app.as_str().into(),
        host: config.host.to_string(),
        release: Some(request.next.clone()),
    });
    let (mut followed, _) = follow(
        run.link,
        Some(host),
        config.root.as_str(),
        &request.run,
        Followed::default(),
        run.interrupts,
        run.report,
    );
    let change = Change {
        command: Command::of(&request.command),
        previous: observed.live().map(str::to_owned).filter(|id| *id != request.next),
        next: request.next,
    };
    match followed.end.take() {
        Some(last) => Ok(switch::tell(&mut run, &change, &followed, &last, 0)),
        None => Err(Failure::new(Exit::Unknown, "the result of the switch did not arrive")
            .host("the host continues by itself")
            .next(Next::shipit("status"))),
    }
}
