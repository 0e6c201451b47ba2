//! Node.js: a package.json. Which package manager, which build, which file serves.

use serde_json::Value;

use super::{Project, Seen};
use crate::unit::generate::Program;

pub(super) fn recognise(seen: &Seen) -> Option<Project> {
    if !seen.has("package.json") {
        return None;
    }
    let mut project = Project::new("Node.js (package.json)");
    let package = Package::read(seen, &mut project.notes);
    let manager = Manager::of(seen);
    if !["pnpm-lock.yaml", "yarn.lock", "package-lock.json"]
        .iter()
        .any(|lock| seen.has(lock))
    {
        project
            .notes
            .push("there is no lock file, and `npm ci` wants one: npm install writes it".into());
    }
    if package.script("build").is_some() {
        // Built here: the host needs neither the tools nor the memory.
        project.build = Some(format!("{} && {} build", manager.all, manager.run));
    }
    project.prepare = Some(manager.lean.into());
    project.exclude = vec!["node_modules/"];
    project.migrate = migration(seen, &package, &mut project.notes);
    project.program = Some(Program::Node);
    if package.depends("next") {
        project.what = "Next.js (package.json)".into();
        project.command = Some(
            "/usr/bin/node {root}/current/node_modules/next/dist/bin/next start -p 8080".into(),
        );
        project.exclude.push("/.next/cache/");
        return Some(project);
    }
    match package.serves(seen) {
        Some(file) => project.command = Some(format!("/usr/bin/node {{root}}/current/{file}")),
        None if !seen.has("server.js") => project
            .notes
            .push("no file that serves was found: change ExecStart= (server.js is assumed)".into()),
        None => {}
    }
    Some(project)
}

struct Package(Value);

impl Package {
    fn read(seen: &Seen, notes: &mut Vec<String>) -> Self {
        Self(
            serde_json::from_str(seen.text("package.json")).unwrap_or_else(|_| {
                notes.push("package.json is no JSON: nothing in it was looked at".into());
                Value::Null
            }),
        )
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

    /// The file that serves, where it is named and can stand in a unit.
    fn serves(&self, seen: &Seen) -> Option<&str> {
        let started = self.script("start").and_then(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["node", file] => Some(*file),
                _ => None,
            }
        });
        let main = || self.0["main"].as_str().filter(|_| !seen.has("server.js"));
        started
            .or_else(main)
            .map(|file| file.trim_start_matches("./"))
            .filter(|file| is_plain(file))
    }
}

/// The lines of a package manager.
struct Manager {
    all: &'static str,
    /// Installs what the app needs to run.
    lean: &'static str,
    /// Runs a script of package.json.
    run: &'static str,
}

impl Manager {
    /// The one whose lock file is there.
    fn of(seen: &Seen) -> Self {
        let (all, lean, run) = if seen.has("pnpm-lock.yaml") {
            (
                "pnpm install --frozen-lockfile",
                "pnpm install --frozen-lockfile --prod",
                "pnpm run",
            )
        } else if seen.has("yarn.lock") && seen.has(".yarnrc.yml") {
            (
                "yarn install --immutable",
                "yarn workspaces focus --production",
                "yarn run",
            )
        } else if seen.has("yarn.lock") {
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
fn migration(seen: &Seen, package: &Package, notes: &mut Vec<String>) -> Option<String> {
    let depends = package.depends("prisma");
    if seen.has("prisma/schema.prisma") && (depends || package.develops("prisma")) {
        if !depends {
            notes.push(
                "prisma is among devDependencies, which the host does not get: move it to dependencies".into(),
            );
        }
        return Some(
            "/usr/bin/node {root}/next/node_modules/prisma/build/index.js migrate deploy".into(),
        );
    }
    ["db:migrate", "migrate"]
        .into_iter()
        .find(|name| package.script(name).is_some())
        .map(|name| format!("/usr/bin/npm --prefix {{root}}/next run {name}"))
}

/// A path that can stand in a unit as it is.
fn is_plain(file: &str) -> bool {
    !file.is_empty()
        && !file.starts_with(['/', '-'])
        && file.split('/').all(|part| part != "..")
        && file
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c))
}
