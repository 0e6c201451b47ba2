//! The lines to type for what a rule found on a host. Lines for the unit itself come from the rule's fix.

use std::path::Path;

use super::packages;
use crate::config::Config;
use crate::failure::Next;
use crate::observed::Live;
use crate::plan::{named_units, packaged};
use crate::unit::render;
use crate::unit::rules::{self, Cause, Finding, Way};

/// The lines that fix a finding, on the host or in the unit.
pub(super) fn lines(config: &Config, live: &Live, unit: &str, finding: &Finding) -> Vec<Next> {
    let install = config.host.as_root("unit install");
    // What is changed on the host only, the next install overwrites.
    let kept = live.in_repository(Path::new(&finding.file));
    let file = kept.unwrap_or(&finding.file);
    let edits = |finding| edits(unit, finding, file, kept.map(|_| install.clone()));
    let Some(cause) = &finding.cause else {
        return edits(finding);
    };
    let repository = live.unit(unit).is_some_and(|(_, facts)| facts.repository.is_some());
    // systemd starts no socket whose service is active.
    let start = Next::shell(match running_service(live, unit) {
        Some(service) => {
            format!(
                "sudo systemctl stop {service}; sudo systemctl enable --now {unit} && sudo systemctl start {service}"
            )
        }
        None => format!("sudo systemctl reset-failed {unit}; sudo systemctl enable --now {unit}"),
    });
    let shell = |line: String| vec![Next::shell(line)];
    match cause {
        Cause::Stale => shell(format!("sudo systemctl daemon-reload && sudo systemctl restart {unit}")),
        Cause::Masked => shell(format!("sudo systemctl unmask {unit} && sudo systemctl start {unit}")),
        Cause::NotFound if repository => vec![install],
        Cause::NotFound if meant(live, unit).is_some() => {
            let near = meant(live, unit).unwrap_or_default();
            vec![Next::advice(format!("write {near} instead of {unit} in deploy.yml"))]
        }
        Cause::NotFound => {
            if let Some(install) = packaged::install(config, unit, |name| live.properties(name).is_loaded()) {
                return vec![install];
            }
            let migrate = config.migrate.as_ref();
            // `unit generate` does not write it.
            if migrate.is_some_and(|migrate| migrate.before.as_ref().is_some_and(|before| before.as_str() == unit)) {
                return vec![Next::advice(format!(
                    "write {unit} to /etc/systemd/system, then `sudo systemctl daemon-reload`; docs/migrations.md has an example"
                ))];
            }
            // The project does not show what migrates.
            let is_migration = migrate.is_some_and(|migrate| migrate.unit.as_str() == unit);
            let command = if is_migration { " --migrate 'COMMAND'" } else { "" };
            vec![Next::shipit(format!("unit generate{command}")).then("&&", install)]
        }
        Cause::Refused => shell(format!("sudo systemd-analyze verify {}", finding.file)),
        Cause::Differs => vec![Next::shipit("unit diff"), install],
        Cause::NotEnabled => shell(format!("sudo systemctl enable {unit}")),
        Cause::Failed => vec![
            // The deploy user can read the journal of services only.
            if unit.ends_with(".service") {
                Next::shipit("logs --unit").arg(unit)
            } else {
                Next::shell(format!("sudo journalctl -u {unit} -n 50"))
            },
            Next::shell(format!(
                "sudo systemctl reset-failed {unit} && sudo systemctl start {unit}"
            ))
            .remark("once the cause is fixed"),
        ],
        Cause::RequiredUnitMissing => vec![
            Next::shell(format!("sudo systemctl start {unit}"))
                .remark(format!("once the required unit exists, or is removed from {file}")),
        ],
        Cause::TimerInactive => shell(format!("sudo systemctl enable --now {unit}")),
        Cause::SocketInactive => vec![start],
        Cause::PortHeldBy(holder) if running_service(live, unit).as_ref() == Some(holder) => vec![start],
        Cause::PortHeldBy(_) => vec![
            Next::shell("sudo ss -ltnp")
                .remark("shows which process listens on the address: stop it, or change one of the two addresses"),
            start.remark("then"),
        ],
        Cause::UserMissing(user) => vec![
            Next::shell(format!("sudo useradd --system --shell /usr/sbin/nologin {user}"))
                .remark(format!("or change User= in {file}")),
        ],
        Cause::GroupMissing(group) => vec![
            Next::shell(format!("sudo groupadd --system {group}")).remark(format!("or change the group in {file}")),
        ],
        Cause::ProgramUnusable(path) => vec![program(config, path), explain(finding)],
        Cause::DirectoryMissing(path) => vec![directory(config, live, unit, path), explain(finding)],
        Cause::EnvironmentFileMissing(path) if *path == format!("/etc/{}/env", config.app.as_str()) => {
            vec![Next::shipit("env set NAME")]
        }
        Cause::EnvironmentFileMissing(path) if !only_root(path, config, live) => {
            let app = config.app.as_str();
            let elsewhere =
                format!("and write EnvironmentFile=-/etc/{app}/env: other users can change the path to {path}");
            vec![Next::shipit("env set NAME").remark(elsewhere)]
        }
        Cause::EnvironmentFileMissing(path) => {
            vec![
                Next::shell("sudo install -D -m 0600 /dev/null")
                    .arg(path)
                    .remark(format!(
                        "then fill it; or write `EnvironmentFile=-{path}` if it is optional"
                    )),
            ]
        }
        Cause::Exposure => edits(finding),
    }
}

/// How to get a program: with the next release, or from Debian.
fn program(config: &Config, path: &str) -> Next {
    let name = path.rsplit('/').next().unwrap_or(path);
    match packages::package(path) {
        Some(package) => packages::install(config, package),
        None if path.starts_with(&format!("{}/", config.root.as_str())) => {
            Next::shipit("deploy").remark("if the next release contains it; otherwise fix the line")
        }
        None => Next::advice(format!(
            "install {name} on the host so that {path} exists, or fix the line"
        )),
    }
}

/// How to get a directory: deploys create those in `shared`.
fn directory(config: &Config, live: &Live, unit: &str, path: &str) -> Next {
    if let Some(shared) = path.strip_prefix(&format!("{}/shared/", config.root.as_str())) {
        return Next::advice(format!("add {shared} to shared.dirs in deploy.yml"));
    }
    if !only_root(path, config, live) {
        return Next::advice(format!(
            "let systemd create it (StateDirectory=, LogsDirectory=), or create {path} as the owner of the directory \
             above it: users other than root can change the path to it"
        ));
    }
    let user = live.unit(unit).map_or("", |(unit, _)| unit.service("User"));
    let owner = if plain(user) {
        format!(" -o {user} -g {user}")
    } else {
        String::new()
    };
    Next::shell(format!("sudo install -d -m 0750{owner}")).arg(path)
}

/// Whether only root can change the way to a path. On any other way, a line that root types could be led to any file: what
/// is not known counts as such a way.
pub(super) fn only_root(path: &str, config: &Config, live: &Live) -> bool {
    let file = live.answers.file(path);
    match file.and_then(|file| file.way) {
        _ if Path::new(path).starts_with(config.root.as_str()) => false,
        Some(way) => way == Way::Closed,
        None => Path::new(path).ancestors().skip(1).all(|dir| {
            let fact = dir.to_str().and_then(|dir| live.answers.file(dir));
            fact.is_some_and(|dir| !dir.exists || dir.owner == "root" && dir.mode & 0o022 == 0)
        }),
    }
}

/// Whether a name of an account can stand in a line as it is.
pub(super) fn plain(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
}

/// Whether the owner of a file can type a line for it: not root, and an account with a name.
pub(super) fn can_act(owner: &str) -> bool {
    plain(owner) && !matches!(owner, "root" | "UNKNOWN")
}

/// The service of a socket, if it runs.
fn running_service(live: &Live, socket: &str) -> Option<String> {
    let (socket, _) = live.unit(socket)?;
    let service = (socket.name.kind() == "socket").then(|| rules::service_of(socket))??;
    let runs = live.properties(service.as_str()).is_active();
    runs.then(|| service.to_string())
}

/// The unit of the app that was probably meant by a name that systemd does not have.
fn meant(live: &Live, unit: &str) -> Option<String> {
    let loaded = live.units.iter().filter(|(_, facts)| facts.properties.is_loaded());
    let known: Vec<&str> = loaded.map(|(unit, _)| unit.name.as_str()).collect();
    named_units::meant(unit, &known).map(str::to_owned)
}

/// The lines to write into this file, and what brings them to the host; or where the rule is explained.
fn edits(unit: &str, finding: &Finding, file: &str, install: Option<Next>) -> Vec<Next> {
    // An upgrade of the package overwrites its own file.
    if file.starts_with("/usr/lib/") || file.starts_with("/lib/") {
        return match render::drop_in(finding) {
            Some(lines) => {
                let place = format!("in a drop-in (`sudo systemctl edit {unit}`):");
                vec![Next::write(place, lines)]
            }
            None => vec![explain(finding)],
        };
    }
    match render::lines(finding) {
        lines if lines.is_empty() => vec![explain(finding)],
        lines => std::iter::once(Next::write(format!("in {file}:"), lines))
            .chain(install.map(|install| install.remark("then")))
            .collect(),
    }
}

fn explain(finding: &Finding) -> Next {
    Next::offline("unit explain").arg(finding.rule)
}
