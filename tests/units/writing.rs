//! Generated units pass every rule, and systemd itself has nothing to say about them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use shipit::unit::generate::{self, Answers, Job, Program, Ready, Router};
use shipit::unit::merge::Unit;
use shipit::unit::render;
use shipit::unit::rules::{self, DIRECTIVES};
use shipit::unit::strategy::Strategy;

use crate::bounds::Ends as _;

const PROGRAMS: [Program; 5] = [
    Program::Node,
    Program::Gunicorn,
    Program::Puma,
    Program::Binary,
    Program::Static,
];

/// Every program by every strategy that it can be used with, fully answered.
pub fn all() -> Vec<Answers> {
    let mut all = Vec::new();
    for program in PROGRAMS {
        for strategy in Strategy::ALL {
            // Only these serve a new release without a new process; caddy takes no socket from systemd.
            let reloads = matches!(program, Program::Gunicorn | Program::Puma | Program::Static);
            if strategy == Strategy::Reload && !reloads || strategy.needs_socket() && program == Program::Static {
                continue;
            }
            let mut answers = Answers::new("acme", program);
            answers.strategy = strategy;
            answers.needs = vec!["postgresql.service".into()];
            answers.notify = Some("acme-notify@.service".into());
            answers.migrate = Some("/opt/acme/next/bin/migrate --all".into());
            answers.jobs = vec![
                Job {
                    name: "backup".into(),
                    command: "/usr/bin/pg_dump --file=/opt/acme/shared/backups/acme.sql acme".into(),
                    calendar: "*-*-* 03:30".into(),
                },
                Job {
                    name: "prune".into(),
                    command: "/usr/bin/find /opt/acme/shared/backups -type f -mtime +14 -delete".into(),
                    calendar: "daily".into(),
                },
            ];
            if program == Program::Node && strategy == Strategy::Socket {
                answers.ready = Ready::Notify;
            }
            if strategy.needs_router() {
                let other = if strategy == Strategy::Canary {
                    Router::Nginx
                } else {
                    Router::Caddy
                };
                for router in [Router::Haproxy, other] {
                    all.push(Answers {
                        router: Some(router),
                        ports: true,
                        ..answers.clone()
                    });
                }
            }
            all.push(answers);
        }
    }
    all
}

#[test]
fn every_generated_unit_passes_every_rule() {
    let mut told = String::new();
    for answers in all() {
        let findings = generate::findings(&answers, &generate::units(&answers).unwrap());
        if !findings.is_empty() {
            told += &format!(
                "{:?} {:?}\n{}",
                answers.program,
                answers.strategy,
                render::text(&findings)
            );
        }
    }
    assert!(told.is_empty(), "{told}");
}

#[test]
fn every_key_of_a_generated_unit_is_explained_and_jobs_have_the_environment_of_their_service() {
    for answers in all() {
        for written in generate::units(&answers).unwrap() {
            let unit = Unit::parse(&written.name, written.text.as_bytes()).unwrap();
            for entry in unit.entries() {
                let text = rules::explain(entry.key).unwrap_or_default();
                // A heading and a man page alone explain nothing.
                assert!(
                    text.lines().filter(|line| line.len() > 30).count() >= 1,
                    "{}: {text}",
                    entry.key
                );
                assert!(!text.contains("systemd.directives(7)"), "{}: {text}", entry.key);
            }
            let is_app = unit.name.kind() == "service" && unit.name.prefix() != "acme-notify";
            let puma = answers.program == Program::Puma && is_app;
            assert!(
                !puma || unit.has("Service", "Environment", "RAILS_ENV=production"),
                "{}",
                written.name
            );
        }
    }
    let any = rules::explain("LimitCORE").unwrap();
    assert!(any.contains("It takes: a limit or infinity"), "{any}");
    assert_eq!(rules::explain("Limitcore"), Some(any));
    assert_eq!(rules::explain("Limitcores"), None);
}

/// A migration and a timer's job run as the app does: its user, its environment, its sandbox.
#[test]
fn a_job_has_the_user_the_environment_and_the_sandbox_of_its_service() {
    for answers in all() {
        let units: Vec<Unit> = generate::units(&answers)
            .unwrap()
            .iter()
            .map(|written| Unit::parse(&written.name, written.text.as_bytes()).unwrap())
            .filter(|unit| unit.name.kind() == "service")
            .collect();
        let is_job = |unit: &Unit| unit.service("Type") == "oneshot" && unit.name.prefix() != "acme-notify";
        let service = units.iter().find(|unit| !is_job(unit)).unwrap();
        let values = |unit: &Unit, key: &str| -> Vec<String> {
            let all = unit.all("Service", key).into_iter();
            all.map(|entry| entry.value.to_owned()).collect()
        };
        let jobs: Vec<&Unit> = units.iter().filter(|unit| is_job(unit)).collect();
        assert_eq!(jobs.len(), 3);
        for job in jobs {
            let sandbox = DIRECTIVES.iter().map(|directive| directive.key);
            for key in ["User", "Group", "UMask", "ReadWritePaths"].into_iter().chain(sandbox) {
                assert_eq!(values(job, key), values(service, key), "{} {key}", job.name);
            }
            assert_eq!(values(job, "User").join(" "), answers.user, "{}", job.name);
            let files = values(job, "EnvironmentFile");
            assert_eq!(files, ["-/etc/acme/env"], "{}", job.name);
            assert!(values(service, "EnvironmentFile").starts_with(&files));
        }
    }
}

#[test]
fn no_service_starts_before_its_first_release() {
    for answers in all() {
        let units = generate::units(&answers).unwrap();
        let name = if answers.is_template() {
            "acme@.service"
        } else {
            "acme.service"
        };
        let written = units.iter().find(|written| written.name == name).unwrap();
        let unit = Unit::parse(name, written.text.as_bytes()).unwrap();
        let live = if answers.is_template() {
            "/opt/acme/slots/%i"
        } else {
            "/opt/acme/current"
        };
        let condition = unit.get("Unit", "ConditionPathExists").map(|entry| entry.value);
        assert_eq!(condition, Some(live), "{}", written.text);
    }
}

fn analyze(arguments: &[&str], dir: &Path, names: &[String]) -> String {
    let mut command = Command::new("systemd-analyze");
    command.args(arguments).args(names.iter().map(|name| dir.join(name)));
    let output = command.env("SYSTEMD_UNIT_PATH", format!("{}:", dir.display())).ends();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// Lines that are about this machine, not about the units: programs that are not installed here, and files of others.
fn is_about_the_machine(line: &str) -> bool {
    line.trim().is_empty() || line.contains("is not executable: No such file or directory") || !line.contains("acme")
}

#[test]
fn systemd_has_nothing_to_say_about_a_generated_unit() {
    if !Path::new("/usr/bin/systemd-analyze").exists() {
        return;
    }
    for answers in all() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut names = Vec::new();
        for written in generate::units(&answers).unwrap() {
            fs::write(dir.path().join(&written.name), &written.text).unwrap();
            names.push(written.name.replace("@.", "@blue."));
        }
        fs::write(
            dir.path().join("postgresql.service"),
            "[Service]\nExecStart=/bin/true\n",
        )
        .unwrap();
        let said = analyze(&["verify", "--man=no"], dir.path(), &names);
        let said: Vec<&str> = said.lines().filter(|line| !is_about_the_machine(line)).collect();
        assert!(
            said.is_empty(),
            "{:?} {:?}: {said:#?}",
            answers.program,
            answers.strategy
        );
        for name in names.iter().filter(|name| name.ends_with(".service")) {
            let said = analyze(
                &["security", "--offline=true", "--threshold=20", "--no-pager"],
                dir.path(),
                std::slice::from_ref(name),
            );
            let verdict = said
                .lines()
                .find(|line| line.contains("Overall exposure level"))
                .unwrap_or_else(|| panic!("{said}"));
            let score: f32 = verdict
                .split(':')
                .nth(1)
                .unwrap()
                .trim()
                .split(' ')
                .next()
                .unwrap()
                .parse()
                .unwrap();
            assert!(score <= 2.0, "{:?} {name}: {score}\n{said}", answers.program);
        }
    }
}

#[test]
fn answers_that_would_break_out_of_their_line_are_refused() {
    let refused = |change: fn(&mut Answers)| {
        let mut answers = Answers::new("acme", Program::Node);
        change(&mut answers);
        generate::units(&answers).unwrap_err().answer
    };
    assert_eq!(refused(|a| a.app = "acme\nUser=root".into()), "app");
    assert_eq!(refused(|a| a.app = "../etc".into()), "app");
    assert_eq!(refused(|a| a.user = "root".into()), "user");
    let caddy = |a: &mut Answers| (a.program, a.strategy) = (Program::Static, Strategy::Socket);
    assert_eq!(refused(caddy), "strategy"); // it takes no socket from systemd
    assert_eq!(refused(|a| a.root = "/opt/a b".into()), "root");
    assert_eq!(refused(|a| a.root = "/opt/../etc".into()), "root");
    assert_eq!(
        refused(|a| a.command = Some("/bin/x\nExecStartPre=+/bin/y".into())),
        "command"
    );
    assert_eq!(refused(|a| a.command = Some("node server.js".into())), "command");
    assert_eq!(refused(|a| a.command = Some("/bin/a ; /bin/b".into())), "command");
    assert_eq!(refused(|a| a.command = Some("/bin/a 'b".into())), "command");
    assert_eq!(refused(|a| a.migrate = Some("/bin/x \\".into())), "migrate");
    assert_eq!(refused(|a| a.needs = vec!["x y.service".into()]), "needs");
    assert_eq!(refused(|a| (a.port, a.strategy) = (None, Strategy::Socket)), "port");
}
