//! `shipit unit lint`: reads units with their drop-ins, checks them together, and applies the requested fixes. What is
//! wrong with a unit is decided by `unit::rules`.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::source;
use crate::cli;
use crate::cli::args::{FailOn, Format, Global, Lint};
use crate::cli::paper::Paper;
use crate::engine;
use crate::failure::{Exit, Failure, Next};
use crate::observed;
use crate::unit::merge::Unit;
use crate::unit::name::UnitName;
use crate::unit::parse::File;
use crate::unit::render;
use crate::unit::repair::{self, Which};
use crate::unit::rules::{self, Finding, Severity};
use crate::unit::search;

pub(super) fn run(global: &Global, options: &Lint) -> Result<Exit, Failure> {
    if options.host {
        return on_host(global, options);
    }
    let config = super::configuration(global)?;
    let mut units = Vec::new();
    let mut findings = Vec::new();
    let named = match (options.files.as_slice(), &config) {
        ([], Some(config)) => vec![config.units.dir.clone()],
        ([], None) => vec![PathBuf::from("deploy/units")],
        (named, _) => named.to_vec(),
    };
    for path in files(&named)? {
        if is_environment(&path) {
            let text = fs::read(&path).map_err(|e| unreadable(&path, &e))?;
            findings.extend(rules::environment_file(
                &path.to_string_lossy(),
                &String::from_utf8_lossy(&text),
            ));
        } else {
            units.push(unit(&path)?);
        }
    }
    // A fix that is right for one unit can be wrong once the fix of another one is in place.
    let mut peers = units.clone();
    for (at, each) in units.iter_mut().enumerate() {
        let judge = |unit: &Unit| rules::lint(unit, &observed::context(unit, &peers, config.as_ref()));
        if options.drop_in {
            let findings = judge(each);
            drop_in(each, &findings);
            peers[at] = repair::repair(each, &findings, Which::Safe);
        } else if options.fix {
            let fixed = repair::settle(each, judge);
            write(each, &fixed)?;
            peers[at] = fixed.clone();
            *each = fixed;
        }
    }
    if options.drop_in {
        return Ok(Exit::Done);
    }
    for each in &units {
        findings.extend(rules::lint(each, &observed::context(each, &units, config.as_ref())));
    }
    let all: Vec<&Unit> = units.iter().collect();
    if let Some(template) = config.as_ref().and_then(|config| config.notify.as_ref())
        && units.len() > 1
        && units.iter().all(|unit| unit.name.as_str() != template.as_str())
    {
        cli::note(&format!(
            "deploy.yml names {template} for `notify`, which is not among these units: `shipit unit generate --only {template}` writes one"
        ));
    }
    Ok(report(global, options, &findings, &all))
}

/// Prints the findings; the exit code depends on `--fail-on`.
fn report(global: &Global, options: &Lint, findings: &[Finding], units: &[&Unit]) -> Exit {
    let text = match (global.json, options.format) {
        (true, _) => render::json(findings),
        (_, Format::Github) => render::github(findings),
        (_, Format::Text) => Paper::new(global).findings(&source::text(findings, units)),
    };
    cli::results(&text);
    let limit = match options.fail_on {
        FailOn::Error => Severity::Error,
        FailOn::Warning => Severity::Warning,
        FailOn::Info => Severity::Info,
    };
    if findings.iter().any(|finding| finding.severity >= limit) {
        Exit::Untouched
    } else {
        Exit::Done
    }
}

/// Checks the units installed on the host with facts from there. Named files stand for those of the repository.
fn on_host(global: &Global, options: &Lint) -> Result<Exit, Failure> {
    let config = cli::configuration(global)?;
    let mut repository = Vec::new();
    for path in files(&options.files)?.iter().filter(|path| !is_environment(path)) {
        repository.push(unit(path)?);
    }
    if options.files.is_empty() {
        repository = engine::units::repository(&config)?;
    }
    let mut host = cli::connect(global, &config)?;
    let live = engine::ask::collect(host.as_mut(), &config, &repository)?;
    let checked = live.judge(&config).into_iter();
    let findings: Vec<Finding> = checked.flat_map(|(_, _, found)| found).collect();
    for what in &live.unreadable {
        cli::note(&format!("cannot read: {what}"));
    }
    let units: Vec<&Unit> = live.units.iter().map(|(unit, _)| unit).collect();
    Ok(report(global, options, &findings, &units))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let why = match error.kind() {
        ErrorKind::NotFound => "file not found".into(),
        _ => error.to_string(),
    };
    Failure::new(Exit::Usage, format!("cannot read {}", path.display())).why(why)
}

fn is_environment(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name == "env" || name.ends_with(".env")
}

/// The named files, and every unit in the named directories, each once. A drop-in, or a directory of drop-ins, stands for
/// the unit beside it. Fails when there is no unit in any of them.
fn files(named: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    let alone = named.len() == 1;
    for path in named {
        if !path.is_dir() {
            files.push(of_drop_in(path)?.unwrap_or_else(|| path.clone()));
        } else if is_beside_a_unit(path) {
            // Its unit is checked with it, where it is named too.
            if alone {
                files.extend(of_drop_in(&path.join("x.conf"))?);
            }
        } else {
            files.extend(inside(path)?);
        }
    }
    let mut kept: Vec<PathBuf> = Vec::new();
    for path in files {
        if !kept.contains(&path) {
            kept.push(path);
        }
    }
    if kept.is_empty() && !named.is_empty() {
        let names: Vec<String> = named.iter().map(|path| path.display().to_string()).collect();
        return Err(Failure::new(
            Exit::Usage,
            format!("no unit files in {}", names.join(", ")),
        ));
    }
    Ok(kept)
}

/// The units in a directory.
fn inside(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut inside = Vec::new();
    for entry in fs::read_dir(dir).map_err(|e| unreadable(dir, &e))? {
        let path = entry.map_err(|e| unreadable(dir, &e))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_file() && UnitName::new(&name).is_some() {
            inside.push(path);
        }
    }
    inside.sort();
    Ok(inside)
}

/// Whether a directory holds the drop-ins of a unit, or symlinks to the units that it starts. systemd.unit(5).
fn is_beside_a_unit(dir: &Path) -> bool {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let kinds = [".d", ".wants", ".requires", ".upholds"];
    kinds.iter().any(|kind| {
        name.strip_suffix(kind)
            .is_some_and(|unit| UnitName::of_path(unit).is_some())
    })
}

/// The file of the unit that a drop-in belongs to; `None` for what is no drop-in. Fails if that unit is not beside it.
fn of_drop_in(path: &Path) -> Result<Option<PathBuf>, Failure> {
    let dir = path.parent().unwrap_or(Path::new(""));
    let conf = path.extension().is_some_and(|kind| kind == "conf");
    if !conf || !is_beside_a_unit(dir) {
        return Ok(None);
    }
    let name = dir.file_stem().unwrap_or_default().to_string_lossy();
    let template = UnitName::new(&name).and_then(|name| name.template());
    let own = dir.with_file_name(&*name);
    let candidates = [
        Some(own.clone()),
        template.map(|name| dir.with_file_name(name.as_str())),
    ];
    match candidates.into_iter().flatten().find(|path| path.is_file()) {
        Some(path) => Ok(Some(path)),
        None => Err(Failure::new(Exit::Usage, format!("{} does not exist", own.display()))
            .why("a drop-in is checked together with the unit it belongs to")),
    }
}

/// A unit with the drop-ins beside it.
fn unit(path: &Path) -> Result<Unit, Failure> {
    let text = path.to_string_lossy();
    let Some(name) = UnitName::of_path(&text) else {
        return Err(Failure::new(Exit::Usage, format!("{} is not a valid unit name", path.display()))
            .why("unit names end in .service, .socket, .timer, .path, .target or similar; a drop-in is checked together with the unit it belongs to"));
    };
    let bytes = fs::read(path).map_err(|e| unreadable(path, &e))?;
    let dir = path
        .parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let loaded = search::load(&name, &[dir.to_owned()]).map_err(|e| unreadable(path, &e))?;
    let mut files = loaded.map(|unit| unit.files).unwrap_or_default();
    for file in &mut files {
        file.path = file.path.strip_prefix("./").unwrap_or(&file.path).to_owned();
    }
    if let Some(first) = files.first_mut() {
        *first = File::parse(text, &bytes);
    }
    Ok(Unit { name, files })
}

/// Prints the safe fixes as a drop-in, with its path.
fn drop_in(unit: &Unit, findings: &[Finding]) {
    if let Some(text) = repair::drop_in(unit, findings, Which::Safe) {
        cli::results(&format!(
            "# /etc/systemd/system/{}.d/50-shipit.conf\n{text}\n",
            unit.name
        ));
    }
}

/// Writes the changed files, each by one rename, with its mode.
fn write(before: &Unit, after: &Unit) -> Result<(), Failure> {
    for (old, new) in before
        .files
        .iter()
        .zip(&after.files)
        .filter(|(old, new)| old.bytes() != new.bytes())
    {
        let path = Path::new(&new.path);
        if ["/usr/lib/", "/lib/"].iter().any(|dir| new.path.starts_with(dir)) {
            return Err(
                Failure::new(Exit::Usage, format!("{} belongs to a package", path.display()))
                    .why("the next package update would undo the change")
                    .next(Next::shipit("unit lint --drop-in").arg(path)),
            );
        }
        // A symlink stays; its target changes.
        let target = fs::canonicalize(path).map_err(|e| unreadable(path, &e))?;
        let wrong = |e: std::io::Error| {
            Failure::new(Exit::Usage, format!("cannot write {}", path.display())).why(e.to_string())
        };
        let mode = fs::metadata(&target).map_err(wrong)?.permissions().mode();
        let beside = target.with_extension("shipit-new");
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&beside)
            .map_err(wrong)?;
        let written = file
            .write_all(&new.bytes())
            .and_then(|()| file.set_permissions(fs::Permissions::from_mode(mode)))
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&beside, &target));
        if let Err(e) = written {
            let _ = fs::remove_file(&beside);
            return Err(wrong(e));
        }
        debug_assert_eq!(old.path, new.path);
    }
    Ok(())
}
