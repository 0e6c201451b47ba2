//! The units that deploy.yml names, and what each is needed for: what a command looks at, whose journal is read, and
//! what the deploy user may do with them as root. Every such list is made here. Pure.

use crate::config::{Config, RunAs, Service};
use crate::unit::strategy::Strategy;

/// Where `setup` installs the root-owned helpers, in a directory for each app.
pub const HELPERS: &str = "/usr/local/lib/shipit/";

/// What a unit is to the app.
#[derive(Clone, Copy)]
enum Role<'a> {
    /// One of a service's units.
    Service(&'a Service),
    /// It holds a service's port.
    Socket,
    /// It runs a new release of a service before that serves.
    Trial,
    Migration,
    /// It must succeed before the migration.
    Backup,
    /// The template that the host starts when a switch ended.
    Notify,
}

/// What a list of units is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Everything that is looked at: services, trials, migration, the unit before it, sockets.
    Observe,
    /// Whose journal is read: services, trials, migration, the unit before it.
    Journal,
    /// What `setup` lets the deploy user start: all that is looked at, and the template that notifies.
    Grant,
}

/// When the deploy user needs a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// In a deploy, which asks the host for them first.
    Deploy,
    /// Day to day. A deploy does not ask for these, so a host that was set up before they existed goes on taking
    /// deploys.
    DayToDay,
}

/// Every unit with its role: each service's units, then its trial and its socket; the migration, and the unit before it.
fn named(config: &Config) -> Vec<(&str, Role<'_>)> {
    let mut named = Vec::new();
    for service in &config.services {
        named.extend(service.units().map(|unit| (unit, Role::Service(service))));
        let trial = service.trial.as_ref();
        named.extend(trial.map(|trial| (trial.unit.as_str(), Role::Trial)));
        let socket = service.socket.as_ref();
        named.extend(socket.map(|socket| (socket.as_str(), Role::Socket)));
    }
    let migrate = config.migrate.as_ref();
    named.extend(migrate.map(|migrate| (migrate.unit.as_str(), Role::Migration)));
    let before = migrate.and_then(|migrate| migrate.before.as_ref());
    named.extend(before.map(|before| (before.as_str(), Role::Backup)));
    let notify = config.notify.as_ref();
    named.extend(notify.map(|notify| (notify.as_str(), Role::Notify)));
    named
}

/// The units for one purpose; sockets come last.
pub fn units(config: &Config, purpose: Purpose) -> Vec<&str> {
    let (sockets, mut units): (Vec<_>, Vec<_>) = named(config)
        .into_iter()
        .filter(|(_, role)| purpose == Purpose::Grant || !matches!(role, Role::Notify))
        .partition(|(_, role)| matches!(role, Role::Socket));
    if purpose != Purpose::Journal {
        units.extend(sockets);
    }
    units.into_iter().map(|(unit, _)| unit).collect()
}

/// The command lines that the deploy user must be able to run as root: word for word those of the sudo rule.
pub fn sudo_lines(config: &Config, when: When) -> Vec<String> {
    let app = config.app.as_str();
    let mut lines: Vec<String> = named(config)
        .into_iter()
        .flat_map(|(unit, role)| {
            let verbs = verbs(role, when);
            verbs
                .into_iter()
                .map(move |verb| format!("/usr/bin/systemctl {verb} {unit}"))
        })
        .collect();
    let journals = units(config, Purpose::Journal);
    match when {
        When::Deploy => lines.extend(
            std::iter::once(harmless(config)).chain(journals.into_iter().flat_map(|unit| {
                let journal = format!("/usr/bin/journalctl --unit={unit}");
                [
                    format!("{journal} --lines=1000 --output=json --no-pager"),
                    format!("{journal} --lines=100 --output=json --no-pager --follow"),
                ]
            })),
        ),
        When::DayToDay => {
            lines.push(format!("{} {app}", env_helper(config)));
            lines.extend(journal_helper(config));
            lines.extend(runnable(config).map(|unit| run_helper(config, unit)));
            lines.extend(notify_helper(config));
        }
    }
    lines
}

/// What systemctl is asked to do with a unit.
fn verbs(role: Role<'_>, when: When) -> Vec<&'static str> {
    let reloads = matches!(role, Role::Service(service) if service.strategy == Strategy::Reload);
    let reload = |asked: bool| asked.then_some("--no-block reload");
    let (verbs, more): (&[_], _) = match (role, when) {
        (Role::Service(_) | Role::Trial, When::Deploy) => (
            &["--no-block restart", "reset-failed", "kill -s KILL", "stop"],
            reload(reloads),
        ),
        (Role::Service(_), When::DayToDay) => (&["--no-block start"], reload(!reloads)),
        (Role::Socket, When::Deploy) => (&["reset-failed", "start"], None),
        (Role::Socket, When::DayToDay) => (&["stop"], None),
        (Role::Migration | Role::Backup, When::Deploy) => (&["--no-block start", "stop"], None),
        (Role::Trial | Role::Migration | Role::Backup, When::DayToDay) | (Role::Notify, _) => (&[], None),
    };
    verbs.iter().copied().chain(more).collect()
}

/// What the sudo rule lets the deploy user do with a unit, in words and in this order. Not `reset-failed`, which
/// touches no process.
pub fn lets(config: &Config, unit: &str) -> Vec<&'static str> {
    let of_unit = named(config).into_iter().filter(|(name, _)| *name == unit);
    let granted: Vec<&str> = of_unit
        .flat_map(|(_, role)| [When::Deploy, When::DayToDay].map(|when| verbs(role, when)).concat())
        .filter_map(|verb| verb.trim_start_matches("--no-block ").split(' ').next())
        .collect();
    let mut words = vec!["start", "stop", "restart", "reload", "kill"];
    words.retain(|word| granted.contains(word));
    words
}

/// The program by which the deploy user changes the app's environment; `setup` installs it, owned by root.
pub fn env_helper(config: &Config) -> String {
    format!("{HELPERS}{}/env", config.app.as_str())
}

/// The line that is run to learn whether sudo works: it prints the app's rule.
pub fn harmless(config: &Config) -> String {
    format!("/usr/bin/cat /etc/sudoers.d/shipit-{}", config.app.as_str())
}

/// The command line by which the deploy user runs commands as this service.
pub fn run_helper(config: &Config, unit: &str) -> String {
    let app = config.app.as_str();
    format!("{HELPERS}{app}/run {app} {unit}")
}

/// The units as which `shipit run` may run commands; none with `run_as: deploy`.
pub fn runnable(config: &Config) -> impl Iterator<Item = &str> {
    let services = config.run_as == RunAs::Service;
    config.instances().map(|one| one.unit).filter(move |_| services)
}

/// The command line by which the app's notify unit is started for a run, which travels on stdin.
pub fn notify_helper(config: &Config) -> Option<String> {
    let app = config.app.as_str();
    let template = config.notify.as_ref()?;
    Some(format!("{HELPERS}{app}/notify {app} {template}"))
}

/// The command line by which root reads what the deploy user may not: journals, and which releases processes run from.
pub fn journal_helper(config: &Config) -> Option<String> {
    let units = units(config, Purpose::Journal).join(" ");
    let app = config.app.as_str();
    (!units.is_empty()).then(|| format!("{HELPERS}{app}/journal {units}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_words_for_what_is_let_are_the_verbs_of_the_sudo_lines() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("deploy.yml");
        let yml = "app: acme\nhost: deploy@h\nsource: .\nmigrate: {unit: acme-migrate.service}\nservices:\n  \
                   - unit: php-fpm.service\n    strategy: reload\n    health: {url: 'http://127.0.0.1:8080/'}\n  \
                   - unit: acme.service\n    strategy: socket\n    socket: acme.socket\n    \
                   health: {url: 'http://127.0.0.1:8081/'}\n";
        std::fs::write(&file, yml).unwrap();
        let config = crate::config::load(&file, None).unwrap();
        let mut lines = sudo_lines(&config, When::Deploy);
        lines.extend(sudo_lines(&config, When::DayToDay));
        for unit in ["php-fpm.service", "acme.service", "acme.socket", "acme-migrate.service"] {
            let of_unit =
                |line: &&String| line.starts_with("/usr/bin/systemctl ") && line.ends_with(&format!(" {unit}"));
            let has = |word: &&&str| {
                lines
                    .iter()
                    .filter(of_unit)
                    .any(|line| line.contains(&format!(" {word} ")))
            };
            let all = ["start", "stop", "restart", "reload", "kill"];
            let granted: Vec<&str> = all.iter().filter(has).copied().collect();
            assert_eq!(lets(&config, unit), granted, "{unit}");
        }
        assert_eq!(
            lets(&config, "php-fpm.service"),
            ["start", "stop", "restart", "reload", "kill"]
        );
        assert_eq!(lets(&config, "acme-migrate.service"), ["start", "stop"]);
        assert!(lets(&config, "other.service").is_empty());
    }
}
