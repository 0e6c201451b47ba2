//! What stays at home: patterns, and what is never shipped.

use super::{Tree, arrives};
use shipit::failure::Exit;

fn shipped(tree: &Tree, exclude: &[&str]) -> Vec<String> {
    let scanned = tree.scan_without(exclude).unwrap();
    arrives(&scanned);
    let name = |entry: &shipit::release::Entry| String::from_utf8_lossy(&entry.path).into_owned();
    scanned.manifest.entries().iter().map(name).collect()
}

#[test]
fn what_is_excluded_is_not_shipped_and_not_looked_into() {
    let tree = Tree::new();
    tree.file("app.js", "")
        .file("app.js.map", "")
        .file("js/x.map", "")
        .file("tmp/cache/x", "")
        .file("a/tmp", "");
    tree.file("docs/a.md", "").file("docs/deep/a.md", "");
    assert_eq!(
        shipped(&tree, &["*.map", "tmp/", "docs/*.md"]),
        ["a", "a/tmp", "app.js", "docs", "docs/deep", "docs/deep/a.md", "js"]
    );
}

#[test]
fn what_is_excluded_may_be_what_could_not_be_shipped() {
    let tree = Tree::new();
    tree.file("a", "")
        .link("abs", "/etc")
        .link(".shipit", "x")
        .link("tmp/out", "../../x");
    assert_eq!(shipped(&tree, &["abs", "/.shipit", "tmp/*"]), ["a", "tmp"]);
}

#[test]
fn a_repository_is_never_shipped() {
    let tree = Tree::new();
    tree.file(".git/config", "")
        .file("a", "")
        .file("module/.git", "gitdir: ../.git")
        .file("module/b", "");
    tree.file("deep/.git/config", "")
        .file(".gitignore", "")
        .file("x.git/y", "")
        .link("linked/.git", "..");
    assert_eq!(
        shipped(&tree, &[]),
        [
            ".gitignore",
            "a",
            "deep",
            "linked",
            "module",
            "module/b",
            "x.git",
            "x.git/y"
        ]
    );
}

#[test]
fn a_pattern_that_cannot_be_used_is_a_mistake_in_the_configuration() {
    let tree = Tree::new();
    tree.file("a", "");
    let failure = tree.scan_without(&["ok", "!keep"]).unwrap_err();
    assert_eq!(failure.exit, Exit::Usage);
    assert!(
        failure.why[0].starts_with("`!keep` is not a valid pattern: "),
        "{failure}"
    );
}
