//! Processes of the app besides the one that serves, and steps of its image besides those proposed: by the Procfile, unit
//! files, supervisor, uwsgi, the compose file and the Dockerfile. Every answer is a question to the user.

use super::directory::{Directory, lists};
use super::{About, Project, container, evidence};

/// What serves requests: it is the unit that is proposed.
const SERVES: [&str; 16] = [
    "gunicorn",
    "uvicorn",
    "granian",
    "daphne",
    "hypercorn",
    "uwsgi",
    "puma",
    "unicorn",
    "pitchfork",
    "nginx",
    "apache",
    "caddy",
    "php-fpm",
    "runserver",
    "server",
    "web",
];

pub(super) fn checks(dir: &Directory, project: &mut Project) {
    for worker in evidence::workers(dir) {
        project.check(
            About::Unit,
            format!("the Procfile also has `{worker}`: write a second unit for it and add it to `services`"),
        );
    }
    let known = evidence::workers(dir).len();
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    let units = evidence::units(dir);
    if units.len() > 1 {
        let names = units.iter().map(|(path, _)| (*path).to_owned()).collect();
        found.push(("the repository".into(), names));
    }
    found.extend(supervised(dir));
    found.extend(attached(dir));
    found.extend(composed(dir));
    for (from, mut names) in found.into_iter().filter(|(_, names)| !names.is_empty()) {
        // The Procfile named them, under the same names or others.
        if known > 0 && from != "the repository" {
            continue;
        }
        names.truncate(6);
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        project.check(
            About::Unit,
            format!(
                "{from} also has {}: write a unit for each that the app needs, and add it to `services`",
                names.join(", ")
            ),
        );
    }
    steps(dir, project);
}

fn serves(line: &str) -> bool {
    SERVES.iter().any(|name| line.contains(name))
}

/// `[program:NAME]` of supervisor.
fn supervised(dir: &Directory) -> Vec<(String, Vec<String>)> {
    let files = dir.all().filter(|(_, text)| text.contains("[program:"));
    let programs = files.map(|(path, text)| {
        let sections = text.split("[program:").skip(1).filter_map(|section| {
            let (name, rest) = section.split_once(']')?;
            let command = rest.lines().find(|line| line.trim_start().starts_with("command"))?;
            let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "_-%()".contains(c));
            (plain && !serves(command)).then(|| name.to_owned())
        });
        (path.to_owned(), sections.collect())
    });
    programs.collect()
}

/// `attach-daemon` of uwsgi.
fn attached(dir: &Directory) -> Vec<(String, Vec<String>)> {
    let files = dir.all().filter(|(path, _)| path.ends_with(".ini"));
    let daemons = files.map(|(path, text)| {
        let lines = text.lines().filter_map(|line| {
            let (key, value) = line.trim().split_once('=')?;
            let known = lists("attach-daemon attach-daemon2 smart-attach-daemon", key.trim());
            known.then(|| value.trim().to_owned())
        });
        (path.to_owned(), lines.collect())
    });
    daemons.collect()
}

/// Services of the compose file that run the same image with another command.
fn composed(dir: &Directory) -> Vec<(String, Vec<String>)> {
    let Some((file, services)) = container::services(dir) else {
        return Vec::new();
    };
    let Some(own) = container::own(&services) else {
        return Vec::new();
    };
    let same = |other: &&container::Service| {
        let built = own.builds && other.builds;
        let image = !own.image.is_empty() && own.image == other.image;
        other.name != own.name && (built || image) && !other.command.is_empty() && other.command != own.command
    };
    let names = services.iter().filter(same).map(|service| service.name.clone());
    vec![(file.to_owned(), names.collect())]
}

/// Steps of the Dockerfile that nothing proposes.
fn steps(dir: &Directory, project: &mut Project) {
    const KNOWN: &str = "collectstatic migrate check local.hex local.rebar deps.get deps.compile compile release do \
        assets.deploy assets.setup assets.build phx.digest deps.update hex.info archive.install";
    let file = container::dockerfile(dir).unwrap_or_default();
    for (tool, about) in [("manage.py", About::Prepare), ("mix", About::Build)] {
        let mut found: Vec<String> = Vec::new();
        for (_, line) in container::stage(dir, false)
            .into_iter()
            .filter(|(word, _)| word == "RUN")
        {
            let words: Vec<&str> = line.split_whitespace().collect();
            for pair in words.windows(2) {
                let step = pair[1].trim_end_matches([',', ';', '"']);
                let plain = step.chars().all(|c| c.is_ascii_alphanumeric() || "._:-".contains(c));
                let is_step = pair[0].rsplit('/').next() == Some(tool) && plain && !step.starts_with('-');
                if is_step && !lists(KNOWN, step) && !found.iter().any(|known| known == step) {
                    found.push(step.to_owned());
                }
            }
        }
        if !found.is_empty() {
            let steps: Vec<String> = found.iter().map(|step| format!("`{tool} {step}`")).collect();
            let key = about.as_str();
            project.check(
                about,
                format!("{file} also runs {}: does `{key}` need it?", steps.join(", ")),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{checks, project};

    const DJANGO: [(&str, &str); 3] = [
        ("requirements.txt", "django\ngunicorn"),
        ("manage.py", "django"),
        ("x/wsgi.py", ""),
    ];

    #[test]
    fn processes_besides_the_one_that_serves_are_named() {
        let unit = |line: &str| format!("[Service]\nExecStart={line}\n");
        let (web, jobs) = (unit("/usr/bin/shop web"), unit("/usr/bin/shop jobs"));
        let supervisor = "[program:web]\ncommand=gunicorn x\n[program:jobs]\ncommand = rq worker\n";
        let uwsgi = "[uwsgi]\nmodule = x\nattach-daemon = ./manage.py sendalerts --loop\n";
        let compose = "services:\n  web:\n    build: .\n  jobs:\n    build: .\n    command: celery\n  db:\n    image: postgres\n    command: x\n";
        for (files, named) in [
            (
                &[
                    ("units/jobs.service", jobs.as_str()),
                    ("units/web.service", web.as_str()),
                ][..],
                "the repository also has `units/jobs.service`, `units/web.service`:",
            ),
            (&[("conf/shop.conf", supervisor)], "conf/shop.conf also has `jobs`:"),
            (
                &[("docker/uwsgi.ini", uwsgi)],
                "docker/uwsgi.ini also has `./manage.py sendalerts --loop`:",
            ),
            (&[("compose.yaml", compose)], "compose.yaml also has `jobs`:"),
        ] {
            let app = project(&[&DJANGO[..], files].concat());
            assert!(checks(&app, named), "{named} {app:?}");
        }
        let one = project(&[&DJANGO[..], &[("units/web.service", web.as_str())]].concat());
        assert!(!checks(&one, "also has"), "{one:?}");
    }

    #[test]
    fn steps_of_the_image_that_nothing_proposes_are_named() {
        let docker =
            "FROM x\nRUN \\\n  ./manage.py collectstatic --noinput && \\\n  DEBUG=False ./manage.py compress\n";
        let app = project(&[&DJANGO[..], &[("docker/Dockerfile", docker)]].concat());
        assert!(
            checks(&app, "docker/Dockerfile also runs `manage.py compress`: does `prepare`"),
            "{app:?}"
        );
    }
}
