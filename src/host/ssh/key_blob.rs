//! The parts of the SSH wire format that are read here: strings, key blobs, fingerprints (RFC 4251 §5, RFC 4253 §6.6).
//! Bytes in, values out; no IO.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

/// Takes one length-prefixed string off the front; `None` when the bytes end too early.
pub fn string<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    let (string, rest) = rest.split_at_checked(u32::from_be_bytes(*head) as usize)?;
    *bytes = rest;
    Some(string)
}

/// The type of a public key blob (`ssh-ed25519`, …); `None` when it is not a key blob.
pub fn key_type(mut blob: &[u8]) -> Option<&str> {
    std::str::from_utf8(string(&mut blob)?)
        .ok()
        .filter(|name| name.is_ascii() && !name.is_empty())
}

/// `SHA256:…` as OpenSSH prints it: unpadded base64 of the blob's hash.
pub fn fingerprint(blob: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(blob)))
}

/// The short name of a key type as `ssh-keygen -l` prints it.
pub fn short_type(blob: &[u8]) -> &'static str {
    match key_type(blob).unwrap_or_default() {
        "ssh-ed25519" => "ED25519",
        "ssh-rsa" => "RSA",
        "ssh-dss" => "DSA",
        name if name.starts_with("sk-") => "FIDO",
        name if name.contains("-cert-v01@") => "CERT",
        name if name.starts_with("ecdsa-") => "ECDSA",
        _ => "key",
    }
}

/// `ED25519 SHA256:…`
pub fn describe(blob: &[u8]) -> String {
    format!("{} {}", short_type(blob), fingerprint(blob))
}

/// Whether the private half is on a security key.
pub fn is_fido(blob: &[u8]) -> bool {
    key_type(blob).is_some_and(|name| name.starts_with("sk-"))
}

/// Reads `type base64 [comment]`, as in a `.pub` file; the type must match the one in the blob.
pub fn public_line(line: &str) -> Option<Vec<u8>> {
    let mut words = line.split_ascii_whitespace();
    let name = words.next()?;
    let blob = STANDARD.decode(words.next()?).ok()?;
    (key_type(&blob)? == name).then_some(blob)
}

/// Writes a blob as `type base64`, the form that libssh2 reads.
pub fn public_text(blob: &[u8]) -> Option<String> {
    Some(format!("{} {}", key_type(blob)?, STANDARD.encode(blob)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me@there";

    #[test]
    fn a_public_key_is_read_and_its_fingerprint_is_the_one_that_openssh_prints() {
        // The key and its fingerprint are GitHub's published ones.
        let blob = public_line(KEY).unwrap();
        assert_eq!(fingerprint(&blob), "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU");
        assert_eq!(short_type(&blob), "ED25519");
        assert!(KEY.starts_with(&public_text(&blob).unwrap()));
    }

    #[test]
    fn torn_and_lying_blobs_are_no_keys() {
        let blob = public_line(KEY).unwrap();
        for end in 0..blob.len().min(15) {
            assert_eq!(key_type(&blob[..end]), None, "{end}");
        }
        assert_eq!(public_line(&KEY.replace("ssh-ed25519", "ssh-rsa")), None);
        assert_eq!(key_type(&[0xff; 8]), None);
    }
}
