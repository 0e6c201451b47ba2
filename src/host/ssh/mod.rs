//! ssh, built in, as a [`crate::host::Host`]: resolve a name, connect, check the host key, log in, run commands.
//! What a command means is not known here.
//!
//! libssh2 is used by one thread at a time and, after the login, never in blocking mode.

mod agent; // the ssh agent, with a time limit
mod auth; // login attempts: which keys, in which order, and the result of each
mod channel; // one command's channel, driven without blocking
mod channels; // the channels beside that one, and the only place that waits
mod config; // what the ssh configuration says about a host, through `ssh -G`
mod config_file; // the same from ssh_config, where there is no ssh program
mod deadline; // blocking work on a thread of its own, with a time limit
mod errors; // the messages for every reason not to connect
mod handshake; // TCP or a child process, handshake, host key: a connection to the right host
mod host_key; // whether it is the right host
mod key; // key files and certificates
mod key_blob; // key blobs and fingerprints
mod known_hosts; // the lines that name a host, and what they say about a key
mod liveness; // how long a silent connection is trusted
mod login; // keys first, then what only a user can answer
mod login_preview; // what a login would use, without connecting
mod notice; // what happened on the way that is no failure
mod password; // passwords and the server's questions
mod prompt; // questions to the user at the terminal
mod proxy; // `ssh -W` and ProxyCommand child processes
mod pump; // moves and counts the bytes of a connection
mod session; // commands on an open connection
mod settings; // keywords and values of an ssh configuration
mod tokens; // %h, %p and ~

use std::ffi::OsString;
use std::path::PathBuf;

pub use deadline::interrupted;
pub use key::{is_key_text, is_missing};
pub use login_preview::{AgentState, LoginPreview, preview};
pub use notice::Notice;
pub use prompt::{Ask, Reply, Terminal, Unattended, terminal};
pub use session::Ssh;

use crate::failure::Failure;
use crate::interrupt::Interrupts;

/// What to do when the host key is unknown. A changed or revoked key is always refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    Strict,
    /// Record it, with a notice.
    AcceptNew,
    /// Ask the user; refuse without a terminal.
    Ask,
}

/// Where to log in, and which host key to expect. The user's ssh configuration fills in what is `None`.
#[derive(Clone, Debug)]
pub struct Login {
    pub user: Option<String>,
    /// A host name, an address, or a name from the ssh configuration.
    pub host: String,
    pub port: Option<u16>,
    /// `SHA256:…`, the only host key to accept; known_hosts is not read then.
    pub pin: Option<String>,
    pub trust: Trust,
    /// Read instead of the usual configuration files (`ssh -F`).
    pub config_file: Option<PathBuf>,
    /// The only key to try, from this file or from the agent.
    pub identity: Option<PathBuf>,
    /// Read, and written, instead of the usual known_hosts files.
    pub known_hosts: Option<PathBuf>,
}

impl Login {
    /// The words for the ssh program that lead there, to paste; what the configuration decides is left out.
    pub(super) fn ssh_to(&self) -> String {
        let port = self.port.map(|port| format!("-p {port} ")).unwrap_or_default();
        let user = self.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        format!("{port}{user}{}", self.host)
    }

    /// What ssh needs to know of it to find the same settings.
    pub(super) fn options(&self) -> Vec<OsString> {
        let named = |option: &str, value: Option<OsString>| value.map(|value| [option.into(), value]);
        let file = named("-F", self.config_file.clone().map(Into::into));
        let port = named("-p", self.port.map(|port| port.to_string().into()));
        let user = named("-l", self.user.clone().map(Into::into));
        [file, port, user].into_iter().flatten().flatten().collect()
    }
}

/// Connects and logs in. Takes 6 round trips, one more for each key that the server refuses.
/// Fails with [`crate::failure::Exit::Unreachable`] when the host cannot be reached, identified or logged in to,
/// `Usage` when a name is not valid, `Untouched` when the user cancelled.
pub fn connect(
    login: &Login,
    interrupts: &Interrupts,
    ask: &mut dyn Ask,
    notice: &mut dyn FnMut(Notice),
) -> Result<Ssh, Failure> {
    let to = config::resolve(login, interrupts, notice)?;
    let host_key = host_key::HostKeyCheck::new(&to, login)?;
    let mut connector = handshake::Connector {
        login,
        to,
        host_key,
        interrupts,
        passed: None,
    };
    let open = connector.open(ask, notice)?;
    let open = login::log_in(&mut connector, open, ask, notice)?;
    Ok(Ssh::new(open, interrupts.clone()))
}
