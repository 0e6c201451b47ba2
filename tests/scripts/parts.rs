//! nginx in parts, switched by the real functions in a directory of our own. Never here: nginx.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use super::SHELLS;
use crate::bounds::Ends as _;

const FUNCTIONS: &str = concat!(
    include_str!("../../src/remote/conductor/5-routers.sh"),
    include_str!("../../src/remote/conductor/5-parts.sh"),
    "cd \"$1\" || exit\nrouter=links at=$1/live.sock from=/run/new.sock to=/run/old.sock cause='' detail=''\n\
     turn_links || { echo \"$cause\"; exit 3; }\n",
);

#[test]
fn a_part_that_cannot_be_switched_keeps_no_other_with_the_bad_release() {
    for shell in SHELLS {
        let dir = tempfile::tempdir().unwrap();
        let link = |part: u8| dir.path().join(format!("live.{part}.sock"));
        let others = [1, 4, 8, 16, 32, 37];
        for part in others {
            symlink("/run/new.sock", link(part)).unwrap();
        }
        fs::write(link(2), "").unwrap();
        let mut command = Command::new(shell[0]);
        let out = command
            .args(&shell[1..])
            .args(["-c", FUNCTIONS, "sh"])
            .arg(dir.path())
            .ends();
        assert_eq!(out.status.code(), Some(3), "{out:?}");
        let cause = String::from_utf8(out.stdout).unwrap();
        assert!(cause.contains("live.2.sock is not a symlink"), "{cause}");
        for part in others {
            assert_eq!(fs::read_link(link(part)).unwrap(), Path::new("/run/old.sock"), "{part}");
        }
    }
}
