//! What belongs here: content that the release before has under another name or mode.

use super::*;

#[test]
fn renamed_files_and_modes_are_not_sent_and_have_a_time_of_their_own() {
    let staging = Staging::new(SHELLS[0], 1);
    let source = |path: &str| staging.at("source").join(path);
    fs::create_dir(source("old")).unwrap();
    for name in ["old/a", "old/b", "run"] {
        fs::write(source(name), format!("{name} {}", "x".repeat(5000))).unwrap();
    }
    staging.stage(None, "r0", "hard");
    fs::rename(source("old"), source("new")).unwrap();
    fs::set_permissions(source("run"), fs::Permissions::from_mode(0o755)).unwrap();
    let before = shell(&staging.release("r0"), STATE);
    let delta = staging.stage(Some("r0"), "r1", "hard");
    assert_eq!((delta.files, delta.sent), (0, 0));
    staging.assert_published("r1");
    assert_eq!(shell(&staging.release("r0"), STATE), before);
    let time = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
    assert_ne!(
        time(&staging.release("r1").join("new/a")),
        time(&staging.release("r0").join("old/a"))
    );
    assert_eq!(
        time(&staging.release("r1").join("first")),
        time(&staging.release("r0").join("first"))
    );
}
