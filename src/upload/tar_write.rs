//! One member of a tar stream, in GNU format: long names and targets in members of their own before it, sizes over
//! 8 GiB in base 256. Owner and group are 0. Bytes only; what is shipped is decided elsewhere.

use std::io::{self, Write};

use tar::{EntryType, Header};

/// What a member is. Two names of one file are two files on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type<'a> {
    Dir,
    /// Bytes that follow, before [`pad`]; whether the mode is 0755 instead of 0644.
    File {
        size: u64,
        exec: bool,
    },
    Link(&'a [u8]),
    /// Another name of a file that is on the host.
    HardLink(&'a [u8]),
}

/// What stands before a member's content.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member<'a> {
    pub(super) path: &'a [u8],
    pub(super) kind: Type<'a>,
    /// Seconds since 1970.
    pub(super) mtime: u64,
}

impl Member<'_> {
    /// Writes the headers.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let (kind, target, size, mode): (_, &[u8], _, _) = match self.kind {
            Type::Dir => (EntryType::Directory, b"", 0, 0o755),
            Type::File { size, exec: true } => (EntryType::Regular, b"", size, 0o755),
            Type::File { size, exec: false } => (EntryType::Regular, b"", size, 0o644),
            Type::Link(target) => (EntryType::Symlink, target, 0, 0o777),
            Type::HardLink(target) => (EntryType::Link, target, 0, 0o644),
        };
        for (kind, name) in [(EntryType::GNULongName, self.path), (EntryType::GNULongLink, target)] {
            if name.len() > SHORT {
                let length = name.len() as u64 + 1;
                out.write_all(self.header(kind, b"././@LongLink", b"", length, 0o644).as_bytes())?;
                out.write_all(name)?;
                out.write_all(&[0])?;
                pad(out, length)?;
            }
        }
        out.write_all(self.header(kind, self.path, target, size, mode).as_bytes())
    }

    fn header(&self, kind: EntryType, path: &[u8], target: &[u8], size: u64, mode: u32) -> Header {
        let mut header = Header::new_gnu();
        let fields = header.as_old_mut();
        for (field, value) in [(&mut fields.name, path), (&mut fields.linkname, target)] {
            // What is longer stands in a member before this one.
            let n = value.len().min(field.len());
            field[..n].copy_from_slice(&value[..n]);
        }
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(self.mtime);
        header.set_size(size);
        header.set_cksum();
        header
    }
}

/// The room for a name in a header, in bytes; a name that fills it has no final NUL.
const SHORT: usize = 100;

/// Fills the last block of content of this size.
pub(super) fn pad(out: &mut impl Write, size: u64) -> io::Result<()> {
    let over = usize::try_from(size % 512).unwrap_or(0);
    if over > 0 {
        out.write_all(&[0; 512][over..])
    } else {
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn gnu_tar_reads_the_exact_size_of_a_file_over_eight_gibibytes() {
        for size in [0o77_777_777_777, 0o100_000_000_000, 1 << 40, (1 << 40) + 12_345u64] {
            let mut head = Vec::new();
            let kind = Type::File { size, exec: false };
            Member {
                path: b"big",
                kind,
                mtime: 86_400,
            }
            .write(&mut head)
            .unwrap();
            let mut tar = Command::new("tar");
            tar.args(["-tvf", "-"])
                .env("LC_ALL", "C")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped());
            let mut tar = tar.stderr(Stdio::null()).spawn().unwrap();
            tar.stdin.take().unwrap().write_all(&head).unwrap();
            // The content is missing, so tar ends badly, once it has said what it read.
            let said = tar.wait_with_output().unwrap().stdout;
            let words: Vec<String> = String::from_utf8(said).unwrap().split(' ').map(str::to_owned).collect();
            assert!(words.contains(&size.to_string()), "{size}: {words:?}");
        }
    }
}
