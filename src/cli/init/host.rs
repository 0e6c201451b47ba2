//! What the host has that a new app must not collide with: ports and names. Asks it once, without a question to the user;
//! what is proposed because of it is decided here too.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::super::args::Global;
use super::super::connection::SshLink;
use crate::config::{AppName, Target};
use crate::engine::ask::run;
use crate::engine::session::Link;
use crate::failure::Failure;
use crate::host::Host;
use crate::interrupt::Interrupts;
use crate::observed::lines::lines;
use crate::observed::{HostUnits, Owner};
use crate::remote::Script;
use crate::report::event::{Event, Report};

/// A host that takes longer than this to fail is not asked a second time.
const PATIENCE: Duration = Duration::from_secs(3);
/// The ports that are proposed: those between them are left for the instances of an app.
const STEP: usize = 10;

/// Ports and apps of a host.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Who listens, or is to listen.
    ports: BTreeMap<u16, Vec<String>>,
    apps: Vec<String>,
}

impl Taken {
    fn parse(out: &[u8]) -> Self {
        let mut taken = Self::default();
        for (word, rest) in lines(out) {
            match (word.as_str(), rest.split_once(' ')) {
                ("port", Some((unit, port))) => taken.add(port.parse().ok(), unit.to_owned()),
                ("app", None) => taken.apps.push(rest),
                _ => {}
            }
        }
        for one in HostUnits::parse(out).listening.into_iter().flatten() {
            let known = one.port().is_some_and(|port| taken.ports.contains_key(&port));
            match one.owner {
                Owner::Unit(ref unit) => taken.add(one.port(), unit.clone()),
                // The unit that names the port is the one that holds it.
                Owner::Systemd | Owner::Unknown if known => {}
                Owner::Systemd => taken.add(one.port(), "a socket unit".into()),
                Owner::Unknown => taken.add(one.port(), "another process".into()),
            }
        }
        taken
    }

    fn add(&mut self, port: Option<u16>, by: String) {
        if let Some(port) = port {
            self.ports.entry(port).or_default().push(by);
        }
    }

    /// Who has this port, if it is not this app.
    pub(super) fn holder(&self, port: u16, app: &AppName) -> Option<&str> {
        let own = |unit: &str| {
            let rest = unit.strip_prefix(app.as_str());
            rest.is_some_and(|rest| rest.starts_with(['.', '@']))
        };
        let holders = self.ports.get(&port)?.iter().map(String::as_str);
        holders.into_iter().find(|unit| !own(unit))
    }

    /// The next port that nobody has.
    pub(super) fn free(&self, from: u16, app: &AppName) -> Option<u16> {
        (from..=u16::MAX)
            .step_by(STEP)
            .find(|port| self.holder(*port, app).is_none())
    }

    /// Whether an app of this name is set up there.
    pub(super) fn has(&self, app: &AppName) -> bool {
        self.apps.iter().any(|name| name == app.as_str())
    }
}

/// Asks the host, as the one who deploys, or as root where that user cannot log in yet.
/// Fails with the reason, if neither can without a question.
pub(super) fn ask(global: &Global, target: &Target, interrupts: &Interrupts) -> Result<Taken, Failure> {
    let began = Instant::now();
    let session = |target: Target| SshLink::unattended(global, &target, interrupts.clone()).connect(&mut Quiet);
    let mut host = session(target.clone()).or_else(|failure| match target.user.as_deref() {
        Some(user) if user != "root" && began.elapsed() < PATIENCE => session(target.of("root")).map_err(|_| failure),
        _ => Err(failure),
    })?;
    look(host.as_mut())
}

fn look(host: &mut dyn Host) -> Result<Taken, Failure> {
    let scripts = [Script::listening([""; 0]), Script::ports([""; 0])];
    Ok(Taken::parse(&run(host, &scripts, "reading which ports are in use")?))
}

/// Hears nothing: that the host could not be asked is said once.
struct Quiet;

impl Report for Quiet {
    fn event(&mut self, _: &Event) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_free_port_is_nobodys_by_what_listens_and_by_what_units_name() {
        let taken = Taken::parse(
            b"tcp 0 5 127.0.0.1:8080 0.0.0.0:* cgroup:/system.slice/hello.service\ntcp 0 5 *:8090 *:* cgroup:/init.scope\n\
              tcp 0 5 [::1]:8100 *:* cgroup:\nlistening asked\nport acme.socket 8090\nport shop.service 8110\napp hello\n",
        );
        let app = |name: &str| AppName::parse(name).expect("a name");
        for (name, port, first) in [
            ("beta", 8120, Some("hello.service")),
            ("hello", 8080, None),
            ("hell", 8120, Some("hello.service")),
        ] {
            assert_eq!(taken.free(8080, &app(name)), Some(port), "{name}");
            assert_eq!(taken.holder(8080, &app(name)), first, "{name}");
        }
        assert_eq!(taken.holder(8090, &app("beta")), Some("acme.socket"));
        assert_eq!(taken.holder(8090, &app("acme")), None);
        assert_eq!(taken.holder(8100, &app("acme")), Some("another process"));
        assert!(taken.has(&app("hello")) && !taken.has(&app("acme")));
    }
}
