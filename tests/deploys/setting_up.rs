//! `setup`: what it asks before root does anything, and what it puts right when it is run again.

use std::process::Command;

use super::desk::{Desk, Ran, acme, assert_live};
use super::terminal::at_a_terminal;
use crate::apps::{ACME, Kind, Service};
use crate::bounds::Ends as _;
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
        .says("cannot ask for confirmation: there is no terminal")
        .says("nothing changed")
        .says(&format!("setup --as {root} --yes    # confirms it"));
    untouched(&host);
    const QUESTION: &str = "Do this as root on ";
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
    // Nobody agrees to what is not on the screen, however quiet the command is.
    let quiet = [&setup[..], &["--quiet"]].concat();
    let (shown, code) = at_a_terminal(&desk, &quiet, &[(QUESTION, "y\n")]);
    assert_eq!(code, Some(0), "{shown}");
    for words in [
        &format!("As root, through the login {root}, shipit will:"),
        "write /etc/sudoers.d/shipit-acme",
        &format!("Do this as root on {root}? (yes/no)"),
        "is ready for acme",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    // A second environment of that name would take the guard away from the first.
    desk.write(&acme("socket").with("root: /opt/staging\n"));
    desk.shipit(&["setup", "--as", &root, "--yes"])
        .leaves(1)
        .says("acme already exists on this host, in /opt/acme")
        .says("nothing changed");
    let guard = host.root("cat /etc/systemd/system/shipit-acme.path").ok();
    assert!(guard.contains("/opt/acme/.shipit"), "{guard}");
    host.root("test ! -e /opt/staging").ok();
    // Nobody gets a unit of another app, nor one of a package that was not shown before the question.
    let at = format!("{}:{}", host.address(), host.ssh_port());
    host.write_file(
        "/usr/lib/systemd/system/mailer.service",
        b"[Service]\nExecStart=/bin/sleep inf\n",
    );
    let units = "{unit: acme.service, strategy: restart}, {unit: mailer.service, strategy: restart}";
    let yml = format!("app: shop\nhost: deploy@{at}\nsource: .\nservices: [{units}]\n");
    desk.file("deploy.yml", &yml);
    let setup = ["setup", "--as", root.as_str(), "--yes"];
    desk.shipit(&setup)
        .leaves(1)
        .says("shop cannot have units of another app")
        .says("acme.service is a unit of the app acme: /etc/sudoers.d/shipit-acme names it")
        .says("nothing changed");
    // A login that cannot read the rules before it uses sudo.
    host.write_file("/etc/sudoers.d/admin", b"admin ALL=(ALL) NOPASSWD: ALL\n");
    desk.shipit(&["setup", "--as", &admin, "--yes"])
        .leaves(1)
        .says("acme.service is a unit of the app acme: /etc/sudoers.d/shipit-acme names it");
    host.root("test ! -e /opt/shop && test ! -e /etc/sudoers.d/shipit-shop")
        .ok();
    // Two apps may share it.
    let shared = yml.replace("{unit: acme.service, strategy: restart}, ", "");
    let brings = "let deploy start, stop, restart, reload and kill mailer.service, which is not the app's own: a package installed /";
    for app in ["app: shop", "app: wiki"] {
        desk.file("deploy.yml", &shared.replace("app: shop", app));
        desk.shipit(&setup).leaves(0).says(brings);
    }
    host.root("mkdir /opt/blog && touch /opt/blog/theirs").ok();
    desk.file("deploy.yml", &shared.replace("app: shop", "app: blog"));
    let up = desk.shipit(&["up", "--as", &root, "--yes"]).leaves(1);
    up.says("up stopped at setup").never_says("units are installed");
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
        .says("/usr/local/lib/shipit/acme was deploy:deploy 0755: it is now root:root 0755")
        .says("acme/env, which was deploy:deploy 0755: it is now root:root 0755")
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
        .says("another switch is in progress: bob@desk")
        .says("deploy to 20260101-000000")
        .says("    # after the switch");
    host.root("systemctl stop shipit-acme.path shipit-acme.service; rm -f /opt/acme/.shipit/request*")
        .ok();
    desk.setup()
        .says("hand acme over from deploy")
        .says("removed /etc/sudoers.d/shipit-acme: deploy can no longer run commands as root for acme")
        .says("made deploydash the owner of the files of deploy in /opt/acme");
    assert_eq!(
        host.root("find /opt/acme -user deploy -o -group deploy -o -user root")
            .ok(),
        ""
    );
    assert_eq!(host.root("stat -c '%n %U %G %a' /etc /etc/shadow").ok(), before);
    host.root("rm /opt/acme/shared/etc /opt/acme/releases/etc /opt/acme/shadow")
        .ok();
    let restart = "sudo -n /usr/bin/cat /etc/sudoers.d/shipit-acme";
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
        .ends();
    Ran::new("setup", &output).leaves(0).says("nothing to change");
    desk.write(&acme("socket").login("root"));
    desk.shipit(&["doctor"])
        .leaves(1)
        .says("/opt/acme belongs to a deploy user other than root");
    desk.setup()
        .says("removed /etc/sudoers.d/shipit-acme: deploydash can no longer run commands as root")
        .says("removed /usr/local/lib/shipit/acme: root is root");
    assert_eq!(host.root("find /opt/acme -user deploydash").ok(), "");
    desk.json(&["rollback"]).leaves(0);
}

#[test]
fn a_directory_that_is_not_the_apps_is_not_given_away_and_nothing_is_made_through_a_symlink() {
    let host = lab::host!(Suite::Bookworm);
    ACME.install_units(&host, Service::Socket);
    let desk = Desk::at(&host, "ann");
    let root = format!("root@{}", host.address());
    let setup = ["setup", "--yes", "--as", root.as_str()];
    host.root(
        "mkdir -p /var/spool/cron/crontabs /srv/data /home/deploy/x && echo x >/srv/data/file && touch /var/spool/cron/crontabs/root
         chown app: /srv/data && mkdir -m 1777 /srv/open && mkdir /srv/open/releases && touch /srv/open/x
         ln -s /etc /home/deploy/link && chown -h deploy: /home/deploy/x /home/deploy/link",
    )
    .ok();
    let owners = "stat -c '%n %U' /var/spool/cron/crontabs /etc /srv/data /srv/open; ls -d /etc/acme 2>&1 || :";
    let before = host.root(owners).ok();
    for (path, owner) in [
        ("/var/spool/cron/crontabs", "root"),
        ("/srv/data", "app"),
        ("/srv/open", "root"),
    ] {
        desk.write(&acme("socket").with(&format!("root: {path}\n")));
        desk.shipit(&setup)
            .leaves(1)
            .says(&format!("{path} belongs to {owner} and is not empty"));
        assert_eq!(host.root(owners).ok(), before, "{path}");
    }
    desk.write(&acme("socket").with("root: /home/deploy/link/acme\n"));
    desk.shipit(&setup)
        .leaves(1)
        .says("contains a symlink: set `root` to /etc/acme");
    assert_eq!(host.root(owners).ok(), before);
    // Empty, or a deploy tree that the question names.
    host.root("mkdir /srv/empty /srv/tree /srv/tree/releases && chown -R app: /srv/tree")
        .ok();
    desk.write(&acme("socket").with("root: /srv/empty\n"));
    desk.shipit(&setup)
        .leaves(0)
        .says("made deploy the owner of /srv/empty");
    host.root("systemctl disable --now shipit-acme.path; rm /etc/systemd/system/shipit-acme*")
        .ok();
    desk.write(&acme("socket").with("root: /srv/tree\n"));
    desk.shipit(&setup)
        .says("give /srv/tree, a deploy tree that belongs to app, to deploy")
        .says("made deploy the owner of /srv/tree");
    // The deploy user's own is used as it is: what is in it stays, and stays whose it is.
    host.root("systemctl disable --now shipit-acme.path; rm /etc/systemd/system/shipit-acme*")
        .ok();
    host.root(
        "mkdir /srv/own && cd /srv/own && echo 1 >file && echo 2 >other && chown deploy: . file && chown app: other",
    )
    .ok();
    desk.write(&acme("socket").with("root: /srv/own\n"));
    desk.shipit(&setup)
        .leaves(0)
        .says("is ready for acme")
        .never_says("the owner of");
    let left = "cd /srv/own && stat -c '%n %U' file other && cat file other";
    assert_eq!(host.root(left).ok(), "file deploy\nother app\n1\n2");
}

#[test]
fn a_host_is_ready_only_when_the_deploy_user_can_log_in_and_deploy() {
    let host = lab::host!(Suite::Trixie);
    ACME.install_units(&host, Service::Socket);
    let desk = Desk::at(&host, "ann");
    let root = format!("root@{}", host.address());
    let setup = ["setup", "--yes", "--as", root.as_str()];
    desk.write(&acme("socket"));
    let refused = |breaks: &str, code: i32, words: &[&str], heals: &str| {
        host.root(breaks).ok();
        let mut ran = desk.shipit(&setup).leaves(code).never_says("is ready");
        for words in words {
            ran = ran.says(words);
        }
        host.root(heals).ok();
    };
    // A reload returns before sshd has read its settings. More than five starts in a row are too many for systemd.
    let restart = "systemctl reset-failed ssh && systemctl restart ssh";
    let sshd = |line: &str| format!("printf '{line}\\n' >/etc/ssh/sshd_config.d/00-x.conf && {restart}");
    let heal = &format!("rm /etc/ssh/sshd_config.d/00-x.conf && {restart}");
    let login = "is set up, but deploy cannot log in";
    refused(&sshd("AllowUsers root admin"), 6, &[login, "sshd: allowusers"], "true");
    desk.shipit(&["doctor"])
        .leaves(6)
        .says(&format!("shipit doctor --as {root}"));
    for (setting, kept_out) in [
        ("AllowUsers root admin", "sshd: allowusers"),
        ("DenyUsers deploy", "sshd: denyusers deploy"),
        ("AllowGroups root", "sshd: allowgroups root"),
    ] {
        host.root(&sshd(setting)).ok();
        desk.shipit(&["doctor", "--as", &root])
            .leaves(6)
            .says(&format!("this may keep deploy out: {kept_out}"));
    }
    host.root(heal).ok();
    for (breaks, kept_out, next, heals) in [
        (
            "echo down >/etc/nologin",
            "/etc/nologin exists",
            "rm -f /etc/nologin",
            "rm /etc/nologin",
        ),
        (
            "usermod -e 1 deploy",
            "the account of deploy has expired",
            "usermod --expiredate '' deploy",
            "usermod -e '' deploy",
        ),
        (
            "chage -d 0 deploy",
            "the password of deploy has expired",
            "chage --maxdays -1 --lastday \"$(date +%F)\" deploy",
            "chage --maxdays -1 --lastday \"$(date +%F)\" deploy",
        ),
        (
            "usermod -s /none deploy 2>&1",
            "the login shell of deploy, /none, does not exist",
            "usermod --shell /bin/sh deploy",
            "usermod -s /bin/bash deploy",
        ),
    ] {
        host.root(breaks).ok();
        desk.shipit(&["doctor", "--as", &root])
            .leaves(6)
            .says(&format!("this may keep deploy out: {kept_out}"))
            .says(next);
        host.root(heals).ok();
    }
    refused(
        &sshd("Match User deploy\\n AuthorizedKeysFile /etc/ssh/keys/%u"),
        6,
        &[login, "sshd: authorizedkeysfile /etc/ssh/keys/"],
        heal,
    );
    refused(
        "sed -i 's/^@includedir/#no &/' /etc/sudoers",
        1,
        &[
            "a deploy would be refused",
            "/etc/sudoers does not include /etc/sudoers.d",
        ],
        "sed -i 's/^#no //' /etc/sudoers",
    );
    let later = "echo '%deploy ALL=(ALL:ALL) ALL' >/etc/sudoers.d/zz && chmod 0440 /etc/sudoers.d/zz";
    refused(
        later,
        1,
        &["the rule `(ALL) ALL` of /etc/sudoers.d/zz takes precedence"],
        "rm /etc/sudoers.d/zz",
    );
    desk.shipit(&setup).leaves(0).says("is ready for acme");
    refused(
        "chmod 0700 /opt/acme/releases",
        1,
        &["app cannot enter /opt/acme/releases (deploy:deploy, mode 700)"],
        "chmod 0755 /opt/acme/releases",
    );
    host.root("systemctl disable --now shipit-acme.path; rm -r /opt/acme /etc/systemd/system/shipit-acme*")
        .ok();
    desk.write(&acme("socket").with("root: /home/admin/acme\n"));
    host.root("mkdir -p /home/admin && chown admin: /home/admin").ok();
    refused(
        "chmod 0750 /home/admin",
        1,
        &["deploy cannot enter /home/admin (admin:admin, mode 750)"],
        "true",
    );
    host.root("chmod 0755 /home/admin").ok();
    desk.shipit(&setup).leaves(0).says("is ready for acme");

    // The deploy key is in CI alone: nothing is wrong with the host, and nobody here can try it.
    host.root(&sshd("Match User deploy\\n AuthorizedKeysFile .ssh/authorized_keys"))
        .ok();
    host.root(
        "mkdir -p -m 0700 /root/.ssh && cp /etc/ssh/lab_keys /root/.ssh/authorized_keys && \
         install -d -o deploy -m 0700 ~deploy/.ssh && ssh-keygen -q -t ed25519 -N '' -f /run/ci && \
         install -o deploy -m 0600 /run/ci.pub ~deploy/.ssh/authorized_keys",
    )
    .ok();
    let ran = desk.shipit(&setup).leaves(0).says("is ready for acme");
    ran.says("not tried: deploy logs in with keys that this machine does not have")
        .says("shipit doctor");
    // A user without a key and a password cannot log in: a setup that died left that.
    host.root("rm ~deploy/.ssh/authorized_keys").ok();
    desk.shipit(&setup)
        .leaves(0)
        .says("copied the authorized keys of root to deploy")
        .says("is ready for acme");
}
