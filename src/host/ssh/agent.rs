//! The ssh agent through libssh2, with a time limit: an agent that accepts the connection and never replies would hang
//! libssh2 forever. Which of its keys are tried, and in which order, is decided in `auth`.

use std::time::Duration;

use ssh2::{Agent, ErrorCode, Session};

use super::config::AgentAt;
use super::deadline::with_deadline;
use super::key::{self, KeyFile};
use crate::failure::Failure;
use crate::interrupt::Interrupts;

/// For the list of keys, which needs no user.
const LIST: Duration = Duration::from_secs(20);

#[derive(Clone, Debug)]
pub struct Held {
    /// The public key or certificate, as on the wire.
    pub blob: Vec<u8>,
    /// The agent's name for it, as it came.
    pub comment: String,
}

/// Whether the agent's key is the one of this file, or its certificate.
pub fn is(held: &Held, file: &KeyFile) -> bool {
    let of_key = file
        .blob
        .as_deref()
        .is_some_and(|blob| blob == held.blob || key::certifies(&held.blob, blob));
    of_key || file.certificate.as_deref() == Some(&held.blob)
}

/// The keys of the agent, or why it cannot be used; none when there is no agent. Fails at an interrupt.
pub fn list(at: &AgentAt, interrupts: &Interrupts) -> Result<Result<Vec<Held>, String>, Failure> {
    let AgentAt::Path(path) = at else {
        return Ok(Ok(Vec::new()));
    };
    let place = at.clone();
    // On its own session: a stuck agent keeps the lock of its session forever.
    let listed = with_deadline(interrupts, LIST, move || {
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
    let path = path.display();
    Ok(match listed? {
        Some(listed) => listed.map_err(|e: ssh2::Error| format!("cannot use the ssh agent at {path}: {}", e.message())),
        None => {
            let limit = LIST.as_secs();
            Err(format!("the ssh agent at {path} did not reply within {limit} s"))
        }
    })
}

/// Logs in with one of the agent's keys. Blocks as long as the agent does: only for use with a deadline.
pub fn sign_in(session: &Session, at: &AgentAt, user: &str, blob: &[u8]) -> Result<(), ssh2::Error> {
    let agent = connected(session, at)?;
    let Some(key) = agent.identities()?.into_iter().find(|key| key.blob() == blob) else {
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
