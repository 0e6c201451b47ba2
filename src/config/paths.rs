//! The two kinds of paths of a config: the app's root on the host, and what is shared below a release.
//! Rules on texts only; no file system is looked at.

use std::fmt;

use super::names::{Check, Wrong, checked_name, quoted, say, stranger};

checked_name! {
    /// An absolute directory on the host that shipit may own: plain characters, no `..`, not a system
    /// directory, at most 200 bytes.
    RemotePath, check_root
}
checked_name! {
    /// A path below the release directory, relative, without `.` and `..`: what `shared` links.
    RelPath, check_relative
}
impl RemotePath {
    /// A path below this one. `name` is shipit's own, never foreign text.
    pub fn join(&self, name: &str) -> String {
        format!("{}/{name}", self.0)
    }
}

impl RelPath {
    /// Whether `path` (bytes as packed, without a leading `./`) is this path, lies below it, or is a part of
    /// the way to it.
    pub fn meets(&self, path: &[u8]) -> bool {
        let own = self.0.as_bytes();
        let inside = |outer: &[u8], inner: &[u8]| {
            inner
                .strip_prefix(outer)
                .is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
        };
        inside(own, path) || inside(path, own)
    }
}

/// Directories of the host that no release tree may be in.
const INSIDE: &str = "bin boot dev etc lib lib32 lib64 libx32 lost+found proc root run sbin sys tmp usr";
/// Directories of the host that are shared with others: a root lies below them, it is not one of them.
const ITSELF: &str = "/home /media /mnt /opt /srv /var /var/backups /var/cache /var/crash /var/lib /var/local /var/lock /var/log \
     /var/mail /var/opt /var/snap /var/spool /var/www";

fn check_root(text: &str) -> Check {
    if text.is_empty() {
        return say("is empty; write a directory such as `/opt/acme`");
    }
    if text == "~" || text.starts_with("~/") {
        return say("begins with `~`; write the full path, such as `/home/deploy/acme`");
    }
    if !text.starts_with('/') {
        return say("is relative; write an absolute path such as `/opt/acme`");
    }
    if text.len() > 200 {
        return Err(format!("is {} bytes long; the limit is 200", text.len()));
    }
    if text.bytes().all(|byte| byte == b'/') {
        return say("is the host's root directory; give the app its own directory, such as `/opt/acme`");
    }
    if text.ends_with('/') {
        return Err(format!("ends in `/`; write {}", quoted(text.trim_end_matches('/'))));
    }
    if let Some(c) = stranger(text, |c| c.is_ascii_alphanumeric() || "/._-+@".contains(c)) {
        return Err(format!(
            "contains {c}; a root may contain only letters, digits and `/ . _ - + @`"
        ));
    }
    if text[1..].split('/').any(str::is_empty) {
        return say("contains `//`");
    }
    if text.split('/').any(|part| part == "." || part == "..") {
        return say("contains a `.` or `..` component; write the path without it");
    }
    let top = text[1..].split('/').next().unwrap_or_default();
    if INSIDE.split(' ').any(|own| own == top) {
        return Err(format!(
            "is in the host's own `/{top}`; give the app its own directory, such as `/opt/acme`"
        ));
    }
    let emptied = |dir: &str| text == dir || text.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'));
    if emptied("/var/tmp") || emptied("/var/run") {
        return say("is in a directory that the host empties automatically; use another one, such as `/opt/acme`");
    }
    if ITSELF.split(' ').any(|own| own == text) {
        return Err(format!(
            "is shared by everything on the host; use a directory under it, such as `{text}/acme`"
        ));
    }
    if text.strip_prefix("/home/").is_some_and(|rest| !rest.contains('/')) {
        return Err(format!(
            "is a user's home directory; use a directory under it, such as `{text}/acme`"
        ));
    }
    Ok(())
}

fn check_relative(text: &str) -> Check {
    if text.is_empty() {
        return say("is empty; write a path inside the release, such as `logs`");
    }
    if text.starts_with('/') {
        return say("is absolute; write a path inside the release, such as `logs`");
    }
    if text.ends_with('/') {
        return Err(format!("ends in `/`; write {}", quoted(text.trim_end_matches('/'))));
    }
    if text.starts_with('~') {
        return say("begins with `~`; write a path inside the release, such as `logs`");
    }
    if text.chars().any(char::is_control) {
        return say("contains a control character");
    }
    if text.len() > 1024 || text.split('/').any(|part| part.len() > 255) {
        return say("is too long; a path may have at most 1024 bytes, and each name in it at most 255");
    }
    for part in text.split('/') {
        match part {
            "" => return say("contains `//`"),
            "." | ".." => {
                return say("contains a `.` or `..` component; a shared path must stay inside the release");
            }
            ".shipit" => return say("is reserved for shipit; use another name"),
            _ => {}
        }
    }
    Ok(())
}
