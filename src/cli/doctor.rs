//! `shipit doctor`: looks at everything, changes nothing. The cause comes first, each finding with the line to type; at
//! the end, what can be done today. What is wrong is decided in `diagnosis`.

use std::fmt::Write;

use serde_json::{Value, json};

use super::args::Global;
use crate::config::Config;
use crate::diagnosis::{self, Deploy, Diagnosis, Evidence, Finding};
use crate::engine;
use crate::failure::{Exit, Failure, Typed};
use crate::observed::Current;
use crate::text::shown;
use crate::unit::rules::Severity;

pub(super) fn run(global: &Global) -> Result<Exit, Failure> {
    let config = match super::configuration(global) {
        Ok(config) => config,
        Err(failure) if global.json => {
            let diagnosis = Diagnosis::of_failure(&failure);
            super::results(&object(global, None, &diagnosis, None));
            return Ok(diagnosis.exit);
        }
        Err(failure) => return Err(failure),
    };
    let mut link = super::link(global, &config, &super::interrupts()?);
    // What the ssh program would log in with is not known.
    let login = (!global.system_ssh).then(|| link.preview().ok()).flatten();
    let mut report = super::reporter(global);
    let evidence = engine::collect_evidence::examine(&mut link, &config, login, report.as_mut());
    let diagnosis = diagnosis::diagnose(&config, &evidence);
    super::results(&if global.json {
        object(global, Some(&config), &diagnosis, evidence.skew)
    } else {
        text(global, &config, &evidence, &diagnosis)
    });
    Ok(diagnosis.exit)
}

fn object(global: &Global, config: Option<&Config>, diagnosis: &Diagnosis, skew: Option<i64>) -> String {
    let strategies: serde_json::Map<String, Value> = diagnosis
        .strategies
        .iter()
        .map(|one| {
            let usable = one.strategies.iter().filter(|(_, lacks)| lacks.is_empty());
            let usable: Vec<&str> = usable.map(|(name, _)| name.as_str()).collect();
            let missing = one.strategies.iter().filter(|(_, lacks)| !lacks.is_empty());
            let missing: serde_json::Map<String, Value> = missing
                .map(|(name, lacks)| (name.as_str().to_owned(), json!(lacks)))
                .collect();
            let verdict = json!({"configured": one.configured.as_str(), "usable": usable, "missing": missing});
            (one.unit.clone(), verdict)
        })
        .collect();
    let typed = super::typed(global);
    let findings: Vec<Value> = diagnosis.findings.iter().map(|one| finding(one, &typed)).collect();
    // What 32 bits cannot hold exactly would be printed with all its digits.
    let exposure = diagnosis.exposure.iter();
    let exposure: serde_json::Map<String, Value> = exposure
        .map(|(unit, score)| (unit.clone(), json!((f64::from(*score) * 10.0).round() / 10.0)))
        .collect();
    let line = json!({"v": 1, "app": config.map(|config| config.app.as_str()), "host": config.map(|config| config.host.to_string()),
        "exit": diagnosis.exit.code(), "deploy": diagnosis.deploy.word(), "findings": findings, "strategies": strategies,
        "exposure": exposure, "clock_skew_seconds": skew});
    super::object(&line)
}

fn finding(one: &Finding, typed: &Typed) -> Value {
    let (file, line) = one.place.clone().unzip();
    json!({"severity": one.severity.to_string(), "area": one.area.word(), "unit": one.unit, "rule": one.rule, "file": file,
        "line": line, "what": one.what, "why": one.why, "next": typed.lines(&one.next), "log": one.log})
}

fn text(global: &Global, config: &Config, evidence: &Evidence, diagnosis: &Diagnosis) -> String {
    let mut out = header(config, evidence);
    let is_shown = |finding: &&Finding| global.verbose || finding.severity > Severity::Info;
    let typed = super::typed(global);
    for one in diagnosis.findings.iter().filter(is_shown) {
        paragraph(one, &typed, &mut out);
    }
    for one in &diagnosis.strategies {
        let _ = writeln!(out, "\n{}", shown(one.unit.as_bytes()));
        for (name, lacks) in &one.strategies {
            let own = if *name == one.configured { " (deploy.yml)" } else { "" };
            let verdict = if lacks.is_empty() {
                "can be used".to_owned()
            } else {
                format!("needs: {}", lacks.join("; "))
            };
            let name = format!("{name}{own}");
            let _ = writeln!(out, "  {name:<22} {}", shown(verdict.as_bytes()));
        }
        if let Some(score) = diagnosis.exposure.get(&one.unit) {
            let _ = writeln!(
                out,
                "  {:<22} {score:.1} of 10 (systemd-analyze security; 0 is safe)",
                "exposure"
            );
        }
    }
    let count = |severity| diagnosis.findings.iter().filter(|f| f.severity == severity).count();
    let _ = writeln!(
        out,
        "\n{}",
        counted(
            count(Severity::Error),
            count(Severity::Warning),
            count(Severity::Info),
            global.verbose
        )
    );
    let verdict = match diagnosis.deploy {
        // Nothing refuses it, but what is wrong above may well make it fail.
        Deploy::Possible if count(Severity::Error) > 0 => "a deploy can start, but the errors above may cause a revert",
        Deploy::Possible => "a deploy can start",
        Deploy::Later => "a deploy can start when the switch in progress ends",
        Deploy::Refused => "a deploy would be refused",
        Deploy::Unknown => "shipit cannot tell whether a deploy would start",
    };
    let _ = writeln!(out, "{verdict}");
    out
}

fn header(config: &Config, evidence: &Evidence) -> String {
    let Some(observed) = &evidence.observed else {
        return format!("{} on {}: not reached\n", config.app.as_str(), config.host);
    };
    let live = match &observed.current {
        Current::Release(id) => format!("runs {id}"),
        Current::Absent => "no release is live".into(),
        Current::Gone(id) => format!("current points to {id}, which does not exist"),
        Current::Odd(what) => format!("current is {what}"),
    };
    let systemd = observed
        .systemd
        .map_or("systemd unknown".into(), |version| format!("systemd {version}"));
    let line = format!(
        "{} on {} as {}: {live}, {systemd}, {}",
        config.app.as_str(),
        config.host,
        observed.user,
        config.root.as_str()
    );
    format!("{}\n", shown(line.as_bytes()))
}

/// One finding as a paragraph, in the form of a failure.
fn paragraph(one: &Finding, typed: &Typed, out: &mut String) {
    let _ = writeln!(out, "\n{}: {}", one.severity, shown(one.what.as_bytes()));
    if let Some((file, line)) = &one.place {
        let rule = one.rule.map_or(String::new(), |rule| format!(" [{rule}]"));
        let _ = writeln!(out, "  at    {}:{line}{rule}", shown(file.as_bytes()));
    }
    if !one.why.is_empty() {
        let _ = writeln!(out, "  why   {}", shown(one.why.as_bytes()));
    }
    for line in &one.log {
        let _ = writeln!(out, "  log   {}", shown(line.as_bytes()));
    }
    for line in typed.lines(&one.next) {
        let _ = writeln!(out, "  next  {}", shown(line.as_bytes()));
    }
}

fn counted(errors: usize, warnings: usize, infos: usize, all: bool) -> String {
    let many = |n: usize, word: &str| {
        if n == 1 {
            format!("1 {word}")
        } else {
            format!("{n} {word}s")
        }
    };
    let more = match infos {
        0 => String::new(),
        n if all => format!(", {n} notes"),
        n => format!(", {n} notes hidden (use -v)"),
    };
    format!("{}, {}{more}", many(errors, "error"), many(warnings, "warning"))
}
