//! One file of a scanned source, read once more: all of it as it was scanned, or an error. Nothing here decides what for.

use std::fs::File;
use std::io::{self, Read};

use sha2::{Digest as _, Sha256};

use super::scan::Scanned;
use super::tree::Parents;
use crate::release::Kind;

/// The content. The read that would be the last one fails if anything differs from what was scanned.
#[derive(Debug)]
pub struct Content {
    file: File,
    expected: [u8; 32],
    hash: Sha256,
}

impl Scanned {
    /// The file that stands here in the manifest; `None` if it is none, or was replaced or touched since the scan.
    pub fn content(&self, at: usize) -> Option<Content> {
        let entry = self.manifest.entries().get(at)?;
        let Kind::File { sha256, .. } = entry.kind else {
            return None;
        };
        let file = Parents::new(&self.tree)
            .file(&entry.path, self.stamps.get(at)?)
            .ok()??;
        Some(Content {
            file,
            expected: sha256,
            hash: Sha256::new(),
        })
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        self.hash.update(&buffer[..n]);
        let over = n == 0 && !buffer.is_empty();
        if over && <[u8; 32]>::from(self.hash.clone().finalize()) != self.expected {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(n)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;
    use crate::interrupt::Interrupts;
    use crate::source::{Source, scan};

    #[test]
    fn a_file_is_read_as_it_was_scanned_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["kept", "touched", "written"] {
            fs::write(dir.path().join(name), "scanned").unwrap();
        }
        fs::create_dir(dir.path().join("dir")).unwrap();
        let scanned = scanned(dir.path());
        let read = |at: usize| -> Option<Vec<u8>> {
            let mut content = scanned.content(at)?;
            // Written with the time and the size that it had.
            if at == 3 {
                let file = File::options().write(true).open(dir.path().join("written")).unwrap();
                let time = file.metadata().unwrap().modified().unwrap();
                std::os::unix::fs::FileExt::write_all_at(&file, b"another", 0).unwrap();
                file.set_modified(time).unwrap();
            }
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes).ok().map(|_| bytes)
        };
        fs::write(dir.path().join("touched"), "changed").unwrap();
        let all: Vec<_> = (0..5).map(read).collect();
        assert_eq!(all, [None, Some(b"scanned".to_vec()), None, None, None]);
    }

    fn scanned(path: &std::path::Path) -> Scanned {
        let none: Vec<String> = Vec::new();
        let source = Source {
            path,
            exclude: &none,
            allow_secrets: &none,
            identity: None,
            hashes: None,
        };
        scan(&source, &Interrupts::never().unwrap()).unwrap()
    }
}
