//! What installing the repository's units means on this host: files to write, units to enable, what is refused, and
//! what running units need to take it up. Pure; `install_units.sh` does it.

use super::{Difference, PLACE, Standing, all_own, compare, named};
use crate::config::{Config, Strategy};
use crate::failure::{Exit, Failure, Next};
use crate::observed::installed::{Content, InstalledUnit, InstalledUnits};
use crate::plan::units::{Purpose, units};
use crate::text;
use crate::unit::merge::Unit;
use crate::unit::name::UnitName;
use crate::unit::parse::File;

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
    /// New sockets, timers and paths: they do nothing until they are started.
    pub start: Vec<String>,
    /// Whether systemd has to read its units again although no file changes.
    pub stale: bool,
    /// What a person should know before.
    pub notes: Vec<String>,
    /// What running units need to take it up, as sentences for after.
    pub after: Vec<String>,
}

impl Installation {
    /// Whether the host is as it should be.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.write.is_empty() && self.enable.is_empty() && self.users.is_empty() && !self.stale
    }

    /// The files as they travel to root on stdin: after a line of their own, one a line, as `NAME BEFORE TEXT`, both
    /// in base64; `-` for a file that is not there. Root writes only where BEFORE still holds.
    #[must_use]
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

/// What there is to do.
///
/// # Errors
/// A [`Failure`] that names each unit which root must not write, and why.
pub fn installation(config: &Config, repository: &[Unit], installed: &InstalledUnits) -> Result<Installation, Failure> {
    all_own(config, repository)?;
    let mut done = Installation::default();
    let mut refused = Failure::new(Exit::Untouched, "these units cannot be installed");
    for (unit, standing) in repository.iter().zip(compare(repository, installed)) {
        let name = &unit.name;
        if let Some(app) = other_app(config, name, installed) {
            refused = refused.why(format!("{name} is named after {app}, another app on this host"));
        }
        let (mut writes, mut is_new) = (false, false);
        for difference in &standing.differences {
            match difference {
                Difference::Missing => (writes, is_new) = (true, true),
                Difference::Settings(_) | Difference::Comments => writes = true,
                Difference::Stale => done.stale = true,
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
        if is_new && unit.has_section("Install") {
            done.enable.extend(enabled_as(config, unit));
        }
        if is_new && matches!(name.kind(), "socket" | "timer" | "path") && !name.is_template() {
            done.start.push(name.as_str().to_owned());
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

/// The users that units run as, each once: names that useradd(8) takes. Users that systemd makes by itself
/// (`DynamicUser=`) are not among them.
#[must_use]
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
            "{} listens, and would lose {}: systemd silently closes the port when it reads the change and \
             starts the service without it",
            unit.name,
            text::shown(lost.join(", ").as_bytes())
        )
    })
}

/// The names under which a new unit is enabled: itself, or the instances that deploy.yml names.
fn enabled_as(config: &Config, unit: &Unit) -> Vec<String> {
    if !unit.name.is_template() || !unit.all("Install", "DefaultInstance").is_empty() {
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
