//! What installing the repository's units means on this host: files to write, units to enable, what is refused, and
//! what running units need to take it up. Pure; `install_units.sh` does it.

use super::{Difference, PLACE, Standing, all_own, compare, named};
use crate::config::{Config, Strategy};
use crate::failure::{Exit, Failure, Next};
use crate::observed::Observed;
use crate::observed::installed::{Content, InstalledUnit, InstalledUnits};
use crate::plan::units::{Purpose, units};
use crate::text;
use crate::unit::merge::Unit;
use crate::unit::name::UnitName;
use crate::unit::parse::File;
use crate::unit::rules::service_of;

/// The settings of a `.socket` that say where it listens. systemd.socket(5).
const LISTENS: [&str; 7] = [
    "ListenStream",
    "ListenDatagram",
    "ListenSequentialPacket",
    "ListenFIFO",
    "ListenSpecial",
    "ListenNetlink",
    "ListenMessageQueue",
];

#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Installation {
    /// The files to write, in the order of their names.
    pub write: Vec<Standing>,
    /// The users to make: units run as them.
    pub users: Vec<String>,
    /// The units to enable: new ones, with an `[Install]` section.
    pub enable: Vec<String>,
    /// Sockets, timers and paths that do nothing until they are started: new ones, and enabled ones that do not run.
    pub start: Vec<String>,
    /// Those of them that failed: what systemd counts against them is cleared first.
    pub reset: Vec<String>,
    /// Sockets that cannot listen while their service runs without them: the socket and the service.
    pub blocked: Vec<(String, String)>,
    /// Whether systemd has to read its units again although no file changes.
    pub stale: bool,
    /// What a person should know before.
    pub notes: Vec<String>,
    /// What running units need to take it up, as sentences for after.
    pub after: Vec<String>,
}

impl Installation {
    /// Whether there is nothing to do for root. `now`: units are started too.
    pub fn is_nothing(&self, now: bool) -> bool {
        let starts = now && !self.start.is_empty();
        self.write.is_empty() && self.enable.is_empty() && self.users.is_empty() && !self.stale && !starts
    }

    /// What runs up to now and has to stop so that a socket can listen, as a line to type. systemd starts no socket
    /// whose service is active.
    pub fn unblock(&self, config: &Config) -> Option<Next> {
        let (socket, service) = self.blocked.first()?;
        let line = format!("systemctl stop {service} && systemctl start {socket} {service}");
        Some(
            Next::ssh(config.host.of("root").ssh_to())
                .arg(line)
                .remark("at a time you choose: requests fail until the service is ready"),
        )
    }

    /// The files as they travel to root on stdin: after a line of their own, one a line, as `NAME BEFORE TEXT`, both
    /// in base64; `-` for a file that is not there. Root writes only where BEFORE still holds.
    pub fn payload(&self) -> Vec<u8> {
        use base64::Engine as _;
        let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
        let mut out = b"shipit-units\n".to_vec();
        for file in &self.write {
            let before = file.there.as_deref().map_or("-".into(), encode);
            let line = format!("{} {before} {}\n", file.name, encode(&file.wanted));
            out.extend(line.into_bytes());
        }
        out.extend(b"end\n");
        out
    }
}

/// What there is to do. `first`: the host, where no release is live: a unit that is not enabled is what a broken install left.
/// Fails with a [`Failure`] that names each unit which root must not write, and why.
pub fn installation(
    config: &Config,
    repository: &[Unit],
    installed: &InstalledUnits,
    first: Option<&Observed>,
) -> Result<Installation, Failure> {
    all_own(config, repository)?;
    let mut done = Installation::default();
    let mut refused = Failure::new(Exit::Untouched, "these units cannot be installed");
    for (unit, standing) in repository.iter().zip(compare(repository, installed)) {
        let name = &unit.name;
        if let Some(app) = other_app(config, name, installed) {
            refused = refused.why(format!("{name} is named after {app}, another app on this host"));
        }
        let (mut writes, mut is_new, mut is_left) = (false, false, false);
        for difference in &standing.differences {
            match difference {
                Difference::Missing => (writes, is_new) = (true, true),
                Difference::Settings(_) | Difference::Comments => writes = true,
                Difference::Stale => done.stale = true,
                Difference::Disabled if first.is_some() => is_left = true,
                Difference::Disabled | Difference::DropIn { .. } | Difference::Refused(_) => {
                    done.notes.push(note(name, difference));
                }
                Difference::Masked | Difference::Link(_) | Difference::Elsewhere(_) | Difference::Unreadable(_) => {
                    refused = refused.why(format!("{name} {}", difference.words()));
                    refused = refused.next(way_out(name, difference));
                }
            }
        }
        let there = installed.units.get(name.as_str());
        if let Some(why) = there.and_then(|there| port_cut(unit, there)) {
            refused = refused.why(why);
            refused = refused
                .next(
                    Next::shell(format!("systemctl stop {name}"))
                        .remark("on the host, at a time you choose: requests fail until"),
                )
                .next(config.host.as_root("unit install"))
                .next(Next::shell(format!("systemctl start {name}")).remark("on the host"));
        }
        if unit.has_section("Install") {
            let names = enabled_as(config, unit).into_iter();
            // Of a template its instances are enabled, which only the host itself knows.
            let is_left = |name: &String| {
                is_left || first.is_some_and(|host| host.unit(name).unit_file_state() == Some("disabled"))
            };
            done.enable.extend(names.filter(|name| is_new || is_left(name)));
        }
        let rests = there.is_some_and(|there| {
            there.properties.unit_file_state() == Some("enabled") && there.properties.is_stopped()
        });
        if (is_new || is_left || rests)
            && matches!(name.kind(), "socket" | "timer" | "path")
            && !name.is_template()
            && !of_trial(config, name)
        {
            let name = name.as_str().to_owned();
            if there.is_some_and(|there| there.properties.active_state() == "failed") {
                done.reset.push(name.clone());
            }
            match running_service(unit, installed) {
                Some(service) => done.blocked.push((name, service)),
                None => done.start.push(name),
            }
        }
        if writes {
            done.after.extend(after(config, unit, there, &standing));
            done.write.push(standing);
        }
    }
    let missing = |user: &String| installed.accounts.get(user) == Some(&false);
    done.users = accounts(repository).into_iter().filter(missing).collect();
    if refused.why.is_empty() {
        return Ok(done);
    }
    Err(refused.host("nothing changed"))
}

/// The service of a socket, if it runs.
fn running_service(socket: &Unit, installed: &InstalledUnits) -> Option<String> {
    let service = (socket.name.kind() == "socket").then(|| service_of(socket))??;
    let there = installed.units.get(service.as_str())?;
    matches!(there.properties.active_state(), "active" | "activating" | "reloading").then(|| service.to_string())
}

/// The users that units run as, each once: names that useradd(8) takes. Users that systemd makes by itself
/// (`DynamicUser=`) are not among them.
pub fn accounts(repository: &[Unit]) -> Vec<String> {
    let plain = |name: &&str| {
        name.len() <= 32
            && name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_')
    };
    let mut users: Vec<String> = repository
        .iter()
        .filter(|unit| unit.yes("Service", "DynamicUser") != Some(true))
        .map(|unit| unit.service("User"))
        .filter(plain)
        .map(str::to_owned)
        .collect();
    users.sort_unstable();
    users.dedup();
    users
}

/// The other app of this host whose name the unit begins with: `acme-web.service` is not acme's where acme-web is.
pub(super) fn other_app<'a>(config: &Config, name: &UnitName, installed: &'a InstalledUnits) -> Option<&'a str> {
    let own = config.app.as_str();
    let is_theirs = |app: &&String| {
        app.starts_with(&format!("{own}-"))
            && (name.prefix() == app.as_str() || name.prefix().starts_with(&format!("{app}-")))
    };
    let other = installed.apps.iter().find(is_theirs)?;
    (!named(config, name)).then_some(other.as_str())
}

fn note(name: &UnitName, difference: &Difference) -> String {
    let rest = match difference {
        Difference::DropIn { path, .. } => {
            format!("; it stays and takes precedence: rm {}", text::shown(path.as_bytes()))
        }
        Difference::Disabled => format!("; it stays disabled: systemctl enable {name}"),
        _ => String::new(),
    };
    format!("{name} {}{rest}", difference.words())
}

/// The line that clears the way, for a person to decide on.
fn way_out(name: &UnitName, difference: &Difference) -> Next {
    match difference {
        Difference::Masked => {
            Next::shell(format!("systemctl unmask {name}")).remark("on the host, if it should run again")
        }
        Difference::Link(_) => {
            Next::shell(format!("rm {PLACE}/{name}")).remark("on the host, if the symlink is not needed")
        }
        Difference::Elsewhere(_) => {
            Next::advice("give the unit another name, or override the existing one with a drop-in: systemctl edit")
        }
        _ => Next::shell(format!("ls -l {PLACE}/{name}")).remark("on the host, as root"),
    }
}

/// A listening socket that would lose an address. Measured on systemd 252: at `daemon-reload` PID 1 closes it, says
/// nothing, and goes on to call the unit active; the next start of the service gets no socket.
fn port_cut(unit: &Unit, there: &InstalledUnit) -> Option<String> {
    let Content::Text(text) = &there.own else {
        return None;
    };
    let listens = !there.properties.is_stopped();
    if unit.name.kind() != "socket" || !listens {
        return None;
    }
    let before = Unit {
        name: unit.name.clone(),
        files: vec![File::parse(PLACE, text)],
    };
    let listens = |unit: &Unit| -> Vec<String> {
        let entries = unit.all("Socket", LISTENS).into_iter();
        entries.map(|entry| format!("{}={}", entry.key, entry.value)).collect()
    };
    let after = listens(unit);
    let lost: Vec<String> = listens(&before)
        .into_iter()
        .filter(|address| !after.contains(address))
        .collect();
    (!lost.is_empty()).then(|| {
        format!(
            "{} is listening, and would lose {}: when systemd reads the change, it silently closes the port and starts the service without it",
            unit.name,
            text::shown(lost.join(", ").as_bytes())
        )
    })
}

/// Whether it is the socket of a trial, which listens only during one.
fn of_trial(config: &Config, name: &UnitName) -> bool {
    let mut trials = config.services.iter().filter_map(|service| service.trial.as_ref());
    trials.any(|trial| trial.unit.socket().as_str() == name.as_str())
}

/// The names under which a new unit is enabled: itself, or the instances that deploy.yml names.
fn enabled_as(config: &Config, unit: &Unit) -> Vec<String> {
    // A service takes turns between its instances: each must start at boot when it has a slot.
    let turns = config
        .services
        .iter()
        .any(|service| service.name() == unit.name.as_str());
    if !unit.name.is_template() || (!turns && !unit.all("Install", "DefaultInstance").is_empty()) {
        return vec![unit.name.as_str().to_owned()];
    }
    units(config, Purpose::Observe)
        .into_iter()
        .filter(|name| UnitName::new(name).and_then(|name| name.template()).as_ref() == Some(&unit.name))
        .map(str::to_owned)
        .collect()
}

/// What is left to a person after a unit was written.
fn after(config: &Config, unit: &Unit, there: Option<&InstalledUnit>, standing: &Standing) -> Option<String> {
    let name = &unit.name;
    let runs = there.is_some_and(|there| !matches!(there.properties.active_state(), "" | "inactive" | "failed"));
    let settings = standing.differences.iter().find_map(|d| match d {
        Difference::Settings(keys) => Some(keys.as_slice()),
        _ => None,
    });
    let keys = settings?;
    if keys
        .iter()
        .all(|key| ["Description", "Documentation", "WantedBy"].contains(&key.as_str()))
    {
        return None;
    }
    if name.is_template() {
        return Some(format!(
            "running instances of {name} keep the old settings until they restart"
        ));
    }
    if !runs {
        return None;
    }
    Some(match name.kind() {
        "socket" => format!(
            "{name} listens with the old settings until it restarts, which drops waiting connections: \
             systemctl restart {name}"
        ),
        "service" => {
            let deployed = config.service_of(name.as_str());
            let restarted = deployed.is_some_and(|service| service.strategy != Strategy::Reload);
            if restarted {
                format!(
                    "{name} runs with the old settings until the next deploy; to restart it now: shipit deploy --restart"
                )
            } else {
                format!("{name} runs with the old settings until you restart it: systemctl restart {name}")
            }
        }
        _ => format!("{name} has the old settings until you restart it: systemctl restart {name}"),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_that_a_broken_install_left_disabled_is_enabled_before_the_first_release_and_never_after_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("deploy.yml");
        let yml = "app: acme\nhost: deploy@h\nsource: .\nservices:\n  - unit: acme.service\n    strategy: restart\n    \
                   health: {url: 'http://127.0.0.1:8080/'}\n  - unit: acme-w@.service\n    strategy: rolling\n    \
                   instances: [1, 2]\n    health: {url: 'http://127.0.0.1:8081/'}\n";
        std::fs::write(&file, yml).unwrap();
        let config = crate::config::load(&file, None).unwrap();
        let text = "[Socket]\nListenStream=8080\n[Install]\nWantedBy=sockets.target\n";
        let unit = Unit::parse("deploy/units/acme.socket", text.as_bytes()).unwrap();
        let standing = compare(std::slice::from_ref(&unit), &InstalledUnits::default());
        use base64::Engine as _;
        let encode = |text: &[u8]| base64::engine::general_purpose::STANDARD.encode(text);
        let service = "[Service]\nExecStart=/bin/a\n[Install]\nWantedBy=multi-user.target\n";
        let (there, template) = (encode(&standing[0].wanted), encode(service.as_bytes()));
        let installed = InstalledUnits::parse(
            format!(
                "show acme.socket LoadState=loaded\nshow acme.socket UnitFileState=disabled\n\
                 show acme.socket ActiveState=inactive\nfile acme.socket own {PLACE}/acme.socket text {there}\n\
                 show acme-w@.service LoadState=loaded\nfile acme-w@.service own {PLACE}/acme-w@.service text {template}\n"
            )
            .as_bytes(),
        );
        let host = Observed::parse(
            b"unit acme-w@1.service UnitFileState=disabled\nunit acme-w@2.service UnitFileState=enabled\n",
        );
        let of = |unit: &Unit, first| installation(&config, std::slice::from_ref(unit), &installed, first).unwrap();
        let left = of(&unit, Some(&host));
        assert!(
            !left.is_nothing(true) && left.write.is_empty() && left.notes.is_empty(),
            "{left:?}"
        );
        assert_eq!(
            (left.enable, left.start),
            (vec!["acme.socket".to_owned()], vec!["acme.socket".to_owned()])
        );
        let chosen = of(&unit, None);
        assert!(chosen.is_nothing(true), "{chosen:?}");
        assert!(chosen.notes[0].contains("it stays disabled"), "{chosen:?}");
        // Of a template, each instance.
        let template = Unit::parse("deploy/units/acme-w@.service", service.as_bytes()).unwrap();
        assert_eq!(of(&template, Some(&host)).enable, ["acme-w@1.service"]);
        assert!(of(&template, None).is_nothing(true));
    }
}
