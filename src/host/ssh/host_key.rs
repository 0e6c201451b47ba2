//! Whether this is the right host. Decides by pin, known_hosts and policy, before any credential is sent. Reads nothing
//! itself: known_hosts is read in `known_hosts`, and the messages are in `errors`.

use super::config::Resolved;
use super::deadline::interrupted;
use super::known_hosts::{self, Known, Verdict};
use super::{Ask, Login, Notice, Reply, Trust, errors, key_blob};
use crate::failure::{Exit, Failure};

/// Host key algorithms in our order. Certificates are never asked for, as libssh2 does not check them.
const ALGORITHMS: [&str; 6] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
];

/// What is known about the host's keys.
pub struct HostKeyCheck {
    known: Known,
}

impl HostKeyCheck {
    /// Reads known_hosts, unless a pin replaces it. Fails on a file that cannot be read.
    pub fn new(to: &Resolved, login: &Login) -> Result<Self, Failure> {
        if login.pin.is_some() {
            return Ok(Self {
                known: Known::default(),
            });
        }
        let known =
            known_hosts::read(&to.known_hosts_files(), to.known_as(), to.known_port()).map_err(|(file, e)| {
                Failure::new(Exit::Unreachable, format!("cannot read {}", file.display()))
                    .why(format!("{e}; the file may mark this host's key as revoked"))
            })?;
        Ok(Self { known })
    }

    /// The preference for the handshake: the key types that are known for the host, then the others, except those that
    /// the user's configuration forbids and the types in `without`.
    pub fn algorithms(&self, to: &Resolved, without: &[&str]) -> Vec<&'static str> {
        let known = self.known.types();
        let of =
            |algorithm: &str, name: &str| algorithm == name || (name == "ssh-rsa" && algorithm.starts_with("rsa-"));
        let mut order: Vec<&'static str> = Vec::new();
        for name in &known {
            order.extend(ALGORITHMS.iter().filter(|a| of(a, name)));
        }
        let mut rest = ALGORITHMS.to_vec();
        rest.retain(|a| !order.contains(a));
        order.extend(rest);
        order.retain(|a| !without.iter().any(|name| of(a, name)));
        let allowed = &to.host_key_algorithms;
        order.retain(|a| allowed.is_empty() || allowed.iter().any(|name| name == a));
        order
    }

    /// Checks the key that the host sent.
    /// Fails when it is another key than expected, or the host is unknown and the policy does not trust it.
    pub fn check(
        &self,
        blob: &[u8],
        to: &Resolved,
        login: &Login,
        ask: &mut dyn Ask,
        notice: &mut dyn FnMut(Notice),
    ) -> Result<(), Failure> {
        if let Some(pin) = &login.pin {
            return if pin.trim_end_matches('=') == key_blob::fingerprint(blob) {
                Ok(())
            } else {
                Err(errors::unpinned(to, pin, &[blob.to_vec()]))
            };
        }
        match self.known.check(blob) {
            Verdict::Match => Ok(()),
            Verdict::Revoked(line) => Err(errors::revoked(to, line)),
            Verdict::Changed(lines) => Err(errors::changed(to, blob, &lines)),
            Verdict::Authority(line) if login.trust == Trust::Strict && !to.accept_new => {
                Err(errors::authority(to, blob, line))
            }
            Verdict::Authority(_) | Verdict::Unknown => match login.trust {
                Trust::AcceptNew => record(blob, to, notice),
                // The user's own ssh would record it too.
                _ if to.accept_new => record(blob, to, notice),
                Trust::Strict => Err(errors::unknown(to, blob)),
                Trust::Ask => match ask.yes(&question(blob, to)) {
                    Reply::Given(true) => record(blob, to, notice),
                    Reply::Given(false) | Reply::NoTerminal => Err(errors::unknown(to, blob)),
                    Reply::Cancelled => Err(interrupted()),
                },
            },
        }
    }
}

fn question(blob: &[u8], to: &Resolved) -> String {
    format!(
        "The host {} is not known yet. Its {} key is {}. Trust it from now on?",
        known_hosts::entry_name(to.known_as(), to.known_port()),
        key_blob::short_type(blob),
        key_blob::fingerprint(blob)
    )
}

/// Adds the key to known_hosts, with a notice.
fn record(blob: &[u8], to: &Resolved, notice: &mut dyn FnMut(Notice)) -> Result<(), Failure> {
    let name = known_hosts::entry_name(to.known_as(), to.known_port());
    let Some(file) = to.user_known_hosts.first() else {
        return Err(
            Failure::new(Exit::Unreachable, format!("no known_hosts file to add {name} to"))
                .why("UserKnownHostsFile is `none`"),
        );
    };
    let mut salt = [0u8; 20];
    let salted = to.hash_known_hosts && getrandom::fill(&mut salt).is_ok();
    let field = known_hosts::field(&name, salted.then_some(&salt));
    known_hosts::append(file, &field, blob).map_err(|e| {
        let failure = Failure::new(
            Exit::Unreachable,
            format!("cannot add the host key of {name} to known_hosts"),
        )
        .why(format!("{}: {e}", file.display()));
        errors::without_file(failure, blob)
    })?;
    notice(Notice::Recorded {
        host: name,
        fingerprint: key_blob::fingerprint(blob),
        file: file.clone(),
    });
    Ok(())
}
