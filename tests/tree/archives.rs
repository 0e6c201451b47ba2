//! An archive as a source: it ships what the directory it was made of would ship, or is refused by name.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tar::EntryType;

use super::raw::{Raw, gzip};
use super::{Tree, arrives, scan_path};
use crate::bounds::Ends as _;

/// Makes an archive of a tree with the system's tar.
fn archive(tree: &Tree, into: &Tree, name: &str, options: &[&str]) -> PathBuf {
    let path = into.at(name);
    let mut tar = Command::new("tar");
    tar.arg("-C").arg(tree.path()).args(options).arg("-f").arg(&path);
    let out = tar.args(["-c", "--", "."]).ends();
    assert!(
        out.status.success() && out.stderr.is_empty(),
        "{options:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    path
}

#[test]
fn an_archive_ships_what_its_directory_would() {
    let tree = Tree::new();
    tree.file("bin/run", "#!/bin/sh\n")
        .mode("bin/run", 0o755)
        .file("a", "twice")
        .dir("empty/dir");
    tree.link("link", "bin/run")
        .link("nowhere", "not/there")
        .file("-rf", "")
        .file("with space\n", "x");
    fs::hard_link(tree.at("a"), tree.at("also-a")).unwrap();
    let plain = tree.scan().unwrap();
    let out = Tree::new();
    let same = |path: &Path| {
        let scanned = scan_path(path, &[]).unwrap();
        assert_eq!(
            scanned.manifest.diff(&plain.manifest),
            Default::default(),
            "{}",
            path.display()
        );
        assert_eq!(scanned.manifest.digest(), plain.manifest.digest());
        scanned
    };
    for format in ["v7", "ustar", "oldgnu", "gnu", "pax"] {
        let option = format!("--format={format}");
        same(&archive(&tree, &out, "app.tar", &[&option]));
        same(&archive(&tree, &out, "app.tar.gz", &[&option, "-z"]));
    }
    arrives(&same(&archive(&tree, &out, "App.TGZ", &["-z", "--hard-dereference"])));
    same(&archive(
        &tree,
        &out,
        "app.tar",
        &["--transform=s,^[.]/,,", "--blocking-factor=1"],
    ));

    // What gzip calls a concatenation is one stream to it and to us.
    let (first, second) = (fs::read(out.at("app.tar")).unwrap(), out.at("two.tar.gz"));
    let (head, tail) = first.split_at(700);
    fs::write(&second, [gzip(head), gzip(tail)].concat()).unwrap();
    same(&second);
}

#[test]
fn long_and_odd_names_in_archives_arrive() {
    let tree = Tree::new();
    for length in [99, 100, 101, 155, 255] {
        tree.file("n".repeat(length), "x")
            .dir("d".repeat(length))
            .link("l".repeat(length), "t".repeat(length));
    }
    tree.file(vec!["deep"; 300].join("/"), "x")
        .link("far", format!("{}t", "./".repeat(2000)));
    tree.file(b"\xff\xfe", "")
        .file("lines\nof\n\n20 path=evil\n", "")
        .file("equals = 1", "")
        .link("l\n", "a\nb");
    fs::hard_link(tree.at("n".repeat(255)), tree.at("a".repeat(255))).unwrap();
    let plain = tree.scan().unwrap();
    let out = Tree::new();
    for format in ["gnu", "pax"] {
        let scanned = scan_path(
            &archive(&tree, &out, "a.tgz", &["-z", &format!("--format={format}")]),
            &[],
        )
        .unwrap();
        assert_eq!(scanned.manifest.diff(&plain.manifest), Default::default(), "{format}");
        arrives(&scanned);
    }
}

#[test]
fn what_is_excluded_is_left_out_of_archives_too() {
    let tree = Tree::new();
    tree.file("a", "")
        .file(".git/config", "")
        .file("tmp/x/y", "")
        .file("b.map", "")
        .file("m/.git", "");
    tree.link("tmp/out", "/etc");
    assert!(
        Command::new("mkfifo")
            .arg(tree.at("tmp/pipe"))
            .status()
            .unwrap()
            .success()
    );
    let out = Tree::new();
    let path = archive(&tree, &out, "a.tar", &[]);
    let scanned = scan_path(&path, &["*.map", "tmp/"]).unwrap();
    let paths: Vec<_> = scanned
        .manifest
        .entries()
        .iter()
        .map(|entry| entry.path.clone())
        .collect();
    assert_eq!(paths, [b"a".to_vec(), b"m".to_vec()]);
    let why = scan_path(&path, &["*.map", "out"]).unwrap_err().why;
    assert_eq!(
        why,
        ["tmp/pipe is a FIFO: only files, directories and symlinks are shipped"]
    );
}

#[test]
fn what_an_archive_says_of_modes_is_told_as_for_a_directory() {
    let tree = Tree::new();
    tree.file("suid", "")
        .mode("suid", 0o4755)
        .file("mine", "")
        .mode("mine", 0o600)
        .file("plain", "");
    tree.dir("open").mode("open", 0o1777).file("none", "").mode("none", 0);
    let out = Tree::new();
    let path = if super::am_root() {
        archive(&tree, &out, "a.tar", &[])
    } else {
        return;
    };
    assert_eq!(
        scan_path(&path, &[]).unwrap().warnings,
        [
            "setuid, setgid and sticky bits are not shipped: open, suid",
            "world-writable here, writable only by the owner on the host: open",
            "readable only by the owner here, readable by every user on the host: mine, none",
        ]
    );
}

#[test]
fn a_leading_dot_slash_is_stripped_once_and_the_release_itself_may_be_listed() {
    use EntryType::Directory;
    let archive = Raw::new()
        .member(Directory, "./", "", b"")
        .file("./a")
        .member(Directory, "./d/", "", b"");
    assert_eq!(
        archive.member(Directory, "d", "", b"").file("d/e").ships(),
        ["a", "d", "d/e"]
    );
    assert_eq!(Raw::new().file("././a").refused().len(), 1);
    assert_eq!(
        Raw::new().file("x").file("./x").refused(),
        ["x appears twice in the archive"]
    );
}

#[test]
fn sparse_members_are_refused_by_name_in_every_format() {
    let tree = Tree::new();
    // Enough holes that the old GNU format needs blocks of its own for their list.
    let file = fs::File::create(tree.at("holes")).unwrap();
    for at in 0..60u64 {
        std::os::unix::fs::FileExt::write_all_at(&file, &[1; 4096], at * 1_000_000).unwrap();
    }
    tree.file("plain", "x").file("z-last", "y");
    let out = Tree::new();
    for options in [
        &["--format=gnu", "--sparse"][..],
        &["--format=pax", "--sparse", "--sparse-version=0.0"],
        &["--format=pax", "--sparse", "--sparse-version=0.1"],
        &["--format=pax", "--sparse", "--sparse-version=1.0"],
    ] {
        let path = archive(&tree, &out, "a.tar", options);
        let why = scan_path(&path, &[]).unwrap_err().why;
        assert_eq!(why.len(), 1, "{options:?}: {why:?}");
        assert!(
            why[0].ends_with("is stored as a sparse file: create the archive without `--sparse`"),
            "{why:?}"
        );
        assert!(why[0].contains("holes"));
    }
}

#[test]
fn an_archive_that_is_cut_off_anywhere_is_refused() {
    let tree = Tree::new();
    tree.file("a", "x").file("b", vec![7; 700]);
    let out = Tree::new();
    let whole = fs::read(archive(&tree, &out, "whole.tar", &["--blocking-factor=1"])).unwrap();
    let path = out.at("cut.tar");
    let refused = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        scan_path(&path, &[]).err().map(|failure| failure.to_string())
    };
    assert_eq!(refused(&whole), None);
    let mark = whole.len() - 1024;
    for end in (0..mark + 512).step_by(37).chain((0..=mark).step_by(512)) {
        let said = refused(&whole[..end]).unwrap_or_else(|| panic!("cut at {end} of {}", whole.len()));
        assert!(said.contains("cut.tar is truncated\n"), "{end}: {said}");
    }
    assert!(refused(&whole[..mark - 100]).unwrap().contains("it ends inside "));
    assert!(
        refused(&whole[..mark])
            .unwrap()
            .contains("the end-of-archive marker is missing")
    );
    let packed = gzip(&whole);
    assert_eq!(refused(&packed), None, "what it is decides, not its name");
    for end in (2..packed.len()).step_by(7) {
        assert!(refused(&packed[..end]).is_some(), "cut at {end}");
    }
    let twice = [whole.clone(), whole].concat();
    assert!(
        refused(&twice)
            .unwrap()
            .contains("it has data after its end: two archives in one file?")
    );
    assert!(
        refused(b"\x28\xb5\x2f\xfd not a tar at all")
            .unwrap()
            .contains("is truncated")
    );
    assert!(
        refused(&[b'x'; 2048])
            .unwrap()
            .contains("it has a header with a wrong checksum")
    );
}

#[test]
fn a_damaged_archive_ships_what_it_held_or_nothing() {
    let tree = Tree::new();
    tree.file("a", "x").file("b", vec![7; 700]);
    let out = Tree::new();
    let packed = fs::read(archive(&tree, &out, "whole.tgz", &["-z"])).unwrap();
    let digest = tree.scan().unwrap().manifest.digest();
    let (mut refused, path) = (0, out.at("broken.tgz"));
    for at in 0..packed.len() {
        let mut broken = packed.clone();
        broken[at] ^= 0x55;
        fs::write(&path, broken).unwrap();
        match scan_path(&path, &[]) {
            Err(_) => refused += 1,
            // The time in the header; or another way to write the same zeros.
            Ok(scanned) => assert_eq!(scanned.manifest.digest(), digest, "broken at {at}"),
        }
    }
    assert!(refused > packed.len() / 2, "{refused} of {}", packed.len());
}

#[test]
fn other_kinds_of_files_are_no_source() {
    let dir = Tree::new();
    for name in ["app.zip", "app.tar.zst", "app", "tar"] {
        dir.file(name, "x");
        let failure = scan_path(&dir.at(name), &[]).unwrap_err();
        assert_eq!(
            failure.what,
            format!("{} is neither a directory nor an archive", dir.at(name).display())
        );
        assert_eq!(
            failure.why,
            ["an archive is a file whose name ends in .tar, .tar.gz or .tgz"]
        );
    }
    dir.file("empty.tar", "");
    assert!(
        scan_path(&dir.at("empty.tar"), &[])
            .unwrap_err()
            .what
            .ends_with("empty.tar is truncated")
    );
    let nothing = Raw::new().member(EntryType::Directory, "d", "", b"").failure();
    assert!(nothing.what.ends_with("app.tar contains no files to ship"), "{nothing}");
}
