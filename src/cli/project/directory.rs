//! The relevant files of a project: their names, and the texts of those that show how it is built, started and asked for
//! its health. Bounded in depth, number and size; the only place of `project` that touches the disk.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

/// How many directories below the project are read.
const DEPTH: usize = 6;
/// How many entries are read in all: enough for a large application without its dependencies.
const ENTRIES: usize = 20_000;
/// How much of a file is read, in bytes: manifests and lock files, and source files.
const MANIFEST: usize = 1 << 20;
const SOURCE: usize = 1 << 17;
/// How many names are read of a directory that is looked at only for being empty.
const KEPT: usize = 100;
/// How much source is read in all, in bytes.
const SOURCES: usize = 16 << 20;

/// Directories of dependencies, results, tests and documents: they don't show how the app is started.
const SKIPPED: &str = "node_modules bower_components vendor target dist build out venv env site-packages __pycache__ \
    coverage tmp log logs storage test tests spec specs __tests__ fixtures testdata e2e examples example docs doc obj \
    _build deps locale locales";
/// Names whose text is read wherever they are.
const TEXTS: &str = "package.json Gemfile Gemfile.lock pyproject.toml requirements.txt Pipfile manage.py setup.py setup.cfg \
    go.mod Cargo.toml composer.json mix.exs Procfile Dockerfile Containerfile compose.yml compose.yaml docker-compose.yml \
    docker-compose.yaml fly.toml render.yaml app.json railway.json railway.toml nixpacks.toml pom.xml build.gradle \
    build.gradle.kts settings.gradle settings.gradle.kts deno.json deno.jsonc .ruby-version .python-version .nvmrc \
    .node-version .tool-versions rust-toolchain.toml hugo.toml hugo.yaml config.toml config.yaml _config.yml mkdocs.yml \
    next.config.js next.config.mjs next.config.ts svelte.config.js astro.config.mjs astro.config.ts astro.config.js \
    nuxt.config.ts vite.config.js vite.config.ts angular.json .env.example .env.sample .env.template .env.dist .env_sample env.example example.env sample.env .example.env .env.local.example .env.production.example puma.rb env.py .gitattributes .gitignore routes.rb Makefile GNUmakefile \
    ecosystem.config.js ecosystem.config.cjs ecosystem.config.json process.json pm2.json schema.prisma alembic.ini";
/// Kinds of source files, which name routes and ports.
const SOURCES_OF: &str = "py js mjs cjs ts mts tsx rb go rs php java kt cs ex exs service csproj conf ini";

/// The file that makes a directory a virtual environment of Python.
const PYVENV: &str = "pyvenv.cfg";

/// Lock files of packages of npm.
pub(super) const LOCKS: &[&str] = &[
    "pnpm-lock.yaml",
    "yarn.lock",
    "bun.lock",
    "bun.lockb",
    "package-lock.json",
    "npm-shrinkwrap.json",
];

/// The relevant files of a directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct Directory {
    /// Path below the directory to text; empty for files that only have to exist.
    pub(super) files: BTreeMap<String, String>,
    /// The root of the workspace of npm packages that this directory is in, `../..`, and its lock file.
    pub(super) above: Option<(String, String)>,
}

impl Directory {
    /// Fails when a directory or file that exists cannot be read: it is never treated as missing.
    pub(in crate::cli) fn read(path: &Path) -> io::Result<Self> {
        let mut found = Self {
            above: workspace(path)?,
            ..Self::default()
        };
        let mut room = SOURCES;
        // The last is whether only the names of a directory are read.
        let mut next = vec![(String::new(), 0, false)];
        while let Some((below, depth, names_only)) = next.pop() {
            let named = |e: io::Error, name: &str| io::Error::new(e.kind(), format!("{name}: {e}"));
            let entries = match fs::read_dir(path.join(&below)) {
                // The data of a database in a container, for example: it holds no source, or none that can be shipped.
                Err(e) if depth > 0 && e.kind() == io::ErrorKind::PermissionDenied => continue,
                entries => entries.map_err(|e| named(e, &below))?,
            };
            let mut entries = entries.collect::<io::Result<Vec<_>>>().map_err(|e| named(e, &below))?;
            entries.sort_by_key(fs::DirEntry::file_name);
            if names_only {
                entries.truncate(KEPT);
            }
            for entry in entries {
                let Ok(base) = entry.file_name().into_string() else {
                    continue;
                };
                let name = format!("{below}{base}");
                let kind = entry.file_type().map_err(|e| named(e, &name))?;
                if kind.is_dir() {
                    if depth == 0 && lists(TEXTS, &base) {
                        return Err(io::Error::other(format!("{name}: expected a file, found a directory")));
                    }
                    found.files.insert(format!("{name}/"), String::new());
                    // A virtual environment of Python, whatever its name: nothing in it is the app's.
                    if depth < DEPTH && !names_only && entry.path().join(PYVENV).is_file() {
                        found.files.insert(format!("{name}/{PYVENV}"), String::new());
                        continue;
                    }
                    if depth == 0 && lists("docs doc", &base) {
                        // Documents, which can be a site that is deployed.
                        let package = format!("{name}/package.json");
                        if let Some(text) = manifest(&entry.path().join("package.json")) {
                            found.files.insert(package, text);
                        }
                    }
                    if base == "storage" {
                        // Which directories Laravel keeps there, and not what is in them.
                        next.push((format!("{name}/"), DEPTH, true));
                    } else if !names_only && lists("tmp log logs", &base) {
                        // Whether it is kept empty, because the app writes there.
                        next.push((format!("{name}/"), DEPTH, true));
                    } else if depth < DEPTH && !base.starts_with('.') && !lists(SKIPPED, &base) {
                        next.push((format!("{name}/"), depth + 1, false));
                    }
                    continue;
                }
                // A symlink counts as the file it leads to; one that leads nowhere does not exist.
                let size = match fs::metadata(entry.path()) {
                    Ok(data) if data.is_file() => usize::try_from(data.len()).unwrap_or(usize::MAX),
                    Ok(_) => continue,
                    Err(e) if names_only || e.kind() == io::ErrorKind::NotFound => continue,
                    Err(e) => return Err(named(e, &name)),
                };
                let extension = base.rsplit_once('.').map_or("", |(_, extension)| extension);
                let manifest =
                    lists(TEXTS, &base) || base.starts_with("requirements") || base.starts_with("Dockerfile");
                let most = match () {
                    () if names_only => 0,
                    () if manifest => MANIFEST,
                    () if lists(SOURCES_OF, extension) && size <= SOURCE && room >= size => size,
                    () => 0,
                };
                let mut text = String::new();
                if most > 0 {
                    let mut bytes = Vec::new();
                    let file = fs::File::open(entry.path()).map_err(|e| named(e, &name))?;
                    let read = file.take(most as u64).read_to_end(&mut bytes);
                    read.map_err(|e| named(e, &name))?;
                    text = String::from_utf8_lossy(&bytes).into_owned();
                    room -= if manifest { 0 } else { size.min(room) };
                }
                found.files.insert(name, text);
                if found.files.len() >= ENTRIES {
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    pub(super) fn text(&self, name: &str) -> &str {
        self.files.get(name).map_or("", String::as_str)
    }

    /// The virtual environments of Python, `/venv/`, as `exclude` names them. A name that is a pattern is left out.
    pub(in crate::cli) fn environments(&self) -> Vec<String> {
        let homes = self.all().filter_map(|(path, _)| path.strip_suffix(PYVENV));
        homes
            .filter(|home| home.ends_with('/') && !home.contains(['*', '?', '[', ']', '{', '\\']))
            .map(|home| format!("/{home}"))
            .collect()
    }

    /// Whether `deploy/` has anything besides the units.
    pub(in crate::cli) fn has_more_than_units(&self) -> bool {
        let below = self.all().filter_map(|(path, _)| path.strip_prefix("deploy/"));
        below
            .into_iter()
            .any(|rest| !rest.is_empty() && !rest.starts_with("units/"))
    }

    /// The first of these files that exists.
    pub(super) fn first<'a>(&self, names: &[&'a str]) -> Option<&'a str> {
        names.iter().copied().find(|name| self.has(name))
    }

    /// Paths and texts of the files with this name, the topmost first.
    pub(super) fn named<'a>(&'a self, base: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let mut found: Vec<_> = self
            .all()
            .filter(|(path, _)| path.rsplit('/').next() == Some(base))
            .collect();
        found.sort_by_key(|(path, _)| path.matches('/').count());
        found.into_iter()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Paths and texts of source files of these kinds, `py`, without those of tests.
    pub(super) fn sources<'a>(&'a self, kinds: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let of_test = |path: &str| {
            let base = path.rsplit('/').next().unwrap_or(path);
            ["_test.", ".test.", ".spec.", "_spec."]
                .iter()
                .any(|part| base.contains(part))
                || base.starts_with("test_")
                || base == "conftest.py"
        };
        self.all().filter(move |(path, text)| {
            let kind = path.rsplit_once('.').is_some_and(|(_, kind)| lists(kinds, kind));
            kind && !text.is_empty() && !of_test(path)
        })
    }

    /// The files below a directory, `backend/`, as a directory of its own.
    pub(super) fn below(&self, prefix: &str) -> Self {
        let files = self.files.iter();
        let files = files.filter_map(|(path, text)| Some((path.strip_prefix(prefix)?.to_owned(), text.clone())));
        Self {
            files: files.filter(|(path, _)| !path.is_empty()).collect(),
            above: None,
        }
    }

    /// Whether one of these lists of dependencies contains a package as a separate word.
    pub(super) fn depends(&self, lists: &[&str], package: &str) -> bool {
        let odd = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        lists
            .iter()
            .flat_map(|list| self.text(list).lines())
            .map(|line| line.split(" #").next().unwrap_or_default().trim_start())
            .filter(|line| !line.starts_with('#'))
            .any(|line| line.split(odd).any(|word| word.eq_ignore_ascii_case(package)))
    }
}

/// A manifest outside of the tree that is read, if it is a regular file: no link, pipe or device.
fn manifest(path: &Path) -> Option<String> {
    let is_file = fs::symlink_metadata(path).is_ok_and(|data| data.is_file());
    let file = is_file.then(|| fs::File::open(path).ok()).flatten()?;
    let mut bytes = Vec::new();
    file.take(MANIFEST as u64).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The nearest directory above, within the same repository, that is the root of a workspace with a lock file.
fn workspace(path: &Path) -> io::Result<Option<(String, String)>> {
    let path = path.canonicalize()?;
    // Without a repository around it, nothing says that what is above belongs to the project.
    if !path.ancestors().any(|dir| dir.join(".git").exists()) {
        return Ok(None);
    }
    for (depth, dir) in path.ancestors().enumerate() {
        let lock = LOCKS.iter().find(|lock| dir.join(lock).is_file());
        if depth > 0
            && let Some(lock) = lock
        {
            let package = manifest(&dir.join("package.json")).unwrap_or_default();
            let root = dir.join("pnpm-workspace.yaml").is_file() || package.contains("\"workspaces\"");
            let place = vec![".."; depth].join("/");
            return Ok(root.then(|| (place, (*lock).to_owned())));
        }
        if dir.join(".git").exists() {
            break;
        }
    }
    Ok(None)
}

pub(super) fn lists(names: &str, name: &str) -> bool {
    !name.is_empty() && names.split_whitespace().any(|known| known == name)
}

/// Whether a directory of this name never holds the app itself.
pub(super) fn is_skipped(name: &str) -> bool {
    lists(SKIPPED, name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::cli::project::detect;

    #[test]
    fn virtual_environments_are_found_by_what_is_in_them_and_not_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let file = |path: &str, text: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        file("requirements.txt", "flask\ngunicorn\n");
        file("env/settings.py", "DEBUG = False\n");
        for home in ["venv", ".venv", ".env", "tools/py3", "a*b"] {
            file(&format!("{home}/pyvenv.cfg"), "");
            file(&format!("{home}/lib/app.py"), "app = Flask(1)\n");
        }
        let files = Directory::read(dir.path()).unwrap();
        let app = detect(&files, "acme").unwrap();
        assert_eq!(app.environments, ["/.env/", "/tools/py3/", "/venv/"]);
        assert!(!files.has_more_than_units());
        file("deploy/units/acme.service", "");
        assert!(!Directory::read(dir.path()).unwrap().has_more_than_units());
        file("deploy/nginx.conf", "");
        assert!(Directory::read(dir.path()).unwrap().has_more_than_units());
        assert!(!files.has("tools/py3/lib/app.py"), "{files:?}");
    }
}
