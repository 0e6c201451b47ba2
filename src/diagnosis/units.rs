//! The app's units: the findings of all rules with the host's facts, and services that do not run. What can explain why
//! a service does not run comes before what only causes trouble later.

use std::time::Duration;

use super::{Area, Depth, Evidence, Finding, remedy};
use crate::config::{Config, Instance};
use crate::failure::Next;
use crate::observed::Live;
use crate::observed::{Current, Observed};
use crate::plan::units::{Purpose, units};
use crate::unit::merge::Unit;
use crate::unit::rules::{self, Cause, Facts, Severity};

pub(super) fn findings(config: &Config, observed: &Observed, live: &Live, evidence: &Evidence) -> Vec<Finding> {
    let mut found = Vec::new();
    let wanted = units(config, Purpose::Observe);
    for (unit, facts, judged) in live.judge(config) {
        let name = unit.name.as_str();
        for finding in judged {
            // doctor prints it for all units in one line.
            if finding.cause == Some(Cause::Exposure) && finding.severity == Severity::Info {
                continue;
            }
            let rule = rules::all().find(|rule| rule.name == finding.rule);
            // A unit that only the repository names can wait; a deploy does not need it.
            let later = finding.depth == rules::Depth::Loaded && !wanted.contains(&name);
            let mut one = Finding::new(
                if later { Severity::Warning } else { finding.severity },
                Area::Unit,
                depth(unit, facts, &finding),
                format!("{name}: {}", finding.message),
            )
            .of(name)
            .why(rule.map(rules::Rule::in_production).unwrap_or_default());
            one.place = Some((finding.file.clone(), finding.line));
            one.rule = Some(finding.rule);
            one.next = remedy::lines(config, live, name, &finding);
            if one.depth == Depth::State {
                one.log = evidence.journals.get(name).cloned().unwrap_or_default();
            }
            found.push(one);
        }
    }
    for one in config.instances() {
        found.extend(idle(one, observed, live, evidence));
    }
    found
}

/// Where a rule's finding stands between causes and consequences.
fn depth(unit: &Unit, facts: &Facts, finding: &rules::Finding) -> Depth {
    // A crash has other reasons than a start that never completes, or an end that nobody asked for.
    let crashed = matches!(
        facts.properties.text("Result"),
        "exit-code" | "signal" | "core-dump" | "oom-kill"
    );
    match finding.depth {
        rules::Depth::Loaded => Depth::Loaded,
        rules::Depth::Stale => Depth::Stale,
        _ if finding.severity != Severity::Error => Depth::Later,
        rules::Depth::Named => Depth::Named,
        rules::Depth::Ended => Depth::Text,
        rules::Depth::Socket => Depth::Socket,
        rules::Depth::State => Depth::State,
        rules::Depth::Fallout => Depth::Fallout,
        rules::Depth::Start if !is_healthy(unit, facts) => Depth::Text,
        rules::Depth::Type if !is_healthy(unit, facts) && !crashed => Depth::Text,
        rules::Depth::Start | rules::Depth::Type | rules::Depth::Later => Depth::Later,
    }
}

/// Whether systemd reports no failure. A job that ended, or waits for its time, is healthy.
fn is_healthy(unit: &Unit, facts: &Facts) -> bool {
    match facts.properties.active_state() {
        "active" | "reloading" => true,
        "inactive" => {
            unit.name.kind() != "service"
                || unit.service("Type") == "oneshot"
                || facts.properties.main_process_started().is_empty()
        }
        _ => false,
    }
}

/// A service that is loaded and does not run, without having failed.
fn idle(one: Instance<'_>, observed: &Observed, live: &Live, evidence: &Evidence) -> Option<Finding> {
    let name = one.unit;
    let (unit, facts) = live.unit(name)?;
    let properties = &facts.properties;
    if !properties.is_loaded() || (observed.is_idle(&one) && observed.current != Current::Absent) {
        return None;
    }
    let mut finding = if observed.current == Current::Absent {
        if properties.is_active() {
            return None;
        }
        let what = format!("{name} cannot run yet: no release is live");
        Finding::info(Area::Unit, Depth::Later, what).next(Next::shipit("deploy"))
    } else {
        match properties.active_state() {
            "inactive" if listened_for(facts, live) => {
                let what = format!("{name} is waiting for its first connection");
                let why = "its socket is listening; systemd starts the service on the first connection";
                Finding::info(Area::Unit, Depth::Later, what).why(why)
            }
            "inactive" => refused(unit, facts)
                .unwrap_or_else(|| stopped(name, properties.text("InactiveEnterTimestampMonotonic"))),
            "activating" if properties.text("SubState") != "auto-restart" => starting(one, facts.activating_for?),
            _ => return None,
        }
    };
    // A start that was refused wrote nothing: the journal is from an earlier one.
    if finding.severity == Severity::Error && finding.place.is_none() {
        finding.log = evidence.journals.get(name).cloned().unwrap_or_default();
    }
    Some(finding.of(name))
}

/// Whether an active socket starts this service at its first connection.
fn listened_for(facts: &Facts, live: &Live) -> bool {
    facts.properties.triggered_by().any(|by| {
        live.unit(by)
            .is_some_and(|(socket, facts)| socket.name.kind() == "socket" && facts.properties.is_active())
    })
}

/// A service whose last start systemd did not begin, because of a `Condition…=` or `Assert…=`. systemd.unit(5).
fn refused(unit: &Unit, facts: &Facts) -> Option<Finding> {
    let show = |key: String| facts.properties.text(&key);
    let asked = |kind: &str| !matches!(show(format!("{kind}TimestampMonotonic")), "" | "0");
    let unmet = |kind: &&str| asked(kind) && show(format!("{kind}Result")) == "no";
    let kind = ["Condition", "Assert"].into_iter().find(unmet)?;
    let of_kind = |key: &str| key.starts_with(kind);
    let entries: Vec<_> = unit
        .entries()
        .filter(|entry| entry.section == "Unit" && of_kind(entry.key))
        .collect();
    let lines: Vec<_> = entries
        .iter()
        .map(|entry| format!("{}={}", entry.key, entry.value))
        .collect();
    let first = entries.first()?; // none: the line was removed, and the unit has not been started since
    let name = unit.name.as_str();
    let what = format!("{name} was not started: {} was not met", lines.join(" or "));
    let why = match kind {
        "Condition" => "systemctl start then does nothing, and exits 0",
        _ => "systemctl start then fails",
    };
    let mut finding = Finding::error(Area::Unit, Depth::State, what).why(why);
    finding.place = Some((first.file.to_owned(), first.line));
    let next = Next::shell(format!("sudo systemctl start {name}"));
    Some(finding.next(next.remark("once the condition is met, or its line is removed")))
}

/// A service that is not started; `ended` is when it last became inactive: 0 or empty if systemd has no such time.
fn stopped(name: &str, ended: &str) -> Finding {
    let finding = Finding::error(Area::Unit, Depth::State, format!("{name} is not running"));
    if ended.is_empty() || ended == "0" {
        let why = "it has not been started since the host booted; or it ended, and systemd unloaded it immediately \
                   because it is not enabled";
        let enable = Next::shell(format!("sudo systemctl enable --now {name}"));
        finding
            .why(why)
            .next(enable.remark("then run shipit doctor again: it prints the reason if the service has exited"))
    } else {
        finding
            .why("it ended or was stopped, and has not been started since")
            .next(Next::shipit("start").arg(name))
    }
}

/// A unit that is starting: an error when a deploy would have given up by now.
fn starting(one: Instance<'_>, time: Duration) -> Finding {
    let (name, allowed) = (one.unit, one.service.start_timeout);
    let (seconds, wait) = (time.as_secs(), allowed.as_secs());
    if time <= allowed {
        let what = format!("{name} has been starting for {seconds} s");
        return Finding::info(Area::Unit, Depth::State, what);
    }
    let what = format!("{name} has been starting for {seconds} s, and a deploy waits only {wait} s");
    Finding::error(Area::Unit, Depth::State, what)
        .why("systemd waits for what Type= requires: an exit, a fork, or READY=1")
        .next(Next::shipit("logs --unit").arg(name))
}
