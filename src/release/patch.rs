//! Which files travel as a patch against a file of the base: pure. How a patch is made is in `upload::patch`, what the
//! host does with it in `remote/stage/reuse.sh`.

use super::delta::{Base, Delta, LONGEST, Way};
use super::manifest::{Kind, Manifest};

/// Sizes of files that are patched, in bytes. A smaller one hardly costs anything; for a larger one, both ends would need
/// too much memory: they hold the old and the new file.
pub const PATCHABLE: std::ops::RangeInclusive<u64> = 1 << 20..=128 << 20;

/// A file that would be sent, and the file of the base that it probably comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Where the new file stands in its manifest.
    pub at: usize,
    /// The path in the base.
    pub from: Vec<u8>,
    /// The sha256 of what is there.
    pub old: [u8; 32],
    /// Bytes of memory that the host needs: both, or twice the old one, which zstd up to 1.5.4 copies before it begins.
    pub memory: u64,
}

/// A file of the base that a patch can be made against: path, sha256, size.
type Old<'a> = (&'a [u8], [u8; 32], u64);

impl Delta {
    /// The files that may travel as patches: those to be sent that the base has with other content, at the same path or
    /// under a name that differs only a little (`app-1.2.jar` and `app-1.3.jar`).
    pub fn pairs(&self, base: &Base, new: &Manifest) -> Vec<Pair> {
        // Under another name only what the new release does not have any longer.
        let gone: Vec<Old<'_>> = self
            .except
            .iter()
            .filter(|path| new.get(path).is_none())
            .filter_map(|path| old(base, path))
            .collect();
        let mut pairs = Vec::new();
        for (at, (entry, way)) in new.entries().iter().zip(&self.ways).enumerate() {
            let Kind::File { size, .. } = entry.kind else { continue };
            if *way != Way::Sent || !PATCHABLE.contains(&size) || entry.path.len() > LONGEST {
                continue;
            }
            let like = || {
                let alike = |old: &&Old<'_>| likeness(old.0, &entry.path);
                gone.iter().filter(|old| alike(old).is_some()).max_by_key(alike)
            };
            if let Some((from, sha256, old_size)) = old(base, &entry.path).or_else(|| like().copied()) {
                pairs.push(Pair {
                    at,
                    from: from.to_vec(),
                    old: sha256,
                    memory: old_size + size.max(old_size),
                });
            }
        }
        pairs
    }

    /// Lets the new file of this pair travel as a patch, which is smaller.
    pub fn patch(&mut self, pair: Pair, patch: Vec<u8>, new: &Manifest) {
        let (Some(entry), Some(way)) = (new.entries().get(pair.at), self.ways.get_mut(pair.at)) else {
            return;
        };
        let Kind::File { size, .. } = entry.kind else { return };
        let less = size.saturating_sub(patch.len() as u64);
        *way = Way::Patched { from: pair.from, patch };
        self.sent -= less;
        self.saved += less;
        self.moved += less;
    }

    /// Whether a file travels as a patch.
    pub fn has_patches(&self) -> bool {
        self.ways.iter().any(|way| matches!(way, Way::Patched { .. }))
    }
}

/// What the base has at this path, if a patch can be made against it.
fn old<'a>(base: &Base, path: &'a [u8]) -> Option<Old<'a>> {
    match base.manifest.get(path) {
        Some(&Kind::File { size, sha256, .. }) => {
            let usable = PATCHABLE.contains(&size) && path.len() <= LONGEST && !base.changed.contains(path);
            usable.then_some((path, sha256, size))
        }
        _ => None,
    }
}

/// How many bytes two paths share at the beginning and the end of their names; `None` when they are in different
/// directories, have different extensions, or share neither half of a name nor its first word (`main.0a1b.js`).
fn likeness(a: &[u8], b: &[u8]) -> Option<usize> {
    let split = |path: &[u8]| path.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
    let ((dir, a), (other, b)) = (a.split_at(split(a)), b.split_at(split(b)));
    if dir != other || extension(a) != extension(b) {
        return None;
    }
    let first = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let rest = a.len().min(b.len()) - first;
    let ends = a.iter().rev().zip(b.iter().rev());
    let last = ends.take(rest).take_while(|(a, b)| a == b).count();
    let shared = first + last;
    let word = a[..first].iter().skip(1).any(|byte| b"._-".contains(byte));
    (word || shared * 2 >= a.len().max(b.len())).then_some(shared)
}

/// What follows the last dot, if it is no number: `server-1.2.0` has no extension.
fn extension(name: &[u8]) -> Option<&[u8]> {
    let at = name.iter().rposition(|&byte| byte == b'.')?;
    Some(&name[at + 1..]).filter(|extension| extension.first().is_some_and(u8::is_ascii_alphabetic))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::manifest::Entry;
    use super::*;

    fn file(path: &str, content: u8, size: u64) -> Entry {
        let kind = Kind::File {
            size,
            sha256: [content; 32],
            exec: content == 9,
        };
        Entry {
            path: path.into(),
            kind,
        }
    }

    const BIG: u64 = 3 << 20;

    fn base(changed: &[&str], files: Vec<Entry>) -> Base {
        Base {
            id: "b".into(),
            manifest: Manifest::new(files),
            changed: changed
                .iter()
                .map(|path| path.as_bytes().to_vec())
                .collect::<HashSet<_>>(),
        }
    }

    #[test]
    fn a_big_file_is_paired_with_the_one_at_its_path_or_with_one_of_a_similar_name_that_is_gone() {
        let base = base(
            &["edited-there"],
            vec![
                file("app-1.2.jar", 1, BIG),
                file("edited-there", 2, BIG),
                file("js/main.0a1b2c3d4e5f60718293.js", 3, BIG),
                file("kept-1.jar", 4, BIG),
                file("prog", 5, BIG),
                file("same", 6, BIG),
                file("server-1.2.9", 19, BIG),
                file("small", 7, 100),
                file("was-small", 8, 100),
            ],
        );
        let new = Manifest::new(vec![
            file("app-1.3.jar", 11, BIG + 5),
            file("edited-there", 12, BIG),
            file("js/main.9c8d7e6f5a4b3c2d1e0f.js", 13, BIG),
            file("kept-1.jar", 4, BIG),
            file("kept-2.jar", 14, BIG),
            file("prog", 15, BIG),
            file("same", 6, BIG),
            file("server-1.3.0", 20, BIG),
            file("small", 17, 101),
            file("unlike", 16, BIG),
            file("was-small", 18, BIG),
        ]);
        let delta = Delta::against(&base, &new);
        let pairs = delta.pairs(&base, &new);
        let named: Vec<_> = pairs
            .iter()
            .map(|pair| (String::from_utf8_lossy(&pair.from).into_owned(), pair.old[0], pair.at))
            .collect();
        assert_eq!(
            named,
            [
                ("app-1.2.jar".into(), 1, 0),
                ("js/main.0a1b2c3d4e5f60718293.js".into(), 3, 2),
                ("prog".into(), 5, 5),
                ("server-1.2.9".into(), 19, 7)
            ]
        );
        assert_eq!(pairs[0].memory, 2 * BIG + 5);
    }

    #[test]
    fn a_patch_counts_as_what_it_sends_and_takes_the_room_of_its_file() {
        let base = base(&[], vec![file("prog", 5, BIG)]);
        let new = Manifest::new(vec![file("prog", 9, BIG), file("a", 1, 10)]);
        let mut delta = Delta::against(&base, &new);
        let before = delta.clone();
        let pair = delta.pairs(&base, &new).remove(0);
        delta.patch(pair, vec![0; 1000], &new);
        assert_eq!((delta.sent, delta.saved), (1010, BIG - 1000));
        assert_eq!((delta.files, delta.taken()), (before.files, before.taken()));
        assert!(delta.has_patches() && !before.has_patches());
        assert!(delta.pairs(&base, &new).is_empty());
    }
}
