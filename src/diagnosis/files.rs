//! Shared files that a service's user cannot read. What PID 1 reads for it (`EnvironmentFile=`, credentials) is no
//! concern of that user.

use super::remedy::{can_act, plain};
use super::{Area, Depth, Finding, access};
use crate::config::Config;
use crate::failure::{Next, quoted};
use crate::observed::Live;
use crate::unit::merge::Unit;
use crate::unit::rules::{Facts, FileFact, Severity};

pub(super) fn findings(config: &Config, live: &Live) -> Vec<Finding> {
    let root = config.root.as_str();
    let mut found = Vec::new();
    for shared in &config.shared.files {
        let path = format!("{root}/shared/{}", shared.path.as_str());
        let Some(fact) = live.answers.file(&path) else {
            continue; // said as unreadable already
        };
        if !fact.exists {
            if !shared.optional {
                found.push(
                    Finding::error(Area::Host, Depth::Named, format!("{path} does not exist on the host"))
                        .why("deploy.yml lists it under shared.files; deploys are refused without it")
                        .next(Next::advice(format!(
                            "create it, or write `{}?` under shared.files if it may be missing",
                            shared.path.as_str()
                        ))),
                );
            }
            continue;
        }
        for one in config.instances() {
            let Some((unit, facts)) = live.unit(one.unit) else {
                continue;
            };
            let user = unit.service("User");
            if reads_itself(unit, &path) && !can_read(&fact, &path, user, config, live) {
                found.push(unreadable(&path, &fact, unit, facts, live));
            }
        }
    }
    found
}

/// Whether nobody but the app could read it.
fn reads_itself(unit: &Unit, path: &str) -> bool {
    let named = |text: &str| {
        text.trim_start_matches('-')
            .ends_with(path.rsplit('/').next().unwrap_or(path))
    };
    let keys = ["EnvironmentFile", "LoadCredential", "LoadCredentialEncrypted"];
    !unit.all("Service", keys).iter().any(|entry| named(entry.value))
}

/// Whether a user may read a file, as far as owner, group and mode say. Unknown is taken for yes: no finding.
fn can_read(fact: &FileFact, path: &str, user: &str, config: &Config, live: &Live) -> bool {
    let Some(groups) = access::groups(user, live) else {
        return true;
    };
    access::allows(fact, user, groups, 0o4) && access::closed(path, user, config.root.as_str(), live).is_none()
}

fn unreadable(path: &str, fact: &FileFact, unit: &Unit, facts: &Facts, live: &Live) -> Finding {
    let user = unit.service("User");
    let severity = if facts.properties.is_active() {
        Severity::Warning
    } else {
        Severity::Error
    };
    let finding = Finding::new(
        severity,
        Area::Unit,
        Depth::Readable,
        format!(
            "{}: {user} cannot read {path} (owner {}, group {}, mode {:04o})",
            unit.name, fact.owner, fact.group, fact.mode
        ),
    )
    .of(unit.name.as_str())
    .why("every release has a symlink to it; a program that needs it fails to start");
    let group = access::groups(user, live).and_then(<[String]>::first);
    let remark = "or keep its settings in the root-owned file that `shipit env` manages";
    let owner = fact.owner.as_str();
    finding.next(match group {
        // As its owner, with the group of the app's user: root would follow a symlink that is put there.
        Some(group) if can_act(owner) && plain(group) => {
            let file = quoted(path.as_ref());
            Next::shell(format!(
                "sudo setpriv --reuid {owner} --regid {group} --clear-groups chgrp {group} {file} && \
                 sudo -u {owner} chmod 0640 {file}"
            ))
            .remark(remark)
        }
        _ => Next::advice(format!(
            "replace it, as the deploy user, with a file that {user} can read"
        ))
        .remark(remark),
    })
}
