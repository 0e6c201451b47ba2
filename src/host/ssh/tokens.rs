//! The tokens of ssh_config(5) and the person's own place, filled into paths and commands. Text in, text out.

use std::path::{Path, PathBuf};

/// What `%h`, `%p` and the other tokens stand for (ssh_config(5), TOKENS).
pub struct Tokens<'a> {
    /// `%h`: what is connected to.
    pub host_name: &'a str,
    /// `%n`: what the person wrote.
    pub alias: &'a str,
    /// `%r`: who logs in.
    pub user: &'a str,
    /// `%p`.
    pub port: u16,
}

impl Tokens<'_> {
    /// The text with its tokens filled in.
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
                // Tokens that we do not know stay as they are: the error then names the file as it was written.
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

/// The name of the person at this machine.
pub fn local_user() -> Option<String> {
    ["USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok())
        .filter(|name| !name.is_empty())
}

/// The person's home directory; `/` when there is none, where no ssh file will be found.
pub fn home() -> PathBuf {
    std::env::home_dir()
        .filter(|d| !d.as_os_str().is_empty())
        .unwrap_or_else(|| Path::new("/").to_path_buf())
}
