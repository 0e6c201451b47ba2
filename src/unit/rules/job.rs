//! Jobs: migrations, and what timers start. What a timer does is in `timer`, and when a migration runs in `order`.

use std::collections::BTreeSet;

use super::{Runtime, Severity, rules};
use crate::unit::merge::Unit;

/// Variables that decide which configuration the app's code loads.
const MODULES: [&str; 4] = [
    "DJANGO_SETTINGS_MODULE",
    "SPRING_PROFILES_ACTIVE",
    "FLASK_APP",
    "PYTHONPATH",
];

rules! {
    /// A job without the environment of its app
    ///
    /// A migration or a timer's job starts the app's code, but gets nothing from the app's service: each unit has its own
    /// `Environment=` and `EnvironmentFile=`.
    ///
    /// In production: without `RAILS_ENV=production` a migration changes the development database, or none, and reports
    /// success.
    ///
    /// ```ini
    /// # acme-migrate.service, as in acme.service
    /// [Service]
    /// Environment=RAILS_ENV=production
    /// EnvironmentFile=-/etc/acme/env
    /// ```
    ///
    /// See systemd.exec(5), `Environment=` and `EnvironmentFile=`.
    "job-environment" Warning Service job_environment(view, found) {
        if !(view.is_deploys() || view.is_timed()) || view.start().is_none() || !view.is_of_an_app() {
            return;
        }
        let name = view.unit.name.prefix();
        let app = |peer: &&Unit| {
            peer.name.kind() == "service"
                && name.strip_prefix(peer.name.prefix()).is_some_and(|rest| rest.starts_with('-'))
        };
        let Some(app) = view.peers().find(app) else { return };
        // Programs of the system need none of it.
        let own = view.unit.every_command().iter().any(|(command, _)| !command.program.starts_with("/usr/bin/"))
            || view.runtime() != Runtime::Other;
        let variable = |word: &str| word.split('=').next().unwrap_or_default().to_owned();
        let set = view.unit.words("Service", "Environment");
        let set: BTreeSet<String> = set.iter().map(|(word, _)| variable(word)).collect();
        let missing = app.words("Service", "Environment").into_iter().map(|(word, _)| word).filter(|word| {
            let name = variable(word);
            let kind = name.ends_with("_ENV") || name.ends_with("_ENVIRONMENT");
            (kind || MODULES.contains(&name.as_str())) && !set.contains(&name)
        });
        let missing: Vec<String> = missing.filter(|_| own).collect();
        let file = app.get("Service", "EnvironmentFile");
        let file = file.filter(|_| own && !view.unit.sets("Service", "EnvironmentFile"));
        let named: Vec<String> = missing.iter().map(|word| variable(word)).collect();
        let named: Vec<String> = named.into_iter().chain(file.map(|_| "EnvironmentFile=".to_owned())).collect();
        if named.is_empty() {
            return;
        }
        let message = format!("{} has {}, but this job, which runs the same code, does not", app.name, named.join(", "));
        let finding = found.missing("Service", message);
        for word in missing {
            finding.suggest_more("Service", "Environment", word);
        }
        if let Some(file) = file {
            finding.suggest_more("Service", "EnvironmentFile", file.value);
        }
    }

    /// A job without a time limit
    ///
    /// With `Type=oneshot`, the default of `TimeoutStartSec=` is infinite.
    ///
    /// In production: a migration waits for a lock in the database, and the deploy waits for the migration, until
    /// someone notices.
    ///
    /// ```ini
    /// [Service]
    /// Type=oneshot
    /// TimeoutStartSec=10min
    /// ```
    ///
    /// See systemd.service(5), `TimeoutStartSec=`.
    "oneshot-timeout" Warning Service oneshot_timeout(view, found) {
        if view.unit.service("Type") != "oneshot" || view.start().is_none() {
            return;
        }
        let set = view.unit.timeout("TimeoutStartSec").is_some()
            || view.unit.span("Service", "RuntimeMaxSec").is_some();
        if !set && (view.is_deploys() || view.is_timed() || view.is_app()) {
            let finding = found.missing(
                "Service",
                "Type=oneshot without TimeoutStartSec=: it may hang forever",
            );
            finding.suggest("Service", "TimeoutStartSec", "10min");
            if !view.is_deploys() {
                finding.severity(Severity::Info);
            }
        }
    }
}
