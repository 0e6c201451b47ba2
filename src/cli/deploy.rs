//! `shipit deploy`: hands what was typed to the engine.

use std::time::Instant;

use super::args::{self, Global};
use crate::engine::{self, Run};
use crate::failure::{Exit, Failure};
use crate::report::event::Event;

pub(super) fn run(global: &Global, wish: &args::Deploy) -> Result<Exit, Failure> {
    let began = Instant::now();
    let config = super::configuration(global)?;
    let mut report = super::reporter(global);
    report.event(&Event::Started {
        command: "deploy",
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
    let wish = engine::deploy::Wish {
        stage_only: wish.stage_only,
        release: wish.release.clone(),
        wait: wish.wait,
        restart: wish.restart,
        migration: wish.migration,
    };
    Ok(engine::deploy::deploy(&mut run, &wish))
}
