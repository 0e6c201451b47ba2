//! Secrets in text that is printed about a unit: each becomes `…`, whole. Knows how secrets are written, and no rule.

use super::secrets::secret_name;

/// How tokens of well-known services begin.
const TOKENS: [&str; 12] = [
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "AKIA",
    "eyJ",
];

fn quoted(c: char) -> bool {
    matches!(c, '"' | '\'' | '`')
}

/// The text without its secrets: passwords in URLs, values of variables and options whose names say so, known tokens.
pub fn masked(text: &str) -> String {
    let mut out = String::new();
    // What the word before says about the next one.
    let mut before = "";
    // The quote in which a masked value goes on.
    let mut open: Option<char> = None;
    for piece in text.split_inclusive([' ', '\t', '\n']) {
        let word = piece.trim_end();
        let gap = &piece[word.len()..];
        if let Some(quote) = open {
            if let Some((_, rest)) = word.rsplit_once(quote) {
                out.push_str(rest);
                open = None;
            }
        } else {
            let hides = follows(before) && !word.starts_with('-');
            let shown = if hides { value(word) } else { inside(word, before) };
            // A value that began with a quote ends with it.
            let quote = word
                .rsplit(['=', ' '])
                .next()
                .and_then(|end| end.chars().next())
                .filter(|c| matches!(c, '"' | '\''));
            open = quote.filter(|quote| shown != word && word.matches(*quote).count() == 1);
            out.push_str(&shown);
            before = word;
        }
        out.push_str(gap);
    }
    out
}

/// Whether the word after this one is a secret: the value of an option, or what follows `Bearer`.
fn follows(word: &str) -> bool {
    let word = word.trim_start_matches(quoted);
    let option = word.starts_with('-') && !word.ends_with(quoted) && !word.contains('=');
    option && secret_name(&word.replace(['-', '.'], "_")) || matches!(word, "Bearer" | "Basic")
}

/// A value: hidden, unless it names a place or a variable.
fn value(word: &str) -> String {
    let bare = word.trim_start_matches(quoted);
    match bare.is_empty() || bare.starts_with(['/', '$', '%']) {
        true => word.to_owned(),
        false => "…".to_owned(),
    }
}

fn inside(word: &str, before: &str) -> String {
    if let Some((scheme, rest)) = word.split_once("://")
        && let Some((who, at)) = rest.rsplit_once('@')
    {
        let (user, password) = who
            .split_once(':')
            .map_or((who, ""), |(user, password)| (user, password));
        let name = user.len() <= 16 && user.chars().all(|c| c.is_ascii_lowercase() || "_-".contains(c));
        let scheme = scheme
            .rsplit_once('=')
            .filter(|(key, _)| secret_name(key))
            .map_or(scheme, |_| scheme);
        return match (name, password.starts_with('$')) {
            (_, true) => word.to_owned(),
            (true, _) if password.is_empty() => word.to_owned(),
            (true, _) => format!("{scheme}://{user}:…@{at}"),
            (false, _) => format!("{scheme}://…@{at}"),
        };
    }
    if let Some((name, rest)) = word.split_once('=') {
        let last = name
            .rsplit(|c: char| !(c.is_ascii_alphanumeric() || "_-.".contains(c)))
            .next()
            .unwrap_or(name);
        if !rest.is_empty() && secret_name(&last.replace(['-', '.'], "_")) {
            return format!("{name}={}", value(rest));
        }
        return format!("{name}={}", inside(rest, ""));
    }
    if matches!(before, "-u" | "--user")
        && let Some((user, _)) = word.split_once(':')
    {
        return format!("{user}:…");
    }
    let bare = word.trim_start_matches(quoted);
    match TOKENS
        .iter()
        .any(|token| bare.starts_with(token) && bare.len() >= token.len() + 12)
    {
        true => "…".to_owned(),
        false => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_secret_is_hidden_whole() {
        for text in [
            "--dsn postgres://app:hunter2@db/x",
            "--dsn=postgres://app:hun/ter2@h@db/x",
            "ExecStart=/bin/a --db-password hunter2: bad",
            "--password=hunter2",
            "--token 'two hunter2 words' rest",
            "DB_PASSWORD=\"two hunter2\" rest",
            "-Ddb.password=hunter2",
            "-H Authorization: Bearer hunter2",
            "curl -u admin:hunter2 http://x",
            "https://hunter2hunter2hunter2@github.com/x",
            "redis://:hunter2@cache/0",
            "ghp_hunter2hunter2hunter2",
            "`API_KEY=hunter2` is shell syntax",
        ] {
            assert!(!masked(text).contains("hunter2"), "{text}: {}", masked(text));
        }
        for text in [
            "--password-file=/etc/acme/password and more",
            "git clone ssh://git@host/x",
            "postgres://app:$PASSWORD@db/x",
            "a space  stays, `--password` too",
            "TOKEN=$TOKEN",
        ] {
            assert_eq!(masked(text), text);
        }
        assert_eq!(masked("--dsn postgres://app:x@db/y z"), "--dsn postgres://app:…@db/y z");
    }
}
