//! `evidence.sh`: what is there, what is not, and what cannot be read are three things.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::SHELLS;
use crate::bounds::Ends as _;

/// What the script says of a run, as a user to whom files can be closed; `journalctl` fails.
fn said(shell: &[&str], root: &Path, run: &str) -> String {
    let mut all = shipit::remote::script::ALL.iter();
    let (_, text) = all.find(|(name, _)| *name == "evidence").unwrap();
    let out = Command::new(shell[0])
        .args(&shell[1..])
        .args(["-c", text, "shipit"])
        .args([root.to_str().unwrap(), "root", run, "acme.service"])
        .env("PATH", format!("{}:/usr/bin:/bin", root.display()))
        .uid(65534)
        .gid(65534)
        .ends();
    assert!(out.status.success(), "{out:?}");
    let said = String::from_utf8(out.stdout).unwrap();
    said.strip_suffix("whole\n").unwrap().to_owned()
}

#[test]
fn a_run_without_a_failed_step_is_not_taken_for_one_that_cannot_be_read() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    fs::set_permissions(root, fs::Permissions::from_mode(0o755)).unwrap();
    let journalctl = root.join("journalctl");
    fs::write(&journalctl, "#!/bin/sh\nexit 1\n").unwrap();
    fs::set_permissions(&journalctl, fs::Permissions::from_mode(0o755)).unwrap();
    for (run, events) in [
        ("quiet", "1 step switch flip started\n"),
        ("failed", "1 step switch flip failed 3 no room\n"),
        ("closed", "1 step switch flip failed 3 no room\n"),
    ] {
        let dir = root.join(".shipit/runs").join(run);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("events"), events).unwrap();
    }
    let closed = root.join(".shipit/runs/closed/events");
    fs::set_permissions(closed, fs::Permissions::from_mode(0o0)).unwrap();
    let unit = "unit acme.service\nunreadable the journal of acme.service\n";
    for shell in SHELLS {
        let said = |run| said(shell, root, run);
        assert_eq!(said("-"), unit);
        assert_eq!(said("quiet"), unit);
        assert_eq!(
            said("failed"),
            format!("event 1 step switch flip failed 3 no room\n{unit}")
        );
        for run in ["closed", "gone"] {
            assert_eq!(said(run), format!("unreadable the record of run {run}\n{unit}"));
        }
    }
}
