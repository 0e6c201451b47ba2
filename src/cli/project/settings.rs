//! Settings that the app reads from its environment: a template, app.json, the compose file, the Dockerfile, a unit file, or
//! source that fails without one. Every answer is a question to the user.

use serde_json::Value;

use super::directory::{Directory, lists};
use super::{About, Check, Project, container, evidence, kinds};

/// What the unit sets, and what every system has.
const OWN: &str =
    "PORT NODE_ENV RAILS_ENV RACK_ENV MIX_ENV HOME PATH USER HOST HOSTNAME LANG LANGUAGE TZ SHELL TERM PWD";
/// Variables of the image and of its tools, by their beginning.
const TOOLS: [&str; 29] = [
    "PYTHON",
    "PIP_",
    "POETRY_",
    "UV_",
    "VIRTUAL_ENV",
    "LC_",
    "DEBIAN_",
    "NEXT_TELEMETRY",
    "NODE_OPTIONS",
    "NODE_PATH",
    "NPM_",
    "YARN_",
    "PNPM_",
    "COREPACK",
    "JAVA_HOME",
    "GOPATH",
    "GOROOT",
    "S6_",
    "LD_",
    "MALLOC_",
    "BUNDLE",
    "GEM_",
    "SUPERCRONIC",
    "ERL_",
    "RUST_BACKTRACE",
    "CARGO_",
    "COMPOSER_",
    "FLASK_APP",
    "PNGX_CONTAINERIZED",
];
const FILES: [&str; 11] = [
    ".env.example",
    ".env.sample",
    ".env.template",
    ".env.dist",
    ".env_sample",
    ".example.env",
    "env.example",
    "example.env",
    "sample.env",
    ".env.local.example",
    ".env.production.example",
];

/// A file, and the names of variables that it has.
type Names = (String, Vec<String>);

fn is_variable(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(legal)
}

/// `A, B, C, D, …`
pub(super) fn some<T: AsRef<str>>(names: &[T]) -> String {
    let first: Vec<&str> = names.iter().take(4).map(AsRef::as_ref).collect();
    let more = if names.len() > 4 { ", …" } else { "" };
    format!("{}{more}", first.join(", "))
}

pub(super) fn checks(dir: &Directory, project: &mut Project) {
    if !project.shared_files.is_empty() || !project.public.is_empty() {
        return;
    }
    let mut known: Vec<String> = Vec::new();
    let named = templates(dir).or_else(|| both(provider(dir), compose(dir)));
    if let Some((file, names)) = named {
        let why = if file.contains(".env") || file.contains("env.") {
            ", because `.env` is not shipped"
        } else {
            ""
        };
        let verb = if file.contains(" and ") { "name" } else { "names" };
        project.check(
            About::Unit,
            format!(
                "{file} {verb} the app's settings ({}): set those that it needs with `shipit env set`{why}",
                some(&names)
            ),
        );
        known.extend(names);
    }
    if let Some((file, names)) = unit(dir) {
        project.check(
            About::Unit,
            format!("{file} has the app's settings in {names}: set those that it needs with `shipit env set`"),
        );
    }
    let asked = |name: &str, project: &Project| {
        let by_unit = |check: &&Check| check.about == About::Unit;
        project
            .checks
            .iter()
            .filter(by_unit)
            .any(|check| check.why.contains(name))
    };
    let required: Vec<(String, String)> = required(dir, kinds(project));
    let required: Vec<_> = required
        .into_iter()
        .filter(|(name, _)| !known.contains(name) && !asked(name, project))
        .collect();
    if let Some((_, file)) = required.first() {
        let names: Vec<&str> = required.iter().map(|(name, _)| name.as_str()).collect();
        project.check(
            About::Unit,
            format!(
                "the source fails without {} ({file}): set them with `shipit env set`",
                some(&names)
            ),
        );
        known.extend(names.into_iter().map(str::to_owned));
    }
    let image: Vec<String> = container::variables(dir)
        .into_iter()
        .filter(|(name, value)| is_variable(name) && !lists(OWN, name) && !value.contains('$') && !known.contains(name))
        .filter(|(name, _)| !TOOLS.iter().any(|tool| name.starts_with(tool)) && !name.ends_with("_VERSION"))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if !image.is_empty() {
        let file = container::dockerfile(dir).unwrap_or_default();
        project.check(
            About::Unit,
            format!(
                "{file} sets {}: set those that the app needs with `shipit env set`",
                some(&image)
            ),
        );
    }
}

/// The variables of `.env.example`: `.env` is never shipped.
fn templates(dir: &Directory) -> Option<Names> {
    let file = dir.first(&FILES)?;
    let names = dir.text(file).lines().filter_map(|line| {
        let name = line.trim().trim_start_matches("export ").split_once('=')?.0.trim_end();
        is_variable(name).then_some(name)
    });
    found(file, names)
}

/// The names of both, each once.
fn both(one: Option<Names>, other: Option<Names>) -> Option<Names> {
    let (Some((file, mut names)), Some((second, more))) = (one.clone(), other.clone()) else {
        return one.or(other);
    };
    names.extend(more);
    let mut seen: Vec<String> = Vec::new();
    names.retain(|name| {
        let new = !seen.contains(name);
        seen.push(name.clone());
        new
    });
    Some((format!("{file} and {second}"), names))
}

/// `env` of app.json, without what is optional.
fn provider(dir: &Directory) -> Option<Names> {
    let value: Value = serde_json::from_str(dir.text("app.json")).ok()?;
    let env = value["env"].as_object()?;
    let names = env.iter().filter(|(_, entry)| entry["required"] != Value::Bool(false));
    found("app.json", names.map(|(name, _)| name.as_str()))
}

/// `environment` of the app's own service.
fn compose(dir: &Directory) -> Option<Names> {
    let (file, services) = container::services(dir)?;
    found(file, container::own(&services)?.variables.iter().map(String::as_str))
}

fn found<'a>(file: &str, names: impl Iterator<Item = &'a str>) -> Option<Names> {
    let own = if file.contains("env.") || file.contains(".env") {
        "PORT NODE_ENV"
    } else {
        OWN
    };
    let names = names.filter(|name| is_variable(name) && !lists(own, name));
    let names: Vec<String> = names.map(str::to_owned).collect();
    (!names.is_empty()).then(|| (file.to_owned(), names))
}

/// `Environment=` and `EnvironmentFile=` of the only unit file of the repository that is a service that stays.
fn unit(dir: &Directory) -> Option<(String, String)> {
    let (path, text) = evidence::only_unit(dir)?;
    let of = |key: &'static str| text.lines().filter_map(move |line| line.trim().strip_prefix(key));
    let file = of("EnvironmentFile=").map(|file| file.trim_start_matches('-').to_owned());
    let names: Vec<String> = of("Environment=")
        .map(|pair| pair.trim_matches(['"', '\'']).to_owned())
        .filter(|pair| !lists(OWN, pair.split('=').next().unwrap_or_default()))
        .chain(file)
        .collect();
    (!names.is_empty()).then(|| (path.to_owned(), some(&names)))
}

/// Variables that the source reads without a default, and the file.
pub(super) fn required(dir: &Directory, kinds: &str) -> Vec<(String, String)> {
    // Not part of the app that serves.
    const ELSEWHERE: [&str; 16] = [
        "scripts/",
        "script/",
        "bin/",
        "tasks/",
        "seeds",
        "spec/",
        "development.rb",
        "test.rb",
        "deploy",
        "dev.exs",
        "config/config.exs",
        "prod.exs",
        "test.exs",
        "docker/",
        "tools/",
        "alembic/",
    ];
    let mut all: Vec<(String, String)> = Vec::new();
    // In Rails what every start reads is in config/; an Elixir release reads one file of it.
    let only_config = dir.has("config/") && (lists(kinds, "rb") || lists(kinds, "exs"));
    for (path, text) in dir.sources(kinds) {
        if ELSEWHERE.iter().any(|part| path.contains(part)) || only_config && !path.starts_with("config/") {
            continue;
        }
        // Tests of Rust stand below the code.
        let lines = text
            .lines()
            .map(str::trim)
            .take_while(|line| !line.starts_with("#[cfg(test)]"));
        for line in lines.filter(|line| !line.starts_with('#') && !line.starts_with("//")) {
            if let Some(name) = needed(line)
                && !lists(OWN, name)
                && !all.iter().any(|(known, _)| known == name)
                // Where it stands twice, the first asks whether it is set.
                && text.matches(name).count() == 1
            {
                all.push((name.to_owned(), path.to_owned()));
            }
        }
    }
    all
}

/// The variable without which this line fails.
fn needed(line: &str) -> Option<&str> {
    const READS: [(&str, &[&str]); 6] = [
        // What follows the name: `)` and no block, an index that is not set, an error that nobody handles.
        ("ENV.fetch(", &[")"]),
        ("os.environ[", &["]"]),
        ("System.fetch_env!(", &[")"]),
        ("Map.fetch!(System.get_env(), ", &[")"]),
        ("env::var(", &[").expect(", ").unwrap()"]),
        ("System.get_env(", &[") || raise"]),
    ];
    READS.iter().find_map(|(call, ends)| {
        let rest = line.split_once(call)?.1;
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (name, rest) = rest[1..].split_once(quote)?;
        let rest = rest.trim_start();
        let fails = ends.iter().any(|end| rest.starts_with(end));
        // A default, or a value that is set here.
        let after = rest.trim_start_matches([')', ']']).trim_start();
        let handled = after.starts_with(['{', '=']) && !after.starts_with("==") || after.starts_with("do");
        (fails && !handled && is_variable(name)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{checks, project};

    const PACKAGE: (&str, &str) = ("package.json", r#"{"main":"a.js","dependencies":{"express":"4"}}"#);

    #[test]
    fn the_settings_of_an_example_are_to_be_set_on_the_host() {
        let text = "# comment\nPORT=3000\nDATABASE_URL=postgres://x\n# OLD=1\nexport KEY=\n";
        for file in [".env.example", ".example.env"] {
            let node = project(&[PACKAGE, (file, text)]);
            let named = format!("{file} names the app's settings (DATABASE_URL, KEY)");
            assert!(checks(&node, &named), "{node:?}");
        }
        let port = project(&[PACKAGE, (".env.example", "PORT=1")]);
        assert!(!checks(&port, "shipit env set"));
    }

    #[test]
    fn settings_are_named_by_what_others_set() {
        let compose = "services:\n  app:\n    image: shop/shop\n    environment:\n      DATABASE_URL: x\n      - PORT=1\n  db:\n    image: postgres\n    environment:\n      POSTGRES_PASSWORD: x\n";
        let json = r#"{"env":{"SECRET":{"generator":"secret"},"EXTRA":{"required":false}}}"#;
        let docker = "FROM a\nENV BUILD=1\nFROM b\nENV NODE_ENV=production\nENV APP_ENVIRONMENT production\nENV PYTHONUNBUFFERED=1 A_VERSION=2\n";
        let unit = "[Service]\nExecStart=/usr/bin/shop\nEnvironmentFile=-/etc/shop.conf\nEnvironment=MODE=live\n";
        for (file, text, named) in [
            (
                "compose.yaml",
                compose,
                "compose.yaml names the app's settings (DATABASE_URL):",
            ),
            ("app.json", json, "app.json names the app's settings (SECRET):"),
            ("Dockerfile", docker, "Dockerfile sets APP_ENVIRONMENT=production: set"),
            (
                "contrib/shop.service",
                unit,
                "contrib/shop.service has the app's settings in MODE=live, /etc/shop.conf:",
            ),
        ] {
            let node = project(&[PACKAGE, (file, text)]);
            assert!(checks(&node, named), "{node:?}");
        }
    }

    #[test]
    fn a_provider_and_a_compose_file_complete_each_other() {
        let json = r#"{"env":{"SECRET":{}}}"#;
        let compose = "services:\n  app:\n    environment:\n      SECRET: x\n      DATABASE_URL: x\n      TZ: x\n";
        let node = project(&[PACKAGE, ("app.json", json), ("compose.yml", compose)]);
        let named = "app.json and compose.yml names the app's settings (SECRET, DATABASE_URL):";
        assert!(checks(&node, &named.replace("names", "name")), "{node:?}");
    }

    #[test]
    fn what_the_source_fails_without_is_named_once() {
        for (list, file, text, named) in [
            (
                ("Gemfile", "gem 'puma'"),
                "config/a.rb",
                "a = ENV.fetch(\"KEY\")\nb = ENV.fetch('B') { 1 }\nENV.fetch('C', 1)\n# ENV.fetch('D')\nENV.fetch('RAILS_ENV')",
                "without KEY (config/a.rb)",
            ),
            (
                ("requirements.txt", "flask"),
                "app.py",
                "a = os.environ['KEY']\nos.environ['B'] = 'x'\nos.environ.get('C')",
                "without KEY (app.py)",
            ),
            (
                ("Cargo.toml", "[package]\nname = \"x\""),
                "src/main.rs",
                "fn main() { env::var(\"KEY\").expect(\"x\"); env::var(\"B\").ok(); }\n#[cfg(test)]\nenv::var(\"C\").unwrap()",
                "without KEY (src/main.rs)",
            ),
            (
                ("mix.exs", "app: :x,"),
                "config/runtime.exs",
                "x: Map.fetch!(System.get_env(), \"KEY\")",
                "without KEY (config/runtime.exs)",
            ),
        ] {
            let app = project(&[list, (file, text)]);
            assert!(checks(&app, named), "{app:?}");
            let known = project(&[list, (file, text), (".env.example", "KEY=1")]);
            assert!(!checks(&known, "fails without"), "{known:?}");
        }
    }
}
