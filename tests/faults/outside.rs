//! The verdict from outside: it is good, it says no, it hangs, its connection or its client dies, its person leaves.

use rustix::process::Signal;

use super::{Underway, assert_whole, rest};
use crate::apps::{Kind, Service};
use crate::deploys::desk::{Desk, acme, assert_live};
use crate::lab::{self, Host, Suite};

/// A live host whose deploy.yml then has this command, for that long.
fn verified(host: &Host, command: &str, more: &str) -> (Desk, String) {
    let desk = Desk::ready(host, Service::Socket, &acme("socket"));
    let live = desk.deploy(Kind::Graceful, "v1");
    verify(&desk, command, more);
    (desk, live)
}

fn verify(desk: &Desk, command: &str, more: &str) {
    desk.write(&acme("socket").with(&format!("verify: {{run: '{command}'{more}}}")));
}

/// Starts a deploy of that version, up to where its verify command runs.
fn until_verify(desk: &Desk, version: &str) -> Underway {
    desk.tree(Kind::Graceful, version);
    let mut run = Underway::start(desk, &["deploy"]);
    assert!(run.until("await", "done"));
    assert!(run.until("verify", "started"));
    run
}

#[test]
fn the_verify_command_sees_the_new_release_and_its_no_takes_it_back_on_deploy_and_rollback() {
    let host = lab::host!(Suite::Bookworm);
    let told = "echo $SHIPIT_COMMAND $SHIPIT_RELEASE $SHIPIT_PREVIOUS >>told; ";
    let asks = format!("{told}curl -s http://{}/ >>told; test ! -e no", host.web(8080));
    let (desk, v1) = verified(&host, &asks, "");
    let v2 = desk.deploy(Kind::Graceful, "v2");
    let heard = std::fs::read_to_string(desk.path("told")).unwrap();
    assert_eq!(heard.trim(), format!("deploy {v2} {v1}\nv2"));

    desk.file("no", "");
    desk.tree(Kind::Graceful, "v3");
    let ran = desk.json(&["deploy"]).leaves(3).says("the verify command failed");
    let ran = ran.says("exit status 1").says("failed and was reverted");
    assert!(!ran.steps().contains(&"switch confirm".to_owned()), "{ran}");
    assert_live(&host, &v2, "v2");

    desk.json(&["rollback"]).leaves(3).says("the verify command failed");
    assert_live(&host, &v2, "v2");
}

#[test]
fn a_verify_command_that_hangs_is_waited_for_as_long_as_it_may_take() {
    let host = lab::host!(Suite::Trixie);
    let (desk, v1) = verified(&host, "exec sleep 100", ", timeout: 2s");
    desk.tree(Kind::Graceful, "v2");
    let ran = desk.json(&["deploy"]).leaves(3);
    ran.says("no verdict within 2s").says("it took too long");
    assert_live(&host, &v1, "v1");

    verify(&desk, "exec sleep 100", ", timeout: 2s, otherwise: confirm");
    desk.tree(Kind::Graceful, "v3");
    let ran = desk.json(&["deploy"]).leaves(0).says("confirms without it");
    assert_live(&host, &ran.release(), "v3");

    // A service that dies while the command runs is no good release, whatever the command says.
    verify(&desk, &dies(&host), "");
    desk.tree(Kind::Graceful, "v4");
    desk.json(&["deploy"]).leaves(3).says("acme.service");
    assert_live(&host, &ran.release(), "v3");
}

/// A command line that kills the service, from here, and waits until systemd has seen it.
fn dies(host: &Host) -> String {
    format!(
        "ssh -F /dev/null -i {} -o UserKnownHostsFile={} root@{} \"systemctl kill -s KILL acme.service; \
         until systemctl show -p NRestarts acme.service | grep -q [1-9]; do sleep 0.1; done\"",
        host.identity().display(),
        host.known_hosts().display(),
        host.address()
    )
}

#[test]
fn a_client_or_a_connection_that_dies_in_the_verify_command_leaves_no_switch_hanging() {
    let host = lab::host!(Suite::Bookworm);
    let (desk, v1) = verified(&host, "touch asked; exec sleep 3000", ", timeout: 20s");

    let run = until_verify(&desk, "killed");
    run.signal(Signal::KILL);
    drop(run.end());
    rest(&host);
    assert_whole(&host);
    assert_live(&host, &v1, "v1");

    let run = until_verify(&desk, "left");
    run.signal(Signal::INT);
    let ran = run.end().leaves(3).says("canceled by a user");
    assert_eq!(ran.outcome(), "reverted");
    assert_live(&host, &v1, "v1");

    // The connection is dropped while the command runs: its word travels over another one.
    verify(&desk, "while ! test -e go; do sleep 0.1; done", ", timeout: 5m");
    let run = until_verify(&desk, "dropped");
    host.root("pkill -KILL -u deploy sshd").ok();
    desk.file("go", "");
    let ran = run.end().leaves(0);
    assert_live(&host, &ran.release(), "dropped");
}
