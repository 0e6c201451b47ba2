//! One unit file as systemd reads it, byte for byte: lines, sections, assignments, comments, places. Never interprets a
//! value: words are the work of `quoting`, merged files that of `merge`.
//!
//! Follows systemd.syntax(7), and systemd 252 where the page does not say: a line ends at LF, CR or NUL in any
//! combination; a comment inside a continued line is skipped and does not end it; an empty line does end it; a line that
//! is not UTF-8 is ignored; for a broken section header systemd refuses the file.

use thiserror::Error;

/// systemd refuses a file with a longer line; continued lines count as one.
pub const LONGEST_LINE: usize = 1024 * 1024;

/// A unit file, or a drop-in: its lines in order. [`File::bytes`] gives back exactly what was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// As the user named it; printed in findings.
    pub path: String,
    pub lines: Vec<Line>,
}

/// One logical line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The bytes of its physical lines, with their line ends.
    pub raw: Vec<u8>,
    /// Its first physical line, from 1.
    pub first: u32,
    /// Its last physical line.
    pub last: u32,
    pub kind: Kind,
    /// Comments between its continued lines: line number, and text without the `#` or `;`.
    pub inside: Vec<(u32, String)>,
}

impl Line {
    pub fn is_header(&self, section: &str) -> bool {
        matches!(&self.kind, Kind::Section(name) if name == section)
    }

    /// Its physical lines without comments: line number, and text without the line end.
    pub fn pieces(&self) -> Vec<(u32, String)> {
        let pieces = physical(&self.raw).into_iter().zip(self.first..);
        let code = pieces.filter(|(piece, _)| comment(piece.content).is_none());
        code.map(|(piece, number)| (number, String::from_utf8_lossy(piece.content).into_owned()))
            .collect()
    }
}

/// What a logical line means to systemd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Blank,
    /// The text without the `#` or `;`.
    Comment(String),
    /// `[Name]`.
    Section(String),
    /// `key=value`, both trimmed; a backslash at the end of a continued line is a space.
    Assignment {
        /// Never empty.
        key: String,
        /// Empty for a reset.
        value: String,
    },
    /// systemd ignores the line with a warning, or refuses the file.
    Wrong(Wrong),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Wrong {
    #[error("the line has no `=`: systemd ignores it")]
    NoEquals,
    #[error("no key before the `=`: systemd ignores the line")]
    NoKey,
    #[error("an assignment before any [Section]: systemd ignores it")]
    NoSection,
    #[error("the line is not UTF-8: systemd ignores it")]
    NotUtf8,
    /// Without `]`, or with control characters, quotes or backslashes.
    #[error("a broken section header: systemd refuses the whole file")]
    Header,
    /// Longer than [`LONGEST_LINE`].
    #[error("the line is longer than 1 MiB: systemd refuses the whole file")]
    TooLong,
}

impl Wrong {
    /// Whether systemd refuses the whole file for it.
    pub fn refuses(self) -> bool {
        matches!(self, Wrong::Header | Wrong::TooLong)
    }
}

/// A physical line: its content and the bytes with the line end.
struct Physical<'a> {
    content: &'a [u8],
    raw: &'a [u8],
}

/// Splits bytes into physical lines. A line end is LF, CR, NUL, or a run in which each occurs once; NUL ends the run.
fn physical(mut bytes: &[u8]) -> Vec<Physical<'_>> {
    let mut lines = Vec::new();
    while !bytes.is_empty() {
        let content = bytes
            .iter()
            .position(|b| matches!(b, b'\n' | b'\r' | 0))
            .unwrap_or(bytes.len());
        let mut end = content;
        let mut used = [false; 3];
        while let Some(mark) = bytes.get(end).and_then(|b| b"\n\r\0".iter().position(|m| m == b)) {
            if used[mark] || used[2] {
                break;
            }
            used[mark] = true;
            end += 1;
        }
        lines.push(Physical {
            content: &bytes[..content],
            raw: &bytes[..end],
        });
        bytes = &bytes[end..];
    }
    lines
}

fn blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn trim(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|b| !blank(*b)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|b| !blank(*b)).map_or(start, |at| at + 1);
    &bytes[start..end]
}

fn comment(bytes: &[u8]) -> Option<String> {
    let trimmed = trim(bytes);
    matches!(trimmed.first(), Some(b'#' | b';')).then(|| String::from_utf8_lossy(&trimmed[1..]).into_owned())
}

/// Whether it ends in a backslash that no other backslash escapes.
fn continues(bytes: &[u8]) -> bool {
    bytes.iter().rev().take_while(|b| **b == b'\\').count() % 2 == 1
}

/// Whether systemd accepts the name of a section: printable, no quotes, no backslash.
fn is_section_name(name: &str) -> bool {
    !name
        .chars()
        .any(|c| c.is_ascii_control() || matches!(c, '"' | '\'' | '\\'))
}

fn kind(bytes: &[u8], in_section: bool) -> Kind {
    let trimmed = trim(bytes);
    if trimmed.is_empty() {
        return Kind::Blank;
    }
    let Ok(text) = std::str::from_utf8(trimmed) else {
        return Kind::Wrong(Wrong::NotUtf8);
    };
    if let Some(rest) = text.strip_prefix('[') {
        return match rest.strip_suffix(']') {
            Some(name) if is_section_name(name) => Kind::Section(name.to_owned()),
            _ => Kind::Wrong(Wrong::Header),
        };
    }
    if !in_section {
        return Kind::Wrong(Wrong::NoSection);
    }
    let is_blank = |c: char| u8::try_from(c).is_ok_and(blank);
    match text.split_once('=') {
        None => Kind::Wrong(Wrong::NoEquals),
        Some(("", _)) => Kind::Wrong(Wrong::NoKey),
        Some((key, value)) => Kind::Assignment {
            key: key.trim_matches(is_blank).to_owned(),
            value: value.trim_matches(is_blank).to_owned(),
        },
    }
}

impl File {
    /// Never fails: a line that systemd ignores, or refuses the file for, is [`Kind::Wrong`].
    #[must_use]
    pub fn parse(path: impl Into<String>, bytes: &[u8]) -> Self {
        let mut lines: Vec<Line> = Vec::new();
        let mut open: Option<(Line, Vec<u8>)> = None; // a continued line and its value so far
        let mut in_section = false;
        let mut keep = |mut line: Line, joined: &[u8]| {
            if !matches!(line.kind, Kind::Comment(_)) {
                line.kind = if joined.len() > LONGEST_LINE {
                    Kind::Wrong(Wrong::TooLong)
                } else {
                    kind(joined, in_section)
                };
            }
            in_section |= matches!(line.kind, Kind::Section(_));
            lines.push(line);
        };
        for (at, piece) in physical(bytes).into_iter().enumerate() {
            let number = u32::try_from(at + 1).unwrap_or(u32::MAX);
            let mut content = piece.content;
            if at == 0 {
                content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
            }
            let fresh = |kind| Line {
                raw: piece.raw.to_vec(),
                first: number,
                last: number,
                kind,
                inside: Vec::new(),
            };
            if let Some(text) = comment(piece.content) {
                match &mut open {
                    Some((line, _)) => {
                        line.raw.extend_from_slice(piece.raw);
                        line.last = number;
                        line.inside.push((number, text));
                    }
                    None => keep(fresh(Kind::Comment(text)), b""),
                }
                continue;
            }
            let (line, joined) = match open.take() {
                Some((mut line, mut joined)) => {
                    line.raw.extend_from_slice(piece.raw);
                    line.last = number;
                    joined.extend_from_slice(content);
                    (line, joined)
                }
                None => (fresh(Kind::Blank), content.to_vec()),
            };
            if continues(&joined) && joined.len() <= LONGEST_LINE {
                let mut joined = joined;
                joined.pop();
                joined.push(b' ');
                open = Some((line, joined));
            } else {
                keep(line, &joined);
            }
        }
        if let Some((line, joined)) = open {
            keep(line, &joined);
        }
        Self {
            path: path.into(),
            lines,
        }
    }

    /// Exactly the bytes that were read, unless lines were changed since.
    pub fn bytes(&self) -> Vec<u8> {
        self.lines.iter().flat_map(|line| line.raw.iter().copied()).collect()
    }

    /// Every assignment in order: section, key, value, line number.
    pub fn assignments(&self) -> impl Iterator<Item = (&str, &str, &str, u32)> {
        let mut section = "";
        self.lines.iter().filter_map(move |line| match &line.kind {
            Kind::Section(name) => {
                section = name;
                None
            }
            Kind::Assignment { key, value } => Some((section, key.as_str(), value.as_str(), line.first)),
            _ => None,
        })
    }

    /// Whether systemd refuses the file as a whole, and at which line.
    pub fn refused(&self) -> Option<(u32, Wrong)> {
        self.lines.iter().find_map(|line| match line.kind {
            Kind::Wrong(wrong) if wrong.refuses() => Some((line.first, wrong)),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn values(text: &str) -> Vec<(String, String, u32)> {
        let file = File::parse("x.service", text.as_bytes());
        assert_eq!(file.bytes(), text.as_bytes());
        file.assignments()
            .map(|(s, k, v, n)| (format!("{s}.{k}"), v.to_owned(), n))
            .collect()
    }

    #[test]
    fn a_continued_line_skips_comments_and_ends_at_an_empty_line() {
        let got = values("[C]\nKey=value 3\\\n# ignored\\\n  ; this too\n   continued\nNext=a\\\n\nLast=b\\\\\nMore=c");
        let want = [
            ("C.Key", "value 3    continued", 2),
            ("C.Next", "a", 6),
            ("C.Last", "b\\\\", 8),
            ("C.More", "c", 9),
        ];
        assert_eq!(got, want.map(|(k, v, n)| (k.to_owned(), v.to_owned(), n)));
    }

    #[test]
    fn every_line_end_that_systemd_knows_is_a_line_end() {
        let got = values("\u{feff}[S]\r\nA=1\rB=2\n\rC=3\0D=4\n\n; c\n E = 5 \t");
        let want = ["1", "2", "3", "4", "5"];
        assert_eq!(got.iter().map(|(_, v, _)| v.as_str()).collect::<Vec<_>>(), want);
        assert_eq!(got.last().unwrap().2, 8);
    }

    #[test]
    fn lines_that_systemd_ignores_or_refuses_are_reported_with_their_number() {
        let file = File::parse("x", b"A=1\n[S]\njunk\n=v\nB=\xff\n[T\nC=1\n");
        let wrong: Vec<_> = file
            .lines
            .iter()
            .filter_map(|l| {
                if let Kind::Wrong(w) = l.kind {
                    Some((l.first, w))
                } else {
                    None
                }
            })
            .collect();
        assert_eq!(
            wrong,
            [
                (1, Wrong::NoSection),
                (3, Wrong::NoEquals),
                (4, Wrong::NoKey),
                (5, Wrong::NotUtf8),
                (6, Wrong::Header)
            ]
        );
        assert_eq!(file.refused(), Some((6, Wrong::Header)));
    }
}
