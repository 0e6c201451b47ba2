//! The manifests that this machine remembers, so that a host need not send them again: files of the cache, named by their
//! digest. Never trusted without that digest; a file that is missing, cut or changed is as good as none.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use crate::cache::Shelf;
use crate::release::{Digest, Manifest};

/// How many are kept.
const KEPT: usize = 16;
/// The most that a manifest may be, in bytes: a million files.
const LONGEST: u64 = 256 << 20;

fn shelf() -> Option<Shelf> {
    Shelf::of_user("manifests", KEPT)
}

/// Those that are remembered, the newest first.
pub fn known() -> Vec<Digest> {
    let names = shelf().map(|shelf| shelf.names()).unwrap_or_default();
    names.iter().filter_map(|name| Digest::parse(name.as_bytes())).collect()
}

/// The manifest with this digest, if it is remembered.
pub fn recall(digest: Digest) -> Option<Manifest> {
    let (shelf, name) = (shelf()?, digest.to_string());
    let manifest = read(&shelf.read(&name)?, digest);
    if manifest.is_none() {
        shelf.remove(&name);
    }
    manifest
}

/// A compressed manifest, if it has this digest.
pub fn read(compressed: &[u8], digest: Digest) -> Option<Manifest> {
    let mut bytes = Vec::new();
    GzDecoder::new(compressed).take(LONGEST).read_to_end(&mut bytes).ok()?;
    let manifest = Manifest::parse_host(&bytes).ok()?;
    (manifest.digest() == digest).then_some(manifest)
}

/// Remembers a manifest; without a word where that fails.
pub fn remember(manifest: &Manifest, digest: Digest) {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    let compressed = out.write_all(&manifest.to_host_bytes()).and_then(|()| out.finish());
    if let (Some(shelf), Ok(compressed)) = (shelf(), compressed) {
        shelf.write(&digest.to_string(), &compressed);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_taken_only_with_its_own_digest() {
        let manifest = Manifest::default();
        let mut out = GzEncoder::new(Vec::new(), Compression::fast());
        out.write_all(&manifest.to_host_bytes()).unwrap();
        let compressed = out.finish().unwrap();
        assert_eq!(read(&compressed, manifest.digest()), Some(manifest.clone()));
        assert_eq!(read(&compressed, Digest([7; 32])), None);
        assert_eq!(read(&compressed[..5], manifest.digest()), None);
    }
}
