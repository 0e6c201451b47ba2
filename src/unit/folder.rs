//! The units of one directory, as a repository keeps them: plain files with a unit's name, nothing else. Reads; judges
//! only what could not be put on a host as it stands.

use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use super::merge::Unit;
use super::name::UnitName;
use super::parse::File;

/// The largest unit file that is taken, in bytes.
pub const LARGEST: u64 = 256 * 1024;

/// Why a directory of units cannot be used.
#[derive(Debug)]
pub enum Trouble {
    /// It, or a file in it, cannot be read.
    Unreadable(PathBuf, io::Error),
    /// A link, a directory or a device has a unit's name.
    NoFile(PathBuf),
    /// Larger than [`LARGEST`].
    TooLarge(PathBuf),
    DropIns(PathBuf),
    /// Empty: systemd takes an empty file for a masked unit.
    Empty(PathBuf),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, why) = match self {
            Trouble::Unreadable(path, e) => (path, format!("could not be read: {e}")),
            Trouble::NoFile(path) => (path, "is not a plain file".into()),
            Trouble::TooLarge(path) => (path, format!("is larger than {} KiB", LARGEST / 1024)),
            Trouble::DropIns(path) => (
                path,
                "has drop-ins: write their lines into the unit itself".into(),
            ),
            Trouble::Empty(path) => (
                path,
                "is empty: systemd would take the unit for masked".into(),
            ),
        };
        write!(f, "{} {why}", path.display())
    }
}

/// The units in `dir`, sorted by name; `None` when there is no such directory. Paths begin with `shown` instead of
/// `dir`. Files without a unit's name (a README) are passed over.
///
/// # Errors
/// [`Trouble`], for the first entry with a unit's name that is no plain, readable file.
pub fn read(dir: &Path, shown: &Path) -> Result<Option<Vec<Unit>>, Trouble> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Trouble::Unreadable(shown.to_owned(), e)),
    };
    let mut units = Vec::new();
    for entry in entries {
        let wrong = |e| Trouble::Unreadable(shown.to_owned(), e);
        let entry = entry.map_err(wrong)?;
        let file = entry.file_name().to_string_lossy().into_owned();
        let path = shown.join(&file);
        let kind = entry.file_type().map_err(wrong)?;
        if file
            .strip_suffix(".d")
            .is_some_and(|unit| kind.is_dir() && UnitName::new(unit).is_some())
        {
            return Err(Trouble::DropIns(path));
        }
        let Some(name) = UnitName::new(&file) else {
            continue;
        };
        if !kind.is_file() {
            return Err(Trouble::NoFile(path));
        }
        let unreadable = |e| Trouble::Unreadable(path.clone(), e);
        if entry.metadata().map_err(unreadable)?.len() > LARGEST {
            return Err(Trouble::TooLarge(path));
        }
        let bytes = fs::read(entry.path()).map_err(unreadable)?;
        if bytes.is_empty() {
            return Err(Trouble::Empty(path));
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
    fn only_plain_files_with_the_name_of_a_unit_are_units() {
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
            let said = read(dir.path(), Path::new("u")).unwrap_err().to_string();
            assert!(said.contains(what), "{said}");
        };
        std::os::unix::fs::symlink("/etc/shadow", at("c.service")).unwrap();
        refused("u/c.service is not a plain file");
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
