//! Directories that the app writes to: empty ones of the repository, volumes of its container, and those that its source
//! makes. Every answer is a question to the user.

use super::directory::{Directory, is_skipped, lists};
use super::{About, Project, Serves, container, kinds};

const NAMES: &str = "uploads upload media files attachments avatars data db database backups storage sessions cache tmp \
    pagecache log logs";
const KEEPERS: &str =
    ".gitignore .gitkeep .keep .git-keep .placeholder .htaccess index.html index.htm web.config README.md";

/// Whether a path is one of the shared directories, is in one, or holds one.
fn is_shared(project: &Project, path: &str) -> bool {
    let meets = |of: &&str| path == *of || path.starts_with(&format!("{of}/")) || of.starts_with(&format!("{path}/"));
    project.shared.iter().any(meets)
}

/// Whether a directory of the repository holds nothing but what keeps it.
fn is_kept(dir: &Directory, path: &str) -> bool {
    let below = format!("{path}/");
    let entries = dir.all().filter_map(|(entry, _)| entry.strip_prefix(&below));
    let mut entries = entries.filter(|rest| !rest.is_empty()).peekable();
    entries.peek().is_some() && entries.all(|entry| lists(KEEPERS, entry))
}

pub(super) fn checks(dir: &Directory, project: &mut Project) {
    let mut known: Vec<String> = Vec::new();
    if project.source == "." && project.serves != Serves::Files {
        known = empty(dir, project);
        if !known.is_empty() {
            let first = known[..known.len().min(6)].join(", ");
            let (verb, it) = if known.len() == 1 {
                ("is", "it")
            } else {
                ("are", "each")
            };
            project.check(
                About::Shared,
                format!("{first} {verb} empty in the repository: if the app writes there, add {it} to `shared`, or each release starts without those files"),
            );
        }
    }
    if project.serves == Serves::Files {
        return;
    }
    let mut found: Vec<(String, String)> = Vec::new();
    let outside = volumes(dir, &mut found);
    made(dir, kinds(project), &mut found);
    let mut all: Vec<String> = Vec::new();
    for (path, from) in found {
        let covered = known
            .iter()
            .any(|name| path == *name || path.starts_with(&format!("{name}/")));
        if !covered && !is_shared(project, &path) {
            known.push(path.clone());
            all.push(format!("{path} ({from})"));
        }
    }
    if !all.is_empty() {
        all.truncate(5);
        let it = if all.len() == 1 { "it" } else { "each" };
        project.check(
            About::Shared,
            format!(
                "the app writes to {}: add {it} to `shared`, or each release starts without those files",
                all.join(", ")
            ),
        );
    }
    if !outside.is_empty() {
        project.check(
            About::Shared,
            format!(
                "{} keeps {} in volumes: change the app's settings to directories below shared/ instead",
                container::dockerfile(dir).unwrap_or_default(),
                outside.join(", ")
            ),
        );
    }
}

/// Directories that git keeps although they are empty.
fn empty(dir: &Directory, project: &Project) -> Vec<String> {
    let paths = dir.all().filter_map(|(path, _)| path.strip_suffix('/'));
    let found = paths.filter(|path| {
        let name = path.rsplit('/').next().unwrap_or(path);
        path.split('/').any(|part| lists(NAMES, part))
            && !lists("migrate migrations", name)
            // Laravel writes it when its packages are installed.
            && *path != "bootstrap/cache"
            && !is_shared(project, path)
            && is_kept(dir, path)
    });
    found.map(str::to_owned).collect()
}

/// Volumes of the app's container that are below the app's own directory go to `found`. Returns the others.
fn volumes(dir: &Directory, found: &mut Vec<(String, String)>) -> Vec<String> {
    const HOMES: [&str; 5] = ["/app", "/usr/src/app", "/code", "/srv/app", "/var/www/html"];
    let (named, home) = container::volumes(dir);
    let mut outside = Vec::new();
    let below = |target: &str| -> Option<String> {
        let suffixes = target.match_indices('/').map(|(at, _)| &target[at + 1..]);
        let mut kept = suffixes.filter(|suffix| !suffix.is_empty() && is_kept(dir, suffix));
        let homes = home.as_deref().into_iter().chain(HOMES);
        let rest = || {
            homes
                .into_iter()
                .find_map(|home| target.strip_prefix(home)?.strip_prefix('/'))
        };
        kept.next().or_else(rest).map(str::to_owned)
    };
    let plain = |path: &str| {
        let holds_source = dir.has(path) || dir.has(&format!("{path}/")) && !is_kept(dir, path);
        let name = path.rsplit('/').next().unwrap_or(path);
        let legal = path.chars().all(|c| c.is_ascii_alphanumeric() || "/_-".contains(c));
        legal && !path.is_empty() && (!holds_source || lists(NAMES, name)) && !is_skipped_tool(path)
    };
    let file = container::dockerfile(dir).unwrap_or_default();
    for target in &named {
        match below(target.trim_end_matches('/')) {
            Some(path) if plain(&path) => found.push((path, file.to_owned())),
            Some(_) => {}
            None => outside.push(target.clone()),
        }
    }
    if let Some((file, services)) = container::services(dir)
        && let Some(service) = container::own(&services)
    {
        for volume in &service.volumes {
            let mut parts = volume.split(':');
            let (Some(_), Some(target)) = (parts.next(), parts.next()) else {
                continue;
            };
            let read_only = parts.next().is_some_and(|mode| mode.contains("ro"));
            if let Some(path) = below(target.trim_end_matches('/')).filter(|path| !read_only && plain(path)) {
                found.push((path, file.to_owned()));
            }
        }
    }
    outside
}

/// Directories of dependencies and of results.
fn is_skipped_tool(path: &str) -> bool {
    let first = path.split('/').next().unwrap_or_default();
    is_skipped(first) && !lists(NAMES, first) || path.split('/').any(|part| lists("node_modules vendor bundle", part))
}

/// Directories that the source makes by a name in its text, below the directory that the app starts in.
fn made(dir: &Directory, kinds: &str, found: &mut Vec<(String, String)>) {
    const CALLS: [&str; 12] = [
        "os.mkdir(",
        "os.makedirs(",
        "mkdirSync(",
        "fs.mkdir(",
        "ensureDirSync(",
        "ensureDir(",
        "os.MkdirAll(",
        "os.Mkdir(",
        "create_dir_all(",
        "create_dir(",
        "FileUtils.mkdir_p(",
        "Dir.mkdir(",
    ];
    const ELSEWHERE: [&str; 9] = [
        "scripts/", "script/", "bin/", "tools/", "tasks/", "build/", ".config.", "gulpfile", "rake",
    ];
    for (path, text) in dir.sources(kinds) {
        if ELSEWHERE.iter().any(|part| path.contains(part)) {
            continue;
        }
        let lines = text
            .lines()
            .map(str::trim)
            .take_while(|line| !line.starts_with("#[cfg(test)]"));
        for line in lines.filter(|line| !line.starts_with('#') && !line.starts_with("//")) {
            let made = CALLS.iter().find_map(|call| Some(line.split_once(call)?.1));
            // `Path("data").mkdir()`
            let made = made.or_else(|| {
                line.split_once("Path(")
                    .map(|(_, rest)| rest)
                    .filter(|rest| rest.contains(").mkdir("))
            });
            let Some(name) = made.and_then(literal) else { continue };
            if !found.iter().any(|(known, _)| known == name) {
                found.push((name.to_owned(), path.to_owned()));
            }
        }
    }
}

/// A relative path in quotes at the beginning of a text.
fn literal(rest: &str) -> Option<&str> {
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'))?;
    let path = rest[1..].split(quote).next()?;
    let path = path.trim_start_matches("./").trim_end_matches('/');
    let plain = path.chars().all(|c| c.is_ascii_alphanumeric() || "/_-".contains(c));
    (plain && path.starts_with(|c: char| c.is_ascii_alphanumeric())).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{checks, project};

    const PACKAGE: (&str, &str) = ("package.json", r#"{"main":"a.js","dependencies":{"express":"4"}}"#);

    const CARGO: (&str, &str) = ("Cargo.toml", "[package]\nname = \"x\"\n");

    #[test]
    fn directories_that_are_kept_empty_are_asked_for() {
        let empty = project(&[
            PACKAGE,
            ("public/", ""),
            ("public/uploads/", ""),
            ("public/uploads/.gitkeep", ""),
            ("public/uploads/.htaccess", ""),
        ]);
        assert!(checks(&empty, "public/uploads is empty in the repository"), "{empty:?}");
        let full = project(&[
            PACKAGE,
            ("uploads/", ""),
            ("uploads/.gitkeep", ""),
            ("uploads/a.js", ""),
        ]);
        assert!(!checks(&full, "empty in the repository"), "{full:?}");
        let php = project(&[
            ("index.php", ""),
            ("cache/", ""),
            ("cache/.htaccess", ""),
            ("pagecache/", ""),
            ("pagecache/index.html", ""),
        ]);
        assert!(checks(&php, "cache, pagecache are empty in the repository"), "{php:?}");
    }

    #[test]
    fn the_volumes_of_the_container_are_written_to() {
        let docker = "FROM x\nWORKDIR /srv/shop\nVOLUME [\"/srv/shop/data/files\", \"/state\"]\n";
        let shop = project(&[PACKAGE, ("Dockerfile", docker)]);
        assert!(
            checks(&shop, "the app writes to data/files (Dockerfile): add"),
            "{shop:?}"
        );
        assert!(checks(&shop, "Dockerfile keeps /state in volumes"), "{shop:?}");
        let compose = "services:\n  web:\n    build: .\n    volumes:\n      - .:/app\n      - ./data:/app/data\n      - mods:/app/node_modules\n      - ./src:/app/src\n      - ./a.ini:/app/a.ini\n      - ./certs:/app/certs:ro\n  db:\n    image: postgres\n    volumes:\n      - ./pg:/app/pg\n";
        let node = project(&[PACKAGE, ("compose.yml", compose), ("src/", ""), ("src/a.js", "")]);
        assert!(checks(&node, "the app writes to data (compose.yml): add"), "{node:?}");
    }

    #[test]
    fn what_the_source_makes_is_written_to() {
        for (list, file, text) in [
            (PACKAGE, "a.js", "fs.mkdirSync('./logs', { recursive: true })"),
            (("requirements.txt", "flask"), "app.py", "os.mkdir('logs')"),
            (("requirements.txt", "flask"), "app.py", "Path(\"logs\").mkdir()"),
            (
                ("go.mod", "module x"),
                "main.go",
                "package main\nos.MkdirAll(\"logs\", 0o750)",
            ),
            (CARGO, "src/main.rs", "    std::fs::create_dir_all(\"logs\")?;"),
            (CARGO, "src/main.rs", "tokio::fs::create_dir_all(\"./logs/\").await?;"),
        ] {
            let app = project(&[list, ("src/", ""), (file, text)]);
            assert!(
                checks(&app, &format!("the app writes to logs ({file}): add")),
                "{app:?}"
            );
        }
        for text in [
            "fs.mkdirSync('/var/x')",
            "fs.mkdirSync('../x')",
            "fs.mkdirSync(path)",
            "// mkdirSync('x')",
        ] {
            assert!(
                !checks(&project(&[PACKAGE, ("a.js", text)]), "the app writes to"),
                "{text}"
            );
        }
        for text in [
            "std::fs::create_dir_all(\"/var/x\")",
            "std::fs::create_dir_all(&path)",
            "#[cfg(test)]\nmod tests { std::fs::create_dir_all(\"x\") }",
        ] {
            let app = project(&[CARGO, ("src/", ""), ("src/main.rs", text)]);
            assert!(!checks(&app, "the app writes to"), "{text}: {app:?}");
        }
    }
}
