//! The login: keys first, then what only a user can answer. Tries nothing itself.

use super::auth::Attempts;
use super::handshake::{Connection, Connector};
use super::{Ask, Notice, errors, password};
use crate::failure::Failure;

/// Logs in on an open connection; gives the connection that is logged in, which may be a newer one.
/// Fails with every key that was tried and the methods that the server accepts.
pub fn log_in(
    connector: &mut Connector<'_>,
    connection: Connection,
    ask: &mut dyn Ask,
    notice: &mut dyn FnMut(Notice),
) -> Result<Connection, Failure> {
    let mut attempts = Attempts::new(connector, connection, ask, notice);
    if attempts.keys()? {
        return Ok(attempts.connection);
    }
    let methods = attempts.methods()?;
    if password::log_in(&mut attempts, &methods)? {
        return Ok(attempts.connection);
    }
    // What the server writes before a login often explains why it refuses all of them.
    let banner = attempts.connection.session.userauth_banner();
    Err(errors::denied(
        &attempts.connector.to,
        &attempts.tried,
        &methods,
        attempts.no_terminal,
        banner.ok().flatten(),
    ))
}
