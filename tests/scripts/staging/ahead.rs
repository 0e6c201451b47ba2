//! Files that the host hashes while others still arrive: they are not read again, and one that changed after that is.

use super::*;

/// sha256sum that reads no file, except one with a newline or a backslash in its name, which tar's list escapes.
const READS_NOTHING: &str = "[ $# != 0 ] || exec /usr/bin/sha256sum\nnl='\n'\nfor file; do
    case $file in -z | -- | *\"$nl\"* | *'\\'*) ;; *) exit 1 ;; esac
done\nexec /usr/bin/sha256sum \"$@\"";

#[test]
fn a_file_that_was_hashed_while_others_arrived_is_read_once_and_one_that_changed_since_is_read_again() {
    for shell in SHELLS {
        let mut staging = Staging::new(shell, 3);
        for n in 0..700 {
            let path = staging.at(&format!("source/{}", n % 7));
            fs::create_dir_all(&path).unwrap();
            fs::write(path.join(n.to_string()), n.to_string()).unwrap();
        }
        for _ in 0..20 {
            staging.edit();
        }
        fs::write(staging.at("source/-r"), "-r").unwrap();
        fs::write(staging.at("source/a\nb\\c"), "odd").unwrap();
        symlink("first", staging.at("source/link")).unwrap();
        for (id, after, succeeds) in [
            ("20260101-000001", "", true),
            ("20260101-000002", "printf 2 >first", false),
            (
                "20260101-000003",
                "cp -p first x-new && printf 2 >x-new && touch -r first x-new && mv x-new first",
                false,
            ),
        ] {
            let mut next = staging.next(None, id);
            next.to_do = "ahead".into();
            let received = staging.receive(&next, "hard").ends();
            assert!(received.status.success() && received.stderr.is_empty(), "{received:?}");
            super::shell(&staging.release(&format!(".in-{id}")), after);
            let tools = tempfile::tempdir().unwrap();
            let digest = next.scanned.digest.to_string();
            let verify = staging.script("verify", &[id, &digest, ""]);
            let verify = if succeeds {
                leftovers::with_tool(verify, tools.path(), "sha256sum", READS_NOTHING).ends()
            } else {
                { verify }.ends()
            };
            assert_eq!(verify.status.success(), succeeds, "{id}: {verify:?}");
            if succeeds {
                staging.publish(&next);
                staging.assert_published(id);
            }
        }
    }
}
