//! Whether the stat of a file tells each change to it: so it is on the file systems that this kernel keeps itself. What
//! another machine or a program keeps may answer from a cache, or as it likes. The one place that asks for the type of a file
//! system, which only Linux has in this form: elsewhere none is known.

use std::os::fd::AsFd;

use rustix::fs::fstatfs;

/// The types of `statfs(2)`, as in `linux/magic.h` and, of ZFS, in OpenZFS.
const LOCAL: [u32; 8] = [
    0x0000_ef53, // ext2, ext3, ext4
    0x5846_5342, // XFS
    0x9123_683e, // Btrfs
    0xf2f5_2010, // F2FS
    0x2fc1_2fc1, // ZFS
    0xca45_1a4e, // bcachefs
    0x0102_1994, // tmpfs
    0x794c_7630, // overlayfs
];

/// Whether this is on such a file system; not where that cannot be asked.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::unnecessary_cast,
    reason = "the type varies by platform; the number has 32 bits"
)]
pub(super) fn is_local(dir: impl AsFd) -> bool {
    fstatfs(dir).is_ok_and(|system| LOCAL.contains(&(system.f_type as u32)))
}
