//! What fits on one screen if something failed: how many of the last lines, and how many rows of each reason. Never here:
//! what failed, the state of the host and what to type, which are shown whole on every screen.

use super::held::Held;
use super::layout;
use crate::text::columns_of;

/// The rows of a terminal that does not report them.
const USUAL: usize = 24;
/// What is typed before a report, and the prompt after it.
const OTHERS: usize = 2;
/// The most rows of one line of output.
const OF_ONE: usize = 3;
/// The fewest lines of output that are worth their rows.
const LEAST: usize = 2;

/// A screen that one report has to fit on.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    columns: usize,
    rows: usize,
}

impl Room {
    pub fn new((columns, rows): (usize, usize)) -> Self {
        let rows = if rows == 0 { USUAL } else { rows };
        Self { columns, rows }
    }

    /// Whether all is to be said in fewer words.
    pub fn is_low(self) -> bool {
        self.columns < 60 || self.rows < USUAL
    }

    /// The rows that a printed text takes.
    pub fn taken(self, text: &str) -> usize {
        text.lines().map(|line| self.of_line(line)).sum()
    }

    fn of_line(self, line: &str) -> usize {
        layout::width(line).div_ceil(self.columns.max(1)).max(1)
    }

    /// The rows that are left beside these.
    pub fn left(self, taken: usize) -> usize {
        self.rows.saturating_sub(OTHERS + taken)
    }

    /// The rows that the end of a report needs, before it is known.
    pub fn end(self) -> usize {
        if self.is_low() { 11 } else { 8 }
    }

    /// One line, broken at words, in at most `most` rows.
    pub fn cut(self, line: &str, hang: usize, most: usize) -> String {
        let (mut out, mut left) = (String::new(), most);
        let whole = layout::wrapped(line, self.columns, hang);
        if self.taken(&whole) <= most {
            return whole;
        }
        for line in whole.lines() {
            let rows = self.of_line(line);
            if rows < left {
                out.push_str(line);
                out.push('\n');
                left -= rows;
                continue;
            }
            out.push_str(first(line, left * self.columns - 1));
            out.push('…');
            break;
        }
        out
    }

    /// The last of these lines that fit into so many rows, and how many came before them.
    pub fn last(self, lines: &[String], hang: usize, rows: usize) -> (usize, Vec<String>) {
        let mut kept: Vec<String> = Vec::new();
        let mut taken = 0;
        for (at, line) in lines.iter().enumerate().rev() {
            // One row names how many came before.
            let left = rows.saturating_sub(taken + usize::from(at > 0));
            let whole = self.cut(line, hang, OF_ONE);
            let fits = self.taken(&whole) <= left;
            if kept.len() == Held::LINES || !fits && kept.len() >= LEAST {
                break;
            }
            kept.push(if fits { whole } else { self.cut(line, hang, 1) });
            taken += kept.last().map_or(0, |line| self.taken(line));
        }
        kept.reverse();
        (lines.len() - kept.len(), kept)
    }

    /// The first of these lines that fit into a third of so many rows; none if all fit, with the `last`, or on a screen that
    /// has few.
    pub fn first(self, lines: &[String], last: &[String], between: usize, hang: usize, rows: usize) -> Vec<String> {
        let cut = |line: &String| self.cut(line, hang, OF_ONE);
        let all: usize = lines.iter().chain(last).map(|line| self.taken(&cut(line))).sum();
        if self.is_low() || between == 0 && all <= rows {
            return Vec::new();
        }
        let mut taken = 0;
        let fits = |line: &String| {
            taken += self.taken(line);
            taken <= rows / 3
        };
        lines.iter().map(cut).take_while(fits).collect()
    }

    /// The most rows of one reason with which an end of a report fits beside `taken` rows: `end` returns its rows for a
    /// limit.
    pub fn reasons(self, taken: usize, end: impl Fn(usize) -> usize) -> usize {
        let fits = |most: &usize| end(*most) <= self.left(taken);
        [usize::MAX, 4, 3, 2].into_iter().find(fits).unwrap_or(1)
    }
}

/// The beginning of a line that is that many columns wide; colors take none.
fn first(line: &str, columns: usize) -> &str {
    let (mut wide, mut colour) = (0, false);
    for (at, c) in line.char_indices() {
        match c {
            '\x1b' => colour = true,
            'm' if colour => colour = false,
            _ if colour => {}
            c if wide + columns_of(c) > columns => return line[..at].trim_end(),
            c => wide += columns_of(c),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_to_rows_and_the_last_lines_are_kept() {
        let room = Room::new((20, 10));
        assert_eq!(
            room.cut("  why  one two three four", 7, 9),
            "  why  one two three\n       four"
        );
        assert_eq!(
            room.cut("  why  one two three four five six", 7, 1),
            "  why  one two thre…"
        );
        assert_eq!(
            room.cut("  why  one two three four", 7, 2),
            "  why  one two three\n       four"
        );
        assert_eq!(room.cut(&"漢".repeat(30), 0, 1), format!("{}…", "漢".repeat(9)));
        assert_eq!(room.taken(&room.cut(&"x".repeat(400), 2, 3)), 3, "a word of many rows");
        let lines: Vec<String> = (1..=9).map(|n| format!("line {n}")).collect();
        let kept = |rows| {
            let (before, lines) = room.last(&lines, 2, rows);
            (before, lines.len())
        };
        assert_eq!(kept(4), (6, 3));
        assert_eq!(kept(9), (0, 9), "nothing has to be said of those before");
        assert_eq!(kept(0), (7, 2), "the last words are never dropped");
        assert_eq!(Room::new((80, 0)).left(0), 22);
        assert_eq!(room.reasons(1, |most| most.min(7)), usize::MAX);
        assert_eq!(room.reasons(3, |most| most.min(7)), 4);
        assert_eq!(room.reasons(8, |most| most.min(7)), 1);
    }
}
