//! The text of the deploy.yml that `init` writes: short, with what was detected. Every other key is in the example. Pure.

use crate::cli::project::{Project, Serves};
use crate::config::{AppName, scalar};

/// For an unknown directory, only what is required.
pub(super) fn text(app: &AppName, host: &str, project: Option<&Project>) -> String {
    let app = app.as_str();
    let mut out = match project {
        Some(project) => format!("# What shipit deploys, and where: {}.", project.what),
        None => "# What shipit deploys, and where.".into(),
    };
    out.push_str(" deploy.example.yml has every key.\n");
    let mut key = |name: &str, value: &str| out.push_str(&format!("{name}: {}\n", scalar(value)));
    key("app", app);
    key("host", host);
    let source = project.map_or(".", |project| project.source.as_str());
    key("source", source);
    if let Some(build) = project.and_then(|project| project.build.as_deref()) {
        key("build", build);
    }
    let mut exclude: Vec<String> = project
        .map(|project| project.exclude.iter().copied().map(scalar).collect())
        .unwrap_or_default();
    if source == "." {
        exclude.extend(["deploy/units/", "deploy.yml"].map(scalar));
    }
    if !exclude.is_empty() {
        out.push_str(&format!("exclude: [{}]\n", exclude.join(", ")));
    }
    match project.map(|project| project.shared.as_slice()) {
        Some(shared) if !shared.is_empty() => {
            out.push_str(&format!("shared:\n  dirs: [{}]\n", shared.join(", ")));
        }
        _ => out.push_str("# shared:\n#   dirs: [logs]\n#   files: [env]\n"),
    }
    if let Some(prepare) = project.and_then(|project| project.prepare.as_deref()) {
        out.push_str(&format!(
            "# Runs on the host, in the directory of the new release:\nprepare: {}\n",
            scalar(prepare)
        ));
    }
    if project.is_some_and(|project| project.migrate.is_some()) {
        out.push_str(&format!("migrate: {app}-migrate.service\n"));
    }
    if project.is_some_and(|project| project.serves == Serves::Files) {
        out.push_str("# The web server opens the files for each request: there is nothing to restart.\nservices: []\n");
        return out;
    }
    let unit = project.and_then(|project| project.unit);
    let unit = unit.map_or_else(|| format!("{app}.service"), str::to_owned);
    let (strategy, because) = project.map_or(("restart", "restart | reload | socket"), |project| {
        (project.strategy.as_str(), project.because)
    });
    out.push_str(&format!(
        "services:\n  - unit: {unit}\n    # {because}\n    strategy: {strategy}\n    health:\n      url: http://127.0.0.1:8080/\n"
    ));
    out
}
