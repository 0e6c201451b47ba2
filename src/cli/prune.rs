//! `shipit prune`: a switch whose only work is to remove old releases, so that it holds the host like any other.

use super::args::{self, Global};
use crate::engine;
use crate::failure::{Exit, Failure};
use crate::step::Command;

pub(super) fn run(global: &Global, args: &args::Prune) -> Result<Exit, Failure> {
    let mut config = super::configuration(global)?;
    if let Some(keep) = args.keep {
        config.keep_releases = keep;
    }
    super::switching(global, &config, Command::Prune, None, engine::rollback::prune)
}
