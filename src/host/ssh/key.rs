//! Key files on this machine: what kind each is, decided before libssh2 sees it, whose errors name no cause. Reads
//! files, asks no questions.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::key_blob;

/// The size limit of a key file, in bytes. A real one has less than 20 kB.
const LARGEST: u64 = 1024 * 1024;

/// libssh2 cannot sign with such a key: it drops the counter that the signature carries.
pub const FIDO: &str = "the key is on a security key (FIDO): use a plain key, or the ssh program with --system-ssh";

#[derive(Clone, Debug)]
pub enum Content {
    /// A private key that libssh2 can use.
    Private { text: String, encrypted: bool },
    /// Only the public half exists: it selects a key in the agent.
    Public,
    /// It cannot be used, for this reason.
    Unusable(String),
}

/// A file of the identity list, and what belongs to it.
#[derive(Clone, Debug)]
pub struct KeyFile {
    pub path: PathBuf,
    pub content: Content,
    /// The public key, when it can be known without a passphrase.
    pub blob: Option<Vec<u8>>,
    /// The certificate next to it (`-cert.pub`), or a configured one for this key.
    pub certificate: Option<Vec<u8>>,
}

/// Reads a key file; `None` when neither it nor its public half exists.
pub fn read(path: &Path, certificates: &[PathBuf]) -> Option<KeyFile> {
    let beside = with_suffix(path, ".pub");
    let public = |path: &Path| {
        std::fs::read_to_string(path)
            .ok()
            .and_then(|text| key_blob::public_line(&text))
    };
    let (content, own) = match text_of(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => (Content::Public, None),
        Err(e) => (Content::Unusable(e.to_string()), None),
        Ok(text) => classify(text),
    };
    let blob = own.or_else(|| public(path)).or_else(|| public(&beside));
    if blob.is_none() && matches!(content, Content::Public) {
        return None;
    }
    let content = match &blob {
        Some(blob) if key_blob::is_fido(blob) => Content::Unusable(FIDO.to_owned()),
        _ => content,
    };
    let certificate = std::iter::once(with_suffix(path, "-cert.pub"))
        .chain(certificates.iter().cloned())
        .filter_map(|path| public(&path))
        .find(|certificate| blob.as_deref().is_none_or(|blob| certifies(certificate, blob)));
    Some(KeyFile {
        path: path.to_path_buf(),
        content,
        blob,
        certificate,
    })
}

/// A file's text. As in OpenSSH, a private key that other users may read is refused.
fn text_of(path: &Path) -> io::Result<String> {
    let meta = std::fs::metadata(path)?;
    if !meta.is_file() || meta.len() > LARGEST {
        return Err(io::Error::other("not a key file"));
    }
    let text = String::from_utf8(std::fs::read(path)?).map_err(|_| io::Error::other("not a key file"))?;
    let open = meta.uid() == rustix::process::getuid().as_raw() && meta.mode() & 0o077 != 0;
    if open && text.contains("PRIVATE KEY-----") {
        return Err(io::Error::other(format!(
            "mode {:04o} lets other users read it: chmod 600 {}",
            meta.mode() & 0o777,
            path.display()
        )));
    }
    Ok(text)
}

/// The kind of a key text, and its public key if that is not encrypted.
fn classify(text: String) -> (Content, Option<Vec<u8>>) {
    if let Some(blob) = key_blob::public_line(&text) {
        return (Content::Public, Some(blob));
    }
    let mut lines = text.lines();
    let kind = lines.find_map(|l| l.trim().strip_prefix("-----BEGIN ")?.strip_suffix("-----"));
    let (encrypted, blob) = match kind {
        Some("OPENSSH PRIVATE KEY") => match openssh(&text) {
            Some((encrypted, blob)) => (encrypted, Some(blob)),
            None => return (Content::Unusable("damaged OpenSSH key".to_owned()), None),
        },
        Some("ENCRYPTED PRIVATE KEY") => (true, None),
        Some("PRIVATE KEY") => (false, None),
        Some("RSA PRIVATE KEY" | "EC PRIVATE KEY" | "DSA PRIVATE KEY") => {
            (text.contains("Proc-Type: 4,ENCRYPTED"), None)
        }
        Some(other) => {
            let why = format!("a {other:?}, not a private key");
            return (Content::Unusable(why), None);
        }
        None => return (Content::Unusable("not a private key".to_owned()), None),
    };
    (Content::Private { text, encrypted }, blob)
}

/// Whether an OpenSSH key is encrypted, and its public half, which never is (PROTOCOL.key).
fn openssh(text: &str) -> Option<(bool, Vec<u8>)> {
    let body: String = text
        .lines()
        .skip_while(|line| !line.starts_with("-----BEGIN"))
        .skip(1)
        .take_while(|line| !line.starts_with("-----END"))
        .map(str::trim)
        .collect();
    let bytes = STANDARD.decode(body).ok()?;
    let mut rest = bytes.strip_prefix(b"openssh-key-v1\0")?;
    let cipher = key_blob::string(&mut rest)?;
    let _kdf = key_blob::string(&mut rest)?;
    let _options = key_blob::string(&mut rest)?;
    let (_count, mut rest) = rest.split_first_chunk::<4>()?;
    let blob = key_blob::string(&mut rest)?.to_vec();
    let _private = key_blob::string(&mut rest)?;
    key_blob::key_type(&blob)?;
    Some((cipher != b"none", blob))
}

/// Whether a certificate is for this key: after its type and nonce come the fields of the plain key (PROTOCOL.certkeys).
pub fn certifies(certificate: &[u8], key: &[u8]) -> bool {
    let (mut certificate, mut key) = (certificate, key);
    let mut next = || key_blob::string(&mut certificate);
    let (Some(of), Some(_nonce), Some(plain)) = (next(), next(), key_blob::string(&mut key)) else {
        return false;
    };
    of.strip_suffix(b"-cert-v01@openssh.com") == Some(plain) && certificate.starts_with(key)
}

pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
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
    fn each_format_is_recognized_before_a_passphrase_is_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        for (name, extra, locked, known) in [
            ("ed", &["-t", "ed25519", "-N", ""][..], false, true),
            ("ed-locked", &["-t", "ed25519", "-N", "secret", "-a", "1"], true, true),
            ("pem", &["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", ""], false, false),
            (
                "pem-locked",
                &["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "secret"],
                true,
                false,
            ),
            (
                "p8-locked",
                &["-t", "ecdsa", "-m", "PKCS8", "-N", "secret"],
                true,
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
            let key = read(&path, &[]).unwrap();
            assert!(
                matches!(key.content, Content::Private { encrypted, .. } if encrypted == locked),
                "{name}"
            );
            assert_eq!(key.blob, known.then_some(expected), "{name}");
        }
    }

    #[test]
    fn a_file_that_is_no_key_is_unusable() {
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
                matches!(read(&path, &[]).unwrap().content, Content::Unusable(_)),
                "{text:?}"
            );
        }
        assert!(matches!(read(dir.path(), &[]).unwrap().content, Content::Unusable(_)));
    }

    #[test]
    fn a_key_that_other_users_may_read_is_refused_as_openssh_does() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        if !keygen(&["-t", "ed25519", "-N", "", "-f", path.to_str().unwrap()]) {
            eprintln!("SKIPPED: no ssh-keygen here");
            return;
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let Content::Unusable(why) = read(&path, &[]).unwrap().content else {
            panic!("it was taken")
        };
        assert!(why.contains("0644") && why.contains("chmod 600"), "{why}");
    }
}
