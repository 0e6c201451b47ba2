//! The one form in which values travel between here and a host's scripts: text without a space or a line end, which the
//! host's `printf %b` decodes. What the values mean stands elsewhere.

/// Every byte outside `[A-Za-z0-9_./:@,+=~-]` becomes `\0ooo`. An empty value is written as `\c`, which prints
/// nothing.
pub fn encoded(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "\\c".into();
    }
    let mut out = String::new();
    for &b in bytes {
        if b.is_ascii_alphanumeric() || b"_./:@,+=~-".contains(&b) {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("\\0{b:03o}"));
        }
    }
    out
}

/// The inverse of [`encoded`], for what a host prints in the same form.
pub fn decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let octal = bytes
            .get(at + 2..at + 5)
            .and_then(|d| std::str::from_utf8(d).ok())
            .and_then(|d| u8::from_str_radix(d, 8).ok());
        if bytes[at..].starts_with(b"\\c") {
            break;
        } else if bytes[at..].starts_with(b"\\0")
            && let Some(byte) = octal
        {
            out.push(byte);
            at += 5;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    out
}
