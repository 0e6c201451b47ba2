//! The manifests that this machine remembers, so that a host need not send them again: files named by their digest below
//! `$XDG_CACHE_HOME/shipit` or `~/.cache/shipit`. Never trusted without that digest; a file that is missing, cut or
//! changed is as good as none, and all may be removed at any time.

use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use crate::release::{Digest, Manifest};

/// How many are kept.
const KEPT: usize = 16;
/// The most that a manifest may be, in bytes: a million files.
const LONGEST: u64 = 256 << 20;

/// Those that are remembered, the newest first.
pub fn known() -> Vec<Digest> {
    files().into_iter().map(|(_, digest)| digest).collect()
}

/// The manifest with this digest, if it is remembered.
pub fn recall(digest: Digest) -> Option<Manifest> {
    let path = directory()?.join(digest.to_string());
    let manifest = read(&fs::read(&path).ok()?, digest);
    if manifest.is_none() {
        let _ = fs::remove_file(path);
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
    let _ = write(manifest, digest);
    for (_, old) in files().into_iter().skip(KEPT) {
        let _ = directory().map(|dir| fs::remove_file(dir.join(old.to_string())));
    }
}

fn write(manifest: &Manifest, digest: Digest) -> Option<()> {
    let dir = directory()?;
    fs::create_dir_all(&dir).ok()?;
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(&manifest.to_host_bytes()).ok()?;
    // Another run may write the same one; what is cut never has its name, and would not have its digest.
    let part = dir.join(format!(".{}", std::process::id()));
    fs::write(&part, out.finish().ok()?).ok()?;
    fs::rename(&part, dir.join(digest.to_string())).ok()
}

fn directory() -> Option<PathBuf> {
    let absolute = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(cache.join("shipit/manifests"))
}

/// The files, the newest first.
fn files() -> Vec<(SystemTime, Digest)> {
    let Some(entries) = directory().and_then(|dir| fs::read_dir(dir).ok()) else {
        return Vec::new();
    };
    let of = |entry: fs::DirEntry| {
        let digest = Digest::parse(entry.file_name().as_encoded_bytes())?;
        Some((entry.metadata().ok()?.modified().ok()?, digest))
    };
    let mut files: Vec<_> = entries.flatten().filter_map(of).collect();
    files.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
    files
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
