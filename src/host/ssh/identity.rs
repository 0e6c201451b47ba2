//! Is this the host that was meant? Decides by pin, known_hosts and policy, always before anything of ours is sent
//! to it. The reading of known_hosts stands in `known_hosts`, the words of refusal in `refusal`.

use super::config::Resolved;
use super::known_hosts::{self, Known, Verdict};
use super::{Ask, Login, Notice, Reply, Trust, refusal, wire};
use crate::failure::{Exit, Failure};

/// Host key algorithms in our order. Certificates are never asked for: their check would be ours to make.
const ALGORITHMS: [&str; 6] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
];

/// What is known of the host before it is talked to.
pub struct Identity {
    known: Known,
}

impl Identity {
    /// Reads known_hosts, unless a pin stands for it.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn expected(to: &Resolved, login: &Login) -> Result<Self, Failure> {
        if login.pin.is_some() {
            return Ok(Self {
                known: Known::default(),
            });
        }
        let files = [
            to.user_known_hosts.as_slice(),
            to.global_known_hosts.as_slice(),
        ]
        .concat();
        let known =
            known_hosts::read(&files, to.known_as(), to.known_port()).map_err(|(file, e)| {
                Failure::new(Exit::Unreachable, format!("cannot read {}", file.display()))
                    .why(format!("{e}; it might say that this host's key is revoked"))
            })?;
        Ok(Self { known })
    }

    /// The preference for the handshake: the types that the host is known by, then the others; those that the
    /// person's configuration forbids are left out, and `without` those that were seen already.
    pub fn algorithms(&self, to: &Resolved, without: &[String]) -> Vec<&'static str> {
        let known = self.known.types();
        let of = |algorithm: &str, name: &str| {
            algorithm == name || (name == "ssh-rsa" && algorithm.starts_with("rsa-"))
        };
        let mut order: Vec<&'static str> = Vec::new();
        for name in &known {
            order.extend(ALGORITHMS.iter().filter(|a| of(a, name)));
        }
        let rest: Vec<&str> = ALGORITHMS
            .iter()
            .filter(|a| !order.contains(a))
            .copied()
            .collect();
        order.extend(rest);
        order.retain(|a| !without.iter().any(|name| of(a, name)));
        order.retain(|a| {
            to.host_key_algorithms.is_empty()
                || to.host_key_algorithms.iter().any(|allowed| allowed == a)
        });
        order
    }

    /// Judges the key that the host showed.
    ///
    /// # Errors
    /// When it is not the host's key, or the host is unknown and the policy does not say to trust it.
    pub fn check(
        &self,
        blob: &[u8],
        to: &Resolved,
        login: &Login,
        ask: &mut dyn Ask,
        notice: &mut dyn FnMut(Notice),
    ) -> Result<(), Failure> {
        if let Some(pin) = &login.pin {
            return if pin.trim_end_matches('=') == wire::fingerprint(blob) {
                Ok(())
            } else {
                Err(refusal::unpinned(to, pin, &[blob]))
            };
        }
        match self.known.check(blob) {
            Verdict::Match => Ok(()),
            Verdict::Revoked(line) => Err(refusal::revoked(to, line)),
            Verdict::Changed(lines) => Err(refusal::changed(to, blob, &lines)),
            Verdict::Authority(line) if login.trust == Trust::Strict && !to.accept_new => {
                Err(refusal::authority(to, blob, line))
            }
            Verdict::Authority(_) | Verdict::Unknown => match login.trust {
                Trust::AcceptNew => record(blob, to, notice),
                // The person's own ssh would record it too.
                _ if to.accept_new => record(blob, to, notice),
                Trust::Strict => Err(refusal::unknown(to, blob)),
                Trust::Ask => match ask.yes(&question(blob, to)) {
                    Reply::Given(true) => record(blob, to, notice),
                    Reply::Given(false) | Reply::Nobody => Err(refusal::unknown(to, blob)),
                    Reply::Left => Err(refusal::interrupted()),
                },
            },
        }
    }
}

fn question(blob: &[u8], to: &Resolved) -> String {
    format!(
        "The host {} is not known yet. Its {} key is {}. Trust it from now on?",
        known_hosts::entry_name(to.known_as(), to.known_port()),
        wire::short_type(blob),
        wire::fingerprint(blob)
    )
}

/// Writes the key down and says so.
fn record(blob: &[u8], to: &Resolved, notice: &mut dyn FnMut(Notice)) -> Result<(), Failure> {
    let name = known_hosts::entry_name(to.known_as(), to.known_port());
    let Some(file) = to.user_known_hosts.first() else {
        return Err(Failure::new(
            Exit::Unreachable,
            format!("no known_hosts file to record {name} in"),
        )
        .why("UserKnownHostsFile is none"));
    };
    let mut salt = [0u8; 20];
    let salted = to.hash_known_hosts && getrandom::fill(&mut salt).is_ok();
    let field = known_hosts::field(&name, salted.then_some(&salt));
    known_hosts::append(file, &field, blob).map_err(|e| {
        Failure::new(
            Exit::Unreachable,
            format!("cannot record the host key of {name}"),
        )
        .why(format!("{}: {e}", file.display()))
    })?;
    notice(Notice::Recorded {
        host: name,
        fingerprint: wire::fingerprint(blob),
        file: file.clone(),
    });
    Ok(())
}
