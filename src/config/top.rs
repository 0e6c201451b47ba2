//! The keys at the top, each read once, into a [`Config`]. `service` reads what is below `services`.

use std::cell::RefCell;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::keys::keys;
use super::link;
use super::names::{AppName, EnvironmentName, UnitName, Wrong, quoted};
use super::names::{service_unit, template};
use super::paths::{RelPath, RemotePath};
use super::prepare;
use super::reader::{HOUR, Map, Problems, SECOND, Shape, Value};
use super::router::{self, routers};
use super::service::{self, services};
use super::shape::{
    ABSOLUTE, APP, DURATION, FINGERPRINT, GLOBS, HOST, SERVICE_UNIT, SHARED_DIR, SHARED_FILE, TEMPLATE_UNIT,
};
use super::tree::{Kind, Mark, Node};
use super::units::{self, Units, UnitsDrift};
use super::{Config, FILE_NAME, Hooks, Limits, Migrate, Otherwise, RunAs, Shared, SharedFile, Target, Verify};

keys! {
    /// At the top, and in each environment except `environments` itself.
    TOP, fn config(map, dir: &Path, environment: Option<&EnvironmentName>) -> Config {
        must app: "acme" as APP => |v| v.name(AppName::parse),
        must host: "deploy@app.example.com" as HOST => |v| v.name(Target::parse),
        may host_key: "SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8" as FINGERPRINT => |v| v.name(fingerprint),
        own root: "/opt/acme" as ABSOLUTE => match map.get("root") {
            Some(value) => value.name(RemotePath::parse),
            None => app.as_ref().and_then(|app| RemotePath::parse(&format!("/opt/{app}")).ok()),
        },
        must source: "build" as Shape::Text => |v| v.name(|text| source_path(dir, text)),
        may build: "make release" as Shape::Text => |v| v.command(),
        or(Vec::new()) exclude: "[\"*.map\"]" as GLOBS => |v| v.list(glob),
        or(Vec::new()) allow_secrets: "[.env.public]" as GLOBS => |v| v.list(glob),
        or(Shared::default()) shared: "{dirs: [logs], files: [env]}" as Shape::Map(SHARED) => |v| {
            shared_paths(&v.map(SHARED)?, &RefCell::default())
        },
        may prepare: "npm ci --omit=dev" as prepare::SHAPE => |v| prepare::prepare(v, shared.as_ref()),
        may link: "copy" as link::SHAPE => link::link,
        may migrate: "acme-migrate.service" as Shape::Either(&[SERVICE_UNIT, Shape::Map(MIGRATE)]) => migration,
        or(Vec::new()) routers: "{edge: {kind: nginx, url: \"http://127.0.0.1/healthz\"}}" as router::SHAPE => |v| {
            routers(v, root.as_ref())
        },
        must services: "[{unit: acme.service, strategy: restart}]" as Shape::List(&service::SHAPE) => |v| {
            services(v, migrate.as_ref().and_then(Option::as_ref), routers.as_deref())
        },
        may units: "deploy/units" as Shape::Text => |v| v.name(|text| units::folder(dir, text)),
        or(UnitsDrift::Warn) units_drift: "refuse" as units::DRIFT => units::drift,
        or(RunAs::Service) run_as: "service" as Shape::OneOf(run_as) => |v| v.name(|text| {
            RunAs::of(text).ok_or_else(|| Wrong(format!("{} is not one of service, deploy", quoted(text))))
        }),
        or(5) keep_releases: "5" as Shape::Whole(1, 1000) => |v| v.number(1..=1000),
        may verify: "{run: ./smoke.sh}" as Shape::Map(VERIFY) => |v| verify(&v.map(VERIFY)?),
        may max_gap: "500ms" as DURATION => |v| v.duration(TENTH..=HOUR),
        may max_failed: "0" as Shape::Whole(0, 1_000_000) => |v| v.number(0..=1_000_000),
        may notify: "acme-notify@.service" as TEMPLATE_UNIT => |v| v.name(template),
        or(Hooks::default()) hooks: "{before_switch: ./smoke.sh}" as Shape::Map(HOOKS) => |v| commands(&v.map(HOOKS)?),
        own environments: "{staging: {host: deploy@staging.example.com}}" as Shape::Environments => Some(()),
    }
    Config {
        units: Units::new(dir, units, units_drift),
        app, host, root, source, build, exclude, allow_secrets, shared, prepare, link, migrate, routers, services, run_as, keep_releases,
        verify,
        limits: Limits { max_gap, max_failed },
        notify, hooks, host_key,
        source_line: map.get("source").map_or(1, |value| value.node.at.line),
        file: dir.join(FILE_NAME),
        dir: dir.to_path_buf(),
        identity: None,
        environment: environment.cloned(),
        warnings: Vec::new(),
    }
}

/// The places of the shared paths so far.
type Places = RefCell<Vec<(RelPath, Mark)>>;

keys! {
    /// Below `shared`.
    SHARED, fn shared_paths(map, places: &Places) -> Shared {
        or(Vec::new()) dirs: "[logs]" as Shape::List(&SHARED_DIR) => |v| v.list(|v| shared_dir(v, places)),
        or(Vec::new()) files: "[env, \"local.conf?\"]" as Shape::List(&SHARED_FILE) => |v| v.list(|v| shared_file(v, places)),
    }
    Shared { dirs, files }
}

keys! {
    /// Below `migrate`, in its long form.
    MIGRATE, fn long_migration(map) -> Migrate {
        must unit: "acme-migrate.service" as SERVICE_UNIT => |v| v.name(service_unit),
        may before: "acme-dump.service" as SERVICE_UNIT => |v| other_than(v, unit.as_ref()),
        or(MIGRATION) timeout: "10m" as DURATION => |v| v.duration(SECOND..=24 * HOUR),
    }
    Migrate { unit, before, timeout }
}

keys! {
    /// Below `verify`.
    VERIFY, fn verify(map) -> Verify {
        must run: "./smoke.sh" as Shape::Text => |v| v.command(),
        or(Duration::from_secs(60)) timeout: "60s" as DURATION => |v| v.duration(SECOND..=HOUR),
        or(Otherwise::Revert) otherwise: "revert" as Shape::OneOf(otherwises) => |v| v.name(|text| {
            Otherwise::of(text).ok_or_else(|| Wrong(format!("{} is not one of revert, confirm", quoted(text))))
        }),
    }
    Verify { run, timeout, otherwise }
}

keys! {
    /// Below `hooks`.
    HOOKS, fn commands(map) -> Hooks {
        may before_switch: "./smoke.sh" as Shape::Text => |v| v.command(),
        may after_switch: "./notify.sh" as Shape::Text => |v| v.command(),
        may on_failure: "./page.sh" as Shape::Text => |v| v.command(),
    }
    Hooks { before_switch, after_switch, on_failure }
}

/// The shortest gap that can be told from the time between two probes.
const TENTH: Duration = Duration::from_millis(100);

fn run_as() -> Vec<&'static str> {
    RunAs::ALL.iter().map(|one| one.word()).collect()
}

fn otherwises() -> Vec<&'static str> {
    Otherwise::ALL.iter().map(|one| one.word()).collect()
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
            "{} is not a fingerprint in the format that `ssh-keygen -l` prints: SHA256: followed by 43 characters",
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
        "has an empty, `.` or `..` component; no path in `source` has one, so it would never match".to_owned()
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
            "{} ends in `?`, which is only for files; shipit creates missing directories",
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

/// The unit before the migration, which is another one.
fn other_than(value: Value<'_>, migration: Option<&UnitName>) -> Option<UnitName> {
    let unit = value.name(service_unit)?;
    if migration.is_some_and(|migration| *migration == unit) {
        value.is_wrong(&format!("{} is the migration itself", quoted(unit.as_str())));
        return None;
    }
    Some(unit)
}

/// A unit's name, or a map of its keys.
fn migration(value: Value<'_>) -> Option<Migrate> {
    if matches!(value.node.kind, Kind::Text { .. }) {
        return Some(Migrate {
            unit: value.name(service_unit)?,
            before: None,
            timeout: MIGRATION,
        });
    }
    long_migration(&value.map(MIGRATE)?)
}
