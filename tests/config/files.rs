//! What is not a plain file, whose file it is, where it is looked for.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use shipit::config;
use shipit::failure::Exit;

use super::{SMALL, within};
use crate::bounds::Ends as _;
use crate::tree::{NOBODY, alone, am_root};

#[test]
fn case_25_what_is_not_a_plain_file_is_said_and_never_waited_for() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    let large = fs::File::create(path("large")).expect("a file");
    large.set_len(10 * 1024 * 1024).expect("it is made large");
    fs::create_dir(path("dir")).expect("a directory");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        path("fifo"),
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    )
    .expect("a FIFO");
    symlink("loop", path("loop")).expect("a loop");
    fs::write(path("latin"), b"app: acme\nhost: b\xfccher\n").expect("a file");
    for (name, words) in [
        ("large", "larger than 1 MiB"),
        ("dir", "it is a directory"),
        ("fifo", "it is a FIFO"),
        ("loop", "ymbolic link"),
        ("latin", "latin:2:8: a byte that is not valid UTF-8"),
        ("none", "file not found"),
    ] {
        let file = path(name);
        let failure = within(move || config::load(&file, None).expect_err("it is refused"));
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.why[0].contains(words), "{name}: {failure}");
    }
    let device = config::load(Path::new("/dev/zero"), None).expect_err("a device is refused");
    assert_eq!(device.why, ["it is a device, not a file"]);
}

#[test]
fn case_25_a_file_that_may_not_be_read_is_not_taken_for_one_that_is_not_there() {
    // Root reads everything.
    let test = "config::files::case_25_a_file_that_may_not_be_read_is_not_taken_for_one_that_is_not_there";
    if !alone(test, am_root().then_some(NOBODY)) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("deploy.yml");
    fs::write(&file, SMALL).expect("a file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o0)).expect("it is closed");
    let found = config::find(dir.path()).expect("it is there");
    let failure = config::load(&found, None).expect_err("it cannot be read");
    assert_eq!(failure.exit, Exit::Usage);
    assert!(failure.why[0].contains("ermission denied"), "{failure}");
}

#[test]
fn case_26_a_file_of_another_user_is_used_with_a_warning() {
    let dir = tempfile::tempdir().expect("a directory");
    let inner = dir.path().join("a/b");
    fs::create_dir_all(&inner).expect("directories");
    let file = dir.path().join("deploy.yml");
    fs::write(&file, SMALL).expect("a file");
    fs::create_dir(dir.path().join(".git")).expect("a repository");

    let found = config::find(&inner).expect("it is found above");
    assert_eq!(found, file);
    assert!(config::load(&found, None).expect("it loads").warnings.is_empty());

    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).expect("it is opened");
    let warnings = config::load(&found, None).expect("it loads").warnings;
    assert!(warnings[0].contains("is world-writable"), "{warnings:?}");

    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&file, Some(12_345), None).expect("it is given away");
        let warnings = config::load(&found, None).expect("it loads").warnings;
        assert!(
            warnings[0].contains("belongs to another user (uid 12345)"),
            "{warnings:?}"
        );
    }
}

#[test]
fn a_file_of_another_user_above_is_refused_before_anything_runs_unless_it_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let inner = dir.path().join("a/b");
    fs::create_dir_all(&inner).expect("directories");
    let file = dir.path().join("deploy.yml");
    fs::write(&file, format!("{SMALL}build: touch {}/ran\n", dir.path().display())).expect("a file");
    let refused = |words: &str| {
        let failure = config::find(&inner).expect_err("it is not used");
        assert_eq!(failure.exit, Exit::Usage);
        assert!(
            failure.what.contains("is not used, because you did not name it"),
            "{failure}"
        );
        assert!(failure.why[0].contains(words), "{failure}");
        let ran = std::process::Command::new(env!("CARGO_BIN_EXE_shipit"))
            .args(["deploy"])
            .current_dir(&inner)
            .ends();
        assert_eq!(ran.status.code(), Some(2));
        assert!(!dir.path().join("ran").exists(), "its build ran");
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(
            said.contains(&format!("next  shipit deploy -c {}", file.display())),
            "{said}"
        );
    };
    // Open to everybody, but ours: the checkouts of some CI runners are like this.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).expect("it is opened");
    assert_eq!(config::find(&inner).expect("it is ours"), file);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("it is closed");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o1777)).expect("it is sticky");
    assert_eq!(config::find(&inner).expect("only we can replace it"), file);
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&file, Some(12_345), None).expect("it is given away");
        refused("belongs to another user (uid 12345)");
        // In the directory itself as well, where every user can create files.
        let _ = config::find(dir.path()).expect_err("as in /tmp");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("it is closed");
        config::find(dir.path()).expect("it is used with a warning");
        // A symlink of another user's to a file of ours.
        let ours = dir.path().join("ours.yml");
        fs::write(&ours, SMALL).expect("a file");
        fs::remove_file(&file).expect("it goes");
        symlink(&ours, &file).expect("a symlink");
        std::os::unix::fs::lchown(&file, Some(12_345), None).expect("it is theirs");
        refused("belongs to another user (uid 12345)");
    }
}

#[test]
fn the_search_ends_at_the_repository() {
    let dir = tempfile::tempdir().expect("a directory");
    let inner = dir.path().join("repository/src");
    fs::create_dir_all(&inner).expect("directories");
    fs::create_dir(dir.path().join("repository/.git")).expect("a repository");
    fs::write(dir.path().join("deploy.yml"), SMALL).expect("a file outside");
    let failure = config::find(&inner).expect_err("nothing is found");
    assert!(failure.what.starts_with("no deploy.yml in"), "{failure}");
    assert_eq!(
        (failure.exit, failure.next),
        (
            Exit::Usage,
            vec![shipit::failure::Next::offline("init").remark("or cd to a project that has one")]
        )
    );

    fs::write(inner.join("deploy.yaml"), SMALL).expect("a file with another name");
    let failure = config::find(&inner).expect_err("nothing is found");
    assert!(
        failure.why[0].contains("exists, but shipit reads deploy.yml"),
        "{failure}"
    );
}
