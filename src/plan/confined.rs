//! Settings of the host that take away from the conductor what it needs, such as a drop-in in `service.d/`, which every
//! service of the host gets. What is missing on the host is in `needs`.

use std::path::Path;

use crate::config::Config;
use crate::failure::Next;
use crate::observed::Observed;
use crate::text;

/// What a drop-in of the host, such as one in `service.d/` for every service, takes away from the conductor.
/// Gives what is wrong, and the settings that put it right.
pub fn lack(config: &Config, observed: &Observed) -> Option<(String, String)> {
    let guard = format!("shipit-{}.service", config.app.as_str());
    let unit = observed.unit(&guard);
    let root = Path::new(config.root.as_str());
    let covers = |key: &str| {
        let mut paths = unit.text(key).split(' ').filter(|path| !path.is_empty());
        paths.any(|path| root.starts_with(path.trim_start_matches(['-', '+'])))
    };
    let is_yes = |key: &str| unit.text(key) == "yes";
    let at_home = ["/home", "/root", "/run/user"]
        .iter()
        .any(|home| root.starts_with(home));
    let writable = covers("ReadWritePaths");
    let bad = [
        (
            "NoNewPrivileges=no",
            is_yes("NoNewPrivileges") && observed.uid != Some(0),
        ),
        ("PrivateUsers=no", is_yes("PrivateUsers")),
        ("PrivateNetwork=no", is_yes("PrivateNetwork")),
        ("ProtectSystem=no", unit.text("ProtectSystem") == "strict" && !writable),
        (
            "ProtectHome=no",
            at_home && !matches!(unit.text("ProtectHome"), "" | "no") && !writable,
        ),
        ("ReadOnlyPaths=", covers("ReadOnlyPaths") && !writable),
    ];
    let settings: Vec<_> = bad
        .iter()
        .filter(|(_, is_bad)| *is_bad)
        .map(|(reset, _)| *reset)
        .collect();
    let keys: Vec<_> = settings
        .iter()
        .filter_map(|reset| Some(reset.split_once('=')?.0))
        .collect();
    let files = text::shown(unit.text("DropInPaths").as_bytes());
    let keys = keys.join(", ");
    let what = format!("drop-ins override {keys} in {guard} ({files}): the conductor could not switch");
    (!settings.is_empty()).then(|| (what, settings.join(" ")))
}

/// How to exempt the conductor from settings that are meant for other services.
pub fn exempt(config: &Config, settings: &str) -> Next {
    let guard = format!("shipit-{}", config.app.as_str());
    let root = config.host.of("root").ssh_to();
    Next::ssh(format!("-t {root} systemctl edit {guard}.service {guard}-boot.service"))
        .remark(format!("in each: [Service] {settings}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The lack's settings where the conductor's unit has these properties.
    fn settings(properties: &str) -> Option<String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("deploy.yml");
        std::fs::write(&file, "app: acme\nhost: h\nsource: .\nservices: []\n").unwrap();
        let config = crate::config::load(&file, None).unwrap();
        let lines: Vec<String> = properties
            .lines()
            .map(|line| format!("unit shipit-acme.service {line}\n"))
            .collect();
        let observed = Observed::parse(format!("uid 1000\n{}whole\n", lines.concat()).as_bytes());
        Some(lack(&config, &observed)?.1)
    }

    #[test]
    fn only_settings_that_stop_the_conductor_count() {
        for harmless in [
            "",
            "NoNewPrivileges=no\nPrivateUsers=no\nProtectSystem=full\nProtectHome=yes\nReadOnlyPaths=/etc /opt/other",
            "ProtectSystem=strict\nReadWritePaths=/var -/opt/acme",
        ] {
            assert_eq!(settings(harmless), None, "{harmless}");
        }
        for (bad, reset) in [
            (
                "NoNewPrivileges=yes\nPrivateNetwork=yes",
                "NoNewPrivileges=no PrivateNetwork=no",
            ),
            (
                "ProtectSystem=strict\nReadWritePaths=/opt/acme/shared",
                "ProtectSystem=no",
            ),
            ("ReadOnlyPaths=/etc -/opt", "ReadOnlyPaths="),
        ] {
            assert_eq!(settings(bad).as_deref(), Some(reset), "{bad}");
        }
    }
}
