//! `shipit deploy`: hands what was typed to the engine.

use super::args::{self, Global};
use crate::engine;
use crate::failure::{Exit, Failure};
use crate::plan::Baseline;

pub(super) fn run(global: &Global, wish: &args::Deploy) -> Result<Exit, Failure> {
    let config = super::configuration(global)?;
    super::switching(global, &config, "deploy", wish.release.as_ref(), |run| {
        let wish = engine::deploy::Wish {
            stage_only: wish.stage_only,
            release: wish.release.clone(),
            wait: wish.wait,
            restart: wish.restart,
            migration: wish.migration,
            baseline: if wish.despite_health {
                Baseline::Waived
            } else {
                Baseline::Required
            },
        };
        engine::deploy::deploy(run, &wish)
    })
}
