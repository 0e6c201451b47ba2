//! Detects the kind of project in a directory from its files: how to build, prepare, migrate and run it. The result is a
//! proposal that the user reviews. Only [`Directory::read`] touches the disk; nothing is written or run here.

mod compiled;
mod node;
mod pages;
mod php;
mod python;
mod ruby;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use crate::unit::generate::Program;
use crate::unit::strategy::Strategy;

/// Files whose text is read.
const TEXTS: [&str; 12] = [
    "package.json",
    "Gemfile",
    "pyproject.toml",
    "requirements.txt",
    "Pipfile",
    "manage.py",
    "app.py",
    "main.py",
    "go.mod",
    "Cargo.toml",
    "composer.json",
    "mix.exs",
];
/// Files that only have to exist.
const NAMES: [&str; 19] = [
    "package-lock.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    ".yarnrc.yml",
    "prisma/schema.prisma",
    "server.js",
    "Gemfile.lock",
    "config.ru",
    "bin/rails",
    "uv.lock",
    "wsgi.py",
    "alembic.ini",
    "main.go",
    "cmd",
    "src/main.rs",
    "artisan",
    "public/index.php",
    "index.html",
    "public/index.html",
];
/// How much of a file is read, in bytes: enough for any list of dependencies.
const MOST: usize = 1 << 20;

/// The relevant files of a directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Directory {
    /// Path to text; empty for files that only have to exist.
    files: BTreeMap<String, String>,
}

impl Directory {
    /// # Errors
    /// When a file that exists cannot be read: it is never treated as missing.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let mut found = Self::default();
        for name in NAMES {
            if path.join(name).try_exists()? {
                found.files.insert(name.into(), String::new());
            }
        }
        for name in TEXTS {
            match std::fs::read(path.join(name)) {
                Ok(bytes) => {
                    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(MOST)]);
                    found.files.insert(name.into(), text.into_owned());
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(io::Error::new(e.kind(), format!("{name}: {e}"))),
            }
        }
        Ok(found)
    }

    fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    fn text(&self, name: &str) -> &str {
        self.files.get(name).map_or("", String::as_str)
    }

    /// Whether one of these lists of dependencies contains a package as a separate word.
    fn depends(&self, lists: &[&str], package: &str) -> bool {
        let odd = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        lists
            .iter()
            .flat_map(|list| self.text(list).lines())
            .map(|line| line.split(" #").next().unwrap_or_default().trim_start())
            .filter(|line| !line.starts_with('#'))
            .any(|line| line.split(odd).any(|word| word.eq_ignore_ascii_case(package)))
    }
}

/// A proposal for a directory. In command lines `{root}` is the app's root on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Project {
    /// The kind of project, and the file it was detected by.
    pub(super) what: String,
    pub(super) source: String,
    pub(super) build: Option<String>,
    pub(super) prepare: Option<String>,
    pub(super) exclude: Vec<&'static str>,
    pub(super) shared: Vec<&'static str>,
    pub(super) strategy: Strategy,
    /// Why this strategy.
    pub(super) because: &'static str,
    /// The unit that runs the app, if it is one of the distribution.
    pub(super) unit: Option<&'static str>,
    pub(super) serves: Serves,
    /// For `unit generate`: the program, its command line if it is not the usual one, and that of the migration.
    pub(super) program: Option<Program>,
    pub(super) command: Option<String>,
    pub(super) migrate: Option<String>,
    /// What the user should check.
    pub(super) notes: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Serves {
    /// A process, which has to load the new release.
    Process,
    /// Files, which a web server opens for each request: the flip is enough.
    Files,
}

impl Project {
    fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            source: ".".into(),
            build: None,
            prepare: None,
            exclude: Vec::new(),
            shared: Vec::new(),
            strategy: Strategy::Restart,
            because: "does not answer during the restart; use `socket` if the program accepts a listening socket from systemd",
            unit: None,
            serves: Serves::Process,
            program: None,
            command: None,
            migrate: None,
            notes: Vec::new(),
        }
    }

    /// The strategy `socket`, with the reason.
    fn socket(&mut self, because: &'static str) {
        self.strategy = Strategy::Socket;
        self.because = because;
    }
}

/// `None` for an unknown kind of project. Of several kinds the one that serves requests counts: a Rails app with a
/// package.json is a Rails app.
pub(super) fn detect(dir: &Directory, app: &str) -> Option<Project> {
    ruby::detect(dir)
        .or_else(|| python::detect(dir))
        .or_else(|| php::detect(dir))
        .or_else(|| compiled::detect(dir, app))
        .or_else(|| node::detect(dir))
        .or_else(|| pages::detect(dir))
}

#[cfg(test)]
mod tests;
