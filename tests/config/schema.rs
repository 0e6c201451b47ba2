//! deploy.schema.json and the parser: every file that any test of this room loads is held against both. The schema takes
//! all that the parser takes, and refuses the rest, except for what no schema can state.

use std::sync::OnceLock;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;
use shipit::config::{self, Config};
use shipit::failure::Failure;

use super::{load, taken, with};

/// What only the parser finds, by the words of its message: what two values mean together, what a name is reserved for,
/// an order of components, and what an editor's reader of YAML does not show.
const ONLY_THE_PARSER: [&str; 69] = [
    // One value against others, or against the choice of -e.
    "is listed twice",
    "another service has this router too",
    "runs 2 instances",
    "`instances` is missing",
    "another service has an instance",
    "ports for 2 instances",
    "needs the key `ports`",
    "is not a template",
    "does not run instances",
    "it cannot also be a service",
    "is shared twice",
    "overlap",
    "some keys are set only under `environments`",
    "is not in `routers`",
    "ascending shares below 100%",
    "is not a share from 1% to 100%",
    "cannot split the requests",
    "only a router of `kind: haproxy` counts requests",
    "only `strategy: canary` uses it",
    "are the same router",
    "needs the name of a router",
    "does not use a router",
    "give the trial its own",
    "does not use it: no client",
    "keep the old instance ready",
    "is checked at its own address",
    "is empty after a reboot",
    "is missing; `kind: haproxy`",
    // Names and directories that belong to somebody else.
    "ends in `-boot`",
    "is reserved for shipit",
    "is part of the host",
    "is in the host's own",
    "empties automatically",
    "is shared by everything on the host",
    "is a user's home directory",
    "is the host's root directory",
    "metadata service",
    "contains two `@`",
    "is a template",
    // Components of paths, hosts and patterns.
    "`.`",
    "contains `",
    "contains a space",
    "contains a login",
    "contains a `#`",
    "contains a bracket",
    "is the root directory",
    "begins with `~`",
    "is empty; write",
    "is not below the directory",
    "is not a glob",
    "is not a URL",
    "percent-encode",
    "other than letters, digits",
    "is not an IPv6 address",
    "is the migration itself",
    "is not a fingerprint in the format",
    "bytes",
    // What is valid YAML, and not what an editor gives to a schema.
    "a NUL in",
    "a tab in",
    "a line break in",
    "character U+",
    // Integers to JSON and to YAML: other ways to write 5.
    "not `5.0`",
    "not `0x5`",
    "not `+5`",
    "not `5e0`",
    "a tag (`!…`)",
    "appears twice",
    "needs two instances or more",
    "`rolling` works with HAProxy",
];

struct Checked {
    schemas: Schemas,
    index: SchemaIndex,
}

/// The schema that the program prints.
fn schema() -> &'static Checked {
    static CHECKED: OnceLock<Checked> = OnceLock::new();
    CHECKED.get_or_init(|| {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        let place = "https://shipit.invalid/deploy.schema.json";
        let text = serde_json::from_str(&config::schema()).expect("the schema is JSON");
        compiler.add_resource(place, text).expect("the schema is added");
        let index = compiler.compile(place, &mut schemas).expect("the schema is a schema");
        Checked { schemas, index }
    })
}

/// The file as an editor reads it, unless its reader refuses it too: it tells its user so itself.
fn as_editors_read(bytes: &[u8]) -> Option<Value> {
    // libyaml expands aliases, which the parser refuses: nothing here is worth gigabytes.
    if bytes.len() > 64 * 1024 || bytes.contains(&b'*') && bytes.contains(&b'&') {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?.trim_start_matches('\u{feff}');
    let read: Value = serde_yaml::from_str(text).ok()?;
    if text.contains(".inf") {
        return None; // JSON has no infinity; editors have, and it is as good a text as any number.
    }
    Some(if read.is_null() { serde_json::json!({}) } else { read })
}

/// Holds the schema against what the parser did with the same bytes.
#[track_caller]
pub(super) fn agrees(bytes: &[u8], parsed: Result<&Config, &Failure>) {
    let Some(file) = as_editors_read(bytes) else { return };
    let checked = schema();
    let text = String::from_utf8_lossy(bytes);
    match (checked.schemas.validate(&file, checked.index), parsed) {
        (Ok(()), Ok(_)) | (Err(_), Err(_)) => {}
        (Err(wrong), Ok(_)) => panic!("the schema refuses what the parser takes:\n{text:.2000}\n{wrong}"),
        // That is wrong on the command line.
        (Ok(()), Err(failure)) if failure.what.contains(" has no environment ") => {}
        (Ok(()), Err(failure)) => {
            // The parser merges the environments before it looks for what is missing.
            let merged = |why: &str| !file["environments"].is_null() && why.contains("is missing");
            let known = |why: &String| merged(why) || ONLY_THE_PARSER.iter().any(|words| why.contains(words));
            assert!(
                failure.why.iter().all(known),
                "the schema takes what the parser refuses:\n{text:.2000}\n{failure}"
            );
        }
    }
}

#[test]
fn numbers_end_in_the_schema_where_they_end_in_the_parser() {
    let health = |key: &str, value: u32| {
        with(
            "services",
            &format!("[{{unit: a.service, strategy: restart, health: {{url: 'http://a/', {key}: {value}}}}}]"),
        )
    };
    for (key, least, most) in [("status", 100, 599), ("successes", 1, 100)] {
        for value in [least, most] {
            taken(&health(key, value));
        }
        for value in [least - 1, most + 1] {
            assert!(load(&health(key, value)).is_err(), "{key}: {value} was taken");
        }
    }
}

#[test]
fn what_is_written_without_quotes_is_text_for_both() {
    for text in ["1.10", "true", "5", "no", "1e3", "2026-11-29"] {
        taken(&with("build", text));
    }
    for text in ["~", "null", "[a]", "{a: b}", "''"] {
        assert!(load(&with("build", text)).is_err(), "{text} was taken");
    }
}

/// What an editor and a reader without a checkout get: the schema beside deploy.yml, and the example.
#[test]
fn the_schema_that_deploy_yml_names_is_beside_it_and_the_example_is_printed() {
    let dir = crate::init::project(&[("index.html", "x")]);
    let said = |args: &[&str]| {
        let ran = crate::init::shipit(dir.path(), args);
        assert_eq!(ran.status.code(), Some(0), "{ran:?}");
        String::from_utf8(ran.stdout).unwrap()
    };
    said(&["init", "--host", "deploy@box.example"]);
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    let first = "# yaml-language-server: $schema=deploy.schema.json\n";
    assert!(read("deploy.yml").starts_with(first), "{}", read("deploy.yml"));
    assert_eq!(read("deploy.schema.json"), said(&["config", "schema"]));
    assert_eq!(said(&["config", "example"]), include_str!("../../deploy.example.yml"));
}
