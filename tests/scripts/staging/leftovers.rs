//! What a cut upload left: which one is read, that nobody removes it meanwhile, and what happens when another client takes it
//! first.

use std::sync::mpsc;
use std::thread;

use rustix::fs::{FlockOperation, flock};

use crate::bounds::reading;

use super::*;

/// A leftover of `files`, and the lock that its session held.
fn left(staging: &Staging, name: &str, files: &[&str]) -> fs::File {
    let metadata = staging.at("root/.shipit/releases").join(name);
    fs::create_dir_all(&metadata).unwrap();
    fs::create_dir_all(staging.release(name)).unwrap();
    for file in files {
        fs::write(staging.release(name).join(file), file).unwrap();
    }
    fs::File::open(metadata).unwrap()
}

/// Puts a program before the host's own.
pub(super) fn with_tool(mut command: Command, dir: &Path, name: &str, text: &str) -> Command {
    let file = dir.join(name);
    fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    command.env("PATH", format!("{}:/usr/bin:/bin", dir.display()));
    command
}

fn cut(staging: &Staging) -> Option<String> {
    CutUpload::parse(&Staging::done(staging.script("cut", &[]))).map(|cut| cut.name)
}

#[test]
fn the_newest_leftover_that_nobody_fills_and_that_prepare_did_not_see_is_read_under_its_lock() {
    for shell in SHELLS {
        let staging = Staging::new(shell, 1);
        assert_eq!(cut(&staging), None);
        left(&staging, ".in-1", &["a"]);
        left(&staging, ".in-2", &["b"]);
        let filled = left(&staging, ".in-3", &["c"]);
        left(&staging, ".in-4", &["d", "made by prepare"]);
        fs::write(staging.at("root/.shipit/releases/.in-4/digest"), "").unwrap();
        flock(&filled, FlockOperation::LockExclusive).unwrap();
        assert_eq!(cut(&staging).as_deref(), Some(".in-2"));

        let tools = tempfile::tempdir().unwrap();
        let locked = "flock -n ../../.shipit/releases/.in-2 true && echo free >&2; exec /usr/bin/sha256sum \"$@\"";
        let read = with_tool(staging.script("cut", &[]), tools.path(), "sha256sum", locked);
        let seen = CutUpload::parse(&Staging::done(read)).unwrap();
        assert_eq!(seen.files.into_values().collect::<Vec<_>>(), [b"b".to_vec()]);

        // Not by its end alone: a process that another test starts just now has a copy of it.
        flock(&filled, FlockOperation::Unlock).unwrap();
        assert_eq!(cut(&staging).as_deref(), Some(".in-3"));
    }
}

#[test]
fn a_leftover_that_another_client_took_is_a_reason_to_send_everything() {
    for shell in SHELLS {
        let staging = Staging::new(shell, 1);
        let hold = |id: &str, cut: &str| staging.script("hold", &[id, cut]).ends();
        let refused = |held: &Output| {
            let said = String::from_utf8_lossy(&held.stderr);
            assert_eq!(held.status.code(), Some(19), "{held:?}");
            assert_eq!(said, "another deploy removed the interrupted upload, or is using it\n");
        };
        refused(&hold("new", ".in-gone"));
        let used = left(&staging, ".in-used", &["a"]);
        flock(&used, FlockOperation::LockExclusive).unwrap();
        refused(&hold("new", ".in-used"));
        // It is gone by the time its lock is free.
        let (tell, told) = mpsc::channel();
        thread::scope(|scope| {
            let waits = scope.spawn(|| {
                tell.send(()).unwrap();
                hold("new", ".in-used")
            });
            told.recv_timeout(bounds::PATIENCE).unwrap();
            fs::remove_dir_all(staging.release(".in-used")).unwrap();
            fs::remove_dir_all(staging.at("root/.shipit/releases/.in-used")).unwrap();
            drop(used);
            refused(&waits.join().unwrap());
        });
        drop(left(&staging, ".in-free", &["a"]));
        let held = hold("new", ".in-free");
        assert!(held.status.success() && held.stderr.is_empty(), "{held:?}");
        assert!(staging.release(".in-free/a").exists(), "it was collected");
        // To make room.
        let held = hold("", "");
        assert!(held.status.success() && held.stderr.is_empty(), "{held:?}");
        for dir in ["root/releases", "root/.shipit/releases"] {
            assert_eq!(fs::read_dir(staging.at(dir)).unwrap().count(), 0, "{dir}");
        }
    }
}

#[test]
fn a_leftover_that_cannot_be_removed_fails_no_upload() {
    for shell in SHELLS {
        let staging = Staging::new(shell, 1);
        drop(left(&staging, ".in-dead", &["1"]));
        let next = staging.next(None, "r1");
        assert_eq!(next.delta.cut.as_deref(), Some(".in-dead"));
        let list = upload::list(&next.delta, &next.scanned.manifest);
        let mut sent = list.clone();
        next.scanned
            .pack_delta(next.delta.clone())
            .read_to_end(&mut sent)
            .unwrap();
        fs::write(staging.at("stdin"), sent).unwrap();
        let args = ["r1", "", "hard", &list.len().to_string(), ".in-dead", "zstd", "moved"];
        let tools = tempfile::tempdir().unwrap();
        let mut receive = with_tool(staging.script("receive", &args), tools.path(), "rm", "exit 1");
        let received = reading(&mut receive, fs::File::open(staging.at("stdin")).unwrap());
        assert!(received.status.success(), "{received:?}");
        assert!(staging.verify(&next).status.success());
    }
}
