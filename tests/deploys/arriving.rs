//! What arrives on the host otherwise than it was sent: found by the host's own listing, named, never published.

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
        (
            "printf x | dd of=version bs=1 conv=notrunc 2>/dev/null",
            "~ version",
        ),
        ("echo more >>server.py", "~ server.py"),
        ("chmod a+x server.py", "~ server.py"),
        ("chmod g+w public", "on the host, public has mode 775"),
        ("rm version", "- version"),
        ("touch extra", "+ extra"),
        ("ln -sfn . link", "~ link"),
        ("rm link && mkdir link", "~ link"),
        (
            "rm version && mkfifo version",
            "on the host, version is neither file",
        ),
    ] {
        let tar = format!(
            "#!/bin/sh\n/usr/bin/tar \"$@\" || exit\n[ \"$1\" = --version ] || {{ {damage}; }}\n"
        );
        host.write_file("/usr/local/bin/tar", tar.as_bytes());
        host.root("chmod 755 /usr/local/bin/tar").ok();
        let ran = desk
            .shipit(&["deploy"])
            .leaves(1)
            .says("what arrived on the host is not what was sent")
            .says(path);
        assert!(!ran.stderr.contains("publish"), "{damage}: {ran}");
        assert_live(&host, &before, "v1");
        let listed = host
            .root("ls /opt/acme/releases /opt/acme/.shipit/links")
            .ok();
        assert_eq!(listed.matches("20").count(), 2, "{damage}: {listed}");
    }
    host.root("rm /usr/local/bin/tar").ok();
    let good = desk.json(&["deploy"]).leaves(0).release();
    assert_live(&host, &good, "v2");
}
