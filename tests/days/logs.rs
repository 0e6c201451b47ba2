//! logs: what is asked for is what is shown, and nothing that is typed becomes another question.

use super::set_up_long_ago;
use crate::apps::{Kind, Service};
use crate::deploys::desk::{Desk, acme};
use crate::lab::{self, Suite};

#[test]
fn the_journal_is_shown_by_unit_release_run_time_priority_and_pattern() {
    for suite in Suite::Trixie.or_both() {
        let host = lab::host!(suite);
        let yml = acme("socket").with("migrate: acme-migrate.service");
        let desk = Desk::live(&host, Service::Socket, &yml);
        let v1 = super::super::deploys::desk::current(&host);
        let v2 = desk.deploy(Kind::Graceful, "v2");
        desk.shipit(&["restart"]).leaves(0);
        desk.tree(Kind::CrashAtStart, "v3");
        let failed = desk.json(&["deploy"]).leaves(3);
        let v3 = failed.release();
        host.root("journalctl --sync").ok();

        desk.shipit(&["logs"])
            .leaves(0)
            .says("version v1 starts")
            .says("version v2 starts")
            .says("migrating to v1");
        desk.shipit(&["logs", "-u", "acme-migrate.service"])
            .leaves(0)
            .says("migrating to v2")
            .never_says("version v2 starts");
        desk.shipit(&["logs", "--release", &v1])
            .leaves(0)
            .says("version v1 starts")
            .never_says("version v2 starts");
        let of_v2 = desk
            .shipit(&["logs", "--release", &v2])
            .leaves(0)
            .says("version v2 starts")
            .never_says("version v1 starts")
            .never_says("cannot open the database");
        assert!(of_v2.stdout.matches("version v2 starts").count() >= 2, "{of_v2}");
        desk.shipit(&["logs", "--release", &v3])
            .leaves(0)
            .says("cannot open the database")
            .never_says("version v1 starts");
        // Not more: between the flip back and its record a crash loop may start v2 by itself.
        let run = host
            .root("awk '$4 == \"failed\" { print $3 }' /opt/acme/.shipit/ledger")
            .ok();
        desk.shipit(&["logs", "--run", run.trim()])
            .leaves(0)
            .says("cannot open the database");
        let one = desk.shipit(&["logs", "-n", "1"]).leaves(0);
        assert_eq!(one.stdout.lines().count(), 1, "{one}");
        desk.shipit(&["logs", "--grep", "database"])
            .leaves(0)
            .says("cannot open the database")
            .never_says("version v2 starts");
        desk.shipit(&["logs", "--grep", "no such words"]).leaves(0);
        desk.shipit(&["logs", "--since", "1h", "-p", "info"])
            .leaves(0)
            .says("version v2 starts");
        let later = desk.shipit(&["logs", "--since", "2037-01-01"]).leaves(0);
        assert_eq!(later.stdout, "", "{later}");
        desk.shipit(&["logs", "--until", "2 days ago"])
            .leaves(0)
            .never_says("starts");
        let json = desk.json(&["logs", "-n", "2"]).leaves(0);
        for line in json.stdout.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(line["MESSAGE"].is_string(), "{line}");
        }

        desk.shipit(&["logs", "--release", "20000101-000000"])
            .leaves(2)
            .says("was ever live on this host");
        desk.shipit(&["logs", "--run", "../../.."])
            .leaves(2)
            .says("there is no run ../../..");
        // What journalctl refuses is told of the option, with a line that works.
        desk.shipit(&["logs", "--since", "xyz"])
            .leaves(2)
            .says("error: `--since xyz` is not a time")
            .says("Failed to parse timestamp: xyz")
            .says("logs --since '2 hours ago'");
        desk.shipit(&["logs", "--since", "2 hours ago"]).leaves(0);
        desk.shipit(&["logs", "--grep", "a(b"])
            .leaves(2)
            .says("`--grep a(b` is not a pattern")
            .never_says("sudo rule");
        desk.shipit(&["logs", "--since", "1h", "--until", "2h"])
            .leaves(2)
            .says("--since and --until contradict each other");
        for hostile in ["--file=/etc/shadow", "$(id)", "x\n--file=/etc/shadow", "it's; id"] {
            desk.shipit(&["logs", "--grep", hostile])
                .never_says("uid=")
                .never_says("root:");
            desk.shipit(&["logs", "--since", hostile])
                .never_says("uid=")
                .never_says("root:")
                .never_says("starts");
        }
    }
}

#[test]
fn the_helper_shows_the_journal_of_no_other_unit_whoever_asks_it() {
    for suite in Suite::Bookworm.or_both() {
        let host = lab::host!(suite);
        let desk = Desk::live(&host, Service::Socket, &acme("socket"));
        let helper = "sudo -n /usr/local/lib/shipit/acme/journal acme.service";
        let ask = |lines: &str| host.ssh("deploy", &format!("printf '{lines}' | {helper}"));
        assert!(ask("end\\n").ok().contains("version v1 starts"));
        // The life of another service: that of the logging daemon itself, which surely has said something.
        let life = host.unit("systemd-journald.service", "InvocationID");
        let there = host.root(&format!("journalctl -q -o cat _SYSTEMD_INVOCATION_ID={life}"));
        assert_ne!(there.ok(), "");
        assert_eq!(ask(&format!("life {life}\\nend\\n")).stdout, "");
        for refused in [
            "unit ssh.service\\nend\\n",
            "unit acme.service ssh.service\\nend\\n",
            "unit *\\nend\\n",
            "lines 5 --unit=ssh.service\\nend\\n",
            "since now --unit=ssh.service\\n\\nend\\n",
            "priority info --all\\nend\\n",
            "invocation x\\nend\\n",
            "--unit=ssh.service\\nend\\n",
            "unit acme.service\\n",
            "",
        ] {
            let ran = ask(refused);
            assert!(!ran.success() && ran.stdout.is_empty(), "{refused}: {ran}");
        }
        // A pattern is one word, whatever it looks like.
        assert_eq!(ask("grep x --unit=ssh.service\\nend\\n").stdout, "");
        for more in ["", "ssh.service", "acme.service ssh.service", "acme.service --all"] {
            let line = format!("echo end | sudo -n /usr/local/lib/shipit/acme/journal {more}");
            let ran = host.ssh("deploy", &line);
            assert!(!ran.success(), "sudo lets pass more than it must: {ran}");
        }
        drop(desk);
    }
}

#[test]
fn a_host_that_was_set_up_long_ago_shows_the_whole_journal() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    set_up_long_ago(&host);
    desk.shipit(&["logs"]).leaves(0).says("version v1 starts");
    desk.shipit(&["logs", "--since", "1h"])
        .leaves(1)
        .says("setup installs a helper");
}

#[test]
fn a_sudo_rule_that_was_written_for_other_units_is_named_as_the_cause() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Notify, &acme("restart"));
    host.root(
        "f=/etc/sudoers.d/shipit-acme && sed -i 's,/journal acme.service,& acme-old.service,' $f && visudo -qcf $f",
    )
    .ok();
    let cause = "written for units other than those in deploy.yml";
    let logs = desk.shipit(&["logs", "--grep", "x"]);
    logs.leaves(1)
        .says(cause)
        .says("acme.service acme-old.service; deploy.yml has: acme.service");
    desk.shipit(&["doctor"]).says(cause).says("shipit setup");
}
