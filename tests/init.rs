//! What `init` writes for directories as people have them, and that the rest of shipit takes it: deploy.yml loads, units
//! pass every rule. No host is needed.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use shipit::config;

/// A kind of project: files with their texts, and what must stand in its deploy.yml.
type Kind = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [&'static str],
);

const KINDS: [Kind; 9] = [
    (
        "rails",
        &[("Gemfile", "gem 'rails'\ngem 'puma'\n"), ("package.json", "{}")],
        &["migrate: acme-migrate.service", "strategy: socket", "bundle install"],
    ),
    (
        "django",
        &[
            ("requirements.txt", "django\ngunicorn\n"),
            ("manage.py", "setdefault(\"DJANGO_SETTINGS_MODULE\", \"shop.settings\")"),
        ],
        &["migrate: acme-migrate.service", "strategy: socket", "collectstatic"],
    ),
    (
        "fastapi",
        &[
            ("pyproject.toml", "dependencies = [\"fastapi\", \"uvicorn\"]\n"),
            ("main.py", ""),
        ],
        &["strategy: socket", "pip install ."],
    ),
    (
        "node",
        &[
            (
                "package.json",
                "{\"scripts\": {\"build\": \"tsc\", \"start\": \"node dist/x.js\"}}",
            ),
            ("package-lock.json", "{}"),
        ],
        &["strategy: restart", "npm ci && npm run build", "npm ci --omit=dev"],
    ),
    (
        "go",
        &[("go.mod", "module x\n"), ("main.go", "")],
        &["source: build", "go build -o build/acme ."],
    ),
    (
        "rust",
        &[("Cargo.toml", "[package]\nname = \"x-y\"\n")],
        &["source: build", "cp target/release/x-y build/acme"],
    ),
    (
        "elixir",
        &[("mix.exs", "app: :shop,\n{:phoenix, \"1\"}, {:ecto_sql, \"3\"}")],
        &["mix release", "migrate: acme-migrate.service"],
    ),
    ("pages", &[("index.html", "x")], &["services: []"]),
    (
        "laravel",
        &[("composer.json", "{}"), ("artisan", "")],
        &["strategy: reload", "storage/logs"],
    ),
];

fn shipit(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_shipit"))
        .args(args)
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

#[test]
fn what_is_written_for_each_kind_of_project_is_taken_as_it_is() {
    for (kind, files, words) in KINDS {
        let dir = project(files);
        // php-fpm's own unit is the distribution's.
        let args: &[&str] = if kind == "laravel" {
            &["init", "--app", "acme"]
        } else {
            &["init", "--app", "acme", "--units"]
        };
        let ran = shipit(dir.path(), args);
        assert!(ran.status.success(), "{kind}: {}", String::from_utf8_lossy(&ran.stderr));
        let path = dir.path().join("deploy.yml");
        let text = std::fs::read_to_string(&path).unwrap();
        for word in words {
            assert!(text.contains(word), "{kind}: no {word} in\n{text}");
        }
        let loaded = config::load(&path, None).map_err(|failure| failure.to_string());
        assert!(loaded.is_ok(), "{kind}: {loaded:?}\n{text}");
        if kind == "laravel" {
            continue;
        }
        let lint = shipit(dir.path(), &["unit", "lint", "--fail-on", "info", "deploy/units"]);
        let said = String::from_utf8_lossy(&lint.stdout);
        assert!(lint.status.success(), "{kind}: {said}");
        // The same again, asked in the other way: nothing differs.
        assert!(shipit(dir.path(), &["unit", "generate"]).status.success(), "{kind}");
    }
}

#[test]
fn nothing_is_asked_without_a_terminal_and_nothing_is_overwritten() {
    let dir = project(KINDS[0].1);
    let printed = shipit(dir.path(), &["init", "--print"]);
    assert!(printed.status.success() && !dir.path().join("deploy.yml").exists());
    assert!(shipit(dir.path(), &["init"]).status.success());
    assert!(!dir.path().join("deploy").exists(), "units were not asked for");
    let before = std::fs::read(dir.path().join("deploy.yml")).unwrap();
    let again = shipit(dir.path(), &["init", "--units"]);
    assert_eq!(again.status.code(), Some(2));
    assert_eq!(std::fs::read(dir.path().join("deploy.yml")).unwrap(), before);
    assert!(!dir.path().join("deploy").exists());
}

#[test]
fn where_nothing_tells_what_serves_units_are_refused_before_anything_is_written() {
    for (files, why) in [
        (
            &[("notes.txt", "")][..],
            "no file in this directory shows which program to run",
        ),
        (
            &[("composer.json", "{}")][..],
            "php8.2-fpm.service, which the distribution provides",
        ),
    ] {
        let dir = project(files);
        let ran = shipit(dir.path(), &["init", "--units"]);
        assert_eq!(ran.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&ran.stderr).contains(why));
        assert!(!dir.path().join("deploy.yml").exists());
    }
    // A file that cannot be read is no absent file.
    let dir = project(&[]);
    std::fs::create_dir(dir.path().join("package.json")).unwrap();
    let ran = shipit(dir.path(), &["init"]);
    assert_eq!(ran.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&ran.stderr).contains("package.json"));
}
