//! Node.js and Bun, by package.json: framework, build, the file to run. What the host installs is in `node_install`, how the
//! app is started in `node_start`, and sites that a build turns into files in `pages`.

use serde_json::Value;

use super::directory::{Directory, is_skipped, lists};
use super::evidence;
use super::node_install::{Manager, migration};
use super::node_package::Package;
use super::node_start::run;
use super::{About, Project, pages, products, systemd, version};
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
    let serves = serves || foreign(dir, &package).is_some();
    // A container that ends with a web server serves what the build made.
    let web = evidence::web(dir).filter(|found| {
        let program = found.as_ref().ok().and_then(|start| start.words.first());
        !program.is_some_and(|program| evidence::serves_files(program))
    });
    if !serves && package.start().is_none() && web.is_none() {
        let uses = |name: &str| package.depends(name) || package.develops(name);
        let site = pages::built(dir, uses, built.as_deref()).or_else(|| pages::generated(dir));
        if site.is_some() {
            return site;
        }
    }
    version::check(&mut project, "Node.js", package.version(dir));
    // Built locally: the host needs neither the tools nor the memory.
    project.build = built;
    project.prepare = Some(products::lean(dir, manager.lean).into());
    project.exclude = vec!["node_modules/"];
    project.migrate = migration(dir, &package, &mut project);
    project.program = Some(Program::Node);
    framework(dir, &package, &mut project);
    if let Some(because) = systemd::accepts(dir, "js mjs cjs ts mts") {
        project.socket(because);
    }
    manager.checks(dir, &package, &mut project);
    if project.command.is_some() {
        return Some(project);
    }
    let script = package
        .start()
        .map(|(name, line)| evidence::start(line, &format!("the script `{name}`")));
    let procfile = evidence::web(dir).filter(|found| found.as_ref().is_ok_and(|start| start.from == "Procfile"));
    match procfile.or(script).or(web) {
        Some(Ok(start)) => run(&start, dir, &package, &mut project, 0),
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
        members(dir, &mut project);
    }
    unbuilt(dir, &package, &manager, &mut project);
    Some(project)
}

/// The packages of a workspace that serve or build pages, where the workspace itself does neither.
fn members(dir: &Directory, project: &mut Project) {
    if project.command.is_some() {
        return;
    }
    let serves = |text: &str| {
        let package = Package(serde_json::from_str(text).unwrap_or(Value::Null));
        let sites = ["astro", "vite", "@11ty/eleventy", "gatsby", "@docusaurus/core"];
        let uses = SERVERS.split_whitespace().any(|name| package.depends(name))
            || sites.iter().any(|name| package.depends(name) || package.develops(name));
        // A library has neither.
        uses && (package.script("start").is_some() || package.script("build").is_some())
    };
    let found = dir
        .named("package.json")
        .filter_map(|(path, text)| Some((path.strip_suffix("/package.json")?, text)));
    let found = found.filter(|(path, text)| path.matches('/').count() < 3 && serves(text));
    let names: Vec<&str> = found.map(|(path, _)| path).take(8).collect();
    if !names.is_empty() {
        project.check(
            About::Source,
            format!(
                "a workspace with apps in {}: this file must deploy one of them; `shipit init` in its directory proposes the rest",
                names.join(", ")
            ),
        );
    }
}

/// A file to run that does not exist and that no command makes.
fn unbuilt(dir: &Directory, package: &Package, manager: &Manager, project: &mut Project) {
    let command = project.command.as_deref().unwrap_or_default();
    let file = command.strip_prefix("/usr/bin/node {root}/current/");
    let Some(file) = file.and_then(|rest| rest.split(' ').next()).map(str::to_owned) else {
        return;
    };
    let top = file.split('/').next().unwrap_or_default();
    let ends = ["", ".js", ".ts", ".mjs", ".cjs", "/index.js"];
    let exists =
        ends.iter().any(|end| dir.has(&format!("{file}{end}"))) || is_skipped(top) && dir.has(&format!("{top}/"));
    // npm runs it before the script that starts the app.
    let before = package
        .start()
        .map(|(name, _)| format!("pre{name}"))
        .filter(|name| package.script(name).is_some());
    match (&project.build, before) {
        (Some(_), _) if exists || lists("dist build out lib output .output .next public", top) => {}
        (Some(_), _) => project.check(
            About::Command,
            format!("{file} does not exist in this directory: does the build create it here?"),
        ),
        (None, Some(name)) => project.build = Some(format!("{} && {} {name}", manager.all, manager.run)),
        (None, None) if exists => {}
        (None, None) => project.check(
            About::Build,
            format!("{file} does not exist in this directory, and package.json has no script `build`: name the command that makes it"),
        ),
    }
}

/// Adapters that build for the platform of a provider, and the one that builds a program.
const ADAPTERS: [(&str, &str); 9] = [
    ("@sveltejs/adapter-auto", "@sveltejs/adapter-node"),
    ("@sveltejs/adapter-vercel", "@sveltejs/adapter-node"),
    ("@sveltejs/adapter-netlify", "@sveltejs/adapter-node"),
    ("@sveltejs/adapter-cloudflare", "@sveltejs/adapter-node"),
    ("@sveltejs/adapter-cloudflare-workers", "@sveltejs/adapter-node"),
    ("@astrojs/vercel", "@astrojs/node"),
    ("@astrojs/netlify", "@astrojs/node"),
    ("@astrojs/cloudflare", "@astrojs/node"),
    ("@astrojs/deno", "@astrojs/node"),
];

/// The adapter for another platform than a host, and the one to use instead.
fn foreign(dir: &Directory, package: &Package) -> Option<(&'static str, &'static str)> {
    let has = |name: &str| package.depends(name) || package.develops(name);
    let pages_only = || {
        let files = ["astro.config.mjs", "astro.config.ts", "astro.config.js"];
        !files.iter().any(|file| {
            let text = dir.text(file);
            ["server", "hybrid"]
                .iter()
                .any(|word| text.contains(&format!("'{word}'")) || text.contains(&format!("\"{word}\"")))
        })
    };
    let (found, right) = ADAPTERS.into_iter().find(|(name, _)| has(name))?;
    let fits = has(right) || has("@sveltejs/adapter-static") || right == "@astrojs/node" && pages_only();
    (!fits).then_some((found, right))
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
    } else if package
        .version_of("nuxt")
        .is_some_and(|version| !version.starts_with('2'))
    {
        // What Nuxt builds contains the modules that it needs.
        project.source = ".output".into();
        project.prepare = None;
        project.exclude.clear();
        if project.migrate.is_some() {
            project.check(
                About::Migrate,
                "`.output` leaves out command-line tools: ship those that the migration needs, or run it from elsewhere",
            );
        }
        ("Nuxt", "server/index.mjs")
    } else if let Some((adapter, right)) = foreign(dir, package) {
        project.check(
            About::Build,
            format!(
                "{adapter} builds for a platform other than a Linux host: install {right} and name it in the configuration"
            ),
        );
        if right == "@astrojs/node" {
            ("Astro", "dist/server/entry.mjs")
        } else {
            ("SvelteKit", "build/index.js")
        }
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::tests::{checks, project};
    use crate::unit::strategy::Strategy;

    #[test]
    fn a_program_that_reads_what_systemd_passes_needs_a_socket() {
        let package = ("package.json", r#"{"main":"app.js","dependencies":{"express":"4"}}"#);
        let reads = ("systemd.js", "if (process.env.LISTEN_PID === String(process.pid)) {");
        assert_eq!(project(&[package, reads]).strategy, Strategy::Socket);
        assert_eq!(project(&[package]).strategy, Strategy::Restart);
    }

    #[test]
    fn a_build_for_another_platform_is_named() {
        let package = |adapter: &str| {
            format!(
                r#"{{"scripts":{{"build":"vite build"}},"devDependencies":{{"@sveltejs/kit":"2","vite":"6","{adapter}":"1"}}}}"#
            )
        };
        let vercel = project(&[("package.json", &package("@sveltejs/adapter-vercel"))]);
        assert_eq!(vercel.what, "SvelteKit (package.json)");
        assert!(checks(&vercel, "install @sveltejs/adapter-node"));
        for adapter in ["@sveltejs/adapter-node", "@sveltejs/adapter-static"] {
            let fine = project(&[("package.json", &package(adapter))]);
            assert!(!checks(&fine, "another platform"), "{adapter}");
        }
        let astro = r#"{"scripts":{"build":"astro build"},"dependencies":{"astro":"5","@astrojs/netlify":"6"}}"#;
        for (config, warned) in [("output: 'server'", true), ("site: 'x'", false)] {
            let astro = project(&[("package.json", astro), ("astro.config.mjs", config)]);
            assert_eq!(checks(&astro, "install @astrojs/node"), warned, "{config}");
        }
    }

    #[test]
    fn a_web_server_in_a_container_is_no_process_of_node() {
        let package = r#"{"scripts":{"build":"vite build"},"devDependencies":{"vite":"6"}}"#;
        for server in ["nginx\", \"-g\", \"daemon off;", "caddy\", \"run", "/usr/sbin/httpd"] {
            let docker = format!("FROM node\nRUN npm run build\nFROM x\nCMD [\"{server}\"]\n");
            let site = project(&[("package.json", package), ("Dockerfile", &docker)]);
            assert_eq!(
                (site.source.as_str(), site.what.as_str()),
                ("dist", "Vite (package.json)")
            );
        }
        let api = r#"{"main":"api.js","dependencies":{"express":"4"}}"#;
        let init = "FROM x\nENTRYPOINT [\"/init\"]\n";
        let api = project(&[("package.json", api), ("Dockerfile", init)]);
        assert_eq!(api.command.as_deref(), Some("/usr/bin/node {root}/current/api.js"));
        assert!(checks(&api, "starts init, which is not a program of this app"));
        let tini = "FROM x\nENTRYPOINT [\"/sbin/tini\", \"--\"]\nCMD [\"node\", \"b.js\"]\n";
        let tini = project(&[("package.json", package), ("Dockerfile", tini)]);
        assert_eq!(tini.command.as_deref(), Some("/usr/bin/node {root}/current/b.js"));
    }

    #[test]
    fn what_nuxt_builds_is_shipped_alone() {
        let package =
            r#"{"scripts":{"build":"nuxt build","postinstall":"nuxt prepare"},"devDependencies":{"nuxt":"^3.14"}}"#;
        let nuxt = project(&[("package.json", package), ("pnpm-lock.yaml", "")]);
        assert_eq!((nuxt.source.as_str(), nuxt.prepare.as_deref()), (".output", None));
        assert_eq!(
            nuxt.command.as_deref(),
            Some("/usr/bin/node {root}/current/server/index.mjs")
        );
        assert!(!checks(&nuxt, "the host needs pnpm"));
    }

    #[test]
    fn a_file_that_nothing_builds_is_named() {
        let nest = r#"{"scripts":{"prestart:prod":"tsc","start:prod":"node dist/main.js"},"dependencies":{"@nestjs/core":"1"}}"#;
        let nest = project(&[("package.json", nest), ("package-lock.json", "")]);
        assert_eq!(nest.build.as_deref(), Some("npm ci && npm run prestart:prod"));
        let none = r#"{"scripts":{"start":"node dist/main.js"},"dependencies":{"express":"4"}}"#;
        assert!(checks(
            &project(&[("package.json", none)]),
            "dist/main.js does not exist"
        ));
        let built = project(&[("package.json", none), ("dist/", "")]);
        assert!(!checks(&built, "does not exist"));
        let elsewhere = r#"{"scripts":{"start":"node api","build":"x"},"dependencies":{"express":"4"}}"#;
        assert!(checks(
            &project(&[("package.json", elsewhere)]),
            "does the build create it here?"
        ));
    }

    #[test]
    fn the_apps_of_a_workspace_are_named() {
        let workspace = project(&[
            ("package.json", r#"{"scripts":{"build":"turbo run build"}}"#),
            (
                "apps/web/package.json",
                r#"{"scripts":{"build":"next build"},"dependencies":{"next":"15"}}"#,
            ),
            (
                "docs/package.json",
                r#"{"scripts":{"build":"astro build"},"dependencies":{"astro":"5"}}"#,
            ),
            ("packages/lib/package.json", r#"{"devDependencies":{"astro":"5"}}"#),
            ("packages/ui/package.json", r#"{"dependencies":{"react":"19"}}"#),
        ]);
        assert!(
            checks(&workspace, "a workspace with apps in docs, apps/web:"),
            "{workspace:?}"
        );
    }
}
