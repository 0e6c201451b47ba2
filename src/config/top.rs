//! The keys at the top, each read once, into a [`Config`]. `service` reads what is below `services`.

use std::path::{Component, Path, PathBuf};

use super::keys::{HOOKS, MIGRATE, SHARED, TOP};
use super::names::{AppName, EnvironmentName, Wrong, quoted};
use super::paths::{RelPath, RemotePath};
use super::reader::{HOUR, MINUTE, Map, Problems, SECOND, Value, optional};
use super::service::{service_unit, services};
use super::tree::{Kind, Mark, Node};
use super::units::units;
use super::{Config, Hooks, Migrate, Shared, SharedFile, Target};

/// Reads every key. `None` when one of them is missing or wrong.
pub(super) fn read(
    root: &Node,
    dir: &Path,
    environment: Option<&EnvironmentName>,
    problems: &mut Problems,
) -> Option<Config> {
    let map = Map::read(root, "deploy.yml", TOP, problems)?;
    let app = map
        .get("app")
        .and_then(|value| value.name(AppName::parse, problems));
    let host = map
        .get("host")
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
        .get("source")
        .and_then(|value| value.name(|text| source(dir, text), problems));
    let build = optional(map.get("build"), problems, |value, problems| {
        value.command(problems)
    });
    let exclude = map
        .get("exclude")
        .map_or(Some(Vec::new()), |value| value.list(problems, glob));
    let shared = map
        .get("shared")
        .map_or_else(|| Some(Shared::default()), |value| shared(value, problems));
    let prepare = optional(map.get("prepare"), problems, |value, problems| {
        value.command(problems)
    });
    let migrate = optional(map.get("migrate"), problems, migrate);
    let services = services(&map, migrate.as_ref().and_then(Option::as_ref), problems);
    let units = units(&map, dir, problems);
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
        units: units?,
        keep_releases: keep_releases?,
        hooks: hooks?,
        host_key: host_key?,
        dir: dir.to_path_buf(),
        environment: environment.cloned(),
        warnings: Vec::new(),
    })
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

/// A pattern of `exclude`, as `release` will match it: refused here, where it has a place, when it could never
/// match or means something else than it seems to.
fn glob(value: Value<'_>, problems: &mut Problems) -> Option<String> {
    let text = value.text(problems)?;
    let path = text.strip_prefix("./").unwrap_or(text);
    let path = path.strip_suffix('/').unwrap_or(path);
    let path = path.strip_prefix('/').unwrap_or(path);
    let why = if text.starts_with('!') {
        "would take an exclusion back, which is not offered (a name that begins with `!` is written `\\!`)".to_owned()
    } else if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        "has an empty, `.` or `..` part, which no path below `source` has".to_owned()
    } else if let Err(error) = globset::Glob::new(path) {
        format!("is not a glob: {}", error.kind())
    } else {
        return Some(text.to_owned());
    };
    value.is_wrong(&format!("{} {why}", quoted(text)), problems);
    None
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
        .get("unit")
        .and_then(|value| value.name(service_unit, problems));
    let timeout = map.get("timeout").map_or(Some(usual), |value| {
        value.duration(SECOND..=24 * HOUR, problems)
    });
    Some(Migrate {
        unit: unit?,
        timeout: timeout?,
    })
}

fn hooks(value: Value<'_>, problems: &mut Problems) -> Option<Hooks> {
    let map = Map::read(value.node, "`hooks`", HOOKS, problems)?;
    let before_switch = optional(map.get("before_switch"), problems, |value, problems| {
        value.command(problems)
    });
    let after_switch = optional(map.get("after_switch"), problems, |value, problems| {
        value.command(problems)
    });
    let on_failure = optional(map.get("on_failure"), problems, |value, problems| {
        value.command(problems)
    });
    Some(Hooks {
        before_switch: before_switch?,
        after_switch: after_switch?,
        on_failure: on_failure?,
    })
}
