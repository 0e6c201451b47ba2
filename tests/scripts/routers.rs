//! `routers.sh` as a user who may not read everything: what is there, what is not, and what cannot be known.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;

use super::SHELLS;
use crate::bounds::Ends as _;

/// Not root, to whom no file is closed.
const NOBODY: u32 = 65534;

/// What the script said of these questions: words with the base64 taken off, one line each.
fn asked(shell: &[&str], at: &Path, questions: &[(&str, &str)]) -> Vec<String> {
    let (_, text) = shipit::remote::script::ALL
        .iter()
        .find(|(name, _)| *name == "routers")
        .unwrap();
    let args = questions
        .iter()
        .flat_map(|(kind, value)| [(*kind).to_owned(), format!("{}/{value}", at.display())]);
    let out = Command::new(shell[0])
        .args(&shell[1..])
        .args(["-c", text, "shipit"])
        .args(args)
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY)
        .ends();
    assert!(out.status.success(), "{out:?}");
    let whole = String::from_utf8(out.stdout).unwrap();
    let plain = |word: &str| {
        let bytes = base64::engine::general_purpose::STANDARD.decode(word).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        text.replace(&format!("{}/", at.display()), "")
    };
    let mut lines: Vec<String> = whole
        .lines()
        .map(|line| {
            let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
            let words = rest.split(' ').map(plain);
            std::iter::once(kind.to_owned())
                .chain(words)
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    assert_eq!(lines.split_off(lines.len() - 2), ["asked ", "whole "], "{whole}");
    lines
}

#[test]
fn files_and_links_are_told_from_what_is_closed_and_from_what_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let mode = |path: &str, mode: u32| {
        fs::set_permissions(at.join(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    fs::set_permissions(at, fs::Permissions::from_mode(0o755)).unwrap();
    for path in ["open", "closed", "blind", "empty", "open/dir.conf"] {
        fs::create_dir(at.join(path)).unwrap();
        mode(path, 0o755);
    }
    let files: BTreeMap<&str, &str> = [
        ("open/a.conf", "one"),
        ("open/b c.conf", "$(id) `id` *"),
        ("open/none.conf", ""),
        ("open/secret.conf", "x"),
        ("open/.hidden.conf", "x"),
        ("closed/a.conf", "x"),
        ("blind/a.conf", "seen"),
    ]
    .into();
    for (path, text) in files {
        fs::write(at.join(path), text).unwrap();
        mode(path, 0o644);
    }
    fs::write(at.join("open/long.conf"), vec![b'x'; 300_000]).unwrap();
    symlink("/nothing/there", at.join("open/z.conf")).unwrap();
    symlink("open/a.conf", at.join("link")).unwrap();
    symlink("closed/a.conf", at.join("into")).unwrap();
    mode("open/secret.conf", 0o600);
    mode("closed", 0o700);
    mode("blind", 0o711);
    for shell in SHELLS {
        let said = |kind: &str, value: &str| asked(shell, at, &[(kind, value)]);
        assert_eq!(
            said("file", "open/*.conf"),
            [
                "file open/a.conf one",
                "file open/b c.conf $(id) `id` *",
                "directory open/dir.conf",
                "unreadable open/long.conf",
                "file open/none.conf ",
                "unreadable open/secret.conf",
                "unreadable open/z.conf",
            ],
            "{shell:?}"
        );
        for (kind, value, line) in [
            ("file", "link", Some("file link one")),
            ("file", "nothing", None),
            ("file", "nothing/*.conf", None),
            ("file", "empty/*.conf", None),
            ("file", "open/$(id)", None),
            ("file", "closed/a.conf", Some("unreadable closed/a.conf")),
            ("file", "closed/*.conf", Some("unreadable closed/*.conf")),
            ("file", "clos?d/a.conf", Some("unreadable clos?d/a.conf")),
            ("file", "closed/x/*.conf", Some("unreadable closed/x/*.conf")),
            // Its names cannot be listed, a name that is known can be opened.
            ("file", "blind/*.conf", Some("unreadable blind/*.conf")),
            ("file", "blind/a.conf", Some("file blind/a.conf seen")),
            ("link", "link", Some("link link open/a.conf")),
            ("link", "nothing", Some("nothing nothing")),
            ("link", "closed/a.conf", None),
            ("link", "into", None),
        ] {
            let expected: Vec<&str> = line.into_iter().collect();
            assert_eq!(said(kind, value), expected, "{shell:?} {kind} {value}");
        }
    }
}
