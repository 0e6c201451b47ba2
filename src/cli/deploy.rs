//! `shipit deploy`: hands what was typed to the engine.

use super::args::{self, Global};
use crate::engine::deploy::deploy;
use crate::engine::preview::DeployOptions;
use crate::failure::{Exit, Failure};
use crate::plan::Baseline;

pub(super) fn run(global: &Global, args: &args::Deploy) -> Result<Exit, Failure> {
    let config = super::configuration(global)?;
    super::switching(global, &config, "deploy", args.release.as_ref(), |run| {
        let options = DeployOptions {
            stage_only: args.stage_only,
            release: args.release.clone(),
            wait: args.wait,
            restart: args.restart,
            migration: args.migration,
            baseline: if args.despite_health {
                Baseline::Waived
            } else {
                Baseline::Required
            },
        };
        deploy(run, &options)
    })
}
