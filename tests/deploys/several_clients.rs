//! Several people at once: one proceeds, the others are told who holds the host, or wait for their turn.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use super::desk::{Desk, Ran, Yml, acme, answer, assert_live, assert_rest, current};
use super::held::{go, hold, may_hold};
use crate::apps::{self, Kind, Migrate, Service};
use crate::bounds::{Ends as _, Patient, wait_for};
use crate::lab::{self, Host, Suite};

/// Several desks, each with its own version, all deploying at once. Who switches is held until all others have ended.
fn all_at_once(host: &Host, names: &[&str], yml: &Yml, args: &[&str], held: Option<&str>) -> Vec<Ran> {
    let desks: Vec<Desk> = names
        .iter()
        .map(|name| {
            let desk = Desk::at(host, name);
            desk.write(yml);
            desk.tree(Kind::Graceful, &format!("{name}-{}", names.len()));
            if let Some(by) = held {
                hold(&desk, by);
            }
            desk
        })
        .collect();
    let mut children: Vec<_> = desks
        .iter()
        .map(|desk| {
            desk.command(args)
                .arg("--json")
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    if let Some(by) = held {
        wait_for("the end of all but one", || {
            let ended = children.iter_mut().map(|child| child.try_wait().unwrap().is_some());
            ended.filter(|ended| *ended).count() >= names.len() - 1
        });
        go(host, by);
    }
    children
        .into_iter()
        .map(|child| Ran::new(&args.join(" "), &child.ends()))
        .collect()
}

const EIGHT: [&str; 8] = ["ann", "bob", "cat", "dan", "eve", "fay", "gus", "hal"];

#[test]
fn of_two_and_of_eight_clients_one_proceeds_and_the_others_are_told_who_holds_the_host() {
    let host = lab::host!(Suite::Bookworm);
    drop(Desk::live(&host, Service::Socket, &acme("socket")));
    let yml = may_hold(acme("socket"));
    for names in [&EIGHT[..2], &EIGHT[..]] {
        let runs = all_at_once(&host, names, &yml, &["deploy"], Some(&format!("all-{}", names.len())));
        let won: Vec<usize> = (0..names.len()).filter(|at| runs[*at].code() == Some(0)).collect();
        assert_eq!(won.len(), 1, "{}", runs[0]);
        let won = won[0];
        let release = runs[won].release();
        for (at, ran) in runs.into_iter().enumerate() {
            if at == won {
                continue;
            }
            let ran = ran.leaves(5);
            assert_eq!(ran.outcome(), "locked");
            ran.says(&format!("another switch is in progress: {}@", names[won]))
                .says(&format!("deploy to {release}, since "))
                .says("shipit attach")
                .says("shipit deploy --wait");
        }
        assert_live(&host, &release, &format!("{}-{}", names[won], names.len()));
    }
}

#[test]
fn eight_clients_that_wait_all_get_their_turn() {
    let host = lab::host!(Suite::Bookworm);
    let yml = acme("socket").with("keep_releases: 20");
    let desk = Desk::live(&host, Service::Socket, &yml);
    let runs = all_at_once(&host, &EIGHT, &yml, &["deploy", "--wait"], None);
    let mut releases: Vec<String> = runs.into_iter().map(|ran| ran.leaves(0).release()).collect();
    releases.sort();
    releases.dedup();
    assert_eq!(releases.len(), 8, "each its own release");
    assert_rest(&host);
    assert!(releases.contains(&current(&host)));
    let listed = desk.shipit(&["releases"]).leaves(0).stdout;
    assert_eq!(listed.lines().filter(|l| l.contains("verified")).count(), 9, "{listed}");
}

/// v1 is live, and a migration may take as long as a test needs.
fn patient(host: &Host) -> (Desk, Yml) {
    host.write_file(
        "/etc/systemd/system/acme-migrate.service.d/patience.conf",
        b"[Service]\nTimeoutStartSec=300s\n",
    );
    let yml = acme("socket").with("migrate: {unit: acme-migrate.service, timeout: 300s}");
    (Desk::live(host, Service::Socket, &yml), yml)
}

#[test]
fn whoever_comes_during_a_switch_sees_it_and_attach_follows_it_to_its_end() {
    let host = lab::host!(Suite::Trixie);
    let (desk, yml) = patient(&host);
    let before = current(&host);
    desk.tree(Kind::Graceful, "v2");
    // It takes as long as this test needs, on a machine as busy as it may be.
    desk.file(
        "source/migrate",
        "#!/bin/sh\necho \"$(cat version) $$\" >>\"$STATE_DIRECTORY/migrations\"\n\
         while ! test -e \"$STATE_DIRECTORY/go\"; do sleep 0.1; done\n",
    );
    let child = desk
        .command(&["deploy", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    host.wait_for("the migration", |host| {
        apps::ACME.migrations(host).last().is_some_and(|v| v == "v2")
    });
    let other = Desk::at(&host, "bob");
    other.write(&yml);
    other.tree(Kind::Graceful, "v3");
    other
        .shipit(&["deploy"])
        .leaves(5)
        .says("another switch is in progress: ann@")
        .says("migrate")
        .says("nothing was sent or changed");
    other.shipit(&["rollback"]).leaves(5);
    other
        .shipit(&["status"])
        .leaves(0)
        .says(&format!("acme runs {before}"))
        .says("switch in progress: deploy to ")
        .says("shipit attach");
    let mut attached = other
        .command(&["attach", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(Patient(attached.stdout.take().unwrap()));
    let mut heard = String::new();
    while !heard.contains("\"migrate") {
        assert!(lines.read_line(&mut heard).unwrap() > 0, "{heard}");
    }
    host.root("touch /var/lib/acme/go").ok();
    lines.read_to_string(&mut heard).unwrap();
    let mut output = attached.ends();
    output.stdout = heard.into_bytes();
    let watched = Ran::new("attach", &output).leaves(0);
    assert_eq!(watched.outcome(), "deployed");
    assert!(watched.steps().contains(&"switch confirm".to_owned()), "{watched}");
    let ran = Ran::new("deploy", &child.ends()).leaves(0);
    assert_eq!(watched.release(), ran.release());
    assert_live(&host, &ran.release(), "v2");
    other.json(&["attach"]).leaves(0).says("unchanged");
    assert_eq!(answer(&host), "v2");
}

#[test]
fn a_current_that_somebody_changes_during_the_switch_is_left_alone() {
    let host = lab::host!(Suite::Bookworm);
    let (desk, _) = patient(&host);
    let v1 = current(&host);
    let v2 = desk.deploy(Kind::Graceful, "v2");
    let life = host.unit("acme.service", "InvocationID");
    desk.tree_migrating(Kind::Graceful, "v3", Migrate::UntilTold);
    let child = desk
        .command(&["deploy", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    host.wait_for("the migration", |host| {
        apps::ACME.migrations(host).last().is_some_and(|v| v == "v3")
    });
    host.root(&format!(
        "cd /opt/acme && ln -s releases/{v1} .by-hand && mv -T .by-hand current"
    ))
    .ok();
    host.root("touch /var/lib/acme/told").ok();
    Ran::new("deploy", &child.ends())
        .leaves(1)
        .says(&format!("current is {v1}, not {v2}: another process changed it"));
    assert_eq!(current(&host), v1, "a person's change stays");
    assert_eq!(host.unit("acme.service", "InvocationID"), life);
    assert_rest(&host);
}
