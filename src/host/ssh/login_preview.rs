//! What a login would use, without connecting: name, keys, agent, known hosts. For `doctor` and `setup`; decides
//! nothing.

use std::path::PathBuf;

use super::agent;
use super::config::AgentAt;
use super::{Login, config, known_hosts};
use crate::failure::Failure;
use crate::interrupt::Interrupts;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentState {
    Nowhere,
    Holds(usize),
    /// It is configured and does not work: why.
    Broken(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginPreview {
    /// `user@host`, resolved.
    pub destination: String,
    /// The words for the ssh program that lead there, to paste.
    pub ssh_to: String,
    /// The key files that would be tried, and whether each exists.
    pub keys: Vec<(PathBuf, bool)>,
    pub agent: AgentState,
    /// Whether a host key is known or pinned for this host.
    pub known: bool,
}

/// Fails on an invalid name, a configuration that cannot be read.
pub fn preview(login: &Login, interrupts: &Interrupts) -> Result<LoginPreview, Failure> {
    let to = config::resolve(login, interrupts, &mut |_| {})?;
    let agent = match &to.agent {
        AgentAt::Nowhere => AgentState::Nowhere,
        at @ AgentAt::Path(_) => match agent::list(at, interrupts) {
            Ok(Ok(held)) => AgentState::Holds(held.len()),
            Ok(Err(why)) => AgentState::Broken(why),
            Err(_) => AgentState::Broken("interrupted".into()),
        },
    };
    // A known_hosts file that cannot be read is a failure of the connection, and reported there.
    let known = login.pin.is_some()
        || known_hosts::read(&to.known_hosts_files(), to.known_as(), to.known_port())
            .is_ok_and(|known| !known.types().is_empty());
    let keys = to.identity_files.iter();
    Ok(LoginPreview {
        destination: format!("{}@{}", to.user, to.host_name),
        ssh_to: to.ssh_to(),
        keys: keys.map(|path| (path.clone(), path.exists())).collect(),
        agent,
        known,
    })
}
