//! What systemd makes of lines that mean something else than their authors expect, on real hosts: the rules report what
//! happens. Which lines a rule reports, and which it leaves alone, is `judging`.

use shipit::unit::merge::Unit;
use shipit::unit::rules::{self, Context};

use crate::lab::{self, Host, Suite};

const DIR: &str = "/run/systemd/system";

/// Lines of `[Service]`, the rule that reports them, and what happens: a property, or else what the program printed.
const CASES: [(&str, &str, &str, &str); 13] = [
    (
        "ExecStart=/run/args 1 $HOME/data 2 x$HOME 3 ${NONE}/b",
        "exec-dollar",
        "",
        "<1> <2> <x$HOME> <3> </b> ",
    ),
    (
        "ExecStart=/run/args 1 \"$HOME:${NONE}\" 2",
        "exec-dollar",
        "",
        "<1> <2> ",
    ),
    (
        "ExecStart=/bin/sh -c 'for f in a b; do echo \"${f}|$f|${f#x}|${1}|${f:-c}\"; done' sh one",
        "exec-shell-dollar",
        "",
        "|a|||a\n|b|||b",
    ),
    (
        "ExecStart=/bin/sh -c 'echo $$; test $$$$ -gt 1 && echo yes'",
        "exec-shell-dollar",
        "",
        "$\nyes",
    ),
    (
        "ExecStart=/bin/sh -c '$HOME/x; echo 1'",
        "exec-shell-dollar",
        "ExecMainStatus",
        "2",
    ),
    (
        "ExecStart=/usr/bin/id -un\nUser=daemon\nUser=games",
        "set-twice",
        "",
        "games",
    ),
    (
        "ExecStart=/run/args a \\\nRestart=on-failure",
        "swallowed-setting",
        "",
        "<a> <Restart=on-failure> ",
    ),
    (
        "ExecStart=/bin/true\nTimeoutStopSec=5M",
        "span-month",
        "TimeoutStopUSec",
        "5month",
    ),
    (
        "ExecStart=/bin/true\nReadWritePaths=/var/l*",
        "path-pattern",
        "ExecMainStatus",
        "226",
    ),
    (
        "ExecStart=/run/args ok\nInaccessiblePaths=-/var/l*",
        "path-pattern",
        "",
        "<ok> ",
    ),
    (
        "ExecStart=/bin/true\nWorkingDirectory=/var/l*",
        "path-pattern",
        "ExecMainStatus",
        "200",
    ),
    (
        "ExecStart=/bin/true\nLoadCredential=a:/etc/host*",
        "path-pattern",
        "ExecMainStatus",
        "243",
    ),
    (
        "ExecStart=/run/args ok\nStateDirectory=a-*",
        "path-pattern",
        "",
        "<ok> ",
    ),
];

fn put(host: &Host, name: &str, text: &str) -> Unit {
    host.write_file(&format!("{DIR}/{name}"), text.as_bytes());
    host.root("systemctl daemon-reload").ok();
    Unit::parse(name, text.as_bytes()).unwrap()
}

fn reports(unit: &Unit, peers: &[&Unit], rule: &str) -> bool {
    let context = Context {
        peers: peers.iter().map(|peer| (*peer).clone()).collect(),
        ..Context::default()
    };
    rules::lint(unit, &context).iter().any(|finding| finding.rule == rule)
}

fn reads(suite: Suite) {
    let host = lab::host!(suite);
    host.write_file("/run/args", b"#!/bin/sh\nfor word; do printf '<%s> ' \"$word\"; done\n");
    host.root("chmod 0755 /run/args").ok();
    for (at, (lines, rule, property, expected)) in CASES.into_iter().enumerate() {
        let name = format!("case{at}.service");
        let text = format!("[Service]\nType=oneshot\nStandardOutput=truncate:/tmp/out\n{lines}\n");
        let unit = put(&host, &name, &text);
        assert!(reports(&unit, &[], rule), "{rule} is silent: {text}");
        host.root(&format!("systemctl start {name} || true")).ok();
        let got = match property {
            "" => host.root("cat /tmp/out").ok(),
            property => host.unit(&name, property),
        };
        assert_eq!(got, expected, "{text}");
    }
    host.root("test -d '/var/lib/a-*'").ok();

    let job = put(
        &host,
        "job.service",
        "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n",
    );
    let often = "[Timer]\nOnCalendar=*:*:*\nAccuracySec=1us\n";
    let timer = put(&host, "job.timer", often);
    assert!(reports(&job, &[&job, &timer], "timer-service-remains"));
    host.root("systemctl start job.timer").ok();
    host.wait_for("a timer without a next time", |host| {
        host.root("systemctl status job.timer").ok().contains("Trigger: n/a")
    });
    host.wait_for("the job, which remains", |host| {
        host.unit("job.service", "ActiveState") == "active"
    });

    let lone = put(&host, "lone.timer", often);
    assert!(reports(&lone, &[&lone, &job], "timer-without-service"));
    assert!(!host.root("systemctl start lone.timer").success());
}

#[test]
fn systemd_252_does_with_misread_lines_what_the_rules_report() {
    reads(Suite::Bookworm);
}

#[test]
fn systemd_257_does_with_misread_lines_what_the_rules_report() {
    reads(Suite::Trixie);
}
