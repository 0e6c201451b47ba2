//! A pipeline's steps on a runner: what those of `action.yml` install, what they give a job of GitHub for a good deploy, a
//! bad one and a canceled one, and what the job of the GitLab component does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_yaml::Value;

use super::desk::{Desk, acme, assert_live, current};
use crate::apps::{Kind, Service};
use crate::bounds::Ends as _;
use crate::lab::{self, Suite};

/// A step of `action.yml`, as a runner starts it: its line in its shell, and in its environment only what it names.
fn step(home: &Path, name: &str, inputs: &[(&str, &str)]) -> Command {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let action: Value = serde_yaml::from_str(&fs::read_to_string(top.join("action.yml")).unwrap()).unwrap();
    let steps = action["runs"]["steps"].as_sequence().unwrap();
    let step = steps.iter().find(|step| step["name"] == name).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_shipit")).parent().unwrap();
    for file in ["outputs", "summary", "path"] {
        fs::write(home.join(file), "").unwrap();
    }
    let mut command = Command::new(step["shell"].as_str().unwrap());
    command
        .args(["-e", "-c", step["run"].as_str().unwrap()])
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", program.display()))
        .env("HOME", home)
        .env("RUNNER_TEMP", home)
        .env("GITHUB_ACTION_PATH", top)
        .env("GITHUB_OUTPUT", home.join("outputs"))
        .env("GITHUB_STEP_SUMMARY", home.join("summary"))
        .env("GITHUB_PATH", home.join("path"))
        .current_dir(home)
        .stdin(Stdio::null());
    for (key, value) in step["env"].as_mapping().unwrap() {
        let value = value.as_str().unwrap();
        let name = value
            .strip_prefix("${{ ")
            .and_then(|rest| rest.strip_suffix(" }}"))
            .unwrap();
        let value = match name.strip_prefix("inputs.") {
            Some(input) => {
                let given = inputs
                    .iter()
                    .find(|(known, _)| *known == input)
                    .map(|(_, value)| *value);
                given.unwrap_or_else(|| action["inputs"][input]["default"].as_str().expect(input))
            }
            None if name == "github.action_repository" => "acme/shipit",
            None if name == "github.token" => "token",
            None => panic!("{name}"),
        };
        command.env(key.as_str().unwrap(), value);
    }
    // What the action promises is what the step writes.
    for (name, output) in action["outputs"].as_mapping().unwrap() {
        let name = name.as_str().unwrap();
        assert_eq!(output["value"], format!("${{{{ steps.run.outputs.{name} }}}}").as_str());
    }
    command
}

#[test]
fn a_job_gets_the_outcome_as_outputs_and_a_summary_and_the_key_is_gone() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    // deploy.yml has nobody's host: the environment does.
    let yml = fs::read_to_string(desk.path("deploy.yml")).unwrap();
    let login = format!("host: deploy@{}:{}\n", host.address(), host.ssh_port());
    let yml = yml.replace(&login, "host: deploy@nowhere.invalid\n") + "environments:\n  live:\n    " + &login;
    desk.file("deploy.yml", &yml);
    let identity = fs::read_to_string(host.identity()).unwrap();
    let known_hosts = fs::read_to_string(host.known_hosts()).unwrap();
    let job = |command| {
        let inputs = [
            ("command", command),
            ("environment", "live"),
            ("identity", identity.as_str()),
            ("host-key", known_hosts.as_str()),
        ];
        step(&desk.path(""), "Run shipit", &inputs)
    };
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
    let ran = job("deploy --wait").ends();
    assert_eq!(ran.status.code(), Some(0), "{ran:?}");
    let v2 = output("release");
    assert_live(&host, &v2, "v2");
    assert_eq!((output("outcome").as_str(), output("live")), ("deployed", v2.clone()));
    let lines = String::from_utf8_lossy(&ran.stdout).into_owned();
    let ended: Value = serde_yaml::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!(
        output("failed-probes"),
        ended["downtime"]["failed"].as_u64().unwrap().to_string()
    );
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
    let ran = job("deploy --wait").ends();
    assert_eq!(ran.status.code(), Some(3), "{ran:?}");
    assert_eq!((output("outcome").as_str(), output("live")), ("reverted", v2.clone()));
    assert!(read("summary").contains("answered 500"), "{}", read("summary"));

    // Canceled: the runner signals the shell alone.
    desk.tree(Kind::Hanging, "v4");
    let canceled = job("deploy --wait")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    host.wait_for("the flip", |host| current(host) != v2);
    let shell = rustix::process::Pid::from_child(&canceled);
    rustix::process::kill_process(shell, rustix::process::Signal::INT).unwrap();
    assert_ne!(canceled.ends().status.code(), Some(0));
    assert_live(&host, &v2, "v2");
    assert_eq!(left(), 0, "the key stayed");

    // What is not a command at all still tells the job how it ended.
    let ran = job("deploi").ends();
    assert_eq!(ran.status.code(), Some(2), "{ran:?}");
    assert!(read("summary").contains("exit status 2"), "{}", read("summary"));
}

/// A program `gh` in place of GitHub's: it hands over the files of `release/`, and believes an attestation unless the
/// file `forged` exists.
const GH: &str = r#"#!/bin/sh
case "$1 $2" in
  'release download') [ "$3 $4 $5 $6" = 'v1.2.3 --repo acme/shipit --dir' ] && cp "$HOME"/release/* "$7" ;;
  'attestation verify') [ -f "$3" ] && [ "$4 $5" = '--repo acme/shipit' ] && [ ! -e "$HOME/forged" ] ;;
  *) exit 9 ;;
esac
"#;

#[test]
fn a_release_is_put_on_the_path_only_if_its_hash_and_its_attestation_are_right() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path();
    let name = "shipit-1.2.3-x86_64-unknown-linux-gnu";
    let shell = |line: &str| {
        let ran = Command::new("sh").args(["-ec", line]).current_dir(home).ends();
        assert!(ran.status.success(), "{ran:?}");
    };
    for (file, text) in [
        ("bin/gh", GH),
        (&format!("{name}/shipit"), "#!/bin/sh\necho downloaded\n"),
    ] {
        fs::create_dir_all(home.join(file).parent().unwrap()).unwrap();
        fs::write(home.join(file), text).unwrap();
    }
    shell(&format!(
        "chmod 755 bin/gh {name}/shipit; mkdir release; tar -czf release/{name}.tar.gz {name}"
    ));
    shell("cd release; sha256sum *.tar.gz >SHA256SUMS");
    let install = |version: &str, path: &str| {
        let mut step = step(home, "Install shipit", &[("version", version)]);
        let ran = step.env("PATH", path).ends();
        (ran.status.code(), fs::read_to_string(home.join("path")).unwrap())
    };
    let path = format!("{}:/usr/bin:/bin", home.join("bin").display());
    let (code, added) = install("1.2.3", &path);
    assert_eq!(code, Some(0));
    let ran = Command::new(Path::new(added.trim()).join("shipit")).ends();
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "downloaded\n");

    fs::write(home.join("forged"), "").unwrap();
    let (code, added) = install("1.2.3", &path);
    assert!(code != Some(0) && added.is_empty(), "without an attestation");
    fs::remove_file(home.join("forged")).unwrap();
    shell(&format!("echo more >>release/{name}.tar.gz"));
    let (code, added) = install("1.2.3", &path);
    assert!(code != Some(0) && added.is_empty(), "another hash");
    for version in ["../1.2.3", "-1", "1.2.3;id", "1.2.3 x"] {
        assert_eq!(install(version, &path), (Some(2), String::new()), "{version}");
    }

    // No version: it has to be installed.
    let own = Path::new(env!("CARGO_BIN_EXE_shipit")).parent().unwrap();
    assert_eq!(install("", &format!("{}:/usr/bin:/bin", own.display())).0, Some(0));
    assert_eq!(install("", "/usr/bin:/bin").0, Some(2));
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
