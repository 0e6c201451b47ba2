//! Filling and breaking the small disk of a host, from outside: no process of the host is needed for it.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Host;
use crate::bounds::Ends as _;

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

    /// The file system of the small disk meets an error, as on a disk that fails: mounted with `errors=remount-ro`,
    /// it turns read-only at once, and stays so until it is repaired.
    pub fn break_disk(&self) {
        let disk = self.disk();
        run(
            "mount",
            &[Path::new("-o"), Path::new("remount,errors=remount-ro"), &disk],
        );
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let device = mounts.lines().find_map(|line| {
            let (device, rest) = line.split_once(' ')?;
            (Path::new(rest.split(' ').next()?) == disk).then(|| device.trim_start_matches("/dev/"))
        });
        let trigger = format!("/sys/fs/ext4/{}/trigger_fs_error", device.unwrap());
        fs::write(trigger, "shipit's lab\n").unwrap();
    }

    /// What an administrator does after it, with the host off: the file system is checked and repaired. On a copy, as a mount is
    /// over only when every mount namespace has let go of it, and a host that boots just now holds one.
    pub fn repair_disk(&self) {
        run("umount", &[&self.disk()]);
        let (image, copy) = (self.dir().join("disk.img"), self.dir().join("disk.img.new"));
        run("cp", &[Path::new("--sparse=always"), &image, &copy]);
        run("e2fsck", &[Path::new("-fy"), &copy]);
        fs::rename(copy, image).unwrap();
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

fn run(program: &str, args: &[&Path]) {
    let output = Command::new(program).args(args).ends();
    // e2fsck exits with 1 when it has repaired something.
    let repaired = program == "e2fsck" && output.status.code() == Some(1);
    assert!(output.status.success() || repaired, "{program} {args:?}: {output:?}");
}

/// Whether there was room for that.
fn room<T>(result: io::Result<T>) -> bool {
    match result {
        Ok(_) => true,
        Err(error) if error.kind() == ErrorKind::StorageFull => false,
        Err(error) => panic!("filling the disk: {error}"),
    }
}
