//! `shipit init`: looks at this directory and writes deploy.yml. Never overwrites one.

use std::io::Write;
use std::path::Path;

use super::args::{self, Global};
use crate::config::{AppName, FILE_NAME, Target, scalar};
use crate::failure::{Exit, Failure};

/// What a project of one kind usually needs.
struct Kind {
    marker: &'static str,
    source: &'static str,
    build: Option<&'static str>,
    prepare: Option<&'static str>,
    exclude: &'static str,
}

const KINDS: &[Kind] = &[
    Kind {
        marker: "package.json",
        source: ".",
        build: None,
        prepare: Some("npm ci --omit=dev"),
        exclude: "[node_modules/, deploy.yml]",
    },
    Kind {
        marker: "Gemfile",
        source: ".",
        build: None,
        prepare: Some("bundle install"),
        exclude: "[log/, tmp/, deploy.yml]",
    },
    Kind {
        marker: "pyproject.toml",
        source: ".",
        build: None,
        prepare: Some("python3 -m venv .venv && .venv/bin/python -m pip install ."),
        exclude: "[.venv/, __pycache__/, deploy.yml]",
    },
    Kind {
        marker: "requirements.txt",
        source: ".",
        build: None,
        prepare: Some(
            "python3 -m venv .venv && .venv/bin/python -m pip install -r requirements.txt",
        ),
        exclude: "[.venv/, __pycache__/, deploy.yml]",
    },
    Kind {
        marker: "go.mod",
        source: "build",
        build: Some("CGO_ENABLED=0 go build -o build/ ./..."),
        prepare: None,
        exclude: "[]",
    },
    Kind {
        marker: "Cargo.toml",
        source: "build",
        build: Some("cargo build --release && mkdir -p build && cp target/release/APP build/"),
        prepare: None,
        exclude: "[]",
    },
];

pub(super) fn run(global: &Global, wish: &args::Init) -> Result<Exit, Failure> {
    let path = global.config.clone().unwrap_or_else(|| FILE_NAME.into());
    let text = proposal(Path::new("."), wish)?;
    if wish.print {
        super::results(&text);
        return Ok(Exit::Done);
    }
    let wrong = |e: std::io::Error| {
        Failure::new(
            Exit::Usage,
            format!("{} could not be written", path.display()),
        )
        .why(e.to_string())
    };
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .map_err(|e| wrong(e).next("shipit init --print"))?;
    file.write_all(text.as_bytes()).map_err(wrong)?;
    super::results(&format!(
        "wrote {}; look it over, then: shipit setup --as root@HOST\n",
        path.display()
    ));
    Ok(Exit::Done)
}

/// The file for this directory: a short one with what was recognised; every other key is in the example.
fn proposal(here: &Path, wish: &args::Init) -> Result<String, Failure> {
    let here = here.canonicalize().map_err(|e| {
        Failure::new(Exit::Usage, "this directory could not be looked at").why(e.to_string())
    })?;
    let name = wish.app.clone().unwrap_or_else(|| {
        here.file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default()
    });
    let app: String = name
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let app = app.trim_matches('-');
    let app = if app.is_empty() { "app" } else { app };
    let host = wish
        .host
        .clone()
        .unwrap_or_else(|| "deploy@app.example.com".into());
    let kind = KINDS.iter().find(|k| here.join(k.marker).exists());
    let mut out = String::from(
        "# What shipit deploys, and where. `shipit init --print` and deploy.example.yml know every key.\n",
    );
    let wrong = |what: &str, wrong: crate::config::names::Wrong| {
        Failure::new(Exit::Usage, format!("{what}: {}", wrong.0))
    };
    let app = AppName::parse(app).map_err(|w| wrong("--app", w))?;
    let app = app.as_str();
    Target::parse(&host).map_err(|w| wrong("--host", w))?;
    out.push_str(&format!("app: {}\nhost: {}\n", scalar(app), scalar(&host)));
    out.push_str(&format!("source: {}\n", kind.map_or(".", |k| k.source)));
    if let Some(build) = kind.and_then(|k| k.build) {
        out.push_str(&format!("build: {}\n", build.replace("APP", app)));
    }
    out.push_str(&format!(
        "exclude: {}\n",
        kind.map_or("[deploy.yml]", |k| k.exclude)
    ));
    if let Some(prepare) = kind.and_then(|k| k.prepare) {
        out.push_str(&format!(
            "prepare: {prepare}    # on the host, inside the new release\n"
        ));
    }
    out.push_str("# shared:\n#   dirs: [logs]\n#   files: [env]\n");
    out.push_str(&format!(
        "services:\n  - unit: {app}.service\n    strategy: restart    # restart | reload | socket\n    health:\n      url: http://127.0.0.1:8080/\n"
    ));
    Ok(out)
}
