//! The messages for a host that is not trusted or refuses the login, with the commands to type next. Text only.

use std::path::Path;

use super::config::{Proxy, Resolved};
use super::key::with_suffix;
use super::key_blob;
use super::known_hosts::{Line, entry_name};
use crate::failure::{Exit, Failure, Next};
use crate::text::shown;

/// The state of the host is not known here: a lost connection is opened again in the middle of a switch, too.
fn unreachable(what: String) -> Failure {
    Failure::new(Exit::Unreachable, what)
}

fn name(to: &Resolved) -> String {
    entry_name(to.known_as(), to.known_port())
}

fn offered(blob: &[u8]) -> String {
    format!(
        "its {} key is {}",
        key_blob::short_type(blob),
        key_blob::fingerprint(blob)
    )
}

pub fn unknown(to: &Resolved, blob: &[u8]) -> Failure {
    let files = to.user_known_hosts.iter();
    let files: Vec<String> = files.map(|f| f.display().to_string()).collect();
    let failure = unreachable(format!("the host key of {} is not known", name(to)))
        .why(offered(blob))
        .why(format!("{} has no line for it", files.join(", ")));
    match to.user_known_hosts.first().filter(|file| !writable(file)) {
        // What adds the key cannot help here.
        Some(file) => without_file(failure.why(format!("{} cannot be written", file.display())), blob),
        None => failure
            .next(Next::ssh(to.ssh_to()).remark("once: compare the fingerprint, then answer yes"))
            .next(Next::again("--accept-new").remark("adds it now; any other key is refused later"))
            .next(
                Next::advice(format!("host_key: {}", key_blob::fingerprint(blob)))
                    .remark("or pin it in deploy.yml, for example for CI"),
            ),
    }
}

/// How to trust a key that no file can take.
pub fn without_file(failure: Failure, blob: &[u8]) -> Failure {
    failure
        .next(
            Next::advice(format!("host_key: {}", key_blob::fingerprint(blob)))
                .remark("compare the fingerprint, then pin it in deploy.yml"),
        )
        .next(Next::advice(
            "or use --known-hosts to name a file that you can write to",
        ))
}

/// Whether a line can be added to this file, or the file can be made.
fn writable(file: &Path) -> bool {
    let may = |path: &Path| rustix::fs::access(path, rustix::fs::Access::WRITE_OK);
    match may(file) {
        Err(rustix::io::Errno::NOENT) => {
            let mut above = file.ancestors().skip(1).filter(|dir| dir.is_dir());
            above.next().is_none_or(|dir| may(dir).is_ok())
        }
        other => other.is_ok(),
    }
}

pub fn changed(to: &Resolved, blob: &[u8], lines: &[&Line]) -> Failure {
    let mut failure = unreachable(format!("the host key of {} has changed", name(to)))
        .why(format!("now {}", offered(blob)))
        .why("possible man-in-the-middle attack, or the host was reinstalled");
    let known = |line: &&Line| format!("known: {} ({})", key_blob::describe(&line.blob), line.at());
    failure.why.extend(lines.iter().take(5).map(known));
    let file = lines
        .first()
        .map(|line| format!(" -f {}", line.file.display()))
        .unwrap_or_default();
    failure.next(Next::shell(format!("ssh-keygen -R '{}'{file}", name(to))).remark("only if you know why it changed"))
}

pub fn revoked(to: &Resolved, line: &Line) -> Failure {
    unreachable(format!("the host key of {} is revoked", name(to)))
        .why(format!(
            "{} is marked @revoked in {}",
            key_blob::fingerprint(&line.blob),
            line.at()
        ))
        .next(Next::advice(
            "the host needs a new key; ask the person who revoked this one",
        ))
}

/// known_hosts has only a certificate authority for the host.
pub fn authority(to: &Resolved, blob: &[u8], line: &Line) -> Failure {
    unreachable(format!("known_hosts has only a certificate authority for {}", name(to)))
        .why(format!(
            "{} is a @cert-authority line, but the built-in ssh does not check host certificates",
            line.at()
        ))
        .why(offered(blob))
        .next(
            Next::advice(format!("host_key: {}", key_blob::fingerprint(blob)))
                .remark("pin the plain key in deploy.yml"),
        )
        .next(Next::again("--accept-new").remark("or add the plain key to known_hosts now"))
        .next(Next::again("--system-ssh").remark("or let the ssh program check the certificate"))
}

/// None of the host's keys is the pinned one.
pub fn unpinned(to: &Resolved, pin: &str, blobs: &[Vec<u8>]) -> Failure {
    let mut failure = unreachable(format!("{} does not have the pinned host key", name(to)))
        .why(format!("pinned: {}", shown(pin.as_bytes())));
    failure.why.extend(blobs.iter().map(|blob| offered(blob)));
    failure.next(Next::advice(
        "compare with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the host, then correct host_key:",
    ))
}

pub fn unconnected(to: &Resolved, why: Vec<String>) -> Failure {
    let mut failure = unreachable(format!("cannot connect to {}", to.label()));
    failure.why = why;
    let failure = match &to.proxy {
        Proxy::Direct => failure,
        Proxy::Jump(list) => {
            let (way, last) = list.rsplit_once(',').unwrap_or(("", list));
            // With a port, ssh(1) takes a destination only as a URI.
            let scheme = if last.contains(':') && !last.contains("://") {
                "ssh://"
            } else {
                ""
            };
            let jump = if way.is_empty() {
                String::new()
            } else {
                format!("-J {way} ")
            };
            failure
                .why(format!("through the jump host {list}"))
                .next(Next::ssh_to_jump(format!("{jump}{scheme}{last} true")).remark("must work without a prompt"))
        }
        Proxy::Command(line) => failure.why(format!("through the ProxyCommand {}", shown(line.as_bytes()))),
    };
    failure.next(Next::ssh(to.ssh_to()))
}

/// The host was reached and refused the login.
pub fn denied(to: &Resolved, tried: &[String], methods: &str, no_terminal: bool, banner: Option<&str>) -> Failure {
    let mut failure = unreachable(format!("{} refused the login", to.label()));
    if tried.is_empty() {
        failure = failure.why("no key to try: no agent, and none of the key files exists");
    }
    failure.why.extend_from_slice(tried);
    if !methods.is_empty() {
        let methods = shown(methods.replace(',', ", ").as_bytes());
        failure = failure.why(format!("the server accepts: {methods}"));
    }
    if no_terminal {
        failure = failure.why("there is no terminal on which to ask for a passphrase or password");
    }
    let banner = banner.unwrap_or_default().lines().map(str::trim);
    let banner = banner.filter(|line| !line.is_empty()).take(5);
    let quoted = |line: &str| format!("server message: {}", shown(line.as_bytes()));
    failure.why.extend(banner.map(quoted));
    let place = to.ssh_to();
    let mut keys = to.identity_files.iter();
    let key = keys
        .find_map(|file| Some(with_suffix(file, ".pub")).filter(|file| file.is_file()))
        .map_or_else(|| "KEY.pub".into(), |file| file.display().to_string());
    let failure = failure
        .next(Next::ssh(format!("{place} true")).remark("must work first"))
        .next(Next::ssh_copy_id(format!("-i {key} {place}")).remark("if the host does not have the key yet"));
    if to.user == "root" {
        return failure;
    }
    let root = to.label().replacen(&format!("{}@", to.user), "root@", 1);
    failure
        .next(
            Next::shipit("setup --as")
                .arg(&root)
                .remark("if the host has no such user: creates the deploy user"),
        )
        .next(
            Next::shipit("doctor --as")
                .arg(root)
                .remark("finds out what keeps this user out, such as AllowUsers"),
        )
}
