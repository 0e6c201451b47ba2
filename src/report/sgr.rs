//! Colors in foreign text: `ESC [ numbers m` (SGR, ECMA-48 8.3.117) reaches a terminal that shows colors, no other escape
//! sequence ever does. Never here: colors of shipit's own.

use crate::text::{self, LONGEST};

/// The end of every color.
const RESET: &str = "\x1b[0m";
/// The longest sequence that a program needs: a foreground and a background of three bytes each, with an attribute.
const NUMBERS: usize = 40;

/// One safe line as [`text::shown`] writes it, with its colors or without them. A color ends with the line.
pub fn shown(line: &str, colour: bool) -> String {
    let (mut out, mut rest, mut open) = (String::new(), line, false);
    while let Some((before, sequence, after)) = next(rest) {
        out.push_str(&text::shown(before.as_bytes()));
        if colour {
            out.push_str(sequence);
            open = true;
        }
        rest = after;
        if out.len() > LONGEST {
            rest = "…";
        }
    }
    out.push_str(&text::shown(rest.as_bytes()));
    if open {
        out.push_str(RESET);
    }
    out
}

/// The first color: what is before it, its sequence, what is after it.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    text.match_indices("\x1b[").find_map(|(at, _)| {
        let numbers = &text[at + 2..];
        let end = numbers.find(|c: char| !c.is_ascii_digit() && c != ';')?;
        let whole = numbers[end..].starts_with('m') && end <= NUMBERS && is_visible(&numbers[..end]);
        let end = at + 2 + end + 1;
        whole.then(|| (&text[..at], &text[at..end], &text[end..]))
    })
}

/// Whether text remains readable: no blinking (5, 6), no concealed text (8), nothing that terminals disagree about.
fn is_visible(numbers: &str) -> bool {
    let mut codes = numbers.split(';').map(|code| if code.is_empty() { "0" } else { code });
    while let Some(code) = codes.next() {
        let known = match code.parse::<u16>() {
            // A color by its number, or by three bytes.
            Ok(38 | 48 | 58) => match codes.next() {
                Some("5") => codes.next().is_some(),
                Some("2") => codes.nth(2).is_some(),
                _ => false,
            },
            Ok(0..=4 | 7 | 9 | 21..=24 | 27 | 29..=37 | 39..=47 | 49 | 53 | 55 | 59 | 90..=97 | 100..=107) => true,
            _ => false,
        };
        if !known {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_color_passes_on_a_terminal_and_is_left_out_elsewhere() {
        let line = "a \x1b[1;31mred\x1b[0m and \x1b[38;5;208morange";
        assert_eq!(shown(line, true), format!("{line}\x1b[0m"));
        assert_eq!(shown(line, false), "a red and orange");
        assert_eq!(shown("plain", true), "plain");
        assert_eq!(shown("\x1b[mreset", true), "\x1b[mreset\x1b[0m");
    }

    /// Without its colors no byte of it is a command.
    fn is_harmless(shown: &str) -> bool {
        let mut rest = shown.to_owned();
        while let Some((before, _, after)) = next(&rest) {
            rest = format!("{before}\0{after}");
        }
        rest.chars().all(|c| c == '\0' || !c.is_control())
    }

    #[test]
    fn no_other_escape_sequence_and_no_control_character_passes() {
        for (hostile, said) in [
            ("\x1b[2J", "\\x1b[2J"),
            ("\x1b[31", "\\x1b[31"),
            ("\x1b[>4;1m", "\\x1b[>4;1m"),
            ("\x1b[?25m", "\\x1b[?25m"),
            ("\x1b[1;8mx", "\\x1b[1;8mx"),
            ("\x1b[008m", "\\x1b[008m"),
            ("\x1b[38;8m", "\\x1b[38;8m"),
            ("\x1b[38;5;1;6m", "\\x1b[38;5;1;6m"),
            ("\x1b[38:5:1mx", "\\x1b[38:5:1mx"),
            ("\x1b[1 m", "\\x1b[1 m"),
            ("\x1b[1;\r1m", "\\x1b[1;\\x0d1m"),
            ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
            ("\u{9b}31mx", "\\u{9b}31mx"),
            ("a\rb\x08\u{202e}", "a\\x0db\\x08\\u{202e}"),
        ] {
            assert_eq!(
                (shown(hostile, true), shown(hostile, false)),
                (said.into(), said.into())
            );
        }
        // What is left when a color is left out cannot become a sequence.
        for split in [
            "\x1b\x1b[31m[2J",
            "\x1b[\x1b[31m2J",
            "\x1b[3\x1b[0m1m\x1b[H",
            "\x1b[0m\x1b",
        ] {
            assert!(is_harmless(&shown(split, true)), "{:?}", shown(split, true));
            assert!(!shown(split, false).contains('\x1b'), "{:?}", shown(split, false));
        }
        let long = format!("\x1b[{}m", "1;".repeat(NUMBERS));
        assert!(!shown(&long, true).contains('\x1b'));
        let many = "\x1b[31mx\n".repeat(9_000);
        let shown = shown(&many, true);
        assert!(shown.len() < 2 * LONGEST + 16 && shown.ends_with("…\x1b[0m") && is_harmless(&shown));
    }
}
