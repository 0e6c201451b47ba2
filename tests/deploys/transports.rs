//! A host key that is pinned in deploy.yml, and the ssh program instead of the built-in ssh.

use std::process::Command;

use super::desk::{Desk, acme, assert_live};
use super::terminal::at_a_terminal;
use crate::apps::{Kind, Service};
use crate::bounds::Ends as _;
use crate::lab::{self, Host, Suite};

fn fingerprint(host: &Host, kind: &str) -> String {
    let line = format!("ssh-keygen -lf /etc/ssh/ssh_host_{kind}_key.pub");
    let said = host.root(&line).ok();
    said.split(' ').nth(1).unwrap().to_owned()
}

#[test]
fn a_pinned_host_key_is_the_only_one_accepted() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    for kind in ["ed25519", "ecdsa"] {
        let pin = format!("host_key: \"{}\"", fingerprint(&host, kind));
        desk.write(&acme("socket").with(&pin));
        let release = desk.deploy(Kind::Graceful, kind);
        assert_live(&host, &release, kind);
    }
    // The key is in known_hosts; only the pin counts.
    let other = format!("host_key: \"SHA256:{}\"", "A".repeat(43));
    desk.write(&acme("socket").with(&other));
    desk.json(&["deploy"])
        .leaves(6)
        .says("does not have the pinned host key")
        .says(&fingerprint(&host, "ed25519"));
    // The ssh program cannot check a pin, so it is refused.
    desk.json(&["deploy", "--system-ssh"])
        .leaves(2)
        .says("cannot be checked with --system-ssh");
}

#[test]
fn the_ssh_program_carries_everything_that_the_built_in_ssh_does() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    let go = |args: &[&str]| {
        let args: Vec<&str> = args.iter().copied().chain(["--system-ssh"]).collect();
        desk.json(&args)
    };
    desk.tree(Kind::Graceful, "v2");
    let v2 = go(&["deploy"]).leaves(0).release();
    assert_live(&host, &v2, "v2");
    go(&["deploy"]).leaves(0).says("unchanged");
    desk.tree(Kind::CrashAtStart, "v3");
    let ran = go(&["deploy"]).leaves(3);
    assert!(ran.journal().contains("cannot open the database"), "{ran}");
    assert_live(&host, &v2, "v2");
    let v1 = go(&["rollback"]).leaves(0).release();
    assert_live(&host, &v1, "v1");
    host.root("journalctl --sync").ok();
    desk.shipit(&["logs", "--system-ssh"])
        .leaves(0)
        .says("version v2 starts");
    desk.shipit(&["doctor", "--system-ssh"]).leaves(0);
    let root = format!("root@{}", host.address());
    desk.shipit(&["setup", "--yes", "--as", &root, "--system-ssh"])
        .leaves(0);
    // At a terminal ssh asks for what it needs, and Ctrl-C there ends both.
    let key = desk.command(&[]);
    let key = key.get_args().skip_while(|word| *word != "--identity").nth(1).unwrap();
    let locked = desk.path("locked");
    std::fs::copy(key, &locked).unwrap();
    let lock = Command::new("ssh-keygen")
        .args(["-q", "-p", "-P", "", "-N", "open sesame", "-f"])
        .arg(&locked)
        .ends();
    assert!(lock.status.success(), "{lock:?}");
    let status = ["status", "--system-ssh", "-i", locked.to_str().unwrap()];
    for (answer, code) in [("open sesame\n", 0), ("\x03", 1)] {
        let (shown, left) = at_a_terminal(&desk, &status, &[("passphrase", answer)]);
        assert_eq!(left, Some(code), "{shown}");
    }
    let mut away = Desk::at(&host, "bob");
    away.by_way_of(&host, "127.0.0.1:1".parse().unwrap());
    away.write(&acme("socket"));
    away.tree(Kind::Graceful, "v4");
    away.json(&["deploy", "--system-ssh"])
        .leaves(6)
        .says("the ssh program cannot log in")
        .says("refused");
}
