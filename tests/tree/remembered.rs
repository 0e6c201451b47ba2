//! Hashes that are remembered from scan to scan: what is not read again, and what always is.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};
use shipit::cache::Shelf;
use shipit::failure::Failure;
use shipit::interrupt::Interrupts;
use shipit::release::Kind;
use shipit::source::{Hashes, Scanned, Source, scan};
use shipit::upload::Changed;
use tempfile::TempDir;

use super::Tree;
use crate::bounds::wait_for;

/// A hash that no file has.
const FALSE: &str = "11111111111111111111111111111111aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

struct Memory {
    tree: Tree,
    cache: TempDir,
}

impl Memory {
    fn new() -> Self {
        let memory = Self {
            tree: Tree::new(),
            cache: tempfile::tempdir().unwrap(),
        };
        memory.tree.file("a", "first").file("d/b", "second");
        memory
    }

    fn shelf(&self) -> Shelf {
        Shelf::at(self.cache.path().to_owned(), 4)
    }

    fn scan_as(&self, exclude: &[&str], allow: &[&str], set: impl Fn(&mut Hashes<'_>)) -> Result<Scanned, Failure> {
        let shelf = self.shelf();
        // What tests write counts at once. Where the next change may come in the same tick of the clock, they wait for it.
        let mut hashes = Hashes::new(&shelf);
        hashes.coarse = Duration::ZERO;
        set(&mut hashes);
        let [exclude, allow_secrets] =
            [exclude, allow].map(|list| list.iter().map(|&p| p.to_owned()).collect::<Vec<_>>());
        let source = Source {
            path: self.tree.path(),
            exclude: &exclude,
            allow_secrets: &allow_secrets,
            identity: None,
            hashes: Some(hashes),
        };
        scan(&source, &Interrupts::never().unwrap())
    }

    fn scan(&self) -> Scanned {
        self.scan_as(&[], &[], |_| ()).unwrap()
    }

    /// The one memory of the tree.
    fn file(&self) -> Option<std::path::PathBuf> {
        let mut files = fs::read_dir(self.cache.path()).unwrap();
        let file = files.next()?.unwrap().path();
        assert!(files.next().is_none());
        Some(file)
    }

    /// Remembers a hash of `a` that is not its own, with or without a sum that is right.
    fn falsify(&self, sum: bool) {
        let file = self.file().unwrap();
        let text = String::from_utf8(fs::read(&file).unwrap()).unwrap();
        let mut records: Vec<String> = text.split('\0').map(str::to_owned).collect();
        let of_a = records.iter_mut().find(|record| record.ends_with(" a")).unwrap();
        of_a.replace_range(..64, FALSE);
        if sum {
            records.truncate(records.len() - 2);
            let body = format!("{}\0", records.join("\0"));
            let sum: String = Sha256::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
            fs::write(file, format!("{body}{sum}\0")).unwrap();
        } else {
            fs::write(file, records.join("\0")).unwrap();
        }
    }
}

fn hash(scanned: &Scanned) -> String {
    match scanned.manifest.get(b"a") {
        Some(Kind::File { sha256, .. }) => sha256.iter().map(|byte| format!("{byte:02x}")).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_that_nobody_touched_is_not_read_again_unless_all_are_to_be_read() {
    let memory = Memory::new();
    let own = hash(&memory.scan());
    memory.falsify(true);
    assert_eq!(hash(&memory.scan()), FALSE, "it was read");
    // What is sent is read all the same.
    let error = std::io::copy(&mut memory.scan().pack(), &mut std::io::sink()).unwrap_err();
    let changed = error.get_ref().unwrap().downcast_ref::<Changed>().unwrap();
    assert_eq!(
        changed.to_string(),
        "a has different content than when it was read, although its size and time are the same"
    );
    let all = memory.scan_as(&[], &[], |hashes| hashes.read_all = true).unwrap();
    assert_eq!(hash(&all), own);
    assert_eq!(hash(&memory.scan()), own, "it was not remembered again");
    assert_eq!(fs::metadata(memory.file().unwrap()).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn a_file_that_was_touched_in_any_way_is_read_again() {
    type Touch = fn(&Tree);
    let ways: [(&str, Touch); 5] = [
        ("written in place, with its old time", |tree| {
            let stat = || fs::metadata(tree.at("a")).unwrap();
            let changed = |stat: &fs::Metadata| (stat.ctime(), stat.ctime_nsec());
            let before = stat();
            // Kernels before 6.13 take the time of the last tick, which may be the one before.
            wait_for("another change time", || {
                fs::write(tree.at("a"), "FIRST").unwrap();
                let file = File::options().append(true).open(tree.at("a")).unwrap();
                file.set_modified(before.modified().unwrap()).unwrap();
                changed(&stat()) != changed(&before)
            });
        }),
        ("replaced by one with its time", |tree| {
            let time = fs::metadata(tree.at("a")).unwrap().modified().unwrap();
            tree.file("new", "FIRST");
            File::options()
                .append(true)
                .open(tree.at("new"))
                .unwrap()
                .set_modified(time)
                .unwrap();
            fs::rename(tree.at("new"), tree.at("a")).unwrap();
        }),
        ("another mode", |tree| {
            tree.mode("a", 0o755);
        }),
        ("another time", |tree| {
            let file = File::options().append(true).open(tree.at("a")).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        }),
        ("longer", |tree| {
            tree.file("a", "first and more");
        }),
    ];
    for (way, touch) in ways {
        let memory = Memory::new();
        memory.scan();
        memory.falsify(true);
        touch(&memory.tree);
        assert_eq!(hash(&memory.scan()), hash(&memory.tree.scan().unwrap()), "{way}");
    }
}

#[test]
fn a_memory_that_was_cut_or_changed_anywhere_is_as_good_as_none() {
    let memory = Memory::new();
    let own = hash(&memory.scan());
    memory.falsify(false);
    let whole = fs::read(memory.file().unwrap()).unwrap();
    let lengths = (0..whole.len()).step_by(7);
    for length in lengths.chain([whole.len() - 1, whole.len()]) {
        let file = memory.file().unwrap();
        fs::write(file, &whole[..length]).unwrap();
        assert_eq!(hash(&memory.scan()), own, "cut at {length}");
    }
    fs::remove_file(memory.file().unwrap()).unwrap();
    assert_eq!(hash(&memory.scan()), own);
    // Of another version, with a sum that is right.
    memory.falsify(true);
    let text = fs::read_to_string(memory.file().unwrap()).unwrap();
    let body = text[..text.len() - 65].replacen("shipit ", "shipit 9", 1);
    let sum: String = Sha256::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(memory.file().unwrap(), format!("{body}{sum}\0")).unwrap();
    assert_eq!(hash(&memory.scan()), own);
    // Where there can be none, all is read.
    fs::remove_file(memory.file().unwrap()).unwrap();
    fs::create_dir(memory.cache.path().join("in-the-way")).unwrap();
    let shelf = Shelf::at(memory.tree.at("a"), 4);
    let source = Source {
        path: memory.tree.path(),
        exclude: &[],
        allow_secrets: &[],
        identity: None,
        hashes: Some(Hashes::new(&shelf)),
    };
    assert_eq!(hash(&scan(&source, &Interrupts::never().unwrap()).unwrap()), own);
}

#[test]
fn a_file_whose_next_change_might_not_show_is_not_remembered() {
    let memory = Memory::new();
    let usual = |hashes: &mut Hashes<'_>| hashes.coarse = Duration::from_secs(3600);
    memory.scan_as(&[], &[], usual).unwrap();
    assert_eq!(memory.file(), None, "they were written in this hour");
    // In the future by its own time.
    let file = File::options().append(true).open(memory.tree.at("a")).unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(3600))
        .unwrap();
    memory.scan();
    let text = fs::read_to_string(memory.file().unwrap()).unwrap();
    let has = |path: &str| text.split('\0').any(|record| record.ends_with(path));
    assert!(has(" d/b") && !has(" a"), "{text:?}");
    assert_eq!(Hashes::new(&memory.shelf()).coarse, Duration::from_secs(2));
}

#[test]
fn what_is_refused_and_what_is_left_out_are_judged_each_time() {
    let memory = Memory::new();
    memory
        .tree
        .file("c/note", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n");
    memory
        .tree
        .file("big.bin", "version https://git-lfs.github.com/spec/v1\noid x\n");
    for _ in 0..2 {
        let allowed = memory.scan_as(&[], &["c/note"], |_| ()).unwrap();
        assert!(
            allowed.warnings.iter().any(|text| text.contains("big.bin")),
            "{:?}",
            allowed.warnings
        );
    }
    let refused = memory.scan_as(&[], &[], |_| ()).unwrap_err();
    assert!(refused.why[0].starts_with("c/note is a private key"), "{refused:?}");
    // Another environment leaves files out: neither forgets what the other has read.
    let less = memory.scan_as(&["c", "a"], &[], |_| ()).unwrap();
    assert_eq!(less.manifest.get(b"a"), None);
    assert_eq!(fs::read_dir(memory.cache.path()).unwrap().count(), 2);
}

#[test]
fn two_scans_at_once_remember_what_is_true() {
    let memory = Memory::new();
    for at in 0..300 {
        memory.tree.file(format!("f{at}"), format!("{at}"));
    }
    let own = memory.tree.scan().unwrap().digest;
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..5 {
                    assert_eq!(memory.scan().digest, own);
                }
            });
        }
    });
    assert_eq!(memory.scan().digest, own);
    memory.file().unwrap();
}
