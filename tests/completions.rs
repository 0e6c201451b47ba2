//! Manual pages, and what shells complete: commands, and values of deploy.yml and of a host.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::apps::Service;
use crate::bounds::Ends as _;
use crate::deploys::desk::{Desk, acme, current};
use crate::docs::commands;
use crate::lab::{self, Suite};

#[test]
fn every_command_has_a_manual_page_and_a_completion() {
    let shipit = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_shipit")).args(args).ends();
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let dir = tempfile::tempdir().unwrap();
    shipit(&["man", "--dir", dir.path().to_str().unwrap()]);
    // The scripts ask the program, so that those of another version work too.
    let bash = "source <(shipit completions bash); COMP_WORDS=(shipit '') COMP_CWORD=1 COMP_TYPE=9
        _clap_complete_shipit shipit '' shipit; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let program = Path::new(env!("CARGO_BIN_EXE_shipit")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let completed = Command::new("bash").args(["-c", bash]).env("PATH", path).ends();
    let completed = String::from_utf8(completed.stdout).unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(shipit(&["completions", shell]).contains("SHIPIT_COMPLETE"), "{shell}");
    }
    for command in commands() {
        let name = command.get_name();
        for one in std::iter::once(None).chain(command.get_subcommands().map(Some)) {
            let words = one.map_or(name.to_owned(), |one| format!("{name}-{}", one.get_name()));
            if words.ends_with("-help") {
                continue;
            }
            let page = std::fs::read_to_string(dir.path().join(format!("shipit-{words}.1"))).expect(&words);
            assert!(
                page.contains(".SH SYNOPSIS") && page.contains("Example:"),
                "{words}:\n{page:.300}"
            );
        }
        assert!(
            completed.lines().any(|word| word == name),
            "no completion of {name}: {completed}"
        );
    }
}

/// What a shell shows after these words.
fn completed(desk: &Desk, words: &[&str]) -> String {
    let typed = desk.command(words);
    let mut shell = Command::new(typed.get_program());
    shell.args(["--", "shipit"]).args(typed.get_args()).arg("");
    shell.current_dir(desk.path("")).env_clear().stdin(Stdio::null());
    shell.envs(typed.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = shell.env("SHIPIT_COMPLETE", "fish").ends();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_shell_completes_services_and_the_releases_that_the_host_has() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Notify, &acme("restart"));
    assert!(completed(&desk, &["restart"]).starts_with("acme.service\n"));
    let live = format!("{}\tlive\n", current(&host));
    // The host has two seconds to answer, and a busy one needs a second try.
    host.wait_for("its releases", |_| completed(&desk, &["rollback"]).starts_with(&live));
    assert!(completed(&desk, &["report"]).contains("\tdeploy of "));
    host.root("systemctl stop ssh.socket ssh.service").ok();
    assert!(
        completed(&desk, &["logs", "--release"]).starts_with(&live),
        "remembered"
    );
    // What deploy.yml and the program have needs no host.
    let yml = std::fs::read_to_string(desk.path("deploy.yml")).unwrap();
    desk.file(
        "deploy.yml",
        &format!("{yml}environments:\n  staging: {{}}\n  production: {{}}\n"),
    );
    let environments = completed(&desk, &["status", "-e"]);
    let mut environments: Vec<&str> = environments.lines().collect();
    environments.sort_unstable();
    assert_eq!(environments, ["production", "staging"]);
    desk.file("deploy.yml", &yml);
    let rules = completed(&desk, &["unit", "explain"]);
    assert!(
        rules
            .lines()
            .any(|line| line == "root-path\tA path that root opens in a place where others can change it"),
        "{rules}"
    );
    // A host that takes connections and says nothing, and an answer from long ago: a command waits longer than a shell does.
    let port = host.ssh_port();
    let silent = format!("import signal, socket; s = socket.create_server(('', {port})); signal.pause()");
    host.root(&format!("systemd-run --unit=silent python3 -c \"{silent}\""))
        .ok();
    host.wait_for("a host that says nothing", |host| {
        !host.root(&format!("ss -Hltn 'sport = :{port}'")).stdout.is_empty()
    });
    let kept = std::fs::read_dir(desk.path(".cache/shipit/completions"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let text = std::fs::read_to_string(&kept).unwrap();
    std::fs::write(&kept, format!("1000000000\n{}", text.split_once('\n').unwrap().1)).unwrap();
    let mut waits = desk
        .command(&["status"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    assert!(completed(&desk, &["rollback"]).starts_with(&live), "what was known");
    assert!(waits.try_wait().unwrap().is_none(), "status waits for the host");
    waits.kill().unwrap();
    drop(waits.ends());
    // Nothing of another app, and nothing where no deploy.yml is right.
    desk.file("deploy.yml", "app: [");
    assert!(!completed(&desk, &["rollback"]).contains(&live));
}
