//! How much memory a source takes, however many files it has and however large they are.

use std::fs;

use super::{Tree, alone};

/// Scans and packs a tree in this process; how many files it has, and the most memory that was ever in use, in KiB.
fn scanned_and_packed(tree: &Tree) -> (usize, u64) {
    let scanned = tree.scan().unwrap();
    std::io::copy(&mut scanned.pack(), &mut std::io::sink()).unwrap();
    assert_eq!(scanned.manifest.digest(), scanned.manifest.digest());
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let mut lines = status.lines();
    let peak = lines.find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak = peak.trim().trim_end_matches(" kB").parse().unwrap();
    (scanned.manifest.files(), peak)
}

#[test]
fn memory_stays_flat_over_many_files_and_large_ones() {
    if !alone("tree::memory::memory_stays_flat_over_many_files_and_large_ones", None) {
        return;
    }
    let tree = Tree::new();
    for at in 0..12_000 {
        tree.file(format!("dir-{}/module-{at}.js", at / 100), format!("{at}"));
    }
    fs::File::create(tree.at("large"))
        .unwrap()
        .set_len(100_000_000)
        .unwrap();
    let (files, peak) = scanned_and_packed(&tree);
    assert_eq!(files, 12_001);
    assert!(peak < 64 * 1024, "{peak} kB");
}

#[test]
fn case_35_two_hundred_thousand_files_a_hundred_levels_deep() {
    if !alone(
        "tree::memory::case_35_two_hundred_thousand_files_a_hundred_levels_deep",
        None,
    ) {
        return;
    }
    // In memory, where there is room for names: so many of them take a disk several seconds.
    let place = ["/dev/shm", "/tmp"].map(std::path::Path::new);
    let made = place.iter().find_map(|dir| tempfile::tempdir_in(dir).ok());
    let tree = Tree { dir: made.unwrap() };
    let deep: String = (0..100).map(|level| format!("l{level}/")).collect();
    tree.file(format!("{deep}file"), "");
    // Hard links to one file: to a reader they are files like any other, and they are made in a second.
    for at in 0..199_999 {
        let dir = tree.at(format!("dir-{}", at / 1000));
        if at % 1000 == 0 {
            fs::create_dir(&dir).unwrap();
            fs::write(dir.join("0"), "").unwrap();
        } else {
            fs::hard_link(dir.join("0"), dir.join(at.to_string())).unwrap();
        }
    }
    let (files, peak) = scanned_and_packed(&tree);
    assert_eq!(files, 200_000);
    // What grows is the list of paths: half a KiB for each.
    assert!(peak < 128 * 1024, "{peak} kB");
}
