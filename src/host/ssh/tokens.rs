//! The tokens of ssh_config(5), `~` and the local user, filled into paths and commands. Text in, text out.

use std::path::{Path, PathBuf};

/// The values of `%h`, `%p` and the other tokens (ssh_config(5), TOKENS).
pub struct Tokens<'a> {
    /// `%h`: the name or address to connect to.
    pub host_name: &'a str,
    /// `%n`: the name as the user wrote it.
    pub alias: &'a str,
    /// `%r`: the login name.
    pub user: &'a str,
    /// `%p`.
    pub port: u16,
}

impl Tokens<'_> {
    pub fn expand(&self, text: &str) -> String {
        let mut out = String::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            match chars.next() {
                Some('%') => out.push('%'),
                Some('h') => out.push_str(self.host_name),
                Some('n' | 'k') => out.push_str(self.alias),
                Some('p') => out.push_str(&self.port.to_string()),
                Some('r') => out.push_str(self.user),
                Some('u') => out.push_str(&local_user().unwrap_or_default()),
                Some('d') => out.push_str(&home().to_string_lossy()),
                Some('i') => out.push_str(&rustix::process::getuid().as_raw().to_string()),
                // Unknown tokens stay as they are: the error then names the file as it was written.
                Some(other) => out.extend(['%', other]),
                None => out.push('%'),
            }
        }
        out
    }

    /// A path with its tokens and a leading `~` filled in.
    pub fn path(&self, text: &str) -> PathBuf {
        let text = self.expand(text);
        match text.strip_prefix("~/") {
            Some(rest) => home().join(rest),
            None => PathBuf::from(text),
        }
    }
}

pub fn local_user() -> Option<String> {
    ["USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok())
        .filter(|name| !name.is_empty())
}

/// The local user's home directory; `/`, which has no ssh files, when there is none.
pub fn home() -> PathBuf {
    std::env::home_dir()
        .filter(|d| !d.as_os_str().is_empty())
        .unwrap_or_else(|| Path::new("/").to_path_buf())
}
