//! Detects the kind of project in a directory from its files: how to build, prepare, migrate and run it. Evidence comes
//! before habit, and what is a guess is a [`Check`]. The result is a proposal that the user reviews. Only
//! [`Directory::read`] touches the disk; nothing is written or run here.

mod compiled;
mod container;
mod directory;
mod django;
mod elixir;
mod evidence;
mod front;
mod go;
mod go_build;
mod managed;
mod needs;
mod node;
mod node_install;
mod node_package;
mod node_start;
mod pages;
mod php;
mod products;
mod puma;
mod python;
mod python_app;
mod python_install;
mod python_start;
mod routes;
mod ruby;
mod rust;
mod settings;
mod systemd;
mod version;
mod workers;
mod written;

use routes::Port;

use crate::unit::generate::Program;
use crate::unit::strategy::Strategy;

pub(super) use directory::Directory;

/// A proposal for a directory. In command lines `{root}` is the app's root on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Project {
    /// The kind of project, and the file it was detected by.
    pub(super) what: String,
    pub(super) source: String,
    pub(super) build: Option<String>,
    pub(super) prepare: Option<String>,
    /// What `prepare` makes, where that is certain.
    pub(super) products: Option<products::Products>,
    pub(super) exclude: Vec<&'static str>,
    /// Virtual environments of Python, which `exclude` has besides.
    pub(super) environments: Vec<String>,
    pub(super) shared: Vec<&'static str>,
    pub(super) shared_files: Vec<&'static str>,
    /// Files that are shipped although their names are those of secrets.
    pub(super) public: Vec<&'static str>,
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
    /// Whether the program reports READY=1.
    pub(super) reports: bool,
    /// Whether it answers requests, so that its health can be checked at an address.
    pub(super) listens: bool,
    /// The path that the health check requests, and the port.
    pub(super) health: String,
    pub(super) port: u16,
    pub(super) checks: Vec<Check>,
    /// Which port the source shows, where that decides, and the question about it.
    listens_on: Option<Port>,
    port_question: Option<String>,
    /// The directory that a web server in front serves, on the port of the health check.
    web: Option<String>,
}

/// A guess, or a decision that only the user can make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) about: About,
    pub(super) why: String,
}

/// What a [`Check`] is about: a key of deploy.yml, or a line of the unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    Source,
    Build,
    Shared,
    Prepare,
    Migrate,
    Unit,
    Command,
    Health,
    Secrets,
}

impl About {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Build => "build",
            Self::Shared => "shared",
            Self::Prepare => "prepare",
            Self::Migrate => "migrate",
            Self::Unit => "unit",
            Self::Command => "ExecStart=",
            Self::Health => "health.url",
            Self::Secrets => "allow_secrets",
        }
    }
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
            products: None,
            exclude: Vec::new(),
            environments: Vec::new(),
            shared: Vec::new(),
            shared_files: Vec::new(),
            public: Vec::new(),
            strategy: Strategy::Restart,
            because: "does not answer during the restart; use `socket` if the program accepts a listening socket from systemd",
            unit: None,
            serves: Serves::Process,
            program: None,
            command: None,
            migrate: None,
            reports: false,
            listens: true,
            health: "/".into(),
            port: 8080,
            checks: Vec::new(),
            listens_on: None,
            port_question: None,
            web: None,
        }
    }

    /// What is proposed for a directory of no known kind, with these files.
    pub(super) fn unknown_of(dir: &Directory) -> Self {
        let mut project = Self::unknown();
        project.environments = dir.environments();
        project
    }

    pub(super) fn unknown() -> Self {
        let mut project = Self::new("");
        project.because = "restart | reload | socket";
        project
    }

    /// The strategy `socket`, with the reason.
    fn socket(&mut self, because: &'static str) {
        self.strategy = Strategy::Socket;
        self.because = because;
    }

    pub(super) fn check(&mut self, about: About, why: impl Into<String>) {
        self.checks.push(Check { about, why: why.into() });
    }

    /// The question that the port of the source leaves, if this one is in the health check and in PORT of the unit.
    pub(super) fn ask_port(&mut self, port: u16) {
        let why = match &self.listens_on {
            _ if self.web.is_some() => format!(
                "nginx must serve {} on this port (`listen {port};`) and set `fastcgi_param SCRIPT_FILENAME \
                 $realpath_root$fastcgi_script_name`: otherwise opcache keeps the old files",
                self.web.as_deref().unwrap_or_default()
            ),
            Some(Port::Fixed(fixed, file)) if *fixed != port => format!(
                "{file} seems to listen on port {fixed}, and not on {port}: change one of them, because PORT={port} in the unit has no effect there"
            ),
            Some(Port::Fixed(fixed, file)) if *fixed != Self::unknown().port => {
                format!("{file} seems to listen on port {port}; the generated unit also sets PORT={port}")
            }
            Some(Port::Unknown) if !takes_port(self) => {
                format!("nothing in the source reads PORT or names a port: does the app listen on {port}?")
            }
            _ => return,
        };
        let old = self.port_question.replace(why.clone());
        self.checks.retain(|check| Some(&check.why) != old.as_ref());
        self.check(About::Health, why);
    }

    /// Adds a command to `prepare`, or to `build`.
    fn append(to: &mut Option<String>, command: &str) {
        *to = Some(match to.take() {
            Some(before) => format!("{before} && {command}"),
            None => command.into(),
        });
    }
}

/// `None` for an unknown kind of project. Of several kinds the one that serves requests counts: a Rails app with a
/// package.json is a Rails app. Where this directory has none, a directory directly below it counts.
pub(super) fn detect(dir: &Directory, app: &str) -> Option<Project> {
    detect_here(dir, app).or_else(|| detect_below(dir, app))
}

fn detect_here(dir: &Directory, app: &str) -> Option<Project> {
    let mut project = ruby::detect(dir)
        .or_else(|| python::detect(dir))
        .or_else(|| php::detect(dir))
        .or_else(|| go::detect(dir, app))
        .or_else(|| rust::detect(dir, app))
        .or_else(|| elixir::detect(dir))
        .or_else(|| managed::detect(dir, app))
        .or_else(|| node::detect(dir))
        .or_else(|| pages::detect(dir))?;
    if let (".", Some(prepare)) = (project.source.as_str(), &project.prepare) {
        project.products = products::of(dir, prepare);
    }
    if project.source == "." {
        // Python's own name for them is excluded at any depth.
        let known = |path: &String| project.exclude.contains(&".venv/") && path.ends_with("/.venv/");
        project.environments = dir.environments().into_iter().filter(|path| !known(path)).collect();
    }
    let ignores = |line: &str| line.trim().trim_matches('/') == "build";
    if project.source == "build" && dir.has(".gitignore") && !dir.text(".gitignore").lines().any(ignores) {
        project.check(About::Build, "`build` writes to build/: add it to .gitignore");
    }
    needs::checks(dir, &mut project);
    if project.serves == Serves::Process {
        project.reports = systemd::reports(dir, kinds(&project));
        health(dir, &mut project);
        workers::checks(dir, &mut project);
    }
    if dir.text(".gitattributes").contains("filter=lfs") {
        project.check(
            About::Source,
            "files are kept in Git LFS: run `git lfs pull` before you deploy",
        );
    }
    Some(project)
}

/// The app in one of the directories of a repository with several.
fn detect_below(dir: &Directory, app: &str) -> Option<Project> {
    let tops = dir
        .all()
        .filter(|(path, _)| path.ends_with('/') && path.matches('/').count() == 1);
    let mut found: Vec<(String, Project)> = tops
        .filter(|(path, _)| !path.starts_with(['.', '-']) && !directory::is_skipped(path.trim_end_matches('/')))
        // The name becomes part of a command line.
        .filter(|(path, _)| path.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c)))
        .filter_map(|(path, _)| Some((path.to_owned(), detect_here(&dir.below(path), app)?)))
        .collect();
    // What serves requests comes before the pages of a front end, which it often serves itself.
    let likely = |path: &str| directory::lists("server api backend web app", path.trim_end_matches('/'));
    found.sort_by_key(|(path, project)| (project.serves == Serves::Files, !likely(path)));
    let names: Vec<String> = found
        .iter()
        .map(|(path, _)| path.trim_end_matches('/').to_owned())
        .collect();
    let (path, mut project) = found.into_iter().next()?;
    let name = path.trim_end_matches('/');
    let why = if names.len() > 1 {
        format!(
            "there are other apps in {}; this file deploys only {name}",
            names.join(", ")
        )
    } else {
        format!("the app is in {name}, so only this directory is deployed")
    };
    project.check(About::Source, why);
    project.build = project.build.map(|build| format!("cd {name} && {build}"));
    project.source = if project.source == "." {
        name.into()
    } else {
        format!("{path}{}", project.source)
    };
    Some(project)
}

/// The kinds of source files of a project: a front end beside it has others.
fn kinds(project: &Project) -> &'static str {
    match (
        project.what.split([' ', ',']).next().unwrap_or_default(),
        project.program,
    ) {
        ("Go", _) => "go",
        ("Rust", _) => "rs",
        ("Java", _) => "java kt",
        (".NET", _) => "cs",
        ("Phoenix" | "Elixir", _) => "ex exs",
        ("Python" | "Django", _) => "py",
        (_, Some(Program::Puma)) => "rb ru",
        _ if project.unit.is_some() => "php",
        _ => "js mjs cjs ts mts tsx",
    }
}

/// Whether the command line names the port, or the framework reads PORT without the source.
fn takes_port(project: &Project) -> bool {
    let command = project.command.as_deref().unwrap_or_default();
    let framework = ["Nuxt", "SvelteKit", "Astro", "Phoenix", "Java"];
    command.contains(&project.port.to_string())
        || command.contains("remix-serve")
        || command.contains("react-router-serve")
        || command.contains("strapi")
        || command.contains("/server.js") && project.source.contains(".next")
        || framework.iter().any(|name| project.what.starts_with(name))
}

fn health(dir: &Directory, project: &mut Project) {
    let kinds = kinds(project);
    let route = routes::health(dir, kinds);
    let own_port = project.strategy == Strategy::Socket || project.unit.is_some();
    if let (Some(bot), None, false) = (evidence::bot(dir), &route, own_port)
        && routes::port(dir, kinds) == Port::Unknown
    {
        project.listens = false;
        project.check(
            About::Unit,
            format!(
                "a program with {bot} and no port: a deploy checks only that it runs, not that it answers; add `health` \
                 if it does have a port"
            ),
        );
        return;
    }
    match route {
        Some(route) => {
            if !route.named {
                project.check(
                    About::Health,
                    format!("{} of {}: does it return 200 without a login?", route.path, route.from),
                );
            }
            project.health = route.path;
        }
        None if project.health == "/" => {
            project.check(
                About::Health,
                "no health route found: does / answer 200 without a login?",
            );
        }
        None => {}
    }
    // Where systemd passes the socket, or another program listens, the source does not decide.
    if project.strategy == Strategy::Socket || project.unit.is_some() {
        return;
    }
    let port = routes::port(dir, kinds);
    // What the start command says, or the framework reads from PORT, does not follow from the container's port.
    let port = match port {
        Port::Fixed(fixed, _) if routes::container_port(dir) == Some(fixed) && takes_port(project) => Port::Unknown,
        port => port,
    };
    if let Port::Fixed(fixed, _) = port {
        project.port = fixed;
    }
    project.listens_on = Some(port);
    project.ask_port(project.port);
}

#[cfg(test)]
mod tests;
