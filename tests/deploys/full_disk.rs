//! A full disk: a deploy is refused before anything is sent, a rollback still works.

use super::desk::{Desk, acme, answer, current};
use crate::apps::{Kind, Service};
use crate::lab::{self, Host, Suite};

/// On a host whose disk is full in that way.
fn refuses_and_rolls_back(suite: Suite, fill: impl Fn(&Host), lack: &str) {
    let host = lab::host!(suite.with_small_disk("60M"));
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    let v1 = current(&host);
    let v2 = desk.deploy(Kind::Graceful, "v2");
    fill(&host);
    desk.tree(Kind::Graceful, "v3");
    for command in ["plan", "deploy"] {
        desk.shipit(&[command])
            .leaves(1)
            .says("not enough free")
            .says(lack)
            .says("nothing was sent or changed; a rollback still works")
            .says("shipit prune");
    }
    assert_eq!((current(&host), answer(&host)), (v2, "v2".to_owned()));

    let ran = desk.json(&["rollback"]).leaves(0);
    assert_eq!(ran.outcome(), "rolled_back");
    assert_eq!((current(&host), answer(&host)), (v1.clone(), "v1".to_owned()));
    desk.shipit(&["status"])
        .leaves(0)
        .says(&format!("acme runs {v1} (verified)"));

    host.free_disk();
    let v3 = desk.deploy(Kind::Graceful, "v3");
    super::desk::assert_live(&host, &v3, "v3");
    // And once more: the room for it was taken again.
    fill(&host);
    desk.json(&["rollback"]).leaves(0);
    assert_eq!((current(&host), answer(&host)), (v1, "v1".to_owned()));
}

#[test]
fn without_a_free_block_a_deploy_is_refused_and_a_rollback_works() {
    refuses_and_rolls_back(Suite::Bookworm, Host::fill_disk_blocks, "disk space");
}

#[test]
fn without_a_free_inode_a_deploy_is_refused_and_a_rollback_works() {
    refuses_and_rolls_back(Suite::Trixie, Host::fill_disk_inodes, "inodes");
}
