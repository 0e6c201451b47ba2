//! `deploy.yml` becomes a [`Config`], and a [`Config`] cannot be wrong: its names are checked types, its
//! numbers are in range, its paths are safe to hand to a host. Nothing here looks at a host or at `source`.
//!
//! Read in this order: `file` (finds and reads the bytes), `place` (lines and columns), `tree` (bytes to a tree with
//! places; refuses what makes YAML surprising), `syntax` (what is not YAML, in words of the file), `keys` (what a table
//! of keys is), `reader` (one typed value of the tree), `top` and `service` (the tables: every key, and the value it
//! becomes), `instances` (which instances a service has), `instance` (the units of a service), `environments` (what
//! `-e` merges over the top level), `validate` (one file with all its environments, every problem collected), `names`,
//! `paths`, `target`, `probe`, `router`, `behind`, `units`, `link` (values with rules), `scalar` (the way back: text
//! into a file), `schema` (the tables as a JSON Schema, for editors).

mod behind;
mod canary;
mod environments;
mod file;
mod health;
mod instance;
mod instances;
mod keys;
mod link;
pub mod names;
mod paths;
mod place;
mod prepare;
mod probe;
mod reader;
mod router;
mod scalar;
mod schema;
#[cfg(test)]
mod second_reader;
mod service;
mod shape;
mod syntax;
mod target;
mod top;
mod tree;
mod trial;
mod units;
mod validate;

use std::iter;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use canary::Canary;
pub use file::{find, local_name};
pub use instance::{Instance, Service};
pub use link::Link;
pub use names::{AppName, EnvironmentName, InstanceName, UnitName};
pub use paths::{RelPath, RemotePath};
pub use prepare::{Prepare, Products};
pub use reader::nearest;
pub use router::Router;
pub use scalar::scalar;
pub use schema::{SCHEMA_NAME, schema};
pub use target::Target;
pub use trial::Trial;
pub use units::{Units, UnitsDrift, UnitsNeed};

use crate::failure::{Exit, Failure, Next};
pub use crate::step::{Check, Limits, Otherwise, Probe};
use crate::text;
pub use crate::unit::strategy::Strategy;

/// The documented example: every key and why to set it. `shipit init` starts from it.
pub const EXAMPLE: &str = include_str!("../../deploy.example.yml");

/// The name of the file when `-c` gives none.
pub const FILE_NAME: &str = "deploy.yml";

/// What to deploy, where and how.
#[derive(Clone, Debug)]
pub struct Config {
    pub app: AppName,
    pub host: Target,
    /// The app's directory on the host; `/opt/<app>` by default.
    pub root: RemotePath,
    /// A directory or a `.tar.gz`; absolute. It need not exist before `build` ran.
    pub source: PathBuf,
    /// The line of the file that names it.
    pub source_line: usize,
    /// A command line for `sh -c`, run here in [`Self::dir`] first.
    pub build: Option<String>,
    /// Globs of what is not shipped; each compiles.
    pub exclude: Vec<String>,
    /// Globs of files that are shipped although they look like secrets.
    pub allow_secrets: Vec<String>,
    /// The private key of `--identity`: never shipped.
    pub identity: Option<PathBuf>,
    pub shared: Shared,
    pub prepare: Option<Prepare>,
    /// How a release gets the files that it has in common with the one before. By default as is safe on the host.
    pub link: Option<Link>,
    pub migrate: Option<Migrate>,
    /// In the order in which they are turned over. Empty: only the files are switched (static sites).
    pub services: Vec<Service>,
    /// What stands in front of instances; each service names its own.
    pub routers: Vec<Router>,
    /// The services' unit files in the repository.
    pub units: Units,
    /// As whom `shipit run` runs commands.
    pub run_as: RunAs,
    /// How many verified releases stay on the host: 1 to 1000, 5 by default.
    pub keep_releases: u32,
    /// The verdict from outside.
    pub verify: Option<Verify>,
    /// What a switch may lose at most.
    pub limits: Limits,
    /// The template that the host starts with the run's id when a switch ended.
    pub notify: Option<UnitName>,
    /// Commands that run here around a switch.
    pub hooks: Hooks,
    /// The fingerprint of the only host key that is accepted: `SHA256:` and 43 base64 characters.
    pub host_key: Option<String>,
    /// The file itself.
    pub file: PathBuf,
    /// The directory of the file, absolute: where `build` and hooks run.
    pub dir: PathBuf,
    /// The environment chosen with `-e`.
    pub environment: Option<EnvironmentName>,
    /// What the user should know although nothing is wrong.
    pub warnings: Vec<String>,
}

crate::text::words! {
    /// As whom `shipit run` runs commands.
    pub enum RunAs {
        /// As a service's user, with its environment and sandbox: `setup` installs what root lends for that.
        Service = "service",
        Deploy = "deploy",
    }
}

/// Files and directories that live across releases, below `<root>/shared`, linked into each release. No path
/// is equal to another or lies in another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shared {
    /// Created by the first deploy when they are missing.
    pub dirs: Vec<RelPath>,
    /// Must exist, unless optional.
    pub files: Vec<SharedFile>,
}

impl Shared {
    pub fn paths(&self) -> impl Iterator<Item = &RelPath> {
        self.dirs.iter().chain(self.files.iter().map(|file| &file.path))
    }

    /// The shared path that a packed file would collide with: the same path, one inside it, or a file in place of a
    /// parent directory. Parent directories of a shared path do not collide; do not ask for them.
    pub fn collision(&self, packed: &[u8]) -> Option<&RelPath> {
        self.paths().find(|path| path.meets(packed))
    }
}

/// One shared file. Written `env`, or `env?` when a release also runs without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedFile {
    pub path: RelPath,
    /// Whether a deploy continues when the host does not have it.
    pub optional: bool,
}

/// The migration: a `Type=oneshot` unit on the host that runs once per release, before the flip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migrate {
    /// The unit; a `.service`.
    pub unit: UnitName,
    /// Another one, which must succeed before it starts, such as a database dump.
    pub before: Option<UnitName>,
    /// How long each of the two may take: 10 minutes by default.
    pub timeout: Duration,
}

impl Migrate {
    /// Its unit, and the one before it.
    pub fn units(&self) -> impl Iterator<Item = &str> {
        iter::once(&self.unit).chain(&self.before).map(|unit| unit.as_str())
    }
}

/// What is asked, from the host, until a release counts as healthy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    pub check: Check,
    /// How long until the first good answer: 30 s by default.
    pub timeout: Duration,
    /// How many good answers in a row: 1 to 100, 3 by default.
    pub successes: u32,
    /// How long the same wrong response may repeat before the wait ends early: 5 s by default.
    pub wrong_answers: Duration,
}

/// A command that runs here before the host confirms a switch, and can still undo it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verify {
    /// A command line for `sh -c`, run in [`Config::dir`].
    pub run: String,
    /// How long the host waits for its verdict: 1 s to 1 h, 60 s by default.
    pub timeout: Duration,
    /// What the host does without it.
    pub otherwise: Otherwise,
}

/// Command lines for `sh -c` that run here, in [`Config::dir`], with `SHIPIT_*` in their environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hooks {
    /// Before the switch; its failure stops the deploy.
    pub before_switch: Option<String>,
    /// After the switch; its failure is a warning.
    pub after_switch: Option<String>,
    /// After a deploy or rollback that failed.
    pub on_failure: Option<String>,
}

/// Reads, merges and checks a `deploy.yml`.
/// Fails with [`Exit::Usage`]. Its `why` has a line `file:line:column: problem` for every problem in the file, or says
/// why the file cannot be read.
pub fn load(path: &Path, environment: Option<&str>) -> Result<Config, Failure> {
    let opened = file::read(path)?;
    let name = local_name(path);
    let root = tree::parse(&opened.text);
    if let (Ok(root), Some(wanted)) = (&root, environment) {
        environments::typed(root, wanted, &name)?;
    }
    let checked = root.and_then(|root| validate::config(&root, &opened.dir, environment));
    match checked {
        Ok(mut config) => {
            config.warnings.extend(opened.warnings);
            config.file = path.to_owned();
            Ok(config)
        }
        Err(problems) => Err(failure(&name, &opened.text, &problems)),
    }
}

/// The names under `environments`; none where the file cannot be read.
pub fn environment_names(path: &Path) -> Vec<String> {
    let root = file::read(path).ok().and_then(|opened| tree::parse(&opened.text).ok());
    let names = |root| {
        environments::read(root, &reader::Problems::default())
            .into_iter()
            .map(|one| one.name.to_string())
    };
    root.iter().flat_map(names).collect()
}

/// Checks the text of a `deploy.yml` that is not written yet, as the file at this path. Fails as [`load`] does.
pub fn of_text(text: &str, path: &Path) -> Result<Config, Failure> {
    let name = text::shown(path.as_os_str().as_encoded_bytes());
    let path = std::path::absolute(path).map_err(|e| Failure::new(Exit::Usage, format!("{name}: {e}")))?;
    let dir = path.parent().unwrap_or(Path::new("/"));
    let checked = tree::parse(text).and_then(|root| validate::config(&root, dir, None));
    checked.map_err(|problems| failure(&name, text, &problems))
}

fn failure(name: &str, text: &str, problems: &[tree::Problem]) -> Failure {
    const MOST: usize = 20;
    let what = match problems.len() {
        1 => format!("{name} has a problem"),
        n => format!("{name} has {n} problems"),
    };
    let mut failure = Failure::new(Exit::Usage, what);
    for problem in problems.iter().take(MOST) {
        failure = failure.why(format!("{name}:{}: {}", problem.at, problem.text));
        if let Some(lines) = excerpt(text, problem.at) {
            failure = failure.excerpt(lines);
        }
    }
    if problems.len() > MOST {
        failure = failure.why(format!("… and {} more", problems.len() - MOST));
    }
    failure.next(Next::offline("config example").remark("an example with every key"))
}

/// The line of a problem, and a mark below its column. None for the beginning of the file, which stands for what is
/// missing.
fn excerpt(text: &str, at: tree::Mark) -> Option<Vec<String>> {
    let line = text.lines().nth(at.line.checked_sub(1)?)?;
    let lines = (at != tree::Mark::START).then(|| text::excerpt(line, at.line, at.column));
    lines?.map(Vec::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_shown_at_its_place_in_the_file() {
        let at = |line, column| tree::Mark { line, column };
        let text = "app: acme\n\n  - äö: \tx\n";
        let lines = excerpt(text, at(3, 8)).expect("a line");
        let mark = |width| format!("  | {}^", " ".repeat(width));
        assert_eq!(lines, ["3 |   - äö:  x".to_owned(), mark(7)]);
        assert_eq!(excerpt(text, at(3, 10)).expect("a line")[1], mark(9));
        assert_eq!(excerpt(text, at(1, 1)), None, "it stands for the whole file");
        assert_eq!((excerpt(text, at(2, 1)), excerpt(text, at(9, 1))), (None, None));
    }

    #[test]
    fn the_example_loads() {
        let config = load(Path::new("deploy.example.yml"), None);
        let config = config
            .map_err(|failure| failure.to_string())
            .expect("the example loads");
        assert_eq!(config.services.len(), 2);
    }
}
