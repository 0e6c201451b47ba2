//! `setup` and `up` on a host where most of it stands already: what they show before the question is what root then
//! changes, and nothing else. What the acts themselves do is in `setting_up`.

use std::collections::BTreeSet;

use super::desk::{Desk, Ran, acme};
use crate::apps::{ACME, Kind, Service};
use crate::lab::{self, Host, Suite};

const NOTHING: &str = "change nothing: all that setup installs is in place";

/// The paths on lines that begin with one of these words.
fn paths<'a>(text: &'a str, words: &[&str]) -> BTreeSet<&'a str> {
    let path = |line: &'a str| {
        let rest = words.iter().find_map(|word| line.trim_start().strip_prefix(word))?;
        let end = rest.find([',', ':', ' ']).unwrap_or(rest.len());
        rest.starts_with('/').then(|| &rest[..end])
    };
    text.lines().filter_map(path).collect()
}

/// Insists that the files that were shown are those that root then wrote.
#[track_caller]
fn written_as_shown(ran: &Ran) {
    let shown = paths(&ran.stdout, &["write ", "replace "]);
    let said = ran.stderr.replace("  host ", "");
    assert_eq!(shown, paths(&said, &["wrote "]), "{ran}");
    let shown = paths(&ran.stdout, &["remove "]);
    assert_eq!(shown, paths(&said, &["removed "]), "{ran}");
}

#[test]
fn what_is_shown_before_the_question_is_what_root_changes() {
    let host = lab::host!(Suite::Trixie);
    ACME.install_units(&host, Service::Socket);
    let desk = Desk::at(&host, "ann");
    let (root, admin) = (format!("root@{}", host.address()), format!("admin@{}", host.address()));
    desk.write(&acme("socket"));
    // Nobody answers: what is shown is all.
    let shown = |args: &[&str]| desk.shipit(&[&["setup"], args].concat()).leaves(2);
    let set_up = || {
        let ran = desk.shipit(&["setup", "--yes", "--as", &root]).leaves(0);
        written_as_shown(&ran);
        desk.shipit(&["setup", "--yes", "--as", &root]).leaves(0).says(NOTHING)
    };
    host.root(
        "install -d -o deploy -m 0700 ~deploy/.ssh && install -o deploy /etc/ssh/lab_keys ~deploy/.ssh/authorized_keys",
    )
    .ok();

    // A host with nothing of it gets the whole list, the same as one that was not asked.
    let first = shown(&["--as", &root]).never_says("in place").says("create /opt/acme");
    let unasked = desk.shipit(&["setup", "--print"]).leaves(0);
    let listed = |ran: &Ran| paths(&ran.stdout, &["write "]).len();
    assert_eq!((listed(&first), listed(&unasked)), (7, 7), "{first}");
    set_up()
        .says("nothing to change")
        .never_says("create ")
        .never_says("write /");
    // The deploy user reads the rule through its own sudo line.
    shown(&[]).says(NOTHING);
    // So does a login that may run anything. Whoever cannot read a file gets that line, and no other.
    let seen = shown(&["--as", &admin]);
    assert_eq!(listed(&seen), 0, "{seen}");
    host.root("rm /etc/sudoers.d/lab-admin").ok();
    let unread = shown(&["--as", &admin])
        .says("write /etc/sudoers.d/shipit-acme, if it differs: admin cannot read it:")
        .says("leave the rest: 6 root-owned files are in place");
    assert_eq!(listed(&unread), 1, "{unread}");

    // Empty lines at the end of a file are no difference.
    only(&host, &desk, "echo >>/usr/local/lib/shipit/acme/env", &[]);
    set_up();
    for (breaks, lines) in [
        (
            "echo '# mine' >>/usr/local/lib/shipit/acme/env",
            &["replace /usr/local/lib/shipit/acme/env, which has a different text"][..],
        ),
        (
            "echo '# mine' >>/etc/sudoers.d/shipit-acme",
            &["replace /etc/sudoers.d/shipit-acme, which has a different text:"],
        ),
        (
            "cd /etc/systemd/system; chmod 0666 shipit-acme.service; rm shipit-acme-boot.service
             mv shipit-acme.path /srv/ && ln -s /srv/shipit-acme.path .",
            &[
                "replace /etc/systemd/system/shipit-acme.service, which is root:root 0666: it becomes root:root 0644",
                "write /etc/systemd/system/shipit-acme-boot.service",
                "replace /etc/systemd/system/shipit-acme.path, which is a symlink",
            ],
        ),
        (
            "chown deploy: /usr/local/lib/shipit/acme /usr/local/lib/shipit/acme/env",
            &[
                "fix /usr/local/lib/shipit/acme, which is deploy:deploy 0755: it becomes root:root 0755",
                "replace /usr/local/lib/shipit/acme/env, which is deploy:deploy 0755: it becomes root:root 0755",
            ],
        ),
        (
            "systemctl disable --quiet --now shipit-acme.path shipit-acme-boot.service",
            &["enable and start shipit-acme.path", "enable shipit-acme-boot.service"],
        ),
        (
            "chmod 0755 /opt/acme/.shipit; chgrp deploy /opt/acme/shared; chown root: /opt/acme",
            &[
                "fix in /opt/acme: shared/ (group app), .shipit/ (owner deploy, mode 0700)",
                "give /opt/acme, a deploy tree that belongs to root, to deploy",
            ],
        ),
        (
            "rm ~deploy/.ssh/authorized_keys",
            &["give deploy this login's authorized keys, if it has neither keys nor a password"],
        ),
    ] {
        only(&host, &desk, breaks, lines);
        host.root("install -o deploy /etc/ssh/lab_keys ~deploy/.ssh/authorized_keys")
            .ok();
        set_up();
    }
    // `up` shows the same list.
    desk.tree(Kind::Graceful, "v1");
    host.root("systemctl disable --quiet --now shipit-acme.path").ok();
    let up = desk.shipit(&["up", "--print", "--as", &root]).leaves(0);
    assert_eq!(acts(&up).len(), 1, "{up}");
    up.says("enable and start shipit-acme.path");
    // What deploy.yml no longer asks for goes.
    desk.write(&acme("socket").with("run_as: deploy\n"));
    let ran = shown(&["--as", &root]);
    assert_eq!(paths(&ran.stdout, &["remove "]).len(), 1, "{ran}");
    ran.says("remove /usr/local/lib/shipit/acme/run, which is not needed")
        .says("replace /etc/sudoers.d/shipit-acme, which has a different text:");
    set_up();
}

/// The acts that were shown: without what they are for, and the text of files.
fn acts(ran: &Ran) -> Vec<&str> {
    let is_act = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
    let more = ["  leave the rest: ", "  (-v or "];
    let acts = ran.stdout.lines().filter(is_act);
    acts.filter(|line| more.iter().all(|word| !line.starts_with(word)))
        .map(str::trim_start)
        .collect()
}

/// Insists that `setup` shows these acts and no others once the host is broken like this; with none, that it shows so.
#[track_caller]
fn only(host: &Host, desk: &Desk, breaks: &str, lines: &[&str]) {
    host.root(breaks).ok();
    let root = format!("root@{}", host.address());
    let ran = desk.shipit(&["setup", "--as", &root]).leaves(2);
    if lines.is_empty() {
        ran.says(NOTHING);
        return;
    }
    let (shown, wanted): (BTreeSet<_>, BTreeSet<_>) =
        (acts(&ran).into_iter().collect(), lines.iter().copied().collect());
    assert_eq!(shown, wanted, "{breaks}: {ran}");
}
