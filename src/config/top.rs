//! The keys at the top, each read once, into a [`Config`]. `service` reads what is below `services`.

use std::cell::RefCell;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::keys::keys;
use super::names::{AppName, EnvironmentName, Wrong, quoted};
use super::paths::{RelPath, RemotePath};
use super::reader::{HOUR, Map, Problems, SECOND, Value};
use super::service::{service_unit, services};
use super::tree::{Kind, Mark, Node};
use super::units::{self, Units, UnitsDrift};
use super::{Config, Hooks, Migrate, Shared, SharedFile, Target};

keys! {
    /// At the top, and in each environment except `environments` itself.
    TOP, fn config(map, dir: &Path, environment: Option<&EnvironmentName>) -> Config {
        must app: "acme" => |v| v.name(AppName::parse),
        must host: "deploy@app.example.com" => |v| v.name(Target::parse),
        may host_key: "SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8" => |v| v.name(fingerprint),
        own root: "/opt/acme" => match map.get("root") {
            Some(value) => value.name(RemotePath::parse),
            None => app.as_ref().and_then(|app| RemotePath::parse(&format!("/opt/{app}")).ok()),
        },
        must source: "build" => |v| v.name(|text| source_path(dir, text)),
        may build: "make release" => |v| v.command(),
        or(Vec::new()) exclude: "[\"*.map\"]" => |v| v.list(glob),
        or(Shared::default()) shared: "{dirs: [logs], files: [env]}" => |v| {
            shared_paths(&v.map(SHARED)?, &RefCell::default())
        },
        may prepare: "npm ci --omit=dev" => |v| v.command(),
        may migrate: "acme-migrate.service" => migration,
        must services: "[{unit: acme.service, strategy: restart}]" => |v| {
            services(v, migrate.as_ref().and_then(Option::as_ref))
        },
        may units: "deploy/units" => |v| v.name(|text| units::folder(dir, text)),
        or(UnitsDrift::Warn) units_drift: "refuse" => units::drift,
        or(5) keep_releases: "5" => |v| v.number(1..=1000),
        or(Hooks::default()) hooks: "{before_switch: ./smoke.sh}" => |v| commands(&v.map(HOOKS)?),
        own environments: "{staging: {host: deploy@staging.example.com}}" => Some(()),
    }
    Config {
        units: Units::new(dir, units, units_drift),
        app, host, root, source, build, exclude, shared, prepare, migrate, services, keep_releases, hooks, host_key,
        dir: dir.to_path_buf(),
        environment: environment.cloned(),
        warnings: Vec::new(),
    }
}

/// The places of the shared paths so far.
type Places = RefCell<Vec<(RelPath, Mark)>>;

keys! {
    /// Below `shared`.
    SHARED, fn shared_paths(map, places: &Places) -> Shared {
        or(Vec::new()) dirs: "[logs]" => |v| v.list(|v| shared_dir(v, places)),
        or(Vec::new()) files: "[env, \"local.conf?\"]" => |v| v.list(|v| shared_file(v, places)),
    }
    Shared { dirs, files }
}

keys! {
    /// Below `migrate`, in its long form.
    MIGRATE, fn long_migration(map) -> Migrate {
        must unit: "acme-migrate.service" => |v| v.name(service_unit),
        or(MIGRATION) timeout: "10m" => |v| v.duration(SECOND..=24 * HOUR),
    }
    Migrate { unit, timeout }
}

keys! {
    /// Below `hooks`.
    HOOKS, fn commands(map) -> Hooks {
        may before_switch: "./smoke.sh" => |v| v.command(),
        may after_switch: "./notify.sh" => |v| v.command(),
        may on_failure: "./page.sh" => |v| v.command(),
    }
    Hooks { before_switch, after_switch, on_failure }
}

/// How long a migration may take by default.
const MIGRATION: Duration = Duration::from_secs(600);

/// Reads every key. `None` when one of them is missing or wrong.
pub(super) fn read(
    root: &Node,
    dir: &Path,
    environment: Option<&EnvironmentName>,
    problems: &Problems,
) -> Option<Config> {
    config(&Map::read(root, "deploy.yml", TOP, problems)?, dir, environment)
}

/// An OpenSSH fingerprint: SHA-256 in base64 without padding, as `ssh-keygen -l` prints it.
fn fingerprint(text: &str) -> Result<String, Wrong> {
    use base64::Engine;
    let decoded = text
        .strip_prefix("SHA256:")
        .and_then(|hash| base64::engine::general_purpose::STANDARD_NO_PAD.decode(hash).ok());
    match decoded {
        Some(hash) if hash.len() == 32 => Ok(text.to_owned()),
        _ => Err(Wrong(format!(
            "{} is not a fingerprint as `ssh-keygen -l` prints it: SHA256: and 43 characters",
            quoted(text)
        ))),
    }
}

/// The source as an absolute path, `.` taken out, `..` kept (a link may stand before it).
fn source_path(dir: &Path, text: &str) -> Result<PathBuf, Wrong> {
    if text.starts_with('~') {
        return Err(Wrong(format!(
            "{} begins with `~`; write a path relative to deploy.yml, or an absolute one",
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
            "{} is the root directory of this machine; name the directory to ship",
            quoted(text)
        )));
    }
    Ok(source)
}

/// A pattern of `exclude`, as `release` will match it: refused here, where it has a place, when it could never
/// match or means something else than it seems to.
fn glob(value: Value<'_>) -> Option<String> {
    let text = value.text()?;
    let path = text.strip_prefix("./").unwrap_or(text);
    let path = path.strip_suffix('/').unwrap_or(path);
    let path = path.strip_prefix('/').unwrap_or(path);
    let why = if text.starts_with('!') {
        "would undo an exclusion, which is not supported (a name that begins with `!` is written `\\!`)".to_owned()
    } else if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        "has an empty, `.` or `..` component, which no path below `source` has".to_owned()
    } else if let Err(error) = globset::Glob::new(path) {
        format!("is not a glob: {}", error.kind())
    } else {
        return Some(text.to_owned());
    };
    value.is_wrong(&format!("{} {why}", quoted(text)));
    None
}

fn shared_dir(value: Value<'_>, places: &Places) -> Option<RelPath> {
    let text = value.text()?;
    if text.ends_with('?') {
        value.is_wrong(&format!(
            "{} ends in `?`, which is for files; shipit creates missing directories",
            quoted(text)
        ));
        return None;
    }
    shared_path(value, text, places)
}

fn shared_file(value: Value<'_>, places: &Places) -> Option<SharedFile> {
    let text = value.text()?;
    let required = text.strip_suffix('?');
    Some(SharedFile {
        path: shared_path(value, required.unwrap_or(text), places)?,
        optional: required.is_some(),
    })
}

/// A shared path that meets no other.
fn shared_path(value: Value<'_>, text: &str, places: &Places) -> Option<RelPath> {
    let path = value.checked(RelPath::parse(text))?;
    let mut places = places.borrow_mut();
    let meets = |(other, _): &&(RelPath, Mark)| other.meets(path.as_str().as_bytes());
    if let Some((other, at)) = places.iter().find(meets) {
        let how = if *other == path {
            "is shared twice"
        } else {
            "and another shared path overlap"
        };
        let (path, other) = (quoted(path.as_str()), quoted(other.as_str()));
        value.is_wrong(&format!("{path} {how}; the other is {other} at {at}"));
        return None;
    }
    places.push((path.clone(), value.node.at));
    Some(path)
}

/// A unit's name, or a map of its keys.
fn migration(value: Value<'_>) -> Option<Migrate> {
    if matches!(value.node.kind, Kind::Text { .. }) {
        return Some(Migrate {
            unit: value.name(service_unit)?,
            timeout: MIGRATION,
        });
    }
    long_migration(&value.map(MIGRATE)?)
}
