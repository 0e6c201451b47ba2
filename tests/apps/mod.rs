//! Small real web servers: release trees to deploy, and the units that run them on a lab host.
//! Nothing here knows how a deploy works; [`App::publish`] is the plain hand-made one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use crate::lab::Host;

const SERVER: &str = include_str!("server.py");

/// What the server of a release does beside answering; `server.py` describes each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Dies at once on SIGTERM, and on SIGHUP.
    Plain,
    /// Drains politely on SIGTERM; on SIGHUP becomes the next release, listener and process kept.
    Graceful,
    /// Graceful, but ignores SIGHUP: the old process keeps answering.
    Stubborn,
    /// Graceful, ready after 1.5 s.
    SlowStart,
    /// Ends with status 7 before it listens.
    CrashAtStart,
    /// Ends with status 7 two seconds after it was ready.
    CrashAfter2s,
    /// Answers 500 to everything.
    Unhealthy,
    /// Healthy, and answers 500 to every other request.
    Erring,
    /// Healthy until 20 clients were answered, then answers 500 to everything.
    Souring,
    /// Healthy, and answers 500 to /ready.
    NotReady,
    /// Healthy, and takes 0.6 s for each response.
    Sluggish,
    /// Accepts and never answers.
    Hanging,
    /// Listens, never says READY=1, ignores SIGTERM.
    NeverReady,
    /// Never comes to listen, ignores SIGTERM.
    Stuck,
    /// Has no server.py at all.
    NoProgram,
}

impl Kind {
    /// Every kind, for loops over them.
    pub const ALL: [Self; 15] = [
        Self::Plain,
        Self::Graceful,
        Self::Stubborn,
        Self::SlowStart,
        Self::CrashAtStart,
        Self::CrashAfter2s,
        Self::Unhealthy,
        Self::Erring,
        Self::Souring,
        Self::NotReady,
        Self::Sluggish,
        Self::Hanging,
        Self::NeverReady,
        Self::Stuck,
        Self::NoProgram,
    ];

    fn behaviour(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Graceful | Self::NoProgram => "graceful",
            Self::Stubborn => "stubborn",
            Self::SlowStart => "slow",
            Self::CrashAtStart => "crash",
            Self::CrashAfter2s => "doomed",
            Self::Unhealthy => "unhealthy",
            Self::Erring => "erring",
            Self::Souring => "souring",
            Self::NotReady => "unready",
            Self::Sluggish => "sluggish",
            Self::Hanging => "hanging",
            Self::NeverReady => "mute",
            Self::Stuck => "stuck",
        }
    }
}

/// What the `migrate` program of a release does, once it has noted that it ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Migrate {
    /// Ends with 0.
    Succeeds,
    /// Says why on stderr and ends with 3.
    Fails,
    /// Sleeps until somebody ends it (the unit does after 20 s).
    Hangs,
    /// Takes this many seconds, then ends with 0.
    Takes(u32),
    /// Goes on until there is a file `told` in its state directory, then ends with 0.
    UntilTold,
}

/// A release directory with a server of that kind: `server.py`, `behaviour`, `version`, `migrate`,
/// `public/index.html`. It is gone when the value is dropped.
pub fn release(kind: Kind, version: &str) -> TempDir {
    release_migrating(kind, version, Migrate::Succeeds)
}

/// The same, with a migration that does not just succeed.
pub fn release_migrating(kind: Kind, version: &str, migrate: Migrate) -> TempDir {
    let tree = tempfile::Builder::new().prefix("release-").tempdir().unwrap();
    let at = tree.path();
    if kind != Kind::NoProgram {
        fs::write(at.join("server.py"), SERVER).unwrap();
    }
    fs::write(at.join("behaviour"), kind.behaviour()).unwrap();
    fs::write(at.join("version"), version).unwrap();
    fs::create_dir(at.join("public")).unwrap();
    fs::write(at.join("public/index.html"), format!("<h1>{version}</h1>\n")).unwrap();
    let rest = match migrate {
        Migrate::Succeeds => "exit 0".to_owned(),
        Migrate::Fails => "echo 'relation \"users\" already exists' >&2\nexit 3".to_owned(),
        Migrate::Hangs => "exec sleep infinity".to_owned(),
        Migrate::Takes(seconds) => format!("exec sleep {seconds}"),
        Migrate::UntilTold => "until [ -e \"$STATE_DIRECTORY/told\" ]; do sleep 0.1; done".to_owned(),
    };
    let script = format!(
        "#!/bin/sh\n\
         # Notes each run, so that tests can count them. systemd makes the directory (StateDirectory=).\n\
         echo \"$(cat version) $$\" >>\"$STATE_DIRECTORY/migrations\"\n\
         echo \"migrating to $(cat version)\"\n{rest}\n"
    );
    fs::write(at.join("migrate"), script).unwrap();
    fs::set_permissions(at.join("migrate"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(at, fs::Permissions::from_mode(0o755)).unwrap();
    tree
}

/// How systemd runs an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// `Type=simple`, owns its port.
    Simple,
    /// `Type=notify`, owns its port.
    Notify,
    /// `Type=notify`, becomes its next release on `systemctl reload`.
    Reload,
    /// `Type=notify`, its port is held by a socket unit.
    Socket,
    /// `Type=notify`, two instances that share the socket of a socket unit.
    Handover,
    /// `Type=notify`, two instances: each listens on its own socket, or on its own port if `/etc/acme/env.%i` has one.
    Routed,
}

/// An app on a host: the stem of its unit names, and its port. Its root is `/opt/NAME`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct App {
    /// `acme` for `acme.service`, `acme.socket`, `acme-migrate.service`, `/opt/acme`.
    pub name: &'static str,
    /// The TCP port on every address of the host.
    pub port: u16,
}

/// The app of most tests.
pub const ACME: App = App {
    name: "acme",
    port: 8080,
};
/// A second one, for several apps on a host.
pub const BETA: App = App {
    name: "beta",
    port: 8081,
};

impl App {
    /// The unit files of the app, as (file name, text); the migration unit always is one of them.
    pub fn units(self, service: Service) -> Vec<(String, String)> {
        let service_text = match service {
            Service::Simple => include_str!("units/simple.service"),
            Service::Notify => include_str!("units/notify.service"),
            Service::Reload => include_str!("units/reload.service"),
            Service::Socket => include_str!("units/socket.service"),
            Service::Handover => include_str!("units/handover.service"),
            Service::Routed => include_str!("units/routed.service"),
        };
        let name = match service {
            Service::Handover | Service::Routed => "acme@.service",
            _ => "acme.service",
        };
        let mut units = vec![
            (name, service_text),
            ("acme-migrate.service", include_str!("units/migrate.service")),
        ];
        match service {
            Service::Socket => units.push(("acme.socket", include_str!("units/socket.socket"))),
            Service::Handover => units.push(("acme.socket", include_str!("units/handover.socket"))),
            Service::Simple | Service::Notify | Service::Reload | Service::Routed => {}
        }
        let own = |text: &str| text.replace("acme", self.name).replace("8080", &self.port.to_string());
        units.into_iter().map(|(name, text)| (own(name), own(text))).collect()
    }

    /// Puts the units on the host and enables them (they start at boot); starts the socket, never the
    /// service: there is nothing to run yet.
    pub fn install_units(self, host: &Host, service: Service) {
        for (name, text) in self.units(service) {
            host.write_file(&format!("/etc/systemd/system/{name}"), text.as_bytes());
        }
        host.root("systemctl daemon-reload").ok();
        let units = match service {
            Service::Handover | Service::Routed => format!("{0}@blue.service {0}@green.service", self.name),
            _ => format!("{}.service", self.name),
        };
        host.root(&format!("systemctl --quiet enable {units}")).ok();
        if matches!(service, Service::Socket | Service::Handover) {
            host.root(&format!("systemctl --quiet enable --now {}.socket", self.name))
                .ok();
        }
    }

    /// A hand-made deploy, without the service: copies the tree to `/opt/NAME/releases/ID` as the deploy user
    /// and points `current` at it.
    pub fn publish(self, host: &Host, tree: &Path, id: &str) {
        let root = format!("/opt/{}", self.name);
        host.root(&format!(
            "install -d -o deploy -g deploy {root} {root}/releases {root}/shared"
        ))
        .ok();
        host.copy_in(tree, &format!("{root}/releases/{id}"));
        host.root(&format!("cd {root} && chown -R deploy:deploy releases/{id}"))
            .ok();
        self.point_at(host, id);
    }

    /// Points `current` at a release that is there, by rename.
    pub fn point_at(self, host: &Host, id: &str) {
        host.root(&format!(
            "cd /opt/{} && ln -sfn releases/{id} .flip && mv -T .flip current",
            self.name
        ))
        .ok();
    }

    /// Units, a first release, and the service started: a live app.
    pub fn bring_up(self, host: &Host, service: Service, kind: Kind, version: &str) {
        self.install_units(host, service);
        self.publish(host, release(kind, version).path(), version);
        host.root(&format!("systemctl start {}.service", self.name)).ok();
    }

    /// Which versions' migrations were started on the host, in order.
    pub fn migrations(self, host: &Host) -> Vec<String> {
        let noted = host
            .root(&format!(
                "if [ -e /var/lib/{0}/migrations ]; then cat /var/lib/{0}/migrations; fi",
                self.name
            ))
            .ok();
        noted
            .lines()
            .filter_map(|line| line.split(' ').next().map(str::to_owned))
            .collect()
    }
}
