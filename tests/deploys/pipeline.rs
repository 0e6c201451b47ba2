//! A pipeline's step on a runner: what `packaging/ci/run.sh` gives a job of GitHub for a good deploy, a bad one and a
//! canceled one, and what the script of the GitLab component does.

use std::fs;
use std::path::Path;
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

/// The component's job, with its inputs filled in as GitLab does it before it reads the YAML.
fn job(inputs: &[(&str, &str)]) -> serde_yaml::Value {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = fs::read_to_string(top.join("templates/deploy.yml")).unwrap();
    let (head, body) = file.split_once("\n---\n").unwrap();
    let head: serde_yaml::Value = serde_yaml::from_str(head).unwrap();
    let mut body = body.to_owned();
    for (name, input) in head["spec"]["inputs"].as_mapping().unwrap() {
        let name = name.as_str().unwrap();
        let given = inputs.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        let value = given.or_else(|| input.get("default")?.as_str());
        let value = value.unwrap_or_else(|| panic!("{name} has no value"));
        body = body.replace(&format!("$[[ inputs.{name} ]]"), value);
    }
    assert!(!body.contains("[["), "{body}");
    let body: serde_yaml::Value = serde_yaml::from_str(&body).unwrap();
    body["shipit"].clone()
}

/// The job's script in the shell of GitLab's runner, in a checkout.
fn gitlab(host: &Host, desk: &Desk, inputs: &[(&str, &str)]) -> std::process::Output {
    let job = job(inputs);
    let lines = job["script"].as_sequence().unwrap().iter();
    let script: Vec<&str> = lines.map(|line| line.as_str().unwrap()).collect();
    let program = Path::new(env!("CARGO_BIN_EXE_shipit")).parent().unwrap();
    // A variable of type "file": others can read it.
    let key = desk.path("DEPLOY_KEY.tmp");
    fs::copy(host.identity(), &key).unwrap();
    fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let mut shell = Command::new("bash");
    shell
        .args(["-eo", "pipefail", "-c", &script.join("\n")])
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", program.display()))
        .env("HOME", desk.path(""))
        .env("TMPDIR", desk.path("tmp"))
        .env("DEPLOY_KEY", &key)
        .current_dir(desk.path("checkout"))
        .stdin(Stdio::null());
    // What the runner does with `variables`: a name with `$` in front stands for the value of that variable.
    for (name, value) in job["variables"].as_mapping().unwrap() {
        let value = value.as_str().unwrap_or("");
        let value = match value.strip_prefix('$') {
            Some("DEPLOY_KEY") => key.to_str().unwrap(),
            _ => value,
        };
        shell.env(name.as_str().unwrap(), value);
    }
    shell.ends()
}

#[test]
fn the_script_of_the_gitlab_component_deploys_the_environment_and_leaves_no_key() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    fs::create_dir_all(desk.path("checkout")).unwrap();
    fs::create_dir_all(desk.path("tmp")).unwrap();
    let key = host.root("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub").ok();
    let key = key.split(' ').nth(1).unwrap().to_owned();
    // deploy.yml has nobody's host: the environment does.
    let yml = fs::read_to_string(desk.path("deploy.yml")).unwrap();
    let login = format!("host: deploy@{}:{}\n", host.address(), host.ssh_port());
    assert!(yml.contains(&login), "{yml}");
    let yml = yml.replace(&login, "host: deploy@nowhere.invalid\n") + "environments:\n  live:\n    " + &login;
    desk.file("checkout/deploy.yml", &format!("{yml}host_key: {key}\n"));
    let release = |kind, version| {
        let tree = crate::apps::release(kind, version);
        let copied = Command::new("cp")
            .args(["-rT", tree.path().to_str().unwrap()])
            .arg(desk.path("checkout/source"))
            .ends();
        assert!(copied.status.success(), "{copied:?}");
    };

    release(Kind::Graceful, "v2");
    let inputs = [("image", "none"), ("environment", "live")];
    let ran = gitlab(&host, &desk, &inputs);
    assert_eq!(ran.status.code(), Some(0), "{ran:?}");
    let lines = fs::read_to_string(desk.path("checkout/shipit.jsonl")).unwrap();
    let last: serde_json::Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!(last["outcome"], "deployed", "{lines}");
    assert_live(&host, last["live"].as_str().unwrap(), "v2");
    assert_eq!(String::from_utf8_lossy(&ran.stdout), lines, "the job's log");

    release(Kind::Unhealthy, "v3");
    let ran = gitlab(&host, &desk, &inputs);
    assert_eq!(ran.status.code(), Some(3), "{ran:?}");
    assert_live(&host, last["live"].as_str().unwrap(), "v2");
    assert_eq!(fs::read_dir(desk.path("tmp")).unwrap().count(), 0, "the key stayed");

    // Without the environment it is nobody's host.
    let ran = gitlab(&host, &desk, &[("image", "none")]);
    assert_ne!(ran.status.code(), Some(0), "{ran:?}");
}
