//! What YAML allows and shipit does not take, and what it takes as it is written.

use std::time::Duration;

use shipit::config;

use super::{SMALL, load, problems, refused, refused_with, taken, with, within};
use crate::bounds::cpu;

#[test]
fn case_3_a_tab_is_called_a_tab() {
    refused(
        &SMALL.replace("    strategy", "\tstrategy"),
        &["6:1: a tab in the indentation; use spaces"],
    );
    refused(
        &SMALL.replace("    strategy", "    \tstrategy"),
        &["6:5: a tab in the indentation; use spaces"],
    );
}

#[test]
fn case_4_and_5_a_duplicate_key_is_refused_at_any_depth() {
    refused(&format!("{SMALL}app: other\n"), &["7:1: `app` appears twice"]);
    refused(
        &with("hooks", "{on_failure: a, on_failure: b}"),
        &["7:24: `on_failure` appears twice"],
    );
    refused(
        &with("hooks", "{on_failure: a, \"on_failure\": b}"),
        &["7:24: `on_failure` appears twice"],
    );
    let nested = "\n  staging: {host: a}\n  staging: {host: b}";
    refused(&with("environments", nested), &["9:3: `staging` appears twice"]);
}

#[test]
fn case_6_an_alias_bomb_is_refused_at_once() {
    let bomb = format!(
        "{SMALL}build: &a {}\nexclude: [{}]\n",
        "x".repeat(100_000),
        "*a, ".repeat(20_000)
    );
    let took = cpu(|| refused_with(&bomb, "an anchor (`&name`)"));
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn case_7_deep_nesting_is_refused_at_once() {
    for (open, words) in [
        // The parser looks ahead inside brackets and has a limit of its own.
        ("[", "recursion limit exceeded"),
        ("{a: ", ""),
        ("- ", "nested more than 16 levels deep"),
        ("? ", "as a key"),
        ("[? ", "recursion limit exceeded"),
        ("a: [{", ""),
    ] {
        let text = format!("exclude:\n  {}", open.repeat(100_000));
        let took = within(move || cpu(|| refused_with(&text, words)));
        assert!(took < Duration::from_secs(2), "{open:?} took {took:?}");
    }
    let stairs: String = (0..1000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    refused_with(&stairs, "nested more than 16 levels deep");
}

#[test]
fn case_8_aliases_and_merge_keys_are_refused() {
    refused(
        &with("exclude", "&a [*a]"),
        &["7:10: an anchor (`&name`); write the value out where it is used"],
    );
    refused(
        &with("exclude", "[*a]"),
        &["7:11: invalid YAML: while parsing node, found unknown anchor in `exclude: [*a]`"],
    );
    refused(
        &with("hooks", "{<<: {on_failure: a}}"),
        &["7:9: a merge key (`<<`); write the values out where they are used"],
    );
    refused(
        &format!("{SMALL}<<: {{build: make}}\n"),
        &["7:1: a merge key (`<<`); write the values out where they are used"],
    );
}

#[test]
fn case_9_a_second_document_is_refused() {
    refused(
        &format!("{SMALL}---\napp: other\n"),
        &["7:1: a second document (`---`); deploy.yml may contain only one; for several hosts, use `environments`"],
    );
    assert_eq!(taken(&format!("---\n{SMALL}...\n")).app.as_str(), "acme");
}

#[test]
fn case_10_an_empty_file_lacks_what_is_needed() {
    for text in ["", "\n\n", "# nothing yet\n", "---\n"] {
        assert_eq!(
            problems(text),
            [
                "1:1: `app` is missing; for example `app: acme`",
                "1:1: `host` is missing; for example `host: deploy@app.example.com`",
                "1:1: `source` is missing; for example `source: build`",
                "1:1: `services` is missing; for example `services: [{unit: acme.service, strategy: restart}]`",
            ]
        );
    }
}

#[test]
fn case_11_a_byte_order_mark_and_crlf_are_taken() {
    let text = format!("\u{feff}{}", SMALL.replace('\n', "\r\n"));
    let config = taken(&text);
    assert_eq!((config.app.as_str(), config.services.len()), ("acme", 1));
    refused(
        &format!("\u{feff}{}kepe: 1\r\n", SMALL.replace('\n', "\r\n")),
        &["7:1: unknown key `kepe`; did you mean `keep_releases`?"],
    );
}

#[test]
fn case_12_what_cannot_be_seen_is_refused() {
    refused(&with("build", r#""a\0b""#), &[r#"7:8: a NUL in `a\x00b`"#]);
    refused(
        &with("build", r#""a\nb""#),
        &[r#"7:8: a line break in `a\x0ab`; keep it on one line, or move it to a script (`>-` folds lines into one)"#],
    );
    refused(
        &with("build", "|\n  make\n  make install\n"),
        &[
            r#"8:3: a line break in `make\x0amake install\x0a`; keep it on one line, or move it to a script (`>-` folds lines into one)"#,
        ],
    );
    refused(
        &with("build", r#""a\eb""#),
        &[r#"7:8: the control character U+001B in `a\x1bb`"#],
    );
    refused(
        &with("build", "\"a\u{202e}b\""),
        &[r#"7:8: the invisible character U+202E in `a\u{202e}b`"#],
    );
    refused(
        &with("build", "\"a\u{200b}b\""),
        &[r#"7:8: the invisible character U+200B in `a\u{200b}b`"#],
    );
    refused(&with("build", "a\tb"), &["7:8: a tab in `a b`"]);
    refused(
        &format!("{SMALL}\"bu\\u0007ild\": x\n"),
        &[r#"7:1: the control character U+0007 in `bu\x07ild`"#],
    );
    for raw in ["\0", "\x1b", "\x7f", "\u{9b}"] {
        assert!(load(&with("build", &format!("a{raw}b"))).is_err(), "{raw:?} was taken");
    }
    assert_eq!(
        taken(&with("build", ">-\n  make\n  install\n")).build.as_deref(),
        Some("make install")
    );
}

#[test]
fn case_13_nothing_is_coerced() {
    for text in [
        "no",
        "yes",
        "on",
        "1.10",
        "010",
        "0x1f",
        "1e3",
        "true",
        "2026-05-03",
        "12:30:45",
        "NaN",
        ".inf",
    ] {
        assert_eq!(taken(&with("build", text)).build.as_deref(), Some(text));
    }
    refused(
        &with("app", "NO"),
        &["6:6: `app`: `NO` contains `N`; an app name may contain only a-z, 0-9 and `-`"],
    );
    refused(
        &with("keep_releases", "010"),
        &["7:16: `keep_releases` must be a whole number from 1 to 1000, not `010`; for example `keep_releases: 5`"],
    );
    refused(
        &with("keep_releases", "\"5\""),
        &[
            "7:16: `keep_releases` must be a whole number from 1 to 1000, not `5` in quotes; for example `keep_releases: 5`",
        ],
    );
    for number in ["5.0", "0x5", "+5", "1_000", "5e0"] {
        refused_with(&with("keep_releases", number), "a whole number from 1 to 1000");
    }
    let health = |release: &str| {
        with(
            "services",
            &format!("[{{unit: a.service, strategy: restart, health: {{tcp: 'a:1', release: {release}}}}}]"),
        )
    };
    refused_with(&health("yes"), "`release` must be `true` or `false`, not `yes`");
}

#[test]
fn case_14_nothing_is_not_a_text() {
    for nothing in ["~", "", "null", "Null", "NULL", "''", "\"  \""] {
        refused_with(&with("app", nothing), "`app` must be text, not");
    }
    refused(
        &with("app", "~"),
        &["6:6: `app` must be text, not nothing; for example `app: acme`"],
    );
    assert_eq!(taken(&with("build", "\"null\"")).build.as_deref(), Some("null"));
}

#[test]
fn case_15_tags_are_refused() {
    refused(
        &with("build", "!!python/object/apply:os.system [id]"),
        &["7:8: a tag (`!…`); write the plain value"],
    );
    refused(
        &with("keep_releases", "!!int 5"),
        &["7:16: a tag (`!…`); write the plain value"],
    );
    refused(&with("build", "! x"), &["7:8: a tag (`!…`); write the plain value"]);
    refused_with(&with("build", "!e!x y"), "invalid YAML");
}

#[test]
fn a_written_scalar_reads_back_as_itself() {
    for text in [
        "plain",
        "no",
        "~",
        "null",
        "1.10",
        "a: b",
        "a #b",
        "- x",
        "'",
        "\"",
        "it's \"so\"",
        "*a",
        "&a",
        "!x",
        "%x",
        "@x",
        "{a",
        " a ",
        "größe",
        "\\n",
        "C:\\x",
        "? x",
        ">",
        "|",
        "010",
        "true",
        "=",
        "a:",
    ] {
        let config = taken(&with("build", &config::scalar(text)));
        assert_eq!(config.build.as_deref(), Some(text));
    }
}

#[test]
fn an_open_bracket_is_named_where_it_was_opened() {
    for (text, at, bracket) in [
        ("source: [site\nservices:\n  - unit: a\n", "1:9", '['),
        ("exclude: [a,\n  b\n\nservices: []\n", "1:10", '['),
        ("app: a\nexclude: [a # one\n", "2:10", '['),
        ("hooks: {on_failure: a # one\nsource: x\n", "1:8", '{'),
        ("services: [{unit: a, strategy: restart}\nsource: x\n", "1:11", '['),
        ("app: a\nservices: [{unit: a, health: {url: x}]\n", "2:12", '{'),
        ("exclude: [a (b)\nsource: x\n", "1:10", '['),
    ] {
        let words = format!("{at}: invalid YAML: this `{bracket}` is not closed");
        refused(text, &[&words]);
    }
    // A bracket that is closed is not accused.
    refused_with("exclude: [a: b: c]\nsource: x\n", "did not find expected ',' or '}'");
    refused_with("exclude: [a]]\n", "misplaced bracket");
}

#[test]
fn the_end_of_another_bracket_is_named_where_it_stands() {
    for (text, words) in [
        (
            "exclude: [a, b}\nsource: x\n",
            "1:15: invalid YAML: `}` does not close the `[`; it needs `]`",
        ),
        (
            "hooks: {on_failure: a]\nsource: x\n",
            "1:22: invalid YAML: `]` does not close the `{`; it needs `}`",
        ),
        (
            "app: a\nexclude: [a,\n  b }\nsource: x\n",
            "3:5: invalid YAML: `}` does not close the `[` in line 2; it needs `]`",
        ),
        (
            "exclude: [a, b)\nsource: x\n",
            "1:15: invalid YAML: `)` does not close the `[`; it needs `]`",
        ),
    ] {
        refused(text, &[words]);
    }
}

#[test]
fn an_open_quote_is_named_where_it_was_opened() {
    for (text, at, quote) in [
        ("app: \"a\nhost: b\n", "1:6", '"'),
        ("app: a\nbuild: 'npm ci\nhost: b\nsource: c\n", "2:8", '\''),
        ("app: a\nbuild: \"npm ci # one\nhost: \"b\"\n", "2:8", '"'),
        ("exclude: [\"a, b]\nhost: b\n", "1:11", '"'),
        ("exclude:\n  - \"a\n  - 'it''s'\n", "2:5", '"'),
        ("app: 'it''s\nhost: b\n", "1:6", '\''),
        ("hooks: {on_failure: \"a}\n", "1:21", '"'),
    ] {
        let words = format!("{at}: invalid YAML: this `{quote}` is not closed");
        refused(text, &[&words]);
    }
    // One that goes on in the next line is not accused.
    refused_with("build: \"a\n  b\"\nexclude: [a]]\n", "misplaced bracket");
}

#[test]
fn a_key_in_another_column_is_explained_with_the_columns() {
    let key = |at: &str, column, line, other| {
        format!(
            "{at}: invalid YAML: this key begins in column {column}, and line {line} has one in column {other}; \
             keys of the same map begin in the same column"
        )
    };
    for (text, words) in [
        ("app: a\n\n# c\n source: b\nhost: c\n", key("4:2", 2, 1, 1)),
        (" app: a\nhost: b\n", key("2:1", 1, 1, 2)),
        (
            "services:\n  - unit: a\n     strategy: b\n  - unit: c\n",
            key("3:6", 6, 2, 5),
        ),
        ("services:\n  - unit: a\n   strategy: b\n", key("3:4", 4, 2, 5)),
    ] {
        refused(text, &[&words]);
    }
    refused_with(
        "services:\n    - unit: a\n  - unit: c\n",
        "3:3: invalid YAML: this item begins in column 3, and line 2 has one in column 5; items of the same list",
    );
    // A line that is wrong in any column.
    refused_with("app: a\nbuild: echo a: b\n", "quote the value: `build: 'echo a: b'`");
}
