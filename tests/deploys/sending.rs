//! What is sent, and what the host takes from the release before: by bytes, by inodes, and by what is said about it.

use std::fs;

use super::desk::{Desk, Ran, acme, assert_live, current};
use crate::apps::{Kind, Service};
use crate::bounds;
use crate::lab::{self, Host, Suite};

const SIZE: u64 = 2_000_000;

/// Bytes that do not compress, different for each seed.
fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..SIZE).map(|_| next()).collect()
}

fn write(desk: &Desk, path: &str, bytes: &[u8]) {
    let path = desk.path(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn inode(host: &Host, path: &str) -> String {
    host.root(&format!("stat -c %i /opt/acme/releases/{path}")).ok()
}

#[track_caller]
fn bytes(ran: &Ran, key: &str) -> u64 {
    ran.ended()[key].as_u64().unwrap_or_else(|| panic!("{key}: {ran}"))
}

#[test]
fn only_what_changed_is_sent_and_everything_if_the_host_cannot_reuse_files() {
    let host = lab::host!(Suite::Bookworm);
    let desk = Desk::ready(&host, Service::Socket, &acme("socket"));
    desk.tree(Kind::Graceful, "v1");
    write(&desk, "source/data/noise", &noise(1));
    let v1 = desk.json(&["deploy"]).leaves(0).release();

    // One small file is another one, and a directory has another name.
    desk.file("source/version", "v2");
    fs::rename(desk.path("source/data"), desk.path("source/moved")).unwrap();
    desk.shipit(&["plan"])
        .leaves(0)
        .says("to send: 1 in 2 B; 2.0 MB reused from ");
    let ran = desk.json(&["deploy"]).leaves(0);
    assert!(
        bytes(&ran, "bytes_saved") >= SIZE && bytes(&ran, "bytes_sent") < 100_000,
        "{ran}"
    );
    let v2 = ran.release();
    assert_live(&host, &v2, "v2");
    assert_eq!(
        inode(&host, &format!("{v1}/server.py")),
        inode(&host, &format!("{v2}/server.py"))
    );
    let same = format!("cd /opt/acme/releases && cmp {v1}/data/noise {v2}/moved/noise && cat {v1}/version");
    assert_eq!(host.root(&same).ok(), "v1");

    // Somebody writes into the live release, and this client remembers nothing.
    host.root("printf x | dd of=/opt/acme/current/moved/noise bs=1 seek=9 conv=notrunc")
        .ok();
    fs::remove_dir_all(desk.path(".cache")).unwrap();
    desk.file("source/version", "v3");
    let ran = desk.json(&["deploy"]).leaves(0);
    ran.clone().says(&format!(
        "files of {v2} were changed or removed on the host after it was published: moved/noise"
    ));
    assert!(bytes(&ran, "bytes_sent") > SIZE, "{ran}");
    let live = current(&host);
    assert_live(&host, &live, "v3");
    assert_eq!(host.root("md5sum </opt/acme/current/moved/noise").ok(), md5(&desk));

    // A host that makes no hard links: a file system without them, say.
    host.write_file("/usr/local/bin/cp", b"#!/bin/sh\necho no links here >&2\nexit 1\n");
    host.root("chmod 755 /usr/local/bin/cp").ok();
    desk.file("source/version", "v4");
    let ran = desk.json(&["deploy"]).leaves(0);
    ran.clone()
        .says("the host could not reuse the files that it has, so everything is sent: no links here");
    assert!(
        bytes(&ran, "bytes_saved") == 0 && bytes(&ran, "bytes_sent") > SIZE,
        "{ran}"
    );
    assert_live(&host, &ran.release(), "v4");
    // What is renamed has other bytes there, with the same stamp.
    host.root("rm /usr/local/bin/cp").ok();
    let change = "cd /opt/acme/current/moved && touch -r noise /tmp/time && \
        printf yy | dd of=noise bs=1 seek=9 conv=notrunc status=none && touch -r /tmp/time noise";
    host.root(change).ok();
    fs::rename(desk.path("source/moved"), desk.path("source/again")).unwrap();
    let ran = desk.json(&["deploy"]).leaves(0);
    ran.clone().says("so everything is sent: ~ again/noise");
    fs::rename(desk.path("source/again"), desk.path("source/moved")).unwrap();
    assert_eq!(host.root("md5sum </opt/acme/current/again/noise").ok(), md5(&desk));
    let hidden = host.root("ls -A /opt/acme/releases | grep '^[.]'").stdout;
    assert_eq!(hidden, "");
}

/// A program of 3 MB in which this one byte is another.
fn program(byte: u8) -> Vec<u8> {
    let mut bytes = [noise(5), noise(6)].concat();
    bytes[1_234_567] = byte;
    bytes
}

#[test]
fn of_a_big_file_that_changed_only_a_patch_is_sent() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::ready(&host, Service::Notify, &acme("restart"));
    let deploy = |byte: u8| {
        desk.tree(Kind::Graceful, &format!("v{byte}"));
        write(&desk, &format!("source/bin/tool-{byte}"), &program(byte));
        desk.shipit(&["plan"]).leaves(0);
        let mut ran = desk.json(&["deploy"]).leaves(0);
        if byte == 5 {
            ran = ran.says("the host could not reuse the files that it has, so whole files are sent: no memory");
        }
        assert_live(&host, &ran.release(), &format!("v{byte}"));
        let there = format!("sha256sum /opt/acme/current/bin/tool-{byte} | cut -c1-64");
        let here = bounds::reading(
            &mut std::process::Command::new("sha256sum"),
            fs::File::open(desk.path(&format!("source/bin/tool-{byte}"))).unwrap(),
        );
        assert!(String::from_utf8_lossy(&here.stdout).starts_with(&host.root(&there).ok()));
        (bytes(&ran, "bytes_sent"), bytes(&ran, "bytes_saved"))
    };
    let whole = deploy(1).0;
    assert!(whole > 2 * SIZE, "{whole}");
    let (sent, saved) = deploy(2);
    assert!(sent < 200_000 && saved > 2 * SIZE - 200_000, "{sent} {saved}");
    // A copy that is not what its name says, and a laptop without copies.
    let copies = desk.path(".cache/shipit/files");
    for copy in fs::read_dir(&copies).unwrap() {
        fs::write(copy.unwrap().path(), "short").unwrap();
    }
    let (sent, _) = deploy(3);
    assert!(sent > 2 * SIZE, "{sent}");
    assert!(deploy(4).0 < 200_000);
    // A host on which zstd gets no memory for it.
    let old =
        b"#!/bin/sh\ncase $* in -H) ;; *--patch-from*) echo no memory >&2; exit 1 ;; esac\nexec /usr/bin/zstd \"$@\"\n";
    host.write_file("/usr/local/bin/zstd", old);
    host.root("chmod 755 /usr/local/bin/zstd").ok();
    let (sent, saved) = deploy(5);
    assert!(sent > 2 * SIZE && saved > 1000, "{sent} {saved}");
    // A host that cannot unpack patches is not asked to, and nothing is remembered for it.
    fs::remove_dir_all(&copies).unwrap();
    let old = b"#!/bin/sh\n[ \"$1\" != -H ] || exit 0\nexec /usr/bin/zstd \"$@\"\n";
    host.write_file("/usr/local/bin/zstd", old);
    host.root("chmod 755 /usr/local/bin/zstd").ok();
    assert!(deploy(6).0 > 2 * SIZE);
    assert!(!copies.exists());
    // Turned off.
    host.root("rm /usr/local/bin/zstd").ok();
    fs::write(&copies, "").unwrap();
    deploy(7);
    assert!(deploy(8).0 > 2 * SIZE);
    assert_eq!(fs::read(&copies).unwrap(), b"");
}

fn md5(desk: &Desk) -> String {
    let file = fs::File::open(desk.path("source/moved/noise")).unwrap();
    let out = bounds::reading(&mut std::process::Command::new("md5sum"), file);
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_prepare_that_writes_into_a_shipped_file_changes_no_other_release() {
    let host = lab::host!(Suite::Trixie);
    let yml = acme("socket").with(
        "prepare: \"echo prepared >>written; chmod 600 version; chmod 644 version; mkdir made; cp version made\"",
    );
    let desk = Desk::ready(&host, Service::Socket, &yml);
    desk.file("written", "sent");
    let mut releases = Vec::new();
    for version in ["v1", "v2", "v3"] {
        desk.tree(Kind::Graceful, version);
        desk.file("source/written", "sent\n");
        let ran = desk.json(&["deploy"]).leaves(0).never_says("changed or removed");
        assert_live(&host, &ran.release(), version);
        releases.push(ran.release());
    }
    for release in releases {
        let text = host.read_file(&format!("/opt/acme/releases/{release}/written"));
        assert_eq!(text, "sent\nprepared\n", "{release}");
        let links = host
            .root(&format!("find /opt/acme/releases/{release} -type f -links +1"))
            .ok();
        assert_eq!(links, "", "{release}");
    }
}

#[test]
fn a_host_with_zstd_gets_zstd_and_one_that_cannot_unpack_it_gets_gzip() {
    let host = lab::host!(Suite::Trixie);
    let desk = Desk::ready(&host, Service::Notify, &acme("restart"));
    let used = |words: &str| {
        let program = format!("#!/bin/sh\n[ \"$1\" = -H ] || echo $0 >>/tmp/unpacked\n{words}\n");
        host.write_file("/usr/local/bin/zstd", program.as_bytes());
        host.root("chmod 755 /usr/local/bin/zstd; install -m 666 /dev/null /tmp/unpacked")
            .ok();
    };
    let unpacked = || host.read_file("/tmp/unpacked").lines().count();
    used("exec /usr/bin/zstd \"$@\"");
    let v1 = desk.deploy(Kind::Graceful, "v1");
    assert_live(&host, &v1, "v1");
    desk.deploy(Kind::Graceful, "v2");
    assert_eq!(unpacked(), 2);
    used("exit 1");
    host.root("rm -r /opt/acme/.shipit/releases/*/stamps").ok();
    desk.tree(Kind::Graceful, "v3");
    let ran = desk.json(&["deploy"]).leaves(0);
    ran.clone()
        .says("the host could not unpack zstd: shipit sends gzip instead");
    assert_live(&host, &ran.release(), "v3");
    // Once to unpack, and once to see that it was zstd that failed.
    assert_eq!(unpacked(), 2);
    host.root("rm /usr/local/bin/zstd /usr/bin/zstd").ok();
    let v4 = desk.deploy(Kind::Graceful, "v4");
    assert_live(&host, &v4, "v4");
}
