//! What a package manager installs on the host, and what runs while it does: command lines by the lock file, the scripts of
//! package.json that would fail there, the migration. Never runs a package manager.

use serde_json::Value;

use super::directory::{Directory, LOCKS, lists};
use super::evidence;
use super::node_package::Package;
use super::{About, Project};

/// The command lines of a package manager.
pub(super) struct Manager {
    name: &'static str,
    /// Installs everything.
    pub(super) all: &'static str,
    /// Installs what the app needs to run.
    pub(super) lean: &'static str,
    /// Runs a script of package.json.
    pub(super) run: &'static str,
    /// Installs what the app needs to run, without the scripts of package.json, but with those of its packages.
    quiet: Option<&'static str>,
    /// The scripts of package.json that it runs when it installs.
    hooks: &'static str,
}

impl Manager {
    /// By the lock file, or by the key `packageManager`.
    pub(super) fn of(dir: &Directory, package: &Package) -> Self {
        const HOOKS: &str = "preinstall install postinstall preprepare prepare postprepare";
        let wanted = package.0["packageManager"]
            .as_str()
            .and_then(|text| text.split('@').next());
        let above = dir.above.as_ref().map(|(_, lock)| lock.as_str());
        match dir.first(LOCKS).or(wanted).or(above) {
            Some("pnpm-lock.yaml" | "pnpm") => Self {
                name: "pnpm",
                all: "pnpm install --frozen-lockfile",
                lean: "pnpm install --frozen-lockfile --prod",
                run: "pnpm run",
                quiet: Some("pnpm install --frozen-lockfile --prod --ignore-scripts && pnpm rebuild"),
                hooks: HOOKS,
            },
            Some("bun.lock" | "bun.lockb" | "bun") => Self {
                name: "bun",
                all: "bun install --frozen-lockfile",
                lean: "bun install --frozen-lockfile --production",
                run: "bun run",
                quiet: None,
                hooks: HOOKS,
            },
            Some("yarn.lock" | "yarn") if dir.has(".yarnrc.yml") => Self {
                name: "yarn (with corepack)",
                all: "yarn install --immutable",
                lean: "yarn workspaces focus --production",
                run: "yarn run",
                quiet: None,
                hooks: "preinstall install postinstall",
            },
            Some("yarn.lock" | "yarn") => Self {
                name: "yarn",
                all: "yarn install --frozen-lockfile",
                lean: "yarn install --frozen-lockfile --production",
                run: "yarn run",
                quiet: Some("yarn install --frozen-lockfile --production --ignore-scripts && npm rebuild"),
                hooks: HOOKS,
            },
            _ => Self {
                name: "npm",
                all: "npm ci",
                lean: "npm ci --omit=dev",
                run: "npm run",
                quiet: Some("npm ci --omit=dev --ignore-scripts && npm rebuild"),
                hooks: HOOKS,
            },
        }
    }

    /// What installing on the host needs, and what would fail there.
    pub(super) fn checks(&self, dir: &Directory, package: &Package, project: &mut Project) {
        if let (None, Some((place, lock))) = (dir.first(LOCKS), &dir.above) {
            project.check(
                About::Prepare,
                format!(
                    "this is part of the workspace in {place}: its {lock} and its other packages are not shipped from here, so installing on the host fails; let `build` collect them (`pnpm deploy`, `turbo prune`), or deploy from {place}"
                ),
            );
        } else if dir.first(LOCKS).is_none() {
            self.locked(dir, project);
        } else if self.name != "npm" && project.prepare.is_some() {
            project.check(
                About::Prepare,
                format!("the host needs {}, on the PATH of the deploy user", self.name),
            );
        }
        if project.prepare.is_some() {
            self.scripts(package, project);
        }
    }

    /// Without a lock file, `npm ci` fails.
    pub(super) fn locked(&self, dir: &Directory, project: &mut Project) {
        if dir.first(LOCKS).is_none() && dir.above.is_none() {
            project.check(
                if project.prepare.is_some() {
                    About::Prepare
                } else {
                    About::Build
                },
                "no lock file found: `npm install` creates package-lock.json, which `npm ci` needs",
            );
        }
    }

    /// Scripts that run when the packages are installed, and that only work where devDependencies are.
    fn scripts(&self, package: &Package, project: &mut Project) {
        /// Set up the working copy of a developer: a release needs none of it.
        const WORKPLACE: &str = "husky simple-git-hooks lefthook lint-staged is-ci nuxt @sveltejs/kit";
        let hooks = || self.hooks.split(' ').filter(|name| package.script(name).is_some());
        let lacking = |name: &str| lacking(package, package.script(name).unwrap_or_default());
        let (mut dropped, mut kept) = (Vec::new(), Vec::new());
        for name in hooks() {
            let needs = lacking(name);
            if needs.is_empty() {
                kept.push(name);
            } else if self.quiet.is_some() && needs.iter().all(|tool| lists(WORKPLACE, tool)) {
                dropped.push(format!("`{name}` ({})", needs.join(", ")));
            } else {
                project.check(
                    About::Prepare,
                    format!(
                        "the script `{name}` runs on the host and starts {}, a devDependency, which is not installed there: move it to dependencies",
                        needs.join(", ")
                    ),
                );
            }
        }
        let Some(quiet) = self.quiet.filter(|_| !dropped.is_empty()) else {
            return;
        };
        let rest = kept.iter().map(|name| format!(" && {} {name}", self.run));
        project.prepare = Some(format!("{quiet}{}", rest.collect::<String>()));
        project.check(
            About::Prepare,
            format!(
                "leaves out the script {}: it starts a devDependency, which is not installed on the host",
                dropped.join(", ")
            ),
        );
    }
}

/// The command line that installs everything and runs the script `build`.
pub(super) fn build(dir: &Directory) -> String {
    let manager = Manager::of(dir, &Package(Value::Null));
    format!("{} && {} build", manager.all, manager.run)
}

/// The devDependencies whose programs this line of a script starts. None for a line that allows for a failure.
fn lacking(package: &Package, line: &str) -> Vec<String> {
    lacking_below(package, line, 0)
}

/// Scripts may start each other in a circle: after a few it is left.
fn lacking_below(package: &Package, line: &str, depth: usize) -> Vec<String> {
    if depth > 5 || line.contains("||") {
        return Vec::new();
    }
    let owner = |tool: &str| -> String {
        let known = match tool {
            "tsc" => "typescript",
            "nest" => "@nestjs/cli",
            "nuxi" => "nuxt",
            "ng" => "@angular/cli",
            "svelte-kit" => "@sveltejs/kit",
            "sequelize" => "sequelize-cli",
            "typeorm-ts-node-commonjs" | "typeorm-ts-node-esm" => "ts-node",
            other => other,
        };
        known.into()
    };
    let parts = line.split("&&").flat_map(|part| part.split(';'));
    let tools = parts.filter_map(|part| {
        let start = evidence::start(part, "").ok()?;
        let runner = |word: &&String| lists("npx npm yarn pnpm bun pnpx bunx exec run --no-install", word);
        start.words.iter().find(|word| !runner(word)).cloned()
    });
    let mut found: Vec<String> = Vec::new();
    for tool in tools {
        let names = if package.script(&tool).is_some_and(|inner| inner != line) {
            lacking_below(package, package.script(&tool).unwrap_or_default(), depth + 1)
        } else {
            vec![owner(&tool)]
        };
        let known = found.clone();
        found.extend(
            names
                .into_iter()
                .filter(|name| package.only_develops(name) && !known.contains(name)),
        );
    }
    found
}

/// The command that migrates the database.
pub(super) fn migration(dir: &Directory, package: &Package, project: &mut Project) -> Option<String> {
    let depends = package.depends("prisma");
    if dir.has("prisma/schema.prisma") && (depends || package.develops("prisma")) {
        if !depends {
            project.check(
                About::Migrate,
                "prisma is in devDependencies, which are not installed on the host: move it to dependencies",
            );
        }
        return Some("/usr/bin/node {root}/next/node_modules/prisma/build/index.js migrate deploy".into());
    }
    let (name, line) = [
        "db:migrate",
        "migrate",
        "migration:run",
        "migrate:latest",
        "migrate:deploy",
        "db:migrate:prod",
    ]
    .into_iter()
    .find_map(|name| Some((name, package.script(name)?)))?;
    let needs = lacking(package, line);
    if !needs.is_empty() {
        project.check(
            About::Migrate,
            format!(
                "the script `{name}` starts {}, a devDependency, which is not installed on the host: move it to dependencies",
                needs.join(", ")
            ),
        );
    }
    if line.contains("--env-file") || line.contains("dotenv ") {
        project.check(
            About::Migrate,
            format!(
                "the script `{name}` reads a settings file, which is not shipped: the unit gets the settings from /etc/APP/env"
            ),
        );
    }
    Some(format!("/usr/bin/npm --prefix {{root}}/next run {name}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::tests::{checks, project};

    #[test]
    fn a_script_that_needs_devdependencies_does_not_run_on_the_host() {
        let package = |scripts: &str| {
            format!(
                r#"{{"main":"a.js","scripts":{{{scripts}}},"dependencies":{{"express":"4"}},"devDependencies":{{"husky":"9","prisma":"6","tsx":"4"}}}}"#
            )
        };
        let npm = "npm ci --omit=dev";
        for (scripts, lock, prepare, check) in [
            (
                r#""prepare":"husky install""#,
                "package-lock.json",
                "npm ci --omit=dev --ignore-scripts && npm rebuild",
                "leaves out the script `prepare` (husky)",
            ),
            (
                r#""prepare":"npx husky","postinstall":"node make.js""#,
                "yarn.lock",
                "yarn install --frozen-lockfile --production --ignore-scripts && npm rebuild && yarn run postinstall",
                "leaves out the script `prepare` (husky)",
            ),
            (r#""prepare":"husky || true""#, "package-lock.json", npm, ""),
            (
                r#""postinstall":"prisma generate""#,
                "package-lock.json",
                npm,
                "the script `postinstall` runs on the host and starts prisma",
            ),
            (
                r#""postinstall":"npm run gen","gen":"tsx gen.ts""#,
                "package-lock.json",
                npm,
                "starts tsx, a devDependency",
            ),
            (
                r#""prepare":"husky""#,
                ".yarnrc.yml yarn.lock",
                "yarn workspaces focus --production",
                "",
            ),
        ] {
            let package = package(scripts);
            let mut files = vec![("package.json", package.as_str())];
            files.extend(lock.split(' ').map(|lock| (lock, "")));
            let project = project(&files);
            assert_eq!(project.prepare.as_deref(), Some(prepare), "{scripts}");
            assert!(checks(&project, check), "{scripts}: {project:?}");
            if check.is_empty() {
                assert!(!checks(&project, "devDependency"), "{scripts}: {project:?}");
            }
        }
    }

    #[test]
    fn scripts_that_start_each_other_in_a_circle_come_to_an_end() {
        let package = r#"{"main":"a.js","scripts":{"postinstall":"npm run a","a":"npm run b && eslint .","b":"npm run a"},"devDependencies":{"eslint":"9"}}"#;
        let project = project(&[("package.json", package), ("package-lock.json", "")]);
        assert!(
            checks(&project, "runs on the host and starts eslint, a devDependency"),
            "{project:?}"
        );
    }

    #[test]
    fn a_migration_that_the_host_cannot_run_is_named() {
        let package = r#"{"main":"a.js","scripts":{"db:migrate":"tsx --env-file=.env migrate.ts"},"devDependencies":{"tsx":"4"}}"#;
        let project = project(&[("package.json", package), ("package-lock.json", "")]);
        assert!(checks(&project, "the script `db:migrate` starts tsx, a devDependency"));
        assert!(checks(&project, "reads a settings file"));
    }
}
