//! A gzip stream of several members, each with the level that fits: none for data that is compressed already, and less
//! while the connection takes more than is compressed. Decoders read the members as one stream.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};

/// Half the time of the level above, for a tenth more bytes (measured on JavaScript and on a binary).
const FAST: u32 = 3;
const SMALL: u32 = 6;
const STORED: u32 = 0;
/// Smaller files are not worth a member of their own.
const WORTH: u64 = 128 * 1024;

/// What takes the compressed bytes, and knows how fast they leave.
pub(super) trait Sink: Write {
    /// Whether the connection waits for more, of late; `None` when that is not known yet.
    fn starved(&mut self) -> Option<bool>;
}

/// The stream. It is whole only after [`Self::finish`].
pub(super) struct Members<W: Sink> {
    encoder: Option<GzEncoder<W>>,
    level: u32,
    /// The level for what can be compressed.
    usual: u32,
}

impl<W: Sink> Members<W> {
    pub(super) fn new(sink: W) -> Self {
        Self {
            encoder: Some(GzEncoder::new(sink, Compression::new(SMALL))),
            level: SMALL,
            usual: SMALL,
        }
    }

    /// A file of this size comes next, and this is its beginning.
    pub(super) fn file(&mut self, size: u64, beginning: &[u8]) -> io::Result<()> {
        match self.sink().and_then(Sink::starved) {
            Some(true) => self.usual = FAST,
            Some(false) => self.usual = SMALL,
            None => {}
        }
        let stored = size >= WORTH && incompressible(beginning);
        let level = if stored { STORED } else { self.usual };
        if level != self.level {
            let sink = self.encoder.take().ok_or(io::ErrorKind::BrokenPipe)?.finish()?;
            self.encoder = Some(GzEncoder::new(sink, Compression::new(level)));
            self.level = level;
        }
        Ok(())
    }

    pub(super) fn sink(&mut self) -> Option<&mut W> {
        self.encoder.as_mut().map(GzEncoder::get_mut)
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        self.encoder.take().ok_or(io::ErrorKind::BrokenPipe)?.finish()
    }
}

impl<W: Sink> Write for Members<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.encoder.as_mut().ok_or(io::ErrorKind::BrokenPipe)?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.encoder.as_mut().ok_or(io::ErrorKind::BrokenPipe)?.flush()
    }
}

/// Whether these bytes hardly become fewer.
fn incompressible(bytes: &[u8]) -> bool {
    let sample = &bytes[..bytes.len().min(32 * 1024)];
    let mut trial = DeflateEncoder::new(Vec::new(), Compression::fast());
    let done = trial.write_all(sample).and_then(|()| trial.finish());
    done.is_ok_and(|small| small.len() * 100 > sample.len() * 97)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Read;

    use super::*;

    struct Kept(Vec<u8>, Option<bool>);
    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    impl Sink for Kept {
        fn starved(&mut self) -> Option<bool> {
            self.1
        }
    }

    fn noise(length: usize) -> Vec<u8> {
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn members_of_every_level_read_as_one_stream() {
        let words = b"a word and another ".repeat(20_000);
        let files = [words.clone(), noise(300_000), b"small".to_vec(), noise(10), words];
        let mut out = Members::new(Kept(Vec::new(), None));
        for (at, file) in files.iter().enumerate() {
            out.sink().unwrap().1 = [None, Some(true), Some(false)][at % 3];
            out.file(file.len() as u64, file).unwrap();
            out.write_all(file).unwrap();
        }
        let packed = out.finish().unwrap().0;
        let mut read = Vec::new();
        flate2::read::MultiGzDecoder::new(packed.as_slice())
            .read_to_end(&mut read)
            .unwrap();
        assert_eq!(read, files.concat());
        assert!(packed.len() < 310_000, "{}", packed.len());
    }

    #[test]
    fn what_is_compressed_already_is_known_by_its_beginning() {
        assert!(incompressible(&noise(40_000)));
        assert!(!incompressible(&b"text ".repeat(9000)));
    }
}
