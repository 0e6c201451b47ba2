//! Go, by go.mod: which package is the program, and what it reads while it runs. Never builds it.

use super::go_build::{Recipe, recipe};
use super::{About, Directory, Project, compiled, pages, systemd};

/// Names of programs that serve, where a repository has several.
const SERVERS: [&str; 8] = ["server", "api", "web", "app", "httpd", "http", "serve", "backend"];

pub(super) fn detect(dir: &Directory, app: &str) -> Option<Project> {
    // A site of Hugo has a go.mod for its themes, and no program.
    if !dir.has("go.mod") || dir.sources("go").next().is_none() && pages::generated(dir).is_some() {
        return None;
    }
    let mut project = compiled::binary("Go (go.mod)");
    let recipe = recipe(dir);
    let package = package(dir, app, &recipe, &mut project);
    let native = dir.text("go.mod").contains("github.com/mattn/go-sqlite3 ")
        || dir.sources("go").any(|(_, text)| text.contains("import \"C\""));
    let native = native || recipe.cgo == Some(true);
    // Without cgo the program needs no libraries of the host.
    let cgo = if native { 1 } else { 0 };
    let tags = match (&recipe.tags, &recipe.unknown) {
        (Some((tags, from)), _) => {
            // Without cgo no tag needs a library.
            if recipe.cgo != Some(false) {
                let why = format!(
                    "`-tags {tags}` comes from {from}: does the app need each tag, and does the host have the libraries for it?"
                );
                project.check(About::Build, why);
            }
            format!(" -tags {tags}")
        }
        (None, Some((value, from))) => {
            let why =
                format!("{from} builds with `-tags {value}`, which only its script sets: add the tags to `go build`");
            project.check(About::Build, why);
            String::new()
        }
        (None, None) => String::new(),
    };
    project.build = Some(format!("CGO_ENABLED={cgo} go build{tags} -o build/{app} {package}"));
    if native {
        project.check(
            About::Build,
            "contains C code: build it on the host's distribution, or against an older glibc",
        );
    }
    if dir.text("go.mod").contains("github.com/coreos/go-systemd")
        && dir.sources("go").any(|(_, text)| text.contains("activation."))
    {
        project.socket("go-systemd accepts the socket from systemd");
    } else if let Some(because) = systemd::accepts(dir, "go") {
        project.socket(because);
    }
    let embedded: Vec<&str> = dir
        .sources("go")
        .flat_map(|(_, text)| text.lines().filter_map(|line| line.trim().strip_prefix("//go:embed ")))
        .flat_map(str::split_whitespace)
        .collect();
    // A package in the directory embeds what is beside it.
    let beside = |name: &str| {
        let of = format!("{name}/");
        dir.sources("go")
            .any(|(path, text)| path.starts_with(&of) && text.contains("//go:embed "))
    };
    // Only what the source names is read: `http.Dir("static")`, `template.ParseGlob("templates/*")`.
    let unread = |name: &str| {
        let names = |text: &str| {
            ["\"", "\"./", "`"]
                .iter()
                .any(|quote| compiled::names_path(text, &format!("{quote}{name}")))
                || text.contains(&format!("file://{name}"))
        };
        embedded
            .iter()
            .any(|pattern| pattern.trim_start_matches("all:").starts_with(name))
            || beside(name)
            || !dir.sources("go").any(|(_, text)| names(text))
    };
    compiled::data(dir, unread, &mut project);
    compiled::arguments(dir, app, subcommand(dir), &mut project);
    Some(project)
}

/// The package with the program: the one that others build, the one of this directory, or one below cmd/.
fn package(dir: &Directory, app: &str, recipe: &Recipe, project: &mut Project) -> String {
    // A generator is left out of the build; the files of a package of tools have no function `main`.
    let is_main = |path: &str, text: &str| {
        let named = |line: &str| line.split("//").next().unwrap_or_default().trim() == "package main";
        let ignored = |line: &str| line.starts_with("//go:build ignore") || line.starts_with("// +build ignore");
        text.lines().any(named)
            && !text.lines().any(ignored)
            && (text.contains("func main(") || path.rsplit('/').next() == Some("main.go"))
    };
    let mut found: Vec<&str> = dir
        .sources("go")
        .filter(|(path, text)| is_main(path, text) && !path.ends_with("_test.go"))
        .map(|(path, _)| path.rsplit_once('/').map_or("", |(directory, _)| directory))
        .collect();
    found.dedup();
    // Generators and tools are no programs of the app.
    let tool = |path: &str| {
        path.split('/')
            .any(|part| ["tools", "tool", "scripts", "hack", "internal", "gen", "script"].contains(&part))
    };
    let plain = |path: &str| path.chars().all(|c| c.is_ascii_alphanumeric() || "/-_.".contains(c));
    let apps: Vec<&str> = found
        .iter()
        .copied()
        .filter(|path| !tool(path) && plain(path))
        .collect();
    let package = |path: &str| {
        if path.is_empty() {
            ".".to_owned()
        } else {
            format!("./{path}")
        }
    };
    let last = |path: &&&str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let is_own = |path: &&&str| last(path) == app || last(path) == project_name(dir);
    let built = apps
        .iter()
        .filter(|path| recipe.packages.iter().any(|built| built == *path));
    let built: Vec<&&str> = built.collect();
    if let Some(path) = built.iter().find(|path| is_own(path)).or(built.first()) {
        return package(path);
    }
    if apps.contains(&"") || dir.has("main.go") {
        return ".".into();
    }
    let named = apps.iter().find(is_own);
    let named = named.or_else(|| {
        SERVERS
            .iter()
            .find_map(|name| apps.iter().find(|path| last(path) == *name))
    });
    match (apps.as_slice(), named) {
        ([], _) => {
            project.check(About::Build, "no `package main` found: specify the program's package");
            ".".into()
        }
        ([one], _) => package(one),
        (several, named) => {
            let path = named.unwrap_or(&several[0]);
            let names: Vec<&str> = several.to_vec();
            project.check(
                About::Build,
                format!("several programs ({}): {path} is assumed", names.join(", ")),
            );
            package(path)
        }
    }
}

/// The last part of the module's path, without a version: `shop` of `example.com/shop/v2`.
fn project_name(dir: &Directory) -> String {
    let module = dir.text("go.mod").lines().find_map(|line| line.strip_prefix("module "));
    let parts = module.unwrap_or_default().trim().rsplit('/');
    let version = |part: &str| part.starts_with('v') && part[1..].chars().all(|c| c.is_ascii_digit());
    parts
        .into_iter()
        .find(|part| !version(part))
        .unwrap_or_default()
        .to_owned()
}

/// The subcommand that serves, of a program built with cobra or urfave/cli.
fn subcommand(dir: &Directory) -> Option<&'static str> {
    if ![
        "github.com/spf13/cobra",
        "github.com/urfave/cli",
        "github.com/alecthomas/kong",
    ]
    .iter()
    .any(|name| dir.text("go.mod").contains(name))
    {
        return None;
    }
    ["serve", "server", "start", "run", "web"].into_iter().find(|name| {
        dir.sources("go").any(|(_, text)| {
            text.lines().map(str::trim_start).any(|line| {
                let named = line.starts_with("Use:") || line.starts_with("Name:");
                let value = line.split('"').nth(1).and_then(|text| text.split(' ').next());
                named && value == Some(name)
            })
        })
    })
}
