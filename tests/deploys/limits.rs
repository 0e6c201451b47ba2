//! `max_gap` and `max_failed`: a switch that loses more is reverted by the host.

use super::desk::{Desk, acme, assert_live};
use crate::apps::{Kind, Service};
use crate::lab::{self, Suite};

#[test]
fn a_switch_that_loses_more_than_the_limits_is_reverted_with_the_numbers_and_a_rollback_is_not() {
    let host = lab::host!(Suite::Bookworm);
    let generous = acme("restart").with("max_failed: 1000\nmax_gap: 10m");
    let desk = Desk::live(&host, Service::Notify, &generous);
    let v2 = desk.deploy(Kind::Graceful, "v2");

    desk.write(&acme("restart").with("max_failed: 0"));
    desk.tree(Kind::SlowStart, "v3");
    let ran = desk
        .json(&["deploy"])
        .leaves(3)
        .says("requests failed during the switch, more than max_failed (0); the longest gap was ");
    assert_eq!(ran.outcome(), "reverted");
    assert!(ran.steps().contains(&"revert await acme.service".to_owned()), "{ran}");
    assert!(ran.ended()["downtime"]["failed"].as_u64() > Some(0), "{ran}");
    assert_live(&host, &v2, "v2");

    desk.write(&acme("restart").with("max_gap: 500ms"));
    desk.tree(Kind::SlowStart, "v4");
    desk.json(&["deploy"])
        .leaves(3)
        .says("longer than max_gap (500ms)")
        .says("lost too many requests and was reverted");
    assert_live(&host, &v2, "v2");

    // Who goes back wants the old release at any price.
    desk.write(&acme("restart").with("max_failed: 0\nmax_gap: 100ms"));
    desk.json(&["rollback"]).leaves(0);
}
