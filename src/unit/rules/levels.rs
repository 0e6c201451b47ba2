//! Where a rule reports a finding as more or less severe than usual, in words for `unit explain`. Never here: the rules,
//! which decide it.

use super::Rule;
use super::finding::{Depth, Finding, Severity};

/// Warnings about choices for which a daemon of the system can have its reasons. They are warnings for an app.
const CHOICES: &str = " capability-root environment-file-optional exec-stop-kills exec-wrapper kill-mode-process kill-signal limit-nofile \
    oom-score requires-without-after restart-missing send-sigkill socket-backlog socket-stdin stop-timeout-infinite \
    timer-persistent timer-service-install type-forking-pidfile type-simple-ends watchdog-without-restart ";

fn is_choice(rule: &str) -> bool {
    CHOICES.contains(&format!(" {rule} "))
}

/// The rule, the severity, and the case.
const OTHER: &[(&str, Severity, &str)] = &[
    (
        "bad-value",
        Severity::Info,
        "only versions of systemd older than the value ignore it; for User= and Group=, if only a dot is unusual",
    ),
    (
        "bad-value",
        Severity::Warning,
        "systemd takes the value, but probably not as it is meant",
    ),
    ("cpu-quota", Severity::Error, "systemd ignores the value"),
    (
        "cpu-quota",
        Severity::Info,
        "the host has fewer processors than the value allows",
    ),
    (
        "drift-disabled",
        Severity::Info,
        "a package of the distribution installed the unit, and it is no service of deploy.yml",
    ),
    (
        "drift-failed",
        Severity::Warning,
        "it runs, but systemd restarted it three times or more",
    ),
    (
        "drift-verify",
        Severity::Error,
        "the unit cannot start without a unit that does not exist",
    ),
    (
        "environment-dollar",
        Severity::Warning,
        "the value has no ${ and the name does not end in PATH",
    ),
    (
        "environment-file-optional",
        Severity::Error,
        "the start fails on the host, because the file is missing or is a directory",
    ),
    (
        "exec-hides-failure",
        Severity::Info,
        "Restart=always starts it again anyway, it is not an app, or the ignored command is only a preparation",
    ),
    (
        "exec-shell-dollar",
        Severity::Warning,
        "only $$ is changed before the shell reads it",
    ),
    (
        "exec-shell-syntax",
        Severity::Warning,
        "it is about ~, * or a backslash before a space",
    ),
    (
        "exec-wrapper",
        Severity::Info,
        "the shell has only one command to run, which most shells replace themselves with",
    ),
    (
        "install-missing",
        Severity::Info,
        "the unit belongs to no app, or a package of the distribution installed it",
    ),
    ("kill-mode-none", Severity::Warning, "the unit belongs to no app"),
    (
        "kill-mode-process",
        Severity::Info,
        "the unit has Delegate=, as a container manager has",
    ),
    ("kill-signal", Severity::Error, "the signal is SIGKILL"),
    (
        "limit-nofile",
        Severity::Warning,
        "a value is set, and it is too high or below the default",
    ),
    (
        "network-online-wants",
        Severity::Info,
        "the unit is a job that does not start at boot",
    ),
    ("old-key", Severity::Info, "the old form means the same"),
    ("oneshot-timeout", Severity::Info, "no deploy waits for the job"),
    (
        "oom-score",
        Severity::Info,
        "the unit has Delegate=, as a container manager has",
    ),
    (
        "path-pattern",
        Severity::Warning,
        "the start succeeds, although the path is not the meant one",
    ),
    (
        "reload-kills",
        Severity::Error,
        "the running process has no handler for the signal",
    ),
    (
        "reload-kills",
        Severity::Info,
        "the unit has Type=notify, so that the program is written for systemd",
    ),
    (
        "restart-gives-up",
        Severity::Info,
        "Restart= is not `always`, the unit is not an app, or the limit is set in it and takes 3 s or more to reach",
    ),
    (
        "restart-oneshot",
        Severity::Warning,
        "systemd accepts the unit, but runs a failed migration again",
    ),
    ("restart-socket", Severity::Info, "the unit belongs to no app"),
    (
        "root-path",
        Severity::Warning,
        "the directories above the path are unknown, and systemd only reads it",
    ),
    (
        "sandbox-exposure",
        Severity::Warning,
        "the unit is an app's, and the score is above 8",
    ),
    (
        "socket-accept",
        Severity::Error,
        "the template that Accept=yes needs does not exist",
    ),
    ("socket-accept", Severity::Info, "no deploy.yml has the unit"),
    (
        "socket-inactive",
        Severity::Info,
        "a package of the distribution installed the socket, and nothing started it",
    ),
    ("socket-inactive", Severity::Warning, "the socket is only not enabled"),
    (
        "socket-not-taken",
        Severity::Error,
        "the running service does not hold the socket",
    ),
    (
        "span-month",
        Severity::Info,
        "the key is one of a timer, or RuntimeMaxSec=, where a month is possible",
    ),
    ("start-limit-section", Severity::Info, "the line has an effect there"),
    (
        "swallowed-setting",
        Severity::Warning,
        "the setting is indented, as a continued line is",
    ),
    ("tasks-max", Severity::Info, "the value is `infinity`"),
    (
        "template-instance",
        Severity::Error,
        "%i is used in a unit that is not a template",
    ),
    (
        "timer-without-service",
        Severity::Info,
        "the service is only missing among the files that were checked",
    ),
    ("trailing-comment", Severity::Info, "the key is Description="),
    (
        "type-notify-reload",
        Severity::Info,
        "the host was not asked for its version of systemd",
    ),
    ("type-simple-ends", Severity::Error, "the program has ended on the host"),
    (
        "unknown-key",
        Severity::Info,
        "only versions of systemd older than the key ignore it",
    ),
    (
        "user-root",
        Severity::Error,
        "root runs what a deploy can change, or a service of deploy.yml",
    ),
    (
        "user-root",
        Severity::Info,
        "the unit is a job, a daemon of the system, or a container manager",
    ),
];

/// The findings of a unit that belongs to no app: choices of its author are not warned about.
pub(super) fn lower_choices(findings: &mut [Finding]) {
    for finding in findings {
        if finding.severity == Severity::Warning && is_choice(finding.rule) {
            finding.severity = Severity::Info;
        }
    }
}

/// Whether `unit explain` names this severity of the rule.
pub(super) fn is_explained(rule: &Rule, severity: Severity) -> bool {
    let named = |(name, other, _): &(&str, Severity, &str)| *name == rule.name && *other == severity;
    rule.severity == severity || OTHER.iter().any(named) || severity == Severity::Info && is_choice(rule.name)
}

/// When a finding of this rule has another severity than the rule: one sentence for each, if there are any.
pub(super) fn explanation(rule: &Rule) -> String {
    let own = OTHER.iter().filter(|(name, ..)| *name == rule.name);
    let own = own.map(|(_, severity, case)| (*severity, *case));
    let choice = is_choice(rule.name).then_some((Severity::Info, "the unit belongs to no app"));
    let later = (rule.depth == Depth::Loaded).then_some((
        Severity::Warning,
        "`doctor` reports it for a unit that a deploy does not need",
    ));
    let cases = own.chain(choice).chain(later);
    let sentence = |(severity, case)| format!("It is {} {severity} if {case}.\n", article(severity));
    cases.map(sentence).collect()
}

fn article(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "an",
        Severity::Warning => "a",
        Severity::Info => "only",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_is_of_a_rule_and_differs_from_its_usual_severity() {
        for (name, severity, _) in OTHER {
            let rule = super::super::all().find(|rule| rule.name == *name);
            assert!(rule.is_some_and(|rule| rule.severity != *severity), "{name} {severity}");
        }
        for rule in super::super::all() {
            let levels = explanation(rule);
            let told = rule.explanation().contains(&format!("\n\n{levels}\nSee "));
            assert!(levels.is_empty() || told, "{}", rule.explanation());
        }
        let text = super::super::explain("restart-gives-up").unwrap_or_default();
        assert!(text.contains("\n\nIt is only info if Restart= is not"), "{text}");
    }
}
