//! The words of a value: splitting, quotes and C escapes as in systemd, for `ExecStart=`, `Environment=` and lists. Shell
//! rules never apply. Source: systemd.syntax(7), "Quoting"; systemd.service(5), "Command lines".

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Without quotes, with escapes resolved. Bytes that are not UTF-8 become U+FFFD.
    pub text: String,
    /// As written in the file.
    pub raw: String,
}

/// A value ended inside a quote: systemd ignores the whole assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unbalanced;

fn separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Resolves the escape after a backslash: the bytes it stands for, and its length. `None` when systemd has no such escape.
fn escape(rest: &[u8]) -> Option<(Vec<u8>, usize)> {
    let simple = |byte| Some((vec![byte], 1));
    let number = |from: usize, len: usize, radix: u32| {
        let digits = rest.get(from..from + len)?;
        if !digits.iter().all(|b| char::from(*b).is_digit(radix)) {
            return None;
        }
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix)
            .ok()
            .filter(|n| *n != 0)
    };
    match *rest.first()? {
        b'a' => simple(7),
        b'b' => simple(8),
        b'f' => simple(12),
        b'n' => simple(b'\n'),
        b'r' => simple(b'\r'),
        b't' => simple(b'\t'),
        b'v' => simple(11),
        b's' => simple(b' '),
        same @ (b'\\' | b'"' | b'\'') => simple(same),
        b'x' => Some((vec![u8::try_from(number(1, 2, 16)?).ok()?], 3)),
        b'0'..=b'7' => Some((vec![u8::try_from(number(0, 3, 8)?).ok()?], 3)),
        long @ (b'u' | b'U') => {
            let len = if long == b'u' { 4 } else { 8 };
            let c = char::from_u32(number(1, len, 16)?)?;
            Some((c.to_string().into_bytes(), len + 1))
        }
        _ => None,
    }
}

/// Whether systemd knows every escape in the text; `Environment=` with another one is ignored.
pub fn escapes(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        at += 1;
        if *byte == b'\\' {
            let Some((_, length)) = escape(&bytes[at..]) else {
                return false;
            };
            at += length;
        }
    }
    true
}

/// Removes the first word from `rest`. `Ok(None)` when only separators are left. Unknown escapes are kept as written.
/// Fails with [`Unbalanced`] when a quote is not closed, or a backslash ends the value.
pub fn first(rest: &mut &str) -> Result<Option<Word>, Unbalanced> {
    let bytes = rest.as_bytes();
    let start = bytes.iter().position(|b| !separator(*b)).unwrap_or(bytes.len());
    if start == bytes.len() {
        *rest = "";
        return Ok(None);
    }
    let mut text = Vec::new();
    let mut quote = None;
    let mut at = start;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match (byte, quote) {
            (b'\\', _) => match escape(&bytes[at..]) {
                Some((resolved, took)) => {
                    text.extend_from_slice(&resolved);
                    at += took;
                }
                None => {
                    let unknown = *bytes.get(at).ok_or(Unbalanced)?;
                    text.extend_from_slice(&[b'\\', unknown]);
                    at += 1;
                }
            },
            (b'"' | b'\'', None) => quote = Some(byte),
            (mark, Some(open)) if mark == open => quote = None,
            (gap, None) if separator(gap) => {
                at -= 1;
                break;
            }
            (other, _) => text.push(other),
        }
    }
    if quote.is_some() {
        return Err(Unbalanced);
    }
    // `at` is at a separator or at the end. Both are character boundaries: after an unknown escape of a longer
    // character the loop consumes its other bytes.
    let word = Word {
        text: String::from_utf8_lossy(&text).into_owned(),
        raw: String::from_utf8_lossy(&bytes[start..at]).into_owned(),
    };
    *rest = rest[at..].trim_start_matches(|c| u8::try_from(c).is_ok_and(separator));
    Ok(Some(word))
}

/// All words of a value. Fails with [`Unbalanced`] when a quote is not closed.
pub fn split(value: &str) -> Result<Vec<Word>, Unbalanced> {
    let mut rest = value;
    let mut words = Vec::new();
    while let Some(word) = first(&mut rest)? {
        words.push(word);
    }
    Ok(words)
}

/// The byte at which a value's trailing comment begins: an unquoted word that starts with one of `marks`. systemd has no
/// such comments; it reads the words as part of the value.
pub fn comment(value: &str, marks: &[char]) -> Option<usize> {
    let mut rest = value;
    loop {
        if rest.starts_with(marks) {
            return Some(value.len() - rest.len());
        }
        first(&mut rest).ok().flatten()?;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn texts(value: &str) -> Vec<String> {
        split(value).unwrap().into_iter().map(|w| w.text).collect()
    }

    #[test]
    fn quotes_join_a_word_at_any_position() {
        assert_eq!(texts(r#"a "b c" 'd "e' f"g h"i"#), ["a", "b c", "d \"e", "fg hi"]);
        assert_eq!(texts(r#""" x"#), ["", "x"]);
    }

    #[test]
    fn escapes_are_resolved_inside_and_outside_of_quotes_and_unknown_ones_are_kept() {
        assert_eq!(
            texts(r#"\x41\s\102 "\u00e4\t" '\'' \q \x00 \U0001F600"#),
            ["A B", "ä\t", "'", "\\q", "\\x00", "😀"]
        );
        assert_eq!(texts("a\\äb"), ["a\\äb"]);
    }

    #[test]
    fn an_unclosed_quote_is_an_error() {
        assert_eq!(split("a 'b"), Err(Unbalanced));
        assert_eq!(split("a\\"), Err(Unbalanced));
    }
}
