//! Programs that are built here and shipped as they are: Go, Rust, Elixir releases.

use super::{Project, Seen};
use crate::unit::generate::Program;

pub(super) fn recognise(seen: &Seen, app: &str) -> Option<Project> {
    if seen.has("go.mod") {
        Some(go(seen, app))
    } else if seen.has("Cargo.toml") {
        Some(rust(seen, app))
    } else if seen.has("mix.exs") {
        Some(elixir(seen))
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

fn go(seen: &Seen, app: &str) -> Project {
    let mut project = binary("Go (go.mod)");
    // Without cgo it needs nothing of the host's libraries.
    project.build = Some(if seen.has("main.go") || !seen.has("cmd") {
        format!("CGO_ENABLED=0 go build -o build/{app} .")
    } else {
        project.notes.push(format!(
            "if no directory below cmd/ is called {app}, change ExecStart="
        ));
        "mkdir -p build && CGO_ENABLED=0 go build -o build/ ./cmd/...".into()
    });
    if seen.text("go.mod").contains("github.com/coreos/go-systemd") {
        project.socket("go-systemd takes the socket from systemd");
    }
    project
}

fn rust(seen: &Seen, app: &str) -> Project {
    let mut project = binary("Rust (Cargo.toml)");
    let name = package(seen.text("Cargo.toml"));
    let built = name.unwrap_or(app);
    project.build = Some(format!(
        "cargo build --release --locked && mkdir -p build && cp target/release/{built} build/{app}"
    ));
    if name.is_none() {
        project.notes.push(format!(
            "Cargo.toml has no [package]: say in `build` which program becomes build/{app}"
        ));
    }
    if seen.needs(&["Cargo.toml"], "listenfd") {
        project.socket("listenfd takes the socket from systemd");
    }
    project
}

/// The name of the package: `name` of `[package]`, where it can stand in a command line as it is.
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

fn elixir(seen: &Seen) -> Project {
    let phoenix = seen.needs(&["mix.exs"], "phoenix");
    let mut project = binary(if phoenix {
        "Phoenix (mix.exs)"
    } else {
        "Elixir (mix.exs)"
    });
    let assets = if phoenix { "mix assets.deploy && " } else { "" };
    project.build = Some(format!(
        "export MIX_ENV=prod && mix deps.get --only prod && {assets}mix release --overwrite --path build"
    ));
    let name = application(seen.text("mix.exs")).unwrap_or("app");
    project.command = Some(format!("{{root}}/current/bin/{name} start"));
    if seen.needs(&["mix.exs"], "ecto_sql") {
        let module: String = name
            .split('_')
            .map(|part| part[..1].to_uppercase() + &part[1..])
            .collect();
        project.migrate = Some(format!(
            "{{root}}/next/bin/{name} eval {module}.Release.migrate"
        ));
        project.notes.push(format!(
            "the migration calls {module}.Release.migrate: mix phx.gen.release writes it"
        ));
    }
    project.notes.push(
        "a release of Elixir runs on the system it was built for: build on the host's distribution"
            .into(),
    );
    project
}

/// `app: :hello` of mix.exs.
fn application(text: &str) -> Option<&str> {
    let rest = text.split("app: :").nth(1)?;
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))?;
    let name = &rest[..end];
    let sound = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.split('_').all(|part| !part.is_empty());
    sound.then_some(name)
}
