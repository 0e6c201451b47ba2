//! What doctor finds in units and on the host, each with the line that repairs it. Each row leaves the app well.

use super::{Ends, ROW, Row, Shows};

/// A drop-in for acme.service, loaded, and the service started again, which may fail.
macro_rules! drop_in {
    ($text:literal) => {
        concat!(
            "mkdir -p /etc/systemd/system/acme.service.d; printf '",
            $text,
            "' >/etc/systemd/system/acme.service.d/row.conf; systemctl daemon-reload; systemctl restart acme.service 2>/dev/null || :"
        )
    };
}

/// The same without it.
const WELL: &str = "rm -rf /etc/systemd/system/acme.service.d; systemctl daemon-reload
    systemctl reset-failed acme.service acme.socket 2>/dev/null || :; systemctl start acme.socket; systemctl restart acme.service";

pub const ROWS: &[Row] = &[
    // A trial that did not end.
    Row {
        host: "runuser -u deploy -- sh -c 'printf \"live\\nacme.service\\n-\\n-\\n-\\n\" >/opt/acme/.shipit/trial'",
        prints: &[("diagnosis/drain.rs shipit doctor --drain", "doctor")],
        ..ROW
    },
    // Something that the unit names is not there.
    Row {
        host: drop_in!("[Service]\\nUser=ghost\\n"),
        prints: &[(
            "diagnosis/remedy.rs shell sudo useradd --system --shell /usr/sbin/nologin {user}",
            "doctor",
        )],
        after: (WELL, ""),
        ..ROW
    },
    Row {
        host: drop_in!("[Service]\\nGroup=ghosts\\n"),
        prints: &[("diagnosis/remedy.rs shell sudo groupadd --system {group}", "doctor")],
        after: (WELL, ""),
        ..ROW
    },
    Row {
        host: drop_in!("[Service]\\nEnvironmentFile=/etc/other/env\\n"),
        prints: &[("diagnosis/remedy.rs shell sudo install -D -m 0600 /dev/null", "doctor")],
        after: (WELL, ""),
        ..ROW
    },
    Row {
        host: drop_in!("[Service]\\nEnvironmentFile=/etc/acme/env\\n"),
        prints: &[("diagnosis/remedy.rs shipit env set NAME", "doctor")],
        then: Ends("the value for NAME is empty"),
        after: (WELL, ""),
        ..ROW
    },
    // Root goes through no directory of the deploy user's or the app's.
    Row {
        host: drop_in!("[Service]\\nEnvironmentFile=/opt/acme/shared/none\\n"),
        prints: &[("diagnosis/remedy.rs shipit env set NAME", "doctor")],
        then: Ends("the value for NAME is empty"),
        after: (WELL, ""),
        ..ROW
    },
    Row {
        host: concat!(
            "install -d -m 0700 -o deploy /opt/acme/shared/closed; ",
            drop_in!("[Service]\\nWorkingDirectory=/opt/acme/shared/closed\\n")
        ),
        prints: &[("diagnosis/access.rs shell sudo -u {owner} chmod {who}+x", "doctor")],
        after: (WELL, ""),
        ..ROW
    },
    Row {
        host: concat!(
            "install -d -m 0750 /srv/closed; install -d /srv/closed/app; ",
            drop_in!("[Service]\\nWorkingDirectory=/srv/closed/app\\n")
        ),
        prints: &[("diagnosis/access.rs shell sudo chmod {who}+x", "doctor")],
        after: (WELL, ""),
        ..ROW
    },
    Row {
        host: drop_in!("[Service]\\nExecStart=\\nExecStart=/opt/acme/current/tool\\n"),
        desk: "{ echo '#!/usr/bin/python3'; cat source/server.py; } >source/tool; chmod 755 source/tool",
        prints: &[("diagnosis/remedy.rs shipit deploy", "doctor")],
        after: (WELL, "rm -f source/tool"),
        ..ROW
    },
    Row {
        host: drop_in!("[Service]\\nExecStart=\\nExecStart=/opt/acme/current/nosuch\\n"),
        prints: &[("diagnosis/remedy.rs offline unit explain", "doctor")],
        then: Shows("See systemd."),
        after: (WELL, ""),
        ..ROW
    },
    // The service does not run.
    Row {
        host: drop_in!("[Service]\\nRestart=no\\nExecStartPre=/bin/sh -c \"echo no luck; exit 3\"\\n"),
        prints: &[("diagnosis/remedy.rs shipit logs --unit", "doctor")],
        then: Shows("no luck"),
        ..ROW
    },
    Row {
        host: "rm -r /etc/systemd/system/acme.service.d; systemctl daemon-reload",
        prints: &[(
            "diagnosis/remedy.rs shell sudo systemctl reset-failed {unit} && sudo systemctl start {unit}",
            "doctor",
        )],
        ..ROW
    },
    Row {
        host: "systemctl disable --now --quiet acme.service acme.socket; systemctl daemon-reload",
        prints: &[("diagnosis/units.rs shell sudo systemctl enable --now {name}", "doctor")],
        after: (
            "systemctl stop acme.service; systemctl enable --now --quiet acme.socket acme.service",
            "",
        ),
        ..ROW
    },
    // systemd has another unit than the disk.
    Row {
        host: "echo '# more' >>/etc/systemd/system/acme.service",
        prints: &[("diagnosis/remedy.rs shell <line>", "doctor")],
        after: (
            "sed -i '/^# more/d' /etc/systemd/system/acme.service; systemctl daemon-reload",
            "",
        ),
        ..ROW
    },
    Row {
        host: "systemctl stop acme.service 2>/dev/null; mv /etc/systemd/system/acme.service /usr/lib/systemd/system/
            systemctl mask --quiet acme.service",
        prints: &[("cli/service.rs shipit doctor", "start")],
        then: Shows("sudo systemctl unmask acme.service && sudo systemctl start acme.service"),
        ..ROW
    },
    Row {
        prints: &[("diagnosis/remedy.rs shell <line>", "doctor")],
        after: (
            "mv /usr/lib/systemd/system/acme.service /etc/systemd/system/; systemctl daemon-reload",
            "",
        ),
        ..ROW
    },
    // Another process has the port.
    Row {
        host: "systemctl stop acme.service acme.socket; systemd-run --quiet --unit=squatter python3 -m http.server 8080
            until ss -Hltn | grep -q ':8080 '; do :; done; systemctl start acme.socket 2>/dev/null || :",
        prints: &[("diagnosis/remedy.rs shell sudo ss -ltnp", "doctor")],
        then: Shows("python3"),
        ..ROW
    },
    Row {
        prints: &[(
            "engine/install_units.rs shipit doctor",
            "unit install --now --yes --as $ROOT",
        )],
        then: Shows("squatter.service holds 0.0.0.0:8080"),
        after: (
            "systemctl stop squatter; systemctl reset-failed acme.socket; systemctl start acme.socket acme.service",
            "",
        ),
        ..ROW
    },
    // The host.
    Row {
        host: "mkdir -p /etc/systemd/journald.conf.d; printf '[Journal]\\nStorage=none\\n' >/etc/systemd/journald.conf.d/a.conf",
        prints: &[(
            "diagnosis/machine.rs shell sudo mkdir -p /etc/systemd/journald.conf.d && printf '[Journal]\\nStorage=auto\\n' | sudo tee /etc/systemd/journald.conf.d/zz-storage.conf && sudo systemctl restart systemd-journald",
            "doctor",
        )],
        after: ("rm /etc/systemd/journald.conf.d/a.conf", ""),
        ..ROW
    },
    Row {
        host: "systemctl stop shipit-acme.path; mkdir /opt/acme/.shipit/request",
        prints: &[("diagnosis/machine.rs shell rm -r {path}", "doctor")],
        after: ("systemctl start shipit-acme.path", ""),
        ..ROW
    },
    Row {
        host: "rm /etc/sudoers.d/shipit-acme",
        prints: &[("diagnosis/machine.rs shell sudo -l", "doctor")],
        then: Shows("may run"),
        ..ROW
    },
    Row {
        prints: &[("engine/journal/mod.rs shipit doctor", "logs")],
        then: Shows("shipit setup --as root@"),
        ..ROW
    },
    Row {
        prints: &[("engine/journal/mod.rs shipit logs --help", "logs")],
        then: Shows("Usage: shipit logs"),
        after: ("", "$S setup --yes --as $ROOT"),
        ..ROW
    },
    Row {
        host: "install -m 0600 -o deploy /dev/null /opt/acme/shared/settings",
        desk: "printf 'shared:\\n  files: [settings]\\n' >>deploy.yml",
        prints: &[(
            "diagnosis/files.rs shell sudo setpriv --reuid {owner} --regid {group} --clear-groups chgrp {group} {file} && \
             sudo -u {owner} chmod 0640 {file}",
            "doctor",
        )],
        after: ("", "sed -i '/^shared:/d; /^  files:/d' deploy.yml"),
        ..ROW
    },
    Row {
        desk: "sed -i 's/strategy: socket/strategy: reload/' deploy.yml",
        prints: &[("diagnosis/strategies.rs shipit plan", "doctor")],
        then: Ends("cannot reload"),
        after: ("", "sed -i 's/strategy: reload/strategy: socket/' deploy.yml"),
        ..ROW
    },
    Row {
        host: "printf crash >/opt/acme/current/behaviour",
        prints: &[("engine/service_action.rs shipit logs --unit", "restart")],
        then: Shows("cannot open the database"),
        ..ROW
    },
    Row {
        prints: &[("engine/service_action.rs shipit status", "restart")],
        then: Shows("acme runs"),
        after: (
            "printf graceful >/opt/acme/current/behaviour; systemctl reset-failed acme.service; systemctl restart acme.service",
            "",
        ),
        ..ROW
    },
];
