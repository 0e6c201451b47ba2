//! Reads the state of the host: what a plan needs, with the app's unit files, or with what `status` shows beside it.
//! Changes nothing.

use std::vec;

use super::session::look;
use super::units;
use crate::config::Config;
use crate::failure::{Exit, Failure};
use crate::host::Host;
use crate::observed::history::History;
use crate::observed::installed::InstalledUnits;
use crate::observed::status::StatusReport;
use crate::observed::{HostBase, Observed};
use crate::plan::units::Purpose;
use crate::remote::Script;
use crate::step::{self, Check};
use crate::unit::merge::Unit;

const DOING: &str = "reading the host's state";

/// Looks at the host, with all that this configuration asks about.
pub fn observe(host: &mut dyn Host, config: &Config) -> Result<Observed, Failure> {
    Ok(observed(host, &[looking(config)])?.0)
}

/// The same, and in the same session the files of the app's units; of a deploy that sends, with the release that it can
/// take files over from.
pub fn observe_with_units(
    host: &mut dyn Host,
    config: &Config,
    repository: &[Unit],
    base: Option<Script>,
) -> Result<Observed, Failure> {
    let scripts = [looking(config), units::script(config, repository)];
    let scripts: Vec<Script> = scripts.into_iter().chain(base).collect();
    let (mut observed, mut out) = observed(host, &scripts)?;
    observed.installed = out.next().map(|out| InstalledUnits::parse(&out));
    observed.base = out.next().and_then(|out| HostBase::parse(&out));
    Ok(observed)
}

/// The same, and in the same session what `status` asks beside it.
pub fn observe_with_status(host: &mut dyn Host, config: &Config) -> Result<(Observed, StatusReport), Failure> {
    let mut args = vec![config.root.as_str().to_owned(), config.app.as_str().to_owned()];
    for one in config.instances() {
        let socket = one.service.socket.as_ref();
        let socket = socket.map_or("-", |socket| socket.as_str());
        let mut named = vec![("unit", one.unit.to_owned()), ("socket", socket.to_owned())];
        named.push(("slot", one.slot.unwrap_or("-").to_owned()));
        named.extend(Check::arguments(one.health.map(|health| &health.check)));
        args.push(step::words(&named).join(" "));
    }
    let (observed, mut out) = observed(host, &[looking(config), Script::status(args)])?;
    Ok((observed, StatusReport::parse(&out.next().unwrap_or_default())))
}

/// The timers of the app and of its services; nothing of health.
pub fn timers(host: &mut dyn Host, config: &Config) -> Result<StatusReport, Failure> {
    let mut args = vec![config.root.as_str().to_owned(), config.app.as_str().to_owned()];
    for one in config.instances() {
        let named = [("unit", one.unit), ("socket", "-"), ("slot", "-")];
        let mut named: Vec<_> = named.map(|(name, value)| (name, value.to_owned())).into();
        named.extend(Check::arguments(None));
        args.push(step::words(&named).join(" "));
    }
    let out = look(host, &[Script::status(args)], "reading the timers")?;
    Ok(StatusReport::parse(&out.concat()))
}

/// The same, and in the same session what was done to the app; of the last `most` switches with all that is known.
pub fn observe_with_history(host: &mut dyn Host, config: &Config, most: u32) -> Result<(Observed, History), Failure> {
    let script = Script::history([config.root.as_str(), &most.to_string()]);
    let (observed, mut out) = observed(host, &[looking(config), script])?;
    Ok((observed, History::parse(&out.next().unwrap_or_default())))
}

/// What was observed, and what the scripts after it printed. Looks again while switches pass meanwhile.
fn observed(host: &mut dyn Host, scripts: &[Script]) -> Result<(Observed, vec::IntoIter<Vec<u8>>), Failure> {
    for _ in 0..20 {
        let mut out = look(host, scripts, DOING)?.into_iter();
        let observed = Observed::parse(&out.next().unwrap_or_default());
        if !observed.changed {
            return Ok((observed, out));
        }
    }
    Err(Failure::new(
        Exit::Locked,
        "cannot read the host's state: a switch changed it during each of 20 attempts",
    )
    .host("this command changed nothing"))
}

fn looking(config: &Config) -> Script {
    let mut args: Vec<String> = vec![config.root.as_str().into(), config.app.as_str().into(), "auto".into()];
    let levers = config.services.iter().flat_map(|service| service.levers());
    args.extend(levers.map(|lever| lever.key()));
    let wanted = crate::plan::units::units(config, Purpose::Observe);
    args.extend(wanted.into_iter().map(String::from));
    args.extend(crate::plan::notify::observed_units(config));
    Script::observe(args)
}
