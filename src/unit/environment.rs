//! The text of an `EnvironmentFile=` that has one reading only: systemd and dotenv libraries agree on each line. Parses
//! and writes it. Values are never in a message. Checking existing files is the work of `rules`.

use std::fmt;

/// The most that the host's helper accepts, in bytes.
pub const LONGEST: usize = 65_536;

/// systemd reads such a value; other readers of the same file do not, or differently.
const UNCLOSED: &str = "the quoted value continues on the next line: systemd accepts that, but many readers of such files \
    do not; keep the value in a separate file (LoadCredential=), or encode it as base64";

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// From 1; 0 for the text as a whole.
    pub line: usize,
    /// What is wrong and what to write instead, without the value.
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

/// Whether systemd accepts this as the name of a variable: letters, digits and `_`, no digit first (systemd.exec(5)).
pub fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// One assignment as a line, quoted so that systemd passes exactly this value to the program.
/// Fails with a sentence, when the value does not fit into a line: line breaks, other control characters, not UTF-8.
pub fn line(name: &str, value: &[u8]) -> Result<String, String> {
    let Ok(value) = std::str::from_utf8(value) else {
        return Err("the value is not UTF-8: systemd would refuse the file".into());
    };
    if value.contains(['\n', '\r']) {
        return Err(
            "the value has more than one line; keep it in a separate file (LoadCredential=), or encode it as base64"
                .into(),
        );
    }
    if value.chars().any(|c| c.is_control() && c != '\t') {
        return Err("the value contains control characters: systemd would drop it".into());
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

/// The names that a text assigns, in its order. Fails with every line that some reader would read differently.
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
        return Err(whole("the file begins with a byte order mark: save it without one"));
    }
    let (mut names, mut wrong) = (Vec::<String>::new(), Vec::new());
    let mut inside = None;
    for (index, line) in text.split('\n').enumerate() {
        // The rest of a value that was refused is no line of its own.
        if let Some(quote) = inside {
            inside = Some(quote).filter(|quote| !line.contains(*quote));
            continue;
        }
        inside = line.split_once('=').and_then(|(_, value)| opened(value));
        let result = assignment(line).and_then(|name| match name {
            Some(name) if names.iter().any(|n| n == name) => Err(format!("{name} is assigned twice")),
            name => Ok(name),
        });
        match result {
            Ok(name) => names.extend(name.map(str::to_owned)),
            Err(text) => wrong.push(Wrong { line: index + 1, text }),
        }
    }
    if wrong.is_empty() { Ok(names) } else { Err(wrong) }
}

/// The name that a line assigns; none for a comment or an empty line.
fn assignment(line: &str) -> Result<Option<&str>, String> {
    let wrong = |text: &str| Err(text.to_owned());
    if line.ends_with('\r') {
        return wrong("the line ends with a carriage return: save the file with Unix line endings");
    }
    if line.chars().any(|c| c.is_control() && c != '\t') {
        return wrong("the line contains a control character");
    }
    if line.starts_with(['#', ';']) && line.ends_with('\\') {
        return wrong("a comment that ends with a backslash: older versions of systemd continue it on the next line");
    }
    if line.is_empty() || line.starts_with(['#', ';']) {
        return Ok(None);
    }
    if line.starts_with("export ") {
        return wrong("`export` is shell syntax; write only NAME=value");
    }
    let Some((name, value)) = line.split_once('=') else {
        return wrong("no `=`: systemd would skip the line");
    };
    if !is_name(name) {
        return wrong("the text before `=` is not a valid name: only letters, digits and _, no spaces");
    }
    unambiguous(value).map_err(|text| format!("{name}: {text}"))?;
    Ok(Some(name))
}

/// The quote that a value opens, if the line does not close it.
fn opened(value: &str) -> Option<char> {
    let quote = value.chars().next();
    quote.filter(|_| unambiguous(value) == Err(UNCLOSED))
}

/// Whether a value has one reading.
fn unambiguous(value: &str) -> Result<(), &'static str> {
    let value = value.trim_end_matches([' ', '\t']);
    if let Some(rest) = value.strip_prefix('\'') {
        return match rest.split_once('\'') {
            Some((_, "")) => Ok(()),
            Some(_) => Err("text after the closing quote"),
            None => Err(UNCLOSED),
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
                    Err("text after the closing quote")
                };
            }
            '\\' if quoted.is_none() => {
                return Err("systemd removes the backslash; put the value in single quotes");
            }
            '\\' if rest.next().is_none_or(|c| !"\"\\`$".contains(c)) => {
                return Err("in double quotes a backslash is only allowed before \" \\ ` and $; use single quotes");
            }
            '\\' => {}
            '$' | '`' => {
                return Err("systemd does not expand $ and `, but other programs do; put the value in single quotes");
            }
            '"' | '\'' if quoted.is_none() => {
                return Err("a quote inside an unquoted value; quote the whole value");
            }
            _ => {}
        }
    }
    if quoted.is_some() {
        return Err(UNCLOSED);
    }
    if value.starts_with([' ', '\t']) {
        return Err("a space after the `=`; quote the value if the space belongs to it");
    }
    if value.contains(" #") || value.contains("\t#") {
        return Err("a comment cannot follow a value: systemd reads it as part of the value");
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_one_reading_are_accepted() {
        let text = b"# a comment\n;\n\nA=1\nB=\nC=hello world \nD='a $B \\ \" c'\nE=\"a \\$B \\\\ \\\" # x\"\t\n_F1=#fff\nG=a=b\n";
        assert_eq!(names(text).unwrap(), ["A", "B", "C", "D", "E", "_F1", "G"]);
        assert_eq!(names(b"").unwrap(), [""; 0]);
    }

    #[test]
    fn ambiguous_lines_are_refused_with_their_number_and_without_their_value() {
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
            let message = wrong[0].to_string();
            assert!(!message.contains("sesame"), "{bad}: {message}");
        }
        assert_eq!(names(b"A=\xff").unwrap_err()[0].line, 0);
        assert!(names(&[b'#'; LONGEST + 1]).is_err());
    }

    /// systemd reads such a value; that is what is said, once, and nothing about the lines inside.
    #[test]
    fn a_quoted_value_over_several_lines_is_refused_for_its_true_reason() {
        for quote in ['\'', '"'] {
            let text = format!("A={quote}-----BEGIN\nno assignment\n$x`y\\z{quote}\nB=1\nC=$x\n");
            let wrong = names(text.as_bytes()).unwrap_err();
            assert_eq!(
                wrong.iter().map(|wrong| wrong.line).collect::<Vec<_>>(),
                [1, 5],
                "{wrong:?}"
            );
            assert_eq!(wrong[0].text, format!("A: {UNCLOSED}"));
        }
    }

    #[test]
    fn a_written_line_is_accepted_when_read() {
        let nasty = "a\"b\\c`d$e'f #g\t=h ü ";
        let written = line("A", nasty.as_bytes()).unwrap();
        assert_eq!(written, "A=\"a\\\"b\\\\c\\`d\\$e'f #g\t=h ü \"");
        assert_eq!(names(written.as_bytes()).unwrap(), ["A"]);
        for bad in [&b"a\nb"[..], b"\xff", b"\x00", b"\x1b["] {
            assert!(line("A", bad).is_err());
        }
    }
}
