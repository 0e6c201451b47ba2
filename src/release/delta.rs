//! What has to travel when the host has another release: pure. How it travels is in `upload`, what the host does with it in
//! `remote/stage/reuse.sh`.

use std::collections::{HashMap, HashSet};

use super::manifest::{Entry, Kind, Manifest};

/// A release on the host, from which a new one takes over what is the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    pub id: String,
    pub manifest: Manifest,
    /// Paths of files that are not, or no longer, what the manifest says.
    pub changed: HashSet<Vec<u8>>,
}

/// How one entry of the new release gets to the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    Sent,
    /// The base has it at the same path, with the same mode.
    Same,
    /// The base has these bytes at another path, or with another mode: copied there.
    Copied(Vec<u8>),
    /// An upload that was cut has these bytes at this path: copied there.
    Arrived(Vec<u8>),
    /// This patch travels, against the file of the base at `from`.
    Patched {
        from: Vec<u8>,
        patch: Vec<u8>,
    },
}

/// How what travels is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Every host unpacks it.
    Gzip,
    /// Smaller and faster, where the host has `zstd`.
    Zstd,
}

impl Encoding {
    /// As the host's script takes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// What travels, and what the base already has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    /// The base's id; none when everything is sent.
    pub base: Option<String>,
    /// The upload that was cut, and has files of this one.
    pub cut: Option<String>,
    /// One for each entry of the new manifest, in its order.
    pub ways: Vec<Way>,
    /// Paths of the base that the new release does not take over, sorted.
    pub except: Vec<Vec<u8>>,
    /// Paths that are copied on the host, and whether each is executable; sorted by path.
    pub copied: Vec<(Vec<u8>, bool)>,
    /// Files that are sent.
    pub files: usize,
    /// Their bytes, of a patched one those of its patch.
    pub sent: u64,
    /// Bytes of files that are not sent.
    pub saved: u64,
    /// Of these, bytes of files that are copied, or made from a patch.
    pub moved: u64,
    pub encoding: Encoding,
}

/// The longest path that is taken over: on the host, the names of both releases come before it.
pub(super) const LONGEST: usize = 3900;

impl Delta {
    /// Everything travels.
    pub fn whole(new: &Manifest) -> Self {
        Self {
            base: None,
            cut: None,
            ways: vec![Way::Sent; new.entries().len()],
            except: Vec::new(),
            copied: Vec::new(),
            files: new.files(),
            sent: new.bytes(),
            saved: 0,
            moved: 0,
            encoding: Encoding::Gzip,
        }
    }

    /// The same, compressed like that.
    pub fn encoded(self, encoding: Encoding) -> Self {
        Self { encoding, ..self }
    }

    /// Only what this base does not have travels.
    pub fn against(base: &Base, new: &Manifest) -> Self {
        let there = |entry: &Entry| entry.path.len() <= LONGEST && !base.changed.contains(&entry.path);
        let mut contents = HashMap::new();
        for entry in base.manifest.entries().iter().filter(|entry| there(entry)) {
            if let Kind::File { size: 1.., sha256, .. } = entry.kind {
                contents.entry(sha256).or_insert(&entry.path);
            }
        }
        let mut delta = Self {
            base: Some(base.id.clone()),
            ..Self::whole(&Manifest::default())
        };
        for entry in new.entries() {
            let same = there(entry) && base.manifest.get(&entry.path) == Some(&entry.kind);
            let way = match &entry.kind {
                // A symlink is as long as what it would take to name it.
                Kind::Link { .. } => Way::Sent,
                _ if same => Way::Same,
                Kind::File { sha256, .. } => contents.get(sha256).map_or(Way::Sent, |&at| Way::Copied(at.clone())),
                Kind::Dir => Way::Sent,
            };
            if let Kind::File { size, exec, .. } = entry.kind {
                if way == Way::Sent {
                    delta.files += 1;
                    delta.sent += size;
                } else {
                    delta.saved += size;
                }
                if matches!(way, Way::Copied(_)) {
                    delta.copied.push((entry.path.clone(), exec));
                    delta.moved += size;
                }
            }
            delta.ways.push(way);
        }
        let taken: HashSet<&[u8]> = new
            .entries()
            .iter()
            .zip(&delta.ways)
            .filter(|(_, way)| **way == Way::Same)
            .map(|(entry, _)| entry.path.as_slice())
            .collect();
        let kept = |entry: &&Entry| !taken.contains(entry.path.as_slice());
        let left = base.manifest.entries().iter().filter(kept);
        delta.except = left
            .filter(|entry| !matches!(entry.kind, Kind::Link { .. }))
            .map(|entry| entry.path.clone())
            .collect();
        delta
    }

    /// The same, without what an upload that was cut has already, by content.
    #[must_use]
    pub fn resuming(mut self, cut: &str, files: &HashMap<[u8; 32], Vec<u8>>, new: &Manifest) -> Self {
        for (entry, way) in new.entries().iter().zip(&mut self.ways) {
            let Kind::File { size, sha256, exec } = &entry.kind else {
                continue;
            };
            let Some(at) = files.get(sha256).filter(|at| at.len() <= LONGEST) else {
                continue;
            };
            if *way != Way::Sent || *size == 0 {
                continue;
            }
            *way = Way::Arrived(at.clone());
            self.cut = Some(cut.to_owned());
            self.files -= 1;
            self.sent -= size;
            self.saved += size;
            self.moved += size;
            self.copied.push((entry.path.clone(), *exec));
        }
        self.copied.sort();
        self
    }

    /// What an upload that was cut has already: files, and their bytes.
    pub fn arrived(&self, new: &Manifest) -> (usize, u64) {
        let sizes = new
            .entries()
            .iter()
            .zip(&self.ways)
            .filter_map(|(entry, way)| match (&entry.kind, way) {
                (Kind::File { size, .. }, Way::Arrived(_)) => Some(*size),
                _ => None,
            });
        sizes.fold((0, 0), |(files, bytes), size| (files + 1, bytes + size))
    }

    /// Bytes of files that take room on the host: those that are not shared with the base.
    pub fn taken(&self) -> u64 {
        self.sent + self.moved
    }

    /// Inodes that the release takes beyond those that it shares with its base, its own directory included.
    pub fn inodes(&self, new: &Manifest) -> u64 {
        let shared = |(entry, way): &(&Entry, &Way)| matches!(entry.kind, Kind::File { .. }) && **way == Way::Same;
        let shared = new.entries().iter().zip(&self.ways).filter(shared).count();
        new.inodes() - shared as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, content: u8, exec: bool) -> Entry {
        let kind = Kind::File {
            size: 10,
            sha256: [content; 32],
            exec,
        };
        Entry {
            path: path.into(),
            kind,
        }
    }

    fn dir(path: &str) -> Entry {
        Entry {
            path: path.into(),
            kind: Kind::Dir,
        }
    }

    fn link(path: &str) -> Entry {
        let target = b"same".to_vec();
        Entry {
            path: path.into(),
            kind: Kind::Link { target },
        }
    }

    #[test]
    fn only_what_the_base_does_not_have_is_sent() {
        let base = Base {
            id: "b".into(),
            manifest: Manifest::new(vec![
                dir("d"),
                file("d/old-name", 1, false),
                file("edited", 2, false),
                file("edited-there", 3, false),
                file("exec", 4, false),
                link("link"),
                file("same", 5, false),
                file("to-dir", 6, false),
            ]),
            changed: HashSet::from([b"edited-there".to_vec()]),
        };
        let new = Manifest::new(vec![
            dir("e"),
            file("e/new-name", 1, false),
            file("edited", 9, false),
            file("edited-there", 3, false),
            file("exec", 4, true),
            link("link"),
            file("same", 5, false),
            dir("to-dir"),
        ]);
        let delta = Delta::against(&base, &new);
        assert_eq!(
            delta.ways,
            [
                Way::Sent,
                Way::Copied(b"d/old-name".to_vec()),
                Way::Sent,
                Way::Sent,
                Way::Copied(b"exec".to_vec()),
                Way::Sent,
                Way::Same,
                Way::Sent
            ]
        );
        let paths = |names: &[&str]| names.iter().map(|name| name.as_bytes().to_vec()).collect::<Vec<_>>();
        assert_eq!(
            delta.except,
            paths(&["d", "d/old-name", "edited", "edited-there", "exec", "to-dir"])
        );
        assert_eq!(
            delta.copied,
            [(b"e/new-name".to_vec(), false), (b"exec".to_vec(), true)]
        );
        assert_eq!((delta.files, delta.sent, delta.saved), (2, 20, 30));
        assert_eq!(delta.inodes(&new), new.inodes() - 1);
    }

    #[test]
    fn nothing_is_sent_of_a_release_that_the_base_is() {
        let manifest = Manifest::new(vec![dir("d"), file("d/a", 1, true)]);
        let base = Base {
            id: "b".into(),
            manifest: manifest.clone(),
            changed: HashSet::new(),
        };
        let delta = Delta::against(&base, &manifest);
        assert_eq!((delta.files, delta.sent, delta.saved), (0, 0, 10));
        assert!(delta.except.is_empty() && delta.copied.is_empty());
        let whole = Delta::whole(&manifest);
        assert_eq!((whole.files, whole.sent, whole.saved), (1, 10, 0));
    }
}
