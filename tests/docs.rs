//! The documents are held against the program: what they list is all there is, what they show is what it says.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use clap::CommandFactory;
use serde_json::Value;
use shipit::cli::args::Args;
use shipit::config::{self, Config};
use shipit::failure::{Exit, Failure};
use shipit::plan::units::{When, sudo_lines};
use shipit::remote::{CONDUCTOR, script};
use shipit::report::event::{Commit, Downtime, Ended, Event, Outcome, Phase, Report, State};
use shipit::report::json::Json;
use shipit::unit::strategy::Strategy;

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every document that people read, by its path.
fn documents() -> Vec<PathBuf> {
    let mut all = vec![PathBuf::from("README.md"), PathBuf::from("CHANGELOG.md")];
    for entry in ["docs", "docs/apps"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).unwrap())
    {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ext| ext == "md") {
            all.push(path);
        }
    }
    assert!(all.len() > 8, "{all:?}");
    all
}

/// The fenced blocks of one language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let (mut all, mut inside) = (Vec::new(), None::<String>);
    for line in text.lines() {
        match (&mut inside, line.strip_prefix("```")) {
            (None, Some(tag)) if tag == language => inside = Some(String::new()),
            (Some(_), Some("")) => all.extend(inside.take()),
            (Some(block), None) => {
                block.push_str(line);
                block.push('\n');
            }
            _ => {}
        }
    }
    all
}

/// What stands under a heading, up to the next one.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let at = text
        .find(&format!("\n## {heading}\n"))
        .unwrap_or_else(|| panic!("no `## {heading}`"));
    let rest = &text[at + 4..];
    rest.split("\n## ").next().unwrap()
}

fn load(yml: &str) -> Result<Config, Failure> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deploy.yml");
    std::fs::write(&path, yml).unwrap();
    config::load(&path, None)
}

pub fn commands() -> Vec<clap::Command> {
    let mut root = Args::command();
    root.build();
    let all: Vec<clap::Command> = root.get_subcommands().cloned().collect();
    all.into_iter().filter(|c| c.get_name() != "help").collect()
}

#[test]
fn every_crate_has_a_line_that_says_why_and_no_line_is_left_over() {
    let manifest = read("Cargo.toml");
    let mut crates = BTreeSet::new();
    for part in ["[dependencies]\n", "[dev-dependencies]\n"] {
        let rest = manifest.split(part).nth(1).unwrap();
        for line in rest.lines().take_while(|line| !line.starts_with('[')) {
            if let Some((name, _)) = line.split_once(" = ") {
                crates.insert(name.to_owned());
            }
        }
    }
    assert!(crates.contains("ssh2") && crates.contains("tempfile"));
    let listed: BTreeSet<String> = read("docs/dependencies.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" |").next())
        .filter(|name| *name != "crate")
        .map(str::to_owned)
        .collect();
    assert_eq!(crates, listed);
}

#[test]
fn every_command_is_in_the_readme_and_its_help_begins_with_an_example() {
    let readme = read("README.md");
    let all = commands();
    assert!(all.len() > 10);
    for command in all {
        let name = command.get_name();
        assert!(readme.contains(&format!("| `shipit {name}` |")), "{name}");
        let help = command.get_long_about().map(ToString::to_string);
        let begins = format!("Example:\n  shipit {name}");
        assert!(help.is_some_and(|text| text.starts_with(&begins)), "the help of {name}");
    }
    let about = Args::command().get_long_about().unwrap().to_string();
    assert!(about.starts_with("Example:"));
}

#[test]
fn every_link_to_a_file_leads_to_one() {
    for document in documents() {
        let text = read(document.to_str().unwrap());
        for target in text.split("](").skip(1) {
            let target = target.split([')', '#']).next().unwrap();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let path = document.parent().unwrap().join(target);
            assert!(path.exists(), "{}: {target}", document.display());
        }
    }
}

#[test]
fn every_script_that_a_reader_is_told_to_run_is_there() {
    for document in documents() {
        for word in read(document.to_str().unwrap()).split([' ', '\n', '`', '(', ')']) {
            if word.starts_with("scripts/") && word.ends_with(".sh") {
                assert!(Path::new(word).exists(), "{}: {word}", document.display());
            }
        }
    }
}

#[test]
fn every_deploy_yml_that_is_shown_can_be_used() {
    let mut seen = 0;
    for document in documents() {
        for block in blocks(&read(document.to_str().unwrap()), "yaml") {
            let loaded = load(&block).map_err(|failure| failure.to_string());
            assert!(loaded.is_ok(), "{}: {loaded:?}", document.display());
            seen += 1;
        }
    }
    assert!(seen >= 4, "{seen}");
}

#[test]
fn every_strategy_has_a_row_and_a_section() {
    let (readme, page) = (read("README.md"), read("docs/strategies.md"));
    for strategy in Strategy::ALL {
        let name = strategy.as_str();
        let row = format!("| `{name}` |");
        assert!(readme.lines().any(|line| line.starts_with(&row)), "no row for {name}");
        assert!(page.contains(&format!("\n## {name}\n")), "{name}");
    }
}

#[test]
fn the_sudo_rule_is_explained_line_by_line() {
    let page = section(&read("docs/security.md"), "The sudo rule").to_owned();
    let mut lines = BTreeSet::new();
    for strategy in ["socket", "reload"] {
        let yml = format!(
            "app: hello\nhost: d@h\nsource: s\nmigrate: acme-migrate.service\n\
             notify: hello-notify@.service\nservices: [{{unit: hello.service, strategy: {strategy}}}]\n"
        );
        let config = load(&yml).unwrap();
        for when in [When::Deploy, When::DayToDay] {
            lines.extend(sudo_lines(&config, when));
        }
    }
    // The journal of the migration is the same line with another unit.
    lines.retain(|line| !line.contains("--unit=acme-migrate"));
    assert!(lines.len() > 8);
    for line in &lines {
        assert!(page.contains(&format!("| `{line}` |")), "{line}");
    }
    assert_eq!(page.matches("| `/usr/").count(), lines.len());
}

#[test]
fn hooks_are_told_what_the_page_says() {
    let page = read("docs/hooks.md");
    let source = read("src/engine/local_command.rs");
    let told: BTreeSet<&str> = source.split('"').filter(|word| word.starts_with("SHIPIT_")).collect();
    let listed: BTreeSet<&str> = page.split('`').filter(|word| word.starts_with("SHIPIT_")).collect();
    assert_eq!(told, listed);
}

#[test]
fn every_word_of_the_ledger_is_explained() {
    let page = section(&read("docs/host-layout.md"), "Events of the ledger").to_owned();
    let mut words = BTreeSet::new();
    let texts = script::ALL.iter().map(|(_, text)| *text);
    for line in texts.chain([CONDUCTOR]).flat_map(str::lines) {
        // `ledger WORD …` writes one; `- - WORD …` is the form of a line outside of a run.
        for mark in ["ledger ", "- - ", "\"staged "] {
            let Some((_, rest)) = line.split_once(mark) else {
                continue;
            };
            let word: String = rest.chars().take_while(char::is_ascii_lowercase).collect::<String>();
            let ends = rest[word.len()..].starts_with([' ', '$']);
            if ends && rest[word.len()..].contains('$') && !line.trim_start().starts_with('#') {
                words.insert(word);
            }
        }
    }
    words.remove("");
    assert!(words.contains("begin") && words.contains("adopted"), "{words:?}");
    for word in words {
        assert!(page.contains(&format!("`{word}`")), "{word}");
    }
}

#[derive(Clone, Default)]
struct Lines(Rc<RefCell<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().extend(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// One of each event, as JSON.
fn rendered() -> Vec<Value> {
    let lines = Lines::default();
    let mut json = Json::new(Box::new(lines.clone()), shipit::failure::Typed::default());
    for event in [
        Event::Started {
            command: "deploy",
            app: String::new(),
            host: String::new(),
            release: None,
        },
        Event::Step {
            phase: Phase::Stage,
            name: String::new(),
            state: State::Started,
            took: None,
            note: None,
        },
        Event::Progress {
            sent: 0,
            total: 0,
            reused: 0,
        },
        Event::Wait {
            unit: String::new(),
            within: Duration::ZERO,
            answer: String::new(),
        },
        Event::Log {
            source: "host",
            line: Vec::new(),
        },
        Event::Ended(Box::new(Ended {
            outcome: Outcome::Reverted,
            exit: Exit::Reverted,
            release: None,
            previous: None,
            live: None,
            live_known: true,
            took: Duration::ZERO,
            live_after: None,
            bytes_sent: 0,
            commit: Some(Commit::default()),
            upload: None,
            downtime: Some(Downtime::default()),
            canceled: false,
            failure: Some(Failure::new(Exit::Reverted, "")),
            next: Vec::new(),
        })),
    ] {
        json.event(&event);
    }
    let bytes = lines.0.borrow().clone();
    String::from_utf8(bytes)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The names of all fields, those of inner objects as `outer.inner`.
fn fields(value: &Value) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (name, value) in value.as_object().unwrap() {
        all.insert(name.clone());
        if let Value::Object(inner) = value {
            all.extend(inner.keys().map(|key| format!("{name}.{key}")));
        }
    }
    all
}

/// Insists that an object has the fields of the sample in docs/json.md that has this field.
#[track_caller]
pub fn as_shown(field: &str, object: &Value) {
    let page = read("docs/json.md");
    let blocks = blocks(&page, "json");
    let samples = blocks.iter().flat_map(|block| block.lines());
    let mut samples = samples.map(|line| serde_json::from_str::<Value>(line).unwrap());
    let sample = samples.find(|sample| !sample[field].is_null()).expect(field);
    // What is in `commands` is the user's.
    let of = |value| fields(value).into_iter().filter(|name| !name.starts_with("commands."));
    assert_eq!(
        of(object).collect::<Vec<_>>(),
        of(&sample).collect::<Vec<_>>(),
        "{object}"
    );
    for (name, value) in sample.as_object().unwrap() {
        let kind = |value: &Value| std::mem::discriminant(value);
        assert_eq!(kind(value), kind(&object[name]), "{name}: {object}");
    }
}

#[test]
fn the_json_that_is_shown_is_the_json_that_is_written() {
    let page = read("docs/json.md");
    let mut shapes = BTreeMap::new();
    for value in rendered() {
        let event = value["event"].as_str().unwrap().to_owned();
        let text = section(&page, &event);
        for field in fields(&value) {
            let name = field.rsplit('.').next().unwrap();
            let known = ["v", "at", "event"].contains(&name);
            assert!(known || text.contains(&format!("`{name}`")), "{event}.{field}");
        }
        shapes.insert(event, fields(&value));
    }
    let mut shown = BTreeSet::new();
    for line in blocks(&page, "json").iter().flat_map(|block| block.lines()) {
        let sample: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert_eq!(sample["v"], 1, "{line}");
        let Some(event) = sample["event"].as_str() else {
            continue;
        };
        let shape = &shapes[event];
        // A null stands for the whole inner object.
        let inner = |name: &&String| name.split_once('.').is_none_or(|(outer, _)| !sample[outer].is_null());
        let expected: BTreeSet<String> = shape.iter().filter(inner).cloned().collect();
        assert_eq!(fields(&sample), expected, "{line}");
        shown.insert(event.to_owned());
    }
    assert_eq!(shown, shapes.into_keys().collect());
}

#[test]
fn every_outcome_and_every_exit_code_is_listed() {
    let (page, readme) = (read("docs/json.md"), read("README.md"));
    for outcome in Outcome::ALL {
        let word = outcome.word();
        assert!(page.contains(&format!("\n| `{word}` | ")), "{word}");
    }
    for exit in [
        Exit::Done,
        Exit::Untouched,
        Exit::Usage,
        Exit::Reverted,
        Exit::Degraded,
        Exit::Locked,
        Exit::Unreachable,
        Exit::Unknown,
    ] {
        let row = format!("\n| {} | ", exit.code());
        let listed = section(&page, "Exit codes").contains(&row);
        assert!(listed && readme.contains(&row), "{exit:?}");
    }
}
