//! Python: requirements.txt, pyproject.toml or a Pipfile. Django, Flask, FastAPI, or anything with a WSGI or ASGI app.

use super::{Project, Seen};
use crate::unit::generate::Program;

const LISTS: &[&str] = &["requirements.txt", "pyproject.toml", "Pipfile"];
/// The interpreter of the release's own environment. Its scripts (`bin/gunicorn`) name the directory that they were
/// installed in, which the release leaves when it is published: modules are run by the interpreter.
const PYTHON: &str = "{root}/current/.venv/bin/python";

pub(super) fn recognise(seen: &Seen) -> Option<Project> {
    let list = LISTS.iter().find(|list| seen.has(list))?;
    let django = seen.has("manage.py") && seen.needs(LISTS, "django");
    let asgi = seen.needs(LISTS, "uvicorn") || seen.needs(LISTS, "fastapi");
    let kind = match (django, asgi) {
        (true, _) => "Django",
        (false, true) => "Python, ASGI",
        _ => "Python",
    };
    let mut project = Project::new(format!("{kind} ({list})"));
    let install = if *list == "requirements.txt" {
        "install -r requirements.txt"
    } else {
        "install ."
    };
    let mut prepare = format!("python3 -m venv .venv && .venv/bin/python -m pip {install}");
    if django {
        prepare.push_str(" && .venv/bin/python manage.py collectstatic --noinput");
    }
    project.prepare = Some(prepare);
    project.exclude = vec![".venv/", "__pycache__/", "*.pyc"];
    let next = PYTHON.replace("/current/", "/next/");
    if django {
        project.migrate = Some(format!("{next} {{root}}/next/manage.py migrate --noinput"));
    } else if seen.has("alembic.ini") {
        project.migrate = Some(format!("{next} -m alembic upgrade head"));
    }
    if asgi && !seen.needs(LISTS, "gunicorn") {
        project.program = Some(Program::Binary);
        project.command = Some(format!(
            "{PYTHON} -m uvicorn --fd 3 {}",
            module(seen, "main")
        ));
        project.socket("uvicorn takes the socket from systemd (--fd 3)");
        return Some(project);
    }
    project.program = Some(Program::Gunicorn);
    let workers = if asgi {
        " --worker-class uvicorn.workers.UvicornWorker"
    } else {
        ""
    };
    project.command = Some(format!(
        "{PYTHON} -m gunicorn --chdir {{root}}/current --workers 2{workers} --worker-tmp-dir /dev/shm --graceful-timeout 25 {}",
        if django {
            settings(seen)
        } else {
            module(seen, "app")
        }
    ));
    project.socket("gunicorn takes the socket from systemd");
    if !seen.needs(LISTS, "gunicorn") {
        project.notes.push(format!(
            "gunicorn is not in {list}: add it, or change ExecStart= and the strategy"
        ));
    }
    if django {
        project.notes.push(
            "`collectstatic` needs STATIC_ROOT; take it out of `prepare` if there is none".into(),
        );
    }
    Some(project)
}

/// Django's WSGI module: it lies beside the settings that manage.py names.
fn settings(seen: &Seen) -> String {
    let quoted = seen
        .text("manage.py")
        .split_once("DJANGO_SETTINGS_MODULE")
        .and_then(|(_, rest)| rest.split(['"', '\'']).nth(2));
    let package = quoted
        .and_then(|module| module.split('.').next())
        .filter(|name| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        });
    format!("{}.wsgi:application", package.unwrap_or("config"))
}

/// The module with the application object: the file that is there, else the usual one.
fn module(seen: &Seen, usual: &str) -> String {
    let files = [("wsgi.py", "wsgi"), ("app.py", "app"), ("main.py", "main")];
    let there = files.iter().find(|(file, _)| seen.has(file));
    format!("{}:app", there.map_or(usual, |(_, module)| module))
}
