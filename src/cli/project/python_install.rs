//! What a Python project installs, and with which tool: by the lists of dependencies and the lock files that exist. Never runs
//! one.

use super::directory::Directory;
use super::evidence;
use super::{About, Project, products};

/// The lists of dependencies that exist, the one that is installed first.
pub(super) fn lists_of(dir: &Directory, base: &str) -> Vec<String> {
    const LISTS: [&str; 13] = [
        "uv.lock",
        "poetry.lock",
        "pdm.lock",
        "Pipfile.lock",
        "requirements.txt",
        "requirements/production.txt",
        "requirements/prod.txt",
        "requirements/base.txt",
        "requirements-prod.txt",
        "pyproject.toml",
        "Pipfile",
        "setup.py",
        "setup.cfg",
    ];
    let mut places = vec![String::new()];
    places.extend((!base.is_empty()).then(|| base.to_owned()));
    let found = places
        .iter()
        .flat_map(|place| LISTS.map(|list| format!("{place}{list}")));
    let mut found: Vec<String> = found.filter(|list| dir.has(list)).collect();
    // What is asked for is read in the manifest, not in the lock file.
    if found.first().is_some_and(|list| list.ends_with("lock"))
        && !found
            .iter()
            .any(|list| list.ends_with("toml") || list.ends_with("Pipfile"))
    {
        found.remove(0);
    }
    found
}

/// `prepare`: by the tool whose lock file exists.
pub(super) fn install(dir: &Directory, list: &str, base: &str, project: &mut Project) {
    const VENV: &str = "python3 -m venv .venv && .venv/bin/python -m pip install";
    let (command, tool) = match list.rsplit('/').next().unwrap_or(list) {
        // The app is a member of the workspace, and another package may be its root.
        "uv.lock" if list == "uv.lock" && dir.has(&format!("{base}pyproject.toml")) && !base.is_empty() => {
            ("uv sync --frozen --no-dev --all-packages".to_owned(), "uv")
        }
        "uv.lock" => (products::uv(dir).to_owned(), "uv"),
        "poetry.lock" => {
            let package = if is_package(dir) { "" } else { " --no-root" };
            (
                format!("POETRY_VIRTUALENVS_IN_PROJECT=true poetry install --only main --no-interaction{package}"),
                "poetry",
            )
        }
        "pdm.lock" => ("pdm sync --prod --no-editable".to_owned(), "pdm"),
        "Pipfile.lock" | "Pipfile" => ("PIPENV_VENV_IN_PROJECT=1 pipenv sync".to_owned(), "pipenv"),
        "pyproject.toml" | "setup.py" | "setup.cfg" => (format!("{VENV} {}", own_package(dir, project)), ""),
        _ => (format!("{VENV} -r {list}"), ""),
    };
    if !tool.is_empty() {
        project.check(
            About::Prepare,
            format!("the host needs {tool}, on the PATH of the deploy user"),
        );
    }
    project.prepare = Some(command);
}

/// Whether pyproject.toml describes a package that can be built.
fn is_package(dir: &Directory) -> bool {
    let text = dir.text("pyproject.toml");
    let package = text.contains("[build-system]") && !text.contains("package-mode = false");
    package
        && (dir.has("setup.py") || text.contains("packages") || text.contains("[tool.hatch") || tops(dir).len() <= 1)
}

/// Importable directories of the top level: setuptools refuses to guess among several.
fn tops(dir: &Directory) -> Vec<&str> {
    let tops = dir.all().filter_map(|(path, _)| path.strip_suffix("/__init__.py"));
    tops.filter(|path| !path.contains('/')).collect()
}

/// What pip is asked to install: the project, or its dependencies where the project cannot be built.
fn own_package(dir: &Directory, project: &mut Project) -> String {
    if dir.has("setup.py") || dir.has("setup.cfg") || is_package(dir) {
        return ".".into();
    }
    let list = evidence::toml_list(dir.text("pyproject.toml"), "project", "dependencies");
    let plain = |c: char| c.is_ascii_alphanumeric() || " ._-[],<>=!~;:@/+()".contains(c) || c == '\'' || c == '"';
    if list.is_empty()
        || !list
            .iter()
            .all(|item| !item.starts_with('-') && item.chars().all(plain) && !item.contains('\''))
    {
        return ".".into();
    }
    project.check(
        About::Prepare,
        "pyproject.toml describes no package that pip can build, so its dependencies are listed here: change both together",
    );
    list.iter()
        .map(|item| format!("'{item}'"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// A command line that runs in a directory of the new release.
pub(super) fn within(base: &str, line: &str) -> String {
    match base.trim_end_matches('/') {
        "" => line.to_owned(),
        base => format!("/usr/bin/env --chdir={{root}}/next/{base} {line}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{checks, project};

    #[test]
    fn poetry_installs_into_the_release_and_the_package_only_where_there_is_one() {
        const RUN: &str = "POETRY_VIRTUALENVS_IN_PROJECT=true poetry install --only main --no-interaction";
        let list = "[tool.poetry]\nname = 'shop'\n[tool.poetry.dependencies]\nflask = '*'\ngunicorn = '*'\n";
        let package = format!("{list}packages = [{{include = 'shop'}}]\n[build-system]\nrequires = ['poetry-core']\n");
        for (text, ending) in [(list, " --no-root"), (package.as_str(), "")] {
            let shop = project(&[
                ("pyproject.toml", text),
                ("poetry.lock", ""),
                ("app.py", "app = Flask(1)"),
            ]);
            assert_eq!(shop.prepare, Some(format!("{RUN}{ending}")));
            assert!(checks(&shop, "the host needs poetry, on the PATH of the deploy user"));
            let command = shop.command.unwrap_or_default();
            assert!(
                command.starts_with("{root}/current/.venv/bin/python -m gunicorn "),
                "{command}"
            );
        }
    }
}
