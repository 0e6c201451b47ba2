//! Python: Django, Flask, FastAPI, or any WSGI or ASGI app, installed by pip, uv, Poetry, PDM or Pipenv. Never runs an
//! interpreter.

use super::directory::{Directory, lists};
use super::evidence;
use super::python_app::{named, object, script};
use super::python_install::{install, lists_of, within};
use super::python_start::{PYTHON, run};
use super::{About, Project, django, front, version};
use crate::unit::generate::Program;

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
    front::beside(dir, &mut project);
    let python = version::of_files(dir, &[".python-version"], "python");
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
}
