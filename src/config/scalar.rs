//! Text written into a `deploy.yml`. The reverse of `tree`, for one value; `second_reader` checks that others read the
//! same.

use super::tree::is_invisible;

/// A scalar as it is written into a `deploy.yml`: plain where no reader of YAML could take it for anything else, in
/// quotes otherwise. It reads back as exactly this text.
pub fn scalar(text: &str) -> String {
    if text.contains(is_invisible) {
        let escaped = |c: char| match c {
            '"' | '\\' => format!("\\{c}"),
            c if is_invisible(c) => format!("\\U{:08X}", c as u32),
            c => c.to_string(),
        };
        return format!("\"{}\"", text.chars().map(escaped).collect::<String>());
    }
    let begins = |c: char| c.is_alphabetic() || "/._$".contains(c);
    let plain = text.starts_with(begins)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && !is_coerced(text);
    if plain {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

/// Whether YAML 1.1 or 1.2 takes a plain text that begins like a word or a path for a number, a boolean or nothing.
fn is_coerced(text: &str) -> bool {
    const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let number = text.starts_with('.') && text[1..].starts_with(|c: char| c.is_alphanumeric());
    number || WORDS.contains(&text.to_lowercase().as_str())
}
