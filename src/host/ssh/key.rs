//! Key files on this machine: what kind each is, told before libssh2 sees it, whose errors name no cause. Reads
//! files and asks nobody.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{refusal, wire};

/// The largest key file that is read, in bytes. A real one has less than 20 kB.
const LARGEST: u64 = 1024 * 1024;

/// Whether a passphrase is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locked {
    /// It can be used as it is.
    No,
    Passphrase,
}

/// What a file of the identity list turned out to be.
#[derive(Clone, Debug)]
pub enum KeyFile {
    /// A private key that libssh2 can use.
    Private {
        /// The text of the file.
        text: String,
        locked: Locked,
    },
    /// Only the public half is here: it selects a key in the agent.
    Public,
    /// It cannot be used; a sentence for a person.
    Unusable(String),
}

/// One identity: the file as it was named, and what belongs to it.
#[derive(Clone, Debug)]
pub struct Identity {
    pub path: PathBuf,
    pub file: KeyFile,
    /// The public key, when it can be known without a passphrase.
    pub blob: Option<Vec<u8>>,
    /// The certificate beside it (`-cert.pub`), or one of the configured ones that is for this key.
    pub certificate: Option<Vec<u8>>,
}

/// Reads one identity; `None` when neither the file nor its public half exists.
pub fn read(path: &Path, certificates: &[PathBuf]) -> Option<Identity> {
    let beside = with_suffix(path, ".pub");
    let public = |path: &Path| {
        std::fs::read_to_string(path)
            .ok()
            .and_then(|text| wire::public_line(&text))
    };
    let (file, own) = match text_of(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => (KeyFile::Public, None),
        Err(e) => (KeyFile::Unusable(e.to_string()), None),
        Ok(text) => classify(text),
    };
    let blob = own.or_else(|| public(path)).or_else(|| public(&beside));
    if blob.is_none() && matches!(file, KeyFile::Public) {
        return None;
    }
    let file = match &blob {
        Some(blob) if wire::key_type(blob).is_some_and(|name| name.starts_with("sk-")) => {
            KeyFile::Unusable(refusal::FIDO.to_owned())
        }
        _ => file,
    };
    let certificate = std::iter::once(with_suffix(path, "-cert.pub"))
        .chain(certificates.iter().cloned())
        .filter_map(|path| public(&path))
        .find(|certificate| {
            blob.as_deref()
                .is_none_or(|blob| certifies(certificate, blob))
        });
    Some(Identity {
        path: path.to_path_buf(),
        file,
        blob,
        certificate,
    })
}

/// A file's text, after the check that OpenSSH makes: a private key that others may read is refused.
fn text_of(path: &Path) -> io::Result<String> {
    let meta = std::fs::metadata(path)?;
    if !meta.is_file() || meta.len() > LARGEST {
        return Err(io::Error::other("is not a key file"));
    }
    let text = String::from_utf8(std::fs::read(path)?)
        .map_err(|_| io::Error::other("is not a key file"))?;
    let open = meta.uid() == rustix::process::getuid().as_raw() && meta.mode() & 0o077 != 0;
    if open && text.contains("PRIVATE KEY-----") {
        return Err(io::Error::other(format!(
            "mode {:04o} lets others read it, so it is not used: chmod 600 {}",
            meta.mode() & 0o777,
            path.display()
        )));
    }
    Ok(text)
}

/// The kind of a key text, and the public key where it stands in it unencrypted.
fn classify(text: String) -> (KeyFile, Option<Vec<u8>>) {
    if let Some(blob) = wire::public_line(&text) {
        return (KeyFile::Public, Some(blob));
    }
    let Some(kind) = text
        .lines()
        .find_map(|l| l.trim().strip_prefix("-----BEGIN ")?.strip_suffix("-----"))
    else {
        return (KeyFile::Unusable("holds no private key".to_owned()), None);
    };
    let locked = match kind {
        "OPENSSH PRIVATE KEY" => {
            return match openssh(&text) {
                Some((locked, blob)) => (KeyFile::Private { text, locked }, Some(blob)),
                None => (
                    KeyFile::Unusable("is a damaged OpenSSH key".to_owned()),
                    None,
                ),
            };
        }
        "ENCRYPTED PRIVATE KEY" => Locked::Passphrase,
        "PRIVATE KEY" => Locked::No,
        "RSA PRIVATE KEY" | "EC PRIVATE KEY" | "DSA PRIVATE KEY" => {
            if text.contains("Proc-Type: 4,ENCRYPTED") {
                Locked::Passphrase
            } else {
                Locked::No
            }
        }
        other => {
            return (
                KeyFile::Unusable(format!("holds a {other:?}, which is no private key")),
                None,
            );
        }
    };
    (KeyFile::Private { text, locked }, None)
}

/// Whether an OpenSSH key is encrypted, and its public key, which never is (PROTOCOL.key).
fn openssh(text: &str) -> Option<(Locked, Vec<u8>)> {
    let body: String = text
        .lines()
        .skip_while(|line| !line.starts_with("-----BEGIN"))
        .skip(1)
        .take_while(|line| !line.starts_with("-----END"))
        .map(str::trim)
        .collect();
    let bytes = STANDARD.decode(body).ok()?;
    let mut rest = bytes.strip_prefix(b"openssh-key-v1\0")?;
    let cipher = wire::string(&mut rest)?;
    let _kdf = wire::string(&mut rest)?;
    let _options = wire::string(&mut rest)?;
    let (_count, after) = rest.split_first_chunk::<4>()?;
    rest = after;
    let blob = wire::string(&mut rest)?.to_vec();
    let _private = wire::string(&mut rest)?;
    wire::key_type(&blob)?;
    Some((
        if cipher == b"none" {
            Locked::No
        } else {
            Locked::Passphrase
        },
        blob,
    ))
}

/// Whether a certificate is for this key: after its type and nonce come the fields of the plain key (PROTOCOL.certkeys).
pub fn certifies(certificate: &[u8], key: &[u8]) -> bool {
    let (mut certificate, mut key) = (certificate, key);
    let (Some(of), Some(plain)) = (wire::string(&mut certificate), wire::string(&mut key)) else {
        return false;
    };
    let Some(_nonce) = wire::string(&mut certificate) else {
        return false;
    };
    of.strip_suffix(b"-cert-v01@openssh.com") == Some(plain) && certificate.starts_with(key)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::print_stderr)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    fn keygen(arguments: &[&str]) -> bool {
        Command::new("ssh-keygen")
            .arg("-q")
            .args(arguments)
            .output()
            .is_ok_and(|o| o.status.success())
    }

    #[test]
    fn each_format_is_told_apart_before_anybody_is_asked_for_a_passphrase() {
        let dir = tempfile::tempdir().unwrap();
        for (name, extra, locked, known) in [
            ("ed", &["-t", "ed25519", "-N", ""][..], Locked::No, true),
            (
                "ed-locked",
                &["-t", "ed25519", "-N", "secret", "-a", "1"],
                Locked::Passphrase,
                true,
            ),
            (
                "pem",
                &["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", ""],
                Locked::No,
                false,
            ),
            (
                "pem-locked",
                &["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "secret"],
                Locked::Passphrase,
                false,
            ),
            (
                "p8-locked",
                &["-t", "ecdsa", "-m", "PKCS8", "-N", "secret"],
                Locked::Passphrase,
                false,
            ),
        ] {
            let path = dir.path().join(name);
            if !keygen(&[extra, &["-f", path.to_str().unwrap()]].concat()) {
                eprintln!("SKIPPED: no ssh-keygen here");
                return;
            }
            let expected = read(&path, &[]).unwrap().blob.unwrap();
            std::fs::remove_file(with_suffix(&path, ".pub")).unwrap();
            let identity = read(&path, &[]).unwrap();
            assert!(
                matches!(identity.file, KeyFile::Private { locked: l, .. } if l == locked),
                "{name}"
            );
            assert_eq!(identity.blob, known.then_some(expected), "{name}");
        }
    }

    #[test]
    fn files_that_are_no_keys_say_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        assert!(read(&path, &[]).is_none());
        for text in [
            "",
            "hello",
            "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
        ] {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            assert!(
                matches!(read(&path, &[]).unwrap().file, KeyFile::Unusable(_)),
                "{text:?}"
            );
        }
        assert!(matches!(
            read(dir.path(), &[]).unwrap().file,
            KeyFile::Unusable(_)
        ));
    }

    #[test]
    fn a_key_that_others_may_read_is_refused_as_openssh_does() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        if !keygen(&["-t", "ed25519", "-N", "", "-f", path.to_str().unwrap()]) {
            eprintln!("SKIPPED: no ssh-keygen here");
            return;
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let KeyFile::Unusable(why) = read(&path, &[]).unwrap().file else {
            panic!("it was taken")
        };
        assert!(why.contains("0644") && why.contains("chmod 600"), "{why}");
    }
}
