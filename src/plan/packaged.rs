//! Units that come with a package of Debian: what to install where the host does not have them. Never here: programs, whose
//! packages are in `diagnosis/packages.rs`.

use crate::config::Config;
use crate::failure::Next;

/// The line that installs what brings this unit; `None` for a unit that no known package brings. `has`: which units the
/// host has.
pub fn install(config: &Config, unit: &str, has: impl Fn(&str) -> bool) -> Option<Next> {
    let servers = ["nginx.service", "apache2.service", "caddy.service"];
    let packages = match unit {
        "nginx.service" => "nginx",
        "apache2.service" => "apache2",
        "caddy.service" => "caddy",
        "haproxy.service" => "haproxy",
        unit if php_version(unit).is_some() && servers.iter().any(|server| has(server)) => "php-fpm",
        unit if php_version(unit).is_some() => "nginx php-fpm",
        _ => return None,
    };
    let root = config.host.of("root").ssh_to();
    Some(Next::ssh(format!("-t {root} apt-get install {packages}")))
}

/// The version in `php8.2-fpm.service`, as numbers; each version has a name of its own. Empty for `php-fpm.service`, `None`
/// for any other unit.
pub fn php_version(unit: &str) -> Option<Vec<u32>> {
    match unit.strip_prefix("php")?.strip_suffix("-fpm.service")? {
        "" => Some(Vec::new()),
        version => version.split('.').map(|part| part.parse().ok()).collect(),
    }
}

/// The unit of php-fpm with the highest version.
pub fn newest_php<'a>(units: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let versions = units.filter_map(|unit| Some((php_version(unit)?, unit)));
    versions.max().map(|(_, unit)| unit)
}

#[cfg(test)]
mod tests {
    use super::{newest_php, php_version};

    #[test]
    fn a_unit_of_php_fpm_has_a_version_or_none_and_the_newest_is_taken() {
        for (unit, version) in [
            ("php8.2-fpm.service", Some(vec![8, 2])),
            ("php-fpm.service", Some(vec![])),
            ("phpmyadmin-fpm.service", None),
            ("php8.2-fpm.socket", None),
        ] {
            assert_eq!(php_version(unit), version, "{unit}");
        }
        let units = [
            "php8.4-fpm.service",
            "nginx.service",
            "php8.10-fpm.service",
            "php-fpm.service",
        ];
        assert_eq!(newest_php(units.into_iter()), Some("php8.10-fpm.service"));
        assert_eq!(newest_php(units[1..2].iter().copied()), None);
    }
}
