//! A source that changes between its scan and its last byte ends the stream with an error that names the file.

use std::fs;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{FileExt, symlink};
use std::sync::atomic::{AtomicBool, Ordering};

use shipit::failure::Failure;
use shipit::interrupt::Interrupts;
use shipit::source::{Scanned, Source, scan};
use shipit::upload::{Changed, Pack};

use super::Tree;

fn tree() -> Tree {
    let tree = Tree::new();
    tree.file("a", "first")
        .file("d/file", "content")
        .link("link", "a")
        .file("z", "last");
    tree
}

/// Reads to the end, which must be an error, and stay one; the path that it names.
fn changed(mut pack: Pack) -> String {
    let error = pack.read_to_end(&mut Vec::new()).unwrap_err();
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Changed>())
        .expect("it is typed")
        .clone();
    let again = pack.read(&mut [0; 10]).unwrap_err();
    assert_eq!(
        again.to_string(),
        error.to_string(),
        "an error is never followed by an end"
    );
    let failure = pack.failure().unwrap();
    assert_eq!(failure.what, error.to_string());
    String::from_utf8(inner.path).unwrap()
}

fn after(change: impl Fn(&Tree)) -> String {
    let tree = tree();
    let scanned = tree.scan().unwrap();
    scanned
        .pack()
        .read_to_end(&mut Vec::new())
        .expect("it was whole before");
    change(&tree);
    changed(scanned.pack())
}

#[test]
fn a_file_that_is_not_the_scanned_one_is_named() {
    let remove = |tree: &Tree, path: &str| fs::remove_file(tree.at(path)).unwrap();
    assert_eq!(
        after(|tree| fs::write(tree.at("d/file"), "content and more").unwrap()),
        "d/file",
        "grown"
    );
    assert_eq!(
        after(|tree| fs::write(tree.at("d/file"), "con").unwrap()),
        "d/file",
        "shrunk"
    );
    assert_eq!(after(|tree| remove(tree, "d/file")), "d/file", "vanished");
    assert_eq!(
        after(|tree| fs::remove_dir_all(tree.at("d")).unwrap()),
        "d/file",
        "vanished with its directory"
    );
    assert_eq!(
        after(|tree| {
            remove(tree, "d/file");
            tree.dir("d/file");
        }),
        "d/file",
        "a directory now"
    );
    assert_eq!(
        after(|tree| {
            remove(tree, "d/file");
            tree.link("d/file", "../z");
        }),
        "d/file",
        "a link now"
    );
    assert_eq!(
        after(|tree| {
            remove(tree, "link");
            tree.link("link", "z");
        }),
        "link",
        "another target"
    );
    assert_eq!(
        after(|tree| {
            remove(tree, "link");
            tree.file("link", "");
        }),
        "link",
        "a file now"
    );
    assert_eq!(
        after(|tree| {
            let time = fs::metadata(tree.at("z")).unwrap().modified().unwrap();
            tree.file("new", "LAST");
            fs::File::options()
                .write(true)
                .open(tree.at("new"))
                .unwrap()
                .set_modified(time)
                .unwrap();
            fs::rename(tree.at("new"), tree.at("z")).unwrap();
        }),
        "z",
        "replaced by one of the same size and time"
    );
}

#[test]
fn a_file_with_other_bytes_is_named_though_size_and_time_and_inode_are_the_same() {
    assert_eq!(
        after(|tree| {
            let time = fs::metadata(tree.at("z")).unwrap().modified().unwrap();
            tree.file("z", "LAST");
            fs::File::options()
                .write(true)
                .open(tree.at("z"))
                .unwrap()
                .set_modified(time)
                .unwrap();
        }),
        "z"
    );
}

#[test]
fn a_directory_that_became_a_link_leads_nowhere() {
    let outside = Tree::new();
    outside.file("file", "content");
    assert_eq!(
        after(|tree| {
            fs::rename(tree.at("d"), outside.at("moved")).unwrap();
            fs::remove_file(outside.at("file")).unwrap();
            fs::rename(outside.at("moved/file"), outside.at("file")).unwrap();
            symlink(outside.path(), tree.at("d")).unwrap();
        }),
        "d/file",
        "although the very same file is behind the link"
    );
}

#[test]
fn a_change_in_the_middle_of_packing_is_named() {
    for change in ["grow", "shrink"] {
        let tree = Tree::new();
        // More than fits into what waits for the reader, and incompressible: the thread is held back within it.
        let mut noise = vec![0u8; 4_000_000];
        fs::File::open("/dev/urandom").unwrap().read_exact(&mut noise).unwrap();
        tree.file("big", &noise);
        let scanned = tree.scan().unwrap();
        let mut pack = scanned.pack();
        pack.read_exact(&mut [0; 1000]).unwrap();
        let length = if change == "grow" { 5_000_000 } else { 3_000_000 };
        fs::File::options()
            .write(true)
            .open(tree.at("big"))
            .unwrap()
            .set_len(length)
            .unwrap();
        assert_eq!(changed(pack), "big", "{change}");
    }
}

/// A file that takes a moment to read, last written long ago.
fn database(tree: &Tree) -> fs::File {
    let file = fs::File::create(tree.at("database")).unwrap();
    file.set_len(100_000_000).unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    file
}

/// Scans while somebody does this, until it says that it has done enough.
fn scanned_while(tree: &Tree, mut change: impl FnMut() -> bool + Send) -> Result<Scanned, Failure> {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) && !change() {
                std::thread::yield_now();
            }
        });
        let scanned = tree.scan();
        done.store(true, Ordering::Relaxed);
        scanned
    })
}

#[test]
fn a_file_that_is_written_once_while_it_is_scanned_is_read_once_more() {
    let tree = Tree::new();
    let file = database(&tree);
    let open = || {
        let here = fs::read_dir("/proc/self/fd")
            .unwrap()
            .map(|fd| fs::read_link(fd.unwrap().path()));
        here.filter(|path| path.as_ref().is_ok_and(|path| *path == tree.at("database")))
            .count()
    };
    // Once it is open a second time it is being read. Its size does not change then: only that it was written, at a
    // place that the reader is past.
    let scanned = scanned_while(&tree, || {
        let read = open() == 2;
        if read {
            file.write_all_at(b"late", 0).unwrap();
        }
        read
    });
    std::io::copy(&mut scanned.unwrap().pack(), &mut std::io::sink()).unwrap();
}

#[test]
fn case_43_a_file_that_is_always_being_written_is_named() {
    let tree = Tree::new();
    let file = database(&tree);
    let scanned = scanned_while(&tree, || {
        file.write_all_at(&[0], 99_999_999).unwrap();
        false
    });
    let failure = scanned.unwrap_err();
    assert_eq!(failure.why, ["database changed while shipit was reading it"]);
}

#[test]
fn an_interrupt_ends_the_reading_of_a_directory_and_of_an_archive() {
    let tree = Tree::new();
    tree.file("source/file", "x");
    let tar = std::process::Command::new("tar")
        .arg("-C")
        .arg(tree.path())
        .arg("-czf")
        .arg(tree.at("app.tgz"))
        .arg("source")
        .status();
    assert!(tar.unwrap().success());
    for name in ["source", "app.tgz"] {
        let (interrupts, button) = Interrupts::by_hand().unwrap();
        let path = tree.at(name);
        let source = Source {
            path: &path,
            exclude: &[],
            allow_secrets: &[],
            identity: None,
            hashes: None,
        };
        scan(&source, &interrupts).unwrap();
        button.press();
        let what = scan(&source, &interrupts).unwrap_err().what;
        let begin = "interrupted while reading ";
        assert!(what.starts_with(begin) && what.ends_with(name), "{what}");
    }
}

#[test]
fn a_stream_that_broke_off_is_no_archive() {
    let tree = tree();
    let scanned = tree.scan().unwrap();
    tree.file("z", "other");
    let mut pack = scanned.pack();
    let mut sent = Vec::new();
    pack.read_to_end(&mut sent).unwrap_err();
    let error = flate2::read::GzDecoder::new(sent.as_slice())
        .read_to_end(&mut Vec::new())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
}

#[test]
fn a_tree_that_moved_as_a_whole_is_still_the_scanned_one() {
    let outer = Tree::new();
    outer.file("here/a", "x").file("here/d/b", "y");
    let scanned = super::scan_path(&outer.at("here"), &[]).unwrap();
    fs::rename(outer.at("here"), outer.at("there")).unwrap();
    scanned.pack().read_to_end(&mut Vec::new()).unwrap();
}
