//! What the symlinks that decide about releases lead to: `current`, and the slot of each instance. Never follows one.

use super::lines;

/// What `current` is.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Current {
    /// Not there: nothing was ever live.
    #[default]
    Absent,
    /// A link to this release.
    Release(String),
    /// A link to a release that is gone: by hand, for shipit never removes the live one.
    Gone(String),
    /// Anything else, in words: shipit does not touch it.
    Odd(String),
}

/// What the slot of an instance is. One that does not exist has none of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slot {
    /// A link to this release, which may be gone.
    Release(String),
    /// Anything else, in words: shipit does not touch it.
    Odd(String),
}

pub(super) fn current(rest: &str, before: &Current) -> Current {
    let (kind, target) = lines::split(rest);
    match (kind, target) {
        ("absent", _) => Current::Absent,
        ("dangling", _) => match before {
            Current::Release(id) => Current::Gone(id.clone()),
            other => other.clone(),
        },
        ("link", "unreadable") => Current::Odd("a symlink that cannot be read".into()),
        ("link", to) => match release(to, "releases/") {
            Some(id) => Current::Release(id),
            None => Current::Odd(format!("a symlink to {}", crate::text::shown(to.as_bytes()))),
        },
        ("directory", _) => Current::Odd("a directory".into()),
        _ => Current::Odd("a file".into()),
    }
}

/// The release that a link leads to, when its text is this directory and a name.
fn release(to: &str, directory: &str) -> Option<String> {
    let id = to.trim_end_matches('/').strip_prefix(directory)?;
    // It becomes a word of the request: a space in it would be another word.
    let is_name = !id.is_empty()
        && !id.starts_with(['.', '-'])
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    is_name.then(|| id.to_owned())
}

pub(super) fn slot(what: &str) -> Slot {
    match lines::split(what) {
        ("link", to) => match release(to, "../releases/") {
            Some(id) => Slot::Release(id),
            None => Slot::Odd(format!("a symlink to {}", crate::text::shown(to.as_bytes()))),
        },
        ("directory", _) => Slot::Odd("a directory".into()),
        _ => Slot::Odd("a file".into()),
    }
}
