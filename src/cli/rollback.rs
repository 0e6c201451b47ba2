//! `shipit rollback`: hands what was typed to the engine.

use super::args::{self, Global};
use crate::engine;
use crate::failure::{Exit, Failure};
use crate::step::Command;

pub(super) fn run(global: &Global, args: &args::Rollback) -> Result<Exit, Failure> {
    let config = super::configuration(global)?;
    super::switching(global, &config, Command::Rollback, args.release.as_ref(), |run| {
        engine::rollback::rollback(run, args.release.as_deref(), args.wait)
    })
}
