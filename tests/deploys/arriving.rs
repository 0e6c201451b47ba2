//! What arrives on the host otherwise than it was sent: found by the host's own listing, named, never published.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::desk::{Desk, acme, assert_live, current};
use crate::apps::{Kind, Service};
use crate::lab::{self, Suite};

#[test]
fn a_tree_that_arrives_changed_is_refused_with_the_paths_and_nothing_is_listed() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
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
        ("rm version && mkfifo version", "on the host, version is neither file"),
    ] {
        let tar = format!("#!/bin/sh\n/usr/bin/tar \"$@\" || exit\n[ \"$1\" = --version ] || {{ {damage}; }}\n");
        host.write_file("/usr/local/bin/tar", tar.as_bytes());
        host.root("chmod 755 /usr/local/bin/tar").ok();
        let ran = desk
            .shipit(&["deploy"])
            .leaves(1)
            .says("the host received different data than shipit sent")
            .says(path);
        assert!(!ran.stderr.contains("publish"), "{damage}: {ran}");
        assert_live(&host, &before, "v1");
        let listed = host.root("ls /opt/acme/releases /opt/acme/.shipit/links").ok();
        assert_eq!(listed.matches("20").count(), 2, "{damage}: {listed}");
    }
    host.root("rm /usr/local/bin/tar").ok();
    let good = desk.json(&["deploy"]).leaves(0).release();
    assert_live(&host, &good, "v2");
}

#[test]
fn case_43_a_file_that_changes_while_it_is_packed_is_read_once_more_and_then_refused() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::live(&host, Service::Socket, &acme("socket"));
    // shipit asks git after it has read the source and before it packs: so does whoever writes to it.
    desk.file(
        "bin/git",
        "#!/bin/sh\n[ ! -e \"$HOME/once\" ] || [ -e \"$HOME/always\" ] || exit 1\n\
         : >\"$HOME/once\"; echo more >>\"$HOME/source/written\"; exit 1\n",
    );
    fs::set_permissions(desk.path("bin/git"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", desk.path("bin").display(), std::env::var("PATH").unwrap());
    let deploy = || {
        let output = desk.command(&["deploy"]).env("PATH", &path).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    desk.tree(Kind::Graceful, "v2");
    desk.file("source/written", "");
    let (code, said) = deploy();
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("written changed while it was packed; reading the source once more"),
        "{said}"
    );
    let live = current(&host);
    assert_live(&host, &live, "v2");
    assert_eq!(host.root("cat /opt/acme/current/written").ok(), "more");

    desk.tree(Kind::Graceful, "v3");
    desk.file("source/written", "");
    desk.file("always", "");
    let (code, said) = deploy();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("error: written changed while it was packed"), "{said}");
    assert_live(&host, &live, "v2");
}
