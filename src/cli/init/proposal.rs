//! The text of the deploy.yml that `init` writes: short, with what was detected. Every other key is in the example. Pure.

use crate::cli::project::{About, Directory, Project, Serves};
use crate::config::{AppName, FILE_NAME, SCHEMA_NAME, scalar};

/// For an unknown directory, only what is required.
pub(super) fn text(app: &AppName, host: &str, project: Option<&Project>, files: &Directory, port: u16) -> String {
    let app = app.as_str();
    let mut out = format!("# yaml-language-server: $schema={SCHEMA_NAME}\n");
    let what = match project {
        Some(project) => format!("# What shipit deploys, and where: {}.", comment(&project.what)),
        None => "# What shipit deploys, and where.".into(),
    };
    out.push_str(&what);
    out.push_str(" `shipit config example` prints every key.\n");
    let unknown = Project::unknown_of(files);
    let project = project.unwrap_or(&unknown);
    let checks = |about: About| -> String {
        let checks = project.checks.iter().filter(|check| check.about == about);
        checks
            .map(|check| format!("# check: {}\n", comment(&check.why)))
            .collect()
    };
    let key = |name: &str, value: &str| format!("{name}: {}\n", scalar(value));
    out.push_str(&key("app", app));
    out.push_str(&key("host", host));
    out.push_str(&checks(About::Source));
    out.push_str(&key("source", &project.source));
    out.push_str(&checks(About::Build));
    if let Some(build) = &project.build {
        out.push_str(&key("build", build));
    }
    let mut exclude: Vec<String> = project.exclude.iter().copied().map(scalar).collect();
    exclude.extend(project.environments.iter().map(|path| scalar(path)));
    if project.source == "." {
        // A directory that holds nothing but units would arrive empty.
        let units = if files.has_more_than_units() {
            "deploy/units/"
        } else {
            "/deploy/"
        };
        exclude.extend([units, FILE_NAME, SCHEMA_NAME].map(scalar));
        if project.public.is_empty() {
            exclude.push(scalar(".env*"));
        }
        exclude.extend(["id_rsa", "id_ed25519", "/*.pem", "*.key"].map(scalar));
    }
    if !exclude.is_empty() {
        out.push_str(&format!("exclude: [{}]\n", exclude.join(", ")));
    }
    out.push_str(&checks(About::Secrets));
    if !project.public.is_empty() {
        out.push_str(&format!("allow_secrets: [{}]\n", project.public.join(", ")));
    }
    out.push_str(&checks(About::Shared));
    let list = |name: &str, items: &[&str]| match items {
        [] => String::new(),
        items => format!("  {name}: [{}]\n", items.join(", ")),
    };
    match (project.shared.as_slice(), project.shared_files.as_slice()) {
        ([], []) => out.push_str("# shared:\n#   dirs: [logs]\n#   files: [env]\n"),
        (dirs, files) => out.push_str(&format!("shared:\n{}{}", list("dirs", dirs), list("files", files))),
    }
    out.push_str(&checks(About::Prepare));
    match (&project.prepare, &project.products) {
        (Some(prepare), Some(products)) => {
            out.push_str("# Runs on the host, in the directory of the new release, unless its inputs are unchanged:\n");
            out.push_str("prepare:\n  ");
            out.push_str(&key("run", prepare));
            out.push_str(&list("inputs", &products.inputs));
            out.push_str(&list("outputs", products.outputs));
        }
        (Some(prepare), None) => {
            out.push_str("# Runs on the host, in the directory of the new release:\n");
            out.push_str(&key("prepare", prepare));
        }
        (None, _) => {}
    }
    out.push_str(&checks(About::Migrate));
    if project.migrate.is_some() {
        out.push_str(&format!("migrate: {app}-migrate.service\n"));
    }
    if project.serves == Serves::Files {
        out.push_str("# The web server opens the files for each request: there is nothing to restart.\nservices: []\n");
        return out;
    }
    let unit = project.unit.map_or_else(|| format!("{app}.service"), str::to_owned);
    let indented = |about: About, width: usize| -> String {
        checks(about)
            .lines()
            .map(|line| format!("{:width$}{line}\n", ""))
            .collect()
    };
    out.push_str(&format!(
        "services:\n{}{}  - unit: {unit}\n    # {}\n    strategy: {}\n",
        indented(About::Unit, 2),
        indented(About::Command, 2).replace("# check: ", "# check: ExecStart=: "),
        project.because,
        project.strategy.as_str(),
    ));
    if project.listens {
        let health = &project.health;
        let checks = indented(About::Health, 6);
        out.push_str(&format!(
            "    health:\n{checks}      url: http://127.0.0.1:{port}{health}\n"
        ));
    }
    out
}

/// A text from files of the project, as one line of a comment.
fn comment(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
