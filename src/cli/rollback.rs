//! `shipit rollback`: hands what was typed to the engine.

use std::time::Instant;

use super::args::{self, Global};
use crate::engine::{self, Run};
use crate::failure::{Exit, Failure};
use crate::report::event::Event;

pub(super) fn run(global: &Global, wish: &args::Rollback) -> Result<Exit, Failure> {
    let began = Instant::now();
    let config = super::configuration(global)?;
    let mut report = super::reporter(global);
    report.event(&Event::Started {
        command: "rollback",
        app: config.app.as_str().into(),
        host: config.host.to_string(),
        release: wish.release.clone(),
    });
    let interrupts = super::interrupts()?;
    let mut link = super::link(global, &config, &interrupts);
    let mut run = Run {
        config: &config,
        link: &mut link,
        report: report.as_mut(),
        began,
        interrupts: &interrupts,
    };
    Ok(engine::rollback::rollback(
        &mut run,
        wish.release.as_deref(),
        wish.wait,
    ))
}
