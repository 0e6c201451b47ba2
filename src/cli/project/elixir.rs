//! Elixir releases, by mix.exs: Phoenix, its assets, its settings and its migrations. Never runs mix.

use super::{About, Directory, Project, compiled};

pub(super) fn detect(dir: &Directory) -> Option<Project> {
    if !dir.has("mix.exs") {
        return None;
    }
    let mix = dir.text("mix.exs");
    let phoenix = dir.depends(&["mix.exs"], "phoenix");
    let mut project = compiled::binary(if phoenix {
        "Phoenix (mix.exs)"
    } else {
        "Elixir (mix.exs)"
    });
    let assets = assets(dir, mix, &mut project);
    project.build = Some(format!(
        "export MIX_ENV=prod && mix deps.get --only prod && {assets}mix release --overwrite --path build"
    ));
    let name = application(mix).unwrap_or("app");
    project.command = Some(format!("{{root}}/current/bin/{name} start"));
    let migrations = dir.has("priv/repo/migrations/");
    if dir.depends(&["mix.exs"], "ecto_sql") || migrations {
        let module: String = name
            .split('_')
            .map(|part| part[..1].to_uppercase() + &part[1..])
            .collect();
        project.migrate = Some(format!("{{root}}/next/bin/{name} eval {module}.Release.migrate"));
        if !dir.sources("ex").any(|(path, _)| path.ends_with("/release.ex")) {
            project.check(
                About::Migrate,
                format!("it calls {module}.Release.migrate, which `mix phx.gen.release` generates"),
            );
        }
    }
    settings(dir, phoenix, &mut project);
    if mix.contains("include_erts: false") {
        project.check(
            About::Command,
            "mix.exs has `include_erts: false`: the release contains no Erlang, so the host needs the version that it was built with",
        );
    }
    project.check(
        About::Build,
        "an Elixir release runs only on the distribution it was built on: build on the host's distribution",
    );
    Some(project)
}

/// The aliases that build assets, as the beginning of a command line.
fn assets(dir: &Directory, mix: &str, project: &mut Project) -> String {
    let has =
        |name: &str| mix.contains(&format!("\"assets.{name}\":")) || mix.contains(&format!("\"assets.{name}\" =>"));
    let last = ["deploy", "build"].into_iter().find(|name| has(name));
    let names = has("setup").then_some("setup").into_iter().chain(last);
    let line: String = names.map(|name| format!("mix assets.{name} && ")).collect();
    if line.is_empty() && dir.has("assets/package.json") {
        project.check(
            About::Build,
            "assets/ has a package.json, and mix.exs has no alias `assets.deploy`: must it be built first, and `mix phx.digest` run?",
        );
    }
    line
}

/// What the release reads when it starts, or what was read when it was built.
fn settings(dir: &Directory, phoenix: bool, project: &mut Project) {
    const ALL: [&str; 3] = ["PHX_SERVER", "PHX_HOST", "SECRET_KEY_BASE"];
    let starts = ["config/runtime.exs", "config/releases.exs"];
    if let Some(file) = dir.first(&starts) {
        let text = dir.text(file);
        let names = ALL.into_iter().filter(|name| phoenix && text.contains(name));
        let names = names.map(|name| if name == "PHX_SERVER" { "PHX_SERVER=true" } else { name });
        let names: Vec<&str> = names.collect();
        if !names.is_empty() {
            project.check(
                About::Unit,
                format!(
                    "Phoenix needs {} in its environment file: `shipit env set`",
                    names.join(", ")
                ),
            );
        }
        return;
    }
    let mut read: Vec<&str> = Vec::new();
    for file in ["config/config.exs", "config/prod.exs"] {
        let lines = dir
            .text(file)
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'));
        let lines = lines.filter(|line| line.contains("System.") && line.contains("env"));
        for name in lines.flat_map(|line| line.split('"').skip(1).step_by(2)) {
            let legal = name
                .chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
            if legal && name.starts_with(|c: char| c.is_ascii_uppercase()) && !read.contains(&name) {
                read.push(name);
            }
        }
    }
    if read.is_empty() {
        if phoenix && !dir.has("config/prod.exs") {
            project.check(
                About::Unit,
                "there is no config/runtime.exs: where does the app get SECRET_KEY_BASE from, and does its server start in a release?",
            );
        }
        return;
    }
    project.check(
        About::Build,
        format!(
            "there is no config/runtime.exs: {} are read when the release is built, and are part of it; move them to config/runtime.exs, or set them where `build` runs",
            read.join(", ")
        ),
    );
}

/// `app: :hello` of mix.exs.
fn application(text: &str) -> Option<&str> {
    let rest = text.split("app: :").nth(1)?;
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))?;
    let name = &rest[..end];
    let sound = name.starts_with(|c: char| c.is_ascii_lowercase()) && name.split('_').all(|part| !part.is_empty());
    sound.then_some(name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::tests::{checks, project};

    const MIX: &str = "app: :shop,\n{:phoenix, \"1\"}";

    #[test]
    fn a_release_needs_the_settings_that_it_reads() {
        let with = |files: &[(&str, &str)]| project(&[&[("mix.exs", MIX)], files].concat());
        let usual = with(&[(
            "config/runtime.exs",
            "System.get_env(\"PHX_SERVER\") \"PHX_HOST\" \"SECRET_KEY_BASE\"",
        )]);
        assert!(checks(&usual, "needs PHX_SERVER=true, PHX_HOST, SECRET_KEY_BASE in"));
        let own = with(&[("config/runtime.exs", "Shop.config_runtime()")]);
        assert!(!checks(&own, "PHX_"), "{own:?}");
        let old = with(&[(
            "config/prod.exs",
            "key: Map.fetch!(System.get_env(), \"KEY\")\nurl: System.get_env(\"URL\")",
        )]);
        assert!(
            checks(
                &old,
                "no config/runtime.exs: KEY, URL are read when the release is built"
            ),
            "{old:?}"
        );
    }

    #[test]
    fn assets_and_migrations_are_those_of_the_project() {
        let mix = |aliases: &str| format!("{MIX}\n{aliases}\ninclude_erts: false");
        for (aliases, line) in [
            ("\"assets.deploy\": [\"x\"]", "&& mix assets.deploy && mix release"),
            (
                "\"assets.setup\": [],\n\"assets.build\": []",
                "prod && mix assets.setup && mix assets.build && mix release",
            ),
            ("", "--only prod && mix release"),
        ] {
            let text = mix(aliases);
            let app = project(&[
                ("mix.exs", &text),
                ("priv/repo/migrations/", ""),
                ("assets/package.json", "{}"),
            ]);
            assert!(app.build.as_deref().unwrap().contains(line), "{app:?}");
            assert_eq!(
                app.migrate.as_deref(),
                Some("{root}/next/bin/shop eval Shop.Release.migrate")
            );
            assert_eq!(checks(&app, "no alias `assets.deploy`"), aliases.is_empty());
            assert!(checks(&app, "the release contains no Erlang"));
        }
    }
}
