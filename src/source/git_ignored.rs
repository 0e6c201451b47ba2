//! What git ignores and a release ships all the same: told, because `git status` never shows it. Git itself is asked,
//! so that its rules are git's. Decides nothing, and where git cannot say, nothing is told.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::release::{Kind, Manifest};
use crate::text;

/// How many paths are named; the rest is counted.
const NAMED: usize = 5;

/// The sentence about what of a release git ignores; none where that is nothing, where the source is in no git
/// repository, or where git ignores the source as a whole: then it is what a build made.
/// What `commands`, those that run in the release, name is meant to be shipped, and is not in it.
pub fn warning(source: &Path, manifest: &Manifest, commands: &[String]) -> Option<String> {
    let mut ignored = ignored(source)?;
    ignored.retain(|path| !commands.iter().any(|line| names(line, path)));
    let shipped = shipped(&ignored, manifest);
    if shipped.is_empty() {
        return None;
    }
    let named: Vec<String> = shipped
        .iter()
        .take(NAMED)
        .map(|(path, files)| match files {
            None => text::shown(path),
            Some(1) => format!("{} (1 file)", text::shown(path)),
            Some(files) => format!("{} ({files} files)", text::shown(path)),
        })
        .collect();
    let more = match shipped.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!(
        "these files are shipped although git ignores them: {}{more}; to leave them out, list them under `exclude:`",
        named.join(", ")
    ))
}

/// Whether a command line names this path, or a file in this directory: alone, or below a release.
fn names(line: &str, path: &[u8]) -> bool {
    let Ok(path) = std::str::from_utf8(path) else {
        return false;
    };
    let separates = |c: char| c.is_whitespace() || "'\"=;,&|()".contains(c);
    line.split(separates).any(|word| {
        let word = word.trim_start_matches(['@', '-', ':', '+', '!']);
        let word = word.strip_prefix("./").unwrap_or(word);
        let below = ["/current/", "/next/"].iter().find_map(|link| word.split_once(link));
        let word = below.map_or(word, |(_, inside)| inside);
        word == path.trim_end_matches('/') || path.ends_with('/') && word.starts_with(path)
    })
}

/// What git ignores below the source, relative to it; a whole directory is one path that ends in `/`.
fn ignored(source: &Path) -> Option<Vec<Vec<u8>>> {
    // An archive is looked into by nobody but us.
    if !source.is_dir() {
        return None;
    }
    let out = Command::new("git")
        .arg("-C")
        .arg(source)
        .args(["ls-files", "--others", "--ignored", "--exclude-standard"])
        .args(["--directory", "-z"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|out| out.status.success())?;
    let paths = out.stdout.split(|&byte| byte == 0);
    let paths: Vec<Vec<u8>> = paths.filter(|path| !path.is_empty()).map(<[u8]>::to_vec).collect();
    // `./` is the source itself.
    (!paths.iter().any(|path| path == b"./")).then_some(paths)
}

/// Those paths that the release has, and of directories how many files; what `exclude:` names is not among them.
fn shipped<'p>(ignored: &'p [Vec<u8>], manifest: &Manifest) -> Vec<(&'p [u8], Option<usize>)> {
    let entries = manifest.entries();
    let count = |path: &'p Vec<u8>| {
        if !path.ends_with(b"/") {
            return manifest.get(path).map(|_| (path.as_slice(), None));
        }
        let first = entries.partition_point(|entry| entry.path < *path);
        let inside = entries[first..].iter().take_while(|entry| entry.path.starts_with(path));
        let files = inside.filter(|entry| !matches!(entry.kind, Kind::Dir));
        match files.count() {
            0 => None,
            files => Some((path.as_slice(), Some(files))),
        }
    };
    ignored.iter().filter_map(count).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;
    use crate::interrupt::Interrupts;
    use crate::source::{Source, scan};

    #[test]
    fn case_47_what_git_ignores_and_is_shipped_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let told = |source: &str, exclude: &[String]| {
            let path = dir.path().join(source);
            let source = Source {
                path: &path,
                exclude,
                allow_secrets: &[],
                identity: None,
                hashes: None,
            };
            let scanned = scan(&source, &Interrupts::never().unwrap()).unwrap();
            warning(&path, &scanned.manifest, &[])
        };
        for (path, text) in [
            (".gitignore", "*.log\nmade/\n!made/keep\n/deep/*\n!/deep/keep\nempty/\n"),
            ("a.log", ""),
            ("made/keep", ""),
            ("made/sub/x", ""),
            ("deep/keep", ""),
            ("deep/x.js", ""),
            ("own", ""),
        ] {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        fs::create_dir(dir.path().join("empty")).unwrap();
        assert_eq!(told(".", &[]), None, "no repository");
        let git = Command::new("git")
            .arg("-C")
            .arg(dir.path())
            .args(["init", "-q"])
            .status();
        assert!(git.unwrap().success());
        assert_eq!(
            told(".", &[]).unwrap(),
            "these files are shipped although git ignores them: a.log, deep/x.js, made/ (2 files); to leave them out, list them under `exclude:`"
        );
        let but = ["*.log".to_owned(), "made/sub/".to_owned(), "deep".to_owned()];
        assert!(told(".", &but).unwrap().contains("them: made/ (1 file);"));
        assert_eq!(told("made", &[]), None, "git ignores all of it: it is build output");
        // What the app runs is no mistake.
        for (line, named) in [
            ("/usr/bin/node /opt/acme/current/made/server.js", true),
            ("/usr/bin/node --enable-source-maps made/server.js", true),
            ("-./made/run", true),
            ("/usr/bin/node /opt/acme/current/server.js made-up", false),
            ("/usr/bin/made", false),
        ] {
            assert_eq!(names(line, b"made/"), named, "{line}");
        }
    }
}
