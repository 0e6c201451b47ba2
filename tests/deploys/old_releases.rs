//! What is removed, what stays, and what is none of shipit's business: other people's trees and links.

use super::desk::{Desk, acme, answer, assert_live, current};
use crate::apps::{ACME, Kind, Service};
use crate::lab::{self, Host, Suite};

fn there(host: &Host) -> Vec<String> {
    let listed = host.root("ls -A /opt/acme/releases").ok();
    listed.lines().map(str::to_owned).collect()
}

#[test]
fn prune_keeps_the_newest_good_ones_the_last_bad_one_and_what_is_not_its_own() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::ready(&host, Service::Socket, &acme("socket").with("keep_releases: 3"));
    host.ssh(
        "deploy",
        "mkdir /opt/acme/releases/by-hand /opt/acme/releases/20200101-000000",
    )
    .ok();
    let mut ids: Vec<String> = Vec::new();
    for version in ["v1", "v2", "v3"] {
        ids.push(desk.deploy(Kind::Graceful, version));
    }
    for version in ["x1", "x2"] {
        desk.tree(Kind::Unhealthy, version);
        ids.push(desk.json(&["deploy"]).leaves(3).release());
    }
    // Files of another user in a release: what cannot be removed must not fail a deploy.
    host.root(&format!(
        "mkdir /opt/acme/releases/{0}/cache && touch /opt/acme/releases/{0}/cache/x && chmod 700 /opt/acme/releases/{0}/cache",
        ids[0]
    ))
    .ok();
    ids.push(desk.deploy(Kind::Graceful, "v4"));
    let (v1, v2, v3, x1, x2, v4) = (&ids[0], &ids[1], &ids[2], &ids[3], &ids[4], &ids[5]);
    let left = there(&host);
    for kept in [v2, v3, x2, v4, &"by-hand".to_owned(), &"20200101-000000".to_owned()] {
        assert!(left.contains(kept), "{kept}: {left:?}");
    }
    for gone in [v1, x1] {
        assert!(!left.contains(gone), "{gone}: {left:?}");
    }
    let listed = desk.shipit(&["releases"]).leaves(0).stdout;
    // Whole words: a release of the same second is named after this one.
    let named = listed.split_whitespace().any(|word| word == v1.as_str());
    assert!(!named, "{listed}");

    let ran = desk.json(&["prune", "--keep", "2"]).leaves(0);
    assert_eq!(ran.outcome(), "pruned");
    let left = there(&host);
    assert!(left.contains(v3) && left.contains(v4) && !left.contains(v2), "{left:?}");
    assert_live(&host, v4, "v4");
    desk.json(&["rollback"]).leaves(0);
    assert_live(&host, v3, "v3");
}

#[test]
fn a_release_that_a_process_still_runs_from_is_kept() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::ready(&host, Service::Socket, &acme("socket").with("keep_releases: 1"));
    let v1 = desk.deploy(Kind::Graceful, "v1");
    host.root(&format!(
        "systemd-run --quiet --unit=job --uid=deploy --working-directory=/opt/acme/releases/{v1} sleep infinity"
    ))
    .ok();
    let v2 = desk.deploy(Kind::Graceful, "v2");
    let v3 = desk.deploy(Kind::Graceful, "v3");
    assert_eq!(there(&host), [v1.clone(), v2.clone(), v3.clone()]);
    host.root("systemctl stop job").ok();
    let ran = desk.shipit(&["prune"]).leaves(0);
    let line = ran.stderr.lines().find(|line| line.starts_with("  pruned "));
    assert!(line.is_some_and(|line| line.ends_with(&format!("  {v1}"))), "{ran}");
    // The one before the live one stays whatever keep_releases says: there must be a way back.
    assert_eq!(there(&host), [v2, v3]);
}

/// Its working directory is not to be read by the deploy user: root's helper is asked, and without it nothing goes.
#[test]
fn a_release_that_a_process_of_another_user_runs_from_is_kept() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::ready(&host, Service::Socket, &acme("socket").with("keep_releases: 1"));
    let v1 = desk.deploy(Kind::Graceful, "v1");
    host.root("systemd-run --quiet --unit=job --uid=nobody --working-directory=/opt/acme/current sleep infinity")
        .ok();
    let v2 = desk.deploy(Kind::Graceful, "v2");
    desk.tree(Kind::Graceful, "v3");
    let ran = desk.json(&["deploy"]).leaves(0);
    let v3 = ran.release();
    ran.says(&format!("{v1} is in use by process")).says("of nobody: kept");
    assert_eq!(there(&host), [v1.clone(), v2.clone(), v3.clone()]);

    host.root("mv /usr/local/lib/shipit/acme/journal /root/").ok();
    let ran = desk.json(&["prune"]).leaves(0);
    let ran = ran.says("nothing was removed").says("grep /opt/acme/releases/");
    // The line that it prints shows which process that is.
    let printed = format!("{}{}", ran.stdout, ran.stderr);
    let line = printed.split("as root `").nth(1).unwrap().split('`').next().unwrap();
    let (shown, pid) = (host.root(line).stdout, host.unit("job.service", "MainPID"));
    assert!(
        shown.contains(&format!("/proc/{pid}/cwd")) && shown.contains(&v1),
        "{line}: {shown}"
    );
    host.root("systemctl stop job").ok();
    assert_eq!(there(&host), [v1, v2.clone(), v3.clone()]);
    host.root("mv /root/journal /usr/local/lib/shipit/acme/").ok();
    desk.json(&["prune"]).leaves(0);
    assert_eq!(there(&host), [v2, v3]);
}

/// More releases than the ledger's end has lines: each is known, whatever came after it.
#[test]
fn a_tree_of_twelve_hundred_adopted_releases_is_pruned_at_once_and_rolled_back() {
    let host = lab::host!(Suite::Trixie);
    ACME.install_units(&host, Service::Socket);
    host.root(
        "mkdir -p /opt/acme/releases && cd /opt/acme/releases && for n in $(seq 1001 2200); do mkdir 2024010100$n; done; \
         ln -s releases/20240101002200 ../current",
    )
    .ok();
    let desk = Desk::at(&host, "ann");
    desk.write(&acme("socket").with("keep_releases: 5"));
    desk.setup();
    let listed = desk.shipit(&["releases"]).leaves(0).stdout;
    assert_eq!(listed.matches("verified").count(), 1200);
    let v1 = desk.deploy(Kind::Graceful, "v1");
    let kept = (2197..=2200).map(|n| format!("2024010100{n}"));
    let kept: Vec<String> = kept.chain([v1]).collect();
    assert_eq!(there(&host), kept);
    let listed = desk.shipit(&["releases"]).leaves(0).stdout;
    assert_eq!(listed.matches("verified").count(), 5, "{listed}");
    // What was adopted is a way back, if it holds the app.
    let v1 = there(&host).pop().unwrap();
    host.root(&format!(
        "cd /opt/acme/releases && cp -a {v1}/. 20240101002200 && echo adopted >20240101002200/version"
    ))
    .ok();
    desk.json(&["rollback"]).leaves(0);
    assert_live(&host, "20240101002200", "adopted");
}

/// Three hundred deploys, as their runs would have recorded them: each release stays known, and can be gone back to.
#[test]
fn three_hundred_deploys_with_four_hundred_to_keep_lose_none() {
    let host = lab::host!(Suite::Bookworm);
    let yml = acme("socket").with("keep_releases: 400");
    let desk = Desk::ready(&host, Service::Socket, &yml);
    let v1 = desk.deploy(Kind::Graceful, "v1");
    host.ssh(
        "deploy",
        &format!(
            "set -e; cd /opt/acme/.shipit; n=0
            while [ $n -lt 300 ]; do
                id=$(printf '20240101-%02d%02d00' $((n / 60)) $((n % 60))) epoch=$((n + 2))
                cp -al ../releases/{v1} ../releases/$id && rm ../releases/$id/version && echo old-$n >../releases/$id/version
                mkdir releases/$id && cp releases/{v1}/info releases/$id && ln -s releases/$id links/$id
                at=2024-01-01T00:00:00Z run=20240101-000000-$(printf %08x $n)
                echo \"$at - - staged $id\"
                for line in \"begin $id command=deploy\" \"live $id\" \"verified $id\"; do echo \"$at $epoch $run $line\"; done
                n=$((n + 1))
            done >>ledger
            ln -sfnT releases/$id ../current"
        ),
    )
    .ok();
    host.root("systemctl restart acme.service").ok();
    let v2 = desk.deploy(Kind::Graceful, "v2");
    let listed = desk.shipit(&["releases"]).leaves(0).stdout;
    assert_eq!(listed.matches(" verified ").count(), 302, "{listed}");
    assert_eq!(there(&host).len(), 302);
    assert_live(&host, &v2, "v2");
    let ran = desk.json(&["rollback"]).leaves(0);
    assert_live(&host, &ran.release(), "old-299");
    // The first of them all.
    desk.json(&["rollback", &v1]).leaves(0);
    assert_live(&host, &v1, "v1");
    let ran = desk.json(&["prune", "--keep", "10"]).leaves(0);
    assert_eq!(ran.outcome(), "pruned");
    // The newest ten are v2, which was left, and nine of the old ones; v1 is live.
    assert_eq!(there(&host).len(), 10);
    assert!(there(&host).contains(&v2) && there(&host).contains(&v1));
}

#[test]
fn a_current_that_is_not_ours_is_refused_and_left_as_it_is() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::ready(&host, Service::Socket, &acme("socket"));
    desk.tree(Kind::Graceful, "v1");
    for (make, words) in [
        ("mkdir current", "/opt/acme/current is a directory"),
        ("ln -s /srv current", "/opt/acme/current is a symlink to /srv"),
        (
            "ln -s releases/gone current",
            "is a symlink to release gone, which does not exist",
        ),
        ("touch current", "/opt/acme/current is a file"),
    ] {
        host.ssh("deploy", &format!("cd /opt/acme && {make}")).ok();
        let before = host.root("stat -c %i:%F /opt/acme/current").ok();
        desk.shipit(&["deploy"]).leaves(1).says(words).says("nothing changed");
        desk.shipit(&["rollback"]).leaves(1).says(words);
        desk.shipit(&["doctor"]).leaves(1).says("current is ");
        assert_eq!(host.root("stat -c %i:%F /opt/acme/current").ok(), before, "{make}");
        host.root("rm -d /opt/acme/current").ok();
    }
    desk.deploy(Kind::Graceful, "v1");
    assert_eq!(answer(&host), "v1");
    // A copy in place of the symlink: setup says so too, and the line that is printed mends it.
    let copy = "cd /opt/acme && live=$(readlink current) && rm current && cp -r $live current";
    host.ssh("deploy", copy).ok();
    let root = format!("root@{}", host.address());
    desk.shipit(&["setup", "--yes", "--as", &root])
        .leaves(1)
        .says("/opt/acme/current is a directory");
    let ran = desk
        .shipit(&["deploy"])
        .leaves(1)
        .says("/opt/acme/current is a directory");
    let (_, line) = ran.stderr.split_once("'mv -nT ").unwrap();
    let (command, _) = line.split_once('\'').unwrap();
    host.ssh("deploy", &format!("mv -nT {command}")).ok();
    desk.shipit(&["deploy", "--restart"]).leaves(0);
    assert_eq!(answer(&host), "v1");
}

#[test]
fn setup_takes_over_a_tree_of_capistrano_and_rollback_goes_back_into_it() {
    let host = lab::host!(Suite::Bookworm);
    ACME.install_units(&host, Service::Socket);
    let old = crate::apps::release(Kind::Graceful, "c1");
    ACME.publish(&host, old.path(), "20240101120000");
    let older = crate::apps::release(Kind::Graceful, "c2");
    ACME.publish(&host, older.path(), "20240202120000");
    // Capistrano's link is absolute.
    host.root("ln -sfn /opt/acme/releases/20240202120000 /opt/acme/current && echo kept > /opt/acme/shared/env")
        .ok();
    host.root("systemctl start acme.service").ok();
    let desk = Desk::at(&host, "ann");
    desk.write(&acme("socket").with("shared: {files: [env]}"));
    desk.setup()
        .says("adopted release 20240101120000")
        .says("adopted release 20240202120000")
        .says("made current relative");
    assert_live(&host, "20240202120000", "c2");
    desk.shipit(&["releases"])
        .leaves(0)
        .says("20240202120000  live, verified");
    let v1 = desk.deploy(Kind::Graceful, "v1");
    assert_live(&host, &v1, "v1");
    assert_eq!(host.read_file("/opt/acme/current/env"), "kept\n");
    desk.json(&["rollback"]).leaves(0);
    assert_live(&host, "20240202120000", "c2");
    desk.json(&["rollback"]).leaves(0);
    assert_live(&host, "20240101120000", "c1");
    assert_eq!(current(&host), "20240101120000");
}
