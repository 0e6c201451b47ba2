//! Unit names of deploy.yml that nobody has, and the names that were meant. Never here: what else the host lacks.

use crate::config::Config;
use crate::failure::{Exit, Failure, Next};
use crate::observed::Observed;
use crate::observed::installed::InstalledUnits;
use crate::plan::named_units::{meant, real_names};
use crate::plan::packaged;
use crate::plan::units::{Purpose, units};
use crate::text;
use crate::unit::merge::Unit;
use crate::unit::name::UnitName;

/// Refuses unit names of deploy.yml that neither the host nor the repository has. `all`: also where no other unit has
/// nearly the same name; otherwise what a deploy lacks says it better. Fails with the names that were meant, or with how
/// to make the units.
pub fn refuse_unknown(
    config: &Config,
    observed: &Observed,
    installed: &InstalledUnits,
    repository: &[Unit],
    all: bool,
) -> Result<(), Failure> {
    real_names(&units(config, Purpose::Observe), observed)?;
    let own = repository.iter().map(|unit| unit.name.as_str());
    let known: Vec<&str> = installed.names.iter().map(String::as_str).chain(own.clone()).collect();
    let is_own = |name: &str| {
        let template = UnitName::new(name).and_then(|name| name.template());
        own.clone()
            .any(|own| own == name || template.as_ref().is_some_and(|template| own == template.as_str()))
    };
    let dir = config.units.dir.strip_prefix(&config.dir).unwrap_or(&config.units.dir);
    let dir = text::shown(dir.as_os_str().as_encoded_bytes());
    let unknown = units(config, Purpose::Observe).into_iter();
    let unknown = unknown.filter(|name| observed.unit(name).is_not_found() && !is_own(name));
    let mut unknown: Vec<_> = unknown
        .map(|name| (name, meant(name, &known)))
        .filter(|(_, near)| all || near.is_some())
        .collect();
    // A socket has its service's name unless deploy.yml gives it another: one mistake is reported once.
    let names: Vec<&str> = unknown.iter().map(|(name, _)| *name).collect();
    let follows = |socket: &str| {
        let service = socket.strip_suffix(".socket").map(|stem| format!("{stem}.service"));
        service.is_some_and(|service| names.contains(&service.as_str()))
    };
    unknown.retain(|(name, _)| !follows(name));
    if unknown.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = unknown.iter().map(|(name, _)| *name).collect();
    let exist = if names.len() == 1 { "exists" } else { "exist" };
    let what = format!("{} {exist} neither on the host nor in {dir}", names.join(", "));
    let mut failure = Failure::new(Exit::Untouched, what).host("nothing changed");
    for (name, near) in &unknown {
        if let Some(near) = near {
            failure = failure
                .why(format!("deploy.yml names {name}; did you mean {near}?"))
                .next(Next::advice(format!("write {near} instead of {name} in deploy.yml")));
        }
    }
    if unknown.iter().all(|(_, near)| near.is_some()) {
        return Err(failure);
    }
    let has = |name: &str| installed.names.iter().any(|installed| installed == name);
    let packaged: Vec<_> = unknown
        .iter()
        .filter(|(_, near)| near.is_none())
        .filter_map(|(name, _)| packaged::install(config, name, has))
        .collect();
    if !packaged.is_empty() {
        return Err(packaged.into_iter().fold(failure, Failure::next));
    }
    let install = config.host.as_root("unit install --now");
    let is_new = units(config, Purpose::Observe)
        .into_iter()
        .all(|name| observed.unit(name).is_not_found());
    // Of a service that has a unit already, `unit generate` writes the socket alone.
    let socket = format!("{}.socket", config.app);
    let service = format!("{}.service", config.app);
    let has_service = !observed.unit(&service).is_not_found() || is_own(&service);
    Err(failure.next(if has_service && names == [socket.as_str()] {
        Next::shipit("unit generate --only").arg(&socket).then("&&", install)
    } else if repository.is_empty() && is_new {
        Next::shipit("unit generate").then("&&", install)
    } else {
        Next::advice(format!("write the unit into {dir}, or correct its name in deploy.yml"))
    }))
}
