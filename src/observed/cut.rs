//! What cut.sh printed: an upload that was cut, and what it left. Foreign bytes: the host compares the whole release with its
//! digest in any case.

use std::collections::HashMap;

/// An upload that no session fills any more.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct CutUpload {
    /// `.in-ID`, in `releases/`.
    pub name: String,
    /// The path of a file with this sha256.
    pub files: HashMap<[u8; 32], Vec<u8>>,
}

impl CutUpload {
    /// Reads what cut.sh printed, without its last line; `None` when there is no such upload.
    pub fn parse(out: &[u8]) -> Option<Self> {
        let end = out.iter().position(|&byte| byte == b'\n')?;
        let name = std::str::from_utf8(&out[..end]).ok()?.strip_prefix("cut ")?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if !name.strip_prefix(".in-")?.bytes().all(plain) {
            return None;
        }
        let files = out[end + 1..].split(|&byte| byte == 0).filter_map(|record| {
            let (hash, path) = record.split_at_checked(64)?;
            Some((sha256(hash)?, path.strip_prefix(b"  ./")?.to_vec()))
        });
        Some(Self {
            name: name.to_owned(),
            files: files.collect(),
        })
    }
}

fn sha256(hex: &[u8]) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(hex.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_a_cut_upload_are_found_by_content() {
        let hash = "0f".repeat(32);
        let said = format!("cut .in-20260101-000000-2\n{hash}  ./a\nb\0");
        let cut = CutUpload::parse(said.as_bytes()).unwrap();
        assert_eq!(cut.name, ".in-20260101-000000-2");
        assert_eq!(cut.files.get(&[15; 32]).unwrap(), b"a\nb");
        for other in ["", "cut .in-../x\n", "cut 2026\n", "cut .in-1", "base 1 2\n"] {
            assert_eq!(CutUpload::parse(other.as_bytes()), None, "{other}");
        }
        let torn = format!("cut .in-1\n{}  ./a\0{hash} ./b\0", &hash[1..]);
        assert_eq!(CutUpload::parse(torn.as_bytes()).unwrap().files.len(), 0);
    }
}
