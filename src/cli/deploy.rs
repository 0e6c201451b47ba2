//! `shipit deploy`: hands what was typed to the engine.

use super::args::{self, Global};
use crate::engine::deploy::deploy;
use crate::engine::preview::DeployOptions;
use crate::failure::{Exit, Failure};
use crate::plan::Baseline;

pub(super) fn run(global: &Global, typed: &args::Deploy) -> Result<Exit, Failure> {
    let config = super::configuration(global)?;
    super::switching(global, &config, "deploy", typed.release.as_ref(), |run| {
        let options = DeployOptions {
            stage_only: typed.stage_only,
            release: typed.release.clone(),
            wait: typed.wait,
            restart: typed.restart,
            migration: typed.migration,
            baseline: if typed.despite_health {
                Baseline::Waived
            } else {
                Baseline::Required
            },
        };
        deploy(run, &options)
    })
}
