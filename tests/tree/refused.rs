//! What a host must not get is refused by name before anything is sent; what is dropped on the way is told.

use std::fs;
use std::io::Read;
use std::os::unix::net::UnixListener;
use std::sync::mpsc;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use shipit::failure::Exit;

use super::{NOBODY, Tree, alone, am_root, arrives, scan_path};
use crate::bounds::PATIENCE;
use crate::init;

/// Runs what must not hang.
fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(work()));
    receiver.recv_timeout(PATIENCE).expect("it hangs")
}

#[test]
fn fifos_sockets_and_devices_are_refused_by_name_and_never_opened() {
    let tree = Tree::new();
    tree.file("a", "").dir("run");
    mknodat(CWD, tree.at("run/pipe\x1b[2J"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    let _socket = UnixListener::bind(tree.at("run/sock")).unwrap();
    let mut expected = vec![
        "run/pipe\\x1b[2J is a FIFO: only files, directories and symlinks are shipped",
        "run/sock is a socket: only files, directories and symlinks are shipped",
    ];
    let null = rustix::fs::makedev(1, 3);
    if mknodat(CWD, tree.at("x-null"), FileType::CharacterDevice, Mode::RWXU, null).is_ok() {
        expected.push("x-null is a character device: only files, directories and symlinks are shipped");
    }
    if mknodat(
        CWD,
        tree.at("x-ram"),
        FileType::BlockDevice,
        Mode::RWXU,
        rustix::fs::makedev(1, 0),
    )
    .is_ok()
    {
        expected.push("x-ram is a block device: only files, directories and symlinks are shipped");
    }
    let (failure, tree) = in_time(move || (tree.scan().unwrap_err(), tree));
    assert_eq!(failure.why, expected);
    assert_eq!(failure.exit, Exit::Untouched);
    assert_eq!(
        failure.what,
        format!("{} cannot be shipped as it is", tree.path().display())
    );
    assert_eq!(
        failure.next[0].to_string(),
        "remove or replace them, or list them under `exclude:` in deploy.yml"
    );
}

#[test]
fn a_fifo_in_place_of_the_source_or_of_a_scanned_file_hangs_nothing() {
    let tree = Tree::new();
    tree.file("a", "").file("z", "");
    mknodat(CWD, tree.at("pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    let pipe = tree.at("pipe");
    let failure = in_time(move || scan_path(&pipe, &[]).unwrap_err());
    assert!(
        failure.what.ends_with("pipe is neither a directory nor an archive"),
        "{failure}"
    );

    let scanned = tree.scan_without(&["pipe"]).unwrap();
    fs::rename(tree.at("pipe"), tree.at("z")).unwrap();
    let error = in_time(move || scanned.pack().read_to_end(&mut Vec::new()).unwrap_err());
    assert_eq!(error.to_string(), "z changed while it was being packed");
}

#[test]
fn links_that_leave_the_release_are_refused_with_their_target() {
    let tree = Tree::new();
    tree.file("a/b", "")
        .link("abs", "/etc/passwd")
        .link("a/out", "../../etc")
        .link("a/through", "up/../..");
    tree.link("a/up", "..").link("a/fine", "../a/b").link("odd\n", "/\x07");
    assert_eq!(
        tree.refused(),
        [
            "a/out is a symlink to ../../etc, which is outside the release",
            "a/through is a symlink to up/../.., which is outside the release",
            "abs is a symlink to the absolute path /etc/passwd",
            "odd\\x0a is a symlink to the absolute path /\\x07",
        ]
    );
}

#[test]
fn a_tree_without_a_file_is_refused() {
    let tree = Tree::new();
    let says = |tree: &Tree| {
        tree.scan()
            .unwrap_err()
            .what
            .replace(&tree.path().display().to_string(), "SOURCE")
    };
    assert_eq!(says(&tree), "SOURCE contains no files to ship");
    tree.dir("only/directories").link("and", "links");
    assert_eq!(says(&tree), "SOURCE contains no files to ship");
    tree.file("one", "");
    arrives(&tree.scan().unwrap());
}

#[test]
fn a_source_that_is_not_there_says_where_it_was_looked_for() {
    let tree = Tree::new();
    let failure = scan_path(&tree.at("gone"), &[]).unwrap_err();
    assert_eq!(failure.what, format!("{} does not exist", tree.at("gone").display()));
    assert_eq!(failure.why, ["it is the `source:` of deploy.yml"]);
    assert_eq!(failure.exit, Exit::Untouched);
}

#[test]
fn the_name_that_shipit_keeps_is_refused_at_the_top_only() {
    let tree = Tree::new();
    tree.file("a/.shipit", "")
        .file(".shipit/ledger", "")
        .file("releases/x", "")
        .file("current", "");
    tree.file(".manifest", "");
    assert_eq!(tree.refused(), [".shipit is a reserved name"]);
    fs::remove_dir_all(tree.at(".shipit")).unwrap();
    arrives(&tree.scan().unwrap());
}

#[test]
fn many_problems_are_named_at_once_and_the_rest_is_counted() {
    let tree = Tree::new();
    for at in 0..25 {
        tree.link(format!("l{at:02}"), "/x");
    }
    let why = tree.refused();
    assert_eq!(why.len(), 21);
    assert_eq!(why[19], "l19 is a symlink to the absolute path /x");
    assert_eq!(why[20], "and 5 more");
}

#[test]
fn what_cannot_be_read_is_refused_by_name() {
    // Root reads everything.
    let other = am_root().then_some(NOBODY);
    if !alone("tree::refused::what_cannot_be_read_is_refused_by_name", other) {
        return;
    }
    let tree = Tree::new();
    tree.file("fine", "")
        .file("none", "")
        .file("write", "")
        .file("d/x", "")
        .file("blind/x", "");
    tree.mode("none", 0)
        .mode("write", 0o200)
        .mode("d", 0)
        .mode("blind", 0o600);
    let why = tree.refused();
    tree.mode("d", 0o700).mode("blind", 0o700);
    assert_eq!(
        why,
        [
            "blind cannot be read: permission denied",
            "d cannot be read: permission denied",
            "none cannot be read: permission denied",
            "write cannot be read: permission denied",
        ]
    );
}

#[test]
fn what_is_dropped_or_looks_private_is_told_once_each() {
    let tree = Tree::new();
    tree.file("plain", "")
        .file("suid", "")
        .file("open", "")
        .file("mine", "")
        .dir("sticky")
        .dir("sgid");
    tree.mode("suid", 0o4755)
        .mode("open", 0o666)
        .mode("mine", 0o600)
        .mode("sticky", 0o1777)
        .mode("sgid", 0o2755);
    tree.file(".env.example", "").file("c/ca.pem", "");
    tree.file("Read\x1bme", "")
        .file("read\x1bME", "")
        .file("environment", "")
        .file("é", "")
        .file("É", "");
    let scanned = tree.scan().unwrap();
    assert_eq!(
        scanned.warnings,
        [
            "setuid, setgid and sticky bits are not shipped: sgid, sticky, suid",
            "world-writable here, writable only by the owner on the host: open, sticky",
            "readable only by the owner here, readable by every user on the host: mine",
            "may be a secret, and every user of the host can read it: c/ca.pem",
            "names that differ only in case: Read\\x1bme, read\\x1bME, É, é",
        ]
    );
    arrives(&scanned);
}

#[test]
fn keys_and_environments_are_refused_until_somebody_allows_them() {
    let tree = Tree::new();
    let key = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n";
    tree.file("index.js", "")
        .file(".env", "A=1")
        .file("c/tls.key", "")
        .file("c/notes.txt", format!("the key\n{key}"))
        .file("ci", "not a key by name or content");
    let identity = tree.at("../identity");
    fs::write(&identity, "not a key by name or content").unwrap();
    let scanned = |allowed: &[&str]| {
        let allowed: Vec<String> = allowed.iter().map(|&pattern| pattern.to_owned()).collect();
        let source = shipit::source::Source {
            path: tree.path(),
            exclude: &[],
            allow_secrets: &allowed,
            identity: Some(&identity),
            hashes: None,
        };
        shipit::source::scan(&source, &shipit::interrupt::Interrupts::never().unwrap())
    };
    let failure = scanned(&[]).unwrap_err();
    let why = "and every user of the host can read a release";
    assert_eq!(
        failure.why,
        [
            format!(".env is a file of settings and secrets, judging by its name, {why}"),
            format!("c/notes.txt is a private key, {why}"),
            format!("c/tls.key is a private key, judging by its name, {why}"),
            format!("ci is the key of --identity, with which you log in, {why}"),
        ]
    );
    assert!(failure.next[1].to_string().contains("allow_secrets"), "{failure}");
    assert_eq!(scanned(&[".env", "c/*"]).unwrap_err().why.len(), 1);
    assert!(scanned(&[".env", "c/*", "ci"]).is_ok());
}

#[test]
fn case_33_and_42_holes_and_twins_are_told() {
    let tree = Tree::new();
    tree.file("caf\u{e9}", "composed")
        .file("cafe\u{301}", "decomposed")
        .file("hollow", "")
        .file("whole", vec![7; 2 << 20]);
    let hollow = fs::File::create(tree.at("hollow")).unwrap();
    hollow.set_len(8 << 20).unwrap();
    let scanned = tree.scan().unwrap();
    assert_eq!(
        scanned.warnings,
        [
            "names that look the same but differ in Unicode normalization: cafe\u{301}, caf\u{e9}",
            "sparse here, stored at full size on the host: hollow",
        ]
    );
    arrives(&scanned);
}

#[test]
fn long_lists_in_warnings_are_counted() {
    let tree = Tree::new();
    for at in 0..14 {
        tree.file(format!("{at:02}.pem"), "");
    }
    let warnings = tree.scan().unwrap().warnings;
    assert!(warnings[0].ends_with("08.pem, 09.pem and 4 more"), "{}", warnings[0]);
}

#[test]
fn capabilities_are_told_to_be_lost() {
    let tree = Tree::new();
    tree.file("ping", "").mode("ping", 0o755);
    // VFS_CAP_REVISION_2, cap_net_raw+ep; see capabilities(7).
    let value: Vec<u8> = [0x0200_0001u32, 1 << 13, 0, 0, 0]
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .collect();
    let flags = rustix::fs::XattrFlags::empty();
    if !am_root() || rustix::fs::setxattr(tree.at("ping"), "security.capability", &value, flags).is_err() {
        eprintln!("left out: this user or file system cannot give capabilities");
        return;
    }
    assert_eq!(
        tree.scan().unwrap().warnings,
        ["Linux capabilities are not shipped: ping"]
    );
}

#[test]
fn files_that_git_lfs_has_not_fetched_are_named() {
    let tree = Tree::new();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n";
    tree.file("model.bin", pointer)
        .file("docs/lfs.md", format!("A pointer begins so:\n{pointer}"));
    let warnings = tree.scan().unwrap().warnings;
    assert_eq!(
        warnings,
        ["Git LFS pointers are shipped in place of these files, until `git lfs pull` fetches them: model.bin"]
    );
}

/// Keys and variables that lie in the project stay at home: what init writes leaves them out. What it cannot know is refused.
#[test]
fn no_key_and_no_file_of_variables_is_shipped() {
    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nsesame\n-----END PRIVATE KEY-----\n";
    const SECRETS: [&str; 5] = ["id_ed25519", "server.pem", "tls.key", ".env", ".env.production"];
    let mut whole = 0;
    for (kind, files, _) in init::KINDS {
        let dir = init::project(files);
        for name in SECRETS {
            fs::write(dir.path().join(name), KEY).unwrap();
        }
        let ran = init::shipit(dir.path(), &["init", "--app", "acme"]);
        assert!(ran.status.success(), "{kind}: {}", String::from_utf8_lossy(&ran.stderr));
        let config = shipit::config::load(&dir.path().join("deploy.yml"), None).unwrap();
        // What is built beside the project has none of it.
        if fs::canonicalize(&config.source).ok() != fs::canonicalize(dir.path()).ok() {
            continue;
        }
        whole += 1;
        let scan = || {
            let source = shipit::source::Source {
                path: &config.source,
                exclude: &config.exclude,
                allow_secrets: &config.allow_secrets,
                identity: None,
                hashes: None,
            };
            shipit::source::scan(&source, &shipit::interrupt::Interrupts::never().unwrap())
        };
        let scanned = scan().unwrap_or_else(|failure| panic!("{kind}: {failure}"));
        let paths = scanned
            .manifest
            .entries()
            .iter()
            .map(|entry| String::from_utf8_lossy(&entry.path).into_owned());
        let paths: Vec<String> = paths.collect();
        assert!(paths.contains(&files[0].0.to_owned()), "{kind}: {paths:?}");
        assert!(
            !SECRETS.iter().any(|name| paths.iter().any(|path| path == name)),
            "{kind}: {paths:?}"
        );
        fs::create_dir(dir.path().join("tls")).unwrap();
        fs::write(dir.path().join("tls/other.pem"), KEY).unwrap();
        let why = scan().unwrap_err().why;
        assert!(
            why.len() == 1 && why[0].starts_with("tls/other.pem is a private key"),
            "{kind}: {why:?}"
        );
    }
    assert!(whole > 5, "{whole}");
}
