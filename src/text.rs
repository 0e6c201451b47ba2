//! Text from elsewhere made safe to show, quantities as people read them, and closed lists of words. Words only: no IO,
//! no color.

use std::time::Duration;

use unicode_width::UnicodeWidthChar;

/// An enum whose every variant is one word: on the wire, in a file or in JSON.
macro_rules! words {
    ($(#[$about:meta])* $vis:vis enum $name:ident { $($(#[$what:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        $vis enum $name {
            $($(#[$what])* $variant,)*
        }

        #[allow(dead_code)]
        impl $name {
            $vis const ALL: &[Self] = &[$(Self::$variant),*];

            $vis fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            $vis fn of(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.word() == word)
            }
        }
    };
}
pub(crate) use words;

/// The longest line of foreign text that is shown, in bytes of the escaped form.
pub const LONGEST: usize = 4096;

/// Foreign bytes as one safe line: control characters, ESC, C1 and invalid UTF-8 are written as `\xNN` or
/// `\u{NN}`, bidirectional overrides too; a tab becomes a space; over [`LONGEST`] bytes it is cut with `…`.
pub fn shown(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\t' => out.push(' '),
                '\u{0}'..='\u{1f}' | '\u{7f}' => out.push_str(&format!("\\x{:02x}", c as u32)),
                c if is_command(c) => out.push_str(&format!("\\u{{{:x}}}", c as u32)),
                _ => out.push(c),
            }
            if out.len() > LONGEST {
                out.push('…');
                return out;
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
            if out.len() > LONGEST {
                out.push('…');
                return out;
            }
        }
    }
    out
}

/// A line of a file with its number, and a mark below one of its columns (from 1, in characters). What a screen has no
/// room for is cut. None for a blank line, and for a mark that would be cut.
pub fn excerpt(line: &str, number: usize, column: usize) -> Option<[String; 2]> {
    const LONGEST: usize = 64;
    let before: String = line.chars().take(column.saturating_sub(1)).collect();
    let (line, wide) = (shown(line.as_bytes()), columns(&shown(before.as_bytes())));
    let line = match columns(&line) > LONGEST {
        true if wide + 1 >= LONGEST => return None,
        true => {
            let mut taken = 0;
            let fits = |c: &char| {
                taken += columns_of(*c);
                taken < LONGEST
            };
            line.chars().take_while(fits).chain(['…']).collect()
        }
        false => line,
    };
    let blank = " ".repeat(number.to_string().len());
    (!line.trim().is_empty()).then(|| [format!("{number} | {line}"), format!("{blank} | {}^", " ".repeat(wide))])
}

/// The same for several lines, which stay apart.
pub fn shown_lines(bytes: &[u8]) -> String {
    let lines = bytes.split(|b| *b == b'\n').map(|line| shown(line.trim_ascii()));
    lines.collect::<Vec<_>>().join("\n")
}

/// Beyond ASCII, what a terminal obeys or what changes how the text around it reads: C1, marks without a width,
/// bidirectional overrides.
fn is_command(c: char) -> bool {
    matches!(
        c,
        '\u{80}'..='\u{9f}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// A line of JSON with what [`shown`] would escape written as `\uNNNN`: the same value, and harmless on a terminal.
/// A serializer escapes only what is below U+0020.
pub fn in_json(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for c in line.chars() {
        if c == '\u{7f}' || is_command(c) {
            let units = c
                .encode_utf16(&mut [0; 2])
                .iter()
                .map(|unit| format!("\\u{unit:04x}"))
                .collect::<String>();
            out.push_str(&units);
        } else {
            out.push(c);
        }
    }
    out
}

/// The columns that a text takes on a terminal: two for a wide character, none for one that only marks the one before
/// (UAX #11).
pub fn columns(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

/// The columns of one character.
pub fn columns_of(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// A text with spaces after it up to so many columns.
pub fn padded(text: &str, to: usize) -> String {
    format!("{text}{}", " ".repeat(to.saturating_sub(columns(text))))
}

/// The beginning of a text that surely fits. Only of ASCII is the width known here: all else counts as two columns, or a
/// line of wide characters would be broken by the terminal, and each turn would leave a part of it.
pub fn cut(text: &str, columns: usize) -> String {
    let wide = |c: char| if c.is_ascii() { 1 } else { 2 };
    if text.chars().map(wide).sum::<usize>() <= columns {
        return text.to_owned();
    }
    let mut left = columns.saturating_sub(1);
    let fits = text.chars().take_while(|c| {
        let wide = wide(*c);
        let fits = wide <= left;
        left = left.saturating_sub(wide);
        fits
    });
    fits.chain(['…']).collect()
}

/// `0.42s`, `12.3s`, `2m05s`.
pub fn seconds(took: Duration) -> String {
    let s = took.as_secs_f64();
    if s < 10.0 {
        format!("{s:.2}s")
    } else if s < 60.0 {
        format!("{s:.1}s")
    } else {
        format!("{}m{:02}s", took.as_secs() / 60, took.as_secs() % 60)
    }
}

/// `40 s`, `5 min`, `3 h`, `12 d`: how long something has been so, in one unit, rounded down.
pub fn lapse(seconds: i64) -> String {
    let s = seconds.max(0);
    match s {
        0..=119 => format!("{s} s"),
        120..=7_199 => format!("{} min", s / 60),
        7_200..=172_799 => format!("{} h", s / 3_600),
        _ => format!("{} d", s / 86_400),
    }
}

/// `812 B`, `3.4 MB`: decimal units, as disks and links are sold.
pub fn bytes(n: u64) -> String {
    let mut value = n as f64;
    for unit in ["B", "kB", "MB", "GB", "TB"] {
        if value < 1000.0 || unit == "TB" {
            return if unit == "B" {
                format!("{n} B")
            } else {
                format!("{value:.1} {unit}")
            };
        }
        value /= 1000.0;
    }
    format!("{n} B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_sequence_never_reaches_the_terminal() {
        assert_eq!(shown(b"a\x1b[2Jb\x07\xff\tc\xc2\x9b"), "a\\x1b[2Jb\\x07\\xff c\\u{9b}");
        assert_eq!(shown("naïve \u{202e}x".as_bytes()), "naïve \\u{202e}x");
        assert!(shown(&[b'x'; 10_000]).len() < LONGEST + 8);
    }

    #[test]
    fn a_line_of_a_file_is_cut_before_its_mark_would_be() {
        let lines = |column| excerpt(&format!("a: {}", "b".repeat(100)), 12, column);
        let [line, mark] = lines(4).expect("a mark that stands on the screen");
        assert_eq!((line.len(), mark.as_str()), (5 + 63 + 3, "   |    ^"));
        assert_eq!((lines(64), excerpt(" \x1b[2J", 3, 1).is_some()), (None, true));
        assert_eq!(excerpt(" \t", 3, 1), None);
        let mark = excerpt("a: 漢字x", 1, 6).map(|[_, mark]| mark);
        assert_eq!(mark.as_deref(), Some("  |        ^"), "below the x");
        assert!(excerpt("\x1b[2J", 3, 1).is_some_and(|[line, _]| line == "3 | \\x1b[2J"));
    }

    #[test]
    fn json_stays_the_same_value_and_commands_no_terminal() {
        let said = "a\u{9b}2J\u{7f}\u{202e}\u{feff}\u{61c}\u{e0041}\u{1b} é\u{1f600}";
        let line = in_json(&serde_json::json!({ "line": said }).to_string());
        assert_eq!(
            line,
            r#"{"line":"a\u009b2J\u007f\u202e\ufeff\u061c\udb40\udc41\u001b é😀"}"#
        );
        let read: Option<serde_json::Value> = serde_json::from_str(&line).ok();
        assert_eq!(read, Some(serde_json::json!({ "line": said })));
    }

    #[test]
    fn a_wide_character_takes_two_columns_and_a_mark_none() {
        for (text, wide) in [("acme", 4), ("漢字", 4), ("e\u{301}", 1), ("a😀", 3)] {
            assert_eq!((columns(text), columns(&padded(text, 6))), (wide, 6), "{text}");
        }
    }

    #[test]
    fn quantities_read_as_people_say_them() {
        assert_eq!(seconds(Duration::from_millis(420)), "0.42s");
        assert_eq!(seconds(Duration::from_secs(125)), "2m05s");
        for (s, said) in [
            (-5, "0 s"),
            (119, "119 s"),
            (120, "2 min"),
            (7_200, "2 h"),
            (172_800, "2 d"),
        ] {
            assert_eq!(lapse(s), said);
        }
        assert_eq!(bytes(812), "812 B");
        assert_eq!(bytes(3_400_000), "3.4 MB");
    }
}
