//! What stays at home: the patterns of `exclude:`, matched against paths relative to the source.
//!
//! - A pattern without `/` matches a name at any depth: `*.map`, `node_modules`.
//! - A pattern with `/` is anchored at the source: `docs/*.md`, `/notes.txt`.
//! - A `/` at the end matches directories only: `tmp/`.
//! - `*` and `?` match within one component, names that begin with a dot included; `**` as a component
//!   matches any number of them: `a/**/b`, and `a/**` empties `a` but keeps it.
//! - `[a-z]`, `[!a-z]` and `{a,b}` work; `\` takes the meaning from the next character.
//! - What is inside an excluded directory is excluded with it; a pattern that begins with `!` is refused.

use globset::{Candidate, GlobBuilder, GlobSet, GlobSetBuilder};

use crate::text;

/// A set of patterns, ready to match. By default there are none.
#[derive(Debug, Default)]
pub struct Exclude {
    /// Matched against the last component.
    names: Patterns,
    /// Matched against the whole path.
    paths: Patterns,
}

#[derive(Debug, Default)]
struct Patterns {
    anything: GlobSet,
    directories: GlobSet,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a valid pattern: {why}", text::shown(.pattern.as_bytes()))]
pub struct BadPattern {
    pub pattern: String,
    /// What is wrong with it: a few words.
    pub why: String,
}

impl Exclude {
    /// Compiles patterns.
    /// Fails with [`BadPattern`] for the first that could never match or means something else than it seems to.
    pub fn new<P: AsRef<str>>(patterns: &[P]) -> Result<Self, BadPattern> {
        let mut sets: [GlobSetBuilder; 4] = std::array::from_fn(|_| GlobSetBuilder::new());
        for pattern in patterns {
            let written = pattern.as_ref();
            let bad = |why: &str| BadPattern {
                pattern: written.to_owned(),
                why: why.to_owned(),
            };
            if written.starts_with('!') {
                return Err(bad(
                    "`!` cannot re-include files here; write `\\!` for a name that begins with it",
                ));
            }
            let whole = written.strip_prefix("./").unwrap_or(written);
            let anywhere = whole.strip_suffix('/').unwrap_or(whole);
            let only_directories = anywhere.len() < whole.len();
            let glob = anywhere.strip_prefix('/').unwrap_or(anywhere);
            if glob.is_empty() {
                return Err(bad("it is empty"));
            }
            if glob.split('/').any(|part| matches!(part, "" | "." | "..")) {
                return Err(bad("a path never has an empty, `.` or `..` component"));
            }
            let compiled = GlobBuilder::new(glob)
                .literal_separator(true)
                .backslash_escape(true)
                .build()
                .map_err(|error| bad(&error.kind().to_string()))?;
            let anchored = anywhere.contains('/');
            sets[usize::from(anchored) * 2 + usize::from(only_directories)].add(compiled);
        }
        let too_big = |error: globset::Error| BadPattern {
            pattern: error.glob().unwrap_or("exclude").to_owned(),
            why: error.kind().to_string(),
        };
        let [names, name_directories, paths, path_directories] = sets;
        let build = |set: GlobSetBuilder| set.build().map_err(too_big);
        Ok(Self {
            names: Patterns {
                anything: build(names)?,
                directories: build(name_directories)?,
            },
            paths: Patterns {
                anything: build(paths)?,
                directories: build(path_directories)?,
            },
        })
    }

    /// Whether a file, link or anything else that is not a directory stays at home.
    pub fn leaves_out(&self, path: &[u8]) -> bool {
        let (path, name) = (Candidate::from_bytes(path), Candidate::from_bytes(name(path)));
        self.names.anything.is_match_candidate(&name) || self.paths.anything.is_match_candidate(&path)
    }

    /// Whether a directory, and with it everything in it, stays at home.
    pub fn leaves_out_directory(&self, path: &[u8]) -> bool {
        let (whole, last) = (Candidate::from_bytes(path), Candidate::from_bytes(name(path)));
        self.leaves_out(path)
            || self.names.directories.is_match_candidate(&last)
            || self.paths.directories.is_match_candidate(&whole)
    }
}

/// The last component of a path.
fn name(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn file(pattern: &str, path: &[u8]) -> bool {
        Exclude::new(&[pattern]).unwrap().leaves_out(path)
    }

    #[test]
    fn a_pattern_without_a_slash_matches_a_name_at_any_depth() {
        assert!(file("*.map", b"app.map"));
        assert!(file("*.map", b"js/deep/app.map"));
        assert!(file("*.map", b"js/.map"));
        assert!(file("*.map", b"\xff/\xfe.map"));
        assert!(!file("*.map", b"app.map/inside"), "the walk leaves out what is inside");
        assert!(!file("*.map", b"app.mapped"));
        assert!(!file("a*b", b"a/b"));
        assert!(file("{a,b}.txt", b"x/b.txt"));
        assert!(file("[!a].txt", b"x/b.txt"));
        assert!(file("\\!x", b"!x"));
    }

    #[test]
    fn a_pattern_with_a_slash_is_anchored() {
        assert!(file("/notes.txt", b"notes.txt"));
        assert!(!file("/notes.txt", b"docs/notes.txt"));
        assert!(file("docs/*.md", b"docs/a.md"));
        assert!(!file("docs/*.md", b"docs/deep/a.md"));
        assert!(!file("docs/*.md", b"x/docs/a.md"));
        assert!(file("./docs/*.md", b"docs/a.md"));
        assert!(file("a/**/b", b"a/b"));
        assert!(file("a/**/b", b"a/x/y/b"));
        assert!(file("**/b/c", b"x/b/c"));
        assert!(file("a/**", b"a/x/y"));
        assert!(!Exclude::new(&["a/**"]).unwrap().leaves_out_directory(b"a"));
    }

    #[test]
    fn a_slash_at_the_end_matches_directories_only() {
        let tmp = Exclude::new(&["tmp/", "/a/b/"]).unwrap();
        assert!(tmp.leaves_out_directory(b"tmp") && tmp.leaves_out_directory(b"x/tmp"));
        assert!(tmp.leaves_out_directory(b"a/b") && !tmp.leaves_out_directory(b"x/a/b"));
        assert!(!tmp.leaves_out(b"tmp") && !tmp.leaves_out(b"a/b"));
    }

    #[test]
    fn a_pattern_that_cannot_mean_what_it_says_is_refused() {
        for (pattern, why) in [
            ("", "it is empty"),
            ("/", "it is empty"),
            ("!keep", "`!` cannot re-include files"),
            ("../x", "a path never has"),
            ("a//b", "a path never has"),
            ("a/./b", "a path never has"),
            ("[a", "unclosed character class"),
            ("a\\", "dangling"),
        ] {
            let bad = Exclude::new(&[pattern]).unwrap_err().to_string();
            assert!(bad.contains(why), "{pattern:?}: {bad}");
        }
    }
}
