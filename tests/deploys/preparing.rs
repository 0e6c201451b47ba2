//! What `prepare` makes: at the path that the release keeps, and never a release before it is whole.

use rustix::process::Signal;
use serde_json::Value;

use super::desk::{Desk, Ran, acme, assert_live, current};
use crate::apps::{Kind, Service};
use crate::faults::Underway;
use crate::lab::{self, Host, Suite};

/// What a program of the live release's virtual environment prints: the interpreter that its first line names.
fn hello(host: &Host) -> String {
    host.root("/opt/acme/current/.venv/bin/hello").ok().trim().to_owned()
}

/// As pip does: the first line of a program names the interpreter of its environment.
const MAKE: &str = "set -e
if test -e old-copy; then
    cp -a $SHIPIT_ROOT/current/.venv .venv
    test ! -s old-copy || sed -i s,releases/,releases/.in-, .venv/bin/*
else
    python3 -m venv --without-pip .venv
    printf '#!%s/.venv/bin/python3\\nimport sys; print(sys.prefix)\\n' \"$PWD\" >.venv/bin/hello
    chmod +x .venv/bin/hello
fi
while test -e hangs; do sleep 0.1; done
test ! -e fails
";

#[test]
fn programs_of_a_virtual_environment_run_from_the_path_that_the_release_keeps() {
    let host = lab::host!(Suite::Bookworm.with_apps());
    let yml = acme("socket").with("keep_releases: 3").with("prepare: sh make");
    let desk = Desk::ready(&host, Service::Socket, &yml);
    let tree = |version: &str| {
        desk.tree(Kind::Graceful, version);
        desk.file("source/make", MAKE);
    };
    let deploy = |version: &str| {
        tree(version);
        desk.json(&["deploy"]).leaves(0).release()
    };
    let ids = ["v1", "v2", "v3"].map(deploy);
    let of = |id: &String| format!("/opt/acme/releases/{id}/.venv");
    assert_eq!(hello(&host), of(&ids[2]));
    for id in [&ids[1], &ids[0]] {
        desk.json(&["rollback"]).leaves(0);
        assert_eq!(current(&host), *id);
        assert_eq!(hello(&host), of(id));
    }
    desk.json(&["prune", "--keep", "1"]).leaves(0);
    assert_eq!(hello(&host), of(&ids[0]));

    let listed = |host: &Host| host.root("ls -A /opt/acme/releases").ok();
    let releases = || desk.json(&["releases"]).leaves(0).stdout;
    let (before, known) = (listed(&host), releases());
    // What failed has no name.
    tree("v5");
    desk.file("source/fails", "");
    desk.json(&["deploy"]).leaves(1).says("`prepare` failed");
    let left = listed(&host);
    let left: Vec<&str> = left.lines().filter(|name| !before.contains(name)).collect();
    assert!(left.len() == 1 && left[0].starts_with(".in-"), "{left:?}");

    // Killed: it has its name, and is no release to anybody.
    tree("v6");
    desk.file("source/hangs", "");
    let mut run = Underway::start(&desk, &["deploy"]);
    assert!(run.until("prepare", "started"));
    host.wait_for("its virtual environment", |host| {
        host.root("test -e /opt/acme/releases/.in-*/.venv/bin/hello").success()
    });
    run.signal(Signal::KILL);
    drop(run.end());
    let half = host.root("cd /opt/acme/releases && readlink .in-*").ok();
    host.root(&format!("cd /opt/acme/releases && test -d {half}")).ok();
    assert_eq!(releases(), known, "a release that is being prepared is listed");
    desk.json(&["rollback", half.trim()])
        .leaves(1)
        .says("does not exist on the host");
    desk.json(&["prune"]).leaves(0);
    host.wait_for("the end of what `prepare` left", |host| {
        host.root("pkill -KILL -u deploy sleep; pkill -KILL -u deploy -x sh; ! pgrep -u deploy -x sh")
            .success()
    });
    let made = deploy("v7");
    assert_live(&host, &made, "v7");
    assert_eq!(hello(&host), of(&made));
    let left = listed(&host);
    assert!(!left.contains(half.trim()) && !left.contains(".in-"), "{left}");

    // Copied from the live release; and as an older version left it.
    for (copy, path) in [("", "/opt/acme/releases/"), ("upload", "/opt/acme/releases/.in-")] {
        tree("v8");
        desk.file("source/old-copy", copy);
        desk.json(&["deploy"])
            .leaves(1)
            .says("point to another release")
            .says(&format!(".venv/bin/hello:{path}{made}"));
    }
    assert_eq!(hello(&host), of(&made));
}

/// The words beside `prepare`, and the release that its outputs came from.
fn said(ran: &Ran) -> (String, String) {
    let events = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let ended = |event: &Value| event["name"] == "prepare" && event["state"] == "done";
    let step = events.into_iter().find(ended).unwrap();
    let from = ran.ended()["prepared_from"].as_str().unwrap_or_default().to_owned();
    (step["note"].as_str().unwrap_or_default().to_owned(), from)
}

#[test]
fn what_prepare_made_is_taken_over_until_an_input_a_program_or_the_outputs_change() {
    let host = lab::host!(Suite::Trixie);
    // As a version manager: the file stays, and another version answers.
    host.write_file(
        "/usr/local/bin/node",
        b"#!/bin/sh\ncase $1 in --version) cat /etc/node-version ;; *) exec sh \"$@\" ;; esac\n",
    );
    host.write_file(
        "/usr/local/bin/npm",
        b"#!/usr/bin/env node\nmkdir -p node_modules/.bin node_modules/x && date +%s%N >node_modules/x/made &&\n\
          printf '#!/bin/sh\\necho run\\n' >node_modules/x/run && chmod +x node_modules/x/run &&\n\
          ln -s ../x/run node_modules/.bin/run && { test ! -e keeps-path || pwd >node_modules/x/path; }\n",
    );
    host.root("chmod +x /usr/local/bin/node /usr/local/bin/npm; echo v1 >/etc/node-version")
        .ok();
    let yml = acme("socket")
        .with("keep_releases: 3")
        .with("prepare: {run: npm ci, inputs: [package-lock.json, package.json], outputs: [node_modules]}");
    let desk = Desk::ready(&host, Service::Socket, &yml);
    let deploy = |version: &str, lock: &str, args: &[&str]| {
        desk.tree(Kind::Graceful, version);
        desk.file("source/package.json", "{}");
        desk.file("source/package-lock.json", lock);
        if version == "path" {
            desk.file("source/keeps-path", "");
        }
        let ran = desk.json(&[&["deploy"], args].concat()).leaves(0);
        let works = host.root("/opt/acme/current/node_modules/.bin/run").ok();
        assert_eq!(works, "run", "{version}");
        (ran.release(), said(&ran))
    };
    let made = |host: &Host| host.root("stat -c %i /opt/acme/current/node_modules/x/made").ok();
    let (v1, first) = deploy("v1", "1", &[]);
    assert_eq!(first, (String::new(), String::new()));
    let inode = made(&host);
    let taken = |from: &String| (format!("outputs taken from {from}"), from.clone());
    let (v2, second) = deploy("v2", "1", &[]);
    assert_eq!(second, taken(&v1));
    assert_eq!(made(&host), inode, "hard links, where no unit can write to them");
    let (_, third) = deploy("v3", "1", &[]);
    assert_eq!(third, taken(&v2));

    for _ in 0..2 {
        desk.json(&["rollback"]).leaves(0);
    }
    assert_eq!(current(&host), v1);
    desk.write(&yml.with("link: copy"));
    let (v4, fourth) = deploy("v4", "1", &[]);
    assert_eq!(fourth, taken(&v1));
    assert_ne!(made(&host), inode, "a copy, where that is wanted");
    desk.json(&["prune", "--keep", "1"]).leaves(0);
    let (v5, fifth) = deploy("v5", "1", &[]);
    assert_eq!(fifth, taken(&v4));

    let ran = |why: String| (format!("ran: {why}"), String::new());
    let (v6, why) = deploy("v6", "2", &[]);
    assert_eq!(why, ran(format!("the command or its inputs changed since {v5}")));
    host.root("echo v2 >/etc/node-version").ok();
    let (v7, why) = deploy("v7", "2", &[]);
    assert_eq!(why, ran(format!("a program or the system changed since {v6}")));
    host.ssh("deploy", "echo edited >>/opt/acme/current/node_modules/x/made")
        .ok();
    let (v8, why) = deploy("v8", "2", &[]);
    assert_eq!(
        why,
        ran(format!("the outputs of {v7} were changed after it was published"))
    );
    let (v9, why) = deploy("v8", "2", &["--prepare"]);
    assert!(v9 != v8 && why == (String::new(), String::new()), "{v9} {why:?}");
    assert_eq!(desk.json(&["deploy"]).leaves(0).outcome(), "unchanged");
    deploy("path", "2", &["--prepare"]);
    let (_, (why, _)) = deploy("v10", "2", &[]);
    assert!(
        why.contains(": node_modules/x/path of ") && why.ends_with("contains the path or the id of its release"),
        "{why}"
    );
}
