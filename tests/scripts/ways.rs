//! Who can change the way to a path, by what `stat` and `ls` print; whose directories these are, this machine's root does
//! not matter for.

use super::*;

/// What a function of the scripts prints for a directory whose owner, group, mode and first column are these; every one
/// above it is root's.
fn judged(shell: &[&str], call: &str, dir: &Path, owners: &str, column: &str) -> String {
    let file = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/remote").join(name);
        fs::read_to_string(path).unwrap()
    };
    let at = dir.display();
    let text = format!(
        "{}\n{}\nuser=deploy\nstat() {{ case $* in *{at}) echo {owners} ;; *) echo root root 755 ;; esac; }}\n\
         ls() {{ case $* in *{at}) echo '{column}' ;; *) echo 'drwxr-xr-x 2 root root 1 x' ;; esac; }}\n{call}\n",
        file("lib/paths.sh"),
        file("look/router_state.sh"),
    );
    let mut command = Command::new(shell[0]);
    let out = command.args(&shell[1..]).args(["-c", &text]).ends();
    assert!(out.status.success(), "{out:?}");
    String::from_utf8(out.stdout).unwrap().trim_end().to_owned()
}

#[test]
fn an_acl_opens_a_directory_that_the_group_root_may_write_to() {
    let dir = tempfile::tempdir().unwrap();
    let dir = fs::canonicalize(dir.path()).unwrap();
    let at = dir.display();
    for shell in SHELLS {
        let way = |owners, column| judged(shell, &format!("way {at}/app.log"), &dir, owners, column);
        let guarded = |owners, column| judged(shell, &format!("guarded {at}"), &dir, owners, column);
        assert_eq!(way("root root 775", "drwxrwxr-x 2 root"), "closed", "{shell:?}");
        assert_eq!(way("root root 775", "drwxrwxr-x. 2 root"), "closed", "{shell:?}");
        // The mode's bits for the group are the mask of the ACL, so one that lets nobody write changes nothing.
        assert_eq!(way("root root 755", "drwxr-xr-x+ 2 root"), "closed", "{shell:?}");
        assert_eq!(
            way("root root 775", "drwxrwxr-x+ 2 root"),
            format!("open root 775 {at}"),
            "{shell:?}"
        );
        assert_eq!(
            way("root root 775", ""),
            format!("open root 775 {at}"),
            "{shell:?}: not read"
        );
        assert_eq!(guarded("deploy deploy 775", "drwxrwxr-x 2 root"), "closed", "{shell:?}");
        assert_eq!(guarded("root root 755", "drwxr-xr-x+ 2 root"), "closed", "{shell:?}");
        for owners in ["root root 775", "deploy deploy 775"] {
            assert_eq!(
                guarded(owners, "drwxrwxr-x+ 2 root"),
                format!("open {owners} {at}"),
                "{shell:?}"
            );
        }
    }
}
