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
    host.root("journalctl --sync").ok();
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
    for suite in Suite::Bookworm.or_both() {
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
        host.root("journalctl --sync").ok();
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
    desk.shipit(&["status"]).leaves(0).says("acme is not set up on ");
    let root = format!("root@{}", host.address());
    desk.shipit(&["setup", "--yes", "--as", &root])
        .leaves(1)
        .says("acme.service exists neither on the host nor in deploy/units")
        .says("next  shipit unit generate ")
        .says(" && shipit unit install --now --as root@");
    let made = host.root("ls -d /opt/acme /etc/sudoers.d/shipit-acme 2>/dev/null");
    assert_eq!(made.stdout, "");

    ACME.install_units(&host, Service::Notify);
    // A mistyped name sends nobody to write rules for a unit that does not exist.
    let yml = std::fs::read_to_string(desk.path("deploy.yml")).unwrap();
    desk.file("deploy.yml", &yml.replace("acme.service", "acmee.service"));
    for command in [&["setup", "--yes", "--as", &root][..], &["deploy"], &["plan"]] {
        desk.shipit(command)
            .leaves(1)
            .says("acmee.service exists neither on the host nor in deploy/units")
            .says("did you mean acme.service?")
            .never_says("shipit setup");
    }
    // What a package brings is installed, not generated.
    desk.file("deploy.yml", &yml.replace("acme.service", "php8.2-fpm.service"));
    for command in [&["setup", "--yes", "--as", &root][..], &["up", "--yes", "--as", &root]] {
        desk.shipit(command)
            .leaves(1)
            .says("php8.2-fpm.service exists neither on the host nor in deploy/units")
            .says("apt-get install php-fpm")
            .never_says("unit generate");
    }
    let made = host.root("ls -d /opt/acme /etc/sudoers.d/shipit-acme 2>/dev/null");
    assert_eq!(made.stdout, "");
    desk.write(&acme("socket"));
    desk.shipit(&["setup", "--yes", "--as", &root])
        .leaves(1)
        .says("acme.socket exists neither on the host nor in deploy/units")
        .says("next  shipit unit generate --only acme.socket")
        .says(" && shipit unit install --now --as root@");
    desk.shipit(&["unit", "generate", "--only", "acme.socket", "--print"])
        .leaves(0)
        .says("ListenStream=127.0.0.1:8080");
    assert_eq!(current(&host), "");
    ACME.install_units(&host, Service::Socket);
    desk.setup();
    // A connection before the first release finds nothing to start, as the condition of generated units says. systemd
    // soon closes the socket, without a restart of the service; the first switch opens it again.
    let condition = "[Unit]\nConditionPathExists=/opt/acme/current\n";
    host.write_file("/etc/systemd/system/acme.service.d/current.conf", condition.as_bytes());
    host.root("systemctl daemon-reload; curl -s http://127.0.0.1:8080/; true")
        .ok();
    host.wait_for("the end of the socket", |host| {
        host.unit("acme.socket", "ActiveState") == "failed"
    });
    assert_eq!(host.unit("acme.service", "NRestarts"), "0");
    assert!(host.journal(Some("acme.service")).lines().count() < 40);
    let v1 = desk.deploy(Kind::Graceful, "v1");
    assert_live(&host, &v1, "v1");
    assert_eq!(host.unit("acme.socket", "ActiveState"), "active");
}

/// Each logs in, and runs nothing. What the host printed is the cause.
#[test]
fn a_login_that_cannot_run_commands_is_reported_as_one_by_either_ssh() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::ready(&host, Service::Socket, &acme("socket"));
    let forced = |line: &str| {
        let file = "/etc/ssh/sshd_config.d/00-forced.conf";
        format!("printf 'Match User deploy\\n  ForceCommand {line}\\n' >{file} && systemctl restart ssh")
    };
    let free = "rm /etc/ssh/sshd_config.d/00-forced.conf && systemctl restart ssh";
    let bashrc = |text: &str| {
        format!("usermod -s /bin/bash deploy; mkdir -p /home/deploy; printf '%s\\n' '{text}' >/home/deploy/.bashrc")
    };
    let next = "the line that is printed";
    for (breaks, words, mends) in [
        (
            "usermod -s /usr/sbin/nologin deploy".to_owned(),
            "the host printed: This account is currently not available.",
            next,
        ),
        (
            "usermod -s /bin/false deploy".to_owned(),
            "the host printed nothing",
            "usermod -s /bin/bash deploy",
        ),
        ("chage -d 0 deploy".to_owned(), "assword", next),
        (forced("echo backups only"), "the host printed: backups only", free),
        (forced("internal-sftp"), "cannot run commands", free),
        (
            "echo 'deploy hard maxlogins 0' >/etc/security/limits.d/x.conf".to_owned(),
            "the host printed: There were too many logins for 'deploy'.",
            "rm /etc/security/limits.d/x.conf",
        ),
        (
            bashrc("echo closed for today; exit 3"),
            "the host printed: closed for today",
            "rm /home/deploy/.bashrc",
        ),
        (
            bashrc("read -t 2 line"),
            "a startup file of this login (such as ~/.bashrc) reads stdin, which shipit needs for its commands",
            "rm /home/deploy/.bashrc",
        ),
    ] {
        host.root(&breaks).ok();
        for system in [&[][..], &["--system-ssh"]] {
            for command in ["status", "doctor"] {
                let args: Vec<&str> = [command].iter().chain(system).copied().collect();
                let ran = desk
                    .shipit(&args)
                    .says("logged in, but this account cannot run commands")
                    .says(words);
                if command == "status" {
                    ran.leaves(6);
                }
            }
        }
        if mends != next {
            host.root(mends).ok();
            continue;
        }
        let said = desk.shipit(&["status"]).leaves(6).to_string();
        let line = said
            .lines()
            .find_map(|line| line.trim().strip_prefix("next  "))
            .unwrap();
        let line = line.split("  #").next().unwrap().replace("USER", "deploy");
        host.root(&line).ok();
        desk.shipit(&["status"]).leaves(0);
    }
    // What carries an upload says so too, before the host takes anything for a part of it.
    desk.tree(Kind::Graceful, "v0");
    host.root(&bashrc("read -t 2 line")).ok();
    desk.shipit(&["deploy"])
        .leaves(6)
        .says("reads stdin, which shipit needs for its commands");
    // One that only talks is no obstacle.
    host.root(&bashrc("seq 5000; printf welcome")).ok();
    let v1 = desk.deploy(Kind::Graceful, "v1");
    assert_live(&host, &v1, "v1");
}
