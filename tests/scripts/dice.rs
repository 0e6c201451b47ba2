//! Random names, contents and edits of a tree that are the same in every run. Nothing here knows what they are for.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

/// Numbers that are the same in every run.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }

    pub fn name(&mut self) -> Vec<u8> {
        const NAMES: &[&[u8]] = &[
            b"a",
            b"b",
            b"c",
            b"d",
            b"e",
            b"new\nline",
            b" x ",
            b"-rf",
            b"d 755 x",
            b"\xff\xfe",
            b"*",
            b"back\\slash",
            b"f 644 1 a",
            b"'q'",
        ];
        NAMES[self.roll(NAMES.len())].to_vec()
    }

    /// Few contents, so that one is found under several names.
    pub fn content(&mut self) -> Vec<u8> {
        let size = [0, 1, 512, 3000, 70_000, 1_200_000][self.roll(6)];
        let seed = self.roll(5);
        (0..size).map(|at| (at * 7 + at / 300 * seed + seed) as u8).collect()
    }

    /// A path below that directory: a new one, or one that is there.
    fn path(&mut self, root: &Path) -> PathBuf {
        let mut path = root.to_owned();
        for _ in 0..=self.roll(3) {
            if path.is_dir() && !path.is_symlink() {
                path.push(OsStr::from_bytes(&self.name()));
            }
        }
        path
    }

    /// One edit below that directory: content, type, mode, name, or none.
    pub fn edit(&mut self, root: &Path) {
        let path = self.path(root);
        let clear = |path: &Path| {
            if path.is_dir() && !path.is_symlink() {
                fs::remove_dir_all(path).unwrap();
            } else {
                drop(fs::remove_file(path));
            }
        };
        match self.roll(9) {
            0 => clear(&path),
            1 => {
                clear(&path);
                fs::create_dir(&path).unwrap();
            }
            2 => {
                clear(&path);
                symlink("a", &path).unwrap();
            }
            3 if path.is_file() && !path.is_symlink() => {
                let mode = if self.roll(2) == 0 { 0o755 } else { 0o640 };
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            }
            8 if path.is_file() && !path.is_symlink() => {
                // In place, with the same size and time.
                let old = fs::metadata(&path).unwrap();
                let mut content = self.content();
                content.resize(usize::try_from(old.len()).unwrap(), b'x');
                let mut file = fs::File::options().write(true).open(&path).unwrap();
                file.write_all(&content).unwrap();
                file.set_modified(old.modified().unwrap()).unwrap();
            }
            4 => {
                let to = self.path(root);
                if path.symlink_metadata().is_ok() && !to.starts_with(&path) && !path.starts_with(&to) {
                    clear(&to);
                    fs::rename(&path, &to).unwrap();
                }
            }
            _ => {
                clear(&path);
                fs::write(&path, self.content()).unwrap();
            }
        }
    }
}
