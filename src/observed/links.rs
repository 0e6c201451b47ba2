//! The symlinks of the app's root that name a release, `current` and the slots, and what counts as a release's name.

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
    is_name(id).then(|| id.to_owned())
}

/// Whether it can be the name of a release. It becomes a word of the request, where a space in it would be another word,
/// and of lines to type.
pub(super) fn is_name(id: &str) -> bool {
    !id.is_empty()
        && !id.starts_with(['.', '-'])
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
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

#[cfg(test)]
mod tests {
    use super::super::Observed;
    use super::*;

    #[test]
    fn a_current_that_is_not_a_link_into_releases_is_odd() {
        for odd in [
            "link /srv/x",
            "link ../x",
            "directory",
            "file",
            "link releases/.in-x",
            "link unreadable",
            "link releases/a b",
        ] {
            let observed = Observed::parse(format!("current {odd}\n").as_bytes());
            assert!(matches!(observed.current, Current::Odd(_)), "{odd}");
        }
        let observed = Observed::parse(b"slot blue link ../releases/a\nslot green link releases/a\nslot red file\n");
        assert_eq!(observed.slots["blue"], Slot::Release("a".into()));
        assert!(matches!(observed.slots["green"], Slot::Odd(_)) && matches!(observed.slots["red"], Slot::Odd(_)));
        let gone = Observed::parse(b"current link releases/a\ncurrent dangling\n").current;
        assert_eq!(gone, Current::Gone("a".into()));
    }
}
