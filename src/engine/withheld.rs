//! The units for which `setup` grants nothing: whoever may start them at will, and can change a path that systemd opens
//! as root for them, becomes root. Judged by the rule `root-path`, in the repository's files and in the host's.

use crate::config::Config;
use crate::observed::{self, Live};
use crate::plan::units::{Purpose, units};
use crate::text::shown;
use crate::unit::merge::Unit;
use crate::unit::rules::{self, Finding, Severity};

/// A unit without sudo lines, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withheld {
    pub unit: String,
    pub why: String,
}

/// Every unit of deploy.yml that must not get sudo lines, each once. `live`: what the host reported, where it was asked.
pub fn withheld(config: &Config, repository: &[Unit], live: Option<&Live>) -> Vec<Withheld> {
    let of_repository = repository.iter().map(|unit| {
        let context = observed::context(unit, repository, Some(config));
        (unit, rules::lint(unit, &context))
    });
    let mut judged: Vec<(&Unit, Vec<Finding>)> = of_repository.collect();
    let of_host = live.into_iter().flat_map(|live| live.judge(config));
    judged.extend(of_host.map(|(unit, _, findings)| (unit, findings)));
    let reason = |name: &str| {
        let unread = live
            .and_then(|live| live.unit(name))
            .filter(|(unit, facts)| unit.files.is_empty() && facts.properties.is_loaded());
        if unread.is_some() {
            return Some("its file on the host cannot be read".to_owned());
        }
        let own = judged.iter().filter(|(unit, _)| {
            unit.name.as_str() == name
                || crate::unit::name::UnitName::new(name).and_then(|name| name.template()) == Some(unit.name.clone())
        });
        let error = own
            .flat_map(|(_, findings)| findings)
            .find(|finding| finding.rule == rules::ROOT_PATH && finding.severity == Severity::Error)?;
        Some(format!(
            "{}:{}: {}",
            shown(error.file.as_bytes()),
            error.line,
            shown(error.message.as_bytes())
        ))
    };
    let mut names = units(config, Purpose::Observe);
    names.dedup();
    let found = names.into_iter().filter_map(|unit| {
        let why = reason(unit)?;
        Some(Withheld {
            unit: unit.to_owned(),
            why,
        })
    });
    found.collect()
}
