//! What belongs here: big files that travel as patches against files of the release before.

use shipit::release::Way;

use super::*;

/// Bytes that do not compress.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut dice = Dice(seed);
    (0..length).map(|_| u8::try_from(dice.roll(256)).unwrap()).collect()
}

fn patches(delta: &Delta) -> usize {
    let patched = |way: &&Way| matches!(way, Way::Patched { .. });
    delta.ways.iter().filter(patched).count()
}

#[test]
fn a_patch_becomes_its_file_and_the_release_before_stays_as_it_was() {
    for shell_words in SHELLS {
        let staging = Staging::new(shell_words, 1);
        let source = |path: &str| staging.at("source").join(path);
        let old = noise(1, 2 << 20);
        fs::create_dir(source("a dir\n")).unwrap();
        for name in ["-program", "a dir\n/app-1.jar", "notes"] {
            fs::write(source(name), &old).unwrap();
        }
        fs::set_permissions(source("-program"), fs::Permissions::from_mode(0o755)).unwrap();
        staging.stage(None, "r0", "hard");
        let before = shell(&staging.release("r0"), STATE);

        let mut new = old.clone();
        new.splice(77_777..77_790, *b"another text");
        fs::write(source("-program"), &new).unwrap();
        fs::remove_file(source("a dir\n/app-1.jar")).unwrap();
        fs::write(source("a dir\n/app-2.jar"), &new[500..]).unwrap();
        let delta = staging.stage(Some("r0"), "r1", "hard");
        assert_eq!((delta.files, patches(&delta)), (2, 2));
        assert!(delta.sent < 5000, "{}", delta.sent);
        staging.assert_published("r1");
        assert_eq!(shell(&staging.release("r0"), STATE), before);
        let left = shell(&staging.at("root/.shipit/releases/r1"), "ls");
        assert!(!String::from_utf8_lossy(&left).contains("patched"), "{left:?}");
        // And once more, from a release that was made from patches.
        new[5] ^= 1;
        fs::write(source("-program"), &new).unwrap();
        assert_eq!(patches(&staging.stage(Some("r1"), "r2", "copy")), 1);
        staging.assert_published("r2");
    }
}

#[test]
fn a_patch_that_does_not_fit_is_never_published() {
    let staging = Staging::new(SHELLS[0], 1);
    let program = staging.at("source/program");
    let old = noise(1, 2 << 20);
    fs::write(&program, &old).unwrap();
    staging.stage(None, "r0", "hard");
    let mut new = old.clone();
    new[1 << 20] ^= 1;
    fs::write(&program, &new).unwrap();
    let next = staging.next(Some("r0"), "r1");
    assert_eq!(patches(&next.delta), 1);
    // The file of the base has other bytes by now, without a trace.
    let there = staging.release("r0").join("program");
    let time = fs::metadata(&there).unwrap().modified().unwrap();
    let mut file = fs::File::options().write(true).open(&there).unwrap();
    file.write_all(b"other").unwrap();
    file.set_modified(time).unwrap();
    let received = staging.receive(&next, "hard").ends();
    // zstd may find it, or the check that follows.
    let verified = staging.verify(&next);
    let codes = (received.status.code(), verified.status.code());
    assert!(matches!(codes, (Some(19), _) | (Some(0), Some(24))), "{codes:?}");
    // It is gone.
    fs::remove_file(&there).unwrap();
    for dir in [staging.release(".in-r1"), staging.at("root/.shipit/releases/.in-r1")] {
        fs::remove_dir_all(&dir).unwrap();
        fs::create_dir(&dir).unwrap();
    }
    let received = staging.receive(&next, "hard").ends();
    assert_eq!(received.status.code(), Some(19), "{received:?}");
}
