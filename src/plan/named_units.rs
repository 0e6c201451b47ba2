//! The units that deploy.yml names: whether each name is the unit's own, and whether systemd lets a user drive it. Pure.
//! Never here: what a strategy needs of a unit.

use crate::config::{Config, Strategy};
use crate::failure::{Exit, Failure, Next};
use crate::observed::Observed;
use crate::plan::packaged;
use crate::plan::units::{Purpose, units};

/// What makes a unit of deploy.yml impossible to drive, each with what to change.
pub(super) fn lacks(config: &Config, observed: &Observed) -> Vec<(String, String)> {
    let mut lacks = Vec::new();
    for unit in units(config, Purpose::Observe) {
        if let Some(own) = own_name(unit, observed) {
            lacks.push((is_alias(unit, own), rename(unit, own)));
            continue;
        }
        // Only a reload stops nothing.
        let mut services = config.services.iter().filter(|one| one.strategy != Strategy::Reload);
        let is_stopped = services.any(|service| service.units().any(|one| one == unit));
        for (setting, act, applies) in [
            ("RefuseManualStart", "starts", true),
            ("RefuseManualStop", "restarts", is_stopped),
        ] {
            if applies && observed.unit(unit).text(setting) == "yes" {
                lacks.push((
                    format!("{unit} has {setting}=yes: systemd refuses all {act} that a user requests"),
                    format!("write {setting}=no under [Unit] of {unit} (`sudo systemctl edit {unit}`); then run the command again"),
                ));
            }
        }
    }
    lacks
}

/// The name that systemd and the journal have for a unit, if this is another one (an alias).
fn own_name<'a>(unit: &str, observed: &'a Observed) -> Option<&'a str> {
    let properties = observed.unit(unit);
    let own = properties.get("Id").filter(|own| !own.is_empty() && *own != unit);
    own.filter(|_| properties.is_loaded())
}

fn is_alias(unit: &str, own: &str) -> String {
    format!("{unit} is another name of {own}: the journal and all events use only that name")
}

fn rename(unit: &str, own: &str) -> String {
    format!("write {own} instead of {unit} in deploy.yml")
}

/// Refuses units under another name than their own: their journal would be empty. Fails with the names to write.
pub fn real_names(units: &[&str], observed: &Observed) -> Result<(), Failure> {
    let named = |unit: &&str| own_name(unit, observed).map(|own| (is_alias(unit, own), rename(unit, own)));
    let aliases: Vec<_> = units.iter().filter_map(named).collect();
    if aliases.is_empty() {
        return Ok(());
    }
    let what = "deploy.yml names a unit by an alias";
    let failure = Failure::new(Exit::Untouched, what).host("nothing changed");
    Err(aliases.into_iter().fold(failure, |failure, (why, next)| {
        failure.why(why).next(Next::advice(next))
    }))
}

/// The unit of the same type with nearly this name: at most a third of the letters are others. For a unit of php-fpm
/// (php8.4-fpm.service) it is the newest that the host has.
pub fn meant<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    if packaged::php_version(name).is_some() {
        return packaged::newest_php(known.iter().copied());
    }
    let (stem, kind) = name.rsplit_once('.')?;
    let near = known.iter().filter_map(|known| {
        let (other, of) = known.rsplit_once('.')?;
        let letters = strsim::damerau_levenshtein(stem, other);
        let limit = stem.chars().count().max(other.chars().count());
        (of == kind && other != stem && letters * 3 <= limit).then_some((letters, *known))
    });
    near.min().map(|(_, known)| known)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// What deploy.yml with these units lacks on a host that shows this of them.
    fn lacks_of(services: &str, shown: &str) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("deploy.yml");
        std::fs::write(&file, format!("app: acme\nhost: deploy@h\nsource: .\n{services}")).unwrap();
        let config = crate::config::load(&file, None).unwrap();
        let lacks = lacks(&config, &Observed::parse(shown.as_bytes()));
        lacks
            .into_iter()
            .map(|(what, change)| format!("{what} -- {change}"))
            .collect()
    }

    #[test]
    fn a_unit_under_another_name_or_that_nobody_may_start_is_refused_with_the_line_to_change() {
        let web = "services:\n  - unit: web.service\n    strategy: restart\n";
        for (services, shown, parts) in [
            (
                web,
                "unit web.service LoadState=loaded\nunit web.service Id=web.service\n",
                &[][..],
            ),
            (
                web,
                "unit web.service LoadState=not-found\nunit web.service Id=other.service\n",
                &[],
            ),
            (
                web,
                "unit web.service LoadState=loaded\nunit web.service Id=acme.service\n",
                &[
                    "web.service is another name of acme.service",
                    "write acme.service instead of web.service",
                ],
            ),
            (
                web,
                "unit web.service RefuseManualStop=yes\nunit web.service RefuseManualStart=no\n",
                &[
                    "RefuseManualStop=yes: systemd refuses all restarts",
                    "write RefuseManualStop=no",
                ],
            ),
            (
                web,
                "unit web.service RefuseManualStart=yes\n",
                &["RefuseManualStart=yes: systemd refuses all starts"],
            ),
            (
                "services:\n  - unit: web.service\n    strategy: reload\n",
                "unit web.service RefuseManualStop=yes\n",
                &[],
            ),
            (
                "services:\n  - unit: web.service\n    strategy: socket\n",
                "unit web.socket LoadState=loaded\nunit web.socket Id=acme.socket\n",
                &["web.socket is another name of acme.socket"],
            ),
            (
                "migrate: {unit: move.service}\nservices: []\n",
                "unit move.service LoadState=loaded\nunit move.service Id=acme-migrate.service\n",
                &["write acme-migrate.service instead of move.service"],
            ),
            (
                "migrate: {unit: move.service}\nservices: []\n",
                "unit move.service RefuseManualStart=yes\nunit move.service RefuseManualStop=yes\n",
                &["move.service has RefuseManualStart=yes"],
            ),
        ] {
            let lacks = lacks_of(services, shown);
            assert_eq!(
                lacks.len(),
                usize::from(!parts.is_empty()),
                "{services} {shown}: {lacks:?}"
            );
            for part in parts {
                assert!(lacks[0].contains(part), "{lacks:?}");
            }
        }
    }

    #[test]
    fn a_mistyped_unit_is_one_of_the_same_type_with_nearly_its_name() {
        let known = [
            "acme.service",
            "acme.socket",
            "acme-web.service",
            "acme@.service",
            "cron.service",
        ];
        for (name, near) in [
            ("acmee.service", Some("acme.service")),
            ("amce.service", Some("acme.service")),
            ("acme-wbe.service", Some("acme-web.service")),
            ("acmee.socket", Some("acme.socket")),
            ("acmee.timer", None),
            ("shop.service", None),
            ("a.service", None),
            ("acme", None),
            ("php8.4-fpm.service", None),
        ] {
            assert_eq!(meant(name, &known), near, "{name}");
        }
        let php = ["phpx-fpm.service", "php8.2-fpm.service", "php7.4-fpm.service"];
        assert_eq!(meant("php8.4-fpm.service", &php), Some("php8.2-fpm.service"));
    }
}
