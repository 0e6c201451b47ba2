//! Filling the small disk of a host, from outside: no process of the host is needed for it.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;

use super::Host;

impl Host {
    /// Takes every block of the small disk: not one byte can be written to a new file in `/opt` afterwards.
    pub fn fill_disk_blocks(&self) {
        let folder = self.folder(".full");
        // One large file takes nearly all. What it leaves, because it cannot grow without a block for its own
        // map, goes to files of one block each; and what a sync gives back of blocks that were only promised,
        // to another round.
        for round in 0.. {
            let mut large = File::create(folder.join(format!("{round}"))).unwrap();
            let chunk = vec![b'x'; 1 << 16];
            while room(large.write(&chunk)) {}
            let mut small = 0;
            while room(fs::write(folder.join(format!("{round}-{small}")), "x")) {
                small += 1;
            }
            if small == 0 && round > 0 {
                break;
            }
            room(large.sync_all());
            rustix::fs::syncfs(&large).unwrap();
        }
    }

    /// Takes every inode of the small disk: no file, folder or link can be made in `/opt` afterwards.
    pub fn fill_disk_inodes(&self) {
        let folder = self.folder(".inodes");
        let mut number = 0;
        while room(File::create(folder.join(number.to_string()))) {
            number += 1;
        }
    }

    /// Gives back what was taken.
    pub fn free_disk(&self) {
        for taken in [".full", ".inodes"].map(|name| self.disk().join(name)) {
            if taken.is_dir() {
                fs::remove_dir_all(taken).unwrap();
            }
        }
    }

    /// A folder on the small disk, made now if there is none.
    fn folder(&self, name: &str) -> PathBuf {
        let folder = self.disk().join(name);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn disk(&self) -> PathBuf {
        let disk = self.dir().join("opt");
        assert!(disk.is_dir(), "boot this host with Suite::with_small_disk");
        disk
    }
}

/// Whether there was room for that.
fn room<T>(result: io::Result<T>) -> bool {
    match result {
        Ok(_) => true,
        Err(error) if error.kind() == ErrorKind::StorageFull => false,
        Err(error) => panic!("filling the disk: {error}"),
    }
}
