//! What arrives on a host is what was there: names of any bytes, links, empty directories, exec bits, sizes.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use sha2::{Digest as _, Sha256};
use shipit::release::Kind;

use super::{Tree, arrives, listing, unpack, unpack_in};

#[test]
fn names_of_any_bytes_arrive_as_they_are() {
    let tree = Tree::new();
    let names: [&[u8]; 21] = [
        b"new\nline",
        b"\n",
        b"'single' \"double\"",
        b"$(id)`id`;|&<>*?[a]{b}~!#%^",
        b"back\\slash\\n\\",
        b"\ttab and space ",
        b" ",
        b"-rf",
        b"--checkpoint-action=exec=sh x",
        b"--",
        b"-",
        b"...",
        b"..x",
        b"~root",
        b"\xff\xfe",
        b"na\xc3\xafve",
        b"\x1b[2J\x07",
        b"\x01\x7f",
        b"=HYPERLINK",
        b"./@LongLink",
        b"C:\\con.txt:stream",
    ];
    for (at, name) in names.iter().enumerate() {
        tree.file([b"at-top-", *name].concat(), format!("{at}"));
        tree.file([b"d/", *name].concat(), "");
        tree.file([b"e/", *name, b"/inside"].concat(), "x");
        tree.link([b"l/", *name].concat(), [b"../d/", *name].concat());
        if !name.starts_with(b"./") {
            tree.file(name, "top");
        }
    }
    arrives(&tree.scan().unwrap());
}

#[test]
fn names_that_look_the_same_are_two() {
    let tree = Tree::new();
    // Composed and decomposed: one letter to a person, two names to Linux.
    tree.file("caf\u{e9}", "composed").file("cafe\u{301}", "decomposed");
    let scanned = tree.scan().unwrap();
    assert_eq!(scanned.manifest.files(), 2);
    arrives(&scanned);
}

#[test]
fn names_and_paths_of_every_length_arrive() {
    let tree = Tree::new();
    for length in [1, 99, 100, 101, 154, 155, 156, 255] {
        tree.file("n".repeat(length), length.to_string());
        tree.dir("d".repeat(length));
        tree.link(format!("{}l", "l".repeat(length - 1)), "t".repeat(length));
    }
    for length in [100, 101, 256, 257, 1000, 3000] {
        let path: Vec<String> = (0..length)
            .map(|at| if at % 50 == 49 { "/".into() } else { "p".into() })
            .collect();
        tree.file(format!("{}x", path.concat()), length.to_string());
    }
    tree.link("long-target", format!("{}t", "./".repeat(2047)));
    let deep = vec!["deep"; 100].join("/");
    tree.file(format!("{deep}/file"), "100 levels");
    arrives(&tree.scan().unwrap());
}

#[test]
fn the_longest_path_that_a_host_can_open_arrives_and_one_byte_more_is_refused() {
    let tree = Tree::new();
    tree.file("a", "");
    // Made step by step: no call takes the whole path.
    let make = |last: usize| {
        let mut at = openat(CWD, tree.path(), OFlags::DIRECTORY, Mode::empty()).unwrap();
        for name in std::iter::repeat_n("0".repeat(250), 16).chain(["1".repeat(last)]) {
            assert!(matches!(
                mkdirat(&at, &name, Mode::RWXU),
                Ok(()) | Err(rustix::io::Errno::EXIST)
            ));
            at = openat(&at, &name, OFlags::DIRECTORY, Mode::empty()).unwrap();
        }
        openat(&at, "f", OFlags::CREATE, Mode::RUSR | Mode::WUSR).unwrap();
    };
    make(4093 - 16 * 251 - 2);
    let scanned = tree.scan().unwrap();
    assert_eq!(
        scanned.manifest.entries().iter().map(|entry| entry.path.len()).max(),
        Some(4093)
    );
    arrives(&scanned);
    make(4094 - 16 * 251 - 2);
    let why = tree.refused();
    assert_eq!(why.len(), 1);
    assert!(
        why[0].ends_with("is a path of 4094 bytes: the limit is 4093"),
        "{}",
        why[0]
    );
}

#[test]
fn modes_are_normal_and_owners_are_whoever_unpacks() {
    let tree = Tree::new();
    for mode in [
        0o400, 0o600, 0o640, 0o644, 0o666, 0o777, 0o700, 0o755, 0o4755, 0o2755, 0o1644, 0o744, 0o611,
    ] {
        tree.file(format!("{mode:o}"), "x").mode(format!("{mode:o}"), mode);
        if mode & 0o100 != 0 && mode & 0o400 != 0 {
            tree.file(format!("d{mode:o}/x"), "x").mode(format!("d{mode:o}"), mode);
        }
    }
    let scanned = tree.scan().unwrap();
    arrives(&scanned);
    let exec = |name: &str| {
        matches!(
            scanned.manifest.get(name.as_bytes()),
            Some(Kind::File { exec: true, .. })
        )
    };
    assert!(exec("700") && exec("4755") && exec("744"));
    assert!(!exec("600") && !exec("666") && !exec("611"));
    let host = unpack(scanned.pack(), None);
    let file = fs::metadata(host.path().join("4755")).unwrap();
    assert_eq!(
        (file.mode() & 0o7777, file.uid()),
        (0o755, rustix::process::geteuid().as_raw())
    );
}

#[test]
fn modes_are_normal_on_a_host_whose_releases_have_the_setgid_bit() {
    let (tree, root) = (Tree::new(), Tree::new());
    tree.file("d/e/file", "x");
    root.dir("releases").mode("releases", 0o2775).dir(".shipit/releases");
    let hold = include_str!("../../src/remote/stage/hold.sh");
    let mut script = Command::new("sh");
    script.args(["-c", hold, "sh"]).arg(root.path()).arg("20260503-094502");
    assert!(script.status().unwrap().success());
    let scanned = tree.scan().unwrap();
    let host = root.at("releases/.in-20260503-094502");
    unpack_in(&host, scanned.pack(), None);
    assert_eq!(listing(&host), scanned.manifest.to_host_bytes());
}

#[test]
fn what_is_empty_is_kept() {
    let tree = Tree::new();
    tree.file("empty", "").dir("empty-dir").dir("a/b/c");
    let scanned = tree.scan().unwrap();
    assert_eq!(
        (
            scanned.manifest.files(),
            scanned.manifest.dirs(),
            scanned.manifest.bytes()
        ),
        (1, 4, 0)
    );
    assert_eq!(scanned.manifest.inodes(), 6);
    arrives(&scanned);
}

#[test]
fn links_arrive_as_links_wherever_they_lead_inside() {
    let tree = Tree::new();
    tree.file("a/b/file", "x")
        .link("to-file", "a/b/file")
        .link("to-dir", "a")
        .link("a/up", "..");
    tree.link("dangling", "not/here")
        .link("loop-1", "loop-2")
        .link("loop-2", "loop-1")
        .link("self", "self");
    tree.link("a/b/round", "../../a/./b//file")
        .link("odd\n", "a//b")
        .link("a/b/top", "../..");
    let scanned = tree.scan().unwrap();
    assert_eq!(scanned.manifest.links(), 10);
    arrives(&scanned);
}

#[test]
fn hard_links_arrive_as_equal_files() {
    let tree = Tree::new();
    tree.file("a", "twice");
    fs::hard_link(tree.at("a"), tree.at("b")).unwrap();
    let scanned = tree.scan().unwrap();
    assert_eq!(scanned.manifest.get(b"a"), scanned.manifest.get(b"b"));
    let host = unpack(scanned.pack(), None);
    assert_ne!(
        fs::metadata(host.path().join("a")).unwrap().ino(),
        fs::metadata(host.path().join("b")).unwrap().ino()
    );
    arrives(&scanned);
}

#[test]
fn times_are_those_of_the_scan_whatever_the_source_says() {
    let tree = Tree::new();
    for (name, time) in [
        ("zero", "@0"),
        ("before", "@-86400"),
        ("far", "2242-01-01"),
        ("soon", "now + 2 days"),
    ] {
        tree.file(name, "x");
        let touched = Command::new("touch")
            .args(["-d", time])
            .arg(tree.at(name))
            .status()
            .unwrap();
        assert!(touched.success());
    }
    let before = chrono::Utc::now().timestamp();
    let scanned = tree.scan().unwrap();
    let after = chrono::Utc::now().timestamp();
    let host = unpack(scanned.pack(), None);
    for name in ["zero", "before", "far", "soon"] {
        let time = fs::metadata(host.path().join(name)).unwrap().mtime();
        assert!((before..=after).contains(&time), "{name}: {time}");
    }
    arrives(&scanned);
}

#[test]
fn the_same_scan_packs_the_same_bytes_and_counts_what_it_read() {
    let tree = Tree::new();
    tree.file("a", vec![7; 1_000_000]).file("b", "b").dir("c");
    let scanned = tree.scan().unwrap();
    let pack = || {
        let (mut pack, mut bytes) = (scanned.pack(), Vec::new());
        let consumed = pack.consumed();
        pack.read_to_end(&mut bytes).unwrap();
        assert_eq!(
            consumed.load(std::sync::atomic::Ordering::Relaxed),
            scanned.manifest.bytes()
        );
        assert!(pack.failure().is_none());
        bytes
    };
    assert_eq!(pack(), pack());
}

#[test]
fn a_pack_that_nobody_reads_to_its_end_lets_go() {
    let tree = Tree::new();
    let noise: Vec<u8> = (0..3_000_000u64)
        .map(|at| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33) as u8)
        .collect();
    tree.file("a", noise);
    let scanned = tree.scan().unwrap();
    let mut pack = scanned.pack();
    pack.read_exact(&mut [0; 10]).unwrap();
    drop(pack);
    drop(scanned.pack());
}

#[test]
fn nasty_trees_have_the_digest_that_a_host_computes() {
    for seed in 1..=25 {
        let tree = Tree::new();
        let mut noise = Noise(seed);
        tree.file("seed", seed.to_string());
        for _ in 0..noise.below(60) {
            let mut path = Vec::new();
            for depth in 0..=noise.below(4) {
                if depth > 0 {
                    path.push(b'/');
                }
                path.extend(noise.name());
            }
            // Whatever stands in the way already stays.
            let at = tree.at(&path);
            if at.symlink_metadata().is_ok() || fs::create_dir_all(at.parent().unwrap()).is_err() {
                continue;
            }
            match noise.below(5) {
                0 => drop(fs::create_dir(&at)),
                1 => {
                    let target = noise.name();
                    tree.link(&path, target);
                }
                _ => {
                    let size = [0, 1, 511, 512, 513, 70_000][noise.below(6)];
                    let mode = [0o600, 0o644, 0o755, 0o777][noise.below(4)];
                    tree.file(&path, vec![noise.below(256) as u8; size]).mode(&path, mode);
                }
            }
        }
        let scanned = tree.scan().unwrap();
        arrives(&scanned);
        let host = unpack(scanned.pack(), None);
        let digest: [u8; 32] = Sha256::digest(listing(host.path())).into();
        assert_eq!(scanned.manifest.digest().0, digest, "seed {seed}");
    }
}

/// Reproducible noise: splitmix64.
struct Noise(u64);

impl Noise {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % limit as u64).unwrap()
    }

    /// A component of the bytes that tools trip over, and of plain letters, so that siblings share prefixes.
    fn name(&mut self) -> Vec<u8> {
        const ODD: &[u8] = b"aab-.\\n\n'\" \t$(`;*~\x01\x1b\x7f\x80\xc3\xa9\xff ?[";
        let length = [1, 1, 2, 3, 5, 100, 255][self.below(7)];
        loop {
            let name: Vec<u8> = (0..length).map(|_| ODD[self.below(ODD.len())]).collect();
            if !matches!(name.as_slice(), b"." | b"..") {
                return name;
            }
        }
    }
}
