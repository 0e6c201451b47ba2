//! A patch that makes a new file from an old one: a zstd frame that refers to the old content, as `zstd --patch-from` reads
//! it. Nothing here decides which file is patched.

use zstd::zstd_safe::{CCtx, CParameter};

/// As for other content that is sent; a higher one costs more time than it saves (measured on programs of 70 MB).
const LEVEL: i32 = 7;

/// The patch, if it is at most an eighth of the new content, or at most half of it and smaller than that content compressed
/// alone. Takes memory for the new content once more, and some 40 MB.
pub fn patch(old: &[u8], new: &[u8]) -> Option<Vec<u8>> {
    // All of both must be within reach.
    let window = (old.len() + new.len()).max(1).ilog2() + 1;
    let mut context = CCtx::create();
    for parameter in [
        CParameter::CompressionLevel(LEVEL),
        CParameter::WindowLog(window.clamp(10, 30)),
        CParameter::EnableLongDistanceMatching(true),
    ] {
        context.set_parameter(parameter).ok()?;
    }
    context.ref_prefix(old).ok()?;
    // What is larger does not fit.
    let mut patch = Vec::with_capacity(new.len() / 2);
    context.compress2(&mut patch, new).ok()?;
    if patch.len() > new.len() / 8 {
        let mut alone = CCtx::create();
        alone.set_parameter(CParameter::CompressionLevel(LEVEL)).ok()?;
        // It fits only if it is smaller than the patch.
        let mut smaller = Vec::with_capacity(patch.len().saturating_sub(1));
        if alone.compress2(&mut smaller, new).is_ok() {
            return None;
        }
    }
    patch.shrink_to_fit();
    Some(patch)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;

    fn noise(length: usize, seed: u64) -> Vec<u8> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        (0..length).map(|_| next()).collect()
    }

    /// What the program makes of a patch.
    fn unpacked(old: &[u8], patch: &[u8]) -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("old"), old).unwrap();
        fs::write(at("patch"), patch).unwrap();
        let mut zstd = Command::new("zstd");
        zstd.current_dir(dir.path());
        zstd.args(["-dq", "--patch-from=old", "-o", "new", "patch"]);
        assert!(zstd.status().unwrap().success());
        fs::read(at("new")).unwrap()
    }

    #[test]
    fn the_program_makes_the_new_file_from_the_old_one() {
        let old = noise(3 << 20, 1);
        let mut edited = old.clone();
        edited[1 << 20] ^= 1;
        edited.splice(5000..5000, *b"inserted");
        let moved = [&old[2 << 20..], &old[..2 << 20]].concat();
        let longer = [old.clone(), b"more".repeat(500_000)].concat();
        for (new, most) in [
            (&edited, 3000),
            (&moved, 3000),
            (&longer, 3000),
            (&old[..1 << 20].to_vec(), 500),
        ] {
            let patch = patch(&old, new).unwrap();
            assert!(patch.len() < most, "{} of {}", patch.len(), new.len());
            assert!(unpacked(&old, &patch) == *new);
        }
    }

    #[test]
    fn what_a_patch_would_not_make_smaller_is_not_patched() {
        assert_eq!(patch(&noise(2 << 20, 1), &noise(2 << 20, 2)), None);
        let words = b"one word after another ".repeat(100_000);
        // Alone it is as small.
        assert!(patch(&noise(2 << 20, 1), &words).is_none_or(|patch| patch.len() < words.len() / 8));
    }
}
