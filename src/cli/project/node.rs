//! Node.js and Bun, by package.json: package manager, build, the file to run. Never runs a package manager. Sites that
//! a
//! build turns into files are in `pages`.

use serde_json::Value;

use super::directory::{Directory, lists};
use super::evidence::{self, Start};
use super::{About, Project, pages, products, version};
use crate::unit::generate::Program;

/// Packages that serve requests.
const SERVERS: &str = "express fastify koa @hapi/hapi hapi @nestjs/core next nuxt @remix-run/serve @remix-run/node @react-router/serve \
    @sveltejs/adapter-node @astrojs/node hono @hono/node-server polka restify @feathersjs/feathers @adonisjs/core strapi @strapi/strapi \
    socket.io ws apollo-server @apollo/server graphql-yoga sails keystone @keystone-6/core payload @trpc/server json-server moleculer";

pub(super) fn detect(dir: &Directory) -> Option<Project> {
    if !dir.has("package.json") {
        return None;
    }
    let mut project = Project::new("Node.js (package.json)");
    let package = Package::read(dir, &mut project);
    let manager = Manager::of(dir, &package);
    let serves = SERVERS.split_whitespace().any(|name| package.depends(name));
    let built = package
        .script("build")
        .map(|_| format!("{} && {} build", manager.all, manager.run));
    if !serves && package.start().is_none() && evidence::web(dir).is_none() {
        let uses = |name: &str| package.depends(name) || package.develops(name);
        let site = pages::built(dir, uses, built.as_deref()).or_else(|| pages::generated(dir));
        if site.is_some() {
            return site;
        }
    }
    if dir.first(LOCKS).is_none() {
        project.check(
            About::Prepare,
            "no lock file found: `npm install` creates package-lock.json, which `npm ci` needs",
        );
    } else if !lists("npm yarn", manager.name) {
        project.check(
            About::Prepare,
            format!("the host needs {}, on the PATH of the deploy user", manager.name),
        );
    }
    version::check(&mut project, "Node.js", package.version(dir));
    // Built locally: the host needs neither the tools nor the memory.
    project.build = built;
    project.prepare = Some(products::lean(dir, manager.lean).into());
    project.exclude = vec!["node_modules/"];
    project.migrate = migration(dir, &package, &mut project);
    project.program = Some(Program::Node);
    framework(dir, &package, &mut project);
    if project.command.is_some() {
        return Some(project);
    }
    let script = package
        .start()
        .map(|(name, line)| evidence::start(line, &format!("the script `{name}`")));
    let procfile = evidence::web(dir).filter(|found| found.as_ref().is_ok_and(|start| start.from == "Procfile"));
    match procfile.or(script).or_else(|| evidence::web(dir)) {
        Some(Ok(start)) => run(&start, &package, &mut project, 0),
        Some(Err(why)) => project.check(About::Command, why),
        None => {}
    }
    if project.command.is_none() {
        match package.main_file(dir) {
            Some(file) => project.command = Some(format!("/usr/bin/node {{root}}/current/{file}")),
            None if !dir.has("server.js") => {
                project.check(About::Command, "cannot detect which file to run; assuming server.js");
            }
            None => {}
        }
    }
    Some(project)
}

/// The command line that installs everything and runs the script `build`.
pub(super) fn build(dir: &Directory) -> String {
    let manager = Manager::of(dir, &Package(Value::Null));
    format!("{} && {} build", manager.all, manager.run)
}

/// Frameworks that say themselves what their build starts with.
fn framework(dir: &Directory, package: &Package, project: &mut Project) {
    let config = |names: &[&str], word: &str| names.iter().any(|name| dir.text(name).contains(word));
    let (what, file) = if package.depends("next") {
        project.what = "Next.js (package.json)".into();
        project.exclude.push("/.next/cache/");
        if !config(&["next.config.js", "next.config.mjs", "next.config.ts"], "standalone") {
            let next = "/usr/bin/node {root}/current/node_modules/next/dist/bin/next start";
            project.command = Some(format!("{next} -p {}", project.port));
            return;
        }
        // What `output: standalone` builds contains the modules that it needs, but not the static files.
        let copy =
            "cp -R .next/static .next/standalone/.next/ && if [ -d public ]; then cp -R public .next/standalone/; fi";
        Project::append(&mut project.build, copy);
        project.source = ".next/standalone".into();
        project.prepare = None;
        project.exclude.clear();
        project.command = Some("/usr/bin/node {root}/current/server.js".into());
        if project.migrate.is_some() {
            project.check(
                About::Migrate,
                "`output: standalone` leaves out command-line tools: does node_modules still contain the ones that the migration needs?",
            );
        }
        return;
    } else if package.depends("nuxt") || package.develops("nuxt") {
        ("Nuxt", ".output/server/index.mjs")
    } else if package.depends("@sveltejs/adapter-node") || package.develops("@sveltejs/adapter-node") {
        ("SvelteKit", "build/index.js")
    } else if package.depends("@astrojs/node") {
        ("Astro", "dist/server/entry.mjs")
    } else if package.depends("@nestjs/core") && package.script("start:prod").is_none() {
        ("NestJS", "dist/main.js")
    } else {
        return;
    };
    project.what = format!("{what} (package.json)");
    project.command = Some(format!("/usr/bin/node {{root}}/current/{file}"));
}

struct Package(Value);

impl Package {
    fn read(dir: &Directory, project: &mut Project) -> Self {
        Self(serde_json::from_str(dir.text("package.json")).unwrap_or_else(|_| {
            project.check(About::Command, "package.json is not valid JSON and was ignored");
            Value::Null
        }))
    }

    fn script(&self, name: &str) -> Option<&str> {
        self.0["scripts"][name].as_str().filter(|line| !line.trim().is_empty())
    }

    /// The script that starts the app: the one for production, if there is one.
    fn start(&self) -> Option<(&'static str, &str)> {
        const NAMES: [&str; 7] = [
            "start:prod",
            "start:production",
            "prod",
            "production",
            "serve:prod",
            "start",
            "serve",
        ];
        NAMES
            .into_iter()
            .find_map(|name| Some((name, self.script(name)?)))
            .filter(|(_, line)| !is_for_development(line))
    }

    fn depends(&self, name: &str) -> bool {
        self.0["dependencies"][name].is_string()
    }

    fn develops(&self, name: &str) -> bool {
        self.0["devDependencies"][name].is_string()
    }

    fn version(&self, dir: &Directory) -> Option<(String, String)> {
        let files = version::of_files(dir, &[".nvmrc", ".node-version"], "nodejs");
        files.or_else(|| {
            Some((
                evidence::json(&self.0, "/engines/node")?.to_owned(),
                "package.json".into(),
            ))
        })
    }

    /// The file that `main` names, if it needs no quoting in a unit.
    fn main_file(&self, dir: &Directory) -> Option<&str> {
        let main = self.0["main"].as_str().filter(|_| !dir.has("server.js"));
        main.map(|file| file.trim_start_matches("./"))
            .filter(|file| is_plain(file))
    }
}

/// Development servers, and tools that serve what a build made.
fn is_for_development(line: &str) -> bool {
    let first = line
        .split_whitespace()
        .find(|word| !word.contains('=') && !lists("cross-env npx", word))
        .unwrap_or_default();
    lists(
        "vite react-scripts ng vue-cli-service gatsby webpack webpack-dev-server parcel nodemon eleventy docusaurus vuepress \
        vitepress hexo serve http-server live-server concurrently expo electron gulp grunt",
        first,
    ) || line.contains("@11ty/eleventy")
        || first == "astro"
        || line.contains("--watch")
}

/// Takes over a command line; scripts that call scripts are followed.
fn run(start: &Start, package: &Package, project: &mut Project, depth: usize) {
    let words = evidence::with_port(&start.words, project.port);
    let (program, rest) = words
        .split_first()
        .map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    let program = program.rsplit('/').next().unwrap_or(program);
    let script = match (program, rest) {
        ("npm" | "yarn" | "pnpm" | "bun", [run, name, ..]) if run == "run" => Some(name.as_str()),
        ("npm" | "yarn" | "pnpm" | "bun", [name, ..]) if package.script(name).is_some() => Some(name.as_str()),
        _ => None,
    };
    for command in &start.before {
        project.check(
            About::Migrate,
            format!("{} also runs `{command}` before it starts the app", start.from),
        );
    }
    if let Some(name) = script {
        match package
            .script(name)
            .map(|line| evidence::start(line, &format!("the script `{name}`")))
        {
            Some(Ok(inner)) if depth < 5 => run(&inner, package, project, depth + 1),
            Some(Err(why)) => project.check(About::Command, why),
            _ => project.check(
                About::Command,
                format!("{} calls `{name}`, which package.json does not define", start.from),
            ),
        }
        return;
    }
    let rest = if lists("npx bunx", program) || program == "node" {
        rest
    } else {
        &words
    };
    let local = |word: &String| {
        let file = word.trim_start_matches("./");
        let file = file
            .strip_prefix("/app/")
            .or_else(|| file.strip_prefix("/usr/src/app/"))
            .unwrap_or(file);
        if is_plain(file) {
            format!("{{root}}/current/{file}")
        } else {
            word.clone()
        }
    };
    if program == "node" {
        // The file is the first word that is no option, nor the value of one.
        let takes = |word: &str| lists("-r --require --import --loader --experimental-loader", word);
        let at = (0..rest.len()).find(|at| !rest[*at].starts_with('-') && (*at == 0 || !takes(&rest[at - 1])));
        let Some(at) = at else {
            return project.check(About::Command, format!("{} starts node without a file", start.from));
        };
        let mut words = rest.to_vec();
        words[at] = local(&rest[at]);
        project.command = Some(format!("/usr/bin/node {}", evidence::line(&words)));
        return;
    }
    if program == "bun" {
        let words: Vec<String> = words[1..].iter().skip_while(|word| *word == "run").map(local).collect();
        project.command = Some(format!("/usr/local/bin/bun {}", evidence::line(&words)));
        project.check(About::Command, "bun is expected in /usr/local/bin");
        return;
    }
    let Some((tool, rest)) = rest.split_first() else { return };
    if lists("sh bash", program) || tool.ends_with(".sh") || !is_plain(tool) {
        return project.check(
            About::Command,
            format!("{} starts {tool}: look there to see how the app is started", start.from),
        );
    }
    let words = [format!("{{root}}/current/node_modules/.bin/{tool}")]
        .into_iter()
        .chain(rest.iter().cloned());
    project.command = Some(evidence::line(&words.collect::<Vec<_>>()));
    let lean = package.develops(tool) && !package.depends(tool);
    let why = if lean {
        "a devDependency, which is not installed on the host"
    } else {
        "a tool from node_modules"
    };
    project.check(About::Command, format!("{} starts {tool}, {why}", start.from));
}

const LOCKS: &[&str] = &[
    "pnpm-lock.yaml",
    "yarn.lock",
    "bun.lock",
    "bun.lockb",
    "package-lock.json",
    "npm-shrinkwrap.json",
];

/// The command lines of a package manager.
struct Manager {
    name: &'static str,
    /// Installs everything.
    all: &'static str,
    /// Installs what the app needs to run.
    lean: &'static str,
    /// Runs a script of package.json.
    run: &'static str,
}

impl Manager {
    /// By the lock file, or by the key `packageManager`.
    fn of(dir: &Directory, package: &Package) -> Self {
        let manager = |name, all, lean, run| Self { name, all, lean, run };
        let wanted = package.0["packageManager"]
            .as_str()
            .and_then(|text| text.split('@').next());
        match dir.first(LOCKS).or(wanted) {
            Some("pnpm-lock.yaml" | "pnpm") => manager(
                "pnpm",
                "pnpm install --frozen-lockfile",
                "pnpm install --frozen-lockfile --prod",
                "pnpm run",
            ),
            Some("bun.lock" | "bun.lockb" | "bun") => manager(
                "bun",
                "bun install --frozen-lockfile",
                "bun install --frozen-lockfile --production",
                "bun run",
            ),
            Some("yarn.lock" | "yarn") if dir.has(".yarnrc.yml") => manager(
                "yarn (with corepack)",
                "yarn install --immutable",
                "yarn workspaces focus --production",
                "yarn run",
            ),
            Some("yarn.lock" | "yarn") => manager(
                "yarn",
                "yarn install --frozen-lockfile",
                "yarn install --frozen-lockfile --production",
                "yarn run",
            ),
            _ => manager("npm", "npm ci", "npm ci --omit=dev", "npm run"),
        }
    }
}

/// The command that migrates the database.
fn migration(dir: &Directory, package: &Package, project: &mut Project) -> Option<String> {
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
    [
        "db:migrate",
        "migrate",
        "migration:run",
        "migrate:latest",
        "migrate:deploy",
        "db:migrate:prod",
    ]
    .into_iter()
    .find(|name| package.script(name).is_some())
    .map(|name| format!("/usr/bin/npm --prefix {{root}}/next run {name}"))
}

/// A path that needs no quoting in a unit.
fn is_plain(file: &str) -> bool {
    !file.is_empty()
        && !file.starts_with(['/', '-'])
        && file.split('/').all(|part| part != "..")
        && file.chars().all(|c| c.is_ascii_alphanumeric() || "/._-@".contains(c))
}
