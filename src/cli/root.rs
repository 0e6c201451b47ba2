//! Work that root does on the host: who logs in for it, and the question before it.

use super::args::Global;
use super::connection::SshLink;
use crate::config::{Config, Target};
use crate::engine::as_root::{not_agreed, somebody};
use crate::failure::{Exit, Failure, Next};
use crate::host::ssh::{self, Reply};
use crate::interrupt::Interrupts;

/// The login that root's work is done through: the one of `--as`, or that of deploy.yml.
pub(super) fn link(
    global: &Global,
    config: &Config,
    login: Option<&str>,
    interrupts: &Interrupts,
) -> Result<SshLink, Failure> {
    let link = super::link(global, config, interrupts);
    let Some(login) = login else { return Ok(link) };
    let (user, host) = login
        .split_once('@')
        .map_or((None, login), |(user, host)| (Some(user.to_owned()), host));
    let target =
        Target::parse(host).map_err(|wrong| Failure::new(Exit::Usage, format!("--as {login}: {}", wrong.0)))?;
    Ok(link.with(user.or(target.user), target.host, target.port))
}

/// Asks before root does anything.
///
/// # Errors
/// When the answer is no or Ctrl-C, and where nobody can answer: then `--yes` has to be said.
pub(super) fn agreed(interrupts: &Interrupts) -> Result<(), Failure> {
    if !somebody() {
        return Err(
            Failure::new(Exit::Usage, "there is no terminal to ask for confirmation")
                .host("nothing changed")
                .next(Next::again("--print").remark("show it"))
                .next(Next::again("--yes").remark("confirm it")),
        );
    }
    match ssh::terminal(interrupts).yes("Do this as root on the host?") {
        Reply::Given(true) => Ok(()),
        Reply::Given(false) | Reply::Cancelled | Reply::NoTerminal => Err(not_agreed()),
    }
}
