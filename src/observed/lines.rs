//! The one reader of what host scripts print: lines of a word and the rest, `unit NAME=VALUE` properties, files in base64.
//! What the words mean is decided by each fact's own file.

use base64::Engine as _;

/// Each line as its first word and the rest. Bytes that are not UTF-8 are replaced: names that shipit acts on are ASCII.
pub fn lines(out: &[u8]) -> impl Iterator<Item = (String, String)> {
    out.split(|&byte| byte == b'\n').map(|line| {
        let line = String::from_utf8_lossy(line);
        let (word, rest) = split(&line);
        (word.to_owned(), rest.to_owned())
    })
}

/// A text at its first space; the second part is empty when there is none.
pub fn split(text: &str) -> (&str, &str) {
    text.split_once(' ').unwrap_or((text, ""))
}

/// A value in the form in which requests and events carry it; see [`crate::step::encoded`].
pub fn decoded(value: &str) -> String {
    String::from_utf8_lossy(&crate::step::decoded(value)).into_owned()
}

/// The bytes of a file that a script printed in base64; `None` when they did not arrive whole.
pub fn file(packed: &str) -> Option<Vec<u8>> {
    base64::engine::general_purpose::STANDARD.decode(packed).ok()
}
