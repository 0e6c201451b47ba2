//! Node.js, by its package.json: package manager, build, the file to run. Never runs a package manager.

use serde_json::Value;

use super::{Directory, Project};
use crate::unit::generate::Program;

pub(super) fn detect(dir: &Directory) -> Option<Project> {
    if !dir.has("package.json") {
        return None;
    }
    let mut project = Project::new("Node.js (package.json)");
    let package = Package::read(dir, &mut project.notes);
    let manager = Manager::of(dir);
    if !["pnpm-lock.yaml", "yarn.lock", "package-lock.json"]
        .iter()
        .any(|lock| dir.has(lock))
    {
        project
            .notes
            .push("no lock file found; `npm ci` needs one, and `npm install` creates it".into());
    }
    if package.script("build").is_some() {
        // Built locally: the host needs neither the tools nor the memory.
        project.build = Some(format!("{} && {} build", manager.all, manager.run));
    }
    project.prepare = Some(manager.lean.into());
    project.exclude = vec!["node_modules/"];
    project.migrate = migration(dir, &package, &mut project.notes);
    project.program = Some(Program::Node);
    if package.depends("next") {
        project.what = "Next.js (package.json)".into();
        project.command = Some("/usr/bin/node {root}/current/node_modules/next/dist/bin/next start -p 8080".into());
        project.exclude.push("/.next/cache/");
        return Some(project);
    }
    match package.main_file(dir) {
        Some(file) => project.command = Some(format!("/usr/bin/node {{root}}/current/{file}")),
        None if !dir.has("server.js") => project
            .notes
            .push("cannot detect the file to run: change ExecStart= (server.js is assumed)".into()),
        None => {}
    }
    Some(project)
}

struct Package(Value);

impl Package {
    fn read(dir: &Directory, notes: &mut Vec<String>) -> Self {
        Self(serde_json::from_str(dir.text("package.json")).unwrap_or_else(|_| {
            notes.push("package.json is not valid JSON and was ignored".into());
            Value::Null
        }))
    }

    fn script(&self, name: &str) -> Option<&str> {
        self.0["scripts"][name].as_str()
    }

    fn depends(&self, name: &str) -> bool {
        self.0["dependencies"][name].is_string()
    }

    fn develops(&self, name: &str) -> bool {
        self.0["devDependencies"][name].is_string()
    }

    /// The file to run, if it is named and needs no quoting in a unit.
    fn main_file(&self, dir: &Directory) -> Option<&str> {
        let started = self.script("start").and_then(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["node", file] => Some(*file),
                _ => None,
            }
        });
        let main = || self.0["main"].as_str().filter(|_| !dir.has("server.js"));
        started
            .or_else(main)
            .map(|file| file.trim_start_matches("./"))
            .filter(|file| is_plain(file))
    }
}

/// The command lines of a package manager.
struct Manager {
    /// Installs everything.
    all: &'static str,
    /// Installs what the app needs to run.
    lean: &'static str,
    /// Runs a script of package.json.
    run: &'static str,
}

impl Manager {
    /// By the lock file.
    fn of(dir: &Directory) -> Self {
        let (all, lean, run) = if dir.has("pnpm-lock.yaml") {
            (
                "pnpm install --frozen-lockfile",
                "pnpm install --frozen-lockfile --prod",
                "pnpm run",
            )
        } else if dir.has("yarn.lock") && dir.has(".yarnrc.yml") {
            (
                "yarn install --immutable",
                "yarn workspaces focus --production",
                "yarn run",
            )
        } else if dir.has("yarn.lock") {
            (
                "yarn install --frozen-lockfile",
                "yarn install --frozen-lockfile --production",
                "yarn run",
            )
        } else {
            ("npm ci", "npm ci --omit=dev", "npm run")
        };
        Self { all, lean, run }
    }
}

/// The command that migrates the database.
fn migration(dir: &Directory, package: &Package, notes: &mut Vec<String>) -> Option<String> {
    let depends = package.depends("prisma");
    if dir.has("prisma/schema.prisma") && (depends || package.develops("prisma")) {
        if !depends {
            notes.push(
                "prisma is in devDependencies, which are not installed on the host: move it to dependencies".into(),
            );
        }
        return Some("/usr/bin/node {root}/next/node_modules/prisma/build/index.js migrate deploy".into());
    }
    ["db:migrate", "migrate"]
        .into_iter()
        .find(|name| package.script(name).is_some())
        .map(|name| format!("/usr/bin/npm --prefix {{root}}/next run {name}"))
}

/// A path that needs no quoting in a unit.
fn is_plain(file: &str) -> bool {
    !file.is_empty()
        && !file.starts_with(['/', '-'])
        && file.split('/').all(|part| part != "..")
        && file.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c))
}
