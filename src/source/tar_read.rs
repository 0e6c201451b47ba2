//! A tar stream read member by member. Own code, because a deploy tool must see an archive as GNU tar does, or not
//! at all: the `tar` crate cuts PAX records at newlines, takes the first of two records where POSIX takes the last,
//! holds extension headers of any size in memory, and takes the end of the stream for the end of the archive.
//! What could be read in two ways is refused. Formats: v7, ustar, PAX (POSIX.1-2001 pax, "ustar Interchange
//! Format") and GNU (`L` and `K` members, base-256 sizes).

use std::io::{self, Read};

use tar::Header;

use super::problem::Refusal;

/// The largest extension header that is read, in bytes: names are 4096 at most, comments are not ours to keep.
const LARGEST_EXTENSION: u64 = 1 << 20;

/// The largest size that a ustar header can hold: eleven octal digits.
const OCTAL: u64 = 0o77_777_777_777;

/// One member; its content is to be read or skipped before the next.
#[derive(Debug)]
pub(super) struct Member {
    /// As it is in the archive: any bytes.
    pub(super) name: Vec<u8>,
    /// What it is, or why it cannot be shipped.
    pub(super) kind: Result<Kind, Refusal>,
    /// `0o7777` of the mode.
    pub(super) mode: u32,
    /// Bytes of content that follow.
    pub(super) size: u64,
}

#[derive(Debug)]
pub(super) enum Kind {
    Dir,
    File,
    Link(Vec<u8>),
    /// Another name for a file that came before: that one's name, as it is in the archive.
    HardLink(Vec<u8>),
}

/// Why an archive cannot be read on.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// It ends before its end mark; the member it ends in, if it ends in one.
    Cut(Option<Vec<u8>>),
    /// It is no tar archive, or is damaged: a few words.
    Damaged(String),
    /// Reading it failed, or a limit was met.
    Failed(io::Error),
}

/// The members of a stream.
pub(super) struct Members<R> {
    stream: R,
    /// Bytes of content and padding of the last member that were not read.
    left: u64,
    padding: u64,
    name: Vec<u8>,
}

/// What extension headers say about the member after them.
#[derive(Default)]
struct Extended {
    gnu_name: Option<Vec<u8>>,
    gnu_target: Option<Vec<u8>>,
    name: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    size: Option<u64>,
    sparse: bool,
}

impl<R: Read> Members<R> {
    pub(super) fn new(stream: R) -> Self {
        Self {
            stream,
            left: 0,
            padding: 0,
            name: Vec::new(),
        }
    }

    /// The next member; `None` after the end mark and nothing but zeros behind it.
    /// Fails with [`Unreadable`]: nothing more can be had from this archive.
    pub(super) fn next(&mut self) -> Result<Option<Member>, Unreadable> {
        let mut extended = Extended::default();
        loop {
            self.skip()?;
            let Some(header) = self.header()? else {
                return self.end().map(|()| None);
            };
            let size = header.entry_size().map_err(|_| damaged("an invalid size"))?;
            match header.entry_type().as_byte() {
                b'L' => extended.gnu_name = Some(self.gnu_name(size)?),
                b'K' => extended.gnu_target = Some(self.gnu_name(size)?),
                b'x' => {
                    let records = self.extension(size)?;
                    pax(&records, &mut extended)?;
                }
                b'g' => {
                    let records = self.extension(size)?;
                    let mut all = Extended::default();
                    pax(&records, &mut all)?;
                    if all.name.is_some() || all.target.is_some() || all.size.is_some() || all.sparse {
                        return Err(damaged("a global header that renames or resizes every member"));
                    }
                }
                _ => return self.member(&header, size, extended).map(Some),
            }
        }
    }

    /// Reads content of the current member; 0 at its end.
    /// Fails with [`Unreadable`], when the archive ends within it or cannot be read.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Unreadable> {
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let n = read(&mut self.stream, &mut buffer[..most])?;
        if n == 0 && most > 0 {
            return Err(Unreadable::Cut(Some(self.name.clone())));
        }
        self.left -= n as u64;
        Ok(n)
    }

    fn member(&mut self, header: &Header, size: u64, extended: Extended) -> Result<Member, Unreadable> {
        let in_header = (
            header.path_bytes().into_owned(),
            header.link_name_bytes().map(|name| name.into_owned()),
        );
        let mut refusal = None;
        let mut one = |gnu: Option<Vec<u8>>, pax: Option<Vec<u8>>, plain: Vec<u8>| match (gnu, pax) {
            (Some(gnu), Some(pax)) if gnu != pax => {
                refusal = Some(Refusal::Ambiguous("two different long names"));
                pax
            }
            (Some(name), _) | (None, Some(name)) => name,
            (None, None) => plain,
        };
        let name = one(extended.gnu_name, extended.name, in_header.0);
        let target = one(extended.gnu_target, extended.target, in_header.1.unwrap_or_default());
        let real = extended.size.unwrap_or(size);
        if real != size && real <= OCTAL {
            refusal = refusal.or(Some(Refusal::Ambiguous("two different sizes")));
        }
        let kind = match header.entry_type().as_byte() {
            _ if extended.sparse => Err(Refusal::Sparse),
            b'0' | b'\0' | b'7' => Ok(Kind::File),
            b'1' => Ok(Kind::HardLink(target)),
            b'2' => Ok(Kind::Link(target)),
            b'3' => Err(Refusal::Special("character device")),
            b'4' => Err(Refusal::Special("block device")),
            b'5' => Ok(Kind::Dir),
            b'6' => Err(Refusal::Special("FIFO")),
            b'S' => Err(Refusal::Sparse),
            other => Err(Refusal::UnknownMember(other)),
        };
        // Some programs write a size there and no content after it, others both.
        if real > 0 && matches!(kind, Ok(Kind::Dir | Kind::Link(_) | Kind::HardLink(_))) {
            refusal = refusal.or(Some(Refusal::Ambiguous("a size, although it is not a file")));
        }
        let mode = header.mode().map_err(|_| damaged("an invalid mode"))? & 0o7777;
        if header.entry_type().as_byte() == b'S' {
            self.skip_sparse_map(header)?;
        }
        self.expect(real, &name);
        Ok(Member {
            name,
            kind: refusal.map_or(kind, Err),
            mode,
            size: real,
        })
    }

    /// Skips what an old GNU sparse header has behind it: blocks that are no part of its size. Each says in one
    /// byte whether another follows (tar's manual, "Basic Tar Format").
    fn skip_sparse_map(&mut self, header: &Header) -> Result<(), Unreadable> {
        let mut more = header.as_bytes()[482];
        let mut block = [0u8; 512];
        while more != 0 {
            if fill(&mut self.stream, &mut block)? < block.len() {
                return Err(Unreadable::Cut(None));
            }
            more = block[504];
        }
        Ok(())
    }

    /// Sets what follows a header.
    fn expect(&mut self, size: u64, name: &[u8]) {
        self.left = size;
        self.padding = (512 - size % 512) % 512;
        self.name = name.to_vec();
    }

    /// Leaves out what was not read of the current member.
    fn skip(&mut self) -> Result<(), Unreadable> {
        let mut buffer = [0u8; 16 * 1024];
        while self.read(&mut buffer)? > 0 {}
        let padding = usize::try_from(std::mem::take(&mut self.padding)).unwrap_or(0);
        if fill(&mut self.stream, &mut buffer[..padding])? < padding {
            return Err(Unreadable::Cut(Some(self.name.clone())));
        }
        Ok(())
    }

    /// Reads a header; `None` at the end mark.
    fn header(&mut self) -> Result<Option<Header>, Unreadable> {
        let mut header = Header::new_old();
        match fill(&mut self.stream, header.as_mut_bytes())? {
            512 => {}
            _ => return Err(Unreadable::Cut(None)),
        }
        let bytes = header.as_bytes();
        if bytes.iter().all(|&byte| byte == 0) {
            return Ok(None);
        }
        // The checksum is taken with its own field as spaces.
        let sum = |bytes: &[u8]| bytes.iter().map(|&byte| u32::from(byte)).sum::<u32>();
        let expected = sum(&bytes[..148]) + 8 * u32::from(b' ') + sum(&bytes[156..]);
        if header.cksum().ok() != Some(expected) {
            return Err(damaged(
                "a header with a wrong checksum: it is not a tar archive, or it is damaged",
            ));
        }
        Ok(Some(header))
    }

    /// Reads on to the end of the stream: a second archive behind the first would be lost without a word, and the
    /// compressed stream's own checksum comes last.
    fn end(&mut self) -> Result<(), Unreadable> {
        let mut buffer = [0u8; 16 * 1024];
        loop {
            match read(&mut self.stream, &mut buffer)? {
                0 => return Ok(()),
                n if buffer[..n].iter().all(|&byte| byte == 0) => {}
                _ => return Err(damaged("data after its end: two archives in one file?")),
            }
        }
    }

    /// Reads an extension header's content.
    fn extension(&mut self, size: u64) -> Result<Vec<u8>, Unreadable> {
        if size > LARGEST_EXTENSION {
            return Err(damaged("an extension header of more than 1 MiB"));
        }
        self.expect(size, b"");
        let mut bytes = Vec::new();
        let mut buffer = [0u8; 4096];
        loop {
            match self.read(&mut buffer)? {
                0 => return Ok(bytes),
                n => bytes.extend_from_slice(&buffer[..n]),
            }
        }
    }

    /// Reads a GNU long name: its bytes and one NUL.
    fn gnu_name(&mut self, size: u64) -> Result<Vec<u8>, Unreadable> {
        let mut name = self.extension(size)?;
        if name.last() == Some(&0) {
            name.pop();
        }
        Ok(name)
    }
}

/// Reads PAX records: `LENGTH KEY=VALUE\n`, the length that of the whole record. The last of a key counts, an
/// empty value takes it back.
fn pax(mut records: &[u8], extended: &mut Extended) -> Result<(), Unreadable> {
    let bad = || damaged("a malformed PAX header");
    while !records.is_empty() {
        let space = records.iter().position(|&byte| byte == b' ').ok_or_else(bad)?;
        let length = std::str::from_utf8(&records[..space])
            .ok()
            .and_then(|digits| digits.parse::<usize>().ok());
        let (record, rest) = length
            .and_then(|length| records.split_at_checked(length))
            .ok_or_else(bad)?;
        let record = record
            .get(space + 1..)
            .and_then(|record| record.strip_suffix(b"\n"))
            .ok_or_else(bad)?;
        let equals = record.iter().position(|&byte| byte == b'=').ok_or_else(bad)?;
        let (key, value) = (&record[..equals], &record[equals + 1..]);
        let some = (!value.is_empty()).then(|| value.to_vec());
        match key {
            b"path" => extended.name = some,
            b"linkpath" => extended.target = some,
            b"size" if some.is_none() => extended.size = None,
            b"size" => {
                let digits = value.iter().all(u8::is_ascii_digit);
                let size = std::str::from_utf8(value)
                    .ok()
                    .filter(|_| digits)
                    .and_then(|size| size.parse().ok());
                extended.size = Some(size.ok_or_else(bad)?);
            }
            _ => extended.sparse |= key.starts_with(b"GNU.sparse."),
        }
        records = rest;
    }
    Ok(())
}

fn damaged(what: &str) -> Unreadable {
    Unreadable::Damaged(format!("it has {what}"))
}

/// One read; the end of a compressed stream within itself is a cut like any other.
fn read(stream: &mut impl Read, buffer: &mut [u8]) -> Result<usize, Unreadable> {
    loop {
        return match stream.read(buffer) {
            Ok(n) => Ok(n),
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted => continue,
                io::ErrorKind::UnexpectedEof => Err(Unreadable::Cut(None)),
                io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                    Err(Unreadable::Damaged(format!("the compressed data is damaged: {error}")))
                }
                _ => Err(Unreadable::Failed(error)),
            },
        };
    }
}

/// Reads until the buffer is full or the stream ends; how much.
fn fill(stream: &mut impl Read, buffer: &mut [u8]) -> Result<usize, Unreadable> {
    let mut filled = 0;
    while filled < buffer.len() {
        match read(stream, &mut buffer[filled..])? {
            0 => break,
            n => filled += n,
        }
    }
    Ok(filled)
}
