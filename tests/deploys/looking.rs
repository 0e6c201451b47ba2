//! What only looks: plan, status, releases, logs, doctor. Nothing changes, and it says what is.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use super::desk::{Desk, acme, assert_rest, current};
use crate::apps::{Kind, Service};
use crate::bounds::{Ends as _, Patient};
use crate::lab::{self, Suite};

#[test]
fn looking_says_what_is_and_changes_nothing() {
    let host = lab::host!(Suite::Trixie);
    let yml =
        acme("socket").with("migrate: acme-migrate.service\nhooks: {before_switch: ./smoke.sh}\nkeep_releases: 1");
    let desk = Desk::ready(&host, Service::Socket, &yml);
    desk.file("smoke.sh", "exit 0\n");
    desk.write(&acme("socket").with("migrate: acme-migrate.service\nkeep_releases: 1"));
    let v0 = desk.deploy(Kind::Graceful, "v0");
    let v1 = desk.deploy(Kind::Graceful, "v1");
    let same = format!("unchanged: {v1} is live and has the same content, so a deploy would change nothing");
    desk.shipit(&["plan"]).leaves(0).says(&same);
    desk.write(&yml);
    desk.tree(Kind::Graceful, "v2");
    std::fs::remove_dir_all(desk.path("source/public")).unwrap();
    desk.file("source/new.txt", "new\n");
    desk.file("source/ca.pem", "TOKEN=1\n");
    let tree = "cd /opt/acme && find . -printf '%p %l %T@\\n' | sort | sha256sum";
    let (before, life) = (host.root(tree).ok(), host.unit("acme.service", "InvocationID"));

    desk.shipit(&["plan"])
        .leaves(0)
        .says("2 added, 1 changed, 2 removed")
        .says("warning: may be a secret, and every user of the host can read it: ca.pem")
        .says("+ new.txt")
        .says("~ version")
        .says("- public/index.html")
        .says("before_switch: ./smoke.sh")
        .says(&format!("deploy {v1} -> "))
        .says("migrate   acme-migrate.service")
        .says("socket    restart acme.service while acme.socket holds the port")
        .says("http://127.0.0.1:8080/healthz healthy within 40s")
        .says(&format!("flip      current -> releases/{v1}"))
        .says(&format!("prune     {v0}"));
    let plan = desk.json(&["plan"]).leaves(0).stdout;
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    crate::docs::as_shown("bytes_to_send", &plan);
    assert_eq!(plan["unchanged"], false);
    assert_eq!(
        (plan["v"].as_u64(), plan["command"].as_str()),
        (Some(1), Some("deploy"))
    );
    assert_eq!(plan["previous"].as_str(), Some(v1.as_str()));
    assert_eq!(plan["changes"]["changed"], serde_json::json!(["version"]));
    assert_eq!(plan["commands"], serde_json::json!({"before_switch": "./smoke.sh"}));
    let names = |list: &str| -> Vec<String> {
        let steps = plan[list].as_array().unwrap().iter();
        steps.map(|step| step["name"].as_str().unwrap().to_owned()).collect()
    };
    assert!(names("switch").contains(&"migrate".to_owned()), "{plan}");
    assert!(names("revert").contains(&"flip".to_owned()), "{plan}");
    assert!(names("settle").contains(&"prune".to_owned()), "{plan}");
    let warned = plan["warnings"].as_array().unwrap().iter();
    assert!(
        warned.map(|text| text.to_string()).any(|text| text.contains("ca.pem")),
        "{plan}"
    );
    desk.shipit(&["status", "-v"])
        .leaves(0)
        .says(&format!("acme runs {v1} (verified)"))
        .says("acme.service: active (running) for ")
        .says("acme.socket: active (running)")
        .says("shipit-acme.path: active");
    let status: serde_json::Value = serde_json::from_str(&desk.json(&["status"]).stdout).unwrap();
    assert_eq!(status["live"].as_str(), Some(v1.as_str()));
    assert!(status["switch"].is_null() && status["degraded"].is_null());
    let listed: serde_json::Value =
        serde_json::from_str(desk.json(&["releases"]).stdout.lines().next().unwrap()).unwrap();
    assert_eq!(
        (
            listed["release"].as_str(),
            listed["state"].as_str(),
            listed["live"].as_bool()
        ),
        (Some(v1.as_str()), Some("verified"), Some(true))
    );
    assert!(listed["by"].as_str().unwrap().starts_with("ann@"));
    host.root("journalctl --sync").ok();
    desk.shipit(&["logs"])
        .leaves(0)
        .says("version v1 starts")
        .says("migrating to v1");
    desk.shipit(&["logs", "--unit", "ssh.service"])
        .leaves(2)
        .says("ssh.service is not a unit of this app");
    desk.shipit(&["doctor", "-v"])
        .leaves(0)
        .says("systemd 257")
        .says("a deploy can start");
    desk.json(&["attach"]).leaves(0);
    desk.shipit(&["setup", "--print"]).leaves(0).says("NOPASSWD");
    assert_eq!(host.root(tree).ok(), before, "looking changed something");
    assert_eq!(host.unit("acme.service", "InvocationID"), life);
    assert_eq!(current(&host), v1);
    assert_rest(&host);
}

#[test]
fn followed_logs_show_new_lines_until_they_are_stopped() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    let mut child = desk
        .command(&["logs", "-f"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(Patient(child.stdout.take().unwrap())).lines();
    assert!(lines.any(|line| line.unwrap().contains("version v1 starts")));
    host.root("systemctl restart acme.service").ok();
    assert!(
        lines.any(|line| line.unwrap().contains("version v1 starts")),
        "a new life"
    );
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    drop(child.ends());
    // Who reads them may have enough: `| head`.
    let mut child = desk.command(&["logs", "-f"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(Patient(child.stdout.take().unwrap())).lines();
    lines.next().unwrap().unwrap();
    drop(lines);
    host.root("systemctl restart acme.service").ok();
    assert_eq!(child.ends().status.code(), Some(0));
}

#[test]
fn an_app_that_writes_escape_sequences_cannot_reach_the_terminal() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Notify, &acme("restart"));
    desk.tree(Kind::Graceful, "v2");
    desk.file(
        "source/server.py",
        "import sys\nsys.stderr.write('\\x1b[2Jgone\\x07 \\u202e\\n')\nsys.exit(4)\n",
    );
    let ran = desk.shipit(&["deploy"]).leaves(3);
    ran.says("\\x1b[2Jgone\\x07")
        .never_says("\x1b[2J")
        .never_says("\u{202e}");
}
