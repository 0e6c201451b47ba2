//! Rust, by Cargo.toml: which binary is the program, and what it reads while it runs. Never builds it.

use super::evidence::{self, toml};
use super::{About, Directory, Project, compiled, container, systemd};

pub(super) fn detect(dir: &Directory, app: &str) -> Option<Project> {
    if !dir.has("Cargo.toml") {
        return None;
    }
    let mut project = compiled::binary("Rust (Cargo.toml)");
    let built = program(dir, app, &mut project);
    let package = match &built {
        Built {
            package: Some(package), ..
        } => format!(" -p {package}"),
        _ => String::new(),
    };
    let locked = if dir.has("Cargo.lock") { " --locked" } else { "" };
    let (built, manifest) = (built.name, built.manifest);
    project.build = Some(format!(
        "cargo build --release{locked}{package} --bin {built} && mkdir -p build && cp target/release/{built} build/{app}"
    ));
    let sources = || dir.sources("rs").map(|(_, text)| text);
    if dir.depends(&[&manifest], "listenfd") {
        project.socket("listenfd accepts the socket from systemd");
    } else if let Some(because) = systemd::accepts(dir, "rs") {
        project.socket(because);
    }
    project.check(
        About::Build,
        "the program must be built against a glibc no newer than the host's: build it on the host's distribution, or for musl",
    );
    // `include_dir!("templates")`, rust-embed and `sqlx::migrate!` put files into the program.
    let unread = |name: &str| {
        let embedded = sources().any(|text| {
            text.lines().any(|line| {
                line.contains(name)
                    && [
                        "include_dir!",
                        "include_str!",
                        "include_bytes!",
                        "#[folder",
                        "migrate!(",
                        "embed_migrations!(",
                    ]
                    .iter()
                    .any(|word| line.contains(word))
            })
        });
        let migrations = name == "migrations"
            && sources().any(|text| text.contains("migrate!(") || text.contains("embed_migrations!("));
        let names = |text: &str| {
            ["\"", "\"./"]
                .iter()
                .any(|quote| compiled::names_path(text, &format!("{quote}{name}")))
        };
        embedded || migrations || !sources().any(names)
    };
    compiled::data(dir, unread, &mut project);
    migrations(dir, &mut project);
    let subcommand = ["serve", "server", "start", "run", "web"].into_iter().find(|name| {
        let variant = name[..1].to_uppercase() + &name[1..];
        sources().any(|text| {
            let subcommands = text.split("Subcommand").nth(1).unwrap_or_default();
            subcommands.lines().map(str::trim).any(|line| {
                line.strip_prefix(&variant)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with([',', ' ', '{', '(']))
            })
        })
    });
    compiled::arguments(dir, app, subcommand, &mut project);
    Some(project)
}

/// SQL files that the program does not run itself.
fn migrations(dir: &Directory, project: &mut Project) {
    let lists = || dir.named("Cargo.toml").map(|(path, _)| path);
    let tool = ["sqlx", "diesel", "sea-orm"]
        .into_iter()
        .find(|name| lists().any(|path| dir.depends(&[path], name)));
    let embeds = |text: &str| {
        let lines = text
            .lines()
            .take_while(|line| !line.trim_start().starts_with("#[cfg(test)]"));
        let calls = ["migrate!(", "embed_migrations!(", "Migrator::"];
        lines
            .into_iter()
            .any(|line| calls.iter().any(|call| line.contains(call)))
    };
    let files = || {
        dir.all()
            .find(|(path, _)| path.ends_with(".sql") && path.contains("migrations/"))
    };
    if let (Some(tool), Some((path, _))) = (tool, files())
        && !dir.sources("rs").any(|(_, text)| embeds(text))
    {
        let place = &path[..path.find("migrations/").unwrap_or_default() + "migrations".len()];
        let command = match tool {
            "diesel" => "diesel migration run",
            _ => "sqlx migrate run",
        };
        project.check(
            About::Migrate,
            format!("{place} has SQL migrations, and the program does not run them: run `{command}` before the deploy, or let the program do it"),
        );
    }
}

struct Built {
    name: String,
    /// The package of a workspace, where this directory has none.
    package: Option<String>,
    /// Its Cargo.toml.
    manifest: String,
}

/// The binary: the one that others start or build, `default-run`, one of the app's name, the only one, or the likeliest of
/// several.
fn program(dir: &Directory, app: &str, project: &mut Project) -> Built {
    let mut found: Vec<Built> = Vec::new();
    for (path, text) in dir.named("Cargo.toml") {
        let base = path.strip_suffix("Cargo.toml").unwrap_or_default();
        let Some(package) = toml(text, "package", "name").filter(|name| is_plain(name)) else {
            continue;
        };
        let mut names: Vec<String> = bins(text);
        if dir.has(&format!("{base}src/main.rs")) && (names.is_empty() || !text.contains("src/main.rs")) {
            names.insert(0, package.to_owned());
        }
        let binaries = dir.sources("rs").filter_map(|(path, _)| {
            path.strip_prefix(base)?
                .strip_prefix("src/bin/")?
                .split(['/', '.'])
                .next()
        });
        names.extend(binaries.filter(|name| is_plain(name)).map(str::to_owned));
        names.dedup();
        let outer = (!base.is_empty()).then(|| package.to_owned());
        if let Some(run) = toml(text, "package", "default-run").filter(|name| is_plain(name)) {
            names = vec![run.to_owned()];
        }
        found.extend(names.into_iter().map(|name| Built {
            name,
            package: outer.clone(),
            manifest: path.to_owned(),
        }));
    }
    let names: Vec<String> = found.iter().map(|built| built.name.clone()).collect();
    let used = used(dir).into_iter().find_map(|(name, from)| {
        let at = found.iter().position(|built| built.name == name)?;
        Some((at, from))
    });
    let from = used.as_ref().map(|(_, from)| format!(", as in {from}"));
    let used = used.map(|(at, _)| at);
    let chosen = used.or_else(|| found.iter().position(|built| built.name == app));
    let chosen = chosen.or_else(|| {
        ["server", "api", "web"]
            .iter()
            .find_map(|word| found.iter().position(|built| built.name.contains(word)))
    });
    let first = chosen.unwrap_or(0);
    if names.len() > 1 {
        project.check(
            About::Build,
            format!(
                "several programs ({}): {} is assumed{}",
                names.join(", "),
                names[first],
                from.unwrap_or_default()
            ),
        );
    }
    found.into_iter().nth(first).unwrap_or_else(|| {
        let name = toml(dir.text("Cargo.toml"), "package", "name").filter(|name| is_plain(name));
        let name = name.unwrap_or(app);
        project.check(
            About::Build,
            format!("no program found in this Cargo project: {name} is assumed"),
        );
        Built {
            name: name.into(),
            package: None,
            manifest: "Cargo.toml".into(),
        }
    })
}

/// Names of programs that the Dockerfile, the Procfile or a unit file starts, then those that the Dockerfile builds.
fn used(dir: &Directory) -> Vec<(String, String)> {
    let base = |word: &str| word.rsplit('/').next().unwrap_or(word).to_owned();
    let starts = [evidence::web(dir), evidence::unit_files(dir)];
    let starts = starts.into_iter().flatten().flatten();
    let mut all: Vec<(String, String)> = starts
        .filter_map(|start| Some((base(start.words.first()?), start.from)))
        .collect();
    for (_, line) in container::stage(dir, false) {
        let mut words = line.split_whitespace();
        while let Some(word) = words.next() {
            let name = match word.strip_prefix("--bin") {
                Some("") => words.next(),
                Some(rest) => rest.strip_prefix('='),
                None => None,
            };
            let from = container::dockerfile(dir).unwrap_or_default();
            all.extend(name.map(|name| (name.to_owned(), from.to_owned())));
        }
    }
    all
}

/// `name` of each `[[bin]]`.
fn bins(text: &str) -> Vec<String> {
    let sections = text.split("[[bin]]").skip(1);
    let names = sections.filter_map(|section| {
        let mut lines = section.lines().map(str::trim).take_while(|line| !line.starts_with('['));
        let value = lines.find_map(|line| {
            line.split_once('=')
                .filter(|(key, _)| key.trim() == "name")
                .map(|(_, value)| value)
        })?;
        Some(value.trim().trim_matches(['"', '\'']).to_owned())
    });
    names.filter(|name| is_plain(name)).collect()
}

/// A name that needs no quoting in a command line.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !name.is_empty() && !name.starts_with('-') && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{checks, project};
    use crate::unit::strategy::Strategy;

    #[test]
    fn migrations_that_nothing_runs_are_named() {
        let list = (
            "Cargo.toml",
            "[package]\nname = \"x\"\n[dependencies]\nsqlx = \"0.8\"\n",
        );
        let sql = ("migrations/1_a.sql", "");
        for (main, asked) in [
            (
                "fn main() {}\n#[cfg(test)]\nmod t { fn f() { sqlx::migrate!() } }",
                true,
            ),
            ("fn main() { sqlx::migrate!().run(&pool) }", false),
        ] {
            let app = project(&[list, sql, ("src/main.rs", main)]);
            assert_eq!(checks(&app, "migrations has SQL migrations"), asked, "{app:?}");
        }
        assert!(!checks(
            &project(&[list, ("src/main.rs", "fn main() {}")]),
            "SQL migrations"
        ));
    }

    #[test]
    fn the_program_is_the_one_that_others_start_or_build() {
        let root = ("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\n");
        let cli = (
            "crates/acme/Cargo.toml",
            "[package]\nname = \"acme\"\n[dependencies]\nlistenfd = \"1\"\n",
        );
        let server = ("crates/shopd/Cargo.toml", "[package]\nname = \"shopd\"\n");
        let mains = [
            ("crates/acme/src/main.rs", "fn main() {}"),
            ("crates/shopd/src/main.rs", "fn main() {}"),
        ];
        let files = [&[root, cli, server][..], &mains].concat();
        let with = |more: &[(&str, &str)]| project(&[&files[..], more].concat());
        let alone = with(&[]);
        assert!(alone.build.is_some_and(|build| build.contains(" -p acme --bin acme ")));
        assert_eq!(alone.strategy, Strategy::Socket);
        let unit = ("systemd/shopd.service", "[Service]\nExecStart=shopd start\n");
        for more in [
            &[
                ("Dockerfile", "FROM a\nFROM b\nENTRYPOINT [\"/usr/local/bin/shopd\"]\n"),
                unit,
            ][..],
            &[("Dockerfile", "FROM a\nRUN cargo build --release --bin shopd\n"), unit],
            &[unit],
        ] {
            let used = with(more);
            assert!(
                used.build
                    .as_deref()
                    .is_some_and(|build| build.contains(" -p shopd --bin shopd ")),
                "{used:?}"
            );
            assert!(checks(&used, "shopd is assumed, as in "), "{used:?}");
            assert_eq!(used.strategy, Strategy::Restart, "listenfd is another program's");
            assert_eq!(used.command.as_deref(), Some("{root}/current/acme start"), "{used:?}");
        }
    }
}
