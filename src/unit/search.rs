//! Where systemd finds a unit's files, and the order of its drop-ins. Reads directories and files; never interprets them.
//! Source: systemd.unit(5), "Unit file load path", and the drop-in paragraphs of its description.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::merge::Unit;
use super::name::UnitName;
use super::parse::File;

/// The directories of the system manager, highest priority first.
pub const SYSTEM: [&str; 8] = [
    "/etc/systemd/system.control",
    "/run/systemd/transient",
    "/etc/systemd/system",
    "/run/systemd/system",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/run/systemd/generator.late",
];

/// The drop-ins that apply to a unit, in order. `list` returns the file names in a directory, none when it does not exist.
/// Of several files with one name the first counts; those of the type-wide directory (`service.d`) come last.
pub fn order(name: &UnitName, search: &[String], mut list: impl FnMut(&str) -> Vec<String>) -> Vec<String> {
    let named = search
        .iter()
        .flat_map(|dir| name.dropin_names().into_iter().map(move |n| format!("{dir}/{n}.d")));
    let wide = search.iter().map(|dir| format!("{dir}/{}.d", name.kind()));
    let mut chosen: BTreeMap<String, String> = BTreeMap::new();
    for dir in named.chain(wide) {
        for file in list(&dir) {
            if file.ends_with(".conf") && !file.starts_with('.') {
                let path = format!("{dir}/{file}");
                chosen.entry(file).or_insert(path);
            }
        }
    }
    chosen.into_values().collect()
}

fn names_in(dir: &Path) -> io::Result<Vec<String>> {
    match fs::read_dir(dir) {
        Ok(entries) => entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect(),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(Vec::new()),
        Err(e) => Err(e),
    }
}

/// Loads a unit with its drop-ins. An instance without its own file uses that of its template. `Ok(None)`: not found.
/// Fails when a file or directory that exists cannot be read.
pub fn load(name: &UnitName, search: &[PathBuf]) -> io::Result<Option<Unit>> {
    let template = name.template();
    let candidates = [Some(name), template.as_ref()];
    let mut fragment = None;
    'found: for candidate in candidates.into_iter().flatten() {
        for dir in search {
            let path = dir.join(candidate.as_str());
            match fs::read(&path) {
                Ok(bytes) => {
                    fragment = Some(File::parse(path.to_string_lossy(), &bytes));
                    break 'found;
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
    }
    let Some(fragment) = fragment else {
        return Ok(None);
    };
    let dirs: Vec<String> = search.iter().map(|dir| dir.to_string_lossy().into_owned()).collect();
    let mut failed = None;
    let paths = order(name, &dirs, |dir| {
        names_in(Path::new(dir)).unwrap_or_else(|e| {
            failed.get_or_insert(e);
            Vec::new()
        })
    });
    if let Some(e) = failed {
        return Err(e);
    }
    let mut files = vec![fragment];
    for path in paths {
        files.push(File::parse(path.clone(), &fs::read(&path)?));
    }
    Ok(Some(Unit {
        name: name.clone(),
        files,
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn of_equal_names_the_first_directory_counts_and_drop_ins_are_sorted_by_name() {
        let name = UnitName::new("foo-bar@1.service").unwrap();
        let dirs = ["/etc", "/lib"].map(String::from);
        let disk = [
            ("/lib/foo-bar@.service.d", "20-b.conf"),
            ("/etc/foo-@.service.d", "20-b.conf"),
            ("/lib/foo-bar@1.service.d", "30-c.conf"),
            ("/etc/service.d", "30-c.conf"),
            ("/lib/service.d", "10-a.conf"),
            ("/etc/foo-bar@1.service.d", "notes.txt"),
        ];
        let list = |dir: &str| {
            disk.iter()
                .filter(|(d, _)| *d == dir)
                .map(|(_, f)| (*f).to_owned())
                .collect()
        };
        let want = [
            "/lib/service.d/10-a.conf",
            "/etc/foo-@.service.d/20-b.conf",
            "/lib/foo-bar@1.service.d/30-c.conf",
        ];
        assert_eq!(order(&name, &dirs, list), want);
    }
}
