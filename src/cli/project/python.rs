//! Python: Django, Flask, FastAPI, or any WSGI or ASGI app, installed by pip, uv, Poetry, PDM or Pipenv. Never runs an
//! interpreter.

use super::directory::{Directory, lists};
use super::evidence::{self, Start};
use super::python_app::{is_identifier, named, object, script, settings};
use super::{About, Project, products, version};
use crate::unit::generate::Program;

/// The interpreter of the release's own virtual environment. Scripts such as `bin/gunicorn` contain the path they were
/// installed to, which changes when the release is published, so modules are run with the interpreter.
const PYTHON: &str = "{root}/current/.venv/bin/python";
/// Frameworks whose applications speak ASGI.
const ASGI: [&str; 7] = [
    "fastapi",
    "starlette",
    "litestar",
    "quart",
    "uvicorn",
    "hypercorn",
    "daphne",
];
/// Programs that are modules of the same name with dashes as underscores.
const MODULES: &str = "gunicorn uvicorn hypercorn daphne flask celery waitress streamlit";

pub(super) fn detect(dir: &Directory) -> Option<Project> {
    let manage = dir
        .named("manage.py")
        .next()
        .filter(|(path, _)| path.matches('/').count() <= 2);
    // Where the code is: the directory of manage.py, or that of the lists.
    let base = manage.map_or("", |(path, _)| path.strip_suffix("manage.py").unwrap_or_default());
    let listed = lists_of(dir, base);
    let (list, names) = (
        listed.first()?.as_str(),
        listed.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    let depends = |package: &str| dir.depends(&names, package);
    let django = manage.is_some() && (depends("django") || manage.is_some_and(|(_, text)| text.contains("django")));
    let object = if django { None } else { object(dir) };
    let asgi = !django && ASGI.iter().any(|name| depends(name)) && object.as_ref().is_none_or(|object| object.asgi);
    let kind = match (django, asgi) {
        (true, _) => "Django",
        (false, true) => "Python, ASGI",
        _ => "Python",
    };
    let web = evidence::web(dir);
    let serves =
        django || asgi || object.is_some() || web.is_some() || ["flask", "gunicorn"].iter().any(|name| depends(name));
    if !serves && list == "requirements.txt" && (dir.has("package.json") || dir.has("mkdocs.yml")) {
        return None;
    }
    let mut project = Project::new(format!("{kind} ({list})"));
    install(dir, list, &mut project);
    project.exclude = vec![".venv/", "__pycache__/", "*.pyc"];
    let python = dir
        .text(".python-version")
        .lines()
        .next()
        .map(|text| (text.trim().to_owned(), ".python-version".into()));
    version::check(&mut project, "Python", python.or_else(|| version::of_pyproject(dir)));
    let next = PYTHON.replace("/current/", "/next/");
    if let Some((path, _)) = manage.filter(|_| django) {
        django_needs(dir, base, &mut project);
        project.migrate = Some(format!("{next} {{root}}/next/{path} migrate --noinput"));
    } else if let Some((path, _)) = dir.named("alembic.ini").next() {
        let config = if path == "alembic.ini" {
            String::new()
        } else {
            format!(" -c {{root}}/next/{path}")
        };
        project.migrate = Some(format!("{next} -m alembic{config} upgrade head"));
    } else if depends("flask-migrate") && dir.has("migrations/") {
        project.migrate = Some(format!("{next} -m flask db upgrade"));
        project.check(
            About::Migrate,
            "`flask db upgrade` needs FLASK_APP in the environment file, unless the app is in app.py or wsgi.py",
        );
    }
    let started = web.and_then(|found| match found {
        Ok(start) => run(&start, base, &mut project),
        Err(why) => {
            project.check(About::Command, why);
            None
        }
    });
    let wanted = match started {
        Some((program, true)) if lists("gunicorn uvicorn", &program) => program,
        Some(_) => return Some(project),
        None => String::new(),
    };
    let script = dir
        .has("pyproject.toml")
        .then(|| script(dir.text("pyproject.toml")))
        .flatten();
    if let (false, Some((name, module, call))) = (serves, &script) {
        project.program = Some(Program::Binary);
        project.command = Some(format!(
            "{PYTHON} -c \"from {module} import {call}; raise SystemExit({call}())\""
        ));
        project.check(
            About::Command,
            format!("runs the script `{name}` from pyproject.toml: does it start a server, and does the server use the port in PORT?"),
        );
        return Some(project);
    }
    let given = project.command.take();
    let object = given.unwrap_or_else(|| {
        if django {
            settings(dir, base)
        } else {
            named(object, asgi, &mut project)
        }
    });
    let server = |name: &str| wanted == name || depends(name);
    let chdir = if base.is_empty() {
        String::new()
    } else {
        format!("/{}", base.trim_end_matches('/'))
    };
    if asgi && wanted != "gunicorn" && (wanted == "uvicorn" || !depends("gunicorn")) {
        project.program = Some(Program::Binary);
        project.command = Some(format!("{PYTHON} -m uvicorn --fd 3 {object}"));
        project.socket("uvicorn accepts the socket from systemd (--fd 3)");
        if !server("uvicorn") && !depends("fastapi[standard]") {
            project.check(About::Command, format!("uvicorn is not in {list}: add it"));
        }
        return Some(project);
    }
    project.program = Some(Program::Gunicorn);
    let workers = if asgi {
        " --worker-class uvicorn.workers.UvicornWorker"
    } else {
        ""
    };
    let object = object.replace("--app-dir", "--pythonpath").replace("--factory ", "");
    project.command = Some(format!(
        "{PYTHON} -m gunicorn --chdir {{root}}/current{chdir} --workers 2{workers} --worker-tmp-dir /dev/shm --graceful-timeout 25 {object}"
    ));
    project.socket("gunicorn accepts the socket from systemd");
    if !server("gunicorn") {
        let install = format!("gunicorn is not in {list}: add it, or change ExecStart= and the strategy");
        project.check(About::Command, install);
    }
    Some(project)
}

/// The lists of dependencies that exist, the one that is installed first.
fn lists_of(dir: &Directory, base: &str) -> Vec<String> {
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
fn install(dir: &Directory, list: &str, project: &mut Project) {
    const VENV: &str = "python3 -m venv .venv && .venv/bin/python -m pip install";
    let (command, tool) = match list.rsplit('/').next().unwrap_or(list) {
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

/// What a Django project needs besides its packages.
fn django_needs(dir: &Directory, base: &str, project: &mut Project) {
    let settings = || dir.sources("py").filter(|(path, _)| path.contains("settings"));
    if settings().any(|(_, text)| text.lines().any(|line| line.trim_start().starts_with("STATIC_ROOT"))) {
        Project::append(
            &mut project.prepare,
            &format!(".venv/bin/python {base}manage.py collectstatic --noinput"),
        );
        project.check(
            About::Prepare,
            "`collectstatic` runs without /etc/APP/env: the settings must load without secrets",
        );
    }
    if settings().any(|(_, text)| text.contains("django.db.backends.sqlite3")) {
        project.check(
            About::Shared,
            "the settings name an SQLite database: keep it in a shared directory, or each release starts empty",
        );
    }
    if settings().any(|(_, text)| text.lines().any(|line| line.trim_start().starts_with("MEDIA_ROOT"))) {
        project.check(
            About::Shared,
            "uploads go to MEDIA_ROOT: if that is below the release, name it in `shared`",
        );
    }
}

/// Takes over a command line. Returns its program, and whether it is a server that gets systemd's socket: then
/// `command` is the application object alone.
fn run(start: &Start, base: &str, project: &mut Project) -> Option<(String, bool)> {
    let mut words = start.words.as_slice();
    if let [tool, run, ..] = words
        && lists("uv poetry pipenv pdm hatch", tool)
        && run == "run"
    {
        words = &words[2..];
    }
    let name = |word: &str| word.rsplit('/').next().unwrap_or(word).to_owned();
    if name(words.first()?).trim_end_matches(|c: char| c.is_ascii_digit() || c == '.') == "python"
        && words.get(1)? == "-m"
    {
        words = &words[2..];
    }
    let program = name(words.first()?);
    for command in &start.before {
        project.check(
            About::Migrate,
            format!("{} also runs `{command}` before it starts the app", start.from),
        );
    }
    if lists("gunicorn uvicorn", &program) {
        // `shop.wsgi:app`, `app:app`, or `shop.wsgi`, where the name is `application`.
        let is_object = |word: &&String| word.split(':').all(|part| part.split('.').all(is_identifier));
        let objects: Vec<&String> = words[1..].iter().filter(is_object).collect();
        let object = objects.iter().find(|word| word.contains(':'));
        let object = object.or_else(|| {
            objects
                .iter()
                .rfind(|word| word.contains('.') && !word.contains(".workers."))
        });
        if let Some(object) = object {
            let factory = if words.iter().any(|word| word == "--factory") {
                "--factory "
            } else {
                ""
            };
            project.command = Some(format!("{factory}{object}"));
            return Some((program, true));
        }
        project.check(
            About::Command,
            format!("{} starts {program} without naming the application object", start.from),
        );
        return Some((program, true));
    }
    if lists("sh bash", &program) || words[0].ends_with(".sh") {
        project.check(
            About::Command,
            format!(
                "{} starts {}, a script: look there to see how the app is started",
                start.from, words[0]
            ),
        );
        return None;
    }
    project.program = Some(Program::Binary);
    let rest = evidence::with_port(&words[1..], project.port);
    let python = program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.') == "python";
    let module = program.trim_end_matches("-serve").replace('-', "_");
    let words: Vec<String> = if python {
        let file = |word: &String| word.ends_with(".py") && !word.starts_with('/');
        rest.iter()
            .map(|word| {
                if file(word) {
                    format!("{{root}}/current/{base}{word}")
                } else {
                    word.clone()
                }
            })
            .collect()
    } else {
        let known = lists(MODULES, &module);
        if !known {
            project.check(
                About::Command,
                format!(
                    "{} starts {program}, assumed to be a Python module of that name",
                    start.from
                ),
            );
        }
        ["-m".to_owned(), module].into_iter().chain(rest).collect()
    };
    project.command = Some(format!("{PYTHON} {}", evidence::line(&words)));
    project.check(
        About::Command,
        format!("as in {}: does it listen on port {}?", start.from, project.port),
    );
    Some((program, false))
}
