//! What an app of any kind needs on its host besides its packages: settings, a database file, directories that it writes to,
//! files that its repository only has as a template. Every answer is a question to the user.

use serde_json::Value;

use super::directory::{Directory, lists};
use super::{About, Project, Serves};

pub(super) fn checks(dir: &Directory, project: &mut Project) {
    if project.serves == Serves::Process {
        settings(dir, project);
        database(dir, project);
    }
    if project.source == "." {
        written(dir, project);
        templates(dir, project);
    }
}

/// The variables of `.env.example`: `.env` is never shipped.
fn settings(dir: &Directory, project: &mut Project) {
    const FILES: [&str; 8] = [
        ".env.example",
        ".env.sample",
        ".env.template",
        ".env.dist",
        ".env_sample",
        "env.example",
        "example.env",
        "sample.env",
    ];
    if !project.shared_files.is_empty() || !project.public.is_empty() {
        return;
    }
    let Some(file) = dir.first(&FILES) else { return };
    let names = dir.text(file).lines().filter_map(|line| {
        let name = line.trim().trim_start_matches("export ").split_once('=')?.0.trim_end();
        let legal = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        (!name.is_empty() && name.chars().all(legal)).then_some(name)
    });
    // The unit sets these.
    let names: Vec<&str> = names.filter(|name| !lists("PORT NODE_ENV", name)).collect();
    if names.is_empty() {
        return;
    }
    let first = names[..names.len().min(4)].join(", ");
    let more = if names.len() > 4 { ", …" } else { "" };
    project.check(
        About::Unit,
        format!("{file} names the app's settings ({first}{more}): set those that it needs with `shipit env set`, because `.env` is not shipped"),
    );
}

/// A database that is a file: below the release, each release would have its own.
fn database(dir: &Directory, project: &mut Project) {
    let known = |project: &Project| project.checks.iter().any(|check| check.why.contains("SQLite"));
    if known(project) {
        return;
    }
    let package: Value = serde_json::from_str(dir.text("package.json")).unwrap_or_default();
    let packages = ["better-sqlite3", "sqlite3", "sqlite", "@libsql/client"];
    let by_package = || packages.iter().any(|name| package["dependencies"][*name].is_string());
    let by_schema = || {
        let mut schemas = dir.named("schema.prisma");
        schemas.find_map(|(path, text)| {
            let provider = |line: &str| line.trim_start().starts_with("provider") && line.contains("\"sqlite\"");
            text.lines().any(provider).then(|| path.to_owned())
        })
    };
    let by_list = || {
        let lists = [
            ("go.mod", "sqlite"),
            ("Cargo.toml", "rusqlite"),
            ("mix.exs", "ecto_sqlite3"),
            ("pom.xml", "sqlite-jdbc"),
            ("build.gradle", "sqlite-jdbc"),
        ];
        let found = lists.iter().find(|(list, word)| dir.text(list).contains(word));
        found.map(|(list, _)| (*list).to_owned())
    };
    let by_source = || {
        let names = |line: &str| {
            let url = ["sqlite:///", "sqlite://", "\"sqlite:", "+aiosqlite:", ".UseSqlite("];
            url.iter().any(|url| line.contains(url)) && !line.contains(":memory:")
        };
        let mut sources = dir.sources("py rs rb cs js ts mjs exs");
        sources.find_map(|(path, text)| text.lines().any(names).then(|| path.to_owned()))
    };
    let by_file = || {
        let ends = [".sqlite", ".sqlite3", ".db"];
        let mut files = dir.all().filter(|(path, _)| ends.iter().any(|end| path.ends_with(end)));
        files.next().map(|(path, _)| path.to_owned())
    };
    let from = by_package().then(|| "package.json".to_owned());
    let from = from
        .or_else(by_schema)
        .or_else(by_list)
        .or_else(by_source)
        .or_else(by_file);
    if let Some(from) = from {
        project.check(
            About::Shared,
            format!("the app can use SQLite ({from}): keep the database file in a shared directory, or each release starts empty"),
        );
    }
}

/// Directories that git keeps although they are empty: the app writes to them.
fn written(dir: &Directory, project: &mut Project) {
    const NAMES: &str = "uploads upload media files attachments avatars data db database backups storage sessions";
    const KEEPERS: &str = ".gitignore .gitkeep .keep .git-keep .placeholder";
    let known = |path: &str| {
        let inside =
            |of: &&str| path == *of || path.starts_with(&format!("{of}/")) || of.starts_with(&format!("{path}/"));
        project.shared.iter().any(inside)
    };
    let found = dir.all().filter_map(|(path, _)| path.strip_suffix('/')).filter(|path| {
        let name = path.rsplit('/').next().unwrap_or(path);
        let below = format!("{path}/");
        let mut entries = dir
            .all()
            .filter_map(|(entry, _)| entry.strip_prefix(&below))
            .filter(|rest| !rest.is_empty())
            .peekable();
        let kept = entries.peek().is_some() && entries.all(|entry| lists(KEEPERS, entry));
        kept && !known(path) && path.split('/').any(|part| lists(NAMES, part)) && !lists("migrate migrations", name)
    });
    let found: Vec<&str> = found.take(5).collect();
    if !found.is_empty() {
        project.check(
            About::Shared,
            format!("{} {} empty in the repository: if the app writes there, add to `shared`, or each release starts without those files", found.join(", "), if found.len() == 1 { "is" } else { "are" }),
        );
    }
}

/// Files that someone has to write: `config-sample.php`, `local_settings.py.example`.
fn templates(dir: &Directory, project: &mut Project) {
    const NAMES: [&str; 5] = ["config", "settings", "database", "secrets", "parameters"];
    let target = |path: &str| -> Option<String> {
        let (place, base) = path
            .rsplit_once('/')
            .map_or(("", path), |(_, base)| (&path[..path.len() - base.len()], base));
        let marks = [
            ".example",
            ".sample",
            ".dist",
            ".template",
            "-sample",
            "-example",
            ".default",
        ];
        let mark = marks.iter().find(|mark| {
            base.strip_suffix(**mark).is_some_and(|rest| rest.contains('.')) || base.contains(&format!("{mark}."))
        })?;
        let name = base.replacen(mark, "", 1);
        let stem = name.split('.').next().unwrap_or_default().to_ascii_lowercase();
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) && !name.starts_with('.');
        let settings = NAMES.iter().any(|word| stem.contains(word)) && !stem.contains("config.");
        (plain && settings && path.matches('/').count() < 3).then(|| format!("{place}{name}"))
    };
    let known = |file: &str| dir.has(file) || project.shared_files.contains(&file);
    let found = dir.all().filter_map(|(path, _)| Some((path, target(path)?)));
    let found = found.filter(|(path, file)| !path.starts_with('.') && !known(file));
    let texts: Vec<String> = found
        .take(3)
        .map(|(path, file)| format!("{path} is a template for {file}"))
        .collect();
    if !texts.is_empty() {
        project.check(
            About::Shared,
            format!(
                "{}: if the app needs it, create it in shared/ on the host and add it to `shared.files`",
                texts.join(", ")
            ),
        );
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::tests::{checks, project};

    const PACKAGE: (&str, &str) = ("package.json", r#"{"main":"a.js","dependencies":{"express":"4"}}"#);

    #[test]
    fn a_bot_has_no_address_to_check() {
        let bot = r#"{"main":"bot.js","dependencies":{"discord.js":"14"}}"#;
        assert!(!project(&[("package.json", bot), ("bot.js", "")]).listens);
        let server = project(&[("package.json", bot), ("bot.js", "app.listen(3000)")]);
        assert!(server.listens && server.port == 3000);
    }

    #[test]
    fn the_settings_of_an_example_are_to_be_set_on_the_host() {
        let file = (
            ".env.example",
            "# comment\nPORT=3000\nDATABASE_URL=postgres://x\n# OLD=1\nexport KEY=\n",
        );
        let node = project(&[PACKAGE, file]);
        assert!(
            checks(&node, ".env.example names the app's settings (DATABASE_URL, KEY)"),
            "{node:?}"
        );
        assert!(!checks(
            &project(&[PACKAGE, (".env.example", "PORT=1")]),
            "shipit env set"
        ));
    }

    #[test]
    fn a_database_that_is_a_file_belongs_into_a_shared_directory() {
        for files in [
            &[(
                "package.json",
                r#"{"main":"a.js","dependencies":{"better-sqlite3":"11"}}"#,
            )][..],
            &[
                PACKAGE,
                ("prisma/schema.prisma", "datasource db {\n  provider = \"sqlite\"\n}"),
            ],
            &[
                ("go.mod", "module x\nrequire modernc.org/sqlite v1"),
                ("main.go", "package main"),
            ],
            &[
                ("requirements.txt", "flask"),
                ("config.py", "URI = 'sqlite:///' + here"),
            ],
        ] {
            assert!(checks(&project(files), "the app can use SQLite"), "{files:?}");
        }
        let memory = [
            ("requirements.txt", "flask"),
            ("config.py", "URI = 'sqlite:///:memory:'"),
        ];
        assert!(!checks(&project(&memory), "SQLite"));
    }

    #[test]
    fn what_the_app_writes_and_what_the_user_writes_are_shared() {
        let empty = project(&[
            PACKAGE,
            ("public/", ""),
            ("public/uploads/", ""),
            ("public/uploads/.gitkeep", ""),
        ]);
        assert!(checks(&empty, "public/uploads is empty in the repository"), "{empty:?}");
        let full = project(&[
            PACKAGE,
            ("uploads/", ""),
            ("uploads/.gitkeep", ""),
            ("uploads/a.js", ""),
        ]);
        assert!(!checks(&full, "empty in the repository"), "{full:?}");
        let index = ("index.php", "");
        let sample = project(&[index, ("user/config-sample.php", "")]);
        assert!(
            checks(&sample, "user/config-sample.php is a template for user/config.php"),
            "{sample:?}"
        );
        let written = project(&[index, ("user/config-sample.php", ""), ("user/config.php", "")]);
        assert!(!checks(&written, "is a template"), "{written:?}");
        assert!(!checks(&project(&[index, ("phpunit.xml.dist", "")]), "is a template"));
    }
}
