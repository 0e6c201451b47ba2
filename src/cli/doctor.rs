//! `shipit doctor`: looks at everything, changes nothing. The cause comes first, each finding with the line to type; at
//! the end, what can be done today. What is wrong is decided in `diagnosis`; what `--drain` tries is in `drain`.

use std::fmt::Write;

use serde_json::{Value, json};

use super::args::{self, Global};
use super::drain;
use super::paper::{Ink, Paper};
use crate::config::Config;
use crate::diagnosis::{self, Deploy, Diagnosis, Evidence, Finding};
use crate::engine;
use crate::failure::{Exit, Failure, Next, Typed};
use crate::observed::{Current, Observed};
use crate::text::shown;
use crate::unit::rules::Severity;

pub(super) fn run(global: &Global, args: &args::Doctor) -> Result<Exit, Failure> {
    let config = match super::configuration(global) {
        Ok(config) => config,
        Err(failure) if global.json => {
            let diagnosis = Diagnosis::of_failure(&failure);
            super::results(&object(global, None, &diagnosis, None));
            return Ok(diagnosis.exit);
        }
        Err(failure) => return Err(failure),
    };
    let interrupts = super::interrupts()?;
    let mut link = super::link(global, &config, &interrupts);
    // What the ssh program would log in with is not known.
    let login = (!global.system_ssh).then(|| link.preview().ok()).flatten();
    let mut report = super::reporter(global);
    let mut evidence = engine::collect_evidence::examine(&mut link, &config, login, report.as_mut());
    if let (Some(login), Some(_)) = (&args.login, &evidence.link) {
        let mut link = super::root::link(global, &config, Some(login), &interrupts)?;
        evidence.access = engine::setup::access(&mut link, &config, &interrupts, report.as_mut())?;
    }
    if args.drain.drain && evidence.link.is_none() {
        evidence.trials = drain::trials(global, &args.drain, &config, &mut link, &interrupts, report.as_mut())?;
    }
    let diagnosis = diagnosis::diagnose(&config, &evidence);
    super::results(&if global.json {
        object(global, Some(&config), &diagnosis, evidence.skew)
    } else {
        let (typed, paper) = (super::typed(global), Paper::new(global));
        text(global.verbose, &typed, paper, &config, &evidence, &diagnosis)
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
    let mut line = json!({"v": 1, "app": config.map(|config| config.app.as_str()), "host": config.map(|config| config.host.to_string()),
        "exit": diagnosis.exit.code(), "deploy": diagnosis.deploy.word(), "findings": findings, "strategies": strategies,
        "exposure": exposure, "clock_skew_seconds": skew});
    if !diagnosis.drained.is_empty() {
        line["drain"] = drain::object(diagnosis);
    }
    super::object(&line)
}

fn finding(one: &Finding, typed: &Typed) -> Value {
    let (file, line) = one.place.clone().unzip();
    json!({"severity": one.severity.to_string(), "area": one.area.word(), "unit": one.unit, "rule": one.rule, "file": file,
        "line": line, "what": one.what, "why": one.why, "next": typed.lines(&one.next), "log": one.log})
}

pub(super) fn text(
    verbose: bool,
    typed: &Typed,
    paper: Paper,
    config: &Config,
    evidence: &Evidence,
    diagnosis: &Diagnosis,
) -> String {
    let trials = drain::text(diagnosis, typed, paper);
    if !verbose && is_healthy(diagnosis) {
        return paper.line(&paper.paint(Ink::Good, &in_short(config, evidence, diagnosis)), 2) + &trials;
    }
    let mut out = paper.line(&paper.paint(Ink::Bold, &header(config, evidence)), 2);
    let is_shown = |finding: &&Finding| verbose || finding.severity > Severity::Info;
    for one in diagnosis.findings.iter().filter(is_shown) {
        out.push_str(&paragraph(one, typed, paper));
    }
    for one in &diagnosis.strategies {
        let _ = writeln!(out, "\n{}", paper.paint(Ink::Bold, &shown(one.unit.as_bytes())));
        for (name, lacks) in &one.strategies {
            let own = if *name == one.configured { " (deploy.yml)" } else { "" };
            let verdict = if lacks.is_empty() {
                "can be used".to_owned()
            } else {
                format!("cannot be used: {}", lacks.join("; "))
            };
            let name = format!("{name}{own}");
            out.push_str(&paper.line(&format!("  {name:<22} {}", shown(verdict.as_bytes())), 25));
        }
        if let Some(score) = diagnosis.exposure.get(&one.unit) {
            let words = "of 10 (systemd-analyze security; 0 is safe)";
            out.push_str(&paper.line(&format!("  {:<22} {score:.1} {words}", "exposure"), 25));
        }
    }
    if !trials.is_empty() {
        let _ = write!(out, "\n{trials}");
    }
    let _ = writeln!(out, "\n{}", counted(diagnosis, verbose));
    out.push_str(&paper.line(verdict(diagnosis), 2));
    out
}

/// Nothing but notes.
fn is_healthy(diagnosis: &Diagnosis) -> bool {
    let severe = |finding: &Finding| finding.severity > Severity::Info;
    diagnosis.deploy == Deploy::Possible && !diagnosis.findings.iter().any(severe)
}

fn in_short(config: &Config, evidence: &Evidence, diagnosis: &Diagnosis) -> String {
    let live = evidence.observed.as_ref().map_or_else(String::new, live);
    let (app, host) = (config.app.as_str(), &config.host);
    let line = format!(
        "{app} on {host}: {live}; {}; {}",
        counted(diagnosis, false),
        verdict(diagnosis)
    );
    shown(line.as_bytes())
}

fn verdict(diagnosis: &Diagnosis) -> &'static str {
    let is_error = |finding: &Finding| finding.severity == Severity::Error;
    match diagnosis.deploy {
        // Nothing refuses it, but what is wrong above may well make it fail.
        Deploy::Possible if diagnosis.findings.iter().any(is_error) => {
            "a deploy can start, but the errors above may cause a revert"
        }
        Deploy::Possible => "a deploy can start",
        Deploy::Later => "a deploy can start when the switch in progress ends",
        Deploy::Refused => "a deploy would be refused",
        Deploy::Unknown => "it is unknown whether a deploy would start",
    }
}

fn live(observed: &Observed) -> String {
    match &observed.current {
        Current::Release(id) => format!("runs {id}"),
        Current::Absent => "no release is live".into(),
        Current::Gone(id) => format!("current points to {id}, which does not exist"),
        Current::Odd(what) => format!("current is {what}"),
    }
}

fn header(config: &Config, evidence: &Evidence) -> String {
    let Some(observed) = &evidence.observed else {
        return format!("{} on {}: unreachable", config.app.as_str(), config.host);
    };
    let live = live(observed);
    let systemd = observed
        .systemd
        .map_or("systemd version unknown".into(), |version| format!("systemd {version}"));
    let (app, host, root) = (config.app.as_str(), &config.host, config.root.as_str());
    let login = match host.user.as_deref() == Some(observed.user.as_str()) {
        true => String::new(),
        false => format!(" as {}", observed.user),
    };
    let line = format!("{app} on {host}{login}: {live}, {systemd}, {root}");
    shown(line.as_bytes())
}

/// One finding as a paragraph, in the form of a failure.
fn paragraph(one: &Finding, typed: &Typed, paper: Paper) -> String {
    let ink = match one.severity {
        Severity::Error => Ink::Bad,
        Severity::Warning => Ink::Warning,
        Severity::Info => Ink::Heading,
    };
    let severity = paper.paint(ink, &format!("{}:", one.severity));
    let line = |label: &str, text: &str| paper.line(&format!("  {label:<4}  {}", shown(text.as_bytes())), 8);
    let mut out = format!(
        "\n{}",
        paper.line(&format!("{severity} {}", shown(one.what.as_bytes())), 2)
    );
    if let Some((file, number)) = &one.place {
        let rule = one.rule.map_or(String::new(), |rule| format!(" [{rule}]"));
        out.push_str(&line("at", &format!("{file}:{number}{rule}")));
    }
    if !one.why.is_empty() {
        out.push_str(&line("why", &one.why));
    }
    for text in &one.log {
        out.push_str(&line("log", text));
    }
    let (heads, lines): (Vec<_>, Vec<_>) = one.next.iter().map(Next::parts).unzip();
    for (text, lines) in typed.lines(&heads).iter().zip(lines) {
        out.push_str(&paper.command(&format!("  next  {}", shown(text.as_bytes())), 8));
        // To be copied: never wrapped.
        for line in lines {
            let _ = writeln!(out, "          {}", shown(line.as_bytes()));
        }
    }
    out
}

fn counted(diagnosis: &Diagnosis, all: bool) -> String {
    let count = |severity| diagnosis.findings.iter().filter(|f| f.severity == severity).count();
    let many = |severity, word: &str| match count(severity) {
        1 => format!("1 {word}"),
        n => format!("{n} {word}s"),
    };
    let more = match count(Severity::Info) {
        0 => String::new(),
        _ if all => format!(", {}", many(Severity::Info, "note")),
        _ => format!(", {} hidden (use -v)", many(Severity::Info, "note")),
    };
    format!(
        "{}, {}{more}",
        many(Severity::Error, "error"),
        many(Severity::Warning, "warning")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_finding_fits_narrow_and_wide_screens() {
        let mut finding = Diagnosis::of_failure(&Failure::new(
            Exit::Untouched,
            "acme.service: User=ghost: does not exist on the host",
        ))
        .findings
        .remove(0);
        finding.place = Some(("/etc/systemd/system/acme.service".into(), 7));
        finding.rule = Some("user-missing");
        finding.why = "the start fails with 217/USER or 216/GROUP; with Type=simple, systemctl start exits 0".into();
        finding.next = vec![Next::shell("sudo useradd --system ghost").remark("or change User= in the unit")];
        let shown = |columns| paragraph(&finding, &Typed::default(), Paper::plain(Some(columns)));
        expect![[r#"

            error: acme.service: User=ghost: does
              not exist on the host
              at    /etc/systemd/system/acme.service:7
                    [user-missing]
              why   the start fails with 217/USER or
                    216/GROUP; with Type=simple,
                    systemctl start exits 0
              next  sudo useradd --system ghost
                    # or change User= in the unit
        "#]]
        .assert_eq(&shown(40));
        expect![[r#"

            error: acme.service: User=ghost: does not exist on the host
              at    /etc/systemd/system/acme.service:7 [user-missing]
              why   the start fails with 217/USER or 216/GROUP; with Type=simple, systemctl
                    start exits 0
              next  sudo useradd --system ghost    # or change User= in the unit
        "#]]
        .assert_eq(&shown(80));
        expect![[r#"

            error: acme.service: User=ghost: does not exist on the host
              at    /etc/systemd/system/acme.service:7 [user-missing]
              why   the start fails with 217/USER or 216/GROUP; with Type=simple, systemctl start exits 0
              next  sudo useradd --system ghost    # or change User= in the unit
        "#]]
        .assert_eq(&shown(120));
    }

    #[test]
    fn lines_for_a_file_stand_below_it_one_by_one() {
        let mut finding = Finding::info(diagnosis::Area::Unit, diagnosis::Depth::Later, "no limit");
        let lines = ["[Service]".to_owned(), "MemoryMax=512M".to_owned()];
        finding.next = vec![Next::write("in acme.service:", lines.to_vec())];
        let text = paragraph(&finding, &Typed::default(), Paper::plain(Some(20)));
        expect![[r#"

            info: no limit
              next  in acme.service:
                      [Service]
                      MemoryMax=512M
        "#]]
        .assert_eq(&text);
        let json = self::finding(&finding, &Typed::default());
        assert_eq!(json["next"][0], "in acme.service: [Service]  MemoryMax=512M");
    }
}
