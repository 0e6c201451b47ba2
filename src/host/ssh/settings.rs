//! Keywords and values of an ssh configuration, whoever read them, and the forms that values take. Text in, values
//! out.

use std::path::PathBuf;

use super::tokens::Tokens;

/// Keyword (lower case) and value, in order of precedence: the first value of a keyword wins.
#[derive(Clone, Debug, Default)]
pub struct Settings(pub Vec<(String, String)>);

impl Settings {
    /// The first value, `none` included.
    pub fn first(&self, key: &str) -> Option<&str> {
        self.all(key).next()
    }

    fn all(&self, key: &str) -> impl Iterator<Item = &str> {
        let values = self.0.iter().filter(move |(name, _)| name == key);
        values.map(|(_, value)| value.as_str())
    }

    /// The value, unless it is `none`.
    pub fn one(&self, key: &str) -> Option<&str> {
        self.first(key).filter(|value| !value.eq_ignore_ascii_case("none"))
    }

    pub fn number<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        self.one(key)?.parse().ok()
    }

    pub fn yes(&self, key: &str) -> bool {
        matches!(self.one(key), Some("yes" | "true"))
    }

    /// The paths of one value that lists several, `default` where it is not set.
    pub fn paths(&self, key: &str, tokens: &Tokens<'_>, default: [&str; 2]) -> Vec<PathBuf> {
        let mut list = self.first(key).map(words).unwrap_or_default();
        if list.is_empty() {
            list = default.map(str::to_owned).to_vec();
        }
        let list = list.iter().filter(|word| *word != "none");
        list.map(|word| tokens.path(word)).collect()
    }

    /// The paths of a keyword whose every value counts, one path in each.
    pub fn files(&self, key: &str, tokens: &Tokens<'_>) -> Vec<PathBuf> {
        let values = self.all(key).filter(|value| *value != "none");
        values.map(|value| tokens.path(value.trim_matches('"'))).collect()
    }
}

/// Splits at blanks outside double quotes.
pub fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    for c in text.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            c if c.is_whitespace() && !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}
