//! The lines to type for what a rule found on a host. What a rule would have written into the unit is the rule's own.

use crate::config::Config;
use crate::unit::render;
use crate::unit::rules::{Cause, Finding};

/// The lines that fix a finding, on the host or in the unit. `repository`: whether the unit is kept there.
pub(super) fn lines(
    config: &Config,
    unit: &str,
    finding: &Finding,
    repository: bool,
) -> Vec<String> {
    let Some(cause) = &finding.cause else {
        return edits(finding);
    };
    let file = &finding.file;
    let install = config.host.as_root("shipit unit install");
    let start = format!("sudo systemctl reset-failed {unit}; sudo systemctl enable --now {unit}");
    let one = |line: String| vec![line];
    match cause {
        Cause::Stale => one(format!("sudo systemctl daemon-reload && sudo systemctl restart {unit}")),
        Cause::Masked => one(format!("sudo systemctl unmask {unit} && sudo systemctl start {unit}")),
        Cause::NotFound if repository => one(install),
        Cause::NotFound => {
            let migrate = config.migrate.as_ref();
            // The project does not show what migrates.
            let is_migration = migrate.is_some_and(|migrate| migrate.unit.as_str() == unit);
            let command = if is_migration { " --migrate 'COMMAND'" } else { "" };
            one(format!("shipit unit generate{command} && {install}"))
        }
        Cause::Refused => one(format!("sudo systemd-analyze verify {file}")),
        Cause::Differs => vec!["shipit unit diff".into(), install],
        Cause::NotEnabled => one(format!("sudo systemctl enable {unit}")),
        Cause::Failed => vec![
            // The deploy user can read the journal of services only.
            if unit.ends_with(".service") {
                format!("shipit logs --unit {unit}")
            } else {
                format!("sudo journalctl -u {unit} -n 50")
            },
            format!("sudo systemctl reset-failed {unit} && sudo systemctl start {unit}    # once the cause is fixed"),
        ],
        Cause::RequiredUnitMissing => one(format!(
            "sudo systemctl start {unit}    # once that unit exists on the host, or is removed from {file}"
        )),
        Cause::TimerInactive => one(format!("sudo systemctl enable --now {unit}")),
        Cause::SocketInactive => one(start),
        Cause::PortHeldBy(_) => vec![
            "sudo ss -ltnp    # shows what listens where: stop it, or change one of the two addresses".into(),
            format!("{start}    # then"),
        ],
        Cause::UserMissing(user) => one(format!(
            "sudo useradd --system --shell /usr/sbin/nologin {user}    # or change User= in {file}"
        )),
        Cause::GroupMissing(group) => one(format!(
            "sudo groupadd --system {group}    # or change the group in {file}"
        )),
        Cause::ProgramUnusable => vec![
            "shipit deploy    # if the next release contains it; otherwise fix the line".into(),
            explain(finding),
        ],
        Cause::EnvironmentFileMissing(path) if *path == format!("/etc/{}/env", config.app.as_str()) => {
            one("shipit env set NAME".into())
        }
        Cause::EnvironmentFileMissing(path) => one(format!(
            "sudo install -D -m 0600 /dev/null {path}    # then fill it; or write `EnvironmentFile=-{path}` if it is optional"
        )),
        Cause::Exposure => edits(finding),
    }
}

/// The lines to write into the unit, or where the rule is explained.
fn edits(finding: &Finding) -> Vec<String> {
    match render::lines(finding) {
        lines if lines.is_empty() => vec![explain(finding)],
        lines => vec![format!("in {}: {}", finding.file, lines.join("  "))],
    }
}

fn explain(finding: &Finding) -> String {
    format!("shipit unit explain {}", finding.rule)
}
