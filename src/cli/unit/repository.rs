//! The units of the repository that deploy.yml belongs to, for `diff` and `install`. Never those of a host.

use crate::config::Config;
use crate::engine::units;
use crate::failure::{Exit, Failure, Next};
use crate::text::shown;
use crate::unit::merge::Unit;

/// Fails when the repository has no units.
pub(super) fn of(config: &Config) -> Result<Vec<Unit>, Failure> {
    let units = units::repository(config)?;
    if !units.is_empty() {
        return Ok(units);
    }
    let dir = config.units.dir.as_os_str().as_encoded_bytes();
    Err(Failure::new(Exit::Usage, format!("no unit files in {}", shown(dir)))
        .next(Next::shipit("unit generate"))
        .next(Next::advice("units: DIRECTORY").remark("in deploy.yml, if they are elsewhere")))
}
