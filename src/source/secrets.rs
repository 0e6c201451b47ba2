//! Files that must not be shipped unless somebody said so: every user of the host can read a release. Judges names and
//! first bytes; reads nothing but the key that logs in.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::exclude::Exclude;

/// Names of private keys and of files with passwords.
const NAMES: [&[u8]; 9] = [
    b"id_rsa",
    b"id_dsa",
    b"id_ecdsa",
    b"id_ed25519",
    b"id_ecdsa_sk",
    b"id_ed25519_sk",
    b".netrc",
    b".pgpass",
    b".htpasswd",
];
const KEYS: [&[u8]; 4] = [b".key", b".p12", b".pfx", b".ppk"];
/// Endings of files that show which variables there are, without their values.
const EXAMPLES: [&[u8]; 7] = [
    b"example",
    b"sample",
    b"template",
    b"dist",
    b"default",
    b"defaults",
    b"schema",
];

/// Directories of installed dependencies.
const OF_OTHERS: [&[u8]; 3] = [b"node_modules", b"site-packages", b"vendor"];

/// What is refused, and what somebody allowed.
pub(super) struct Secrets {
    allowed: Exclude,
    /// The digest of the key that logs in.
    identity: Option<[u8; 32]>,
}

impl Secrets {
    /// A key that cannot be read cannot log in either: nothing is compared with it.
    pub(super) fn new(allowed: Exclude, identity: Option<&Path>) -> Self {
        let key = identity.and_then(|path| std::fs::read(path).ok());
        Self {
            allowed,
            identity: key.map(|key| Sha256::digest(key).into()),
        }
    }

    /// What a file is, in words, if it must not be shipped.
    pub(super) fn judge(&self, path: &[u8], sha256: &[u8; 32], key: Key) -> Option<&'static str> {
        let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let mut above = slashes.map(|(at, _)| &path[..at]);
        if self.allowed.leaves_out(path) || above.any(|dir| self.allowed.leaves_out_directory(dir)) {
            return None;
        }
        let name = path
            .rsplit(|&byte| byte == b'/')
            .next()
            .unwrap_or(path)
            .to_ascii_lowercase();
        // The keys of a dependency's own tests are public.
        let of_others = path
            .split(|&byte| byte == b'/')
            .rev()
            .skip(1)
            .any(|dir| OF_OTHERS.contains(&dir));
        match () {
            () if self.identity.as_ref() == Some(sha256) => Some("the key of --identity, with which you log in"),
            () if of_others => None,
            () if key == Key::Private => Some("a private key"),
            () if NAMES.contains(&name.as_slice()) => Some("a private key or a list of passwords, judging by its name"),
            () if key == Key::Public && name.ends_with(b".key") => None,
            () if KEYS.iter().any(|end| name.ends_with(end)) => Some("a private key, judging by its name"),
            () if is_environment(&name) => Some("a file of settings and secrets, judging by its name"),
            () => None,
        }
    }
}

/// `.env`, `.env.production`, `production.env`, `.envrc`; not `.env.example`.
fn is_environment(name: &[u8]) -> bool {
    let example = EXAMPLES.iter().any(|end| name.ends_with(end) || name.starts_with(end));
    !example && (name == b".env" || name == b".envrc" || name.starts_with(b".env.") || name.ends_with(b".env"))
}

/// What the first bytes of a file are, as a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Key {
    #[default]
    None,
    Public,
    Private,
}

impl Key {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let first = bytes.trim_ascii_start().strip_prefix(b"-----BEGIN ");
        let line = first.and_then(|rest| rest.split(|&byte| matches!(byte, b'\n' | b'\r')).next());
        let public = line.is_some_and(|line| {
            let head = line.trim_ascii_end();
            head.ends_with(b"PUBLIC KEY-----")
                || [&b"PGP PUBLIC KEY BLOCK-----"[..], b"CERTIFICATE-----"].contains(&head)
        });
        match public {
            _ if is_private_key(bytes) => Self::Private,
            true => Self::Public,
            false => Self::None,
        }
    }
}

/// Whether the first bytes of a file have a line that begins a private key: PEM, OpenSSH, PGP, PuTTY.
fn is_private_key(bytes: &[u8]) -> bool {
    let lines = bytes.split(|&byte| matches!(byte, b'\n' | b'\r'));
    let lines = lines.map(|line| line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii());
    let mut lines = lines.filter(|line| !line.is_empty()).peekable();
    while let Some(line) = lines.next() {
        let head = line
            .strip_prefix(b"-----BEGIN ")
            .and_then(|rest| rest.strip_suffix(b"-----"));
        let pem = head.is_some_and(|head| head.ends_with(b"PRIVATE KEY") || head == b"PGP PRIVATE KEY BLOCK");
        // A document that shows what a key looks like has `...` there.
        let body = |next: &&[u8]| {
            let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
            next.contains(&b':') || next.iter().all(plain)
        };
        if line.starts_with(b"PuTTY-User-Key-File-") || pem && lines.peek().is_none_or(body) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_name_and_by_content_and_examples_are_none() {
        let secrets = Secrets::new(Exclude::new(&["certs/ok.key"]).unwrap_or_default(), None);
        let judged = |path: &str| secrets.judge(path.as_bytes(), &[0; 32], Key::None).is_some();
        for path in [
            ".env",
            "a/.env.production",
            "prod.env",
            ".envrc",
            "x/id_ed25519",
            "tls.KEY",
            "a.p12",
            ".netrc",
        ] {
            assert!(judged(path), "{path}");
        }
        for path in [
            ".env.example",
            "example.env",
            "id_ed25519.pub",
            "env",
            "keys.txt",
            "node_modules/x/test/.env",
            "certs/ok.key",
        ] {
            assert!(!judged(path), "{path}");
        }
        let whole = "-----BEGIN ";
        let named = |path: &str, text: &str| {
            let key = Key::of(format!("\n{whole}{text}-----\nAAAA\n").as_bytes());
            secrets.judge(path.as_bytes(), &[0; 32], key).is_some()
        };
        for public in ["PUBLIC KEY", "RSA PUBLIC KEY", "PGP PUBLIC KEY BLOCK", "CERTIFICATE"] {
            assert!(!named("jwt/public.key", public), "{public}");
            assert!(named("jwt/public.p12", public), "{public}");
        }
        assert!(named("jwt/private.key", "PRIVATE KEY") && named("jwt/x.key", "SOMETHING"));
        for kind in ["OPENSSH ", "RSA ", "EC ", "ENCRYPTED ", ""] {
            let text = format!("# deploy\r\n  {whole}{kind}PRIVATE KEY-----\r\nAAAA\r\n");
            assert!(is_private_key(text.as_bytes()), "{kind}");
        }
        assert!(is_private_key(
            format!("{whole}PGP PRIVATE KEY BLOCK-----\n").as_bytes()
        ));
        for text in ["CERTIFICATE-----\n", "PUBLIC KEY-----\n", "PRIVATE KEY-----' + body"] {
            assert!(!is_private_key(format!("{whole}{text}").as_bytes()), "{text}");
        }
    }
}
