//! `shipit rollback`: hands what was typed to the engine.

use super::args::{self, Global};
use crate::engine;
use crate::failure::{Exit, Failure};

pub(super) fn run(global: &Global, wish: &args::Rollback) -> Result<Exit, Failure> {
    let config = super::configuration(global)?;
    super::switching(global, &config, "rollback", wish.release.as_ref(), |run| {
        engine::rollback::rollback(run, wish.release.as_deref(), wish.wait)
    })
}
