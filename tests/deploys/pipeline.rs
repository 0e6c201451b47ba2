//! A pipeline's step on a runner: what `packaging/ci/run.sh` gives a job of GitHub for a good deploy, a bad one and a
//! canceled one, and what the job of the GitLab component does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::desk::{Desk, acme, assert_live, current};
use crate::apps::{Kind, Service};
use crate::bounds::Ends as _;
use crate::lab::{self, Host, Suite};

/// The step, as a runner starts it: only inputs in its environment.
fn step(host: &Host, desk: &Desk, command: &str) -> Command {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = Path::new(env!("CARGO_BIN_EXE_shipit")).parent().unwrap();
    for file in ["outputs", "summary"] {
        desk.file(file, "");
    }
    let mut step = Command::new(top.join("packaging/ci/run.sh"));
    step.env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", program.display()))
        .env("HOME", desk.path(""))
        .env("RUNNER_TEMP", desk.path("source/.."))
        .env("GITHUB_OUTPUT", desk.path("outputs"))
        .env("GITHUB_STEP_SUMMARY", desk.path("summary"))
        .env("COMMAND", command)
        .env("ENVIRONMENT", "")
        .env("IDENTITY", fs::read_to_string(host.identity()).unwrap())
        .env("HOST_KEY", fs::read_to_string(host.known_hosts()).unwrap())
        .current_dir(desk.path(""))
        .stdin(Stdio::null());
    step
}

#[test]
fn a_job_gets_the_outcome_as_outputs_and_a_summary_and_the_key_is_gone() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    let read = |file| fs::read_to_string(desk.path(file)).unwrap();
    let output = |name: &str| {
        let line = read("outputs")
            .lines()
            .find_map(|line| Some(line.strip_prefix(name)?.strip_prefix('=')?.to_owned()));
        line.unwrap_or_else(|| panic!("no {name} in {}", read("outputs")))
    };
    let left = || {
        let entries = fs::read_dir(desk.path(""))
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        entries
            .filter(|name| name.to_string_lossy().starts_with("shipit-"))
            .count()
    };

    desk.tree(Kind::Graceful, "v2");
    let ran = step(&host, &desk, "deploy --wait").ends();
    assert_eq!(ran.status.code(), Some(0), "{ran:?}");
    let v2 = output("release");
    assert_live(&host, &v2, "v2");
    assert_eq!((output("outcome").as_str(), output("live")), ("deployed", v2.clone()));
    output("failed-probes").parse::<u32>().expect("a number of probes");
    assert!(
        read("summary").contains(&format!("| live | {v2} |")),
        "{}",
        read("summary")
    );
    assert!(
        String::from_utf8_lossy(&ran.stdout)
            .lines()
            .all(|line| line.starts_with('{')),
        "{ran:?}"
    );

    desk.tree(Kind::Unhealthy, "v3");
    let ran = step(&host, &desk, "deploy --wait").ends();
    assert_eq!(ran.status.code(), Some(3), "{ran:?}");
    assert_eq!((output("outcome").as_str(), output("live")), ("reverted", v2.clone()));
    assert!(read("summary").contains("answered 500"), "{}", read("summary"));

    // Canceled: the runner signals the shell alone.
    desk.tree(Kind::Hanging, "v4");
    let job = step(&host, &desk, "deploy --wait")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    host.wait_for("the flip", |host| current(host) != v2);
    let shell = rustix::process::Pid::from_child(&job);
    rustix::process::kill_process(shell, rustix::process::Signal::INT).unwrap();
    assert_ne!(job.ends().status.code(), Some(0));
    assert_live(&host, &v2, "v2");
    assert_eq!(left(), 0, "the key stayed");

    // What is not a command at all still tells the job how it ended.
    let ran = step(&host, &desk, "deploi").ends();
    assert_eq!(ran.status.code(), Some(2), "{ran:?}");
    assert!(read("summary").contains("exit status 2"), "{}", read("summary"));
}

/// gitlab-ci-local of this machine, if it has one: it fills in the component's inputs, checks the job with GitLab's
/// schema, and runs it as GitLab's shell executor does.
fn runner() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/lint/node/node_modules/.bin/gitlab-ci-local");
    let found = path.exists().then_some(path);
    if found.is_none() {
        lab::leave_out("no gitlab-ci-local here (scripts/lib.sh: need_node)");
    }
    found
}

/// Runs the component's job in a checkout whose pipeline includes it with these inputs.
fn gitlab(runner: &Path, desk: &Desk, inputs: &str) -> std::process::Output {
    let checkout = desk.path("checkout");
    let component = "$CI_SERVER_FQDN/$CI_PROJECT_PATH/deploy@$CI_COMMIT_SHA";
    desk.file(
        "checkout/.gitlab-ci.yml",
        &format!("stages: [deploy]\ninclude:\n  - component: {component}\n    inputs: {{image: none, {inputs}}}\n"),
    );
    let commit = "git init -q . && git add templates .gitlab-ci.yml && \
        git remote add origin https://gitlab.invalid/acme/shipit.git 2>/dev/null; \
        git -c user.name=acme -c user.email=acme@acme.invalid commit -q --allow-empty -m pipeline";
    let made = Command::new("sh").args(["-c", commit]).current_dir(&checkout).ends();
    assert!(made.status.success(), "{made:?}");
    let program = Path::new(env!("CARGO_BIN_EXE_shipit")).parent().unwrap();
    Command::new(runner)
        .args(["--force-shell-executor", "--no-color", "shipit"])
        .env(
            "PATH",
            format!("{}:{}", program.display(), std::env::var("PATH").unwrap()),
        )
        .env("HOME", desk.path(""))
        .env("TMPDIR", desk.path("tmp"))
        .current_dir(checkout)
        .stdin(Stdio::null())
        .ends()
}

#[test]
fn the_gitlab_component_deploys_the_environment_and_leaves_no_key() {
    let host = lab::host!(Suite::Bookworm);
    let Some(runner) = runner() else { return };
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    for directory in ["checkout/templates", "tmp"] {
        fs::create_dir_all(desk.path(directory)).unwrap();
    }
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::copy(
        top.join("templates/deploy.yml"),
        desk.path("checkout/templates/deploy.yml"),
    )
    .unwrap();
    // A variable of type "file", as a project of GitLab has it in its settings.
    let key = fs::read_to_string(host.identity()).unwrap().replace('\n', "\n      ");
    desk.file(
        "checkout/.gitlab-ci-local-variables.yml",
        &format!(
            "DEPLOY_KEY:\n  type: file\n  values:\n    \"*\": |\n      {}\n",
            key.trim_end()
        ),
    );
    let host_key = host.root("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub").ok();
    let host_key = host_key.split(' ').nth(1).unwrap().to_owned();
    // deploy.yml has nobody's host: the environment does.
    let yml = fs::read_to_string(desk.path("deploy.yml")).unwrap();
    let login = format!("host: deploy@{}:{}\n", host.address(), host.ssh_port());
    assert!(yml.contains(&login), "{yml}");
    let yml = yml.replace(&login, "host: deploy@nowhere.invalid\n") + "environments:\n  live:\n    " + &login;
    desk.file("checkout/deploy.yml", &format!("{yml}host_key: {host_key}\n"));
    let release = |kind, version| {
        let tree = crate::apps::release(kind, version);
        let copied = Command::new("cp")
            .args(["-rT", tree.path().to_str().unwrap()])
            .arg(desk.path("checkout/source"))
            .ends();
        assert!(copied.status.success(), "{copied:?}");
    };
    let lines = || fs::read_to_string(desk.path("checkout/shipit.jsonl")).unwrap();
    let ended = || serde_json::from_str::<serde_json::Value>(lines().lines().last().unwrap()).unwrap();

    release(Kind::Graceful, "v2");
    let ran = gitlab(&runner, &desk, "environment: live");
    assert_eq!(ran.status.code(), Some(0), "{ran:?}");
    assert_eq!(ended()["outcome"], "deployed", "{}", lines());
    let live = ended()["live"].as_str().unwrap().to_owned();
    assert_live(&host, &live, "v2");
    let log = String::from_utf8_lossy(&ran.stdout).into_owned();
    for line in lines().lines() {
        assert!(log.contains(line), "not in the job's log: {line}\n{log}");
    }
    let artifact = desk.path("checkout/.gitlab-ci-local/artifacts/shipit/shipit.jsonl");
    assert_eq!(fs::read_to_string(artifact).unwrap(), lines());

    release(Kind::Unhealthy, "v3");
    let ran = gitlab(&runner, &desk, "environment: live");
    assert_ne!(ran.status.code(), Some(0), "{ran:?}");
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(said.contains("FAIL 3"), "the job's exit status: {said}");
    assert_eq!(ended()["outcome"], "reverted", "{}", lines());
    assert_live(&host, &live, "v2");
    assert_eq!(fs::read_dir(desk.path("tmp")).unwrap().count(), 0, "the key stayed");

    // Without the environment it is nobody's host; the name of the key's variable is an input too.
    let ran = gitlab(&runner, &desk, "identity: DEPLOY_KEY");
    assert_ne!(ran.status.code(), Some(0), "{ran:?}");
    assert!(lines().contains("nowhere.invalid"), "{}", lines());
    let ran = gitlab(
        &runner,
        &desk,
        "environment: live, command: status, identity: OTHER_KEY",
    );
    assert_ne!(ran.status.code(), Some(0), "{ran:?}");
}
