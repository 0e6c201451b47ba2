//! The manifest: every path of a release and what is there. A value; reading and writing it is in `listing`.

use std::fmt;

/// What a path of a release is. Owner, group and times are no part of it; modes are: files 0644 or 0755,
/// directories 0755.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Dir,
    File {
        size: u64,
        /// SHA-256 of its bytes.
        sha256: [u8; 32],
        /// Mode 0755 instead of 0644.
        exec: bool,
    },
    Link {
        /// Where it points, as written. Any bytes but NUL.
        target: Vec<u8>,
    },
}

/// One path of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Relative to the release, without a leading `./`: components of any bytes but NUL, joined by single `/`.
    pub path: Vec<u8>,
    pub kind: Kind,
}

/// All paths of a release, sorted by their bytes, each once; the release's own directory is not among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    entries: Vec<Entry>,
}

/// The identity of a release: SHA-256 of [`Manifest::to_host_bytes`]. Shown as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

/// How one manifest differs from another: paths, each sorted by bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Only in the other manifest.
    pub added: Vec<Vec<u8>>,
    pub removed: Vec<Vec<u8>>,
    /// In both, but not the same: type, size, content, mode or target.
    pub changed: Vec<Vec<u8>>,
}

impl Manifest {
    /// A manifest of these entries, in any order. Of two with the same path only one is kept: give each once.
    #[must_use]
    pub fn new(mut entries: Vec<Entry>) -> Self {
        entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        entries.dedup_by(|a, b| a.path == b.path);
        Self { entries }
    }

    /// The entries, sorted by path.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What is at a path.
    pub fn get(&self, path: &[u8]) -> Option<&Kind> {
        let at = self
            .entries
            .binary_search_by(|entry| entry.path.as_slice().cmp(path))
            .ok()?;
        Some(&self.entries[at].kind)
    }

    pub fn files(&self) -> usize {
        self.count(|kind| matches!(kind, Kind::File { .. }))
    }

    pub fn dirs(&self) -> usize {
        self.count(|kind| matches!(kind, Kind::Dir))
    }

    pub fn links(&self) -> usize {
        self.count(|kind| matches!(kind, Kind::Link { .. }))
    }

    /// The sum of the files' sizes in bytes: the apparent size, whatever holes they have here.
    pub fn bytes(&self) -> u64 {
        let size = |entry: &Entry| {
            if let Kind::File { size, .. } = entry.kind {
                size
            } else {
                0
            }
        };
        self.entries.iter().map(size).fold(0, u64::saturating_add)
    }

    /// How many inodes the release takes on the host, its own directory included.
    pub fn inodes(&self) -> u64 {
        self.entries.len() as u64 + 1
    }

    /// What changes from this manifest to `other`.
    pub fn diff(&self, other: &Self) -> Difference {
        let mut difference = Difference::default();
        let (mut old, mut new) = (self.entries.iter().peekable(), other.entries.iter().peekable());
        loop {
            let order = match (old.peek(), new.peek()) {
                (None, None) => return difference,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some(old), Some(new)) => old.path.cmp(&new.path),
            };
            let before = if order.is_le() { old.next() } else { None };
            let after = if order.is_ge() { new.next() } else { None };
            match (before, after) {
                (Some(before), Some(after)) if before.kind != after.kind => {
                    difference.changed.push(after.path.clone());
                }
                (Some(before), None) => difference.removed.push(before.path.clone()),
                (None, Some(after)) => difference.added.push(after.path.clone()),
                _ => {}
            }
        }
    }

    fn count(&self, wanted: impl Fn(&Kind) -> bool) -> usize {
        self.entries.iter().filter(|entry| wanted(&entry.kind)).count()
    }
}

impl Difference {
    /// Whether the two manifests are the same.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

impl Digest {
    /// Reads 64 lower-case hexadecimal digits.
    pub fn parse(hex: &[u8]) -> Option<Self> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let mut out = [0u8; 32];
        if hex.len() != 64 {
            return None;
        }
        for (byte, pair) in out.iter_mut().zip(hex.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(out))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn file(path: &str, content: u8) -> Entry {
        let kind = Kind::File {
            size: 1,
            sha256: [content; 32],
            exec: false,
        };
        Entry {
            path: path.into(),
            kind,
        }
    }

    #[test]
    fn a_difference_names_what_came_what_went_and_what_is_not_the_same() {
        let dir = Entry {
            path: b"d".to_vec(),
            kind: Kind::Dir,
        };
        let old = Manifest::new(vec![
            file("same", 0),
            file("gone", 0),
            file("new-bytes", 0),
            file("d", 0),
        ]);
        let new = Manifest::new(vec![dir, file("new-bytes", 1), file("same", 0), file("came", 0)]);
        let paths = |names: &[&str]| names.iter().map(|name| name.as_bytes().to_vec()).collect::<Vec<_>>();
        let expected = Difference {
            added: paths(&["came"]),
            removed: paths(&["gone"]),
            changed: paths(&["d", "new-bytes"]),
        };
        assert_eq!(old.diff(&new), expected);
        assert!(new.diff(&new).is_empty());
        assert_eq!(old.diff(&Manifest::default()).removed.len(), 4);
    }

    #[test]
    fn counts_are_of_the_host() {
        let link = Entry {
            path: b"l".to_vec(),
            kind: Kind::Link { target: b"a".to_vec() },
        };
        let manifest = Manifest::new(vec![
            file("b", 0),
            file("a", 0),
            link,
            Entry {
                path: b"d".to_vec(),
                kind: Kind::Dir,
            },
        ]);
        assert_eq!((manifest.files(), manifest.dirs(), manifest.links()), (2, 1, 1));
        assert_eq!((manifest.bytes(), manifest.inodes()), (2, 5));
        assert_eq!(manifest.get(b"d"), Some(&Kind::Dir));
        assert_eq!(manifest.get(b"nowhere"), None);
    }

    #[test]
    fn a_digest_reads_back_what_it_shows() {
        let digest = Manifest::new(vec![file("a", 7)]).digest();
        assert_eq!(Digest::parse(digest.to_string().as_bytes()), Some(digest));
        assert_eq!(Digest::parse(digest.to_string().to_uppercase().as_bytes()), None);
        assert_eq!(Digest::parse(b"00"), None);
    }
}
