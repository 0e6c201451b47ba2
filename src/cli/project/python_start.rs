//! How a Python app is started: a command line of a Procfile, a Dockerfile or a unit file, as one of the release's own
//! interpreter. Never starts it.

use super::directory::lists;
use super::evidence::{self, Start};
use super::python_app::is_identifier;
use super::{About, Project};
use crate::unit::generate::Program;

/// The interpreter of the release's own virtual environment. Scripts such as `bin/gunicorn` contain the path they were
/// installed to, which changes when the release is published, so modules are run with the interpreter.
pub(super) const PYTHON: &str = "{root}/current/.venv/bin/python";
/// Programs that are modules of the same name with dashes as underscores.
const MODULES: &str = "gunicorn uvicorn hypercorn daphne flask celery waitress streamlit";

/// Programs that start other programs, and servers that are no modules.
const FOREIGN: &str =
    "make just task npm npx yarn pnpm node bun docker docker-compose podman foreman honcho uwsgi java go";

/// Takes over a command line. Returns its program, and whether it is a server that gets systemd's socket: then
/// `command` is the application object alone.
pub(super) fn run(start: &Start, base: &str, project: &mut Project) -> Option<(String, bool)> {
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
    // `/init` of a container: packages install their programs into a directory `bin`.
    let outside = words[0].starts_with('/') && !words[0].contains("/bin/");
    if lists(FOREIGN, &program) || evidence::is_foreign(&program) || outside {
        project.check(
            About::Command,
            format!(
                "{} starts the app with `{}`, which is not a Python module: look there to see how the app is started",
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
    fn what_is_no_python_module_is_not_run_as_one() {
        let django = [
            ("requirements.txt", "django\ngunicorn"),
            ("manage.py", "django"),
            ("shop/wsgi.py", ""),
        ];
        let with = |line| project(&[&django[..], &[("Procfile", line)]].concat());
        let make = with("web: make run");
        assert!(checks(&make, "`make run`, which is not a Python module"));
        for line in ["web: /init", "web: caddy run", "web: /srv/start-it"] {
            let foreign = with(line);
            assert!(checks(&foreign, "which is not a Python module"), "{line}");
            assert!(foreign.command.unwrap().ends_with(" shop.wsgi:application"), "{line}");
        }
        let script = "FROM x\nENTRYPOINT [\"/app/docker-entrypoint\"]\nCMD [\"server\"]\n";
        let script = project(&[&django[..], &[("Dockerfile", script)]].concat());
        assert!(checks(
            &script,
            "Dockerfile starts /app/docker-entrypoint with `server`"
        ));
        assert!(make.command.unwrap().ends_with(" shop.wsgi:application"));
        let traced = with("web: ddtrace-run python -m gunicorn.app.wsgiapp -c x.py shop.site:app");
        assert!(checks(&traced, "with ddtrace-run, which was left out"));
        assert!(traced.command.unwrap().ends_with(" shop.site:app"));
    }
}
