//! What a host may look like when somebody comes back to it: left by crashes, torn by power cuts, changed by hand.
//! Each is put on a real host before a deploy; it is tidied, passed over, or refused with the words that say so.

use super::{Underway, assert_one_at_a_time, assert_whole, rest};
use crate::apps::{Kind, Service};
use crate::deploys::desk::{Desk, acme, answer, assert_live, current};
use crate::deploys::held::{go, hold, may_hold};
use crate::lab::{self, Host, Suite};

/// As the deploy user would have left it, in the app's root.
fn leave(host: &Host, deed: &str) {
    host.ssh("deploy", &format!("cd /opt/acme && {deed}")).ok();
}

/// v1 and v2 were live; a socket that nobody cuts.
fn live(host: &Host) -> Desk {
    let desk = Desk::live(host, Service::Socket, &acme("socket"));
    desk.deploy(Kind::Graceful, "v2");
    desk
}

#[test]
fn what_a_crash_leaves_stands_in_nobodys_way_and_is_tidied() {
    let host = lab::host!(Suite::Bookworm);
    let desk = live(&host);
    let cases = [
        // An upload and a removal that died, with directories that cannot be written.
        "mkdir -p releases/.in-x/d releases/.del-y/d .shipit/releases/.in-x && touch releases/.in-x/d/f \
         && chmod 500 releases/.in-x/d releases/.del-y/d",
        // Links half made.
        "ln -s releases/none .shipit/current.tmp; ln -s x .shipit/current.gone; ln -s x .shipit/next.tmp; ln -s releases/none next",
        "mkdir .shipit/spare.tmp && touch .shipit/spare.tmp/request",
        // The spare run, the prepared links, the conductor.
        "rm -rf .shipit/spare",
        "rm -rf .shipit/spare && touch .shipit/spare",
        "rm -rf .shipit/links",
        "rm .shipit/conductor",
        "echo 'exit 1' >.shipit/conductor",
        // The record: torn, garbage, numbers that are none.
        "printf '2026-01-01T00:00:00Z 9 r beg' >>.shipit/ledger",
        "printf '\\033[2J \\000\\000 x\\n\\377\\376\\n\\n' >>.shipit/ledger",
        "echo '2026-01-01T00:00:00Z 9223372036854775807 r begin x' >>.shipit/ledger",
        "echo '2026-01-01T00:00:00Z -5 r begin x' >>.shipit/ledger",
        // What is kept beside the live release.
        "rm -rf .shipit/releases/$(basename $(readlink current))",
        "cp $(ls -d .shipit/runs/*/request | tail -n 1) .shipit/degraded",
    ];
    for (n, deed) in cases.iter().enumerate() {
        leave(&host, deed);
        let version = format!("after-{n}");
        desk.tree(Kind::Graceful, &version);
        let ran = desk.json(&["deploy"]);
        assert_eq!(ran.code(), Some(0), "{deed}: {ran}");
        assert_live(&host, &ran.release(), &version);
    }
    // What is removed is renamed first; the rest of an earlier removal goes with the next.
    let before = current(&host);
    desk.json(&["rollback"]).leaves(0);
    assert_ne!(current(&host), before);
    desk.json(&["prune", "--keep", "2"]).leaves(0);
    let hidden = host.root("ls -A /opt/acme/releases | grep '^[.]'; ls /opt/acme/.shipit | grep tmp");
    assert_eq!(hidden.stdout, "", "left");
    desk.shipit(&["status"]).leaves(0).never_says("degraded");
    desk.shipit(&["releases"]).leaves(0).never_says("\u{1b}");
}

#[test]
fn a_request_that_nobody_can_carry_out_is_put_aside_and_holds_nobody_up() {
    let host = lab::host!(Suite::Trixie);
    let desk = live(&host);
    for (n, deed) in [
        ": >.shipit/request",
        "printf 'shipit 4\\nrun none\\nepoch 1\\nend\\n' >.shipit/request",
        "mkdir -p .shipit/request/d",
        "mkfifo .shipit/request",
        "head -c 100 $(ls -d .shipit/runs/*/request | tail -n 1) >.shipit/request",
        "cp $(ls -d .shipit/runs/*/request | tail -n 1) .shipit/request",
    ]
    .iter()
    .enumerate()
    {
        let before = current(&host);
        leave(&host, deed);
        host.wait_for(deed, |host: &Host| {
            host.root("test ! -e /opt/acme/.shipit/request -a ! -L /opt/acme/.shipit/request")
                .success()
        });
        assert_eq!(current(&host), before, "{deed}");
        assert_whole(&host);
        let version = format!("after-{n}");
        desk.tree(Kind::Graceful, &version);
        let ran = desk.json(&["deploy"]).leaves(0);
        assert_live(&host, &ran.release(), &version);
    }
    // What the guard does not see, and what it would see if it ran: nobody waits for either.
    for (deed, kind) in [
        ("ln -s nowhere .shipit/request", "symbolic link"),
        ("ln -sf /dev/zero .shipit/request", "symbolic link"),
        ("ln -sf pipe .shipit/request; mkfifo .shipit/pipe", "symbolic link"),
        ("rm .shipit/request; mv .shipit/pipe .shipit/request", "fifo"),
    ] {
        host.root("systemctl stop shipit-acme.path").ok();
        leave(&host, deed);
        desk.shipit(&["status"]).leaves(0).says(&format!(
            "`.shipit/request` is a {kind}, not a request: the next deploy moves it aside"
        ));
    }
    desk.shipit(&["doctor"])
        .says("/opt/acme/.shipit/request is a fifo, not a request");
    desk.shipit(&["restart"]).leaves(0);
    leave(&host, "rm .shipit/request; ln -s nowhere .shipit/request");
    host.root("systemctl start shipit-acme.path").ok();
    let good = desk.deploy(Kind::Graceful, "at-last");
    assert_live(&host, &good, "at-last");
    desk.shipit(&["status"]).never_says("in the place");
    assert_one_at_a_time(&host);
}

#[test]
fn a_switch_whose_evidence_is_taken_away_under_it_leaves_a_release_that_runs() {
    let host = lab::host!(Suite::Bookworm);
    let desk = live(&host);
    desk.write(&may_hold(acme("socket")));
    desk.tree(Kind::Graceful, "v3");
    hold(&desk, "v3");
    let mut run = Underway::start(&desk, &["deploy"]);
    assert!(run.until("await", "started"));
    leave(&host, "rm -rf .shipit/runs/*");
    go(&host, "v3");
    drop(run.end());
    rest(&host);
    assert_whole(&host);
    let good = desk.deploy(Kind::Graceful, "v4");
    assert_live(&host, &good, "v4");
}

#[test]
fn what_cannot_be_read_or_stands_elsewhere_is_named_and_nothing_changes() {
    let host = lab::host!(Suite::Bookworm);
    let desk = live(&host);
    let before = current(&host);
    desk.tree(Kind::Graceful, "v3");
    for (deed, undo, words) in [
        (
            "chmod 000 .shipit/ledger",
            "chmod 644 .shipit/ledger",
            "cannot read: ledger",
        ),
        (
            "mv .shipit/ledger l && mkdir .shipit/ledger",
            "rmdir .shipit/ledger && mv l .shipit/ledger",
            "cannot read: ledger",
        ),
        ("mv .shipit/runs r", "mv r .shipit/runs", "is not set up for shipit"),
        (
            "mv .shipit/runs r && touch .shipit/runs",
            "rm .shipit/runs && mv r .shipit/runs",
            "/opt/acme/.shipit/runs is not a directory",
        ),
        (
            "mv releases r && ln -s r releases",
            "rm releases && mv r releases",
            "/opt/acme/releases is a symlink",
        ),
        (
            "mv .shipit s && ln -s s .shipit",
            "rm .shipit && mv s .shipit",
            "/opt/acme/.shipit is a symlink",
        ),
        ("chmod 000 .shipit", "chmod 700 .shipit", "cannot read: .shipit"),
        (
            "rm .shipit/conductor && mkdir .shipit/conductor",
            "rmdir .shipit/conductor",
            "the conductor could not be installed on the host",
        ),
    ] {
        leave(&host, deed);
        let ran = desk.json(&["deploy"]);
        assert_eq!(ran.code(), Some(1), "{deed}: {ran}");
        ran.says(words);
        desk.json(&["rollback"]).leaves(1).says(words);
        leave(&host, undo);
        assert_live(&host, &before, "v2");
    }
    // Somebody else's: what root took over, nobody else may hold.
    host.root("chown root: /opt/acme/.shipit").ok();
    desk.json(&["deploy"])
        .leaves(1)
        .says("is not writable by deploy")
        .says("sudo chown -h deploy: /opt/acme/.shipit");
    let login = format!("root@{}", host.address());
    desk.shipit(&["setup", "--yes", "--as", &login])
        .leaves(1)
        .says("/opt/acme/.shipit belongs to root, another user")
        .says("# after you fix that");
    host.root("chown -h deploy: /opt/acme/.shipit").ok();
    let good = desk.deploy(Kind::Graceful, "v3");
    assert_live(&host, &good, "v3");
}

#[test]
fn a_release_that_was_deleted_by_hand_is_missed_and_never_offered() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    let v1 = current(&host);
    let v2 = desk.deploy(Kind::Graceful, "v2");
    let v3 = desk.deploy(Kind::Graceful, "v3");
    leave(&host, &format!("rm -rf releases/{v2}"));
    desk.json(&["rollback", &v2])
        .leaves(1)
        .says(&format!("release {v2} was removed from the host"));
    desk.json(&["deploy", "--release", &v2]).leaves(1);
    assert_live(&host, &v3, "v3");
    desk.json(&["rollback"]).leaves(0);
    assert_live(&host, &v1, "v1");

    // The live one: the process runs on, but `current` leads nowhere, and the way out is said.
    let v4 = desk.deploy(Kind::Graceful, "v4");
    leave(&host, &format!("rm -rf releases/{v4}"));
    for command in ["deploy", "rollback"] {
        desk.json(&[command])
            .leaves(1)
            .says(&format!("current is a symlink to release {v4}, which does not exist"));
    }
    let said = desk.shipit(&["doctor"]).leaves(1).stdout;
    let line = said
        .lines()
        .find_map(|line| Some(line.split_once("ln -sfnT ")?.1.split_once(" && ")?.0))
        .unwrap_or_else(|| panic!("no way out: {said}"));
    leave(&host, &format!("ln -sfnT {line}"));
    let ran = desk.json(&["deploy", "--restart"]).leaves(0);
    assert_live(&host, &ran.release(), "v4");
    assert_eq!(answer(&host), "v4");
    rest(&host);
}
