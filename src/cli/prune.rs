//! `shipit prune`: a switch whose only work is to remove old releases, so that it holds the host like any other.

use std::time::Instant;

use super::args::{self, Global};
use crate::engine::{self, Run};
use crate::failure::{Exit, Failure};
use crate::report::event::Event;

pub(super) fn run(global: &Global, wish: &args::Prune) -> Result<Exit, Failure> {
    let began = Instant::now();
    let mut config = super::configuration(global)?;
    if let Some(keep) = wish.keep {
        config.keep_releases = keep;
    }
    let mut report = super::reporter(global);
    report.event(&Event::Started {
        command: "prune",
        app: config.app.as_str().into(),
        host: config.host.to_string(),
        release: None,
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
    Ok(engine::rollback::prune(&mut run))
}
