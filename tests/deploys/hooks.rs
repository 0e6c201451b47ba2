//! Hooks run here, with what shipit knows in the environment, around deploys and rollbacks alike.

use super::desk::{Desk, acme, assert_live, current};
use crate::apps::{Kind, Service};
use crate::lab::{self, Suite};

const HOOKS: &str = r#"hooks:
  before_switch: 'echo "before $SHIPIT_COMMAND $SHIPIT_APP $SHIPIT_RELEASE $SHIPIT_PREVIOUS $SHIPIT_OUTCOME" >> told; test ! -e veto'
  after_switch: 'echo "after $SHIPIT_COMMAND $SHIPIT_APP $SHIPIT_RELEASE $SHIPIT_PREVIOUS $SHIPIT_OUTCOME" >> told; test ! -e veto-after'
  on_failure: 'echo "failure $SHIPIT_COMMAND $SHIPIT_APP $SHIPIT_RELEASE $SHIPIT_PREVIOUS $SHIPIT_OUTCOME" >> told'"#;

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

#[test]
fn a_release_that_is_taken_back_pages_and_an_after_hook_that_fails_only_warns() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::ready(&host, Service::Socket, &acme("socket").with(HOOKS));
    let v1 = desk.deploy(Kind::Graceful, "v1");
    told(&desk);
    desk.tree(Kind::Unhealthy, "v2");
    let v2 = desk.json(&["deploy"]).leaves(3).release();
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
