//! The ssh agent through libssh2, with a clock on it: an agent that takes the connection and never answers would
//! hang libssh2 for ever. Which of its keys are tried, and in what order, stands in `auth`.

use std::time::Duration;

use ssh2::{Agent, ErrorCode, Session};

use super::aside::{Stopped, aside};
use super::config::AgentAt;
use super::key::{self, Identity};
use crate::interrupt::Interrupts;

/// For the list of keys, which asks nobody.
const LIST: Duration = Duration::from_secs(20);

/// A key that the agent holds.
#[derive(Clone, Debug)]
pub struct Held {
    /// The public key or certificate, as on the wire.
    pub blob: Vec<u8>,
    /// The agent's name for it. Raw.
    pub comment: String,
}

/// Why there is no list.
#[derive(Debug)]
pub enum Trouble {
    /// The person asked to stop.
    Interrupted,
    Broken(String),
}

/// Whether the agent's key is this identity, or its certificate.
pub fn is(held: &Held, identity: &Identity) -> bool {
    let of_key = identity
        .blob
        .as_deref()
        .is_some_and(|blob| blob == held.blob || key::certifies(&held.blob, blob));
    of_key || identity.certificate.as_deref() == Some(&held.blob)
}

/// The agent's keys; none when there is no agent.
///
/// # Errors
/// When the agent cannot be reached or does not answer.
pub fn list(at: &AgentAt, interrupts: &Interrupts) -> Result<Vec<Held>, Trouble> {
    let AgentAt::Path(path) = at else {
        return Ok(Vec::new());
    };
    let place = at.clone();
    // A session of its own: a stuck agent keeps its lock for ever.
    let listed = aside(interrupts, LIST, move || {
        let session = Session::new()?;
        let agent = connected(&session, &place)?;
        Ok(agent
            .identities()?
            .iter()
            .map(|k| Held {
                blob: k.blob().to_vec(),
                comment: k.comment().to_owned(),
            })
            .collect())
    });
    match listed {
        Ok(Ok(held)) => Ok(held),
        Ok(Err(e)) => {
            let e: ssh2::Error = e;
            Err(Trouble::Broken(format!(
                "cannot use the agent at {}: {}",
                path.display(),
                e.message()
            )))
        }
        Err(Stopped::Late) => Err(Trouble::Broken(format!(
            "the agent at {} does not answer ({} s)",
            path.display(),
            LIST.as_secs()
        ))),
        Err(Stopped::Interrupted) => Err(Trouble::Interrupted),
    }
}

/// Logs in with one of the agent's keys. Blocks as long as the agent does: only to be called aside.
///
/// # Errors
/// libssh2's.
pub fn sign_in(
    session: &Session,
    at: &AgentAt,
    user: &str,
    blob: &[u8],
) -> Result<(), ssh2::Error> {
    let agent = connected(session, at)?;
    let Some(key) = agent
        .identities()?
        .into_iter()
        .find(|key| key.blob() == blob)
    else {
        return Err(ssh2::Error::new(
            ErrorCode::Session(-42),
            "the agent no longer has this key",
        ));
    };
    agent.userauth(user, &key)
}

fn connected(session: &Session, at: &AgentAt) -> Result<Agent, ssh2::Error> {
    let mut agent = session.agent()?;
    if let AgentAt::Path(path) = at {
        agent.set_identity_path(path)?;
    }
    agent.connect()?;
    agent.list_identities()?;
    Ok(agent)
}
