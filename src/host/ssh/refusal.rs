//! Why a host was not trusted or did not let us in, written once, with what to type next. Words only.

use std::path::PathBuf;

use super::config::{Proxy, Resolved};
use super::known_hosts::{Line, entry_name};
use super::wire;
use crate::failure::{Exit, Failure};
use crate::text::shown;

/// A key that libssh2 cannot sign with: it drops the counter that such a signature carries.
pub const FIDO: &str =
    "it lives on a security key (FIDO): use a plain key, or the ssh program with --system-ssh";

/// What state the host is in is not known here: a lost line is connected again in the middle of a switch, too.
fn unreachable(what: String) -> Failure {
    Failure::new(Exit::Unreachable, what)
}

/// The person left while we connected; nothing has begun on this connection.
pub fn interrupted() -> Failure {
    Failure::new(Exit::Untouched, "stopped while connecting").why("stopped on request")
}

fn name(to: &Resolved) -> String {
    entry_name(to.known_as(), to.known_port())
}

fn offered(blob: &[u8]) -> String {
    format!(
        "its {} key is {}",
        wire::short_type(blob),
        wire::fingerprint(blob)
    )
}

/// The host is not in known_hosts.
pub fn unknown(to: &Resolved, blob: &[u8]) -> Failure {
    let files: Vec<String> = to
        .user_known_hosts
        .iter()
        .map(|f| f.display().to_string())
        .collect();
    unreachable(format!("the host key of {} is not known", name(to)))
        .why(offered(blob))
        .why(format!("no line for it in {}", files.join(", ")))
        .next(format!(
            "{}    # look at the fingerprint, answer yes, once",
            to.ssh_command()
        ))
        .next("shipit … --accept-new    # record it now, refuse another one later")
        .next(format!(
            "host_key: {}    # or pin it in deploy.yml, for CI",
            wire::fingerprint(blob)
        ))
}

/// The host is known by another key.
pub fn changed(to: &Resolved, blob: &[u8], lines: &[&Line]) -> Failure {
    let mut failure = unreachable(format!("the host key of {} has changed", name(to)))
        .why(format!("now {}", offered(blob)))
        .why("somebody may stand between you and the host, or the host was installed anew");
    for line in lines.iter().take(5) {
        failure = failure.why(format!(
            "known: {} {} ({}:{})",
            wire::short_type(&line.blob),
            wire::fingerprint(&line.blob),
            line.file.display(),
            line.number
        ));
    }
    let file = lines
        .first()
        .map(|line| format!(" -f {}", line.file.display()))
        .unwrap_or_default();
    failure.next(format!(
        "ssh-keygen -R '{}'{file}    # only when you know why it changed",
        name(to)
    ))
}

pub fn revoked(to: &Resolved, line: &Line) -> Failure {
    unreachable(format!("the host key of {} is revoked", name(to)))
        .why(format!(
            "{} is marked @revoked in {}:{}",
            wire::fingerprint(&line.blob),
            line.file.display(),
            line.number
        ))
        .next("ask whoever revoked it; the host needs a new key")
}

/// Only a certificate authority is known for the host.
pub fn authority(to: &Resolved, blob: &[u8], line: &Line) -> Failure {
    unreachable(format!(
        "{} is known by a certificate authority alone",
        name(to)
    ))
    .why(format!(
        "{}:{} is a @cert-authority line; shipit does not check host certificates",
        line.file.display(),
        line.number
    ))
    .why(offered(blob))
    .next(format!(
        "host_key: {}    # pin the plain key in deploy.yml",
        wire::fingerprint(blob)
    ))
    .next("shipit … --accept-new    # or record the plain key now")
    .next("shipit … --system-ssh    # or let the ssh program check the certificate")
}

/// None of the host's keys is the pinned one.
pub fn unpinned(to: &Resolved, pin: &str, blobs: &[&[u8]]) -> Failure {
    let mut failure = unreachable(format!("{} does not have the pinned host key", name(to)))
        .why(format!("pinned: {}", shown(pin.as_bytes())));
    for blob in blobs {
        failure = failure.why(offered(blob));
    }
    failure.next("compare with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the host, then correct host_key:")
}

/// No connection could be made.
pub fn unconnected(to: &Resolved, why: Vec<String>) -> Failure {
    let mut failure = unreachable(format!("cannot connect to {}", to.label()));
    for line in why {
        failure = failure.why(line);
    }
    let failure = match &to.proxy {
        Proxy::Direct => failure,
        Proxy::Jump(list) => {
            let last = list.rsplit(',').next().unwrap_or(list);
            failure
                .why(format!("through the jump host {list}"))
                .next(format!("ssh {last} true    # must work without a question"))
        }
        Proxy::Command(line) => failure.why(format!(
            "through the ProxyCommand {}",
            shown(line.as_bytes())
        )),
    };
    failure.next(to.ssh_command())
}

/// The host was reached and did not let us in.
pub fn denied(
    to: &Resolved,
    tried: &[String],
    methods: &str,
    alone: bool,
    banner: Option<&str>,
) -> Failure {
    let mut failure = unreachable(format!("{} did not let us log in", to.label()));
    if tried.is_empty() {
        failure =
            failure.why("there was no key to try: no agent, and none of the key files exists");
    }
    for line in tried {
        failure = failure.why(line.clone());
    }
    if !methods.is_empty() {
        let methods = shown(methods.replace(',', ", ").as_bytes());
        failure = failure.why(format!("the server accepts: {methods}"));
    }
    if alone {
        failure = failure.why("there is no terminal here, so nobody could be asked");
    }
    for line in banner
        .unwrap_or_default()
        .lines()
        .filter(|line| !line.trim().is_empty())
        .take(5)
    {
        failure = failure.why(format!(
            "the server says: {}",
            shown(line.trim().as_bytes())
        ));
    }
    let ssh = to.ssh_command();
    let place = ssh.trim_start_matches("ssh ");
    let public = |file: &PathBuf| {
        let mut name = file.clone().into_os_string();
        name.push(".pub");
        PathBuf::from(name)
    };
    let mut keys = to.identity_files.iter().map(public);
    let key = keys
        .find(|file| file.is_file())
        .map_or_else(|| "KEY.pub".into(), |file| file.display().to_string());
    let failure = failure
        .next(format!("{ssh} true    # must work first"))
        .next(format!(
            "ssh-copy-id -i {key} {place}    # if the key is not there yet"
        ));
    if to.user == "root" {
        return failure;
    }
    let root = to.label().replacen(&format!("{}@", to.user), "root@", 1);
    failure.next(format!(
        "shipit setup --as {root}    # if the host has no such user: makes the one that deploys"
    ))
}
