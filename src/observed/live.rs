//! What a running host says of the app's units, from the scripts' words to the [`Facts`] that rules judge by. Pure:
//! first [`HostUnits`] (what `units.sh` printed), then the [`Question`](super::Question)s that follow from it, then their
//! [`Answers`].
//! Never reaches a host; judging is the rules'.

use super::{Answers, HostUnit, HostUnits, Listening, Owner, context, in_the_way, questions, same_address};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::config::Config;
use crate::unit::merge::Unit;
use crate::unit::properties::Properties;
use crate::unit::rules::{self, Facts, FileFact, Finding};

/// The app's units as the host has them, each with its facts.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// The units with their facts, in the order in which they were found: configured ones first.
    pub units: Vec<(Unit, Facts)>,
    /// Who listens on the host; `None` when the check could not run.
    pub listening: Option<Vec<Listening>>,
    /// Units that would be of use and that systemd does not have.
    pub absent: Vec<String>,
    /// The answers that belong to no single unit.
    pub answers: Answers,
    /// What could not be read, in words.
    pub unreadable: Vec<String>,
}

impl Live {
    /// Puts what was seen and what was answered together, for the app with this root. Units that are not there and
    /// not `wanted` are no more than absent.
    #[must_use]
    pub fn new(host_units: HostUnits, answers: Answers, root: &str, wanted: &[&str]) -> Self {
        let idle = |unit: &&HostUnit| !wanted.contains(&unit.unit.name.as_str()) && unit.properties.is_not_found();
        let absent = host_units.units.iter().filter(idle);
        let absent = absent.map(|unit| unit.unit.name.to_string()).collect();
        let mut units: Vec<(Unit, Facts)> = host_units
            .units
            .iter()
            .filter(|unit| !idle(unit))
            .map(|unit| (unit.unit.clone(), facts(unit, &host_units, &answers)))
            .collect();
        // `next` is there during a switch, `current` from the first one on: that they are not there at other times is
        // no fact about a unit.
        let current = format!("{root}/current");
        let deployed = answers.file(&current).is_none_or(|file| file.exists);
        for (unit, facts) in &mut units {
            let other = [Some(format!("{root}/next")), (!deployed).then(|| current.clone())];
            for dir in other.into_iter().flatten().chain(slots(unit, &answers, root)) {
                facts.files.retain(|path, _| !Path::new(path).starts_with(&dir));
                facts.verify.retain(|line| !line.contains(dir.as_str()));
            }
        }
        // Before the first release, a program in the app's own directory may be what its `prepare` makes.
        if !deployed {
            let own = |path: &str| Path::new(path).starts_with(root);
            for (unit, facts) in &mut units {
                for (command, _) in unit.every_command() {
                    let words = command.words().map(str::to_owned).chain([command.program.clone()]);
                    for path in words.filter(|path| own(path)) {
                        facts.files.retain(|known, file| *known != path || file.exists);
                    }
                }
            }
        }
        let mut unreadable = host_units.unreadable;
        unreadable.extend(answers.unreadable.iter().cloned());
        Self {
            units,
            absent,
            listening: host_units.listening,
            answers,
            unreadable,
        }
    }

    /// What the rules say of all units, each among the others.
    pub fn judge(&self, config: &Config) -> Vec<(&Unit, &Facts, Vec<Finding>)> {
        let there = self.units.iter().filter(|(unit, _)| !unit.files.is_empty());
        let peers: Vec<Unit> = there.map(|(unit, _)| unit.clone()).collect();
        let judged = self.units.iter().map(|(unit, facts)| {
            let mut context = context(unit, &peers, Some(config));
            context.peers_complete = true;
            context.host = Some(facts.clone());
            (unit, facts, rules::lint(unit, &context))
        });
        judged.collect()
    }

    /// What systemd reports about a unit; nothing of one that was not found.
    pub fn properties(&self, name: &str) -> &Properties {
        self.unit(name)
            .map_or(Properties::UNKNOWN, |(_, facts)| &facts.properties)
    }

    /// One unit and its facts.
    pub fn unit(&self, name: &str) -> Option<&(Unit, Facts)> {
        self.units.iter().find(|(unit, _)| unit.name.as_str() == name)
    }

    /// The repository's file that an install writes to this path; the host may have its unit under an instance's name.
    pub fn in_repository(&self, path: &Path) -> Option<&str> {
        let kept = self.units.iter().filter_map(|(_, facts)| facts.repository.as_ref());
        let files = kept.flat_map(|unit| unit.files.iter().map(|file| file.path.as_str()));
        let name = path.file_name()?;
        files.into_iter().find(|file| Path::new(file).file_name() == Some(name))
    }
}

/// The slot of a template, which no path leads to, or of an instance that rests, which has none: as it is written, and as
/// the instance has it.
fn slots(unit: &Unit, answers: &Answers, root: &str) -> Vec<String> {
    let written = format!("{root}/slots/%i");
    let own = format!("{root}/slots/{}", unit.name.instance());
    if unit.name.is_template() {
        vec![written]
    } else if answers.file(&own).is_some_and(|file| !file.exists) {
        vec![written, own]
    } else {
        Vec::new()
    }
}

/// The files that a unit names, as far as the host answered about them; also for a unit that the host does not have.
pub fn files(unit: &Unit, answers: &Answers) -> BTreeMap<String, FileFact> {
    let named = questions::paths(unit).into_iter();
    named
        .filter_map(|(written, path)| Some((written, answers.file(&path)?)))
        .collect()
}

/// The facts of one unit.
fn facts(unit: &HostUnit, host_units: &HostUnits, answers: &Answers) -> Facts {
    let sockets = sockets(unit, host_units);
    let mut backlogs = BTreeMap::new();
    let mut inodes = Vec::new();
    // What listens at the address of a socket that does not is somebody else's.
    let ours = sockets.iter().filter(|socket| !socket.properties.is_stopped());
    for address in ours.flat_map(|socket| addresses(&socket.unit)) {
        let listening = host_units.listening.iter().flatten();
        for one in listening.filter(|one| same_address(&address, one)) {
            backlogs.entry(address.clone()).or_insert(one.backlog);
            inodes.extend(one.inode);
        }
    }
    // Only a process that runs can have taken anything; one that is starting may be about to.
    let held = (unit.properties.is_active() && !inodes.is_empty())
        .then(|| answers.sockets.get(unit.unit.name.as_str()))
        .flatten();
    Facts {
        systemd: host_units.systemd,
        files: files(&unit.unit, answers),
        named: answers.named.clone(),
        verify: answers.verify.get(unit.unit.name.as_str()).cloned().unwrap_or_default(),
        exposure: answers.exposure.get(unit.unit.name.as_str()).copied(),
        processors: host_units.processors,
        backlogs,
        holders: holders(unit, host_units),
        socket_taken: held.map(|held| inodes.iter().any(|inode| held.contains(inode))),
        caught_signals: answers.signals.get(unit.unit.name.as_str()).copied(),
        activating_for: activating_for(&unit.properties, host_units.uptime),
        processes: answers.tasks.get(unit.unit.name.as_str()).copied(),
        reports: answers.reports.get(unit.unit.name.as_str()).copied(),
        repository: None,
        properties: unit.properties.clone(),
    }
}

/// How long a unit has been on its way up, by the host's monotonic clock.
fn activating_for(properties: &Properties, uptime: Option<f64>) -> Option<Duration> {
    let left = properties.get("InactiveExitTimestampMonotonic")?;
    let left: f64 = left.parse().ok()?;
    let since = (uptime? - left / 1e6).max(0.0);
    (properties.active_state() == "activating" && left > 0.0).then(|| Duration::try_from_secs_f64(since).ok())?
}

/// The socket units that a unit is, or is started by; those with `Accept=yes` pass no listening socket.
fn sockets<'a>(unit: &HostUnit, host_units: &'a HostUnits) -> Vec<&'a HostUnit> {
    let own = unit.unit.name.as_str();
    host_units
        .units
        .iter()
        .filter(|other| {
            let name = other.unit.name.as_str();
            other.unit.name.kind() == "socket"
                && (name == own || unit.properties.triggered_by().any(|trigger| trigger == name))
                && (name == own || other.unit.yes("Socket", "Accept") != Some(true))
        })
        .collect()
}

/// Who listens where a socket unit that is at rest would, by address: the unit, where the host said it.
fn holders(unit: &HostUnit, host_units: &HostUnits) -> BTreeMap<String, String> {
    let mut holders = BTreeMap::new();
    if unit.unit.name.kind() == "socket" && unit.properties.is_stopped() {
        for address in addresses(&unit.unit) {
            let mut listening = host_units.listening.iter().flatten();
            let other = listening.find_map(|one| match &one.owner {
                Owner::Unit(other) if in_the_way(&address, one) => Some(other.clone()),
                Owner::Systemd if in_the_way(&address, one) => Some("another socket unit".into()),
                _ => None,
            });
            holders.extend(other.map(|other| (address, other)));
        }
    }
    holders
}

/// The addresses that a socket unit names, as written.
fn addresses(unit: &Unit) -> Vec<String> {
    unit.all("Socket", ["ListenStream", "ListenSequentialPacket"])
        .into_iter()
        .map(|entry| entry.value.to_owned())
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::questions::Question;
    use super::*;
    use base64::Engine as _;

    fn host(service: &str, socket: &str, show: &str) -> HostUnits {
        let packed = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
        HostUnits::parse(
            format!(
                "systemd 252\nprocessors 2\nuptime 100.5\nunit a.service\n{show}\nfile {} /etc/systemd/system/a.service\n\
                 unit a.socket\nshow ActiveState=active\nfile {} /etc/systemd/system/a.socket\n\
                 tcp 3 511 *:8080 *:* uid:5 ino:77 sk:1 cgroup:/init.scope <->\nlistening asked\n",
                packed(service),
                packed(socket)
            )
            .as_bytes(),
        )
    }

    #[test]
    fn the_words_of_the_host_become_the_facts_of_each_unit() {
        let host_units = host(
            "[Service]\nUser=acme\nEnvironmentFile=-/etc/%N/env\nExecStart=/opt/a/run\n",
            "[Socket]\nListenStream=8080\n",
            "show ActiveState=active\nshow MainPID=9\nshow ControlGroup=/system.slice/a.service\nshow TriggeredBy=a.socket",
        );
        let asked = questions(&host_units);
        let number = |wanted: &Question| asked.iter().position(|one| one == wanted).unwrap();
        let env = number(&Question::File("/etc/a/env".into()));
        let etc = number(&Question::File("/etc/a".into()));
        let run = number(&Question::File("/opt/a/run".into()));
        let user = number(&Question::User("acme".into()));
        let held = number(&Question::Holds("a.service".into(), "/system.slice/a.service".into()));
        let tasks = number(&Question::Tasks("a.service".into(), "/system.slice/a.service".into()));
        let reports = number(&Question::Reports("a.service".into(), "/opt/a/run".into()));
        let said = format!(
            "{env} there root adm 640 regular empty file\n{etc} there root root 755 directory\n{run} unreadable\n\
             {user} no\n{held} sockets 5 6\n{tasks} 3\n{reports} grep 0\nasked {}\n",
            asked.len()
        );
        let live = Live::new(host_units, Answers::parse(&asked, said.as_bytes()), "/opt/a", &[]);
        let (_, facts) = live.unit("a.service").unwrap();
        let file = &facts.files["/etc/%N/env"];
        assert_eq!((file.owner.as_str(), file.mode, file.exists), ("root", 0o640, true));
        assert_eq!(file.above[0], ("root".to_owned(), 0o755));
        assert!(!facts.files.contains_key("/opt/a/run"), "unknown, not absent");
        assert!(live.unreadable.iter().any(|what| what.contains("/opt/a/run")));
        assert!(!facts.named.users["acme"]);
        assert_eq!(facts.backlogs["8080"], 511);
        assert_eq!(facts.socket_taken, Some(false));
        assert_eq!((facts.processes, facts.reports), (Some(3), Some(true)));
        assert_eq!((facts.systemd, facts.processors), (Some(252), Some(2)));
    }

    #[test]
    fn activation_is_timed_by_the_hosts_own_clock() {
        let host_units = host(
            "[Service]\nExecStart=/bin/a\n",
            "[Socket]\nListenStream=1\n",
            "show ActiveState=activating\nshow InactiveExitTimestampMonotonic=40500000",
        );
        let live = Live::new(host_units, Answers::default(), "/opt/a", &[]);
        assert_eq!(
            live.unit("a.service").unwrap().1.activating_for,
            Some(Duration::from_secs(60))
        );
    }
}
