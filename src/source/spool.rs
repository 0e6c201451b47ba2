//! A private directory for an archive's content: nobody else can enter it, and it is removed when it is dropped. What is
//! written there stands elsewhere.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, mkdirat};

#[derive(Debug)]
pub(super) struct Spool {
    path: PathBuf,
}

impl Spool {
    /// Makes one in a directory for temporary files. Fails as mkdir(2) does, and when the system has no random bytes.
    pub(super) fn new(place: &Path) -> io::Result<Self> {
        let mut random = [0u8; 8];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let path = place.join(format!("shipit-{:016x}", u64::from_ne_bytes(random)));
        // Fails when something has that name: what is there is never used.
        mkdirat(CWD, &path, Mode::RWXU)?;
        Ok(Self { path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // Removes symlinks, not what they lead to. What cannot be removed is left to the system's own clean-up.
        let _ = fs::remove_dir_all(&self.path);
    }
}
