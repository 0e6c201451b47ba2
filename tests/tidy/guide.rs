//! "Where to change what" in `docs/CONTRIBUTING.md`, held against the tree: the paths exist, and what was changed for one
//! example of each kind is all in its row.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{files, none};

/// A kind of change, as its row begins; how an example of it shows in the code; and how many files under `src` it may
/// touch. Text in comments and in tests does not count.
const CHANGES: &[(&str, &[&str], usize)] = &[
    ("add a key to `deploy.yml`", &["start_timeout"], 4),
    (
        "add a strategy",
        &[
            "Strategy::Socket =>",
            "Self::Socket,",
            "socket::turnover(",
            "step_socket(",
        ],
        8,
    ),
    (
        "add a step to a switch",
        &["Step::Spare", "Kind::Spare", "Self::Spare", "step_spare"],
        6,
    ),
    (
        "add a step to stage",
        &["Script::verify(", "stage/verify.sh", "\"verify\";"],
        3,
    ),
    (
        "add a kind of health check",
        &["asks(\"tcp\"", "Self::Tcp {", "own tcp:", "    tcp)"],
        5,
    ),
    (
        "observe one more fact on the host",
        &["free_inodes\"", "free_inodes:"],
        2,
    ),
    ("print one more line in `status`", &["MemoryCurrent"], 3),
    ("lint one more thing in a unit", &["\"restart-missing\""], 1),
    (
        "collect one more fact about the host's units",
        &["Question::Tasks", "tasks)"],
        3,
    ),
    ("add an event or a field", &["longest_gap_ms"], 4),
    ("add an exit status of the program", &["Locked"], 8),
    ("add a way to log in", &["password::log_in", "mod password;"], 3),
    ("add a command", &["    Attach,", "Command::Attach"], 3),
];

/// The rows of the table: what somebody wants, and the cell with the files.
fn rows() -> Vec<(String, String)> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = fs::read_to_string(top.join("docs/CONTRIBUTING.md")).unwrap();
    let table = guide.split_once("## I want to").unwrap().1;
    let table = table.split_once("\n## ").unwrap().0;
    let cells = table
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
    cells
        .map(|(want, files)| (want.to_owned(), files.trim_end_matches(" |").to_owned()))
        .skip(1)
        .collect()
}

/// The paths that a cell names: words in backquotes with a `/` from the top, and bare names of files beside the last.
fn paths(cell: &str) -> Vec<PathBuf> {
    let mut folder = PathBuf::new();
    let mut found = Vec::new();
    for word in cell.split('`').skip(1).step_by(2) {
        let is_name = word.ends_with(".rs") || word.ends_with(".sh");
        if word.contains('/') && !word.contains(['*', ' ']) {
            let path = PathBuf::from(word);
            folder = if word.ends_with('/') {
                path.clone()
            } else {
                path.parent().unwrap().into()
            };
            found.push(path);
        } else if is_name {
            found.push(folder.join(word));
        }
    }
    found
}

/// What counts of a file: no comment, and nothing from its tests on.
fn code(text: &str, file: &str) -> String {
    let comment = if file.ends_with(".sh") { "#" } else { "//" };
    let lines = text.split("#[cfg(test)]").next().unwrap().lines();
    let lines = lines.filter(|line| !line.trim_start().starts_with(comment));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_path_in_the_guide_exists() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let all = rows();
    assert!(all.len() >= CHANGES.len(), "{}", all.len());
    let mut broken = Vec::new();
    for (want, cell) in &all {
        for path in paths(cell).iter().filter(|path| !top.join(path).exists()) {
            broken.push(format!("{want}: {} does not exist", path.display()));
        }
    }
    none(&broken);
}

#[test]
fn the_guide_names_every_file_that_a_change_of_each_kind_touches() {
    let (all, sources) = (rows(), [files("src", ".rs"), files("src", ".sh")].concat());
    let mut broken = Vec::new();
    for (want, signs, most) in CHANGES {
        let Some((_, cell)) = all.iter().find(|(row, _)| row.starts_with(want)) else {
            broken.push(format!("no row `{want}`"));
            continue;
        };
        let named = paths(cell);
        let elsewhere = cell.contains("where it is used");
        let touched: BTreeSet<&String> = sources
            .iter()
            .filter(|(file, _)| !file.contains("tests"))
            .filter(|(file, text)| signs.iter().any(|sign| code(text, file).contains(sign)))
            .map(|(file, _)| file)
            .collect();
        if touched.is_empty()
            || signs
                .iter()
                .any(|sign| !sources.iter().any(|(_, text)| text.contains(sign)))
        {
            broken.push(format!(
                "{want}: {signs:?} is not in the code any more: choose another example"
            ));
        }
        if touched.len() > *most {
            broken.push(format!("{want}: more than {most} files: {touched:?}"));
        }
        let unnamed = touched
            .iter()
            .filter(|file| !elsewhere && !named.iter().any(|path| Path::new(file).starts_with(path)));
        broken.extend(unnamed.map(|file| format!("{want}: the row lacks {file}")));
    }
    none(&broken);
}
