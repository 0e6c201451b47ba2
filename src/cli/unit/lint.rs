//! `shipit unit lint`: reads units with their drop-ins, judges them together, and writes the fixes that were asked for.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::super::args::{FailOn, Format, Global, Lint};
use crate::engine;
use crate::engine::session::Link;
use crate::failure::{Exit, Failure, Next};
use crate::observed;
use crate::unit::merge::Unit;
use crate::unit::name::UnitName;
use crate::unit::parse::File;
use crate::unit::render;
use crate::unit::repair::{self, Which};
use crate::unit::rules::{self, Finding, Severity};
use crate::unit::search;

pub(super) fn run(global: &Global, wish: &Lint) -> Result<Exit, Failure> {
    if wish.host {
        return on_host(global, wish);
    }
    let config = super::configuration(global)?;
    let mut units = Vec::new();
    let mut findings = Vec::new();
    for path in files(&wish.files)? {
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
    let peers = units.clone();
    for each in &mut units {
        let mut found = rules::lint(each, &observed::context(each, &peers, config.as_ref()));
        if wish.drop_in {
            drop_in(each, &found);
            continue;
        }
        if wish.fix {
            let fixed = repair::repair(each, &found, Which::Safe);
            write(each, &fixed)?;
            // Read again, so that places are those of the files as they are now.
            *each = reread(&fixed);
            found = rules::lint(each, &observed::context(each, &peers, config.as_ref()));
        }
        findings.extend(found);
    }
    if wish.drop_in {
        return Ok(Exit::Done);
    }
    Ok(tell(global, wish, &findings, units.len()))
}

/// Prints the findings; the exit code says whether one reaches the limit.
fn tell(global: &Global, wish: &Lint, findings: &[Finding], units: usize) -> Exit {
    let text = match (global.json, wish.format) {
        (true, _) => render::json(findings),
        (_, Format::Github) => render::github(findings),
        (_, Format::Text) => format!(
            "{}{} in {}\n",
            render::text(findings),
            render::summary(findings),
            counted(units)
        ),
    };
    super::super::results(&text);
    let limit = match wish.fail_on {
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

/// Judges the host's own units by what is so there. The files named, if any, are what the repository has.
fn on_host(global: &Global, wish: &Lint) -> Result<Exit, Failure> {
    let config = super::super::configuration(global)?;
    let mut repository = Vec::new();
    for path in files(&wish.files)?
        .iter()
        .filter(|path| !is_environment(path))
    {
        repository.push(unit(path)?);
    }
    if wish.files.is_empty() {
        repository = engine::units::repository(&config)?;
    }
    let mut link = super::super::link(global, &config, &super::super::interrupts()?);
    let mut host = Link::connect(&mut link, super::super::reporter(global).as_mut())?;
    let live = engine::ask::collect(host.as_mut(), &config, &repository)?;
    let judged = live.judge(&config).into_iter();
    let findings: Vec<Finding> = judged.flat_map(|(_, _, found)| found).collect();
    for what in &live.unreadable {
        super::super::aside(&format!("could not be read: {what}"));
    }
    Ok(tell(global, wish, &findings, live.units.len()))
}

fn counted(units: usize) -> String {
    if units == 1 {
        "1 unit".into()
    } else {
        format!("{units} units")
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Usage, format!("{} could not be read", path.display()))
        .why(error.to_string())
}

fn is_environment(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name == "env" || name.ends_with(".env")
}

/// The files to look at: those named, and every unit in the directories named.
fn files(named: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in named {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries = fs::read_dir(path).map_err(|e| unreadable(path, &e))?;
        let mut inside = Vec::new();
        for entry in entries {
            let inner = entry.map_err(|e| unreadable(path, &e))?.path();
            let name = inner.file_name().unwrap_or_default().to_string_lossy();
            if inner.is_file() && UnitName::new(&name).is_some() {
                inside.push(inner);
            }
        }
        if inside.is_empty() {
            return Err(Failure::new(
                Exit::Usage,
                format!("there is no unit in {}", path.display()),
            ));
        }
        inside.sort();
        files.extend(inside);
    }
    Ok(files)
}

/// Loads a unit with the drop-ins beside it.
fn unit(path: &Path) -> Result<Unit, Failure> {
    let text = path.to_string_lossy();
    let Some(name) = UnitName::of_path(&text) else {
        return Err(Failure::new(Exit::Usage, format!("{} is no unit's name", path.display()))
            .why("a unit ends in .service, .socket, .timer, .path, .target or the like; a drop-in is read with the unit beside it"));
    };
    let bytes = fs::read(path).map_err(|e| unreadable(path, &e))?;
    let dir = path
        .parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let loaded = search::load(&name, &[dir.to_owned()]).map_err(|e| unreadable(path, &e))?;
    let mut files = loaded.map(|unit| unit.files).unwrap_or_default();
    for file in &mut files {
        file.path = file
            .path
            .strip_prefix("./")
            .unwrap_or(&file.path)
            .to_owned();
    }
    if let Some(first) = files.first_mut() {
        *first = File::parse(text, &bytes);
    }
    Ok(Unit { name, files })
}

/// Prints the drop-in that would put the safe findings right, and where it belongs.
fn drop_in(unit: &Unit, findings: &[Finding]) {
    if let Some(text) = repair::drop_in(unit, findings, Which::Safe) {
        super::super::results(&format!(
            "# /etc/systemd/system/{}.d/50-shipit.conf\n{text}\n",
            unit.name
        ));
    }
}

fn reread(unit: &Unit) -> Unit {
    let files = unit
        .files
        .iter()
        .map(|file| File::parse(file.path.clone(), &file.bytes()));
    Unit {
        name: unit.name.clone(),
        files: files.collect(),
    }
}

/// Writes the files that changed, each by one rename, with the mode it had.
fn write(before: &Unit, after: &Unit) -> Result<(), Failure> {
    for (old, new) in before
        .files
        .iter()
        .zip(&after.files)
        .filter(|(old, new)| old.bytes() != new.bytes())
    {
        let path = Path::new(&new.path);
        if ["/usr/lib/", "/lib/"]
            .iter()
            .any(|dir| new.path.starts_with(dir))
        {
            return Err(Failure::new(
                Exit::Usage,
                format!("{} belongs to a package", path.display()),
            )
            .why("the next update would take the change away")
            .next(Next::shipit("unit lint --drop-in").arg(path)));
        }
        // Where a link leads is what changes, not the link.
        let target = fs::canonicalize(path).map_err(|e| unreadable(path, &e))?;
        let wrong = |e: std::io::Error| {
            Failure::new(
                Exit::Usage,
                format!("{} could not be written", path.display()),
            )
            .why(e.to_string())
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
