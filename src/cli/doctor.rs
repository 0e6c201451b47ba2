//! `shipit doctor`: looks at everything, changes nothing. Each finding says what, and the line that mends it.

use serde_json::json;

use super::args::Global;
use crate::failure::{Exit, Failure};
use crate::plan::{needs, observed::Current};
use crate::{strategy, words};

pub(super) fn run(global: &Global) -> Result<Exit, Failure> {
    let config = super::configuration(global)?;
    let (_, seen) = super::look(global, &config)?;
    let mut findings: Vec<String> = Vec::new();
    let mut mends: Vec<String> = Vec::new();
    if let Err(failure) = needs::host(&config, &seen) {
        findings.extend(failure.why);
        mends.extend(failure.next);
    }
    if let Current::Odd(what) = &seen.current {
        findings.push(format!("current is {what}"));
    }
    let mut warnings = config.warnings.clone();
    let mut can = Vec::new();
    for service in &config.services {
        let turnover = strategy::turnover(service, &seen);
        let unit = service.unit.as_str();
        if turnover.needs.is_empty() {
            can.push(unit.to_owned());
        }
        findings.extend(turnover.needs);
        warnings.extend(turnover.advice);
        if seen.property(unit, "NeedDaemonReload") == "yes" {
            warnings.push(format!(
                "{unit} changed on disk since systemd read it: `sudo systemctl daemon-reload`"
            ));
        }
        if matches!(seen.property(unit, "User"), "" | "root")
            && seen.property(unit, "LoadState") == "loaded"
        {
            warnings.push(format!(
                "{unit} runs as root: whoever can deploy is root there; give it a `User=`"
            ));
        }
        if seen.property(unit, "ActiveState") == "failed" {
            warnings.push(format!(
                "{unit} has failed (result {}): shipit logs --unit {unit}",
                seen.property(unit, "Result")
            ));
        }
    }
    let boot = format!("shipit-{}-boot.service", config.app.as_str());
    if seen.property(&boot, "UnitFileState") != "enabled" {
        findings.push(format!("{boot} is not enabled: after a power cut the app could start from an unconfirmed release"));
        mends.push("shipit setup --as root@HOST".into());
    }
    if let Some(run) = &seen.degraded {
        findings.push(format!("run {run} could not go back: the host is degraded"));
    }
    if !seen.spare && seen.live().is_some() {
        warnings.push(
            "no room is kept for a rollback on a full disk yet; the next deploy keeps some".into(),
        );
    }
    mends.dedup();
    if global.json {
        super::results(&format!(
            "{}\n",
            json!({"v": 1, "findings": findings, "warnings": warnings, "next": mends})
        ));
    } else {
        let mut out = format!(
            "{} as {}: systemd {}, {}\n",
            config.host,
            seen.user,
            seen.systemd.unwrap_or(0),
            config.root.as_str()
        );
        for finding in &findings {
            out.push_str(&format!(
                "  error    {}\n",
                words::shown(finding.as_bytes())
            ));
        }
        for warning in &warnings {
            out.push_str(&format!(
                "  warning  {}\n",
                words::shown(warning.as_bytes())
            ));
        }
        for mend in &mends {
            out.push_str(&format!("next: {mend}\n"));
        }
        let verdict = if findings.is_empty() {
            "a deploy can be carried out"
        } else {
            "a deploy would be refused"
        };
        out.push_str(&format!("{verdict}\n"));
        super::results(&out);
    }
    Ok(if findings.is_empty() {
        Exit::Done
    } else {
        Exit::Untouched
    })
}
