//! The rules of the house that no compiler knows: which layer may know which, how long a file may be, what a file
//! opens with. Each failure names file and line.

mod floors;
mod guide; // where to change what // which room may use which, and that no files import each other in a ring

use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a Rust file, from which on it is two files.
const LONG: usize = 400;
/// Lines of a host script: what an administrator reads in one sitting.
const LONG_SCRIPT: usize = 120;
/// Columns of a line of a host script.
const WIDE_SCRIPT: usize = 120;

/// The text files below a folder of the repository whose names end so: path from the top, and text.
fn files(folder: &str, suffix: &str) -> Vec<(String, String)> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders: Vec<PathBuf> = vec![top.join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(suffix) {
                let name = path.strip_prefix(top).unwrap().display().to_string();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "no *{suffix} below {folder}");
    found.sort();
    found
}

fn rust() -> Vec<(String, String)> {
    [files("src", ".rs"), files("tests", ".rs")].concat()
}

#[track_caller]
fn none(broken: &[String]) {
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[test]
fn every_file_says_what_lives_there_and_is_short() {
    let mut broken = Vec::new();
    for (file, text) in rust() {
        if !text.starts_with("//! ") {
            broken.push(format!("{file}:1: does not open with `//!`"));
        }
        let lines = text.lines().count();
        if lines >= LONG {
            broken.push(format!("{file}: {lines} lines, {LONG} are too many"));
        }
    }
    for (file, text) in files("src/remote", ".sh") {
        if !text.starts_with('#') {
            broken.push(format!("{file}:1: does not open with a comment"));
        }
        let lines = text.lines().count();
        if lines > LONG_SCRIPT {
            broken.push(format!("{file}: {lines} lines, more than {LONG_SCRIPT}"));
        }
        for (index, line) in text.lines().enumerate() {
            let columns = line.chars().count();
            if columns > WIDE_SCRIPT {
                let at = index + 1;
                broken.push(format!("{file}:{at}: {columns} columns, more than {WIDE_SCRIPT}"));
            }
        }
    }
    none(&broken);
}

#[test]
fn nothing_unfinished_and_nothing_of_one_machine_is_left() {
    let words = [
        "todo!(",
        "dbg!(",
        "unimplemented!(",
        "TODO",
        "FIXME",
        "/work/main",
        "/work/wt",
        "/work/shared",
    ];
    let mut broken = Vec::new();
    let all = [
        rust(),
        files("src/remote", ".sh"),
        files("scripts", ""),
        files("docs", ".md"),
    ]
    .concat();
    for (file, text) in all {
        if file == "tests/tidy/mod.rs" {
            continue; // it names them
        }
        for (index, line) in text.lines().enumerate() {
            if let Some(word) = words.iter().find(|word| line.contains(**word)) {
                broken.push(format!("{file}:{}: `{word}`", index + 1));
            }
            if issue(line) {
                broken.push(format!("{file}:{}: the number of an issue", index + 1));
            }
        }
    }
    none(&broken);
}

/// `issue #12`, `(#12)`, `fixes #12`: a number that only a tracker can explain.
fn issue(line: &str) -> bool {
    line.match_indices('#').any(|(at, _)| {
        let before = line[..at].to_lowercase();
        let number = line[at + 1..].chars().take_while(char::is_ascii_digit).count();
        (1..=5).contains(&number)
            && ["issue ", "(", "fixes ", "closes ", "see ", "pr "]
                .iter()
                .any(|word| before.ends_with(word))
    })
}

/// What a test waits for without a bound, a hang in CI would wait for until nobody knows which test it was.
#[test]
fn tests_wait_with_a_bound() {
    let mut broken = Vec::new();
    for (file, text) in files("tests", ".rs") {
        if ["tests/tidy/mod.rs", "tests/bounds.rs", "tests/lab/mod.rs"].contains(&file.as_str()) {
            continue; // it names them; it has the bounds; it builds images, and asks what hangs
        }
        for (index, line) in text.lines().enumerate() {
            for word in [
                ".wait_with_output()",
                ".output()",
                ".recv()",
                "elapsed() < Duration::from",
            ] {
                if line.contains(word) {
                    broken.push(format!(
                        "{file}:{}: `{word}`: tests/bounds.rs has the bounds",
                        index + 1
                    ));
                }
            }
        }
    }
    none(&broken);
}

/// The host needs Linux; the program shall need no more than POSIX.
#[test]
fn the_program_uses_nothing_that_only_linux_has() {
    let words = [
        "os::linux",
        "target_os",
        "(\"/proc/",
        "rustix::inotify",
        "rustix::thread",
        "memfd_create",
        "openat2(",
        "statfs(",
    ];
    // Each is named in docs/CONTRIBUTING.md.
    let own = ["src/source/file_system.rs"];
    let mut broken = Vec::new();
    for (file, text) in files("src", ".rs") {
        if own.contains(&file.as_str()) {
            continue;
        }
        for (index, line) in text.lines().enumerate() {
            if let Some(word) = words.iter().find(|word| line.contains(**word)) {
                broken.push(format!("{file}:{}: `{word}`", index + 1));
            }
        }
    }
    none(&broken);
}

#[test]
fn every_file_that_a_document_names_is_there() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ours = ["src/", "tests/", "scripts/", "docs/"];
    let readme = fs::read_to_string(top.join("README.md")).unwrap();
    let (mut broken, mut named) = (Vec::new(), 0);
    for (document, text) in [files("docs", ".md"), vec![("README.md".into(), readme)]].concat() {
        let quoted = text.split('`').skip(1).step_by(2);
        for path in quoted.filter(|word| ours.iter().any(|top| word.starts_with(top))) {
            named += 1;
            if !top.join(path.split_whitespace().next().unwrap()).exists() {
                broken.push(format!("{document}: there is no {path}"));
            }
        }
    }
    none(&broken);
    assert!(named > 20, "{named}");
}
