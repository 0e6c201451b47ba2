//! Python, by requirements.txt, pyproject.toml or a Pipfile: Django, Flask, FastAPI, or any WSGI or ASGI app. Never runs
//! an interpreter.

use super::{Directory, Project};
use crate::unit::generate::Program;

const LISTS: &[&str] = &["requirements.txt", "pyproject.toml", "Pipfile"];
/// The interpreter of the release's own virtual environment. Scripts such as `bin/gunicorn` contain the path they were
/// installed to, which changes when the release is published, so modules are run with the interpreter.
const PYTHON: &str = "{root}/current/.venv/bin/python";

pub(super) fn detect(dir: &Directory) -> Option<Project> {
    let list = LISTS.iter().find(|list| dir.has(list))?;
    let django = dir.has("manage.py") && dir.depends(LISTS, "django");
    let asgi = dir.depends(LISTS, "uvicorn") || dir.depends(LISTS, "fastapi");
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
    } else if dir.has("alembic.ini") {
        project.migrate = Some(format!("{next} -m alembic upgrade head"));
    }
    if asgi && !dir.depends(LISTS, "gunicorn") {
        project.program = Some(Program::Binary);
        project.command = Some(format!("{PYTHON} -m uvicorn --fd 3 {}", module(dir, "main")));
        project.socket("uvicorn accepts the socket from systemd (--fd 3)");
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
        if django { settings(dir) } else { module(dir, "app") }
    ));
    project.socket("gunicorn accepts the socket from systemd");
    if !dir.depends(LISTS, "gunicorn") {
        project.notes.push(format!(
            "gunicorn is not in {list}: add it, or change ExecStart= and the strategy"
        ));
    }
    if django {
        project
            .notes
            .push("`collectstatic` needs STATIC_ROOT: remove it from `prepare` if you have none".into());
    }
    Some(project)
}

/// Django's WSGI module, beside the settings that manage.py names.
fn settings(dir: &Directory) -> String {
    let quoted = dir
        .text("manage.py")
        .split_once("DJANGO_SETTINGS_MODULE")
        .and_then(|(_, rest)| rest.split(['"', '\'']).nth(2));
    let package = quoted
        .and_then(|module| module.split('.').next())
        .filter(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
    format!("{}.wsgi:application", package.unwrap_or("config"))
}

/// The module with the application object: by the file that exists, or the usual one.
fn module(dir: &Directory, usual: &str) -> String {
    let files = [("wsgi.py", "wsgi"), ("app.py", "app"), ("main.py", "main")];
    let found = files.iter().find(|(file, _)| dir.has(file));
    format!("{}:app", found.map_or(usual, |(_, module)| module))
}
