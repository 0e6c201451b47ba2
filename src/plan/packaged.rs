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
        unit if is_php(unit) && servers.iter().any(|server| has(server)) => "php-fpm",
        unit if is_php(unit) => "nginx php-fpm",
        _ => return None,
    };
    let root = config.host.of("root").ssh_to();
    Some(Next::ssh(format!("-t {root} apt-get install {packages}")))
}

/// `php8.2-fpm.service`: each version has a name of its own.
fn is_php(unit: &str) -> bool {
    let version = unit
        .strip_prefix("php")
        .and_then(|rest| rest.strip_suffix("-fpm.service"));
    version.is_some_and(|version| version.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

#[cfg(test)]
mod tests {
    use super::is_php;

    #[test]
    fn a_unit_of_php_fpm_has_a_version_or_none() {
        for (unit, is) in [
            ("php8.2-fpm.service", true),
            ("php-fpm.service", true),
            ("phpmyadmin-fpm.service", false),
            ("php8.2-fpm.socket", false),
        ] {
            assert_eq!(is_php(unit), is, "{unit}");
        }
    }
}
