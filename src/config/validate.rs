//! The tree becomes a [`Config`]: environments are merged in, every key is read, and what the values mean
//! together is checked. Every problem is collected; a [`Config`] comes out only when there is none.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::keys::{HEALTH, HOOKS, MIGRATE, SERVICE, SHARED, TOP, UNIX};
use super::names::{AppName, EnvironmentName, RelPath, RemotePath, UnitName, Wrong, quoted};
use super::reader::{Map, Problems, Value, nearest};
use super::tree::{Entry, Kind, Mark, Node, Problem};
use super::{
    Config, Health, Hooks, Migrate, Probe, Service, Shared, SharedFile, StrategyName, Target, probe,
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Checks a whole file, every environment of it, and gives the one that is asked for.
///
/// # Errors
/// Every problem, in the file's order: also those of environments that were not asked for, so that a file is
/// either right or wrong and does not turn wrong on the day that `-e` changes.
pub(super) fn config(
    root: &Node,
    dir: &Path,
    wanted: Option<&str>,
) -> Result<Config, Vec<Problem>> {
    let mut problems = Problems::default();
    let mut chosen = None;
    let environments = environments(root, &mut problems);
    let wanted_name = match wanted {
        Some(wanted) => known(wanted, &environments, &mut problems),
        None => None,
    };

    // The values at the top alone: they are the config when no environment is asked for. With environments in
    // the file they may lack something, as long as nobody asks for them.
    let mut base = Problems::default();
    let config = draft(root, dir, None, &mut base);
    problems.wrong.append(&mut base.wrong);
    if wanted.is_none() {
        chosen = config;
        problems.missing.append(&mut base.missing);
        if !problems.missing.is_empty() && !environments.is_empty() {
            let text = format!(
                "some keys are in `environments` alone; choose one with -e: {}",
                list(&environments)
            );
            problems.missing.push(Problem {
                at: Mark::START,
                text,
            });
        }
    } else if environments.is_empty() {
        problems.missing.append(&mut base.missing);
    }
    for environment in &environments {
        let merged = merge(root, environment.node);
        let config = draft(&merged, dir, Some(&environment.name), &mut problems);
        if wanted_name.as_ref() == Some(&environment.name) {
            chosen = config;
        }
    }

    let mut all = problems.wrong;
    all.append(&mut problems.missing);
    all.sort_by_key(|problem| problem.at);
    let mut told = BTreeSet::new();
    all.retain(|problem| told.insert((problem.at, problem.text.clone())));
    match chosen {
        Some(config) if all.is_empty() => Ok(config),
        _ => Err(all),
    }
}

/// One of `environments`.
struct Environment<'a> {
    name: EnvironmentName,
    node: &'a Node,
}

fn list(environments: &[Environment<'_>]) -> String {
    environments
        .iter()
        .map(|environment| environment.name.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

/// The environments whose names and shape are right.
fn environments<'a>(root: &'a Node, problems: &mut Problems) -> Vec<Environment<'a>> {
    let value = Map::read(root, "deploy.yml", TOP, &mut Problems::default())
        .and_then(|map| map.get("environments"));
    let Some(value) = value else {
        return Vec::new();
    };
    let Kind::Map(entries) = &value.node.kind else {
        value.wants("a map of names to keys", problems);
        return Vec::new();
    };
    let mut found = Vec::new();
    for Entry {
        key,
        at,
        value: node,
    } in entries
    {
        let name = match EnvironmentName::parse(key) {
            Ok(name) => name,
            Err(Wrong(why)) => {
                problems.note(*at, why);
                continue;
            }
        };
        let Some(map) = Map::read(node, &format!("environment `{name}`"), TOP, problems) else {
            continue;
        };
        if let Some(inner) = map.get("environments") {
            problems.note(
                inner.node.at,
                "environments inside an environment; there is one level of them",
            );
            continue;
        }
        found.push(Environment { name, node });
    }
    found
}

/// The environment of this name.
fn known(
    wanted: &str,
    environments: &[Environment<'_>],
    problems: &mut Problems,
) -> Option<EnvironmentName> {
    let found = environments
        .iter()
        .find(|environment| environment.name.as_str() == wanted);
    if found.is_none() {
        let names = || {
            environments
                .iter()
                .map(|environment| environment.name.as_str())
        };
        let hint = match (environments.is_empty(), nearest(wanted, names())) {
            (true, _) => "it has no `environments`".to_owned(),
            (false, Some(near)) => format!(
                "did you mean {}? There are: {}",
                quoted(near),
                list(environments)
            ),
            (false, None) => format!("there are: {}", list(environments)),
        };
        problems.note(
            Mark::START,
            format!("no environment {}; {hint}", quoted(wanted)),
        );
    }
    found.map(|environment| environment.name.clone())
}

/// The top with an environment laid over it. A key of the environment takes the place of the same key at the
/// top, as a whole; only `shared` and `hooks`, which are nothing but maps of independent keys, are merged key
/// by key.
fn merge(root: &Node, environment: &Node) -> Node {
    let (Kind::Map(base), Kind::Map(over)) = (&root.kind, &environment.kind) else {
        return root.clone();
    };
    let mut merged: Vec<Entry> = base
        .iter()
        .filter(|entry| entry.key != "environments")
        .cloned()
        .collect();
    for entry in over {
        match merged
            .iter_mut()
            .find(|candidate| candidate.key == entry.key)
        {
            Some(below) => {
                let both_maps = matches!(
                    (&below.value.kind, &entry.value.kind),
                    (Kind::Map(_), Kind::Map(_))
                );
                below.value = if both_maps && ["shared", "hooks"].contains(&entry.key.as_str()) {
                    merge(&below.value, &entry.value)
                } else {
                    entry.value.clone()
                };
            }
            None => merged.push(entry.clone()),
        }
    }
    Node {
        at: environment.at,
        kind: Kind::Map(merged),
    }
}

/// Reads every key. `None` when one of them is missing or wrong.
fn draft(
    root: &Node,
    dir: &Path,
    environment: Option<&EnvironmentName>,
    problems: &mut Problems,
) -> Option<Config> {
    let map = Map::read(root, "deploy.yml", TOP, problems)?;
    let app = map
        .need("app", problems)
        .and_then(|value| value.name(AppName::parse, problems));
    let host = map
        .need("host", problems)
        .and_then(|value| value.name(Target::parse, problems));
    let host_key = optional(map.get("host_key"), problems, |value, problems| {
        value.name(fingerprint, problems)
    });
    let root = match map.get("root") {
        Some(value) => value.name(RemotePath::parse, problems),
        None => app
            .as_ref()
            .and_then(|app| RemotePath::parse(&format!("/opt/{app}")).ok()),
    };
    let source = map
        .need("source", problems)
        .and_then(|value| value.name(|text| source(dir, text), problems));
    let build = optional(map.get("build"), problems, command);
    let exclude = map
        .get("exclude")
        .map_or(Some(Vec::new()), |value| value.list(problems, glob));
    let shared = map
        .get("shared")
        .map_or_else(|| Some(Shared::default()), |value| shared(value, problems));
    let prepare = optional(map.get("prepare"), problems, command);
    let migrate = optional(map.get("migrate"), problems, migrate);
    let services = services(&map, migrate.as_ref().and_then(Option::as_ref), problems);
    let keep_releases = map
        .get("keep_releases")
        .map_or(Some(5), |value| value.number(1..=1000, problems));
    let hooks = map
        .get("hooks")
        .map_or_else(|| Some(Hooks::default()), |value| hooks(value, problems));
    Some(Config {
        app: app?,
        host: host?,
        root: root?,
        source: source?,
        build: build?,
        exclude: exclude?,
        shared: shared?,
        prepare: prepare?,
        migrate: migrate?,
        services: services?,
        keep_releases: keep_releases?,
        hooks: hooks?,
        host_key: host_key?,
        dir: dir.to_path_buf(),
        environment: environment.cloned(),
        warnings: Vec::new(),
    })
}

/// A key that may be left out: `Some(None)` when it is, `None` when it is wrong.
fn optional<'a, T>(
    value: Option<Value<'a>>,
    problems: &mut Problems,
    read: impl Fn(Value<'a>, &mut Problems) -> Option<T>,
) -> Option<Option<T>> {
    match value {
        None => Some(None),
        Some(value) => read(value, problems).map(Some),
    }
}

/// A command line for `sh -c`.
fn command(value: Value<'_>, problems: &mut Problems) -> Option<String> {
    let text = value.text(problems)?;
    if text.len() > 8000 {
        value.is_wrong("longer than 8000 bytes; put it in a script", problems);
        return None;
    }
    Some(text.to_owned())
}

/// An OpenSSH fingerprint: SHA-256 in base64 without padding, as `ssh-keygen -l` prints it.
fn fingerprint(text: &str) -> Result<String, Wrong> {
    use base64::Engine;
    let decoded = text.strip_prefix("SHA256:").and_then(|hash| {
        base64::engine::general_purpose::STANDARD_NO_PAD
            .decode(hash)
            .ok()
    });
    match decoded {
        Some(hash) if hash.len() == 32 => Ok(text.to_owned()),
        _ => Err(Wrong(format!(
            "{} is not a fingerprint as `ssh-keygen -l` prints it: SHA256: and 43 characters",
            quoted(text)
        ))),
    }
}

/// The source as an absolute path, `.` taken out, `..` kept (a link may stand before it).
fn source(dir: &Path, text: &str) -> Result<PathBuf, Wrong> {
    if text.starts_with('~') {
        return Err(Wrong(format!(
            "{} begins with `~`; write it relative to deploy.yml, or whole",
            quoted(text)
        )));
    }
    let source: PathBuf = dir
        .join(text)
        .components()
        .filter(|part| *part != Component::CurDir)
        .collect();
    if source.parent().is_none() {
        return Err(Wrong(format!(
            "{} is the whole machine; name the directory that is to be shipped",
            quoted(text)
        )));
    }
    Ok(source)
}

fn glob(value: Value<'_>, problems: &mut Problems) -> Option<String> {
    let text = value.text(problems)?;
    if text.starts_with('!') {
        value.is_wrong(
            &format!(
                "{} would take an exclusion back, which is not offered",
                quoted(text)
            ),
            problems,
        );
        return None;
    }
    match globset::Glob::new(text) {
        Ok(_) => Some(text.to_owned()),
        Err(error) => {
            value.is_wrong(
                &format!("{} is not a glob: {}", quoted(text), error.kind()),
                problems,
            );
            None
        }
    }
}

fn shared(value: Value<'_>, problems: &mut Problems) -> Option<Shared> {
    let map = Map::read(value.node, "`shared`", SHARED, problems)?;
    let mut places: Vec<(RelPath, Mark)> = Vec::new();
    let mut path = |value: Value<'_>, text: &str, problems: &mut Problems| {
        let path = match RelPath::parse(text) {
            Ok(path) => path,
            Err(Wrong(why)) => {
                value.is_wrong(&why, problems);
                return None;
            }
        };
        let other = places
            .iter()
            .find(|(other, _)| other.meets(path.as_str().as_bytes()));
        if let Some((other, at)) = other {
            let how = if *other == path {
                "is shared twice"
            } else {
                "and another shared path lie in one another"
            };
            value.is_wrong(
                &format!(
                    "{} {how}; the other is {} at {at}",
                    quoted(path.as_str()),
                    quoted(other.as_str())
                ),
                problems,
            );
            return None;
        }
        places.push((path.clone(), value.node.at));
        Some(path)
    };
    let dirs = map.get("dirs").map_or(Some(Vec::new()), |value| {
        value.list(problems, |value, problems| {
            let text = value.text(problems)?;
            if text.ends_with('?') {
                value.is_wrong(
                    &format!(
                        "{} ends in `?`, which is for files; directories are made when missing",
                        quoted(text)
                    ),
                    problems,
                );
                return None;
            }
            path(value, text, problems)
        })
    });
    let files = map.get("files").map_or(Some(Vec::new()), |value| {
        value.list(problems, |value, problems| {
            let text = value.text(problems)?;
            let (text, optional) = text
                .strip_suffix('?')
                .map_or((text, false), |text| (text, true));
            Some(SharedFile {
                path: path(value, text, problems)?,
                optional,
            })
        })
    });
    Some(Shared {
        dirs: dirs?,
        files: files?,
    })
}

/// A unit that can be started: a `.service`.
fn service_unit(text: &str) -> Result<UnitName, Wrong> {
    let unit = UnitName::parse(text)?;
    if unit.is_socket() {
        return Err(Wrong(format!(
            "{} is a socket; name the service",
            quoted(text)
        )));
    }
    Ok(unit)
}

fn socket_unit(text: &str) -> Result<UnitName, Wrong> {
    let unit = UnitName::parse(text)?;
    if !unit.is_socket() {
        return Err(Wrong(format!(
            "{} is not a socket; write one like {}",
            quoted(text),
            quoted(unit.socket().as_str())
        )));
    }
    Ok(unit)
}

fn migrate(value: Value<'_>, problems: &mut Problems) -> Option<Migrate> {
    let usual = 10 * MINUTE;
    if matches!(value.node.kind, Kind::Text { .. }) {
        return Some(Migrate {
            unit: value.name(service_unit, problems)?,
            timeout: usual,
        });
    }
    let map = Map::read(value.node, "`migrate`", MIGRATE, problems)?;
    let unit = map
        .need("unit", problems)
        .and_then(|value| value.name(service_unit, problems));
    let timeout = map.get("timeout").map_or(Some(usual), |value| {
        value.duration(SECOND..=24 * HOUR, problems)
    });
    Some(Migrate {
        unit: unit?,
        timeout: timeout?,
    })
}

fn services(
    map: &Map<'_>,
    migrate: Option<&Migrate>,
    problems: &mut Problems,
) -> Option<Vec<Service>> {
    let value = map.need("services", problems)?;
    let mut seen: Vec<UnitName> = Vec::new();
    value.list(problems, |value, problems| {
        let (service, at) = service(value.node, problems)?;
        if seen.contains(&service.unit) {
            problems.note(
                at,
                format!("{} is there twice", quoted(service.unit.as_str())),
            );
        }
        if migrate.is_some_and(|migrate| migrate.unit == service.unit) {
            problems.note(
                at,
                format!(
                    "{} is the migration; it is no service",
                    quoted(service.unit.as_str())
                ),
            );
        }
        seen.push(service.unit.clone());
        Some(service)
    })
}

/// A service and the place of its name.
fn service(node: &Node, problems: &mut Problems) -> Option<(Service, Mark)> {
    let map = Map::read(node, "a service", SERVICE, problems)?;
    let unit = map.need("unit", problems);
    let at = unit.map_or(node.at, |value| value.node.at);
    let unit = unit.and_then(|value| value.name(service_unit, problems));
    let strategy = map
        .need("strategy", problems)
        .and_then(|value| strategy(value, problems));
    let start_timeout = map.get("start_timeout").map_or(Some(30 * SECOND), |value| {
        value.duration(SECOND..=HOUR, problems)
    });
    let holds_socket = matches!(
        strategy,
        Some(StrategyName::Socket | StrategyName::Handover)
    );
    let socket = match map.get("socket") {
        Some(value) if strategy.is_some() && !holds_socket => {
            value.is_wrong(
                "only `strategy: socket` has a use for it; a deploy never touches a socket unit",
                problems,
            );
            None
        }
        Some(value) => value.name(socket_unit, problems).map(Some),
        None if holds_socket => unit.as_ref().map(|unit| Some(unit.socket())),
        None => Some(None),
    };
    let checked = optional(map.get("health"), problems, health);
    let (health, watch) = match checked {
        Some(Some((health, watch))) => (Some(Some(health)), watch),
        Some(None) => (Some(None), 3 * SECOND),
        None => (None, 3 * SECOND),
    };
    let service = Service {
        unit: unit?,
        strategy: strategy?,
        socket: socket?,
        health: health?,
        start_timeout: start_timeout?,
        watch,
    };
    Some((service, at))
}

fn strategy(value: Value<'_>, problems: &mut Problems) -> Option<StrategyName> {
    let text = value.text(problems)?;
    let offered = || {
        StrategyName::ALL
            .into_iter()
            .filter(|name| is_offered(*name))
            .map(StrategyName::as_str)
    };
    let Some(strategy) = StrategyName::ALL
        .into_iter()
        .find(|name| name.as_str() == text)
    else {
        let hint = nearest(text, offered()).map_or(String::new(), |near| {
            format!("did you mean {}? ", quoted(near))
        });
        let list: Vec<_> = offered().collect();
        value.is_wrong(
            &format!(
                "no strategy {}; {hint}There are: {}",
                quoted(text),
                list.join(", ")
            ),
            problems,
        );
        return None;
    };
    if !is_offered(strategy) {
        let list: Vec<_> = offered().collect();
        value.is_wrong(
            &format!(
                "the strategy `{strategy}` comes in a later version; this one offers: {}",
                list.join(", ")
            ),
            problems,
        );
        return None;
    }
    Some(strategy)
}

/// Whether this version can carry a strategy out. To be deleted with its callers once it says yes to all.
fn is_offered(strategy: StrategyName) -> bool {
    matches!(
        strategy,
        StrategyName::Restart | StrategyName::Reload | StrategyName::Socket
    )
}

/// A health check, and how long it must stay well.
fn health(value: Value<'_>, problems: &mut Problems) -> Option<(Health, Duration)> {
    let map = Map::read(value.node, "`health`", HEALTH, problems)?;
    let given: Vec<&str> = ["url", "unix", "tcp", "command"]
        .into_iter()
        .filter(|key| map.get(key).is_some())
        .collect();
    if given.len() != 1 {
        let many = if given.is_empty() {
            "nothing to ask".to_owned()
        } else {
            format!("{} at once", given.join(" and "))
        };
        problems.note(
            value.node.at,
            format!("`health` has {many}; give one of url, unix, tcp, command"),
        );
    }
    let url = optional(map.get("url"), problems, |value, problems| {
        value.name(probe::http, problems)
    });
    let unix = optional(map.get("unix"), problems, unix);
    let tcp = optional(map.get("tcp"), problems, |value, problems| {
        value.name(probe::tcp, problems)
    });
    let line = optional(map.get("command"), problems, |value, problems| {
        command(value, problems).map(|line| Probe::Command { line })
    });

    let speaks_http = given.iter().all(|key| matches!(*key, "url" | "unix"));
    if let Some(status) = map.get("status").filter(|_| !speaks_http) {
        status.is_wrong("only an HTTP answer (`url`, `unix`) has a status", problems);
    }
    for key in ["contains", "release"] {
        if let Some(value) = map.get(key).filter(|_| given == ["tcp"]) {
            value.is_wrong(
                "a TCP check only connects: there is no answer to look at",
                problems,
            );
        }
    }
    let status = map
        .get("status")
        .map_or(Some(200), |value| value.number(100..=599, problems));
    let contains = optional(map.get("contains"), problems, |value, problems| {
        let text = value.text(problems)?;
        if text.len() > 1000 {
            value.is_wrong("longer than 1000 bytes", problems);
            return None;
        }
        Some(text.to_owned())
    });
    let release = map
        .get("release")
        .map_or(Some(false), |value| value.boolean(problems));
    let timeout = map.get("timeout").map_or(Some(30 * SECOND), |value| {
        value.duration(SECOND..=HOUR, problems)
    });
    let successes = map
        .get("successes")
        .map_or(Some(3), |value| value.number(1..=100, problems));
    let watch = map.get("watch").map_or(Some(3 * SECOND), |value| {
        value.duration(Duration::ZERO..=HOUR, problems)
    });

    let probe = url?.or(unix?).or(tcp?).or(line?);
    let health = Health {
        probe: probe?,
        status: u16::try_from(status?).ok()?,
        contains: contains?,
        release: release?,
        timeout: timeout?,
        successes: successes?,
    };
    Some((health, watch?))
}

fn unix(value: Value<'_>, problems: &mut Problems) -> Option<Probe> {
    let map = Map::read(value.node, "`unix`", UNIX, problems)?;
    let socket = map
        .need("socket", problems)
        .and_then(|value| value.name(probe::socket, problems));
    let path = map
        .need("path", problems)
        .and_then(|value| value.name(probe::path, problems));
    Some(Probe::Unix {
        socket: socket?,
        path: path?,
    })
}

fn hooks(value: Value<'_>, problems: &mut Problems) -> Option<Hooks> {
    let map = Map::read(value.node, "`hooks`", HOOKS, problems)?;
    let before_switch = optional(map.get("before_switch"), problems, command);
    let after_switch = optional(map.get("after_switch"), problems, command);
    let on_failure = optional(map.get("on_failure"), problems, command);
    Some(Hooks {
        before_switch: before_switch?,
        after_switch: after_switch?,
        on_failure: on_failure?,
    })
}
