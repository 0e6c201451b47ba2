//! What a directory is, from the files in it: how to build it, make it ready, migrate it, serve it. Pure: which files are
//! there, and the texts of a few, were read before ([`Seen::read`] alone touches the disk). Nothing here is sure: it is
//! proposed, and a person looks it over.

mod compiled;
mod node;
mod pages;
mod php;
mod python;
mod ruby;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use crate::config::StrategyName;
use crate::unit::generate::Program;

/// The files that tell something by their text.
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
/// The files that tell something by being there.
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
/// The most of a file that is read, in bytes: enough for any list of dependencies.
const MOST: usize = 1 << 20;

/// What is in a directory, as far as it tells something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Path to text; empty for files that only have to be there.
    files: BTreeMap<String, String>,
}

impl Seen {
    /// Looks into a directory.
    ///
    /// # Errors
    /// When a file that is there cannot be read: it is never taken for absent.
    pub(super) fn read(dir: &Path) -> io::Result<Self> {
        let mut seen = Self::default();
        for name in NAMES {
            if dir.join(name).try_exists()? {
                seen.files.insert(name.into(), String::new());
            }
        }
        for name in TEXTS {
            match std::fs::read(dir.join(name)) {
                Ok(bytes) => {
                    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(MOST)]);
                    seen.files.insert(name.into(), text.into_owned());
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(io::Error::new(e.kind(), format!("{name}: {e}"))),
            }
        }
        Ok(seen)
    }

    fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    fn text(&self, name: &str) -> &str {
        self.files.get(name).map_or("", String::as_str)
    }

    /// Whether one of these lists of dependencies names a package: as a word of its own, in any of their notations.
    fn needs(&self, lists: &[&str], package: &str) -> bool {
        let odd = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        lists
            .iter()
            .flat_map(|list| self.text(list).lines())
            .map(|line| line.split(" #").next().unwrap_or_default().trim_start())
            .filter(|line| !line.starts_with('#'))
            .any(|line| {
                line.split(odd)
                    .any(|word| word.eq_ignore_ascii_case(package))
            })
    }
}

/// What is proposed for a directory. In command lines `{root}` stands for the app's root on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Project {
    /// What it is, in a few words, and by which file it was recognised.
    pub(super) what: String,
    pub(super) source: String,
    pub(super) build: Option<String>,
    pub(super) prepare: Option<String>,
    pub(super) exclude: Vec<&'static str>,
    pub(super) shared: Vec<&'static str>,
    /// How it is turned over, and why so.
    pub(super) strategy: StrategyName,
    pub(super) because: &'static str,
    /// The unit that serves, where it is not the app's own: one of the distribution.
    pub(super) unit: Option<&'static str>,
    /// Whether anything has to be turned over at all.
    pub(super) serves: Serves,
    /// For `unit generate`: what serves, its command line where the usual one will not do, and the migration's.
    pub(super) program: Option<Program>,
    pub(super) command: Option<String>,
    pub(super) migrate: Option<String>,
    /// What a person should look at.
    pub(super) notes: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Serves {
    /// A process that has to learn of a new release.
    Process,
    /// A web server that opens each file anew: the flip is all.
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
            strategy: StrategyName::Restart,
            because: "nobody answers for a moment; `socket` if the program can take a listening socket from systemd",
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
        self.strategy = StrategyName::Socket;
        self.because = because;
    }
}

/// What the directory is; `None` when no file tells. Of several kinds the one that serves is taken: a Rails app with a
/// package.json is a Rails app.
pub(super) fn recognise(seen: &Seen, app: &str) -> Option<Project> {
    ruby::recognise(seen)
        .or_else(|| python::recognise(seen))
        .or_else(|| php::recognise(seen))
        .or_else(|| compiled::recognise(seen, app))
        .or_else(|| node::recognise(seen))
        .or_else(|| pages::recognise(seen))
}

#[cfg(test)]
mod tests;
