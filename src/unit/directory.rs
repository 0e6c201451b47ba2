//! The units of one directory of a repository: regular files with the name of a unit. Refuses what cannot be installed on
//! a host as it is; checking the units is the work of `rules`.

use std::path::{Path, PathBuf};
use std::{fs, io};

use thiserror::Error;

use super::merge::Unit;
use super::name::UnitName;
use super::parse::File;

/// The largest unit file that is accepted, in bytes.
pub const LARGEST: u64 = 256 * 1024;

/// Why a directory of units cannot be used.
#[derive(Debug, Error)]
pub enum Refused {
    #[error("{} cannot be read: {}", .0.display(), .1)]
    Unreadable(PathBuf, io::Error),
    /// A symlink, a directory or a device has the name of a unit.
    #[error("{} is not a regular file", .0.display())]
    NotAFile(PathBuf),
    #[error("{} is larger than {} KiB", .0.display(), LARGEST / 1024)]
    TooLarge(PathBuf),
    #[error("{} has drop-ins: move their lines into the unit itself", .0.display())]
    DropIns(PathBuf),
    #[error("{} is empty: systemd treats a unit with an empty file as masked", .0.display())]
    Empty(PathBuf),
}

/// The units in `dir`, sorted by name; `None` when the directory does not exist. Paths begin with `shown` instead of
/// `dir`. Files with other names (a README) are skipped.
/// Fails with [`Refused`], for the first entry with the name of a unit that is not a readable regular file.
pub fn read(dir: &Path, shown: &Path) -> Result<Option<Vec<Unit>>, Refused> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Refused::Unreadable(shown.to_owned(), e)),
    };
    let mut units = Vec::new();
    for entry in entries {
        let wrong = |e| Refused::Unreadable(shown.to_owned(), e);
        let entry = entry.map_err(wrong)?;
        let file = entry.file_name().to_string_lossy().into_owned();
        let path = shown.join(&file);
        let kind = entry.file_type().map_err(wrong)?;
        if file
            .strip_suffix(".d")
            .is_some_and(|unit| kind.is_dir() && UnitName::new(unit).is_some())
        {
            return Err(Refused::DropIns(path));
        }
        let Some(name) = UnitName::new(&file) else {
            continue;
        };
        if !kind.is_file() {
            return Err(Refused::NotAFile(path));
        }
        let unreadable = |e| Refused::Unreadable(path.clone(), e);
        if entry.metadata().map_err(unreadable)?.len() > LARGEST {
            return Err(Refused::TooLarge(path));
        }
        let bytes = fs::read(entry.path()).map_err(unreadable)?;
        if bytes.is_empty() {
            return Err(Refused::Empty(path));
        }
        units.push(Unit {
            name,
            files: vec![File::parse(path.to_string_lossy(), &bytes)],
        });
    }
    units.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Some(units))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_regular_files_with_the_name_of_a_unit_are_units() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        assert!(read(&at("none"), Path::new("u")).unwrap().is_none());
        fs::write(at("b.socket"), "[Socket]\n").unwrap();
        fs::write(at("a.service"), "[Service]\n").unwrap();
        fs::write(at("README.md"), "x").unwrap();
        let units = read(dir.path(), Path::new("u")).unwrap().unwrap();
        let names: Vec<_> = units.iter().map(|u| u.files[0].path.clone()).collect();
        assert_eq!(names, ["u/a.service", "u/b.socket"]);
        let refused = |what: &str| {
            let message = read(dir.path(), Path::new("u")).unwrap_err().to_string();
            assert!(message.contains(what), "{message}");
        };
        std::os::unix::fs::symlink("/etc/shadow", at("c.service")).unwrap();
        refused("u/c.service is not a regular file");
        fs::remove_file(at("c.service")).unwrap();
        fs::create_dir(at("a.service.d")).unwrap();
        refused("drop-ins");
        fs::remove_dir(at("a.service.d")).unwrap();
        fs::write(at("d.timer"), "").unwrap();
        refused("is empty");
        fs::write(at("d.timer"), vec![b'#'; LARGEST as usize + 1]).unwrap();
        refused("is larger");
    }
}
