//! Results on stdout, for people: as wide as the terminal, and in color there. Never here: what they say.

use super::args::Global;
use crate::report::{layout, painted};
use crate::text::padded;

/// The colors that results have: of the terminal's own, so that they can be read on light and dark ones.
#[derive(Clone, Copy)]
pub(super) enum Ink {
    Bold,
    Good,
    Bad,
    Warning,
    /// A line of a diff that is gone: less loud than an error.
    Removed,
    /// A heading inside of a result.
    Heading,
}

impl Ink {
    fn code(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Good => "32",
            Self::Bad => "31;1",
            Self::Warning => "33",
            Self::Removed => "31",
            Self::Heading => "36",
        }
    }
}

#[derive(Clone, Copy)]
pub(super) struct Paper {
    colour: bool,
    /// None for a file or a pipe: no line is broken.
    columns: Option<usize>,
}

impl Paper {
    pub(super) fn new(global: &Global) -> Self {
        Self {
            colour: global.color.on(std::io::stdout()),
            columns: layout::size(std::io::stdout()).map(|(columns, _)| columns),
        }
    }

    #[cfg(test)]
    pub(super) fn plain(columns: Option<usize>) -> Self {
        Self { colour: false, columns }
    }

    pub(super) fn columns(&self) -> Option<usize> {
        self.columns
    }

    pub(super) fn paint(&self, ink: Ink, text: &str) -> String {
        painted(self.colour, ink.code(), text)
    }

    /// One line, broken at words; what follows hangs that far in.
    pub(super) fn line(&self, line: &str, hang: usize) -> String {
        self.columns
            .map_or_else(|| line.to_owned(), |columns| layout::wrapped(line, columns, hang))
            + "\n"
    }

    /// One line with a command to paste.
    pub(super) fn command(&self, line: &str, hang: usize) -> String {
        self.columns
            .map_or_else(|| line.to_owned(), |columns| layout::command(line, columns, hang))
            + "\n"
    }

    /// One line of a list of changed files: the name stays readable on every background.
    pub(super) fn listed(&self, line: &str) -> String {
        let ink = match line.as_bytes() {
            [b'+', b' ', ..] => Ink::Good,
            [b'-', b' ', ..] => Ink::Removed,
            [b'~', b' ', ..] => Ink::Warning,
            _ => return line.to_owned(),
        };
        self.paint(ink, &line[..1]) + &line[1..]
    }

    /// One line of a diff.
    pub(super) fn changed(&self, line: &str) -> String {
        match line.as_bytes().first() {
            Some(b'+') => self.paint(Ink::Good, line),
            Some(b'-') => self.paint(Ink::Removed, line),
            Some(b'@') => self.paint(Ink::Heading, line),
            _ => line.to_owned(),
        }
    }

    /// Rows below their heads. On a screen that is too narrow, only the first columns are a table (or the first one, where
    /// these do not fit either), and the others stand below their row. Each row may have an ink.
    pub(super) fn table(&self, heads: &[&str], first: usize, rows: &[(Option<Ink>, Vec<String>)]) -> String {
        // A column without a cell says nothing.
        let filled = |at: &usize| rows.iter().any(|(_, row)| !row[*at].is_empty());
        let columns: Vec<usize> = (0..heads.len()).filter(filled).collect();
        let wide = |at: &usize| {
            let cells = rows.iter().map(|(_, row)| layout::width(&row[*at]));
            cells.chain([heads[*at].len()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = columns.iter().map(wide).collect();
        let whole = widths.iter().map(|width| width + 2).sum::<usize>();
        let narrow = self.columns.is_some_and(|columns| whole > columns + 2);
        let fit = |most: usize| {
            let widths = columns.iter().zip(&widths).filter(|(at, _)| **at < most);
            let whole = widths.map(|(_, width)| width + 2).sum::<usize>();
            self.columns.is_none_or(|columns| whole <= columns + 2)
        };
        let most = match narrow {
            true if fit(first) => first,
            true => 1,
            false => heads.len(),
        };
        let joined = |row: &[&str]| {
            let cells = columns.iter().zip(&widths).filter(|(at, _)| **at < most);
            let cells: Vec<String> = cells.map(|(at, width)| padded(row[*at], *width)).collect();
            cells.join("  ").trim_end().to_owned()
        };
        let mut out = self.paint(Ink::Bold, &joined(heads)) + "\n";
        for (ink, row) in rows {
            let cells: Vec<&str> = row.iter().map(String::as_str).collect();
            let line = joined(&cells);
            out.push_str(&ink.map_or_else(|| line.clone(), |ink| self.paint(ink, &line)));
            out.push('\n');
            let rest: Vec<&str> = cells
                .iter()
                .skip(most)
                .copied()
                .filter(|cell| !cell.is_empty())
                .collect();
            if narrow && !rest.is_empty() {
                out.push_str(&self.line(&format!("    {}", rest.join("; ")), 6));
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_heads_and_what_does_not_fit_stands_below_its_row() {
        let row = |cells: [&str; 3]| (None, cells.map(str::to_owned).to_vec());
        let rows = [row(["one", "verified", "a long story"]), row(["two", "gone", ""])];
        let table = |columns| Paper::plain(columns).table(&["release", "state", "about"], 2, &rows);
        let wide = "release  state     about\none      verified  a long story\ntwo      gone\n";
        assert_eq!(table(None), wide);
        assert_eq!(table(Some(40)), wide);
        assert_eq!(
            table(Some(24)),
            "release  state\none      verified\n    a long story\ntwo      gone\n"
        );
    }
}
