//! Who logs in: the deploy user with exactly the sudo lines that setup wrote, root, and login shells that are
//! not POSIX shells; on both systemds.

use super::desk::{Desk, acme, assert_live, current};
use crate::apps::{ACME, Kind, Service};
use crate::lab::{self, Host, Suite};

const MIGRATE: &str = "migrate: acme-migrate.service";

/// Deploys, one of them broken, a rollback, and the commands that users run in between.
fn there_and_back(host: &Host, login: &'static str) {
    let yml = acme("socket").login(login).with(MIGRATE);
    ACME.install_units(host, Service::Socket);
    let desk = Desk::at(host, "ann");
    desk.write(&yml);
    desk.setup().says("is ready for acme");
    desk.setup().says("nothing to change");
    desk.shipit(&["doctor"]).leaves(0).says("a deploy can start");
    let v1 = desk.deploy(Kind::Graceful, "v1");
    desk.tree(Kind::CrashAtStart, "v2");
    let ran = desk.json(&["deploy"]).leaves(3);
    assert!(ran.journal().contains("cannot open the database"), "{ran}");
    assert_live(host, &v1, "v1");
    let v3 = desk.deploy(Kind::Graceful, "v3");
    desk.shipit(&["logs"]).leaves(0).says("version v3 starts");
    desk.json(&["rollback"]).leaves(0);
    assert_live(host, &v1, "v1");
    let owner = login;
    for path in ["current", "releases", ".shipit", &format!("releases/{v3}")] {
        assert_eq!(host.root(&format!("stat -c %U /opt/acme/{path}")).ok(), owner, "{path}");
    }
}

#[test]
fn the_deploy_user_needs_no_more_than_the_sudo_lines_of_setup() {
    for suite in Suite::ALL {
        let host = lab::host!(suite);
        there_and_back(&host, "deploy");
        host.root("visudo -cf /etc/sudoers").ok();
        for more in [
            "systemctl restart acme.service",
            "systemctl --no-block restart ssh.service",
            "systemctl --no-block restart acme.service ssh.service",
            "journalctl --unit=ssh.service --lines=1000 --output=json --no-pager",
            "sh -c id",
        ] {
            let ran = host.ssh("deploy", &format!("sudo -n /usr/bin/{more}"));
            assert!(!ran.success(), "sudo lets pass more than it must: {ran}");
        }
    }
}

#[test]
fn root_can_be_the_deploy_user() {
    let host = lab::host!(Suite::Trixie);
    there_and_back(&host, "root");
    host.root("test ! -e /etc/sudoers.d/shipit-acme").ok();
}

#[test]
fn the_login_shell_does_not_matter() {
    for (suite, login) in [
        (Suite::Bookworm, "deploydash"),
        (Suite::Trixie, "deployfish"),
        (Suite::Bookworm, "deploytcsh"),
    ] {
        let host = lab::host!(suite);
        let desk = Desk::ready(&host, Service::Socket, &acme("socket").login(login));
        let v1 = desk.deploy(Kind::Graceful, "v1");
        desk.deploy(Kind::Graceful, "v2");
        desk.json(&["rollback"]).leaves(0);
        assert_live(&host, &v1, "v1");
        desk.shipit(&["logs"]).leaves(0).says("version v2 starts");
    }
}

#[test]
fn a_host_that_is_not_set_up_is_refused_with_everything_that_is_missing() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::at(&host, "ann");
    desk.write(&acme("socket"));
    desk.tree(Kind::Graceful, "v1");
    desk.shipit(&["deploy"])
        .leaves(1)
        .says("the host is not ready for acme")
        .says("/opt/acme does not exist")
        .says("the guard shipit-acme.path is not active")
        .says("deploy may not run `sudo ")
        .says("more lines")
        .says("shipit setup --as root@");
    desk.shipit(&["doctor"]).leaves(1).says("a deploy would be refused");
    desk.shipit(&["status"]).leaves(0).says("no release is live");
    desk.setup();
    desk.shipit(&["deploy"])
        .leaves(1)
        .says("acme.service does not exist on the host");
    assert_eq!(current(&host), "");

    ACME.install_units(&host, Service::Notify);
    desk.shipit(&["deploy"])
        .leaves(1)
        .says("acme.socket does not exist on the host");
    ACME.install_units(&host, Service::Socket);
    // The group of the app's user was unknown before its unit existed.
    desk.setup();
    desk.deploy(Kind::Graceful, "v1");
}
