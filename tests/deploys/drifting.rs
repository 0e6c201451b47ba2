//! The host has other units than the repository, or than a release was made for: what deploy, plan and rollback say.

use super::desk::{Desk, Yml, acme, assert_live, current};
use crate::apps::{ACME, Kind, Service};
use crate::lab::{self, Host, Suite};

fn with(drift: &str) -> Yml {
    acme("socket").with(&format!("units_drift: {drift}"))
}

/// The repository has the units that the host has.
fn desk(host: &Host) -> Desk {
    let desk = Desk::ready(host, Service::Socket, &with("warn"));
    for (name, text) in ACME.units(Service::Socket) {
        desk.file(&format!("deploy/units/{name}"), &text);
    }
    desk
}

fn unit() -> String {
    let units = ACME.units(Service::Socket);
    units.into_iter().find(|(name, _)| name == "acme.service").unwrap().1
}

/// Changes acme.service on the host by hand, as somebody in a hurry does.
fn by_hand(host: &Host, text: &str) {
    host.write_file("/etc/systemd/system/acme.service", text.as_bytes());
    host.root("systemctl daemon-reload").ok();
}

#[test]
fn a_deploy_warns_refuses_or_does_not_look() {
    let host = lab::host!(Suite::Bookworm);
    let desk = desk(&host);
    desk.tree(Kind::Graceful, "v1");
    let one = desk
        .json(&["deploy"])
        .leaves(0)
        .never_says("acme.service differs")
        .release();
    // A comment is no drift.
    by_hand(&host, &format!("# mine\n{}", unit()));
    desk.write(&with("refuse"));
    desk.tree(Kind::Graceful, "v2");
    let two = desk
        .json(&["deploy"])
        .leaves(0)
        .never_says("the host's units")
        .release();
    assert_live(&host, &two, "v2");

    by_hand(&host, &format!("{}\n[Service]\nTimeoutStopSec=77s\n", unit()));
    desk.tree(Kind::Graceful, "v3");
    let before = host.root("ls -A /opt/acme/releases /opt/acme/.shipit/runs").ok();
    desk.shipit(&["deploy"])
        .leaves(1)
        .says("acme.service differs in TimeoutStopSec")
        .says("nothing was sent or changed")
        .says("next  shipit unit diff");
    desk.shipit(&["plan"])
        .leaves(1)
        .says("acme.service differs in TimeoutStopSec");
    assert_eq!(
        host.root("ls -A /opt/acme/releases /opt/acme/.shipit/runs").ok(),
        before
    );
    // What a release was made for is known to the host: no working tree is asked.
    desk.shipit(&["deploy", "--release", &one])
        .leaves(1)
        .says(&format!("acme.service on the host differs from the one in {one}"));
    desk.shipit(&["rollback"]).leaves(0).says(&format!(
        "warning: acme.service on the host differs from the one in {one}"
    ));

    desk.write(&with("warn"));
    desk.shipit(&["plan"])
        .leaves(0)
        .says("warning: acme.service differs in TimeoutStopSec");
    desk.shipit(&["deploy"])
        .leaves(0)
        .says("warning: acme.service differs in TimeoutStopSec");
    desk.shipit(&["deploy"])
        .leaves(0)
        .says("unchanged: ")
        .says("next: shipit unit diff");
    desk.write(&with("ignore"));
    desk.tree(Kind::Graceful, "v4");
    desk.shipit(&["deploy"]).leaves(0).never_says("acme.service differs");
    desk.shipit(&["rollback"]).leaves(0).never_says("was made for");

    // What is wrong with the repository's units is drift too.
    desk.file("deploy/units/acme.service.d/x.conf", "[Service]\n");
    desk.tree(Kind::Graceful, "v5");
    desk.write(&with("refuse"));
    desk.shipit(&["deploy"])
        .leaves(2)
        .says("deploy/units/acme.service.d has drop-ins");
    desk.write(&with("warn"));
    desk.shipit(&["deploy"])
        .leaves(0)
        .says("deploy/units/acme.service.d has drop-ins");
}

#[test]
fn a_rollback_tells_of_units_that_were_installed_since() {
    let host = lab::host!(Suite::Trixie);
    let desk = desk(&host);
    let one = desk.deploy(Kind::Graceful, "v1");
    // Its comment changes, then the unit, and a new one comes.
    desk.file("deploy/units/acme.service", &format!("# why\n{}", unit()));
    let root = format!("root@{}", host.address());
    let install = ["unit", "install", "--yes", "--as", root.as_str()];
    desk.shipit(&install).leaves(0);
    let two = desk.deploy(Kind::Graceful, "v2");
    desk.shipit(&["rollback"]).leaves(0).never_says("was made for");
    assert_live(&host, &one, "v1");
    desk.file(
        "deploy/units/acme.service",
        &format!("{}\n[Service]\nTimeoutStopSec=41s\n", unit()),
    );
    desk.shipit(&install).leaves(0);
    let three = desk.deploy(Kind::Graceful, "v3");
    desk.shipit(&["rollback", &one])
        .leaves(0)
        .says(&format!("acme.service on the host differs from the one in {one}"))
        .never_says("acme.socket on the host");
    assert_eq!(current(&host), one);
    desk.shipit(&["rollback", &three]).leaves(0).never_says("was made for");
    host.root("rm /etc/systemd/system/acme-migrate.service && systemctl daemon-reload")
        .ok();
    desk.shipit(&["rollback", &two])
        .leaves(0)
        .says("expects acme-migrate.service, which does not exist on the host");
}
