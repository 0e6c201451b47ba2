//! What sudo lets the deploy user do, on both versions of it: rules of the host that come after shipit's, a host that
//! wants terminals, a slow sudo, and lines whose words are joined.

use std::collections::BTreeSet;

use super::desk::{Desk, Ran, acme, assert_live, current};
use crate::apps::{Kind, Service};
use crate::lab::{self, Host, Suite};

/// Another file of sudoers, read after shipit's.
fn later(host: &Host, text: &str) {
    host.write_file("/etc/sudoers.d/zz-later", text.as_bytes());
    host.root("chmod 0440 /etc/sudoers.d/zz-later && visudo -qc").ok();
}

#[test]
fn a_later_rule_that_wants_a_password_is_named_before_anything_changes() {
    for suite in Suite::Trixie.or_both() {
        let host = lab::host!(suite);
        let desk = Desk::live(&host, Service::Socket, &acme("socket"));
        let live = current(&host);
        let file = if suite == Suite::Trixie {
            " of /etc/sudoers.d/zz-later"
        } else {
            ""
        };
        for (rule, named) in [
            ("%deploy ALL=(ALL:ALL) ALL", "(ALL) ALL"),
            ("deploy ALL=(root) /usr/bin/systemctl", "(root) /usr/bin/systemctl"),
            (
                "deploy ALL=(root) PASSWD: /usr/bin/systemctl --no-block restart acme.service",
                "(root) /usr/bin/systemctl --no-block restart acme.service",
            ),
            (
                "deploy ALL=(root) NOPASSWD: !/usr/bin/systemctl",
                "(root) !/usr/bin/systemctl",
            ),
        ] {
            later(&host, &format!("{rule}\n"));
            let words = format!("without a password: the rule `{named}`{file} takes precedence");
            desk.tree(Kind::Graceful, "v2");
            desk.shipit(&["deploy"])
                .leaves(1)
                .says(&words)
                .says("nothing changed")
                .says(" visudo -f /etc/sudoers");
            desk.shipit(&["doctor"]).leaves(1).says(&words);
            assert_live(&host, &live, "v1");
        }
        for harmless in [
            "%deploy ALL=(ALL:ALL) NOPASSWD: ALL",
            "deploy ALL=(root) /usr/bin/systemctl restart nginx.service",
            "deploy ALL=(www-data) ALL",
            // `sudo -l` is refused without a terminal, and the lines of the rule run.
            "Defaults requiretty",
            "Defaults listpw=always",
        ] {
            later(&host, &format!("{harmless}\n"));
            desk.shipit(&["doctor"]).leaves(0).says("a deploy can start");
        }
        // Without a user's name, sudo would run everything as this one.
        later(&host, "Defaults requiretty\nDefaults runas_default=nobody\n");
        desk.setup().says("is ready for acme");
        desk.shipit(&["doctor"]).leaves(0).says("a deploy can start");
        let v2 = desk.deploy(Kind::Graceful, "v2");
        assert_live(&host, &v2, "v2");
        desk.shipit(&["restart"]).leaves(0);
        desk.shipit(&["env", "list"]).leaves(0);
        desk.shipit(&["logs", "--lines", "1"]).leaves(0);
        later(&host, "Defaults runas_default=nobody\n");
        let admin = format!("admin@{}", host.address());
        desk.shipit(&["setup", "--yes", "--as", &admin]).leaves(0);
        // A line that the rule lacks is found even where sudo lists nothing.
        host.root("sed -i '/reset-failed acme.socket/d' /etc/sudoers.d/shipit-acme && visudo -qc")
            .ok();
        desk.shipit(&["deploy", "--restart"])
            .leaves(1)
            .says("deploy may not run `sudo /usr/bin/systemctl reset-failed acme.socket`")
            .says("shipit setup --as root@");
    }
}

/// `service.d/` changes every service of the host, also the one that carries a switch out.
#[test]
fn a_host_that_hardens_every_service_refuses_a_deploy_before_anything_changes() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    let live = current(&host);
    let harden = |settings: &str| {
        host.write_file(
            "/etc/systemd/system/service.d/10-all.conf",
            format!("[Service]\n{settings}\n").as_bytes(),
        );
        host.root("systemctl daemon-reload").ok();
    };
    desk.tree(Kind::Graceful, "v2");
    harden("NoNewPrivileges=yes\nProtectSystem=strict");
    let words = "drop-ins override NoNewPrivileges, ProtectSystem in shipit-acme.service";
    for command in ["deploy", "doctor"] {
        desk.shipit(&[command])
            .leaves(1)
            .says(words)
            .says("(/etc/systemd/system/service.d/10-all.conf)")
            .says("systemctl edit shipit-acme.service shipit-acme-boot.service")
            .says("[Service] NoNewPrivileges=no ProtectSystem=no");
    }
    // With systemd 252, this implies NoNewPrivileges=; nothing but a process in the unit shows it.
    harden("ProtectKernelTunables=yes");
    desk.shipit(&["deploy"])
        .leaves(1)
        .says("sudo cannot work where the conductor runs")
        .says("nothing live changed");
    assert_live(&host, &live, "v1");
    // What the next step makes exempts the conductor from all of it.
    harden("NoNewPrivileges=yes");
    for unit in ["shipit-acme.service", "shipit-acme-boot.service"] {
        let file = format!("/etc/systemd/system/{unit}.d/override.conf");
        host.write_file(&file, b"[Service]\nNoNewPrivileges=no\n");
    }
    host.root("systemctl daemon-reload").ok();
    desk.shipit(&["deploy"]).leaves(0);
}

#[test]
fn a_slow_sudo_is_asked_once_and_named() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    host.root("mv /usr/bin/sudo /usr/bin/sudo.real && install -m 0666 /dev/null /var/tmp/asked")
        .ok();
    let slow = b"#!/bin/sh\necho \"$*\" >>/var/tmp/asked\nsleep 6\nexec /usr/bin/sudo.real \"$@\"\n";
    host.write_file("/usr/bin/sudo", slow);
    host.root("chmod 0755 /usr/bin/sudo").ok();
    // On a busy host it takes longer.
    let named = |ran: Ran| {
        let said = format!("{}{}", ran.stdout, ran.stderr);
        let seconds = said
            .split_once("sudo takes ")
            .and_then(|(_, rest)| rest.split_once("s on this host"));
        let seconds: u32 = seconds.unwrap_or_else(|| panic!("{ran}")).0.parse().unwrap();
        assert!(seconds >= 6, "{ran}");
    };
    desk.tree(Kind::Graceful, "v2");
    for command in [&["plan"][..], &["deploy", "--stage-only"]] {
        host.root(": >/var/tmp/asked").ok();
        let ran = desk.shipit(command).leaves(0);
        // What is staged only starts nothing by sudo.
        if command == ["plan"] {
            named(ran);
        }
        let asked = host.read_file("/var/tmp/asked");
        let what: BTreeSet<&str> = asked.lines().collect();
        assert_eq!(
            (what.len(), asked.lines().count()),
            (2, 2),
            "{command:?}: what it lists, and one line of the rule: {asked}"
        );
    }
    named(desk.shipit(&["doctor"]).leaves(0));
}

/// Every way in which the words of a line can be given to sudo: it compares them joined by spaces.
fn joined(line: &str) -> Vec<String> {
    let words: Vec<&str> = line.split(' ').collect();
    let ways = 0..1u32 << (words.len() - 2);
    let way = |way: u32| {
        let mut text = format!("{} '{}", words[0], words[1]);
        for (i, word) in words[2..].iter().enumerate() {
            text += if way & (1 << i) == 0 { "' '" } else { " " };
            text += word;
        }
        text + "'"
    };
    ways.map(way).collect()
}

#[test]
fn no_way_to_join_the_words_of_a_line_starts_another_program_as_root() {
    assert_eq!(joined("/bin/a b c"), ["/bin/a 'b' 'c'", "/bin/a 'b c'"]);
    for suite in Suite::Bookworm.or_both() {
        let host = lab::host!(suite);
        let migrate = acme("socket").with("migrate: acme-migrate.service");
        let desk = Desk::live(&host, Service::Socket, &migrate);
        // Whichever of them starts, as root or not, leaves its name.
        host.root(
            "for name in pager less more systemd-tty-ask-password-agent pkttyagent; do \
             printf '#!/bin/bash\\necho \"$0 $(id -u)\" >>/var/tmp/started\\n' >/opt/$name && chmod 0755 /opt/$name; \
             ln -sf /opt/$name /usr/bin/$name; done; touch /var/tmp/started; chmod 0666 /var/tmp/started",
        )
        .ok();
        let rule = host.read_file("/etc/sudoers.d/shipit-acme").replace("\\\n", " ");
        let commands = rule
            .lines()
            .filter_map(|line| line.strip_prefix("Cmnd_Alias ")?.split_once(" = "));
        let lines: BTreeSet<String> = commands
            .flat_map(|(_, commands)| commands.split(", "))
            .map(|line| line.trim().replace('\\', ""))
            .collect();
        assert!(lines.len() > 15, "{lines:?}");
        // A terminal of its own for each, as a person has: systemd pages only there. Nobody types, and the input does
        // not end either: at its end, script may stop reading what sudo still writes.
        let typed_at = |line: &str| {
            let quoted = line.replace('\'', "'\\''");
            format!("timeout -s KILL 10 script -qec '{quoted}' /dev/null <&3 >/dev/null 2>&1 || :\n")
        };
        let mut typed = "export TERM=xterm; mkfifo /tmp/keyboard && exec 3<>/tmp/keyboard\n".to_owned();
        typed += &typed_at("journalctl");
        typed += "grep -q . /var/tmp/started || exit 9 # the deploy user's own pager starts\n: >/var/tmp/started\n";
        for line in lines.iter().flat_map(|line| joined(line)) {
            typed += &typed_at(&format!("timeout 2 sudo -n {line}"));
        }
        host.write_file("/var/tmp/typed", typed.as_bytes());
        host.ssh("deploy", "sh /var/tmp/typed").ok();
        assert_eq!(host.read_file("/var/tmp/started"), "", "started by root's programs");
        drop(desk);
    }
}
