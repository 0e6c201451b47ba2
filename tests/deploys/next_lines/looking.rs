//! Lines that only show something, and lines at the desk that no host is asked for.

use super::{Ends, ROW, Row, Shows};

pub const ROWS: &[Row] = &[
    Row {
        prints: &[("diagnosis/drain.rs shipit doctor --drain --live", "doctor --drain")],
        then: Ends("cannot ask for confirmation"),
        ..ROW
    },
    Row {
        prints: &[("cli/drain.rs again --yes", "doctor --drain --live")],
        then: Ends("acme.service stops"),
        ..ROW
    },
    Row {
        prints: &[("diagnosis/drain.rs again --path /slow", "doctor --drain --live --yes")],
        then: Ends("acme.service drains"),
        ..ROW
    },
    Row {
        prints: &[("plan/releases.rs shipit releases", "rollback 20200101-000000")],
        then: Shows("verified"),
        ..ROW
    },
    Row {
        prints: &[(
            "engine/journal/mod.rs shipit releases",
            "logs --release 20200101-000000",
        )],
        then: Shows("verified"),
        ..ROW
    },
    Row {
        prints: &[("engine/journal/mod.rs shipit status -v", "logs --run nosuch")],
        then: Shows("acme runs"),
        ..ROW
    },
    Row {
        prints: &[("cli/logs.rs shipit logs --unit", "logs --unit nosuch")],
        then: Shows("version v1 starts"),
        ..ROW
    },
    Row {
        prints: &[("cli/attach.rs shipit status", "attach")],
        then: Shows("acme runs"),
        ..ROW
    },
    Row {
        prints: &[("cli/root.rs again --print", "setup --as $ROOT")],
        then: Shows("root-owned files are in place"),
        ..ROW
    },
    Row {
        prints: &[("cli/root.rs again --yes", "setup --as $ROOT")],
        then: Ends("is ready for acme"),
        ..ROW
    },
    Row {
        prints: &[("cli/unit/mod.rs offline unit explain", "unit explain exec-dolar")],
        then: Shows("[Service]"),
        ..ROW
    },
    Row {
        prints: &[("config/file.rs again -c", "status -c .")],
        then: Ends("acme runs"),
        ..ROW
    },
    Row {
        desk: "printf 'nosuch: 1\\n' >>deploy.yml",
        prints: &[("config/mod.rs offline config example", "status")],
        then: Shows("services:"),
        after: ("", "sed -i /^nosuch/d deploy.yml"),
        ..ROW
    },
    Row {
        prints: &[("config/file.rs again -c", "status -c nosuch.yml")],
        then: Ends("acme runs"),
        ..ROW
    },
    Row {
        desk: "mv deploy.yml mine.yml",
        prints: &[("config/file.rs offline init", "status")],
        then: Ends("wrote deploy.yml"),
        after: ("", "rm deploy.schema.json; mv mine.yml deploy.yml"),
        ..ROW
    },
    Row {
        prints: &[("cli/env.rs shipit env set", "env set NAME=value")],
        then: Ends("the value for NAME is empty"),
        ..ROW
    },
    Row {
        desk: "echo 'A=\"x' >odd",
        prints: &[("cli/env.rs offline unit explain root-path", "env push odd")],
        then: Shows("root-path"),
        ..ROW
    },
    // The way to the host.
    Row {
        desk: ": >empty",
        prints: &[("host/ssh/errors.rs again --accept-new", "status --known-hosts empty")],
        ..ROW
    },
    Row {
        desk: ": >empty",
        prints: &[(
            "diagnosis/laptop.rs shipit doctor --accept-new",
            "doctor --known-hosts empty",
        )],
        ..ROW
    },
    Row {
        desk: "echo \"$(echo $ROOT | cut -d @ -f 2) $(ssh-keygen -q -t ed25519 -N '' -f other && cut -d ' ' -f 1,2 other.pub)\" >wrong",
        prints: &[(
            "host/ssh/errors.rs shell ssh-keygen -R '{}'{file}",
            "status --known-hosts wrong",
        )],
        ..ROW
    },
    Row {
        desk: "echo \"@cert-authority * $(cut -d ' ' -f 1,2 other.pub)\" >authority",
        prints: &[(
            "host/ssh/errors.rs again --system-ssh",
            "status --known-hosts authority",
        )],
        then: Ends("Host key verification failed"),
        ..ROW
    },
    Row {
        desk: "rm -f new; ssh-keygen -q -t ed25519 -N '' -f new",
        prints: &[("host/ssh/errors.rs ssh {place} true", "status --identity new")],
        then: Ends("Permission denied"),
        ..ROW
    },
    Row {
        prints: &[("host/openssh.rs ssh -v {to} true", "status --identity new --system-ssh")],
        then: Shows("debug1: "),
        ..ROW
    },
    Row {
        desk: "printf 'Host 10.*\\n  ProxyJump nobody@127.0.0.1:1\\n' >jump",
        prints: &[(
            "host/ssh/errors.rs ssh_to_jump {jump}{scheme}{last} true",
            "status -F jump",
        )],
        then: Ends("Connection refused"),
        ..ROW
    },
    Row {
        prints: &[("host/ssh/errors.rs ssh <to.ssh_to>", "status -F jump")],
        then: Ends("Connection refused"),
        ..ROW
    },
    Row {
        desk: "printf 'Nonsense yes\\n' >odd",
        prints: &[("host/ssh/config.rs ssh -G {}", "status -F odd")],
        then: Shows("Bad configuration option"),
        ..ROW
    },
];
