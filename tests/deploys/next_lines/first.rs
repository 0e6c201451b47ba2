//! On the way from a fresh host to a live app. The rows build on each other: each line is what makes the next state.

use super::{Ends, Gone, ROW, Row};

const FORGET: &str = "rm -f /opt/acme/current && systemctl stop acme.service";

const UNINSTALL: &str = "systemctl stop acme.socket acme.service; rm /etc/systemd/system/acme.s* \
                         /etc/systemd/system/*.wants/acme.s*; systemctl daemon-reload";

pub const ROWS: &[Row] = &[
    // Neither the host nor the repository has the units.
    Row {
        desk: "touch go.mod",
        prints: &[("plan/unit_names.rs shipit unit generate", "setup --yes --as $ROOT")],
        then: Ends("wrote deploy/units/acme.service"),
        after: (UNINSTALL, "rm -r deploy"),
        ..ROW
    },
    Row {
        prints: &[("cli/unit/repository.rs shipit unit generate", "unit diff")],
        then: Ends("wrote deploy/units/acme.service"),
        after: ("", "rm -r deploy go.mod"),
        ..ROW
    },
    Row {
        desk: "mkdir other; cp deploy.yml other",
        prints: &[(
            "cli/unit/generate.rs shipit unit generate --app {app} --program binary",
            "unit generate -c other/deploy.yml",
        )],
        then: Ends("wrote deploy/units/acme.service"),
        after: ("", "rm -rf deploy other"),
        ..ROW
    },
    Row {
        prints: &[(
            "cli/unit/generate.rs offline unit lint",
            "unit generate --program binary --command /opt/acme/current/acme",
        )],
        then: Ends("no findings in"),
        after: ("", "rm -r deploy; mkdir deploy; cp -r units.socket deploy/units"),
        ..ROW
    },
    Row {
        prints: &[
            ("plan/needs.rs as_root setup", "plan"),
            ("diagnosis/machine.rs as_root setup", "doctor"),
        ],
        ..ROW
    },
    Row {
        prints: &[
            ("cli/setup/mod.rs as_root unit install --now", "setup --yes --as $ROOT"),
            ("plan/unit_names.rs as_root unit install --now", "plan"),
        ],
        ..ROW
    },
    // Everything is ready, and nothing is live.
    Row {
        prints: &[
            ("cli/setup/mod.rs shipit deploy", "setup --yes --as $ROOT"),
            ("cli/releases.rs shipit deploy", "releases"),
            ("cli/status/mod.rs shipit deploy", "status"),
            ("cli/history.rs shipit deploy", "history"),
            ("cli/service.rs shipit deploy", "start"),
            ("cli/service.rs shipit deploy", "restart"),
            ("engine/run_command.rs shipit deploy", "run -- true"),
        ],
        then: Ends("verified"),
        ..ROW
    },
    Row {
        host: FORGET,
        prints: &[
            ("cli/status/mod.rs shipit deploy", "status"),
            ("cli/service.rs shipit deploy", "start"),
            ("diagnosis/units.rs shipit deploy", "doctor -v"),
        ],
        then: Gone,
        ..ROW
    },
    // What `current` names was removed.
    Row {
        host: "ln -sfnT releases/20200101-000000 /opt/acme/current",
        prints: &[
            (
                "plan/needs.rs ssh {} ln -sfnT releases/{newest} {root}/current",
                "deploy",
            ),
            (
                "plan/needs.rs ssh {} ln -sfnT releases/{newest} {root}/current",
                "doctor",
            ),
        ],
        ..ROW
    },
    // A copy in its place, and a symlink as other tools write it.
    Row {
        host: "cd /opt/acme; live=$(readlink current); rm current; cp -r $live current",
        prints: &[
            (
                "plan/needs.rs ssh {host} '{aside} && ln -sT releases/{newest} {root}/current'",
                "deploy",
            ),
            (
                "plan/needs.rs ssh {host} '{aside} && ln -sT releases/{newest} {root}/current'",
                "setup --yes --as $ROOT",
            ),
        ],
        after: ("rm -r /opt/acme/current.old", ""),
        ..ROW
    },
    Row {
        host: "cd /opt/acme; ln -sfnT /opt/acme/$(readlink current) current",
        prints: &[(
            "plan/needs.rs ssh {host} ln -sfnT releases/{id} {root}/current",
            "deploy",
        )],
        ..ROW
    },
    Row {
        host: "rm -rf /opt/acme/releases/2* /opt/acme/current; mkdir /opt/acme/current
            systemctl stop acme.socket acme.service; systemctl start acme.socket",
        prints: &[("plan/needs.rs ssh {host} {aside}", "deploy")],
        after: ("rm -r /opt/acme/current.old", ""),
        ..ROW
    },
    Row {
        host: "rm -rf /opt/acme/releases/2*; systemctl stop acme.socket acme.service; systemctl start acme.socket",
        prints: &[("plan/needs.rs ssh <remove>", "deploy")],
        ..ROW
    },
    // A unit that reads the environment, before and after the first release.
    Row {
        host: "rm -f /opt/acme/current; systemctl stop acme.service
            mkdir -p /etc/systemd/system/acme.service.d
            printf '[Service]\\nEnvironmentFile=-/etc/acme/env\\n' >/etc/systemd/system/acme.service.d/env.conf
            systemctl daemon-reload",
        desk: "echo one >value",
        prints: &[("cli/env.rs shipit deploy", "env set GREETING <value")],
        ..ROW
    },
    Row {
        desk: "echo two >value",
        prints: &[("cli/env.rs shipit restart", "env set GREETING <value")],
        then: Ends("acme.service restarted"),
        ..ROW
    },
    Row {
        prints: &[("engine/deploy.rs shipit deploy --restart", "deploy")],
        then: Ends("verified"),
        ..ROW
    },
];
