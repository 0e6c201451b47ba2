//! The laptop and the link: what a login would use, and why the host was not reached.

use super::{Area, Depth, Evidence, Finding};
use crate::config::Config;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Agent {
    Nowhere,
    /// It holds this many keys.
    Holds(usize),
    /// It is named and does not work: why.
    Broken(String),
}

/// What the laptop would log in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desk {
    /// `user@host`, resolved.
    pub destination: String,
    /// Key files, and whether each is there.
    pub keys: Vec<(String, bool)>,
    pub agent: Agent,
    /// Whether the host's key is known here, or pinned in deploy.yml.
    pub known: bool,
}

pub(super) fn findings(config: &Config, evidence: &Evidence) -> Vec<Finding> {
    let mut found: Vec<Finding> = config
        .warnings
        .iter()
        .map(|text| {
            Finding::warning(Area::Laptop, Depth::Laptop, text)
                .why("deploy.yml is read, and this is probably not what was meant")
        })
        .collect();
    if let Some(desk) = &evidence.desk {
        found.extend(desk_findings(desk, evidence.link.is_some()));
    }
    if let Some(failure) = &evidence.repository {
        found.push(Finding::of_failure(Area::Laptop, Depth::Laptop, failure));
    }
    if let Some(failure) = &evidence.link {
        found.push(Finding::of_failure(Area::Link, Depth::Link, failure));
    }
    found
}

/// What may be missing here matters when the login fails; otherwise it is only good to know.
fn desk_findings(desk: &Desk, lost: bool) -> Vec<Finding> {
    let told = |what: String| {
        if lost {
            Finding::warning(Area::Laptop, Depth::Laptop, what)
        } else {
            Finding::info(Area::Laptop, Depth::Laptop, what)
        }
    };
    let mut found = Vec::new();
    if let Agent::Broken(why) = &desk.agent {
        found.push(
            told(why.clone())
                .why("keys that only the agent holds cannot be used")
                .next("ssh-add -l"),
        );
    }
    let holds = matches!(desk.agent, Agent::Holds(n) if n > 0);
    if !holds && !desk.keys.iter().any(|(_, there)| *there) {
        let files: Vec<&str> = desk.keys.iter().map(|(path, _)| path.as_str()).collect();
        found.push(
            told(format!(
                "there is no ssh key here: no agent holds one, and none of {} is there",
                files.join(", ")
            ))
            .why("without a key only a password is left, which nobody types in CI")
            .next(format!(
                "ssh-keygen -t ed25519 && ssh-copy-id {}",
                desk.destination
            )),
        );
    }
    if !desk.known {
        found.push(
            told(format!(
                "the host key of {} is not known here",
                desk.destination
            ))
            .why("an unknown host may be anybody; shipit refuses it unless told to trust it once")
            .next("shipit doctor --accept-new    # after comparing the fingerprint"),
        );
    }
    found
}
