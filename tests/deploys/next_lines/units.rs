//! Units on their way to the host, sockets that do not listen, services that do not run.

use super::{Ends, ROW, Row, Shows};

pub const ROWS: &[Row] = &[
    // The repository has another text.
    Row {
        desk: "sed -i 's/^Description=.*/Description=the new one/' deploy/units/acme.service; echo 'units_drift: refuse' >>deploy.yml
            date +%N >source/good",
        prints: &[
            ("cli/unit/diff.rs as_root unit install", "unit diff"),
            ("diagnosis/remedy.rs as_root unit install", "doctor -v"),
            ("plan/unit_files/drift.rs as_root unit install", "deploy"),
        ],
        ..ROW
    },
    Row {
        desk: "sed -i 's/^Description=.*/Description=again/' deploy/units/acme.service",
        prints: &[("plan/unit_files/drift.rs shipit unit diff", "deploy")],
        then: Shows("+Description=again"),
        ..ROW
    },
    Row {
        prints: &[("diagnosis/remedy.rs shipit unit diff", "doctor -v")],
        then: Shows("+Description=again"),
        ..ROW
    },
    Row {
        desk: "date +%N >source/good",
        prints: &[("cli/unit/install.rs shipit deploy", "unit install --yes --as $ROOT")],
        then: Ends("verified"),
        after: ("", "sed -i /^units_drift/d deploy.yml"),
        ..ROW
    },
    Row {
        desk: "printf '[Nonsense\\n' >>deploy/units/acme.service",
        prints: &[("cli/unit/install.rs shipit unit lint", "unit install")],
        then: Shows("deploy/units/acme.service"),
        after: ("", "cp units.socket/acme.service deploy/units/; $S unit install --yes --as $ROOT"),
        ..ROW
    },
    // The port was taken when the socket started, and is free by now.
    Row {
        host: "systemctl stop acme.service acme.socket; systemd-run --quiet --unit=squatter python3 -m http.server 8080
            until ss -Hltn | grep -q ':8080 '; do :; done; ! systemctl start acme.socket 2>/dev/null; systemctl stop squatter",
        desk: "date +%N >source/good",
        prints: &[
            ("cli/unit/install.rs as_root unit install --now", "unit install --yes --as $ROOT"),
            ("plan/needs.rs as_root unit install --now", "deploy"),
        ],
        ..ROW
    },
    Row {
        host: "systemctl stop acme.service acme.socket",
        desk: "date +%N >source/good",
        prints: &[("plan/needs.rs shipit doctor", "deploy")],
        then: Shows("sudo systemctl reset-failed acme.socket; sudo systemctl enable --now acme.socket"),
        ..ROW
    },
    Row {
        prints: &[("diagnosis/remedy.rs shell <match running_service>", "doctor")],
        after: ("", "$S deploy"),
        ..ROW
    },
    // What stands in the way of an install.
    Row {
        desk: "sed -i s/0.0.0.0:8080/127.0.0.1:8080/ deploy/units/acme.socket",
        prints: &[("plan/unit_files/install.rs shell systemctl stop {name}", "unit install --yes --as $ROOT")],
        after: ("", "cp units.socket/acme.socket deploy/units/; $S unit install --now --yes --as $ROOT; $S start"),
        ..ROW
    },
    Row {
        host: "systemctl disable --quiet acme.service; rm /etc/systemd/system/acme.service
            ln -s /dev/null /etc/systemd/system/acme.service; systemctl daemon-reload",
        prints: &[("plan/unit_files/install.rs shell systemctl unmask {name}", "unit install --yes --as $ROOT")],
        ..ROW
    },
    Row {
        host: "mv /etc/systemd/system/acme.service /srv/; ln -s /srv/acme.service /etc/systemd/system/; systemctl daemon-reload",
        prints: &[("plan/unit_files/install.rs shell rm {PLACE}/{name}", "unit install --yes --as $ROOT")],
        ..ROW
    },
    Row {
        desk: "sed -i 's/^Description=.*/Description=for root/' deploy/units/acme.service",
        prints: &[("engine/install_units.rs shipit unit install --as", "unit install --yes")],
        ..ROW
    },
    // The app moves behind a new socket: its service runs, and the sudo rule knows no socket.
    Row {
        host: "systemctl disable --now --quiet acme.socket acme.service; rm /etc/systemd/system/acme.socket",
        desk: "rm deploy/units/*; cp units.restart/* deploy/units/; sed -i 's/strategy: socket/strategy: restart/' deploy.yml
            $S unit install --yes --as $ROOT; $S setup --yes --as $ROOT; date +%N >source/good; $S deploy
            sed -i 's/strategy: restart/strategy: socket/' deploy.yml; cp units.socket/* deploy/units/; date +%N >source/good",
        prints: &[("plan/unit_files/install.rs ssh <config.host.of>", "unit install --now --yes --as $ROOT")],
        ..ROW
    },
    Row {
        host: "sed -i '/acme.socket/d' /etc/sudoers.d/shipit-acme",
        desk: "sed -i 's/^Description=.*/Description=newer/' deploy/units/acme.service",
        prints: &[("cli/unit/install.rs as_root setup", "unit install --yes --as $ROOT")],
        then: Ends("is ready for acme"),
        ..ROW
    },
    Row {
        prints: &[("engine/ended.rs shipit rollback", "deploy")],
        then: Ends("rolled back"),
        ..ROW
    },
];
