//! Around an app that runs: releases that fail, switches that hold the host, rules and helpers of root's that are gone.
//! Each row leaves the app live and well.

use super::{Ends, ROW, Row, Shows};

/// A release that will go well, and is another than the one before.
const GOOD: &str =
    "date +%N >source/good; printf graceful >source/behaviour; printf '#!/bin/sh\\nexit 0\\n' >source/migrate";

/// As the host records a migration that the power ended.
const INTERRUPTED: &str = "cd /opt/acme; set -- $(tail -n 1 .shipit/ledger)
    echo \"$1 $2 $3 interrupted $(basename $(readlink current))\" >>.shipit/ledger";

pub const ROWS: &[Row] = &[
    Row {
        desk: GOOD,
        prints: &[("engine/ended.rs shipit rollback", "deploy")],
        then: Ends("rolled back"),
        ..ROW
    },
    Row {
        desk: "date +%N >source/good; $S deploy",
        prints: &[("engine/ended.rs shipit rollback", "rollback")],
        then: Ends("rolled back"),
        after: ("", "$S deploy"),
        ..ROW
    },
    Row {
        prints: &[("engine/ended.rs shipit releases", "prune")],
        then: Shows("verified"),
        ..ROW
    },
    Row {
        desk: "date +%N >source/good",
        prints: &[("engine/deploy.rs shipit deploy --release", "deploy --stage-only")],
        then: Ends("verified"),
        ..ROW
    },
    // A release that fails: its own journal, from the failure and from doctor.
    Row {
        desk: "printf crash >source/behaviour; ! $S deploy",
        prints: &[("diagnosis/machine.rs shipit logs --release", "doctor")],
        then: Shows("cannot open the database"),
        after: ("", "date +%N >source/good"),
        ..ROW
    },
    Row {
        prints: &[("engine/ended.rs shipit logs --release", "deploy")],
        then: Shows("cannot open the database"),
        after: ("", GOOD),
        ..ROW
    },
    // A migration that fails.
    Row {
        desk: "printf '#!/bin/sh\\necho no such table >&2; exit 3\\n' >source/migrate",
        prints: &[("engine/ended.rs shipit logs --unit", "deploy")],
        then: Shows("no such table"),
        ..ROW
    },
    Row {
        prints: &[("diagnosis/machine.rs shipit logs", "doctor")],
        then: Shows("no such table"),
        after: ("", GOOD),
        ..ROW
    },
    Row {
        desk: GOOD,
        prints: &[(
            "plan/mod.rs shipit deploy",
            "deploy --release $($S releases | grep -o '20[0-9-]* *failed' | head -n 1 | cut -d ' ' -f 1)",
        )],
        then: Ends("verified"),
        ..ROW
    },
    // An interrupted migration: both answers.
    Row {
        host: INTERRUPTED,
        desk: "date +%N >source/good",
        prints: &[("plan/mod.rs shipit deploy --migration done", "deploy")],
        ..ROW
    },
    Row {
        host: INTERRUPTED,
        desk: "date +%N >source/good",
        prints: &[("plan/mod.rs shipit deploy --migration again", "deploy")],
        ..ROW
    },
    // The live release is broken; the next one is not.
    Row {
        host: "printf unhealthy >/opt/acme/current/behaviour; systemctl restart acme.service",
        desk: GOOD,
        prints: &[("engine/ended.rs shipit deploy --despite-health", "deploy")],
        ..ROW
    },
    Row {
        host: "printf unhealthy >/opt/acme/current/behaviour; systemctl restart acme.service",
        prints: &[("diagnosis/health.rs shipit logs --unit", "doctor")],
        then: Shows("version v1 starts"),
        after: (
            "printf graceful >/opt/acme/current/behaviour; systemctl restart acme.service",
            "printf graceful >source/behaviour; date +%N >source/good; $S deploy",
        ),
        ..ROW
    },
    // The processes run from another release than the live one.
    Row {
        host: "cd /opt/acme; live=$(basename $(readlink current))
            ln -sfnT releases/$(awk '$4 == \"verified\" { print $5 }' .shipit/ledger | grep -v $live | tail -n 1) current",
        prints: &[("cli/status/mod.rs shipit restart", "status")],
        after: ("", "$S deploy"),
        ..ROW
    },
    // Stopped by hand.
    Row {
        prints: &[("cli/service.rs shipit start", "stop")],
        then: Ends("acme.service started"),
        ..ROW
    },
    Row {
        desk: "$S stop",
        prints: &[("cli/status/mod.rs shipit start", "status")],
        ..ROW
    },
    Row {
        desk: "$S stop",
        prints: &[("engine/deploy.rs shipit start", "deploy")],
        ..ROW
    },
    Row {
        host: "systemctl stop shipit-acme.path",
        prints: &[("cli/status/mod.rs as_root setup", "status")],
        ..ROW
    },
    Row {
        desk: "$S stop",
        prints: &[("cli/status/mod.rs shipit doctor", "status")],
        then: Shows("shipit start acme.service"),
        ..ROW
    },
    Row {
        prints: &[("diagnosis/units.rs shipit start", "doctor")],
        ..ROW
    },
    // Another switch holds the host, until the line about it was printed.
    Row {
        desk: "echo \"verify: {run: 'until test -e go; do sleep 0.1; done', timeout: 10m}\" >>deploy.yml
            date +%N >source/good; $S deploy >/dev/null 2>&1 &
            until $S status | grep -q 'switch in progress'; do sleep 0.1; done",
        prints: &[
            ("cli/status/mod.rs shipit attach", "status"),
            ("engine/held.rs shipit attach", "deploy; touch go"),
        ],
        after: ("", "rm -f go"),
        ..ROW
    },
    Row {
        desk: "date +%N >source/good; $S deploy >/dev/null 2>&1 &
            until $S status | grep -q 'switch in progress'; do sleep 0.1; done",
        prints: &[("engine/held.rs shipit deploy --wait", "deploy; touch go")],
        after: ("", "rm -f go; sed -i /^verify:/d deploy.yml"),
        ..ROW
    },
    // What root wrote is gone.
    Row {
        host: "rm -r /usr/local/lib/shipit",
        prints: &[("engine/run_command.rs again --as-deploy", "run -- id -un")],
        then: Shows("deploy"),
        ..ROW
    },
    Row {
        prints: &[
            ("engine/environment.rs as_root setup", "env list"),
            ("engine/run_command.rs as_root setup", "run -- true"),
            ("engine/journal/mod.rs as_root setup", "logs --grep x"),
            ("diagnosis/machine.rs as_root setup", "doctor"),
        ],
        ..ROW
    },
    Row {
        host: "rm -r /usr/local/lib/shipit",
        prints: &[
            ("engine/journal/mod.rs shipit logs", "logs --release $($S releases | grep -o '20[0-9-]*' | head -n 1)"),
        ],
        then: Shows("version v1 starts"),
        after: ("", "$S setup --yes --as $ROOT"),
        ..ROW
    },
    Row {
        host: "sed -i 's/--no-block start acme.service/--no-block start other.service/' /etc/sudoers.d/shipit-acme",
        desk: "$S stop",
        prints: &[("engine/service_action.rs as_root setup", "start")],
        after: ("", "$S start"),
        ..ROW
    },
    Row {
        host: "rm /etc/sudoers.d/shipit-acme",
        desk: "date +%N >source/good",
        prints: &[("plan/needs.rs as_root setup", "deploy")],
        ..ROW
    },
    // A shared file that is not there yet.
    Row {
        desk: "printf 'shared:\\n  files: [settings]\\n' >>deploy.yml; echo x >settings; date +%N >source/good",
        prints: &[("engine/shared_paths.rs scp <words>", "deploy")],
        ..ROW
    },
    // The release's own command fails.
    Row {
        desk: "echo 'prepare: echo prepared-badly; false' >>deploy.yml; date +%N >source/good",
        prints: &[("engine/stage.rs again", "deploy")],
        then: Shows("why   command: echo prepared-badly; false"),
        after: ("", "sed -i /^prepare:/d deploy.yml"),
        ..ROW
    },
    Row {
        desk: "echo 'build: exit 3' >>deploy.yml",
        prints: &[("engine/local_command.rs again", "deploy -v")],
        then: Ends("`build` failed"),
        after: ("", "sed -i /^build:/d deploy.yml"),
        ..ROW
    },
    // The host cannot be degraded further: the revert fails too, and then the cause is gone.
    Row {
        host: "mkdir -p /etc/systemd/system/acme.service.d
            printf '[Service]\\nExecStartPre=/bin/sh -c \"! test -e /run/broken\"\\n' >/etc/systemd/system/acme.service.d/broken.conf
            systemctl daemon-reload; touch /run/broken",
        desk: "date +%N >source/good; ! $S deploy",
        prints: &[("cli/status/mod.rs shipit doctor", "status")],
        then: Shows("could not revert"),
        ..ROW
    },
    Row {
        host: "rm /run/broken",
        prints: &[("diagnosis/machine.rs shipit rollback", "doctor")],
        ..ROW
    },
    Row {
        host: "touch /run/broken",
        desk: "date +%N >source/good",
        prints: &[("engine/ended.rs shipit rollback", "deploy")],
        then: Ends("the host needs manual repair"),
        after: ("rm /run/broken", ""),
    },
];
