//! Archives that nobody should unpack are refused by name, before anything is sent.

use std::fs;
use std::io::Write;

use tar::EntryType;

use super::raw::Raw;
use super::{Tree, scan_path};

#[test]
fn paths_that_lead_out_of_an_archive_are_refused_by_name() {
    use EntryType::{Directory, Regular, Symlink};
    assert_eq!(
        Raw::new().file("ok").file("../x").refused(),
        ["../x is a path with `..` in it"]
    );
    assert_eq!(
        Raw::new().file("a/../../x").refused(),
        ["a/../../x is a path with `..` in it"]
    );
    assert_eq!(
        Raw::new().file("./../x").refused(),
        ["./../x is a path with `..` in it"]
    );
    assert_eq!(Raw::new().file("/etc/x").refused(), ["/etc/x is an absolute path"]);
    assert_eq!(Raw::new().file(".//etc/x").refused().len(), 1);
    assert_eq!(
        Raw::new().file("a//b").refused(),
        ["a//b has a name with an empty or `.` component, which programs interpret differently"]
    );
    let through = Raw::new().member(Symlink, "d", "/etc", b"").file("d/passwd");
    assert_eq!(
        through.refused(),
        ["d/passwd would be inside d, which is a symlink"],
        "the link itself is looked at once everything is unpacked"
    );
    let alone = Raw::new().file("a").member(Symlink, "d", "/etc", b"");
    assert_eq!(alone.refused(), ["d is a symlink to the absolute path /etc"]);
    let out = Raw::new().file("a").member(Symlink, "d/e", "../../x", b"");
    assert_eq!(
        out.refused(),
        ["d/e is a symlink to ../../x, which is outside the release"]
    );
    let below = Raw::new().file("f").file("f/x");
    assert_eq!(below.refused(), ["f/x would be inside f, which is a file"]);
    let nul = Raw::new()
        .file("a")
        .pax(EntryType::XHeader, &[("path", "x\0y")])
        .member(Regular, "z", "", b"");
    assert_eq!(nul.refused(), ["x\\x00y is a path with a NUL in it"]);
    let long = "n".repeat(256);
    let long = Raw::new()
        .file("a")
        .pax(EntryType::XHeader, &[("path", &long)])
        .member(Directory, "z", "", b"");
    assert!(long.refused()[0].ends_with("is a path in which one name is longer than 255 bytes"));
    let long = vec!["p"; 2048].join("/");
    let long = Raw::new()
        .file("a")
        .pax(EntryType::XHeader, &[("path", &long)])
        .member(Regular, "z", "", b"");
    assert!(long.refused()[0].ends_with("is a path of 4095 bytes: the limit is 4093"));
    assert_eq!(Raw::new().file(".shipit/x").refused(), [".shipit is a reserved name"]);
}

#[test]
fn members_that_two_programs_could_read_in_two_ways_are_refused() {
    use EntryType::{Directory, Link, Regular, Symlink, XGlobalHeader, XHeader};
    assert_eq!(
        Raw::new().file("a").file("a").refused(),
        ["a appears twice in the archive"]
    );
    assert_eq!(
        Raw::new().file("a").member(Directory, "a", "", b"").refused(),
        ["a appears twice in the archive"]
    );
    assert_eq!(
        Raw::new()
            .member(Directory, "a", "", b"")
            .member(Symlink, "a", "b", b"")
            .refused(),
        ["a appears twice in the archive"]
    );
    assert_eq!(
        Raw::new().file("d/x").file("d").refused(),
        ["d appears twice in the archive"]
    );
    for size in ["3", "500"] {
        let sizes = Raw::new()
            .pax(XHeader, &[("size", size)])
            .member(Regular, "a", "", b"content");
        assert_eq!(
            sizes.refused(),
            ["a has two different sizes, which programs interpret differently"]
        );
    }
    let names = Raw::new()
        .member(EntryType::GNULongName, "L", "", b"one\0")
        .pax(XHeader, &[("path", "two")]);
    assert_eq!(
        names.file("a").refused(),
        ["two has two different long names, which programs interpret differently"]
    );
    let sized = Raw::new().file("a").member(Link, "b", "a", b"content");
    assert_eq!(
        sized.refused(),
        ["b has a size, although it is not a file, which programs interpret differently"]
    );
    let global = Raw::new().pax(XGlobalHeader, &[("comment", "0123abc")]).file("a");
    assert_eq!(global.ships(), ["a"], "as git archive writes it");
    let global = Raw::new().pax(XGlobalHeader, &[("path", "/etc/passwd")]).file("a");
    assert_eq!(
        global.unreadable(),
        "it has a global header that renames or resizes every member"
    );
    let last = Raw::new().pax(
        XHeader,
        &[
            ("path", "one"),
            ("path", "two"),
            ("linkpath", "x"),
            ("linkpath", ""),
            ("size", "9"),
            ("size", ""),
        ],
    );
    assert_eq!(last.file("a").ships(), ["two"], "the last record counts");
}

#[test]
fn hard_links_to_what_is_not_in_the_archive_are_refused() {
    use EntryType::{Link, Symlink};
    let to = |target: &str| {
        Raw::new()
            .file("a")
            .member(Symlink, "s", "a", b"")
            .member(Link, "b", target, b"")
    };
    assert_eq!(to("a").ships(), ["a", "b", "s"]);
    for target in ["/etc/passwd", "../a", "later", "s", "", "b"] {
        let why = to(target).refused();
        assert_eq!(
            why,
            [format!(
                "b is a hard link to {target}, which is not a file earlier in the archive"
            )]
        );
    }
}

#[test]
fn a_hard_link_to_what_is_excluded_names_the_option_that_makes_a_file_of_it() {
    let archive = Raw::new().file("deps/x").member(EntryType::Link, "app", "deps/x", b"");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("app.tar");
    fs::write(&file, archive.end()).unwrap();
    let failure = scan_path(&file, &["deps"]).unwrap_err();
    assert_eq!(
        failure.why,
        ["app is a hard link to deps/x, which `exclude:` leaves out: create the archive with `--hard-dereference`"]
    );
}

#[test]
fn devices_and_other_odd_members_are_refused_by_name() {
    let archive = Raw::new()
        .file("a")
        .member(EntryType::Char, "char", "", b"")
        .member(EntryType::Block, "block", "", b"")
        .member(EntryType::Fifo, "fifo", "", b"")
        .member(EntryType::new(b'M'), "volume", "", b"")
        .member(EntryType::Symlink, "to-nothing", "", b"");
    assert_eq!(
        archive.refused(),
        [
            "block is a block device: only files, directories and symlinks are shipped",
            "char is a character device: only files, directories and symlinks are shipped",
            "fifo is a FIFO: only files, directories and symlinks are shipped",
            "to-nothing is a symlink with an invalid target",
            "volume is an archive member of unknown type `M`",
        ]
    );
}

#[test]
fn an_archive_that_is_mostly_air_is_refused_before_it_fills_the_disk() {
    let dir = Tree::new();
    let file = fs::File::create(dir.at("bomb.tar.gz")).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::best());
    gzip.write_all(&Raw::new().header(EntryType::Regular, b"zeros", "", 7 << 30).bytes)
        .unwrap();
    for _ in 0..120 {
        gzip.write_all(&[0; 1 << 20]).unwrap();
    }
    gzip.finish().unwrap();
    let failure = scan_path(&dir.at("bomb.tar.gz"), &[]).unwrap_err();
    assert!(
        failure.what.ends_with("bomb.tar.gz unpacks to more than the limit"),
        "{failure}"
    );
    assert_eq!(
        failure.why,
        ["it expands to more than 500 times its size: it looks like a decompression bomb"]
    );
}
