//! What a person should know about a tree that can be shipped: what is dropped on the way, what looks private.

use std::collections::HashMap;

use icu_normalizer::ComposingNormalizerBorrowed;

use super::walk::{Found, Node};
use crate::text;

/// How many names a warning gives; the rest is counted.
const NAMED: usize = 10;

/// Files below this size (bytes) are not told to have holes.
const SPARSE: u64 = 1 << 20;

/// The warnings about what a walk found, which is sorted by path. `capable` are the files with Linux
/// capabilities, `pointers` those of Git LFS; `special` those whose set-id or sticky bit was dropped before the walk.
pub(super) fn warnings(found: &[Found], capable: &[&[u8]], pointers: &[&[u8]], special: &[Vec<u8>]) -> Vec<String> {
    let paths = |wanted: &dyn Fn(&Found) -> bool| -> Vec<&[u8]> {
        found
            .iter()
            .filter(|found| wanted(found))
            .map(|found| found.path.as_slice())
            .collect()
    };
    let link = |found: &Found| matches!(found.node, Node::Link(_));
    let mut set_id = paths(&|found| !link(found) && found.mode & 0o7000 != 0);
    set_id.extend(special.iter().map(Vec::as_slice));
    set_id.sort_unstable();
    let open = paths(&|found| !link(found) && found.mode & 0o002 != 0);
    let private = paths(&|found| found.node == Node::File && found.mode & 0o044 == 0);
    let sparse = paths(&|found| {
        // A compressing file system takes less too; twice less is told.
        let size = found.stamp.size();
        found.node == Node::File && size >= SPARSE && found.taken < size / 2
    });
    let nfc = ComposingNormalizerBorrowed::new_nfc();
    let secret = paths(&|found| found.node == Node::File && found.path.ends_with(b".pem"));
    [
        ("setuid, setgid and sticky bits are not shipped", set_id),
        ("world-writable here, writable only by the owner on the host", open),
        (
            "readable only by the owner here, readable by every user on the host",
            private,
        ),
        ("Linux capabilities are not shipped", capable.to_vec()),
        (
            "Git LFS pointers are shipped in place of these files, until `git lfs pull` fetches them",
            pointers.to_vec(),
        ),
        ("may be a secret, and every user of the host can read it", secret),
        (
            "names that differ only in case",
            alike(found, &|text| text.to_lowercase()),
        ),
        (
            "names that look the same but differ in Unicode normalization",
            alike(found, &|text| nfc.normalize(text).into_owned()),
        ),
        ("sparse here, stored at full size on the host", sparse),
    ]
    .into_iter()
    .filter(|(_, paths)| !paths.is_empty())
    .map(|(text, paths)| format!("{text}: {}", names(&paths)))
    .collect()
}

fn names(paths: &[&[u8]]) -> String {
    let shown: Vec<String> = paths.iter().take(NAMED).map(|path| text::shown(path)).collect();
    let more = paths.len() - shown.len();
    let rest = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    shown.join(", ") + &rest
}

/// Paths that are one when they are read so, each group in full.
fn alike<'a>(found: &'a [Found], read: &dyn Fn(&str) -> String) -> Vec<&'a [u8]> {
    let folded = |path: &[u8]| match std::str::from_utf8(path) {
        Ok(text) => read(text).into_bytes(),
        Err(_) => path.to_vec(),
    };
    let mut seen: HashMap<Vec<u8>, u32> = HashMap::new();
    for found in found {
        *seen.entry(folded(&found.path)).or_default() += 1;
    }
    if seen.len() == found.len() {
        return Vec::new();
    }
    let twice = |found: &&Found| seen.get(&folded(&found.path)).is_some_and(|&count| count > 1);
    found.iter().filter(twice).map(|found| found.path.as_slice()).collect()
}
