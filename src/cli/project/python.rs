//! Python: Django, Flask, FastAPI, or any WSGI or ASGI app, installed by pip, uv, Poetry, PDM or Pipenv. Never runs an
//! interpreter.

use super::directory::{Directory, lists};
use super::evidence::{self, Start};
use super::python_app::{is_identifier, named, object, script};
use super::python_install::{install, lists_of, within};
use super::{About, Project, django, version};
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

/// Programs that start other programs, and servers that are no modules.
const FOREIGN: &str = "make just task npm npx yarn pnpm node bun docker docker-compose podman foreman honcho supervisord uwsgi nginx caddy java go";

pub(super) fn detect(dir: &Directory) -> Option<Project> {
    let manage = dir
        .named("manage.py")
        .next()
        .filter(|(path, _)| path.matches('/').count() <= 2);
    let object = object(dir);
    if manage.is_none() && lists_of(dir, "").is_empty() {
        return None;
    }
    // Where the code is: the directory of manage.py, or that of the package with the application object.
    let home = object.as_ref().map_or("", |object| object.home.as_str());
    let base = manage.map_or(home, |(path, _)| path.strip_suffix("manage.py").unwrap_or_default());
    let base = &base.to_owned();
    let listed = lists_of(dir, base);
    let (list, names) = (
        listed.first()?.as_str(),
        listed.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    let depends = |package: &str| dir.depends(&names, package);
    let django = manage.is_some() && (depends("django") || manage.is_some_and(|(_, text)| text.contains("django")));
    let object = object.filter(|_| !django);
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
    install(dir, list, base, &mut project);
    project.exclude = vec![".venv/", "__pycache__/", "*.pyc"];
    let python = dir
        .text(".python-version")
        .lines()
        .next()
        .map(|text| (text.trim().to_owned(), ".python-version".into()));
    version::check(&mut project, "Python", python.or_else(|| version::of_pyproject(dir)));
    let next = PYTHON.replace("/current/", "/next/");
    if let Some((path, _)) = manage.filter(|_| django) {
        let settings = django::needs(dir, base, &mut project);
        project.migrate = Some(format!("{next} {{root}}/next/{path} migrate --noinput{settings}"));
    } else if depends("flask-migrate") {
        // Its alembic.ini works only within the application.
        project.migrate = object
            .as_ref()
            .map(|object| within(base, &format!("{next} -m flask --app {} db upgrade", object.wsgi())));
        if project.migrate.is_none() {
            project.migrate = Some(within(base, &format!("{next} -m flask db upgrade")));
            project.check(
                About::Migrate,
                "`flask db upgrade` needs FLASK_APP in the environment file, unless the app is in app.py or wsgi.py",
            );
        }
    } else if let Some((path, text)) = dir.named("alembic.ini").next() {
        let place = path.strip_suffix("alembic.ini").unwrap_or_default();
        let scripts = text
            .lines()
            .find_map(|line| line.trim().strip_prefix("script_location"));
        let scripts = scripts.map_or("alembic", |rest| rest.trim_start_matches([' ', '=']).trim());
        // Paths in it begin where alembic is started.
        project.migrate = Some(
            if dir.has(&format!("{place}{scripts}/")) || scripts.contains("%(here)s") {
                within(place, &format!("{next} -m alembic upgrade head"))
            } else {
                format!("{next} -m alembic -c {{root}}/next/{path} upgrade head")
            },
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
            django::object(dir, base)
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
        let with_server = |list: &&str| {
            ["fastapi[", "uvicorn["]
                .iter()
                .any(|extra| dir.text(list).contains(extra))
        };
        if !server("uvicorn") && !names.iter().any(with_server) {
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
    let object = object.replace(&format!("--app-dir {{root}}/current{chdir} "), "");
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
    // What watches the app while it runs is not what serves.
    while let [wrapper, rest @ ..] = words
        && lists(
            "ddtrace-run newrelic-admin run-program opentelemetry-instrument tini dumb-init",
            &name(wrapper),
        )
    {
        if wrapper != "run-program" {
            project.check(
                About::Command,
                format!("{} starts the app with {wrapper}, which was left out", start.from),
            );
        }
        words = rest;
    }
    if name(words.first()?).trim_end_matches(|c: char| c.is_ascii_digit() || c == '.') == "python"
        && words.get(1)? == "-m"
    {
        words = &words[2..];
    }
    let program = name(words.first()?).trim_end_matches(".app.wsgiapp").to_owned();
    for command in &start.before {
        // The units run it already.
        let migrates = ["db upgrade", "alembic upgrade", "manage.py migrate"];
        if project.migrate.is_some() && migrates.iter().any(|word| command.contains(word)) {
            continue;
        }
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
    if lists(FOREIGN, &program) {
        project.check(
            About::Command,
            format!(
                "{} starts the app with `{}`, which is no Python module: look there to see how the app is started",
                start.from,
                words.join(" ")
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::tests::{checks, project};

    #[test]
    fn a_migration_runs_where_its_files_are() {
        let flask = ("app/__init__.py", "def create_app():\n    return Flask(1)");
        let python = "{root}/next/.venv/bin/python";
        for (files, migrate) in [
            (
                &[
                    ("requirements.txt", "flask\nFlask-Migrate"),
                    flask,
                    ("migrations/alembic.ini", ""),
                ][..],
                format!("{python} -m flask --app \"app:create_app()\" db upgrade"),
            ),
            (
                &[
                    ("requirements.txt", "fastapi"),
                    ("alembic.ini", "script_location = db"),
                    ("db/", ""),
                ],
                format!("{python} -m alembic upgrade head"),
            ),
            (
                &[
                    ("requirements.txt", "fastapi"),
                    ("api/alembic.ini", "script_location = app/alembic"),
                    ("api/app/alembic/", ""),
                ],
                format!("/usr/bin/env --chdir={{root}}/next/api {python} -m alembic upgrade head"),
            ),
            (
                &[
                    ("requirements.txt", "fastapi"),
                    ("conf/alembic.ini", "script_location = db"),
                    ("db/", ""),
                ],
                format!("{python} -m alembic -c {{root}}/next/conf/alembic.ini upgrade head"),
            ),
        ] {
            assert_eq!(project(files).migrate.as_deref(), Some(migrate.as_str()), "{files:?}");
        }
    }

    #[test]
    fn a_package_below_the_lists_is_imported_from_its_own_directory() {
        let files = [
            ("uv.lock", ""),
            ("pyproject.toml", "[tool.uv.workspace]\nmembers = [\"backend\"]"),
            (
                "backend/pyproject.toml",
                "[project]\ndependencies = [\"fastapi[standard]\"]",
            ),
            ("backend/app/main.py", "app = FastAPI()"),
        ];
        let member = project(&files);
        assert_eq!(
            member.command.as_deref(),
            Some("{root}/current/.venv/bin/python -m uvicorn --fd 3 --app-dir {root}/current/backend app.main:app")
        );
        assert_eq!(
            member.prepare.as_deref(),
            Some("uv sync --frozen --no-dev --all-packages")
        );
        assert!(!checks(&member, "add it"), "{member:?}");
        let flask = project(&[
            ("requirements.txt", "flask\ngunicorn"),
            ("api/setup.py", ""),
            ("api/shop/web.py", "app = Flask(1)"),
        ]);
        let command = flask.command.unwrap();
        assert!(
            command.contains("--chdir {root}/current/api ") && command.ends_with(" 25 shop.web:app"),
            "{command}"
        );
    }

    #[test]
    fn what_is_no_python_module_is_not_run_as_one() {
        let django = [
            ("requirements.txt", "django\ngunicorn"),
            ("manage.py", "django"),
            ("shop/wsgi.py", ""),
        ];
        let with = |line| project(&[&django[..], &[("Procfile", line)]].concat());
        let make = with("web: make run");
        assert!(checks(&make, "`make run`, which is no Python module"));
        assert!(make.command.unwrap().ends_with(" shop.wsgi:application"));
        let traced = with("web: ddtrace-run python -m gunicorn.app.wsgiapp -c x.py shop.site:app");
        assert!(checks(&traced, "with ddtrace-run, which was left out"));
        assert!(traced.command.unwrap().ends_with(" shop.site:app"));
    }
}
