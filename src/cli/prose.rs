//! Results of many lines, for people: prose breaks at words, and what is there to be copied stays whole: commands, diffs and
//! the text of files. Never here: what they say.

use super::paper::{Ink, Paper};
use crate::report::layout;

/// What stands before a command at the end of a sentence.
const COMMANDS: [&str; 2] = ["; next: ", ", then run: "];

impl Paper {
    /// Lines that hang below themselves, with diffs two columns in, and below `  write PATH:` or `  replace PATH:` the
    /// text of the file.
    pub(super) fn prose(&self, text: &str) -> String {
        let (mut out, mut file, mut diff) = (String::new(), false, false);
        for line in text.lines() {
            let inside = line.strip_prefix("  ").unwrap_or_default();
            let head = ["  write /", "  replace /"].iter().any(|head| line.starts_with(head)) && line.ends_with(':');
            let is_text = file && (line.is_empty() || line.starts_with("      "));
            file = head || is_text;
            let sign = inside.as_bytes().first().copied().unwrap_or_default();
            diff = inside.starts_with("--- ") || diff && b"+-@ \\".contains(&sign);
            if diff {
                out.push_str(&format!("  {}\n", self.changed(inside)));
            } else if is_text {
                out.push_str(line);
                out.push('\n');
            } else if line.starts_with("next: ") {
                out.push_str(&self.command(line, 6));
            } else {
                out.push_str(&self.sentence(line));
            }
        }
        out
    }

    /// One line. A command at its end is never broken, and goes to a line of its own where it does not fit.
    fn sentence(&self, line: &str) -> String {
        let hang = line.len() - line.trim_start().len() + 2;
        let split = COMMANDS.iter().find_map(|mark| Some((*mark, line.split_once(*mark)?)));
        match split {
            Some((mark, (before, command))) if self.columns().is_some_and(|columns| layout::width(line) > columns) => {
                match mark.strip_prefix("; ") {
                    Some(mark) => self.line(before, hang) + &self.command(&format!("{mark}{command}"), 6),
                    None => {
                        self.line(&format!("{before}{}", mark.trim_end()), hang)
                            + &self.command(&format!("  {command}"), 4)
                    }
                }
            }
            _ => self.line(line, hang),
        }
    }

    /// Paragraphs whose lines are broken for one width, at that of the screen. What stands four columns in stays whole.
    pub(super) fn paragraphs(&self, text: &str) -> String {
        if self.columns().is_none() {
            return text.to_owned();
        }
        let mut lines: Vec<String> = Vec::new();
        for line in text.lines() {
            let goes_on = |last: &&mut String| {
                !last.is_empty() && !last.starts_with(' ') && !last.ends_with(['.', ':']) && !line.is_empty()
            };
            match lines.last_mut().filter(goes_on).filter(|_| !line.starts_with(' ')) {
                Some(last) => {
                    last.push(' ');
                    last.push_str(line);
                }
                None => lines.push(line.to_owned()),
            }
        }
        let line = |line: &String| match line.starts_with("    ") {
            true => format!("{line}\n"),
            false => self.line(line, 0),
        };
        lines.iter().map(line).collect()
    }

    /// Findings of units: place, severity and message hang, and the lines of a fix stay whole.
    pub(super) fn findings(&self, text: &str) -> String {
        let word = |line: &str| {
            let severities = [("error", Ink::Bad), ("warning", Ink::Warning)];
            let of = |(word, ink)| Some((line.split_once(&format!(": {word}: "))?, word, ink));
            match severities.into_iter().find_map(of) {
                Some(((place, message), word, ink)) => format!("{place}: {}: {message}", self.paint(ink, word)),
                None => line.to_owned(),
            }
        };
        let line = |line: &str| match line.starts_with("    ") {
            true => format!("{line}\n"),
            false => self.line(&word(line), 2),
        };
        text.lines().map(line).collect()
    }
}
