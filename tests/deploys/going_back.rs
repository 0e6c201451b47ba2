//! Rollback: which release it goes to, from what people type; what it refuses, with the list of what there is.

use super::desk::{Desk, acme, answer, assert_live, current};
use crate::apps::{self, Kind, Service};
use crate::lab::{self, Suite};

#[test]
fn rollback_twice_goes_back_along_the_verified_releases_and_never_returns_to_one_that_was_left() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::ready(&host, Service::Socket, &acme("socket"));
    let ids: Vec<String> = ["v1", "v2", "v3"]
        .map(|version| desk.deploy(Kind::Graceful, version))
        .into();
    // One that failed on the way does not count.
    desk.tree(Kind::Unhealthy, "v4");
    desk.json(&["deploy"]).leaves(3);

    let ran = desk.json(&["rollback"]).leaves(0);
    assert_eq!(ran.outcome(), "rolled_back");
    assert_eq!(ran.release(), ids[1], "{ran}");
    assert_live(&host, &ids[1], "v2");
    // Which one was meant is printed before anything changes.
    let place = format!("  release    {}\n", ids[0]);
    let said = desk.shipit(&["rollback"]).leaves(0).says(&place).stderr;
    assert!(said.find(&place) < said.find("  switched "), "{said}");
    assert_live(&host, &ids[0], "v1");
    let told = desk.json(&["history", "-n", "2"]).leaves(0).stdout;
    let deeds: Vec<serde_json::Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (deed, id) in deeds.iter().zip([&ids[0], &ids[1]]) {
        assert_eq!(deed["what"], "rollback", "{told}");
        assert_eq!(deed["release"], id.as_str(), "{told}");
        assert_eq!(deed["outcome"], "done", "{told}");
    }
    // v2 and v3 were rolled back from: there is nothing older left.
    desk.shipit(&["rollback"])
        .leaves(1)
        .says(&format!("there is no verified release older than {}", ids[0]))
        .says(&format!("acme runs {}; nothing changed", ids[0]));
    assert_live(&host, &ids[0], "v1");

    // A deploy after that counts again, and its rollback does not go to what was left.
    let v5 = desk.deploy(Kind::Graceful, "v5");
    desk.json(&["rollback"]).leaves(0);
    assert_live(&host, &ids[0], "v1");
    let states = desk.shipit(&["releases"]).leaves(0).stdout;
    assert!(
        states.lines().any(|line| line.contains(&v5) && line.contains("left")),
        "{states}"
    );
    // The same tree once more: a new release, and shipit says why.
    let again = format!("a user rolled back from {v5}, which has the same content");
    desk.shipit(&["plan"]).leaves(0).says(&again);
    let ran = desk.json(&["deploy"]).leaves(0).says(&again);
    assert_ne!(ran.release(), v5);
    assert_live(&host, &ran.release(), "v5");
    desk.json(&["rollback"]).leaves(0);
    assert_live(&host, &ids[0], "v1");
    // One that was rolled back from can still be named.
    let ran = desk.json(&["deploy", "--release", &v5]).leaves(0);
    assert_eq!(ran.release(), v5);
    assert_live(&host, &v5, "v5");
    desk.json(&["rollback", &ids[2]]).leaves(0);
    assert_live(&host, &ids[2], "v3");
}

#[test]
fn rollback_with_one_release_or_none_is_refused_in_words() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::ready(&host, Service::Socket, &acme("socket"));
    desk.shipit(&["rollback"])
        .leaves(1)
        .says("there is nothing to roll back: no release is live");
    let only = desk.deploy(Kind::Graceful, "v1");
    desk.shipit(&["rollback"])
        .leaves(1)
        .says(&format!("there is no verified release older than {only}"))
        .says("shipit releases");
    assert_live(&host, &only, "v1");
}

#[test]
fn rollback_takes_a_name_or_a_beginning_of_one_and_refuses_what_is_ambiguous_or_gone() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::ready(&host, Service::Socket, &acme("socket").with("keep_releases: 3"));
    let ids: Vec<String> = ["v1", "v2", "v3", "v4"]
        .map(|version| desk.deploy(Kind::Graceful, version))
        .into();

    let ran = desk.json(&["rollback", &ids[1]]).leaves(0);
    assert_eq!(ran.release(), ids[1]);
    assert_live(&host, &ids[1], "v2");

    desk.shipit(&["rollback", "20"]).leaves(1).says("20 matches 3 releases");
    desk.shipit(&["rollback", &ids[0]])
        .leaves(1)
        .says(&format!("release {} was removed from the host", ids[0]));
    desk.shipit(&["rollback", "19990101-000000"])
        .leaves(1)
        .says("release 19990101-000000 does not exist on the host");
    desk.shipit(&["rollback", "../../etc"])
        .leaves(1)
        .says("release ../../etc does not exist on the host");
    assert_live(&host, &ids[1], "v2");

    // The shortest beginning that only one release has.
    let unique = (1..=ids[3].len())
        .map(|length| &ids[3][..length])
        .find(|start| ids[1..].iter().filter(|id| id.starts_with(start)).count() == 1);
    let ran = desk.json(&["rollback", unique.unwrap()]).leaves(0);
    assert_eq!(ran.release(), ids[3]);
    assert_live(&host, &ids[3], "v4");
}

#[test]
fn a_broken_release_that_is_rolled_back_to_by_name_is_taken_back() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    desk.tree(Kind::Unhealthy, "v2");
    let bad = desk.json(&["deploy"]).leaves(3).release();
    let good = desk.deploy(Kind::Graceful, "v3");
    let ran = desk.json(&["rollback", &bad]).leaves(3);
    assert_eq!(ran.outcome(), "reverted", "{ran}");
    assert_live(&host, &good, "v3");
}

#[test]
fn a_rollback_over_a_migration_says_so_and_runs_none() {
    let host = lab::host!(Suite::Bookworm);
    let yml = acme("socket").with("migrate: acme-migrate.service");
    let desk = Desk::live(&host, Service::Socket, &yml);
    let v2 = desk.deploy(Kind::Graceful, "v2");
    desk.shipit(&["rollback"])
        .leaves(0)
        .says(&format!("{v2} migrated the database"));
    assert_eq!(answer(&host), "v1");
    desk.json(&["rollback", &v2]).leaves(0);
    assert_eq!((answer(&host), current(&host)), ("v2".to_owned(), v2));
    assert_eq!(apps::ACME.migrations(&host), ["v1", "v2"]);
}
