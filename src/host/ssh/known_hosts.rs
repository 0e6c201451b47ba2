//! known_hosts as OpenSSH reads it (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT): which lines name this host, and what
//! they say about a key. Decides nothing: `host_key` does.
//!
//! libssh2's own check accepts revoked keys, ignores wildcards, and reports another key type as a changed key.

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use super::key_blob;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    Plain,
    /// `@revoked`: this key must never be trusted.
    Revoked,
    /// `@cert-authority`: signs the certificates of hosts.
    Authority,
}

/// One line that names the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub file: PathBuf,
    /// Its number, from 1.
    pub number: usize,
    pub marker: Marker,
    /// The public key, as on the wire.
    pub blob: Vec<u8>,
}

impl Line {
    /// `FILE:NUMBER`
    pub fn at(&self) -> String {
        format!("{}:{}", self.file.display(), self.number)
    }
}

/// The lines that name one host.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Lines for this name and port.
    lines: Vec<Line>,
    /// Lines for the name without the port, when the port is not 22: OpenSSH accepts a match from them, never a mismatch.
    portless: Vec<Line>,
}

/// What the lines say about a key.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    Match,
    Revoked(&'a Line),
    /// These lines have other keys for the host.
    Changed(Vec<&'a Line>),
    /// Only this certificate authority is known for the host.
    Authority(&'a Line),
    Unknown,
}

/// The name that known_hosts uses: lower case, `[name]:port` unless the port is 22.
pub fn entry_name(host: &str, port: u16) -> String {
    let host = host.to_ascii_lowercase();
    if port == 22 { host } else { format!("[{host}]:{port}") }
}

/// Reads every line that names the host. Files need not exist.
/// Fails on a file that exists and cannot be read, with its path: it may hold a revocation.
pub fn read(files: &[PathBuf], host: &str, port: u16) -> Result<Known, (PathBuf, io::Error)> {
    let name = entry_name(host, port);
    let bare = entry_name(host, 22);
    let mut known = Known::default();
    for file in files {
        let text = match std::fs::read(file) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err((file.clone(), e)),
        };
        for (index, line) in text.split(|b| *b == b'\n').enumerate() {
            // A comment may be in any encoding; a revocation with one must not be skipped.
            let line = String::from_utf8_lossy(line);
            let Some((patterns, marker, blob)) = parse(&line) else {
                continue;
            };
            let line = || Line {
                file: file.clone(),
                number: index + 1,
                marker,
                blob: blob.clone(),
            };
            if names(patterns, &name) {
                known.lines.push(line());
            } else if port != 22 && names(patterns, &bare) {
                known.portless.push(line());
            }
        }
    }
    Ok(known)
}

impl Known {
    /// A revocation wins over everything, even one for the name without the port over a line with it (OpenSSH stops
    /// there): the private half of a revoked key may be known to others.
    pub fn check(&self, blob: &[u8]) -> Verdict<'_> {
        let of = |marker: Marker| self.lines.iter().filter(move |line| line.marker == marker);
        let portless = |marker: Marker| self.portless.iter().filter(move |line| line.marker == marker);
        let same = |line: &&Line| line.blob == blob;
        if let Some(line) = of(Marker::Revoked).chain(portless(Marker::Revoked)).find(same) {
            return Verdict::Revoked(line);
        }
        if of(Marker::Plain).any(|line| line.blob == blob) {
            return Verdict::Match;
        }
        let others: Vec<&Line> = of(Marker::Plain).collect();
        if !others.is_empty() {
            return Verdict::Changed(others);
        }
        if portless(Marker::Plain).any(|line| line.blob == blob) {
            return Verdict::Match;
        }
        match of(Marker::Authority).next() {
            Some(line) => Verdict::Authority(line),
            None => Verdict::Unknown,
        }
    }

    /// The types of the host's known keys, in the order of the lines: the server is asked for these first, so that a
    /// second key of the host is never taken for a changed one.
    pub fn types(&self) -> Vec<String> {
        let plain = self
            .lines
            .iter()
            .chain(&self.portless)
            .filter(|line| line.marker == Marker::Plain);
        let mut types: Vec<String> = Vec::new();
        for name in plain.filter_map(|line| key_blob::key_type(&line.blob)) {
            if !types.iter().any(|known| known == name) {
                types.push(name.to_owned());
            }
        }
        types
    }
}

/// `[@marker] patterns type base64 [comment]`. Comments, empty lines and lines without a key give `None`, as
/// OpenSSH skips them.
fn parse(line: &str) -> Option<(&str, Marker, Vec<u8>)> {
    let line = line.trim_start_matches([' ', '\t']);
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let (marker, line) = match line.split_once([' ', '\t']) {
        Some(("@revoked", rest)) => (Marker::Revoked, rest.trim_start()),
        Some(("@cert-authority", rest)) => (Marker::Authority, rest.trim_start()),
        Some((word, _)) if word.starts_with('@') => return None,
        _ => (Marker::Plain, line),
    };
    let (patterns, key) = line.split_once([' ', '\t'])?;
    Some((patterns, marker, key_blob::public_line(key)?))
}

/// Whether a pattern list (or a hashed name) names `name`, which is lower case.
fn names(patterns: &str, name: &str) -> bool {
    if let Some(hashed) = patterns.strip_prefix("|1|") {
        let Some((salt, hash)) = hashed.split_once('|') else {
            return false;
        };
        let (Ok(salt), Ok(hash)) = (STANDARD.decode(salt), STANDARD.decode(hash)) else {
            return false;
        };
        return hmac_sha1(&salt, name) == Some(hash);
    }
    listed(patterns.split(','), name)
}

/// The pattern lists of OpenSSH (ssh_config(5), PATTERNS): one negated match denies, else one match grants.
pub(super) fn listed<'a>(patterns: impl Iterator<Item = &'a str>, name: &str) -> bool {
    let mut found = false;
    for pattern in patterns {
        if let Some(pattern) = pattern.strip_prefix('!') {
            if wildcard(pattern.to_ascii_lowercase().as_bytes(), name.as_bytes()) {
                return false;
            }
        } else {
            found |= wildcard(pattern.to_ascii_lowercase().as_bytes(), name.as_bytes());
        }
    }
    found
}

/// `*` matches any bytes, `?` one byte. Takes linear time except after the last star, so no pattern can stall shipit.
pub(super) fn wildcard(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, t));
                p += 1;
            }
            Some(&c) if c == b'?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((after, from)) => {
                    p = after;
                    t = from + 1;
                    star = Some((after, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

fn hmac_sha1(salt: &[u8], name: &str) -> Option<Vec<u8>> {
    let mut mac = Hmac::<Sha1>::new_from_slice(salt).ok()?;
    mac.update(name.as_bytes());
    Some(mac.finalize().into_bytes().to_vec())
}

/// The first field of a new line: the name, or `|1|salt|hash` with this salt.
pub fn field(name: &str, salt: Option<&[u8; 20]>) -> String {
    match salt.and_then(|salt| Some((salt, hmac_sha1(salt, name)?))) {
        Some((salt, hash)) => format!("|1|{}|{}", STANDARD.encode(salt), STANDARD.encode(hash)),
        None => name.to_owned(),
    }
}

/// Appends one line, with one write. A new file gets mode 0600, a new directory 0700.
pub fn append(file: &Path, field: &str, blob: &[u8]) -> io::Result<()> {
    use std::io::{Read, Seek, SeekFrom, Write};
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    let key = key_blob::public_text(blob).ok_or_else(|| io::Error::other("the host key has no type"))?;
    if let Some(directory) = file.parent().filter(|d| !d.as_os_str().is_empty()) {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
    }
    let mut out = std::fs::OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(file)?;
    // A last line without its end must not absorb the new one.
    let torn = out.metadata()?.len() > 0 && {
        let mut last = [0u8; 1];
        out.seek(SeekFrom::End(-1))?;
        out.read_exact(&mut last)?;
        last != *b"\n"
    };
    let line = format!("{}{field} {key}\n", if torn { "\n" } else { "" });
    out.write_all(line.as_bytes())
}

#[cfg(test)]
#[path = "known_hosts_tests.rs"]
mod tests;
