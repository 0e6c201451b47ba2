//! Node.js: a package.json. Which package manager, which build, which file serves.

use serde_json::Value;

use super::{Project, Seen};
use crate::unit::generate::Program;

pub(super) fn recognise(seen: &Seen) -> Option<Project> {
    if !seen.has("package.json") {
        return None;
    }
    let mut project = Project::new("Node.js (package.json)");
    let package: Value = serde_json::from_str(seen.text("package.json")).unwrap_or_else(|_| {
        project
            .notes
            .push("package.json is no JSON: nothing in it was looked at".into());
        Value::Null
    });
    let script = |name: &str| package["scripts"][name].as_str();
    let depends = |name: &str| package["dependencies"][name].is_string();
    let develops = |name: &str| package["devDependencies"][name].is_string();

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
    if !["pnpm-lock.yaml", "yarn.lock", "package-lock.json"]
        .iter()
        .any(|lock| seen.has(lock))
    {
        project
            .notes
            .push("there is no lock file, and `npm ci` wants one: npm install writes it".into());
    }
    if script("build").is_some() {
        // Built here: the host needs neither the tools nor the memory.
        project.build = Some(format!("{all} && {run} build"));
    }
    project.prepare = Some(lean.into());
    project.exclude = vec!["node_modules/"];

    if seen.has("prisma/schema.prisma") && (depends("prisma") || develops("prisma")) {
        project.migrate = Some(
            "/usr/bin/node {root}/next/node_modules/prisma/build/index.js migrate deploy".into(),
        );
        if !depends("prisma") {
            project.notes.push(
                "prisma is among devDependencies, which the host does not get: move it to dependencies".into(),
            );
        }
    } else if let Some(name) = ["db:migrate", "migrate"]
        .into_iter()
        .find(|name| script(name).is_some())
    {
        project.migrate = Some(format!("/usr/bin/npm --prefix {{root}}/next run {name}"));
    }
    project.program = Some(Program::Node);
    if depends("next") {
        project.what = "Next.js (package.json)".into();
        project.command = Some(
            "/usr/bin/node {root}/current/node_modules/next/dist/bin/next start -p 8080".into(),
        );
        project.exclude.push("/.next/cache/");
        return Some(project);
    }
    let started = script("start").and_then(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["node", file] => Some(*file),
            _ => None,
        }
    });
    let file = started.or_else(|| package["main"].as_str().filter(|_| !seen.has("server.js")));
    match file
        .map(|file| file.trim_start_matches("./"))
        .filter(|file| is_plain(file))
    {
        Some(file) => project.command = Some(format!("/usr/bin/node {{root}}/current/{file}")),
        None if !seen.has("server.js") => project
            .notes
            .push("no file that serves was found: change ExecStart= (server.js is assumed)".into()),
        None => {}
    }
    Some(project)
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
