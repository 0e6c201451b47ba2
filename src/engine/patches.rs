//! Copies of big files that were sent, kept on this machine, and the patches that are made from them when a file changes.
//! Without a copy a file travels whole; a copy that is not what its name says is removed.

use std::io::Read as _;
use std::thread::{self, JoinHandle};

use sha2::{Digest as _, Sha256};

use super::base::Found;
use crate::cache::Shelf;
use crate::observed::Observed;
use crate::release::{Delta, Digest, Kind, PATCHABLE, Way};
use crate::source::Scanned;
use crate::upload;

/// How many are kept, and the bytes of all.
const KEPT: usize = 64;
const ROOM: u64 = 512 << 20;
/// Bytes of all patches of one upload: they wait in memory.
const MOST: usize = 64 << 20;

fn shelf() -> Option<Shelf> {
    Some(Shelf::of_user("files", KEPT)?.within(ROOM))
}

/// The delta, with patches in the place of files whose old content is remembered here, as far as they are smaller. On the
/// host at most half of the memory that is available is used.
pub fn patch(mut delta: Delta, found: Option<&Found>, scanned: &Scanned, observed: &Observed) -> Delta {
    let (Some(found), Some(kb), Some(shelf)) = (found, observed.patch_kb, shelf()) else {
        return delta;
    };
    let mut left = MOST;
    for pair in delta.pairs(&found.base, &scanned.manifest) {
        if pair.size / 1024 > kb / 2 {
            continue;
        }
        let name = Digest(pair.old).to_string();
        let Some(old) = shelf.read(&name) else { continue };
        if <[u8; 32]>::from(Sha256::digest(&old)) != pair.old {
            shelf.remove(&name);
            continue;
        }
        let mut new = Vec::new();
        // What changed meanwhile is found when it is packed.
        let whole = scanned
            .content(pair.at)
            .is_some_and(|mut content| content.read_to_end(&mut new).is_ok());
        if let Some(patch) = Some(new).filter(|_| whole).and_then(|new| upload::patch(&old, &new))
            && patch.len() <= left
        {
            left -= patch.len();
            delta.patch(pair, patch, &scanned.manifest);
        }
    }
    delta
}

/// The big files that will be copied once they are on the host.
pub struct Uncopied {
    scanned: Scanned,
    /// Their places in the manifest, and their names here.
    files: Vec<(usize, String)>,
}

/// The copying, beside the deploy. Waited for when it is dropped.
pub struct Copying(Option<JoinHandle<()>>);

/// What is not remembered yet, those first that this delta sends; `None` if that is nothing, or if the host cannot take
/// patches.
pub fn uncopied(scanned: &Scanned, delta: &Delta, observed: &Observed) -> Option<Uncopied> {
    observed.patch_kb?;
    let shelf = shelf()?;
    let known = shelf.names();
    let mut files = Vec::new();
    for (at, (entry, way)) in scanned.manifest.entries().iter().zip(&delta.ways).enumerate() {
        let Kind::File { size, sha256, .. } = entry.kind else {
            continue;
        };
        if !PATCHABLE.contains(&size) {
            continue;
        }
        let name = Digest(sha256).to_string();
        if known.contains(&name) {
            shelf.used(&name);
        } else {
            let sent = matches!(way, Way::Sent | Way::Patched(_) | Way::Arrived(_));
            files.push((!sent, at, name, size));
        }
    }
    files.sort();
    let mut left = ROOM;
    files.retain(|(.., size)| {
        let fits = *size <= left;
        left -= if fits { *size } else { 0 };
        fits
    });
    let files: Vec<_> = files
        .into_iter()
        .take(KEPT)
        .map(|(_, at, name, _)| (at, name))
        .collect();
    let scanned = scanned.clone();
    (!files.is_empty()).then_some(Uncopied { scanned, files })
}

impl Uncopied {
    /// Copies them in a thread of its own.
    pub fn copy(self) -> Copying {
        let copy = move || {
            for (at, name) in self.files {
                if let (Some(shelf), Some(mut content)) = (shelf(), self.scanned.content(at)) {
                    shelf.copy(&name, &mut content);
                }
            }
        };
        Copying(thread::Builder::new().name("copies".into()).spawn(copy).ok())
    }
}

impl Drop for Copying {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            let _ = thread.join();
        }
    }
}
