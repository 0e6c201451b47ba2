//! A compressed stream of several members, each with the level that fits: none for data that is compressed already, and
//! less while the connection takes more than is compressed. Decoders read the members as one stream.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use zstd::stream::write::Encoder as ZstdEncoder;

use crate::release::Encoding;

/// How much work a member is worth.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effort {
    /// For what does not become smaller.
    Stored,
    Fast,
    Small,
}

impl Effort {
    /// gzip: 3 takes half the time of 6, for a tenth more bytes (measured on JavaScript and on a binary). zstd: 7 takes
    /// 8 MB of memory, and 9 twice as much (lib/compress/clevels.h); even 1 passes over what it cannot compress.
    fn level(self, encoding: Encoding) -> u8 {
        match (encoding, self) {
            (Encoding::Gzip, Self::Stored) => 0,
            (Encoding::Gzip, Self::Fast) => 3,
            (Encoding::Gzip, Self::Small) => 6,
            (Encoding::Zstd, Self::Stored) => 1,
            (Encoding::Zstd, Self::Fast) => 3,
            (Encoding::Zstd, Self::Small) => 7,
        }
    }
}

/// Smaller files are not worth a member of their own.
const WORTH: u64 = 128 * 1024;

/// What takes the compressed bytes, and knows how fast they leave.
pub(super) trait Sink: Write {
    /// The share of the time since the last answer in which nothing waited for the connection; `None` when that is not
    /// known yet.
    fn busy(&mut self) -> Option<f64>;
}

/// More work, which takes three to four times as long, pays while the connection leaves that time.
const IDLE: f64 = 0.25;
/// From here on, the connection waits for the compression.
const BUSY: f64 = 0.9;
/// A release of this size is soon known to be faster or slower than its connection. A smaller one takes no time.
const LARGE: u64 = 4 << 20;

/// One member.
enum Encoder<W: Write> {
    Gzip(GzEncoder<W>),
    Zstd(ZstdEncoder<'static, W>),
}

impl<W: Write> Encoder<W> {
    fn new(sink: W, encoding: Encoding, effort: Effort) -> io::Result<Self> {
        let level = effort.level(encoding);
        Ok(match encoding {
            Encoding::Gzip => Self::Gzip(GzEncoder::new(sink, Compression::new(level.into()))),
            Encoding::Zstd => Self::Zstd(ZstdEncoder::new(sink, level.into())?),
        })
    }

    fn sink(&mut self) -> &mut W {
        match self {
            Self::Gzip(encoder) => encoder.get_mut(),
            Self::Zstd(encoder) => encoder.get_mut(),
        }
    }

    fn finish(self) -> io::Result<W> {
        match self {
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }

    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Gzip(encoder) => encoder,
            Self::Zstd(encoder) => encoder,
        }
    }
}

/// The stream. It is whole only after [`Self::finish`].
pub(super) struct Members<W: Sink> {
    encoder: Option<Encoder<W>>,
    encoding: Encoding,
    effort: Effort,
    /// For what can be compressed.
    usual: Effort,
}

impl<W: Sink> Members<W> {
    /// For that many bytes.
    pub(super) fn new(sink: W, encoding: Encoding, total: u64) -> io::Result<Self> {
        let usual = if total < LARGE { Effort::Small } else { Effort::Fast };
        Ok(Self {
            encoder: Some(Encoder::new(sink, encoding, usual)?),
            encoding,
            effort: usual,
            usual,
        })
    }

    /// A file of this size comes next, and this is its beginning.
    pub(super) fn file(&mut self, size: u64, beginning: &[u8]) -> io::Result<()> {
        self.adapt();
        let stored = size >= WORTH && incompressible(beginning);
        self.change(if stored { Effort::Stored } else { self.usual })
    }

    /// Chooses the usual effort by the connection.
    fn adapt(&mut self) {
        match self.sink().and_then(Sink::busy) {
            Some(busy) if busy > BUSY => self.usual = Effort::Fast,
            Some(busy) if busy < IDLE => self.usual = Effort::Small,
            _ => {}
        }
    }

    /// Begins another member, if what comes now takes another effort.
    fn change(&mut self, effort: Effort) -> io::Result<()> {
        if effort != self.effort {
            let sink = self.encoder.take().ok_or(io::ErrorKind::BrokenPipe)?.finish()?;
            self.encoder = Some(Encoder::new(sink, self.encoding, effort)?);
            self.effort = effort;
        }
        Ok(())
    }

    pub(super) fn sink(&mut self) -> Option<&mut W> {
        self.encoder.as_mut().map(Encoder::sink)
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        self.encoder.take().ok_or(io::ErrorKind::BrokenPipe)?.finish()
    }

    fn writer(&mut self) -> io::Result<&mut dyn Write> {
        let encoder = self.encoder.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(encoder.writer())
    }
}

impl<W: Sink> Write for Members<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A file may be all there is.
        if self.effort != Effort::Stored {
            self.adapt();
            self.change(self.usual)?;
        }
        self.writer()?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer()?.flush()
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

    struct Kept(Vec<u8>, Option<f64>);
    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    impl Sink for Kept {
        fn busy(&mut self) -> Option<f64> {
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
        for encoding in [Encoding::Gzip, Encoding::Zstd] {
            let mut out = Members::new(Kept(Vec::new(), None), encoding, 0).unwrap();
            for (at, file) in files.iter().enumerate() {
                out.sink().unwrap().1 = [None, Some(1.0), Some(0.0)][at % 3];
                out.file(file.len() as u64, file).unwrap();
                out.write_all(file).unwrap();
            }
            let packed = out.finish().unwrap().0;
            let mut decoder: Box<dyn Read + '_> = match encoding {
                Encoding::Gzip => Box::new(flate2::read::MultiGzDecoder::new(packed.as_slice())),
                Encoding::Zstd => Box::new(zstd::stream::read::Decoder::new(packed.as_slice()).unwrap()),
            };
            let mut read = Vec::new();
            decoder.read_to_end(&mut read).unwrap();
            assert_eq!(read, files.concat());
            assert!(packed.len() < 310_000, "{}", packed.len());
        }
    }

    #[test]
    fn what_is_compressed_already_is_known_by_its_beginning() {
        assert!(incompressible(&noise(40_000)));
        assert!(!incompressible(&b"text ".repeat(9000)));
    }
}
