//! What `init` writes for directories as people have them, and that the rest of shipit takes it: deploy.yml loads, units
//! pass every rule. No host is needed.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::bounds::Ends as _;
use crate::deploys::terminal::typed;
use shipit::config;

/// A kind of project: files with their texts, and what must stand in its deploy.yml.
pub type Kind = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [&'static str],
);

pub const KINDS: [Kind; 17] = [
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
            ("settings.py", "STATIC_ROOT = BASE_DIR / 'static'\n"),
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
    (
        "rust with a subcommand",
        &[
            ("Cargo.toml", "[package]\nname = \"x\"\n"),
            (
                "Dockerfile",
                "FROM x\nCMD [\"x\", \"serve\", \"--listen=0.0.0.0:$PORT\", \"a \\\"b%\"]\n",
            ),
        ],
        &["# check: ExecStart=:"],
    ),
    (
        "maven",
        &[(
            "pom.xml",
            "<artifactId>shop</artifactId><version>1.0</version> spring-boot-starter-actuator",
        )],
        &["cp target/shop-1.0.jar release/acme.jar", "/actuator/health"],
    ),
    (
        "gradle",
        &[("build.gradle.kts", "id(\"org.springframework.boot\")")],
        &["bootJar"],
    ),
    (
        "dotnet",
        &[("shop.csproj", "<Project Sdk=\"Microsoft.NET.Sdk.Web\">")],
        &["dotnet publish ./shop.csproj -c Release -o build"],
    ),
    (
        "deno",
        &[
            ("deno.json", "{\"tasks\": {\"start\": \"deno run -A main.ts\"}}"),
            ("main.ts", "x"),
        ],
        &["deno"],
    ),
    (
        "bun",
        &[
            ("package.json", "{\"scripts\": {\"start\": \"bun run index.ts\"}}"),
            ("bun.lock", ""),
        ],
        &["bun install --frozen-lockfile --production"],
    ),
    (
        "astro",
        &[(
            "package.json",
            "{\"scripts\": {\"build\": \"astro build\"}, \"dependencies\": {\"astro\": \"5\"}}",
        )],
        &["source: dist", "services: []"],
    ),
    (
        "uv",
        &[
            ("pyproject.toml", "[project]\ndependencies = ['flask', 'gunicorn']\n"),
            ("uv.lock", ""),
            ("web.py", "from x import y\n\ndef create_app():\n    return Flask(1)\n"),
        ],
        &["uv sync --frozen --no-dev", "# check: the host needs uv"],
    ),
    ("pages", &[("index.html", "x")], &["services: []"]),
    (
        "laravel",
        &[("composer.json", "{}"), ("artisan", "")],
        &["strategy: reload", "storage/logs"],
    ),
];

pub fn shipit(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_shipit"))
        .args(args)
        .current_dir(dir)
        .stdin(Stdio::null())
        .ends()
}

pub fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

/// A value that YAML reads as something else: the line, and how to write it.
#[test]
fn a_line_that_yaml_misreads_is_shown_with_quotes() {
    let dir = tempfile::tempdir().unwrap();
    for (line, hint) in [
        ("build: npm run build: prod", "`build: 'npm run build: prod'`"),
        ("build: @foo bar", "`build: '@foo bar'`"),
        ("build: 'it's'", "`build: 'it''s'`"),
        ("build: \"a\" b", "`build: '\"a\" b'`"),
    ] {
        let text = format!("app: acme\nhost: deploy@x.example\nsource: .\n{line}\nservices: []\n");
        std::fs::write(dir.path().join("deploy.yml"), text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_shipit"));
        let out = command.args(["status"]).current_dir(dir.path()).ends();
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{said}");
        assert!(
            said.contains("deploy.yml:4:") && said.contains(&format!("in `{line}`")),
            "{said}"
        );
        assert!(said.contains(&format!("quote the value: {hint}")), "{said}");
    }
    // Quotes would not make these right: one is indented wrongly, the other has an open quote.
    for (lines, shown) in [
        (
            "services:\n  - unit: a.service\n   strategy: restart\n",
            "  in    6 |    strategy: restart\n          |    ^\n",
        ),
        (
            "source: \"site\nservices: []\n",
            "  in    4 | source: \"site\n          |         ^\n",
        ),
    ] {
        let text = format!("app: acme\nhost: deploy@x.example\nbuild: x\n{lines}");
        std::fs::write(dir.path().join("deploy.yml"), text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_shipit"));
        let out = command.args(["status"]).current_dir(dir.path()).ends();
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(said.contains(shown) && !said.contains("quote the value"), "{said}");
    }
}

#[test]
fn what_is_written_for_each_kind_of_project_is_taken_as_it_is() {
    let mut guesses = 0;
    for (kind, files, words) in KINDS {
        let dir = project(files);
        let ran = shipit(dir.path(), &["init", "--app", "acme", "--units"]);
        assert!(ran.status.success(), "{kind}: {}", String::from_utf8_lossy(&ran.stderr));
        let path = dir.path().join("deploy.yml");
        let text = std::fs::read_to_string(&path).unwrap();
        for word in words {
            assert!(text.contains(word), "{kind}: no {word} in\n{text}");
        }
        // What is a guess is marked in the file, and its reason is said at the end.
        let said = String::from_utf8_lossy(&ran.stdout);
        let marked = text.lines().filter_map(|line| line.trim().strip_prefix("# check: "));
        let marked: Vec<&str> = marked.map(|why| why.trim_start_matches("ExecStart=: ")).collect();
        let (_, end) = said.split_once("check before the first deploy").unwrap_or_default();
        let reasons = end.lines().filter(|line| line.starts_with("  ")).count();
        assert_eq!(reasons, marked.len(), "{kind}: {said}\n{text}");
        assert!(marked.iter().all(|why| end.contains(why)), "{kind}: {said}\n{text}");
        guesses += marked.len();
        let loaded = config::load(&path, None).map_err(|failure| failure.to_string());
        assert!(loaded.is_ok(), "{kind}: {loaded:?}\n{text}");
        let lint = shipit(dir.path(), &["unit", "lint", "--fail-on", "info"]);
        let said = String::from_utf8_lossy(&lint.stdout);
        assert!(lint.status.success(), "{kind}: {said}");
        if kind == "laravel" {
            // The app runs in a unit of the distribution: only the migration has one here.
            let units: Vec<_> = std::fs::read_dir(dir.path().join("deploy/units")).unwrap().collect();
            assert_eq!(units.len(), 1, "{units:?}");
            let migrate = std::fs::read_to_string(dir.path().join("deploy/units/acme-migrate.service")).unwrap();
            assert!(
                migrate.contains("ExecStart=/usr/bin/php /opt/acme/next/artisan migrate --force"),
                "{migrate}"
            );
            assert!(
                !migrate.contains("MemoryDenyWriteExecute"),
                "PHP compiles at run time: {migrate}"
            );
            continue;
        }
        // The same again, asked in the other way: nothing differs.
        assert!(shipit(dir.path(), &["unit", "generate"]).status.success(), "{kind}");
    }
    assert!(guesses > 15, "{guesses}");
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
fn a_part_of_a_workspace_is_named_as_one() {
    let dir = project(&[
        ("pnpm-workspace.yaml", ""),
        ("pnpm-lock.yaml", ""),
        ("package.json", "{}"),
    ]);
    std::fs::create_dir(dir.path().join(".git")).unwrap();
    let part = dir.path().join("apps/web");
    std::fs::create_dir_all(&part).unwrap();
    let package = "{\"scripts\":{\"build\":\"tsc\",\"start\":\"node x.js\"}}";
    std::fs::write(part.join("package.json"), package).unwrap();
    let printed = String::from_utf8(shipit(&part, &["init", "--print"]).stdout).unwrap();
    assert!(
        printed.contains("build: pnpm install --frozen-lockfile && pnpm run build"),
        "{printed}"
    );
    assert!(
        printed.contains("this is part of the workspace in ../..: its pnpm-lock.yaml"),
        "{printed}"
    );
    // A lock file above that is no workspace's is another project's.
    std::fs::remove_file(dir.path().join("pnpm-workspace.yaml")).unwrap();
    let printed = String::from_utf8(shipit(&part, &["init", "--print"]).stdout).unwrap();
    assert!(printed.contains("no lock file found"), "{printed}");
}

#[test]
fn units_are_printed_with_the_deploy_yml() {
    let dir = project(KINDS[5].1);
    let printed = |args: &[&str]| String::from_utf8(shipit(dir.path(), args).stdout).unwrap();
    let alone = printed(&["init", "--app", "acme", "--print"]);
    let both = printed(&["init", "--app", "acme", "--print", "--units"]);
    assert!(both.starts_with(&alone) && !alone.contains("ExecStart="), "{alone}");
    assert!(both.contains("\n# acme.service, generated by shipit"), "{both}");
    assert!(both.contains("\nExecStart=/opt/acme/current/acme\n"), "{both}");
    assert!(
        std::fs::read_dir(dir.path()).unwrap().count() == 1,
        "nothing is written"
    );
}

#[test]
fn a_port_that_the_source_does_not_use_is_named() {
    for (text, args, asked) in [
        (
            "http.ListenAndServe(\":7070\", nil)",
            "9000",
            "main.go seems to listen on port 7070, and not on 9000",
        ),
        (
            "http.ListenAndServe(\":7070\", nil)",
            "7070",
            "port 7070; the generated unit also sets PORT=7070",
        ),
        (
            "http.ListenAndServe(\":8080\", nil)",
            "9000",
            "main.go seems to listen on port 8080, and not on 9000",
        ),
        ("", "9000", "does the app listen on 9000?"),
    ] {
        let main = format!("package main\nfunc main() {{ {text} }}\n");
        let dir = project(&[("go.mod", "module x\n"), ("main.go", &main)]);
        let ran = shipit(dir.path(), &["init", "--app", "acme", "--port", args, "--units"]);
        let said = String::from_utf8_lossy(&ran.stdout);
        assert!(said.contains(asked), "{said}");
        let written = std::fs::read_to_string(dir.path().join("deploy.yml")).unwrap();
        assert!(written.contains(&format!("url: http://127.0.0.1:{args}/")), "{written}");
        assert!(
            written.contains(asked) && written.matches("listen on").count() == 1,
            "{written}"
        );
    }
}

#[test]
fn a_deploy_yml_above_is_named() {
    let dir = project(KINDS[0].1);
    let below = dir.path().join("admin");
    std::fs::create_dir(&below).unwrap();
    let said = |at: &Path| String::from_utf8(shipit(at, &["init"]).stdout).unwrap();
    assert!(!said(dir.path()).contains("in a directory above this one"));
    let above = format!(
        "{} is in a directory above this one",
        dir.path().join("deploy.yml").display()
    );
    assert!(said(&below).contains(&above));
    // A repository of its own has nothing to do with it.
    std::fs::remove_file(below.join("deploy.yml")).unwrap();
    std::fs::create_dir(below.join(".git")).unwrap();
    assert!(!said(&below).contains("in a directory above this one"));
}

/// A mistyped host is asked for again, and what was typed is what is written.
#[test]
fn on_a_terminal_the_host_is_asked_for() {
    let dir = project(KINDS[0].1);
    let mut command = Command::new(env!("CARGO_BIN_EXE_shipit"));
    command.args(["init", "--app", "acme"]).current_dir(dir.path());
    let (shown, code) = typed(
        &command,
        &[
            ("USER@HOST (press Enter to set it later)", "-oProxyCommand=id\n"),
            ("like an option", "ann@box.example\n"),
            ("(yes/no) [no]", "oh\n"),
            ("oh\r\nAlso write systemd units to deploy/units? (yes/no) [no]", "\n"),
        ],
    );
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(shown.matches("Which host do you deploy to?").count(), 2, "{shown}");
    let text = std::fs::read_to_string(dir.path().join("deploy.yml")).unwrap();
    assert!(text.contains("\nhost: ann@box.example\n"), "{text}");
    assert!(!dir.path().join("deploy").exists(), "{shown}");
    // Nobody is asked for what is not written.
    let (shown, code) = typed(&command, &[]);
    assert_eq!(code, Some(2), "{shown}");
    assert!(
        shown.contains("deploy.yml exists already") && !shown.contains('?'),
        "{shown}"
    );
}

#[test]
fn where_nothing_tells_what_serves_units_are_refused_before_anything_is_written() {
    let dir = project(&[("notes.txt", "")]);
    let ran = shipit(dir.path(), &["init", "--host", "ann@box.example", "--units"]);
    assert_eq!(ran.status.code(), Some(2));
    let said = String::from_utf8_lossy(&ran.stderr);
    for part in [
        "no file in this directory shows which program to run",
        "next  shipit init --host ann@box.example && shipit unit generate",
    ] {
        assert!(said.contains(part), "{said}");
    }
    assert!(!dir.path().join("deploy.yml").exists());
    // A file that cannot be read is no absent file.
    let dir = project(&[]);
    std::fs::create_dir(dir.path().join("package.json")).unwrap();
    let ran = shipit(dir.path(), &["init"]);
    assert_eq!(ran.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&ran.stderr).contains("package.json"));
}
