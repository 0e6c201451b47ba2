//! Archives written by hand: what no honest program writes.

use std::io::Write;

use shipit::failure::{Exit, Failure};
use tar::{EntryType, Header};

use super::{Tree, arrives, scan_path};

/// An archive written as bytes: anything that a header can say.
pub(super) struct Raw {
    pub(super) bytes: Vec<u8>,
}

impl Raw {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    pub(super) fn member(self, kind: EntryType, name: impl AsRef<[u8]>, target: &str, content: &[u8]) -> Self {
        let size = content.len() as u64;
        self.header(kind, name.as_ref(), target, size).content(content)
    }

    pub(super) fn header(mut self, kind: EntryType, name: &[u8], target: &str, size: u64) -> Self {
        let mut header = Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(size);
        header.set_cksum();
        self.bytes.extend_from_slice(header.as_bytes());
        self
    }

    pub(super) fn content(mut self, content: &[u8]) -> Self {
        self.bytes.extend_from_slice(content);
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
        self
    }

    pub(super) fn file(self, name: &str) -> Self {
        self.member(EntryType::Regular, name, "", b"content")
    }

    pub(super) fn pax(self, kind: EntryType, records: &[(&str, &str)]) -> Self {
        let record = |(key, value): &(&str, &str)| {
            let rest = format!(" {key}={value}\n");
            let length = (1..)
                .find(|length: &usize| length.to_string().len() + rest.len() == *length)
                .unwrap();
            format!("{length}{rest}")
        };
        let records: String = records.iter().map(record).collect();
        self.member(kind, "PaxHeaders/x", "", records.as_bytes())
    }

    pub(super) fn end(mut self) -> Vec<u8> {
        self.bytes.extend_from_slice(&[0; 1024]);
        self.bytes
    }

    /// What this archive is refused with.
    pub(super) fn failure(self) -> Failure {
        let dir = Tree::new();
        dir.file("app.tar", self.end());
        let failure = scan_path(&dir.at("app.tar"), &[]).unwrap_err();
        assert_eq!(failure.exit, Exit::Untouched);
        failure
    }

    pub(super) fn refused(self) -> Vec<String> {
        let failure = self.failure();
        assert!(
            failure.what.ends_with("app.tar cannot be shipped as it is"),
            "{failure}"
        );
        failure.why
    }

    /// What it is refused with when it cannot be read to its end.
    pub(super) fn unreadable(self) -> String {
        self.failure().why.remove(0)
    }

    /// The paths that it ships.
    pub(super) fn ships(self) -> Vec<String> {
        let dir = Tree::new();
        dir.file("app.tar", self.end());
        let scanned = scan_path(&dir.at("app.tar"), &[]).unwrap();
        arrives(&scanned);
        let name = |entry: &shipit::release::Entry| String::from_utf8_lossy(&entry.path).into_owned();
        scanned.manifest.entries().iter().map(name).collect()
    }
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}
