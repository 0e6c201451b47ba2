//! The way back of a first deploy, of services that were running before and of others.

use shipit::config;
use shipit::plan::plan;
use shipit::step::Step;

use super::{BASE, deploy, facts};

#[test]
fn a_failed_first_deploy_stops_only_what_was_not_running_before() {
    let services = "services:\n  - unit: php8.2-fpm.service\n    strategy: reload\n  - unit: acme.service\n    \
                    strategy: restart\n";
    let first = |state: &str, services: &str| {
        let host = facts(&format!(
            "current absent\nunit php8.2-fpm.service LoadState=loaded\nunit php8.2-fpm.service ActiveState={state}\n\
             unit php8.2-fpm.service CanReload=yes\n"
        ));
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("deploy.yml");
        std::fs::write(&file, format!("{BASE}{services}")).unwrap();
        let plan = plan(&config::load(&file, None).unwrap(), &host, &deploy("a")).unwrap();
        let last = plan.warnings.last().unwrap().clone();
        (plan.revert, last.split_once("it fails, ").unwrap().1.to_owned())
    };
    let (revert, warning) = first("active", services);
    let php = || "php8.2-fpm.service".to_owned();
    assert!(
        revert[1] == Step::Stop("acme.service".into()) && revert[2] == Step::Reload(php()),
        "{revert:?}"
    );
    assert!(matches!(revert[3], Step::Await(_)) && revert.len() == 4, "{revert:?}");
    assert_eq!(
        warning,
        "`current` is removed, the other services are stopped, and php8.2-fpm.service, which is already running, is reloaded"
    );
    let (revert, warning) = first("inactive", services);
    assert!(revert.contains(&Step::Stop(php())), "{revert:?}");
    assert_eq!(warning, "`current` is removed and the services are stopped");
    let (_, warning) = first("active", services.split("  - unit: acme").next().unwrap());
    assert_eq!(
        warning,
        "`current` is removed, and php8.2-fpm.service, which is already running, is reloaded"
    );
}
