//! What the rules do not say: what is right, or a matter of taste, is no warning, and no advice makes a unit worse.

use shipit::unit::generate::{self, Answers, Program};
use shipit::unit::merge::Unit;
use shipit::unit::render;
use shipit::unit::repair::{self, Which};
use shipit::unit::rules::{self, Context, Edit, Facts, Finding, Severity};
use shipit::unit::strategy::Strategy;
use shipit::unit::value::Span;

use super::judging;

fn unit(name: &str, text: &str) -> Unit {
    Unit::parse(name, text.as_bytes()).unwrap()
}

fn lint(unit: &Unit) -> Vec<Finding> {
    rules::lint(unit, &Context::default())
}

/// What tutorials and hosting manuals teach as a sound unit.
#[test]
fn a_commonly_taught_unit_gets_advice_and_no_warning() {
    let unit_of = |unit: &str, service: &str| {
        format!(
            "[Unit]\nDescription=Acme\nAfter=network.target\n{unit}[Service]\nUser=acme\nWorkingDirectory=/opt/acme\n\
             ExecStart=/opt/acme/bin/server --port 8080\n{service}[Install]\nWantedBy=multi-user.target\n"
        )
    };
    let sandbox = "MemoryMax=512M\nTasksMax=200\nProtectSystem=strict\nReadWritePaths=/var/lib/acme\n";
    for (limits, service) in [
        ("", "Type=simple\nRestart=on-failure\n"),
        ("", "Type=simple\nRestart=on-failure\nRestartSec=5\n"),
        (
            "StartLimitIntervalSec=60\nStartLimitBurst=5\n",
            "Restart=on-failure\nRestartSec=5\n",
        ),
        (
            "StartLimitIntervalSec=60\nStartLimitBurst=5\n",
            "Restart=always\nRestartSec=5\n",
        ),
        (
            "StartLimitIntervalSec=300\nStartLimitBurst=10\n",
            "Restart=always\nRestartSec=10s\n",
        ),
        (
            "",
            "Restart=always\nRestartSec=1s\nRestartSteps=5\nRestartMaxDelaySec=30s\n",
        ),
    ] {
        for sandbox in [sandbox, &sandbox.replace("MemoryMax=", "MemoryHigh=400M\nMemoryMax=")] {
            let text = unit_of(limits, &format!("{service}{sandbox}"));
            let mut found = lint(&unit("acme.service", &text));
            found.retain(|finding| finding.severity >= Severity::Warning);
            assert!(found.is_empty(), "{text}\n{}", render::text(&found));
        }
    }
}

#[test]
fn no_advice_is_to_run_as_root() {
    let of_root = |text: &str| (unit("root.service", text), Context::default());
    let mut all: Vec<(Unit, Context)> = judging::cases()
        .into_iter()
        .map(|case| (case.unit, case.context))
        .collect();
    all.push(of_root("[Service]\nExecStart=/opt/root/current/server\n"));
    all.push(of_root("[Service]\nUser=nobody\nExecStart=/opt/root/current/server\n"));
    let mut deployed = of_root("[Service]\nUser=deploy\nExecStart=/opt/root/current/server\n");
    deployed.1.root = Some("/opt/root".into());
    deployed.1.deploy_user = Some("deploy".into());
    all.push(deployed);
    let mut users = 0;
    for (unit, context) in all {
        for fix in rules::lint(&unit, &context)
            .into_iter()
            .filter_map(|finding| finding.fix)
        {
            for edit in fix.edits {
                let Edit::Write { key, value, .. } = edit else { continue };
                let root = matches!(key.as_str(), "User" | "Group") && matches!(value.as_str(), "root" | "0");
                assert!(!root, "{}: {key}={value}", unit.name);
                users += usize::from(key == "User");
            }
        }
    }
    assert!(users > 10, "{users}");
}

/// Interval and burst times pause, in seconds.
fn outage(unit: &Unit) -> (f64, f64) {
    let span = |section, key| unit.span(section, key).map_or(f64::NAN, Span::seconds);
    let burst: f64 = unit.get("Unit", "StartLimitBurst").unwrap().value.parse().unwrap();
    (
        span("Unit", "StartLimitIntervalSec"),
        burst * span("Service", "RestartSec"),
    )
}

/// What a fix writes, what `explain` shows and what is generated are one and the same limit.
#[test]
fn the_advice_on_start_limits_is_the_same_everywhere() {
    let plain = unit(
        "a.service",
        "[Service]\nUser=a\nExecStart=/opt/a/current/server\nRestart=always\n",
    );
    let mut own = lint(&plain);
    own.retain(|finding| finding.rule == "restart-gives-up");
    let fixed = repair::repair(&plain, &own, Which::All);
    assert!(lint(&fixed).iter().all(|finding| finding.rule != "restart-gives-up"));
    let example: String = rules::explain("restart-gives-up")
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .map(|line| format!("{line}\n"))
        .collect();
    let mut answers = Answers::new("acme", Program::Binary);
    answers.strategy = Strategy::Restart;
    let written = generate::units(&answers).unwrap();
    let generated = written.iter().find(|written| written.name == "acme.service").unwrap();
    let expected = outage(&fixed);
    assert_eq!(expected, (600.0, 300.0));
    assert_eq!(outage(&unit("a.service", &example)), expected, "{example}");
    assert_eq!(
        outage(&unit("a.service", &generated.text)),
        expected,
        "{}",
        generated.text
    );
}

/// A pause that grows is advised where systemd has it (254), beside the limit and never behind a socket. A unit whose limit
/// is sensible gets no advice.
#[test]
fn a_growing_pause_is_advised_where_the_host_has_it() {
    let on = |systemd: Option<u32>, text: &str, peers: Vec<Unit>| {
        let host = systemd.map(|version| Facts {
            systemd: Some(version),
            ..Facts::default()
        });
        let unit = unit("a.service", text);
        let context = Context {
            peers,
            host,
            ..Context::default()
        };
        let found = rules::lint(&unit, &context);
        let fixes = found
            .iter()
            .filter(|one| one.rule.starts_with("restart-"))
            .filter_map(|one| one.fix.as_ref());
        let edits = fixes.flat_map(|fix| fix.edits.clone());
        let values = edits.filter_map(|edit| match edit {
            Edit::Write { key, value, .. } if key.starts_with("RestartS") || key.starts_with("RestartM") => {
                Some(format!("{key}={value}"))
            }
            _ => None,
        });
        values
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>()
            .join(" ")
    };
    let bare = "[Service]\nUser=a\nExecStart=/opt/a/current/server\nRestart=always\n";
    let grows = "RestartMaxDelaySec=30s RestartSec=1s RestartSteps=5";
    assert_eq!(on(Some(254), bare, Vec::new()), grows);
    assert_eq!(on(Some(257), &bare.replace("Restart=always\n", ""), Vec::new()), grows);
    for systemd in [None, Some(252), Some(253)] {
        assert_eq!(on(systemd, bare, Vec::new()), "RestartSec=1s", "{systemd:?}");
    }
    let socket = || vec![unit("a.socket", "[Socket]\nListenStream=127.0.0.1:8080\n")];
    for text in [bare, &bare.replace("Restart=always\n", "")] {
        let behind = on(Some(257), text, socket());
        assert!(
            !behind.contains("RestartSteps") && !behind.contains("MaxDelay"),
            "{behind}"
        );
    }
    let sensible = format!("[Unit]\nStartLimitIntervalSec=10min\nStartLimitBurst=300\n{bare}RestartSec=1s\n");
    assert_eq!(on(Some(257), &sensible, Vec::new()), "");
    let own = format!("{bare}RestartSteps=3\nRestartMaxDelaySec=1min\n");
    assert_eq!(on(Some(257), &own, Vec::new()), "RestartSec=1s");
}

/// Units that their maintainers keep well: what is right for them is no warning.
#[test]
fn a_container_manager_and_a_program_written_for_systemd_get_no_warning_for_what_they_need() {
    let manager = "ExecStart=/usr/local/bin/containerd\nDelegate=yes\nKillMode=process\nOOMScoreAdjust=-999\n";
    let notifier = "User=a\nExecStart=/opt/a/bin/python -m a\nExecReload=/bin/kill -HUP $MAINPID\n";
    for (text, rule) in [
        (manager, "kill-mode-process"),
        (manager, "oom-score"),
        (notifier, "reload-kills"),
    ] {
        let unit = |kind: &str| Unit::parse("a.service", format!("[Service]\nType={kind}\n{text}").as_bytes()).unwrap();
        let severity = |unit: &Unit| {
            let found = rules::lint(unit, &Context::default());
            found
                .iter()
                .find(|found| found.rule == rule)
                .map(|found| found.severity)
        };
        assert_eq!(severity(&unit("notify")), Some(Severity::Info), "{rule}");
        let other = unit("exec").files[0].bytes();
        let other = String::from_utf8(other).unwrap().replace("Delegate=yes\n", "");
        let other = Unit::parse("a.service", other.as_bytes()).unwrap();
        assert_eq!(severity(&other), Some(Severity::Warning), "{rule}");
    }
}

#[test]
fn what_systemd_refuses_is_found_once_with_what_was_meant() {
    let text = "[Service]\nUser=a\nExecStart=/opt/a/current/server\nRestart=alwyas\n";
    let found = rules::lint(&unit("a.service", text), &Context::default());
    let here: Vec<_> = found.iter().filter(|one| one.line == 4).collect();
    assert_eq!(here.len(), 1, "{here:?}");
    assert!(
        here[0].rule == "bad-value" && here[0].message.ends_with("; did you mean always?"),
        "{here:?}"
    );
}
