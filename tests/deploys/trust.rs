//! What the deploy user, the app's user, or another user of the host could do to become root, or to stand in the way.

use base64::Engine as _;

use super::desk::{Desk, acme};
use crate::apps::{ACME, Kind, Service};
use crate::bounds;
use crate::lab::{self, Suite};

/// A path that looks root-owned, and leads through a symlink into a directory of the app's user.
const OPEN: &str = "set -e; install -d -o app /srv/acme/run; ln -sfn /srv/acme/run /run/acme-sockets
    mkdir -p /etc/systemd/system/acme.socket.d
    printf '[Socket]\\nListenStream=/run/acme-sockets/a.sock\\nSocketUser=app\\n' >/etc/systemd/system/acme.socket.d/a.conf
    systemctl daemon-reload";

/// A directory for a log file that looks closed, and that one more user can write to.
const ACL: &str = "set -e; install -d /var/log/acme /etc/systemd/system/acme.service.d
    echo 'a+ /var/log/acme - - - - u:deploy:rwx' | systemd-tmpfiles --create -
    printf '[Service]\\nStandardOutput=append:/var/log/acme/app.log\\n' >/etc/systemd/system/acme.service.d/log.conf
    systemctl daemon-reload";

#[test]
fn a_unit_whose_path_others_can_change_gets_no_sudo_line_and_setup_and_doctor_say_why() {
    let host = lab::host!(Suite::Trixie);
    ACME.install_units(&host, Service::Socket);
    host.root(OPEN).ok();
    let desk = Desk::at(&host, "ann");
    desk.write(&acme("socket"));
    let root = format!("root@{}", host.address());
    desk.shipit(&["setup", "--as", &root, "--yes"])
        .leaves(1)
        .says("without sudo lines for acme.service, acme.socket")
        .says("systemd starts acme.socket with it; ")
        .says("ListenStream= /run/acme-sockets/a.sock: root creates it and sets its owner, and app owns /srv/acme/run")
        .says("write no sudo line for acme.socket");
    let rule = host.root("cat /etc/sudoers.d/shipit-acme").ok();
    // A restart of the service would start the socket: root would bind it wherever the app's user led it.
    assert!(!rule.contains("systemctl"), "{rule}");
    let restart = "runuser -u deploy -- sudo -n systemctl --no-block restart acme.service";
    assert!(!host.root(restart).success(), "it was restarted");
    desk.shipit(&["doctor"]).leaves(1).says("app owns /srv/acme/run");

    host.root("rm -r /etc/systemd/system/acme.socket.d; systemctl daemon-reload")
        .ok();
    // The next one is in the repository, and not on the host yet.
    desk.file(
        "deploy/units/acme.socket",
        "[Socket]\nListenStream=/opt/acme/shared/a.sock\n",
    );
    desk.shipit(&["setup", "--as", &root, "--yes"])
        .leaves(1)
        .says("acme.socket:2: ListenStream= /opt/acme/shared/a.sock");
    std::fs::remove_file(desk.path("deploy/units/acme.socket")).unwrap();
    desk.shipit(&["setup", "--as", &root, "--yes"])
        .leaves(0)
        .says("is ready for acme");
    let rule = host.root("cat /etc/sudoers.d/shipit-acme").ok();
    assert!(rule.contains("systemctl stop acme.socket"), "{rule}");

    // Root's own by owner, group and mode, and open by an ACL.
    host.root(ACL).ok();
    let mode = host.root("stat -c '%U %G %a' /var/log/acme").ok();
    assert_eq!(mode.trim(), "root root 775");
    let setup = ["setup", "--as", root.as_str(), "--yes"];
    desk.shipit(&setup)
        .leaves(1)
        .says("users other than root can change /var/log/acme (mode 0775)");
    let rule = host.root("cat /etc/sudoers.d/shipit-acme").ok();
    assert!(!rule.contains("restart acme.service"), "{rule}");
    host.root("rm -r /var/log/acme").ok();
    desk.shipit(&setup).leaves(0);

    // A drop-in that the login cannot read.
    host.root("chmod 0600 /etc/systemd/system/acme.service.d/log.conf").ok();
    let admin = format!("admin@{}", host.address());
    desk.shipit(&["setup", "--as", &admin, "--yes"])
        .leaves(1)
        .says("its drop-in /etc/systemd/system/acme.service.d/log.conf cannot be read");
    let rule = host.root("cat /etc/sudoers.d/shipit-acme").ok();
    assert!(!rule.contains("restart acme.service"), "{rule}");
}

/// Every file and directory that a user can open is locked by that user, after whoever holds it at the moment: the test
/// itself does when it asks whether the lock is taken.
const GREEDY: &str = "systemd-run --quiet --unit=greedy --uid=nobody sh -c '
    for path in $(find /opt /etc/acme /etc/systemd/system /usr/local/lib/shipit /run/shipit* 2>/dev/null); do
        flock \"$path\" sleep 600 & done; wait'";

#[test]
fn no_lock_can_be_taken_by_another_user() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    desk.shipit(&["env", "list"]).leaves(0);
    host.root("mkdir -p -m 0755 /etc/acme").ok();
    host.root(GREEDY).ok();
    host.wait_for("every lock", |host| {
        !host.root("flock -n /opt/acme/releases true").success() && !host.root("flock -n /etc/acme true").success()
    });
    let version = desk.deploy(Kind::Graceful, "v2");
    assert!(!version.is_empty());
    let mut set = desk.command(&["env", "set", "A"]);
    let set = set.stdin(std::process::Stdio::piped()).spawn().unwrap();
    assert!(bounds::given(set, "env set", b"1".to_vec()).status.success());
    desk.shipit(&["restart"]).leaves(0);
    desk.shipit(&["rollback"]).leaves(0);
    let root = format!("root@{}", host.address());
    desk.shipit(&["setup", "--yes", "--as", &root]).leaves(0);
    // What the product's scripts lock, opened by somebody else.
    let helpers = [
        ("env helper", shipit::remote::ENV_HELPER),
        ("run helper", shipit::remote::RUN_HELPER),
    ];
    let conductor = [("conductor", shipit::remote::CONDUCTOR)];
    let mut opened = std::collections::BTreeSet::new();
    for (_, text) in shipit::remote::script::ALL.iter().chain(&helpers).chain(&conductor) {
        for (at, _) in text.match_indices(['<', '>']) {
            let digit = text[..at].chars().next_back().filter(char::is_ascii_digit);
            let name = text[at + 1..].split([' ', '\n', ';', ')']).next().unwrap();
            // A lock's descriptor is one of the high ones; not a copy, and not a text.
            if digit.is_some_and(|digit| digit >= '5') && !name.starts_with(['&', '<', '>']) {
                opened.insert(name.trim_matches('"'));
            }
        }
    }
    let known = [
        (".", "/opt/acme/.shipit"),
        ("$1/", "/opt/acme/.shipit/runs"),
        ("../.shipit/releases", "/opt/acme/.shipit/releases"),
        ("../.shipit/releases/$3", "/opt/acme/.shipit/releases"),
        ("../.shipit/releases/.in-$held_id", "/opt/acme/.shipit/releases"),
        ("$R/request", "/opt/acme/.shipit/runs"),
        ("$held_by", "/opt/acme/.shipit/releases"),
        ("actions", "/opt/acme/.shipit/actions"),
        ("releases/$name", "/opt/acme/.shipit/releases"),
        ("/run/shipit-env-$app.lock", "/run/shipit-env-acme.lock"),
        ("/run/shipit-setup.lock", "/run/shipit-setup.lock"),
    ];
    let listed: std::collections::BTreeSet<&str> = known.iter().map(|(name, _)| *name).collect();
    assert_eq!(opened, listed, "the scripts lock other files now");
    for (_, lock) in known {
        host.root(&format!("test -e {lock}")).ok();
        assert!(
            !host
                .root(&format!("runuser -u nobody -- flock -n {lock} true"))
                .success(),
            "{lock}"
        );
    }
}

#[test]
fn a_host_that_prints_without_end_is_not_heard_for_long() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    let shells = [
        (
            "exec yes hello",
            [
                "of output outside the steps",
                "the host keeps printing, and does not run the command",
            ],
        ),
        (
            "text=$(echo \"$2\" | sed 's/.*echo //; s/ .*//' | base64 -d | gzip -dc); n=${text#*n=}; n=${n%%\"$(printf '\\n.')\"*}
             n=$(printf '%s' \"$text\" | sed -n 's/.*n=\\(@[0-9a-f]*\\)$/\\1/p' | head -n 1)
             while :; do printf '%s begin 0\\n%s end 0 0\\n' \"$n\" \"$n\"; done",
            ["a forged line", "the host keeps printing, and does not run the command"],
        ),
        (
            "exec yes hello >&2",
            ["of messages", "the host keeps printing, and does not run the command"],
        ),
    ];
    for (script, why) in shells {
        host.write_file("/usr/local/bin/evil", format!("#!/bin/bash\n{script}\n").as_bytes());
        host.root("chmod 0755 /usr/local/bin/evil; usermod -s /usr/local/bin/evil deploy")
            .ok();
        desk.shipit(&["releases"]).leaves(1).says(why[0]);
        desk.shipit(&["releases", "--system-ssh"]).leaves(6).says(why[1]);
    }
    // Bytes after the last token.
    host.write_file(
        "/usr/local/bin/evil",
        b"#!/bin/bash\n/bin/bash \"$@\"; exec yes hello\n",
    );
    desk.shipit(&["status"]).leaves(0);
    desk.shipit(&["logs", "--lines", "1"]).leaves(0);
}

/// Another user of the host reads every command line of every process there, as long as it lives.
#[test]
fn no_other_user_reads_the_prepare_command_or_the_query_of_a_health_url() {
    let host = lab::host!(Suite::Trixie);
    let yml = acme("socket").health("url", "\"http://127.0.0.1:8080/healthz?token=sesame\"");
    let desk = Desk::live(&host, Service::Socket, &yml);
    host.root(
        r#"systemd-run -q --unit=reader -p User=nobody -p StandardOutput=file:/run/seen sh -c '
        while :; do cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\0" "\n" | grep -aE "ses[a]me|base64 -d"; done'"#,
    )
    .ok();
    desk.write(
        &yml.with("prepare: 'for open in sesame; do sleep 1; done; test -z \"$(cat)\" && echo $open >prepared'"),
    );
    desk.tree(Kind::Graceful, "v2");
    desk.json(&["deploy"]).leaves(0);
    assert_eq!(host.read_file("/opt/acme/current/prepared"), "sesame\n");
    for command in ["status", "restart", "doctor"] {
        desk.shipit(&[command]).leaves(0);
    }
    host.root("systemctl stop reader").ok();
    let seen = host.root("sort -u /run/seen").ok();
    assert!(seen.contains("base64 -d"), "nothing was read");
    assert!(!seen.contains("sesame"), "{seen}");
    let packed = seen.split([' ', '\n']).filter(|word| word.len() > 100);
    for text in packed.filter_map(|word| base64::engine::general_purpose::STANDARD.decode(word).ok()) {
        let text = String::from_utf8_lossy(&text).into_owned();
        assert!(!text.contains("sesame"), "{text}");
    }
}
