//! `shipit deploy`: hands what was typed to the engine.

use super::args::{self, Global};
use crate::engine::deploy::deploy;
use crate::engine::prepare::Outputs;
use crate::engine::preview::{DeployOptions, Reading};
use crate::failure::{Exit, Failure};
use crate::plan::Baseline;
use crate::step::Command;

pub(super) fn run(global: &Global, args: &args::Deploy) -> Result<Exit, Failure> {
    let config = super::configuration(global)?;
    super::switching(global, &config, Command::Deploy, args.release.as_ref(), |run| {
        let options = DeployOptions {
            stage_only: args.stage_only,
            release: args.release.clone(),
            wait: args.wait,
            restart: args.restart,
            reading: if args.checksum { Reading::All } else { Reading::Touched },
            outputs: if args.prepare { Outputs::Make } else { Outputs::Reuse },
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
