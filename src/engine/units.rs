//! The app's units, fetched for comparing: the repository's from this disk, the host's by one script. Decides nothing.

use super::session;
use crate::config::{Config, UnitsDrift, UnitsNeed};
use crate::failure::{Exit, Failure, Next};
use crate::host::Host;
use crate::observed::installed::InstalledUnits;
use crate::plan::unit_files::all_own;
use crate::plan::unit_files::install::accounts;
use crate::plan::units::{Purpose, units};
use crate::remote::Script;
use crate::report::event::Report;
use crate::text;
use crate::unit::directory;
use crate::unit::merge::Unit;

/// The units of the repository; none when nobody named their directory and it is not there.
/// Fails with [`Exit::Usage`]: the directory is named and not there, or has something in it that is no unit file.
pub fn repository(config: &Config) -> Result<Vec<Unit>, Failure> {
    let dir = &config.units.dir;
    let shown = dir.strip_prefix(&config.dir).unwrap_or(dir);
    let wrong = |what: String| {
        Failure::new(Exit::Usage, "the units of this repository cannot be used").why(text::shown(what.as_bytes()))
    };
    match directory::read(dir, shown) {
        Ok(Some(units)) => Ok(units),
        Ok(None) if config.units.need == UnitsNeed::Usual => Ok(Vec::new()),
        Ok(None) => Err(
            wrong(format!("`units` names {}, which does not exist", shown.display()))
                .next(Next::shipit("unit generate")),
        ),
        Err(refused) => Err(wrong(refused.to_string())),
    }
}

/// The repository's units for a deploy. Under `units_drift: refuse` what is wrong with them stops it, under `warn` it is
/// said, under `ignore` nobody looks.
pub fn of_deploy(config: &Config, report: &mut dyn Report) -> Result<Vec<Unit>, Failure> {
    let read = || {
        let units = repository(config)?;
        all_own(config, &units)?;
        Ok::<_, Failure>(units)
    };
    match (config.units.drift, read()) {
        (UnitsDrift::Ignore, _) => Ok(Vec::new()),
        (UnitsDrift::Warn, Err(failure)) => {
            report.warn(format!("{}: {}", failure.what, failure.why.join("; ")));
            Ok(Vec::new())
        }
        (_, units) => units,
    }
}

/// The script that tells of the host's units: those of the repository, those of deploy.yml, and all that are named after
/// the app; and whether the users are there that they run as.
pub fn script(config: &Config, repository: &[Unit]) -> Script {
    let mut args = vec![config.app.as_str().to_owned()];
    args.extend(repository.iter().map(|unit| unit.name.as_str().to_owned()));
    args.extend(units(config, Purpose::Observe).into_iter().map(str::to_owned));
    args.push("--".into());
    args.extend(accounts(repository));
    Script::installed(args)
}

pub fn observe(host: &mut dyn Host, config: &Config, repository: &[Unit]) -> Result<InstalledUnits, Failure> {
    let out = session::look(host, &[script(config, repository)], "reading the host's units")?;
    Ok(InstalledUnits::parse(&out.concat()))
}
