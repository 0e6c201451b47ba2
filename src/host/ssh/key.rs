//! Key files on this machine: what kind each is, decided before libssh2 sees it, whose errors name no cause. Reads
//! files, asks no questions. What it says about a file is constant text: never a word that was read.

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

const BEGIN: &str = "-----BEGIN ";

/// How a key begins that somebody encoded as base64.
const IN_BASE64: &str = "LS0tLS1CRUdJTi";

/// Labels of other files that are mistaken for a key. Only these are ever printed: where a file is damaged, anything
/// can stand in the place of a label.
const OTHERS: [&str; 8] = [
    "CERTIFICATE",
    "CERTIFICATE REQUEST",
    "PUBLIC KEY",
    "RSA PUBLIC KEY",
    "EC PARAMETERS",
    "DH PARAMETERS",
    "PGP PRIVATE KEY BLOCK",
    "PGP PUBLIC KEY BLOCK",
];

#[derive(Clone)]
pub enum Content {
    /// A private key that libssh2 can use.
    Private { text: String, encrypted: bool },
    /// Only the public half exists: it selects a key in the agent.
    Public,
    /// It cannot be used, for this reason.
    Unusable(String),
}

/// A file of the identity list, and what belongs to it. Without `Debug`: it holds the key.
#[derive(Clone)]
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
    let (encrypted, blob) = match label(&text) {
        Ok("OPENSSH PRIVATE KEY") => match openssh(&text) {
            Some((encrypted, blob)) => (encrypted, Some(blob)),
            None => return (Content::Unusable("damaged OpenSSH key".to_owned()), None),
        },
        Ok("ENCRYPTED PRIVATE KEY") => (true, None),
        Ok("PRIVATE KEY") => (false, None),
        Ok("RSA PRIVATE KEY" | "EC PRIVATE KEY" | "DSA PRIVATE KEY") => (text.contains("Proc-Type: 4,ENCRYPTED"), None),
        Ok(other) => {
            let known = OTHERS.iter().find(|known| **known == other);
            let why = known.map_or("not a private key".to_owned(), |known| {
                format!("a {known:?}, not a private key")
            });
            return (Content::Unusable(why), None);
        }
        Err(why) => return (Content::Unusable(why.to_owned()), None),
    };
    (Content::Private { text, encrypted }, blob)
}

/// The label of the first `-----BEGIN LABEL-----`, or why the text is no key.
fn label(text: &str) -> Result<&str, &'static str> {
    let Some(line) = text.lines().find(|line| line.contains(BEGIN)) else {
        return Err(match text.trim_start() {
            "" => "the file is empty",
            start if start.starts_with(IN_BASE64) => {
                "the key was base64-encoded a second time: decode it with `base64 -d`"
            }
            start if start.starts_with("PuTTY-User-Key-File-") => {
                "a PuTTY key: convert it with `puttygen FILE -O private-openssh -o NEW_FILE`"
            }
            _ => "not a private key",
        });
    };
    let (before, label) = line.split_once(BEGIN).unwrap_or_default();
    let (label, after) = label.split_once("-----").unwrap_or((label, ""));
    if !after.trim().trim_matches(['"', '\'']).is_empty() {
        return Err("its line breaks are lost (quote the secret when you write it)");
    }
    match before.trim() {
        "" => Ok(label),
        "\u{feff}" => Err("a byte order mark precedes the key: save the file without one"),
        _ => Err("damaged: other text precedes `-----BEGIN` on its line"),
    }
}

/// Whether a path is no path but the key itself, as `-i "$KEY"` passes it.
pub fn is_key_text(path: &Path) -> bool {
    let bytes = path.as_os_str().as_encoded_bytes();
    let text = String::from_utf8_lossy(bytes);
    text.contains(BEGIN) || text.contains(IN_BASE64)
}

/// Whether neither this file nor its public half, which selects a key in the agent, exists.
pub fn is_missing(path: &Path) -> bool {
    let missing = |path: &Path| std::fs::metadata(path).is_err_and(|e| e.kind() == io::ErrorKind::NotFound);
    missing(path) && missing(&with_suffix(path, ".pub"))
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

    /// Every way in which a secret is damaged on its way into a file, and what is said about it.
    #[test]
    fn no_part_of_a_damaged_key_is_ever_printed() {
        let dir = tempfile::tempdir().unwrap();
        let made = dir.path().join("made");
        let lost = "its line breaks are lost (quote the secret when you write it)";
        for kind in [&["-t", "ed25519"][..], &["-t", "rsa", "-b", "2048", "-m", "PEM"]] {
            let arguments = [kind, &["-N", "", "-f", made.to_str().unwrap()]].concat();
            if !keygen(&arguments) {
                eprintln!("SKIPPED: no ssh-keygen here");
                return;
            }
            let key = std::fs::read_to_string(&made).unwrap();
            std::fs::remove_file(&made).unwrap();
            let flat = key.replace('\n', " ");
            let body: String = key.lines().filter(|l| !l.starts_with('-')).collect();
            let (begin, _) = key.split_once('\n').unwrap();
            for (damaged, said) in [
                (flat.clone(), lost),
                (flat.trim().to_owned(), lost),
                (key.replace('\n', ""), lost),
                (key.replace('\n', "\\n"), lost),
                (key.replace('\n', "\r"), lost),
                (format!("\"{flat}\""), lost),
                (format!("KEY={flat}"), lost),
                (flat[..flat.len() / 2].to_owned(), lost),
                (format!("{begin} {body}-----"), lost),
                (format!("\u{feff}{key}"), "byte order mark"),
                (format!("\"{key}\""), "other text precedes"),
                (format!("'{}'", key.trim()), "other text precedes"),
                (STANDARD.encode(&key), "base64"),
                (STANDARD.encode(format!("\n{key}")), "not a private key"),
                (body.clone(), "not a private key"),
                (format!("-----BEGIN {body}-----\n"), "not a private key"),
                (format!("-----BEGIN {body}\n"), "not a private key"),
                (
                    format!("-----BEGIN {}-----\n", body.to_uppercase()),
                    "not a private key",
                ),
                (key.replace("-----", "----"), "not a private key"),
                (String::new(), "the file is empty"),
            ] {
                let (Content::Unusable(why), _) = classify(damaged.clone()) else {
                    panic!("it was taken: {damaged}")
                };
                assert!(why.contains(said), "{why}, not {said}");
                let letters: Vec<char> = body.chars().collect();
                for part in letters.windows(6) {
                    let part: String = part.iter().collect();
                    assert!(!why.to_uppercase().contains(&part.to_uppercase()), "{why} has {part}");
                }
            }
        }
        let (Content::Unusable(why), _) = classify("-----BEGIN CERTIFICATE-----\nAAAA\n".to_owned()) else {
            panic!("it was taken")
        };
        assert_eq!(why, "a \"CERTIFICATE\", not a private key");
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
