//! What was done already is not done again: unchanged content, a staged release, a migration that ran; and
//! what is done in two acts: staged now, live later.

use super::desk::{Desk, acme, answer, assert_live, current};
use crate::apps::{self, Kind, Service};
use crate::lab::{self, Suite};

#[test]
fn the_same_content_again_changes_nothing_unless_a_restart_is_asked_for() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::ready(&host, Service::Socket, &acme("socket"));
    let first = desk.deploy(Kind::Graceful, "v1");
    let life = host.unit("acme.service", "InvocationID");
    let ran = desk.json(&["deploy"]).leaves(0);
    assert_eq!((ran.outcome().as_str(), ran.release()), ("unchanged", first.clone()));
    assert_eq!(host.unit("acme.service", "InvocationID"), life);
    assert_eq!(host.root("ls /opt/acme/releases").ok(), first);
    desk.shipit(&["deploy"])
        .leaves(0)
        .says(&format!("unchanged: {first} is live and has the same content"))
        .says("shipit deploy --restart");

    let ran = desk.json(&["deploy", "--restart"]).leaves(0);
    assert_eq!((ran.outcome().as_str(), ran.release()), ("deployed", first.clone()));
    assert_ne!(host.unit("acme.service", "InvocationID"), life);
    assert_live(&host, &first, "v1");
    assert_eq!(host.root("ls /opt/acme/releases").ok(), first, "nothing was sent");
}

#[test]
fn a_mode_or_a_link_or_an_empty_folder_is_a_change_and_a_time_is_none() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    let outcome = || desk.json(&["deploy"]).leaves(0).outcome();
    let run = |command: &str| {
        let status = std::process::Command::new("sh")
            .args(["-c", command])
            .current_dir(desk.path("source"))
            .status();
        assert!(status.unwrap().success());
    };
    run("touch -d 2001-01-01 version server.py public");
    assert_eq!(outcome(), "unchanged");
    for change in [
        "chmod +x server.py",
        "ln -s version link",
        "ln -sfn behaviour link",
        "mkdir empty",
        "rm -r empty",
    ] {
        run(change);
        assert_eq!(outcome(), "deployed", "{change}");
        assert_eq!(outcome(), "unchanged", "{change}");
    }
}

#[test]
fn staged_now_and_live_later_without_sending_again() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    let (before, life) = (current(&host), host.unit("acme.service", "InvocationID"));
    desk.tree(Kind::Graceful, "v2");
    let ran = desk.json(&["deploy", "--stage-only"]).leaves(0);
    let staged = ran.release();
    assert_eq!(ran.outcome(), "staged");
    assert_eq!(ran.ended()["live"].as_str(), Some(before.as_str()));
    assert_live(&host, &before, "v1");
    assert_eq!(host.unit("acme.service", "InvocationID"), life);

    // Staging the same again sends nothing and makes no second release.
    let again = desk.json(&["deploy", "--stage-only"]).leaves(0);
    assert_eq!(again.release(), staged);
    assert!(again.steps().is_empty(), "{again}");

    // The working tree is not asked: it has moved on.
    desk.tree(Kind::Graceful, "v3");
    desk.shipit(&["deploy", "--release", &staged]).leaves(0);
    assert_live(&host, &staged, "v2");

    // A plain deploy of what was staged takes the staged one.
    let v3 = desk.json(&["deploy", "--stage-only"]).leaves(0).release();
    let ran = desk.json(&["deploy"]).leaves(0);
    assert_eq!(ran.release(), v3, "{ran}");
    assert!(!ran.steps().iter().any(|step| step.contains("receive")), "{ran}");
    assert_live(&host, &v3, "v3");

    desk.shipit(&["deploy", "--release", "20200101-000000"])
        .leaves(1)
        .says("release 20200101-000000 does not exist on the host");
}

#[test]
fn a_migration_runs_once_for_a_release_and_the_host_remembers_how_it_ended() {
    let host = lab::host!(Suite::Bookworm);
    let yml = acme("socket").with("migrate: acme-migrate.service");
    let desk = Desk::ready(&host, Service::Socket, &yml);
    let v1 = desk.deploy(Kind::Graceful, "v1");
    // It fails after its migration: the migration stays done.
    desk.tree(Kind::Unhealthy, "v2");
    let v2 = desk.json(&["deploy"]).leaves(3).release();
    desk.json(&["deploy", "--release", &v2])
        .leaves(3)
        .says("already ran for this release");
    desk.json(&["deploy", "--restart"]).leaves(3);
    assert_eq!(apps::ACME.migrations(&host)[..2], ["v1", "v2"]);
    let record = |id: &str| host.read_file(&format!("/opt/acme/.shipit/releases/{id}/migration"));
    assert!(record(&v1).starts_with("ok "), "{}", record(&v1));
    assert!(record(&v2).starts_with("ok "), "{}", record(&v2));

    desk.tree_migrating(Kind::Graceful, "v3", apps::Migrate::Fails);
    let v3 = desk.json(&["deploy"]).leaves(1).release();
    assert!(record(&v3).starts_with("failed "), "{}", record(&v3));
    desk.shipit(&["deploy", "--release", &v3])
        .leaves(1)
        .says(&format!("the migration of {v3} ran and failed"))
        .says("a migration runs only once per release");
    assert_eq!(apps::ACME.migrations(&host).iter().filter(|v| *v == "v3").count(), 1);
    assert_eq!((current(&host), answer(&host)), (v1, "v1".to_owned()));
}
