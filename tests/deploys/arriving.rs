//! What arrives on the host otherwise than it was sent: found by the host's own listing, named, never published.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use super::desk::{Desk, acme, assert_live, current};
use crate::apps::{Kind, Service};
use crate::bounds::{Ends as _, wait_for};
use crate::lab::{self, Suite};

#[test]
fn a_tree_that_arrives_changed_is_refused_with_the_paths_and_nothing_is_listed() {
    let host = lab::host!(Suite::Bookworm);
    // What this tar damages must not be the live release's too.
    let desk = Desk::live(&host, Service::Socket, &acme("socket").with("link: copy"));
    let before = current(&host);
    desk.tree(Kind::Graceful, "v2");
    std::os::unix::fs::symlink("public", desk.path("source/link")).unwrap();
    // A host whose tar is broken, or whose disk is: it unpacks, says that all is well, and this is what is there.
    for (damage, path) in [
        ("printf x | dd of=version bs=1 conv=notrunc 2>/dev/null", "~ version"),
        ("echo more >>server.py", "~ server.py"),
        ("chmod a+x server.py", "~ server.py"),
        ("chmod g+w public", "on the host, public has mode 775"),
        ("rm version", "- version"),
        ("touch extra", "+ extra"),
        ("ln -sfn . link", "~ link"),
        ("rm link && mkdir link", "~ link"),
        ("rm version && mkfifo version", "on the host, version is not a file"),
    ] {
        let tar = format!("#!/bin/sh\n/usr/bin/tar \"$@\" || exit\n[ \"$1\" = --version ] || {{ {damage}; }}\n");
        host.write_file("/usr/local/bin/tar", tar.as_bytes());
        host.root("chmod 755 /usr/local/bin/tar").ok();
        let ran = desk
            .shipit(&["deploy"])
            .leaves(1)
            .says("the data on the host differs from what shipit sent")
            .says(path);
        assert!(!ran.stderr.contains("publish"), "{damage}: {ran}");
        assert_live(&host, &before, "v1");
        let listed = host.root("ls /opt/acme/releases /opt/acme/.shipit/links").ok();
        let ids = listed.lines().filter(|line| line.starts_with("20"));
        assert_eq!(ids.count(), 2, "{damage}: {listed}");
    }
    host.root("rm /usr/local/bin/tar").ok();
    let good = desk.json(&["deploy"]).leaves(0).release();
    assert_live(&host, &good, "v2");
}

#[test]
fn case_43_a_file_that_changes_while_it_is_packed_is_read_once_more_and_then_refused() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    // shipit asks git what it ignores after it has read the source and before it packs: then somebody writes to it, once,
    // or again and again.
    desk.file(
        "bin/git",
        "#!/bin/sh\ncase \"$*\" in *ls-files*) ;; *) exit 1 ;; esac\n\
         echo more >>\"$HOME/source/written\"; [ -e \"$HOME/always\" ] || exit 1\n\
         (while [ -e \"$HOME/always\" ]; do echo more >>\"$HOME/source/written\"; sleep 0.02; done) >/dev/null 2>&1 &\n\
         exit 1\n",
    );
    fs::set_permissions(desk.path("bin/git"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", desk.path("bin").display(), std::env::var("PATH").unwrap());
    let deploy = || {
        let output = desk.command(&["deploy"]).env("PATH", &path).ends();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    desk.tree(Kind::Graceful, "v2");
    desk.file("source/written", "");
    let (code, said) = deploy();
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("written changed while it was being packed; reading the source once more"),
        "{said}"
    );
    let live = current(&host);
    assert_live(&host, &live, "v2");
    assert_eq!(host.root("cat /opt/acme/current/written").ok(), "more");

    desk.tree(Kind::Graceful, "v3");
    desk.file("source/written", "");
    desk.file("always", "");
    // Read and packed first, and for longer than a write takes: it changes while it is read again, or packed again.
    let first = fs::File::create(desk.path("source/a")).unwrap();
    first.set_len(64 << 20).unwrap();
    let (code, said) = deploy();
    fs::remove_file(desk.path("always")).unwrap();
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("reading the source once more") && said.contains("written changed while shipit was reading it")
            || said.contains("error: written changed while it was being packed"),
        "{said}"
    );
    assert_live(&host, &live, "v2");
}

/// What is remembered of the source: the records of the one file, and its path.
fn remembered(desk: &Desk) -> Option<(PathBuf, Vec<String>)> {
    let file = fs::read_dir(desk.path(".cache/shipit/hashes"))
        .ok()?
        .next()?
        .unwrap()
        .path();
    let text = String::from_utf8(fs::read(&file).unwrap()).unwrap();
    Some((file, text.split('\0').map(str::to_owned).collect()))
}

#[test]
fn a_file_that_is_remembered_wrongly_is_found_while_it_is_sent_and_all_is_read_once_more() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    desk.tree(Kind::Graceful, "v2");
    desk.file("source/late", "what is there");
    // Files that were written in these two seconds are read each time.
    let known = |record: &String| record.ends_with(" late");
    wait_for("a memory of the file", || {
        desk.shipit(&["plan"]).leaves(0);
        remembered(&desk).is_some_and(|(_, records)| records.iter().any(known))
    });
    let falsify = || {
        let (file, mut records) = remembered(&desk).unwrap();
        records
            .iter_mut()
            .find(|record| known(record))
            .unwrap()
            .replace_range(..64, &"a1".repeat(32));
        records.truncate(records.len() - 2);
        let body = format!("{}\0", records.join("\0"));
        let sum: String = Sha256::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
        fs::write(file, format!("{body}{sum}\0")).unwrap();
    };
    falsify();
    let deployed = desk.shipit(&["deploy"]).leaves(0);
    let told = "late has different content than when it was read, although its size and time are the same; reading the source once more";
    assert!(deployed.stderr.replace("\n  ", " ").contains(told), "{deployed}");
    assert_live(&host, &current(&host), "v2");
    assert_eq!(host.root("cat /opt/acme/current/late").ok(), "what is there");

    // It differs from the live release only in what is remembered: a deploy that reads everything finds that out at once.
    falsify();
    let unchanged = desk.shipit(&["deploy", "--checksum"]).leaves(0);
    assert!(!unchanged.stderr.contains("once more"), "{unchanged}");
    assert!(
        !remembered(&desk)
            .unwrap()
            .1
            .iter()
            .any(|record| record.starts_with("a1a1"))
    );
    // Who was not asked for it, and read nothing, says how all is read; who has read all does not.
    assert!(!unchanged.stderr.contains("--checksum"), "{unchanged}");
    desk.shipit(&["deploy"])
        .leaves(0)
        .says("unchanged: ")
        .says("shipit deploy --checksum");
    falsify();
    desk.shipit(&["plan", "--checksum"]).leaves(0);
    assert!(
        !remembered(&desk)
            .unwrap()
            .1
            .iter()
            .any(|record| record.starts_with("a1a1"))
    );
}

/// A default ACL counts instead of the umask: every file would arrive without its mode.
#[test]
fn a_release_below_a_directory_with_a_default_acl_has_the_modes_that_were_sent() {
    let host = lab::host!(Suite::Bookworm);
    if !host.root("command -v setfacl").success() {
        // An ACL by its bytes: version 2, then u::rwx g::--- o::--- (acl(5), linux/posix_acl_xattr.h).
        let acl = "0x0200000001000700ffffffff04000000ffffffff20000000ffffffff";
        host.root(&format!(
            "mkdir -p /opt && python3 -c \"import os; os.setxattr('/opt', 'system.posix_acl_default', bytes.fromhex('{}'))\"",
            acl.trim_start_matches("0x")
        ))
        .ok();
    } else {
        host.root("setfacl -d -m u::rwx,g::---,o::--- /opt").ok();
    }
    let desk = Desk::ready(&host, Service::Notify, &acme("restart"));
    for path in ["", "/releases", "/shared"] {
        let mode = host.root(&format!("stat -c %a /opt/acme{path}")).ok();
        assert!(mode.trim().ends_with('5'), "/opt/acme{path} has mode {mode}");
    }
    let v1 = desk.deploy(Kind::Graceful, "v1");
    assert_live(&host, &v1, "v1");
    let mode = host
        .root("stat -c %a /opt/acme/current/server.py /opt/acme/current/public")
        .ok();
    assert_eq!(mode.split_whitespace().collect::<Vec<_>>(), ["644", "755"]);
    // A release that arrives changed all the same is refused with the ACL as a likely cause.
    let tar = "#!/bin/sh\n/usr/bin/tar \"$@\" || exit\n[ \"$1\" = --version ] || echo more >>server.py\n";
    host.write_file("/usr/local/bin/tar", tar.as_bytes());
    host.root("chmod 755 /usr/local/bin/tar").ok();
    desk.tree(Kind::Graceful, "v2");
    desk.json(&["deploy"])
        .leaves(1)
        .says("/opt/acme/releases has a default ACL, which changes the modes of files: getfacl /opt/acme/releases");
    host.root("rm /usr/local/bin/tar").ok();
    // Nor does the umask of the login count.
    host.write_file("/home/deploy/.bashrc", b"umask 077\n");
    host.root("echo 'umask 077' >>/etc/profile; sed -i 's/^UMASK.*/UMASK 077/' /etc/login.defs")
        .ok();
    let umask = host.ssh("deploy", "umask").ok();
    assert_eq!(umask.trim(), "0077", "the login has another umask");
    let v2 = desk.deploy(Kind::Graceful, "v2");
    assert_live(&host, &v2, "v2");
    let mode = host
        .root("stat -c %a /opt/acme/current/server.py /opt/acme/current/public")
        .ok();
    assert_eq!(mode.split_whitespace().collect::<Vec<_>>(), ["644", "755"]);
    // One that names a user is named by setup: u::rwx u:app:--- g::r-x m::r-x o::r-x.
    let acl = "0200000001000700ffffffff02000000e703000004000500ffffffff10000500ffffffff20000500ffffffff";
    host.root(&format!(
        "python3 -c \"import os; os.setxattr('/opt/acme/releases', 'system.posix_acl_access', bytes.fromhex('{acl}'))\""
    ))
    .ok();
    let root = format!("root@{}", host.address());
    desk.shipit(&["setup", "--yes", "--as", &root])
        .leaves(1)
        .says("/opt/acme/releases has an ACL")
        .says("app cannot enter /opt/acme/releases");
}
