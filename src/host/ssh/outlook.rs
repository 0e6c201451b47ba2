//! What a login would use, looked at without connecting: name, keys, agent, known hosts. For people who ask why it does
//! not work; nothing here decides.

use std::path::PathBuf;

use super::agent::{self, Trouble};
use super::config::AgentAt;
use super::{Login, config, known_hosts};
use crate::failure::Failure;
use crate::interrupt::Interrupts;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Agent {
    Nowhere,
    /// It holds this many keys.
    Holds(usize),
    /// It is named and does not work: why.
    Broken(String),
}

/// What a login would use.
#[derive(Clone, Debug)]
pub struct Outlook {
    /// `user@host`, resolved.
    pub destination: String,
    /// The key files that would be tried, and whether each is there.
    pub keys: Vec<(PathBuf, bool)>,
    pub agent: Agent,
    /// The types of host keys that are known or pinned for this host; empty when it is unknown.
    pub known: Vec<String>,
}

/// Looks at what a login would use.
///
/// # Errors
/// A name that is none, a configuration that cannot be read.
pub fn outlook(login: &Login, interrupts: &Interrupts) -> Result<Outlook, Failure> {
    let to = config::resolve(login, interrupts, &mut |_| {})?;
    let agent = match &to.agent {
        AgentAt::Nowhere => Agent::Nowhere,
        at @ AgentAt::Path(_) => match agent::list(at, interrupts) {
            Ok(held) => Agent::Holds(held.len()),
            Err(Trouble::Broken(why)) => Agent::Broken(why),
            Err(Trouble::Interrupted) => Agent::Broken("stopped on request".into()),
        },
    };
    let known = match &login.pin {
        Some(pin) => vec![pin.clone()],
        None => {
            let files = [
                to.user_known_hosts.as_slice(),
                to.global_known_hosts.as_slice(),
            ]
            .concat();
            // A file that cannot be read is the connection's own failure, and said there.
            known_hosts::read(&files, to.known_as(), to.known_port())
                .map(|known| known.types())
                .unwrap_or_default()
        }
    };
    let keys = to.identity_files.iter();
    Ok(Outlook {
        destination: format!("{}@{}", to.user, to.host_name),
        keys: keys.map(|path| (path.clone(), path.exists())).collect(),
        agent,
        known,
    })
}
