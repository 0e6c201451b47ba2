//! What an app of any kind needs on its host besides its packages: a database file, and files that its repository only has
//! as a template. Its settings are in `settings`, the directories that it writes to in `written`. Every answer is a question
//! to the user.

use serde_json::Value;

use super::directory::{Directory, lists};
use super::{About, Project, Serves, settings, written};

pub(super) fn checks(dir: &Directory, project: &mut Project) {
    if project.serves == Serves::Process {
        settings::checks(dir, project);
        database(dir, project);
    }
    written::checks(dir, project);
    templates(dir, project);
}

/// A database that is a file: below the release, each release would have its own.
fn database(dir: &Directory, project: &mut Project) {
    let known = project.checks.iter().any(|check| check.why.contains("SQLite"));
    let kept = |path| project.exclude.contains(&path);
    if known || kept("/db.sqlite3") || project.unit.is_some() && kept("/data/") {
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
            let url = [
                "sqlite:///",
                "sqlite://",
                "\"sqlite:",
                "'sqlite:",
                "+aiosqlite:",
                ".UseSqlite(",
            ];
            url.iter().any(|url| line.contains(url)) && !line.contains(":memory:")
        };
        let mut sources = dir.sources("py rs rb cs js ts mjs exs php");
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
    // A compiler reads these: they have to exist where the release is built.
    let compiled = |file: &str| {
        let kind = file.rsplit('.').next().unwrap_or_default();
        lists("ts tsx mts go rs java kt cs ex exs", kind) && (project.build.is_some() || kind != "exs")
    };
    let known = |file: &str| dir.has(file) || project.shared_files.contains(&file);
    let found = dir.all().filter_map(|(path, _)| Some((path, target(path)?)));
    let found = found.filter(|(path, file)| !path.starts_with('.') && !known(file));
    let (source, other): (Vec<_>, Vec<_>) = found.partition(|(_, file)| compiled(file));
    let text = |found: Vec<(&str, String)>| {
        let texts = found.into_iter().take(3);
        let texts = texts.map(|(path, file)| format!("{path} is a template for {file}"));
        texts.collect::<Vec<_>>().join(", ")
    };
    let (source, other) = (text(source), text(other));
    if !source.is_empty() {
        project.check(About::Build, format!("{source}: create it here before the build"));
    }
    if !other.is_empty() && project.source == "." {
        project.check(
            About::Shared,
            format!("{other}: if the app needs it, create it in shared/ on the host and add it to `shared.files`"),
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
    fn what_the_user_writes_is_shared() {
        let index = ("index.php", "");
        let sample = project(&[index, ("user/config-sample.php", "")]);
        assert!(
            checks(&sample, "user/config-sample.php is a template for user/config.php"),
            "{sample:?}"
        );
        let source = project(&[PACKAGE, ("src/config.ts.example", ""), ("ormconfig.json.example", "")]);
        assert!(
            checks(&source, "a template for src/config.ts: create it here before the build"),
            "{source:?}"
        );
        assert!(checks(
            &source,
            "a template for ormconfig.json: if the app needs it, create it in shared/"
        ));
        let written = project(&[index, ("user/config-sample.php", ""), ("user/config.php", "")]);
        assert!(!checks(&written, "is a template"), "{written:?}");
        assert!(!checks(&project(&[index, ("phpunit.xml.dist", "")]), "is a template"));
    }
}
