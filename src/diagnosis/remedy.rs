//! The lines to type for what a rule found on a host. What a rule would have written into the unit is the rule's own.

use crate::config::Config;
use crate::unit::render;
use crate::unit::rules::{Finding, Severity};

/// The lines that put a finding right, on the host or in the unit. `repository`: whether the unit is kept there.
pub(super) fn lines(
    config: &Config,
    unit: &str,
    finding: &Finding,
    repository: bool,
) -> Vec<String> {
    let app = config.app.as_str();
    let install = config.host.as_root("shipit unit install");
    let explain = format!("shipit unit explain {}", finding.rule);
    let quoted = |key: &str| {
        let rest = finding.message.split_once(key)?.1;
        Some(rest.split(':').next().unwrap_or(rest).to_owned())
    };
    match finding.rule {
        "drift-reload" => vec![format!(
            "sudo systemctl daemon-reload && sudo systemctl restart {unit}"
        )],
        "drift-load" if finding.message.contains("masked") => {
            vec![format!(
                "sudo systemctl unmask {unit} && sudo systemctl start {unit}"
            )]
        }
        "drift-load" if finding.message.contains("no such unit") => {
            let migrates = config.migrate.as_ref();
            if repository {
                vec![install]
            } else if migrates.is_some_and(|migrate| migrate.unit.as_str() == unit) {
                // What migrates is not seen in the project.
                vec![format!(
                    "shipit unit generate --migrate 'COMMAND' && {install}"
                )]
            } else {
                vec![format!("shipit unit generate && {install}")]
            }
        }
        "drift-repository" | "socket-listen-changed" => {
            vec!["shipit unit diff".into(), install]
        }
        "drift-load" => vec![format!("sudo systemd-analyze verify {}", finding.file)],
        "drift-disabled" => vec![format!("sudo systemctl enable {unit}")],
        "drift-failed" => vec![
            // The journal that the deploy user may read is that of the services.
            if unit.ends_with(".service") {
                format!("shipit logs --unit {unit}")
            } else {
                format!("sudo journalctl -u {unit} -n 50")
            },
            format!(
                "sudo systemctl reset-failed {unit} && sudo systemctl start {unit}    # once the cause is mended"
            ),
        ],
        "drift-verify" if finding.severity == Severity::Error => vec![format!(
            "sudo systemctl start {unit}    # once it is on the host, or its name is out of {}",
            finding.file
        )],
        "timer-inactive" => vec![format!("sudo systemctl enable --now {unit}")],
        "socket-inactive" => {
            let start =
                format!("sudo systemctl reset-failed {unit}; sudo systemctl enable --now {unit}");
            match finding.message.split_once(": ").map(|(_, rest)| rest) {
                Some(rest) if rest.contains(" holds ") => vec![
                    "sudo ss -ltnp    # who listens where: stop that, or give one of the two another address".into(),
                    format!("{start}    # then"),
                ],
                _ => vec![start],
            }
        }
        "user-missing" => {
            let mut lines = Vec::new();
            if let Some(user) = quoted("User=") {
                lines.push(format!("sudo useradd --system --shell /usr/sbin/nologin {user}    # or another User= in {}", finding.file));
            } else if let Some(group) = quoted("Groups=").or_else(|| quoted("Group=")) {
                lines.push(format!(
                    "sudo groupadd --system {group}    # or another group in {}",
                    finding.file
                ));
            }
            lines
        }
        "exec-missing" => vec![
            "shipit deploy    # if the next release brings it; else mend the line".into(),
            explain,
        ],
        "environment-file-optional" => {
            let path = finding.message.split(' ').next().unwrap_or_default();
            if path == format!("/etc/{app}/env") {
                return vec!["shipit env set NAME".into()];
            }
            vec![format!(
                "sudo install -D -m 0600 /dev/null {path}    # and fill it; or `EnvironmentFile=-{path}` if it may be missing"
            )]
        }
        _ => {
            let mut lines = render::lines(finding);
            if lines.is_empty() {
                lines.push(explain);
            } else {
                lines = vec![format!("in {}: {}", finding.file, lines.join("  "))];
            }
            lines
        }
    }
}
