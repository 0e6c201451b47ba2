//! Hooks run here, with what shipit knows in the environment, around deploys and rollbacks alike.

use super::desk::{Desk, acme, assert_live, current};
use crate::apps::{Kind, Service};
use crate::lab::{self, Suite};

const HOOKS: &str = r#"hooks:
  before_switch: 'echo "before $SHIPIT_COMMAND $SHIPIT_APP $SHIPIT_RELEASE $SHIPIT_PREVIOUS $SHIPIT_OUTCOME" >> told; test ! -e veto'
  after_switch: 'echo "after $SHIPIT_COMMAND $SHIPIT_APP $SHIPIT_RELEASE $SHIPIT_PREVIOUS $SHIPIT_OUTCOME" >> told; test ! -e veto-after'
  on_failure: 'echo "failure $SHIPIT_COMMAND $SHIPIT_APP $SHIPIT_RELEASE $SHIPIT_PREVIOUS $SHIPIT_OUTCOME" >> told; test ! -e facts.sh || sh facts.sh'"#;

fn told(desk: &Desk) -> Vec<String> {
    let told = std::fs::read_to_string(desk.path("told")).unwrap_or_default();
    drop(std::fs::remove_file(desk.path("told")));
    told.lines().map(|line| line.trim_end().to_owned()).collect()
}

#[test]
fn hooks_hear_what_happens_and_before_switch_can_stop_it() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::ready(&host, Service::Socket, &acme("socket").with(HOOKS));
    let v1 = desk.deploy(Kind::Graceful, "v1");
    assert_eq!(
        told(&desk),
        [
            format!("before deploy acme {v1}"),
            format!("after deploy acme {v1}  deployed")
        ]
    );
    let v2 = desk.deploy(Kind::Graceful, "v2");
    assert_eq!(
        told(&desk),
        [
            format!("before deploy acme {v2} {v1}"),
            format!("after deploy acme {v2} {v1} deployed")
        ]
    );
    desk.json(&["deploy"]).leaves(0);
    assert!(told(&desk).is_empty(), "nothing happened");

    desk.file("veto", "");
    desk.tree(Kind::Graceful, "v3");
    let ran = desk.shipit(&["deploy"]).leaves(1);
    ran.says("`before_switch` failed").says("nothing live changed");
    assert_live(&host, &v2, "v2");
    let heard = told(&desk);
    assert!(
        heard[0].starts_with("before deploy acme ") && heard[0].ends_with(&v2),
        "{heard:?}"
    );
    assert_eq!(heard[1], heard[0].replace("before", "failure") + " failed", "{heard:?}");

    // The same on a rollback.
    desk.shipit(&["rollback"]).leaves(1).says("`before_switch` failed");
    assert_live(&host, &v2, "v2");
    let heard = told(&desk);
    assert_eq!(heard[0], format!("before rollback acme {v1} {v2}"));
    assert_eq!(heard[1], format!("failure rollback acme {v1} {v2} failed"));
    std::fs::remove_file(desk.path("veto")).unwrap();
    desk.json(&["rollback"]).leaves(0);
    assert_eq!(
        told(&desk),
        [
            format!("before rollback acme {v1} {v2}"),
            format!("after rollback acme {v1} {v2} rolled_back")
        ]
    );

    // A prune is no deploy: nobody is told that something went live.
    desk.json(&["prune"]).leaves(0);
    assert_eq!(told(&desk), [""; 0]);
}

/// sshd closes a connection that leaves its question without a reply for 4 seconds: the build and the hook take longer.
#[test]
fn a_slow_build_or_hook_does_not_cost_the_connection_that_the_switch_needs() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::ready(
        &host,
        Service::Socket,
        &acme("socket").with("build: sleep 11\nhooks: {before_switch: sleep 11}"),
    );
    let idle = "printf 'ClientAliveInterval 4\\nClientAliveCountMax 1\\n' >/etc/ssh/sshd_config.d/idle.conf && systemctl restart ssh";
    host.root(idle).ok();
    desk.tree(Kind::Graceful, "v1");
    let logins = || {
        let lines = host.root("journalctl -b --no-pager -t sshd -t sshd-session").stdout;
        lines.matches("Accepted publickey").count()
    };
    let before = logins();
    let ran = desk.json(&["deploy"]).leaves(0).never_says("the connection");
    assert_eq!(current(&host), ran.release());
    assert_eq!(logins() - before, 1);
}

#[test]
fn what_a_host_lacks_is_said_before_the_build() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::at(&host, "ann");
    desk.write(&acme("socket").with("build: touch built"));
    desk.tree(Kind::Graceful, "v1");
    desk.shipit(&["deploy"])
        .leaves(1)
        .says("the host is not ready for acme");
    // Nobody listens there.
    let yml = std::fs::read_to_string(desk.path("deploy.yml")).unwrap();
    desk.file("deploy.yml", &yml.replace(":22\n", ":9\n"));
    desk.shipit(&["deploy"]).leaves(6).says("cannot connect to ");
    assert!(!desk.path("built").exists());
}

#[test]
fn a_release_that_is_taken_back_pages_and_an_after_hook_that_fails_only_warns() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::ready(&host, Service::Socket, &acme("socket").with(HOOKS));
    let v1 = desk.deploy(Kind::Graceful, "v1");
    told(&desk);
    desk.tree(Kind::Unhealthy, "v2");
    desk.file(
        "facts.sh",
        "cp \"$SHIPIT_EVENT\" event; printf '%s\\n' \"$SHIPIT_EVENT\" \"$SHIPIT_RUN\" \"$SHIPIT_SECONDS\" \"$SHIPIT_DOWNTIME\" \
         \"$SHIPIT_CAUSE\" \"$SHIPIT_AUTHOR $SHIPIT_BRANCH $SHIPIT_REVISION\" >facts\n",
    );
    let git = "git init -qb trunk . && git -c user.name=Ann -c user.email=a@example.com commit -qm x --allow-empty";
    let made = std::process::Command::new("sh")
        .args(["-c", git])
        .current_dir(desk.path(""))
        .status();
    assert!(made.unwrap().success());
    let ran = desk.json(&["deploy"]).leaves(3);
    let (v2, ended) = (ran.release(), ran.ended());
    // All that is known of the end, and the last event in a file that is gone when the hook is.
    let facts = std::fs::read_to_string(desk.path("facts")).unwrap();
    let facts: Vec<&str> = facts.lines().collect();
    assert!(!std::path::Path::new(facts[0]).exists(), "{facts:?}");
    assert!(
        host.root(&format!("test -d /opt/acme/.shipit/runs/{}", facts[1]))
            .success(),
        "{facts:?}"
    );
    assert!(
        facts[2].parse::<f64>().unwrap() > 0.0 && facts[3].parse::<f64>().unwrap() > 0.0,
        "{facts:?}"
    );
    assert!(
        facts[4].starts_with(&format!("{v2} failed and was reverted: ")),
        "{facts:?}"
    );
    let revision = facts[5].strip_prefix("Ann trunk ").unwrap();
    assert!(revision.len() == 40, "{facts:?}");
    let mut event: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(desk.path("event")).unwrap()).unwrap();
    for late in ["at", "seconds"] {
        event[late] = ended[late].clone();
    }
    assert_eq!(event, ended);
    std::fs::remove_file(desk.path("facts.sh")).unwrap();
    assert_eq!(
        told(&desk),
        [
            format!("before deploy acme {v2} {v1}"),
            format!("failure deploy acme {v2} {v1} reverted")
        ]
    );
    desk.file("veto-after", "");
    desk.tree(Kind::Graceful, "v3");
    let ran = desk.shipit(&["deploy"]).leaves(0);
    ran.says("hook `after_switch` failed: exit status 1");
    assert_eq!(told(&desk).len(), 2);
    assert_ne!(current(&host), v1);
}
