//! What differs from the base, as `remote/stage/reuse.sh` reads it: records that end in NUL, sorted by path within each
//! kind. `x`: a path of the base that is not taken over; `n` and `e`: a path that is copied there, normal or executable; `b` and
//! `p` or `q`: a file of the base, and the path that came as a patch against it, normal or executable.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::release::{Delta, Kind, Manifest, Way};

/// From this many bytes on, the host hashes files while others still arrive. Below, that would cost more than it saves.
const AHEAD: u64 = 8 << 20;

/// What `remote/stage/receive.sh` has to do beside unpacking, as its words. What is copied is hashed afterwards.
pub fn to_do(delta: &Delta) -> String {
    let moved = !delta.copied.is_empty();
    let words = [
        ("ahead", delta.sent >= AHEAD && !moved),
        ("moved", moved),
        ("patched", delta.has_patches()),
    ];
    let words: Vec<&str> = words
        .iter()
        .filter(|(_, wanted)| *wanted)
        .map(|(word, _)| *word)
        .collect();
    words.join(" ")
}

/// The list, compressed by gzip; empty when everything is sent.
pub fn list(delta: &Delta, new: &Manifest) -> Vec<u8> {
    if delta.base.is_none() && delta.copied.is_empty() {
        return Vec::new();
    }
    let mut text = Vec::new();
    let mut record = |kind: u8, path: &[u8]| {
        text.push(kind);
        text.extend_from_slice(b"./");
        text.extend_from_slice(path);
        text.push(0);
    };
    for path in &delta.except {
        record(b'x', path);
    }
    for (path, exec) in &delta.copied {
        record(if *exec { b'e' } else { b'n' }, path);
    }
    for (entry, way) in new.entries().iter().zip(&delta.ways) {
        if let (Way::Patched { from, .. }, Kind::File { exec, .. }) = (way, &entry.kind) {
            record(b'b', from);
            record(if *exec { b'q' } else { b'p' }, &entry.path);
        }
    }
    let mut out = GzEncoder::new(Vec::new(), Compression::new(6));
    // Writing to memory does not fail.
    let _ = out.write_all(&text);
    out.finish().unwrap_or_default()
}
