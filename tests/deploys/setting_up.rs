//! `setup`: what it asks before root does anything, and what it puts right when it is run again.

use std::process::Command;

use super::desk::{Desk, Ran, acme, assert_live};
use super::terminal::at_a_terminal;
use crate::apps::{ACME, Kind, Service};
use crate::lab::{self, Host, Suite};

fn untouched(host: &Host) {
    host.root("test ! -e /opt/acme -a ! -e /etc/sudoers.d/shipit-acme").ok();
}

#[test]
fn root_does_nothing_that_nobody_said_yes_to() {
    let host = lab::host!(Suite::Bookworm);
    ACME.install_units(&host, Service::Socket);
    let desk = Desk::at(&host, "ann");
    desk.write(&acme("socket"));
    let (root, admin) = (format!("root@{}", host.address()), format!("admin@{}", host.address()));
    let setup = ["setup", "--as", root.as_str()];
    desk.shipit(&setup)
        .leaves(2)
        .says("there is no terminal to ask for confirmation")
        .says("nothing changed")
        .says(&format!("setup --as {root} --yes    # confirm it"));
    untouched(&host);
    const QUESTION: &str = "Do this as root on the host? (yes/no)";
    for answer in ["no\n", "\n", "\x03", "\x04"] {
        let (shown, code) = at_a_terminal(&desk, &setup, &[(QUESTION, answer)]);
        assert_eq!(code, Some(1), "{answer:?}: {shown}");
        assert!(
            shown.contains("canceled: not confirmed") && shown.contains("nothing changed"),
            "{answer:?}: {shown}"
        );
        untouched(&host);
    }
    let as_admin = ["setup", "--as", admin.as_str()];
    let (shown, code) = at_a_terminal(
        &desk,
        &as_admin,
        &[(QUESTION, "yes\n"), ("sudo password of admin", "\x03")],
    );
    assert_eq!(code, Some(1), "{shown}");
    untouched(&host);
    let (shown, code) = at_a_terminal(&desk, &setup, &[(QUESTION, "y\n")]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("is ready for acme"), "{shown}");
    // A second environment of that name would take the guard away from the first.
    desk.write(&acme("socket").with("root: /opt/staging\n"));
    desk.shipit(&["setup", "--as", &root, "--yes"])
        .leaves(1)
        .says("acme is in /opt/acme on this host already")
        .says("nothing changed");
    let guard = host.root("cat /etc/systemd/system/shipit-acme.path").ok();
    assert!(guard.contains("/opt/acme/.shipit"), "{guard}");
    host.root("test ! -e /opt/staging").ok();
}

/// What makes the deploy user root, if it is left like that.
const BREAKS: &str = "chown deploy: /usr/local/lib/shipit/acme /usr/local/lib/shipit/acme/env
    chmod 0777 /usr/local/lib/shipit/acme/journal; chown deploy: /etc/sudoers.d/shipit-acme
    chmod 0666 /etc/systemd/system/shipit-acme.service
    mv /etc/systemd/system/shipit-acme.path /srv/ && ln -s /srv/shipit-acme.path /etc/systemd/system/";

#[test]
fn set_up_again_what_root_owns_is_roots_and_only_the_present_deploy_user_may_do_things() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    host.root(BREAKS).ok();
    desk.shipit(&["doctor"])
        .leaves(1)
        .says("/usr/local/lib/shipit/acme/env belongs to deploy, mode 0755")
        .says("/usr/local/lib/shipit/acme/journal belongs to root, mode 0777")
        .says("/etc/systemd/system/shipit-acme.service belongs to root, mode 0666")
        .says("whoever can change it can become root");
    desk.setup()
        .says("/usr/local/lib/shipit/acme was deploy:deploy 0755: it is root:root 0755 now")
        .says("acme/env, which was deploy:deploy 0755: it is root:root 0755 now")
        .says("acme/journal, which was root:root 0777")
        .says("sudoers.d/shipit-acme, which was deploy:deploy 0440")
        .says("shipit-acme.service, which was root:root 0666")
        .says("shipit-acme.path, which was a symlink");
    let open = "find /etc/systemd/system/shipit-* /etc/sudoers.d/shipit-* /usr/local/lib/shipit ! -user root -o -perm /022 -o -type l";
    assert_eq!(host.root(open).ok(), "");
    let root = format!("root@{}", host.address());
    let again = desk.json(&["setup", "--yes", "--as", &root]).leaves(0);
    assert_eq!(again.says("nothing to change").outcome(), "ready");
    desk.shipit(&["doctor"]).leaves(0);

    // Another deploy user. What the former one left lying about leads root nowhere.
    host.ssh(
        "deploy",
        "ln -s /etc /opt/acme/shared/etc; ln -s /etc/shadow /opt/acme/shadow; ln -s /etc /opt/acme/releases/etc",
    )
    .ok();
    let before = host.root("stat -c '%n %U %G %a' /etc /etc/shadow").ok();
    host.root("systemctl stop shipit-acme.path; printf 'command deploy\\nnext 20260101-000000\\nby bob@desk\\n' >/opt/acme/.shipit/request")
        .ok();
    desk.write(&acme("socket").login("deploydash"));
    desk.shipit(&["setup", "--yes", "--as", &root])
        .leaves(5)
        .says("another switch holds the host: bob@desk")
        .says("deploy to 20260101-000000")
        .says("    # after the switch");
    host.root("systemctl stop shipit-acme.path shipit-acme.service; rm -f /opt/acme/.shipit/request*")
        .ok();
    desk.setup()
        .says("hand acme over from deploy")
        .says("removed /etc/sudoers.d/shipit-acme: deploy can do nothing as root for acme any more")
        .says("gave the files of deploy in /opt/acme to deploydash");
    assert_eq!(
        host.root("find /opt/acme -user deploy -o -group deploy -o -user root")
            .ok(),
        ""
    );
    assert_eq!(host.root("stat -c '%n %U %G %a' /etc /etc/shadow").ok(), before);
    host.root("rm /opt/acme/shared/etc /opt/acme/releases/etc /opt/acme/shadow")
        .ok();
    let restart = "sudo -n -l /usr/bin/systemctl --no-block restart acme.service";
    assert!(!host.ssh("deploy", restart).success());
    assert!(host.ssh("deploydash", restart).success());
    assert!(!host.ssh("deploy", "ls /opt/acme/.shipit").success());
    let v2 = desk.deploy(Kind::Graceful, "v2");
    desk.json(&["rollback"]).leaves(0);
    desk.json(&["rollback", &v2]).leaves(0);
    assert_live(&host, &v2, "v2");

    // A stranger is not handed anything, and the refusal comes before the first change.
    host.root("sed -i s/^User=.*/User=app/ /etc/systemd/system/shipit-acme.service")
        .ok();
    desk.write(&acme("socket"));
    desk.shipit(&["setup", "--yes", "--as", &root])
        .leaves(1)
        .says("/opt/acme/.shipit belongs to deploydash, another user");
    let owner = "stat -c %U /opt/acme /opt/acme/.shipit";
    assert_eq!(host.root(owner).ok(), "deploydash\ndeploydash");

    // Root, named by nobody but ssh's configuration: the login of `--as` is not the deploy user.
    desk.write(&acme("socket").login("deploydash"));
    desk.setup();
    let config = desk.path("ssh_config");
    desk.file("ssh_config", "Host *\n  User deploydash\n");
    let yml = std::fs::read_to_string(desk.path("deploy.yml")).unwrap();
    desk.file("deploy.yml", &yml.replace("deploydash@", ""));
    let shipit = desk.command(&["setup", "--yes", "--as", &root]);
    let args = shipit.get_args().map(|arg| match arg.to_str() {
        Some("/dev/null") => config.as_os_str(),
        _ => arg,
    });
    let output = Command::new(shipit.get_program())
        .args(args)
        .current_dir(desk.path(""))
        .output();
    Ran::new("setup", &output.unwrap()).leaves(0).says("nothing to change");
    desk.write(&acme("socket").login("root"));
    desk.shipit(&["doctor"])
        .leaves(1)
        .says("/opt/acme belongs to a deploy user other than root");
    desk.setup()
        .says("removed /etc/sudoers.d/shipit-acme: deploydash can do nothing as root")
        .says("removed /usr/local/lib/shipit/acme: root is root");
    assert_eq!(host.root("find /opt/acme -user deploydash").ok(), "");
    desk.json(&["rollback"]).leaves(0);
}
