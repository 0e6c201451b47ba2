//! A unit together with its context: the units beside it, the app it belongs to, the running host. Answers questions
//! that several rules ask; judges nothing.

use std::time::Duration;

use super::facts::{Facts, FileFact};
use super::runtime::{self, Runtime};
use crate::unit::command::Command;
use crate::unit::merge::{Entry, Unit};
use crate::unit::name::UnitName;
use crate::unit::strategy::Strategy;
use crate::unit::value::{self, Span};

/// What is known besides the unit's own text.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The units that are checked together with this one; may contain it.
    pub peers: Vec<Unit>,
    /// Whether `peers` are all the app's units, so that a missing one can be reported.
    pub peers_complete: bool,
    /// The app's root, `/opt/acme`.
    pub root: Option<String>,
    pub strategy: Option<Strategy>,
    /// How long the app may take to finish its requests after SIGTERM.
    pub drain: Option<Duration>,
    pub migrate: Option<UnitName>,
    /// The unit of `migrate.before`.
    pub before: Option<UnitName>,
    /// Whether this unit runs a new release before it serves, or is its socket: only a deploy starts it.
    pub is_trial: bool,
    pub deploy_user: Option<String>,
    /// When a host was asked.
    pub host: Option<Facts>,
}

pub struct View<'a> {
    pub unit: &'a Unit,
    pub context: &'a Context,
    start: Option<(Command, Entry<'a>)>,
}

impl<'a> View<'a> {
    #[must_use]
    pub fn new(unit: &'a Unit, context: &'a Context) -> Self {
        Self {
            unit,
            context,
            start: unit.commands("ExecStart").into_iter().next(),
        }
    }

    /// The first command of `ExecStart=`.
    pub fn start(&self) -> Option<(&Command, Entry<'a>)> {
        self.start.as_ref().map(|(command, entry)| (command, *entry))
    }

    /// As far as the command line shows it.
    pub fn runtime(&self) -> Runtime {
        self.start
            .as_ref()
            .map_or(Runtime::Other, |(command, _)| runtime::of(command))
    }

    /// `Type=` as it takes effect. systemd.service(5).
    pub fn kind(&self) -> &'a str {
        match self.unit.service("Type") {
            "" if !self.unit.service("BusName").is_empty() => "dbus",
            "" if !self.unit.sets("Service", "ExecStart") => "oneshot",
            "" => "simple",
            set => set,
        }
    }

    /// Whether it should keep running: it is not oneshot, a timer's, a deploy's, a trial, or one for each connection.
    pub fn stays(&self) -> bool {
        self.kind() != "oneshot"
            && self.start.is_some()
            && !self.is_timed()
            && !self.is_deploys()
            && !self.context.is_trial
            && !self.is_per_connection()
    }

    /// Whether systemd starts an instance for each connection: a template that takes it as its standard input, or is
    /// beside a `.socket` with `Accept=yes`. systemd.socket(5).
    pub fn is_per_connection(&self) -> bool {
        let name = &self.unit.name;
        let own = |peer: &Unit| peer.name.stem() == name.prefix() && peer.yes("Socket", "Accept") == Some(true);
        (name.is_template() || !name.instance().is_empty())
            && (self.unit.service("StandardInput") == "socket"
                || self.peers().any(|peer| peer.name.kind() == "socket" && own(peer)))
    }

    pub fn host(&self) -> Option<&'a Facts> {
        self.context.host.as_ref()
    }

    /// A property of `systemctl show`; `None` when it was not asked for or is empty.
    pub fn show(&self, key: &str) -> Option<&'a str> {
        self.host()?.properties.get(key).filter(|value| !value.is_empty())
    }

    pub fn file(&self, path: &str) -> Option<&'a FileFact> {
        self.host()?.files.get(path)
    }

    /// The other units that are checked together with this one.
    pub fn peers(&self) -> impl Iterator<Item = &'a Unit> + use<'a> {
        let name = &self.unit.name;
        self.context.peers.iter().filter(move |peer| peer.name != *name)
    }

    /// The peers of one type that start this service.
    fn triggered_by(&self, kind: &'static str) -> impl Iterator<Item = &'a Unit> + use<'a> {
        let name = &self.unit.name;
        self.peers()
            .filter(move |peer| peer.name.kind() == kind && triggers(peer, name))
    }

    /// The `.socket` that passes this service its listening sockets.
    pub fn socket(&self) -> Option<&'a Unit> {
        let by_name = self
            .peers()
            .find(|peer| self.unit.has("Service", "Sockets", peer.name.as_str()));
        by_name.or_else(|| self.triggered_by("socket").next())
    }

    /// Whether a `.socket` holds its port, according to the peers, the strategy or the host.
    pub fn is_socket_activated(&self) -> bool {
        self.socket().is_some()
            || self.unit.sets("Service", "Sockets")
            || self.context.strategy.is_some_and(Strategy::needs_socket)
            || self.show("TriggeredBy").is_some_and(|by| by.contains(".socket"))
    }

    /// Whether a `.timer` (or `.path`) starts it.
    pub fn is_timed(&self) -> bool {
        self.triggered_by("timer")
            .chain(self.triggered_by("path"))
            .next()
            .is_some()
            || self
                .show("TriggeredBy")
                .is_some_and(|by| by.contains(".timer") || by.contains(".path"))
    }

    pub fn is_root(&self) -> bool {
        matches!(self.unit.service("User"), "" | "root" | "0") && self.unit.yes("Service", "DynamicUser") != Some(true)
    }

    /// Whether it is for the manager of a user, not for the system: by its place, or by a target that only users have.
    pub fn is_of_a_user(&self) -> bool {
        const TARGETS: [&str; 3] = [
            "default.target",
            "graphical-session.target",
            "graphical-session-pre.target",
        ];
        let file = self.unit.files.first().map_or("", |file| file.path.as_str());
        let by_place = file.starts_with("user/") || file.contains("/user/") || file.contains("systemd-user/");
        let keys = ["WantedBy", "RequiredBy"];
        let installs = TARGETS.iter().any(|target| self.unit.has("Install", keys, target));
        let orders = ["After", "PartOf", "BindsTo", "Requisite"];
        let session = TARGETS[1..].iter().any(|target| self.unit.has("Unit", orders, target));
        by_place || (installs || session) && !self.unit.sets("Service", ["User", "Group", "DynamicUser"])
    }

    /// A user for it alone, by its name: never one that others use.
    pub fn own_user(&self) -> Option<String> {
        const SHARED: [&str; 7] = ["root", "nobody", "daemon", "www-data", "systemd", "bin", "sys"];
        let name = match self.context.root {
            Some(_) => self.app(),
            None => self.unit.name.prefix(),
        };
        let name = name.split('-').next().unwrap_or_default().to_ascii_lowercase();
        let usable = value::is_account(&name) && name.starts_with(|c: char| c.is_ascii_lowercase());
        (usable && !SHARED.contains(&name.as_str())).then_some(name)
    }

    /// Whether it migrates a database, according to the context or to its name.
    pub fn is_migration(&self) -> bool {
        match &self.context.migrate {
            Some(name) => *name == self.unit.name,
            None => self.unit.name.stem().contains("migrat"),
        }
    }

    /// Whether it is the unit that must succeed before the migration.
    pub fn is_backup(&self) -> bool {
        self.context.before.as_ref() == Some(&self.unit.name)
    }

    /// Whether a deploy starts it as a job: the migration, or the unit before it.
    pub fn is_deploys(&self) -> bool {
        self.is_migration() || self.is_backup()
    }

    /// The app's name: the last part of its root, or else of the unit's name without its instance.
    pub fn app(&self) -> &'a str {
        let root = self.context.root.as_deref();
        let name = root.and_then(|root| root.trim_end_matches('/').rsplit('/').next());
        name.filter(|name| !name.is_empty()).unwrap_or(self.unit.name.prefix())
    }

    /// Whether another unit of the host starts it.
    pub fn is_wanted(&self) -> bool {
        ["WantedBy", "RequiredBy", "UpheldBy", "RequisiteOf"]
            .iter()
            .any(|key| self.show(key).is_some())
    }

    /// Whether it runs deployed code, not a program of the distribution.
    pub fn is_app(&self) -> bool {
        if self.context.strategy.is_some() {
            return true;
        }
        const PLACES: [&str; 6] = ["/opt/", "/srv/", "/home/", "/var/www/", "/usr/local/", "/root/"];
        let place = |text: &str| {
            PLACES.iter().any(|place| text.starts_with(place))
                || self
                    .context
                    .root
                    .as_ref()
                    .is_some_and(|root| text.starts_with(root.as_str()))
        };
        let Some((command, _)) = &self.start else {
            return false;
        };
        place(&command.program)
            || place(self.unit.service("WorkingDirectory"))
            || command.words().any(place)
            || command
                .shell_script()
                .is_some_and(|script| script.split_whitespace().any(place))
    }

    /// Whether it belongs to an app: it runs deployed code, or starts a unit that does, or `deploy.yml` is known.
    pub fn is_of_an_app(&self) -> bool {
        let starts = |peer: &Unit| triggers(self.unit, &peer.name) && View::new(peer, self.context).is_app();
        self.is_app() || self.context.root.is_some() || self.unit.name.kind() != "service" && self.peers().any(starts)
    }

    /// Whether its file is where packages install theirs.
    pub fn is_of_the_distribution(&self) -> bool {
        let file = self.unit.files.first();
        file.is_some_and(|file| is_of_a_package(&file.path))
    }

    /// Whether one of its programs, or the script that it runs, is below the app's root.
    pub fn runs_below(&self, root: &str) -> bool {
        let inside = |path: &str| std::path::Path::new(path).starts_with(root);
        self.unit.every_command().iter().any(|(command, _)| {
            let script = command.words().find(|word| !word.starts_with('-'));
            inside(&command.program)
                || command
                    .shell_script()
                    .is_some_and(|script| script.split_whitespace().any(inside))
                || runtime::of(command) != Runtime::Other && script.is_some_and(inside)
        })
    }

    /// Whether it belongs to a package, and a deploy only reloads it: php-fpm or a web server, which several apps share.
    /// It starts no program of the app, and its user, its directory and its stop are the package's choice.
    pub fn is_shared(&self) -> bool {
        let commands = self.unit.commands("ExecStart");
        self.is_of_the_distribution()
            && commands.iter().all(|(_, entry)| is_of_a_package(entry.file))
            && !self.context.root.as_deref().is_some_and(|root| self.runs_below(root))
            && self.context.strategy == Some(Strategy::Reload)
            && self.host().is_none_or(|facts| facts.repository.is_none())
    }

    /// A span in seconds (infinite for `infinity`), or `default` where nothing valid is set.
    pub fn seconds(&self, section: &str, key: &str, default: f64) -> f64 {
        let set = if section == "Service" {
            self.unit.timeout(key)
        } else {
            self.unit.span(section, key)
        };
        set.map_or(default, Span::seconds)
    }
}

/// Whether packages install their units here.
pub fn is_of_a_package(path: &str) -> bool {
    path.starts_with("/usr/lib/systemd/") || path.starts_with("/lib/systemd/")
}

/// Whether a socket, timer or path unit starts this service.
pub fn triggers(trigger: &Unit, service: &UnitName) -> bool {
    let (section, key) = match trigger.name.kind() {
        "socket" => ("Socket", "Service"),
        "timer" => ("Timer", "Unit"),
        _ => ("Path", "Unit"),
    };
    match trigger.get(section, key) {
        Some(entry) => entry.value == service.as_str(),
        None => trigger.name.with_kind("service").is_some_and(|name| name == *service),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{Severity, lint};
    use super::*;

    #[test]
    fn a_packages_unit_that_a_deploy_reloads_is_judged_by_what_the_host_reports_and_by_its_drop_ins() {
        let text = b"[Service]\nExecStart=/usr/sbin/php-fpm8.2 --nodaemonize\nExecReload=/bin/kill -USR2 $MAINPID\n";
        let pair = |line: &str| {
            line.split_once('=')
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
        };
        let found = |dir: &str, strategy, properties: &str| {
            let unit = Unit::parse(&format!("{dir}/php8.2-fpm.service"), text).unwrap();
            let context = Context {
                root: Some("/opt/shop".into()),
                strategy: Some(strategy),
                host: Some(Facts {
                    properties: properties.lines().filter_map(pair).collect(),
                    ..Facts::default()
                }),
                ..Context::default()
            };
            let found = lint(&unit, &context).into_iter();
            found.map(|one| (one.rule, one.severity)).collect::<Vec<_>>()
        };
        let has = |all: &[(&str, Severity)], rule: &str| all.iter().any(|(name, _)| *name == rule);
        let package = "/lib/systemd/system";
        assert_eq!(found(package, Strategy::Reload, ""), []);
        for (dir, strategy) in [(package, Strategy::Restart), ("/etc/systemd/system", Strategy::Reload)] {
            let all = found(dir, strategy, "");
            for rule in ["user-root", "path-not-current", "kill-signal"] {
                assert!(has(&all, rule), "{dir} {strategy:?}: {all:?}");
            }
        }
        // One that runs the app is judged as any other.
        let own = String::from_utf8_lossy(text).replace("/usr/sbin/php-fpm8.2", "/opt/shop/bin/server");
        let unit = Unit::parse(&format!("{package}/shop.service"), own.as_bytes()).unwrap();
        let context = Context {
            root: Some("/opt/shop".into()),
            strategy: Some(Strategy::Reload),
            ..Context::default()
        };
        let all: Vec<_> = lint(&unit, &context)
            .into_iter()
            .map(|one| (one.rule, one.severity))
            .collect();
        assert!(has(&all, "user-root") && has(&all, "path-not-current"), "{all:?}");
        let failed = found(package, Strategy::Reload, "ActiveState=failed\nResult=exit-code");
        assert_eq!(failed, [("drift-failed", Severity::Error)]);
    }
}
