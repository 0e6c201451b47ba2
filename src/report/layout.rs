//! Lines on a screen: how wide it is, and where a line breaks. Only spaces are broken, and what follows hangs below the
//! text. Never here: what a line says.

use std::os::fd::AsFd;

use crate::text;

/// What a report is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Screen {
    /// A file or a pipe: nothing moves, and no line is broken.
    None,
    /// One of this size, on which nothing moves.
    Fixed { columns: usize, rows: usize },
    /// The terminal of stderr, of the size that it has now; `moves` unless it cannot go back in a line.
    Stderr { moves: bool },
}

impl Screen {
    /// Columns and rows, where it has a size.
    pub fn size(self) -> Option<(usize, usize)> {
        match self {
            Self::None => None,
            Self::Fixed { columns, rows } => Some((columns, rows)),
            Self::Stderr { .. } => size(std::io::stderr()),
        }
    }
}

/// The size of a terminal; none for anything else, and for one that does not know it.
pub fn size(terminal: impl AsFd) -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(terminal).ok()?;
    (size.ws_col > 0).then(|| (size.ws_col.into(), size.ws_row.into()))
}

/// Breaks one line at its spaces so that each part fits into `columns`; all but the first begin with `hang` spaces. A word
/// that is wider stays whole: a path or a command can still be copied.
pub fn wrapped(line: &str, columns: usize, hang: usize) -> String {
    // Below a text far to the right there is no room.
    let hang = if hang * 2 > columns { 6.min(columns / 4) } else { hang };
    let (mut out, mut at) = (String::new(), 0);
    let mut rest = line;
    while !rest.is_empty() {
        let spaces = rest.len() - rest.trim_start_matches(' ').len();
        let end = rest[spaces..].find(' ').map_or(rest.len(), |end| spaces + end);
        let word = &rest[spaces..end];
        let wide = width(word);
        // Further left it would not stand there either.
        let gains = at + spaces > hang && at > 0;
        if gains && at + spaces + wide > columns {
            out.push('\n');
            out.push_str(&" ".repeat(hang));
            at = hang;
        } else {
            out.push_str(&rest[..spaces]);
            at += spaces;
        }
        out.push_str(word);
        at += wide;
        rest = &rest[end..];
    }
    out
}

/// The same for a line with a command to paste: the command stays whole, and its remark moves below it.
pub fn command(line: &str, columns: usize, hang: usize) -> String {
    match line.rsplit_once("    # ") {
        Some((command, remark)) if width(line) > columns => {
            let remark = wrapped(&format!("{}# {remark}", " ".repeat(hang)), columns, hang + 2);
            format!("{}\n{remark}", command.trim_end())
        }
        _ => line.to_owned(),
    }
}

/// The columns that a text takes, without the colors in it.
pub fn width(text: &str) -> usize {
    let mut columns = 0;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\x1b' {
            chars.by_ref().find(|c| *c == 'm');
        } else {
            columns += text::columns_of(c);
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_breaks_at_words_and_hangs_below_its_text() {
        assert_eq!(
            wrapped("  why   the service did not start in time", 24, 8),
            "  why   the service did\n        not start in\n        time"
        );
        assert_eq!(wrapped("a b", 3, 0), "a b");
        assert_eq!(
            wrapped("at /a/very/long/path here", 10, 3),
            "at /a/very/long/path\n   here"
        );
        assert_eq!(wrapped("why 漢字 漢字", 9, 4), "why 漢字\n    漢字");
        let painted = "\x1b[31mred\x1b[0m and blue";
        assert_eq!(wrapped(painted, 12, 0), painted);
    }

    #[test]
    fn a_command_is_never_broken() {
        let line = "  next  shipit logs --release 20260503-094502    # the journal of that release";
        assert_eq!(
            command(line, 60, 8),
            "  next  shipit logs --release 20260503-094502\n        # the journal of that release"
        );
        assert_eq!(command(line, 100, 8), line);
    }
}
