//! The text of an `EnvironmentFile=` that can be read in one way only: systemd, dotenv libraries and people agree on each
//! line. Parses and writes it. Values are never in a message. Judging files that are there already is `rules`' work.

use std::fmt;

/// The most that the host's helper takes, in bytes.
pub const LONGEST: usize = 65_536;

/// What is wrong with a text: the line (from 1; 0 for the whole) and a sentence without any value in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The line, from 1; 0 when it is about the whole.
    pub line: usize,
    /// What is wrong, and what to write instead.
    pub text: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.text),
            line => write!(f, "line {line}: {}", self.text),
        }
    }
}

/// Whether systemd takes this for a variable's name: letters, digits and `_`, no digit first (systemd.exec(5)).
#[must_use]
pub fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// One assignment as a line, quoted so that systemd gives exactly this value to the program.
///
/// # Errors
/// A sentence, when no line can hold the value: line breaks, other control characters, no UTF-8.
pub fn line(name: &str, value: &[u8]) -> Result<String, String> {
    let Ok(value) = std::str::from_utf8(value) else {
        return Err("the value is not UTF-8: systemd would not take the file".into());
    };
    if value.contains(['\n', '\r']) {
        return Err(
            "the value has more than one line; keep such a secret in a file of its own (LoadCredential=), or in base64"
                .into(),
        );
    }
    if value.chars().any(|c| c.is_control() && c != '\t') {
        return Err("the value has control characters: systemd would drop it".into());
    }
    let mut line = format!("{name}=\"");
    for c in value.chars() {
        if matches!(c, '"' | '\\' | '`' | '$') {
            line.push('\\');
        }
        line.push(c);
    }
    line.push('"');
    Ok(line)
}

/// The names that a text assigns, in its order.
///
/// # Errors
/// Every line that some reader would read in another way.
pub fn names(text: &[u8]) -> Result<Vec<String>, Vec<Wrong>> {
    let whole = |text: &str| {
        vec![Wrong {
            line: 0,
            text: text.into(),
        }]
    };
    if text.len() > LONGEST {
        return Err(whole("more than 64 KiB"));
    }
    let Ok(text) = std::str::from_utf8(text) else {
        return Err(whole("not UTF-8: systemd would refuse the file"));
    };
    if text.starts_with('\u{feff}') {
        return Err(whole(
            "it begins with a byte order mark: save it without one",
        ));
    }
    let (mut names, mut wrong) = (Vec::<String>::new(), Vec::new());
    for (index, line) in text.split('\n').enumerate() {
        let result = assignment(line).and_then(|name| match name {
            Some(name) if names.iter().any(|n| n == name) => Err(format!("{name} is there twice")),
            name => Ok(name),
        });
        match result {
            Ok(name) => names.extend(name.map(str::to_owned)),
            Err(text) => wrong.push(Wrong {
                line: index + 1,
                text,
            }),
        }
    }
    if wrong.is_empty() {
        Ok(names)
    } else {
        Err(wrong)
    }
}

/// The name that a line assigns; none for a comment or an empty line.
fn assignment(line: &str) -> Result<Option<&str>, String> {
    let say = |text: &str| Err(text.to_owned());
    if line.ends_with('\r') {
        return say("it ends with a carriage return: save the file with Unix line ends");
    }
    if line.chars().any(|c| c.is_control() && c != '\t') {
        return say("a control character");
    }
    if line.starts_with(['#', ';']) && line.ends_with('\\') {
        return say(
            "a comment that ends with a backslash: older systemd reads on in the next line",
        );
    }
    if line.is_empty() || line.starts_with(['#', ';']) {
        return Ok(None);
    }
    if line.starts_with("export ") {
        return say("`export` is shell; write NAME=value alone");
    }
    let Some((name, value)) = line.split_once('=') else {
        return say("no `=`: systemd would skip the line");
    };
    if !is_name(name) {
        return say(
            "what stands before the `=` is no name: letters, digits and _ alone, no spaces",
        );
    }
    unambiguous(value).map_err(|text| format!("{name}: {text}"))?;
    Ok(Some(name))
}

/// Whether a value has one reading.
fn unambiguous(value: &str) -> Result<(), &'static str> {
    let value = value.trim_end_matches([' ', '\t']);
    if let Some(rest) = value.strip_prefix('\'') {
        return match rest.split_once('\'') {
            Some((_, "")) => Ok(()),
            Some(_) => Err("something follows the closing quote"),
            None => Err("a quote is never closed (a value cannot go on in the next line)"),
        };
    }
    let quoted = value.strip_prefix('"');
    let mut rest = quoted.unwrap_or(value).chars();
    while let Some(c) = rest.next() {
        match c {
            '"' if quoted.is_some() => {
                return if rest.as_str().is_empty() {
                    Ok(())
                } else {
                    Err("something follows the closing quote")
                };
            }
            '\\' if quoted.is_none() => {
                return Err("systemd takes the backslash away; put the value in single quotes");
            }
            '\\' if rest.next().is_none_or(|c| !"\"\\`$".contains(c)) => {
                return Err(
                    "in double quotes a backslash may only stand before \" \\ ` and $; use single quotes",
                );
            }
            '\\' => {}
            '$' | '`' => {
                return Err(
                    "nothing is expanded here, but others would; put the value in single quotes",
                );
            }
            '"' | '\'' if quoted.is_none() => {
                return Err("a quote inside a bare value; quote the whole value");
            }
            _ => {}
        }
    }
    if quoted.is_some() {
        return Err("a quote is never closed (a value cannot go on in the next line)");
    }
    if value.starts_with([' ', '\t']) {
        return Err("a space behind the `=`; quote the value if it is part of it");
    }
    if value.contains(" #") || value.contains("\t#") {
        return Err("a comment cannot follow a value: systemd would make it part of it");
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_everybody_reads_alike_are_taken() {
        let text = b"# a comment\n;\n\nA=1\nB=\nC=hello world \nD='a $B \\ \" c'\nE=\"a \\$B \\\\ \\\" # x\"\t\n_F1=#fff\nG=a=b\n";
        assert_eq!(names(text).unwrap(), ["A", "B", "C", "D", "E", "_F1", "G"]);
        assert_eq!(names(b"").unwrap(), [""; 0]);
    }

    #[test]
    fn what_some_reader_reads_in_another_way_is_refused_with_its_line_and_without_its_value() {
        for bad in [
            "export A=sesame",
            "A =sesame",
            " A=sesame",
            "A= sesame",
            "1A=sesame",
            "A-B=sesame",
            "sesame",
            "A=sesame # note",
            "A=$sesame",
            "A=`sesame`",
            "A=\"$sesame\"",
            "A=ses\\ame",
            "A=\"ses\\name\"",
            "A=\"sesame",
            "A='sesame",
            "A='it'\\''sesame'",
            "A=it's sesame",
            "A=\"a\" sesame",
            "A=sesame\r",
            "A=\x1bsesame",
            "# sesame \\",
            "A=1\nA=sesame",
        ] {
            let wrong = names(format!("OK=1\n{bad}\n").as_bytes()).unwrap_err();
            assert_eq!(wrong.len(), 1, "{bad}");
            assert_eq!(wrong[0].line, bad.lines().count() + 1, "{bad}");
            let said = wrong[0].to_string();
            assert!(!said.contains("sesame"), "{bad}: {said}");
        }
        assert_eq!(names(b"A=\xff").unwrap_err()[0].line, 0);
        assert!(names(&[b'#'; LONGEST + 1]).is_err());
    }

    #[test]
    fn a_written_line_is_one_that_is_read() {
        let nasty = "a\"b\\c`d$e'f #g\t=h ü ";
        let written = line("A", nasty.as_bytes()).unwrap();
        assert_eq!(written, "A=\"a\\\"b\\\\c\\`d\\$e'f #g\t=h ü \"");
        assert_eq!(names(written.as_bytes()).unwrap(), ["A"]);
        for bad in [&b"a\nb"[..], b"\xff", b"\x00", b"\x1b["] {
            assert!(line("A", bad).is_err());
        }
    }
}
