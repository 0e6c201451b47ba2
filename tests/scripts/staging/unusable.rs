//! A base that cannot be used, whole or in part: what is sent again, and the statuses that mean send everything.

use super::*;

#[test]
fn a_file_of_another_owner_or_with_capabilities_is_sent_again() {
    for shell in SHELLS {
        let staging = Staging::new(shell, 1);
        let app = staging.at("source/app");
        fs::write(&app, "app").unwrap();
        fs::set_permissions(&app, fs::Permissions::from_mode(0o755)).unwrap();
        staging.stage(None, "r0", "hard");
        let edited = |tool: &str, text: &str| {
            let tools = tempfile::tempdir().unwrap();
            let file = tools.path().join(tool);
            fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
            let mut base = staging.script("base", &["r0", "-"]);
            base.env("PATH", format!("{}:/usr/bin:/bin", tools.path().display()));
            HostBase::parse(&Staging::done(base)).unwrap().edited
        };
        assert!(edited("getcap", "exit 1").is_empty());
        let capable = "case $* in *-r*|*app*) echo ./app cap_net_raw=ep ;; esac";
        assert_eq!(edited("getcap", capable), [b"app".to_vec()]);
        let both = [b"app".to_vec(), b"first".to_vec()];
        for other in ["-u", "-g"] {
            let text = format!("[ $1 = {other} ] && echo 4242 || exec /usr/bin/id \"$@\"");
            assert_eq!(edited("id", &text), both);
        }
    }
}

#[test]
fn a_base_that_cannot_be_used_fails_with_a_status_that_means_send_everything() {
    let staging = Staging::new(SHELLS[0], 1);
    let kept = staging.at("source/kept");
    fs::write(&kept, "kept").unwrap();
    staging.stage(None, "r0", "hard");
    // Other bytes, the same stamp.
    let same_stamp = "touch -r kept ../time; printf KEPT >kept; touch -r ../time kept";
    shell(&staging.release("r0"), same_stamp);
    let next = staging.next(Some("r0"), "r1");
    assert!(staging.receive(&next, "copy").ends().status.success());
    assert_eq!(staging.verify(&next).status.code(), Some(24));
    staging.stage(None, "r2", "hard");
    // What comes as a hard link is gone.
    fs::rename(&kept, staging.at("source/moved")).unwrap();
    let next = staging.next(Some("r2"), "r3");
    fs::remove_file(staging.release("r2").join("kept")).unwrap();
    assert_eq!(staging.receive(&next, "hard").ends().status.code(), Some(23));
    staging.stage(None, "r4", "hard");
    // The base's metadata goes between the two: then all is read.
    let next = staging.next(Some("r4"), "r5");
    assert!(staging.receive(&next, "hard").ends().status.success());
    fs::remove_dir_all(staging.at("root/.shipit/releases/r4")).unwrap();
    let verified = staging.verify(&next);
    assert!(verified.status.success() && verified.stderr.is_empty(), "{verified:?}");
    staging.publish(&next);
    staging.assert_published("r5");
}
