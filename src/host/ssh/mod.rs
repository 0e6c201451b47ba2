//! ssh, as a [`crate::host::Host`]: resolve a name, reach it, check that it is the right one, log in, run commands. The rooms
//! stand in that order; `session` is what remains open afterwards. What a command means is not known here.
//!
//! libssh2 is used from one thread at a time and, once logged in, never in blocking mode.

mod agent; // the ssh agent, with a clock on it
mod aside; // work that may block, on a thread of its own
mod auth; // which keys are tried, in which order, and what became of each
mod channel; // one command's channel, driven without blocking
mod config; // what `ssh -G` says of a name
mod config_file; // the same from ssh_config, where no ssh program is
mod door; // TCP or a child, handshake, host key: an open connection to the right host
mod identity; // is it the right host
mod key; // key files and certificates
mod known_hosts; // the lines that name a host, and what they say of a key
mod link; // the bytes, counted, and when the far side was last heard
mod notice; // what a person should hear; how one is asked
mod outlook; // what a login would use, without connecting
mod password; // passwords and the server's questions
mod proxy; // `ssh -W` and ProxyCommand children
mod refusal; // the words for every reason not to connect
mod session; // commands on an open connection
mod tokens; // %h, %p and ~
mod wire; // key blobs and fingerprints

use std::path::PathBuf;

pub use notice::{Ask, NoOne, Notice, Reply, Terminal, terminal};
pub use outlook::{Agent, Outlook, outlook};
pub use session::Ssh;

use crate::failure::Failure;
use crate::interrupt::Interrupts;

/// What to do with a host that nobody knows yet. A changed or revoked key is refused whatever stands here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    Strict,
    /// Record its key, and say so.
    AcceptNew,
    /// Ask the person; refuse where there is none.
    Ask,
}

/// Whom to log in to, and how to be sure of it. The person's ssh configuration fills in the rest.
#[derive(Clone, Debug)]
pub struct Login {
    /// The login name, when it is not left to the ssh configuration.
    pub user: Option<String>,
    /// A host name, an address, or a name from the ssh configuration.
    pub host: String,
    /// The port, when it is not left to the ssh configuration.
    pub port: Option<u16>,
    /// `SHA256:…`, the only host key that will do; known_hosts is not read then.
    pub pin: Option<String>,
    /// What to do with an unknown host.
    pub trust: Trust,
    /// Read instead of the usual configuration files (`ssh -F`).
    pub config_file: Option<PathBuf>,
    /// The only key that is tried, from this file or from the agent.
    pub identity: Option<PathBuf>,
    /// Read, and written, instead of the usual known_hosts files.
    pub known_hosts: Option<PathBuf>,
}

/// Connects and logs in. Takes 6 round trips, one more for each key that the server does not take.
///
/// # Errors
/// With [`crate::failure::Exit::Unreachable`] when the host cannot be reached, identified or logged in to, with
/// `Usage` when a name is not valid, with `Untouched` when the person stopped it.
pub fn connect(
    login: &Login,
    interrupts: &Interrupts,
    ask: &mut dyn Ask,
    notice: &mut dyn FnMut(Notice),
) -> Result<Ssh, Failure> {
    let to = config::resolve(login, interrupts, notice)?;
    let identity = identity::Identity::expected(&to, login)?;
    let mut door = door::Door {
        login,
        to,
        identity,
        interrupts,
        passed: None,
    };
    let open = door.open(ask, notice)?;
    let open = auth::log_in(&mut door, open, ask, notice)?;
    Ok(Ssh::new(open, interrupts.clone()))
}
