//! The action's step on a runner: what `packaging/ci/run.sh` gives a job for a good deploy, a bad one and a canceled one.

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
