//! Where a symlink leads, worked out from the manifest alone: nothing is followed, nothing need exist.

use std::collections::HashMap;

/// Link paths and their targets, both as in the manifest.
pub(super) type Links<'a> = HashMap<&'a [u8], &'a [u8]>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leads {
    /// To a path of the release, whether something is there or not; or round in circles.
    Inside,
    /// To a path from the root of the file system.
    Absolute,
    /// Above the release, if only on the way.
    Outside,
}

/// Linux gives up after 40 links (path_resolution(7)): a longer way leads nowhere.
const HOPS: usize = 40;

/// Where the link at `path` leads. It must stay inside twice: as written, and through the other links of the
/// release (`p/q/up -> ../..` is fine, but makes `p/q/up/../x` leave although it looks shallow enough).
pub(super) fn leads(links: &Links<'_>, path: &[u8], target: &[u8]) -> Leads {
    if target.starts_with(b"/") {
        Leads::Absolute
    } else if stays(&Links::new(), path, target) && stays(links, path, target) {
        Leads::Inside
    } else {
        Leads::Outside
    }
}

fn stays(links: &Links<'_>, path: &[u8], target: &[u8]) -> bool {
    let parts = |target: &[u8]| {
        target
            .split(|&byte| byte == b'/')
            .rev()
            .map(<[u8]>::to_vec)
            .collect::<Vec<_>>()
    };
    let mut at = parent(path).to_vec();
    let mut todo = parts(target);
    let mut hops = 0;
    while let Some(part) = todo.pop() {
        match part.as_slice() {
            b"" | b"." => {}
            b".." if at.is_empty() => return false,
            b".." => at.truncate(parent(&at).len()),
            name => {
                let above = at.len();
                if above > 0 {
                    at.push(b'/');
                }
                at.extend_from_slice(name);
                let Some(next) = links.get(at.as_slice()) else {
                    continue;
                };
                hops += 1;
                if next.starts_with(b"/") {
                    return false;
                }
                if hops > HOPS {
                    return true;
                }
                at.truncate(above);
                todo.extend(parts(next));
            }
        }
    }
    true
}

/// The path of the directory that a path is in; empty at the top.
pub(super) fn parent(path: &[u8]) -> &[u8] {
    path.iter()
        .rposition(|&byte| byte == b'/')
        .map_or(b"", |at| &path[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(others: &[(&'static str, &'static str)], path: &str, target: &str) -> Leads {
        let links = others
            .iter()
            .map(|(path, target)| (path.as_bytes(), target.as_bytes()))
            .collect();
        leads(&links, path.as_bytes(), target.as_bytes())
    }

    #[test]
    fn a_link_may_point_anywhere_in_its_release() {
        for target in [
            "x",
            "../x",
            "..",
            ".",
            "../..",
            "nowhere/at/all",
            "./a//b/.",
            "../../a/b/c/../..",
        ] {
            assert_eq!(of(&[], "a/b/l", target), Leads::Inside, "{target}");
        }
    }

    #[test]
    fn a_link_that_leaves_even_on_its_way_is_outside() {
        assert_eq!(of(&[], "l", ".."), Leads::Outside);
        assert_eq!(of(&[], "l", "../release/x"), Leads::Outside);
        assert_eq!(of(&[], "a/l", "../../etc"), Leads::Outside);
        assert_eq!(of(&[], "a/l", "x/../../../a"), Leads::Outside);
        assert_eq!(of(&[], "l", "/etc"), Leads::Absolute);
        assert_eq!(of(&[], "l", "//etc"), Leads::Absolute);
    }

    #[test]
    fn a_link_that_leaves_through_another_link_is_outside() {
        let up = [("p/q/up", "../.."), ("p/abs", "/etc"), ("deep", "p/q")];
        assert_eq!(of(&up, "l", "p/q/up/x"), Leads::Inside);
        assert_eq!(of(&up, "l", "p/q/up/../x"), Leads::Outside);
        assert_eq!(of(&up, "l", "p/abs/passwd"), Leads::Outside);
        assert_eq!(of(&up, "l", "deep/../x"), Leads::Inside);
    }

    #[test]
    fn a_loop_ends() {
        assert_eq!(of(&[("a", "b"), ("b", "a")], "a", "b"), Leads::Inside);
        assert_eq!(of(&[("a", "a/a/a")], "a", "a/a/a"), Leads::Inside);
    }
}
