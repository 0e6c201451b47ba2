//! The manifest in the bytes that a host prints with find, sort and sha256sum: no fork per file, no name
//! that needs escaping. These bytes are what the digest is taken of and what the host stores.
//!
//! In an environment with `LC_ALL=C`, inside the release, they are the concatenation of
//! ```sh
//! find . -mindepth 1 \( -type f -printf 'f %m %s %P\0' -o -type d -printf 'd %m %P\0' \
//!     -o -type l -printf 'l %P//%l\0' -o -printf '? %P\0' \) | sort -z
//! find . -type f -printf './%P\0' | sort -z | xargs -0 -r sha256sum -z --
//! ```
//! A line of the second part begins with 64 hexadecimal digits, one of the first with a letter and a space:
//! the parts need no separator. `//` ends a link's path, because no path has an empty component.

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::manifest::{Digest, Entry, Kind, Manifest};
use crate::text;

/// Why bytes from a host are not the listing of a release that shipit published.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Mismatch {
    #[error("the listing ends in the middle of a line")]
    Cut,
    #[error("`{}` is not a valid line of a listing", text::shown(.0))]
    Line(Vec<u8>),
    #[error("{} is not a file, directory or symlink", text::shown(.0))]
    Special(Vec<u8>),
    /// A mode that shipit does not give: path, octal mode as printed.
    #[error("{} has mode {}", text::shown(.0), text::shown(.1.as_bytes()))]
    Mode(Vec<u8>, String),
    #[error("{} is listed twice", text::shown(.0))]
    Twice(Vec<u8>),
    /// A file whose content was not hashed, or the bytes were cut between two lines.
    #[error("{} could not be read", text::shown(.0))]
    Unhashed(Vec<u8>),
    /// A hash of a file that is not in the listing.
    #[error("{} appeared while the files were being listed", text::shown(.0))]
    Unlisted(Vec<u8>),
}

impl Manifest {
    /// The identity of the release: SHA-256 of [`Self::to_host_bytes`], without holding those bytes.
    pub fn digest(&self) -> Digest {
        let mut hash = Sha256::new();
        write(self, &mut |bytes| hash.update(bytes));
        Digest(hash.finalize().into())
    }

    /// The bytes that a host with exactly this release prints; see the head of this file.
    pub fn to_host_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.entries().len() * 128);
        write(self, &mut |bytes| out.extend_from_slice(bytes));
        out
    }

    /// Reads what a host printed or stored. Bytes that were cut before the first file may still read as a
    /// manifest of directories: compare the [`Digest`] where one is known.
    /// Fails with [`Mismatch`], naming the first path that is not as shipit publishes it.
    pub fn parse_host(bytes: &[u8]) -> Result<Self, Mismatch> {
        let Some(body) = bytes.strip_suffix(b"\0") else {
            return if bytes.is_empty() {
                Ok(Self::default())
            } else {
                Err(Mismatch::Cut)
            };
        };
        let mut entries = Vec::new();
        let mut hashes = Vec::new();
        for line in body.split(|&byte| byte == 0) {
            if line.get(1) == Some(&b' ') {
                entries.push(listed(line)?);
            } else {
                hashes.push(hashed(line)?);
            }
        }
        entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        if let Some(pair) = entries.windows(2).find(|pair| pair[0].path == pair[1].path) {
            return Err(Mismatch::Twice(pair[0].path.clone()));
        }
        hashes.sort_unstable();
        let mut hashes = hashes.into_iter().peekable();
        for entry in &mut entries {
            let Kind::File { sha256, .. } = &mut entry.kind else {
                continue;
            };
            match hashes.next_if(|(path, _)| *path <= entry.path.as_slice()) {
                Some((path, hash)) if path == entry.path => *sha256 = hash,
                Some((path, _)) => return Err(Mismatch::Unlisted(path.to_vec())),
                None => return Err(Mismatch::Unhashed(entry.path.clone())),
            }
        }
        match hashes.next() {
            Some((path, _)) => Err(Mismatch::Unlisted(path.to_vec())),
            None => Ok(Self::new(entries)),
        }
    }
}

/// Writes both parts. Lines of the first are sorted as wholes, prefix included, as `sort -z` does.
fn write(manifest: &Manifest, out: &mut dyn FnMut(&[u8])) {
    let mut lines: Vec<Vec<u8>> = manifest.entries().iter().map(line).collect();
    lines.sort_unstable();
    for line in lines {
        out(&line);
        out(b"\0");
    }
    for entry in manifest.entries() {
        if let Kind::File { sha256, .. } = &entry.kind {
            out(Digest(*sha256).to_string().as_bytes());
            out(b"  ./");
            out(&entry.path);
            out(b"\0");
        }
    }
}

/// An entry's line in the listing.
fn line(entry: &Entry) -> Vec<u8> {
    let mut line = match &entry.kind {
        Kind::Dir => b"d 755 ".to_vec(),
        Kind::File { size, exec, .. } => format!("f {} {size} ", if *exec { "755" } else { "644" }).into_bytes(),
        Kind::Link { .. } => b"l ".to_vec(),
    };
    line.extend_from_slice(&entry.path);
    if let Kind::Link { target } = &entry.kind {
        line.extend_from_slice(b"//");
        line.extend_from_slice(target);
    }
    line
}

/// Reads a line of the listing; a file's hash is filled in later.
fn listed(line: &[u8]) -> Result<Entry, Mismatch> {
    let bad = || Mismatch::Line(line.to_vec());
    let word = |bytes: &[u8]| -> Option<(String, usize)> {
        let end = bytes.iter().position(|&byte| byte == b' ')?;
        Some((String::from_utf8(bytes[..end].to_vec()).ok()?, end + 1))
    };
    let rest = &line[2..];
    let (path, kind) = match line[0] {
        b'f' => {
            let (mode, after) = word(rest).ok_or_else(bad)?;
            let (size, end) = word(&rest[after..]).ok_or_else(bad)?;
            let path = &rest[after + end..];
            let exec = match mode.as_str() {
                "755" => true,
                "644" => false,
                _ => return Err(Mismatch::Mode(path.to_vec(), mode)),
            };
            let size = size.parse().map_err(|_| bad())?;
            (
                path,
                Kind::File {
                    size,
                    sha256: [0; 32],
                    exec,
                },
            )
        }
        b'd' => {
            let (mode, after) = word(rest).ok_or_else(bad)?;
            let path = &rest[after..];
            if mode != "755" {
                return Err(Mismatch::Mode(path.to_vec(), mode));
            }
            (path, Kind::Dir)
        }
        b'l' => {
            let end = rest.windows(2).position(|pair| pair == b"//").ok_or_else(bad)?;
            (
                &rest[..end],
                Kind::Link {
                    target: rest[end + 2..].to_vec(),
                },
            )
        }
        b'?' => return Err(Mismatch::Special(rest.to_vec())),
        _ => return Err(bad()),
    };
    if !relative(path) {
        return Err(bad());
    }
    Ok(Entry {
        path: path.to_vec(),
        kind,
    })
}

/// Reads a line of `sha256sum -z`.
fn hashed(line: &[u8]) -> Result<(&[u8], [u8; 32]), Mismatch> {
    let bad = || Mismatch::Line(line.to_vec());
    let (hex, rest) = line.split_at_checked(64).ok_or_else(bad)?;
    let hash = Digest::parse(hex).ok_or_else(bad)?;
    let path = rest
        .strip_prefix(b"  ./")
        .filter(|path| relative(path))
        .ok_or_else(bad)?;
    Ok((path, hash.0))
}

/// Whether a path is one that [`Entry::path`] allows: a stored listing is foreign data like any other.
fn relative(path: &[u8]) -> bool {
    path.split(|&byte| byte == b'/')
        .all(|part| !matches!(part, b"" | b"." | b".."))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn sample() -> Manifest {
        let file = |size, exec| Kind::File {
            size,
            sha256: [size as u8; 32],
            exec,
        };
        let link = |target: &[u8]| Kind::Link {
            target: target.to_vec(),
        };
        let entries: Vec<(&[u8], Kind)> = vec![
            (b"d", Kind::Dir),
            (b"d/9", file(9, false)),
            (b"d/b\nf 644 1 c", file(10, true)),
            (b"d\xff 755", file(0, false)),
            (b"abs", link(b"/etc")),
            (b"odd", link(b"a//b")),
        ];
        let entry = |(path, kind): (&[u8], Kind)| Entry {
            path: path.to_vec(),
            kind,
        };
        Manifest::new(entries.into_iter().map(entry).collect())
    }

    #[test]
    fn what_is_written_reads_back() {
        let manifest = sample();
        assert_eq!(Manifest::parse_host(&manifest.to_host_bytes()), Ok(manifest));
        assert_eq!(Manifest::parse_host(b""), Ok(Manifest::default()));
    }

    #[test]
    fn bytes_cut_anywhere_are_never_a_manifest() {
        let whole = sample().to_host_bytes();
        let first_file = whole.windows(2).position(|pair| pair == b"f ").unwrap();
        for end in 0..whole.len() {
            let cut = Manifest::parse_host(&whole[..end]);
            assert_ne!(cut.as_ref(), Ok(&sample()), "cut at {end}");
            assert!(cut.is_err() || end <= first_file, "cut at {end}");
        }
    }

    #[test]
    fn what_is_not_as_published_is_named() {
        let hash = "0".repeat(64);
        let says = |bytes: String| Manifest::parse_host(bytes.as_bytes()).unwrap_err().to_string();
        assert_eq!(says(format!("f 600 0 a\0{hash}  ./a\0")), "a has mode 600");
        assert_eq!(says("d 2755 a\0".into()), "a has mode 2755");
        assert_eq!(says("? a\x1b\0".into()), "a\\x1b is not a file, directory or symlink");
        assert_eq!(says("d 755 a\0l a//b\0".into()), "a is listed twice");
        assert_eq!(says("f 644 0 a\0".into()), "a could not be read");
        assert_eq!(
            says(format!("f 644 0 b\0{hash}  ./a\0{hash}  ./b\0")),
            "a appeared while the files were being listed"
        );
        assert_eq!(
            says(format!("f 644 0 a\0{hash}  ./a\0{hash}  ./b\0")),
            "b appeared while the files were being listed"
        );
        assert_eq!(
            says("d 755 ../a\0".into()),
            "`d 755 ../a` is not a valid line of a listing"
        );
        assert_eq!(says("d 755 /a\0".into()), "`d 755 /a` is not a valid line of a listing");
        assert_eq!(
            says("f 644 x a\0".into()),
            "`f 644 x a` is not a valid line of a listing"
        );
        assert_eq!(says("l a\0".into()), "`l a` is not a valid line of a listing");
        assert_eq!(says("d 755 a".into()), "the listing ends in the middle of a line");
        assert_eq!(says("\0".into()), "`` is not a valid line of a listing");
    }
}
