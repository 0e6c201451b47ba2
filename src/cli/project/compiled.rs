//! Programs that are built locally and shipped as they are: Go, Rust, Elixir releases. Never builds them itself.

use super::{Directory, Project};
use crate::unit::generate::Program;

pub(super) fn detect(dir: &Directory, app: &str) -> Option<Project> {
    if dir.has("go.mod") {
        Some(go(dir, app))
    } else if dir.has("Cargo.toml") {
        Some(rust(dir, app))
    } else if dir.has("mix.exs") {
        Some(elixir(dir))
    } else {
        None
    }
}

fn binary(what: &str) -> Project {
    let mut project = Project::new(what);
    project.source = "build".into();
    project.program = Some(Program::Binary);
    project
}

fn go(dir: &Directory, app: &str) -> Project {
    let mut project = binary("Go (go.mod)");
    // Without cgo the program needs no libraries of the host.
    project.build = Some(if dir.has("main.go") || !dir.has("cmd") {
        format!("CGO_ENABLED=0 go build -o build/{app} .")
    } else {
        project.notes.push(format!(
            "ExecStart= runs {app}: change it if cmd/ has no directory of this name"
        ));
        "mkdir -p build && CGO_ENABLED=0 go build -o build/ ./cmd/...".into()
    });
    if dir.text("go.mod").contains("github.com/coreos/go-systemd") {
        project.socket("go-systemd accepts the socket from systemd");
    }
    project
}

fn rust(dir: &Directory, app: &str) -> Project {
    let mut project = binary("Rust (Cargo.toml)");
    let name = package(dir.text("Cargo.toml"));
    let built = name.unwrap_or(app);
    project.build = Some(format!(
        "cargo build --release --locked && mkdir -p build && cp target/release/{built} build/{app}"
    ));
    if name.is_none() {
        project.notes.push(format!(
            "Cargo.toml has no [package]: change `build` so that it copies the program to build/{app}"
        ));
    }
    if dir.depends(&["Cargo.toml"], "listenfd") {
        project.socket("listenfd accepts the socket from systemd");
    }
    project
}

/// `name` of `[package]`, if it needs no quoting in a command line.
fn package(manifest: &str) -> Option<&str> {
    let section = manifest.split("[package]").nth(1)?;
    let section = section.split("\n[").next()?;
    let name = section.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == "name").then(|| value.trim().trim_matches(['"', '\'']))
    })?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (!name.is_empty() && !name.starts_with('-') && name.chars().all(plain)).then_some(name)
}

fn elixir(dir: &Directory) -> Project {
    let phoenix = dir.depends(&["mix.exs"], "phoenix");
    let mut project = binary(if phoenix {
        "Phoenix (mix.exs)"
    } else {
        "Elixir (mix.exs)"
    });
    let assets = if phoenix { "mix assets.deploy && " } else { "" };
    project.build = Some(format!(
        "export MIX_ENV=prod && mix deps.get --only prod && {assets}mix release --overwrite --path build"
    ));
    let name = application(dir.text("mix.exs")).unwrap_or("app");
    project.command = Some(format!("{{root}}/current/bin/{name} start"));
    if dir.depends(&["mix.exs"], "ecto_sql") {
        let module: String = name
            .split('_')
            .map(|part| part[..1].to_uppercase() + &part[1..])
            .collect();
        project.migrate = Some(format!("{{root}}/next/bin/{name} eval {module}.Release.migrate"));
        project.notes.push(format!(
            "the migration calls {module}.Release.migrate, which `mix phx.gen.release` generates"
        ));
    }
    project
        .notes
        .push("an Elixir release runs only on the distribution it was built on: build on that of the host".into());
    project
}

/// `app: :hello` of mix.exs.
fn application(text: &str) -> Option<&str> {
    let rest = text.split("app: :").nth(1)?;
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))?;
    let name = &rest[..end];
    let sound = name.starts_with(|c: char| c.is_ascii_lowercase()) && name.split('_').all(|part| !part.is_empty());
    sound.then_some(name)
}
